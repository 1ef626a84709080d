//! The machine and the versions of a run.
#![allow(unsafe_code, reason = "the kernel's clocks are calls into libc")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{fs, thread};

use crate::stats::median;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The version of a package in the lock file, or the highest if there are several.
pub(crate) fn version(package: &str) -> String {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap_or_default();
    highest(&lock, package).unwrap_or_else(|| "?".to_owned())
}

fn highest(lock: &str, package: &str) -> Option<String> {
    let numbers =
        |version: &String| version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u64>>();
    let name = format!("name = \"{package}\"");
    let lines: Vec<&str> = lock.lines().collect();
    lines
        .windows(2)
        .filter(|pair| pair[0] == name)
        .filter_map(|pair| Some(pair[1].strip_prefix("version = \"")?.strip_suffix('"')?.to_owned()))
        .max_by_key(numbers)
}

/// Lines that describe machine and compiler.
pub(crate) fn describe() -> Vec<(&'static str, String)> {
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(|| "unknown".to_owned(), |kib| format!("{:.0} GiB", kib / 1_048_576.0));
    let system = fs::read_to_string("/etc/os-release").ok().and_then(|text| {
        Some(text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?.replace('"', ""))
    });
    let kernel = output("uname", &["-sr"]).unwrap_or_default();
    vec![
        ("date", output("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default()),
        ("CPU", format!("{cpu}, {cores} cores")),
        ("memory", memory),
        ("system", format!("{}, {kernel}", system.unwrap_or_else(|| "unknown".to_owned()))),
        (
            "all cores at once",
            format!("plain arithmetic takes {:.2} times as long while all of them do it", scaling()),
        ),
        ("a reading of a clock", clocks()),
        ("compiler", output("rustc", &["-V"]).unwrap_or_default()),
        ("valgrind", output("valgrind", &["--version"]).unwrap_or_else(|| "not there".to_owned())),
    ]
}

/// How much longer arithmetic takes while every core does it. The result is near one if the cores are independent. It
/// is larger if they share execution units, and then no cache can scale better with several threads.
fn scaling() -> f64 {
    let work = || {
        let start = Instant::now();
        let mut x = 1u64;
        for i in 0..300_000_000u64 {
            x = black_box(x.wrapping_mul(i | 1) ^ i);
        }
        start.elapsed().as_secs_f64()
    };
    let alone = work();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let together: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("arithmetic")).collect()
    });
    median(&together) / alone
}

/// The clocks that the cache reads, by the call that `base/clock` in the runtime makes, beside std's.
fn clocks() -> String {
    const ROUNDS: usize = 21;
    const READINGS: u32 = 100_000;
    type Reading = fn() -> u64;
    let clocks: [(&str, Reading); 3] = [
        ("`CLOCK_MONOTONIC_COARSE` (by each hit)", || read(libc::CLOCK_MONOTONIC_COARSE)),
        ("`CLOCK_BOOTTIME` (by other calls)", || read(libc::CLOCK_BOOTTIME)),
        ("std's `Instant::now`", || {
            black_box(Instant::now());
            0
        }),
    ];
    let mut times = clocks.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, reading), times) in clocks.iter().zip(&mut times) {
            let start = Instant::now();
            for _ in 0..READINGS {
                black_box(reading());
            }
            times.push(start.elapsed().as_nanos() as f64 / f64::from(READINGS));
        }
    }
    let shown = clocks.iter().zip(&times).map(|((name, _), times)| format!("{name} {:.1} ns", median(times)));
    shown.collect::<Vec<_>>().join(", ")
}

#[inline]
fn read(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid `timespec` to write to.
    let done = unsafe { libc::clock_gettime(clock, &raw mut now) };
    assert_eq!(done, 0, "the kernel has this clock");
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_of_the_exact_name_is_found() {
        let lock = "name = \"moka\"\nversion = \"0.9.0\"\n\nname = \"moka\"\nversion = \"0.12.16\"\n\n\
                    name = \"hitbox-moka\"\nversion = \"7.0.0\"\n";
        assert_eq!(highest(lock, "moka").as_deref(), Some("0.12.16"));
        assert_eq!(highest(lock, "mok"), None);
    }

    #[test]
    fn the_clocks_go_on() {
        for clock in [libc::CLOCK_MONOTONIC_COARSE, libc::CLOCK_BOOTTIME] {
            let before = read(clock);
            thread::sleep(std::time::Duration::from_millis(20));
            let passed = read(clock) - before;
            assert!((10_000_000..10_000_000_000).contains(&passed), "{passed} ns in 20 ms");
        }
    }

    #[test]
    fn the_lock_file_of_the_workspace_is_found() {
        assert_ne!(version("moka"), "?");
    }
}
