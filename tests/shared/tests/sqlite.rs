//! A SQLite file for the processes of one machine: what survives, and what happens if it cannot be used.

mod support;

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::outage::{back, is_no_outage, process};
use support::{File, Origin, Process, wait_until};

/// A file and two processes that wait no longer than for an outage.
fn fleet() -> (File, Origin, Process, Process) {
    let (file, origin) = (File::new(), Origin::start());
    let [one, other] = [(); 2].map(|()| process(&origin, &file.url()));
    (file, origin, one, other)
}

/// A process that waits however slow the machine is.
fn patient(origin: &Origin, file: &File) -> Process {
    Process::start(origin, &file.url(), &["timeout=5000"])
}

fn patient_fleet() -> (File, Origin, Process, Process) {
    let (file, origin) = (File::new(), Origin::start());
    let [one, other] = [(); 2].map(|()| patient(&origin, &file));
    (file, origin, one, other)
}

/// The first call of a new process is a hit, however the last one has ended.
#[test]
fn a_value_survives_a_restart() {
    let (file, origin, mut one, mut other) = patient_fleet();
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(other.ask("set long b written"), "ok");
    one.kill();
    other.kill();
    let mut next = patient(&origin, &file);
    assert_eq!(next.ask("get long a"), "Fresh Shared 1");
    assert_eq!(next.ask("get long b"), "Fresh Shared written");
    assert_eq!(origin.runs("a").len(), 1);
}

#[cfg(unix)]
#[test]
fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (file, _origin, mut one, _other) = patient_fleet();
    assert_eq!(one.ask("set long a b"), "ok");
    for end in ["", "-wal", "-shm"] {
        let mode = fs::metadata(file.beside(end)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{end}");
    }
}

/// Processes are killed in the middle of their changes, again and again. What was told to be done is done, all that are
/// left agree, and the file is whole.
#[test]
fn processes_that_are_killed_leave_a_whole_file() {
    let (file, origin) = (File::new(), Origin::start());
    let mut reader = patient(&origin, &file);
    for round in 0..12 {
        let mut writers = [(); 3].map(|()| patient(&origin, &file));
        let mut last = Vec::new();
        for (number, writer) in writers.iter_mut().enumerate() {
            let key = format!("k{number}");
            assert_eq!(writer.ask(&format!("set long {key} {round}")), "ok");
            last.push((key, round.to_string()));
            // Changes of other keys, of which it is killed.
            writer.send(&format!("fill long r{round}w{number}x 10000 2000"));
        }
        std::thread::sleep(Duration::from_millis(20 + fastrand::u64(..60)));
        writers.iter_mut().for_each(Process::kill);
        for (key, value) in last {
            wait_until("it agrees", || {
                let there = reader.ask(&format!("get long {key}"));
                there == format!("Fresh Shared {value}") || there == format!("Fresh Local {value}")
            });
        }
        assert!(file.is_whole(), "round {round}");
    }
    assert_eq!(reader.logged("second tier lost"), Vec::<String>::new());
}

/// Many processes change and read the same keys: at the end all have the same values.
#[test]
fn processes_over_one_file_agree() {
    let (file, origin) = (File::new(), Origin::start());
    let mut fleet: Vec<_> = (0..5).map(|_| patient(&origin, &file)).collect();
    let mut sent = Vec::new();
    for round in 0..40 {
        for (number, process) in fleet.iter_mut().enumerate() {
            for key in 0..5 {
                sent.push(match (round + number + key) % 3 {
                    0 => process.send(&format!("set long k{key} {round}.{number}")),
                    1 => process.send(&format!("invalidate long k{key}")),
                    _ => process.send(&format!("get long k{key}")),
                });
            }
        }
    }
    for sent in sent {
        let words = sent.answer().words;
        assert!(!words.contains("Unreachable"), "{words}");
    }
    for key in 0..5 {
        assert_eq!(fleet[0].ask(&format!("set long k{key} last")), "ok");
        for process in &mut fleet {
            wait_until("it agrees", || process.ask(&format!("get long k{key}")).ends_with("last"));
        }
    }
    assert!(file.is_whole());
}

/// A process that has stopped inside of a transaction keeps all others from changes.
#[test]
fn a_transaction_that_does_not_end() {
    let (file, origin, mut one, mut other) = fleet();
    let stopped = {
        one.ask("get long warm");
        file.connection()
    };
    is_no_outage("stopped", &origin, &mut one, || stopped.execute_batch("BEGIN IMMEDIATE").unwrap());
    wait_until("it is noticed", || {
        one.ask("set long a b").starts_with("Unreachable") && !one.logged("second tier lost").is_empty()
    });
    // Then nobody waits any more.
    assert!(one.ask("set long a b").ends_with("it is not connected"));
    assert_eq!(one.logged("second tier lost").len(), 1, "said once");
    stopped.execute_batch("ROLLBACK").unwrap();
    let took = back(&mut one, &mut other);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// Real processes are stopped wherever they are, and go on.
#[test]
fn processes_that_are_stopped_and_go_on() {
    let (file, origin, mut one, mut other) = fleet();
    one.send("fill long x 1000000 500");
    other.ask("get long warm");
    for round in 0..10 {
        std::thread::sleep(Duration::from_millis(fastrand::u64(5..40)));
        one.stop();
        assert_eq!(other.ask(&format!("get long r{round}")), "Fetched Fetched 1");
        one.go_on();
    }
    let mut third = process(&origin, &file.url());
    let took = back(&mut other, &mut third);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// A process that hears nothing for more than a minute would miss messages. Here they are forgotten under it.
#[test]
fn messages_that_are_forgotten_are_noticed() {
    let (file, _origin, mut one, mut other) = patient_fleet();
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(other.ask("get long a"), "Fresh Shared 1");
    // It listens.
    assert_eq!(one.ask("set long a heard"), "ok");
    wait_until("it hears", || other.ask("get long a").ends_with(" heard"));
    assert_eq!(other.ask("get long a"), "Fresh Local heard");
    other.stop();
    assert_eq!(one.ask("set long a new"), "ok");
    file.connection().execute_batch("DELETE FROM messages").unwrap();
    other.go_on();
    let changed = Instant::now();
    wait_until("the change", || other.ask("get long a").ends_with(" new"));
    assert!(changed.elapsed() < Duration::from_secs(4), "{:?}", changed.elapsed());
}

/// A file that is deleted is made anew, and so is one that was replaced.
#[test]
fn a_file_that_is_deleted_under_its_processes() {
    let (file, origin, mut one, mut other) = fleet();
    is_no_outage("deleted", &origin, &mut one, || {
        for end in ["", "-wal", "-shm"] {
            fs::remove_file(file.beside(end)).unwrap();
        }
    });
    let took = back(&mut one, &mut other);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(file.path().exists() && file.is_whole());
    assert!(one.logs("second tier lost").contains("it was deleted"));
}

/// Bytes of the file are overwritten, wherever they are. No call fails, and no value is a wrong one.
#[test]
fn a_file_that_is_damaged() {
    let (file, origin) = (File::new(), Origin::start());
    let mut first = process(&origin, &file.url());
    for key in 0..200 {
        assert_eq!(first.ask(&format!("get long k{key}")), "Fetched Fetched 1");
    }
    first.kill();
    // Carries the log over.
    file.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
    let whole = fs::read(file.path()).unwrap();
    for round in 0..12 {
        for end in ["-wal", "-shm"] {
            let _ = fs::remove_file(file.beside(end));
        }
        let mut bytes = whole.clone();
        for _ in 0..1 << round {
            // Behind the header, without which it is refused.
            let at = fastrand::usize(100..bytes.len());
            bytes[at] ^= 1 << fastrand::u32(..8);
        }
        fs::write(file.path(), &bytes).unwrap();
        let mut process = process(&origin, &file.url());
        for key in (0..200).step_by(7) {
            let answer = process.ask(&format!("get long k{key}"));
            let runs = origin.runs(&format!("k{key}")).len();
            let possible = [
                // A run of before, or a new one.
                (1..=runs).map(|run| format!("Fresh Shared {run}")).collect::<Vec<_>>(),
                (1..=runs).map(|run| format!("Stale Shared {run}")).collect(),
                vec![format!("Fetched Fetched {runs}")],
            ];
            assert!(possible.concat().contains(&answer), "round {round}: {answer} of {runs}");
        }
        assert!(process.logged("second tier lost").len() <= 2);
    }
}

/// One bit of a value.
#[test]
fn a_damaged_value_is_fetched_anew() {
    let (file, origin) = (File::new(), Origin::start());
    let mut first = patient(&origin, &file);
    assert_eq!(first.ask("set long a needle-in-a-haystack"), "ok");
    first.kill();
    file.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
    let mut bytes = fs::read(file.path()).unwrap();
    let at = bytes.windows(6).position(|window| window == b"needle").unwrap();
    bytes[at] ^= 1;
    fs::write(file.path(), &bytes).unwrap();
    let mut next = patient(&origin, &file);
    assert_eq!(next.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(patient(&origin, &file).ask("get long a"), "Fresh Shared 1", "it is replaced");
}

/// The file is cut off under its processes, and filled with something else.
#[test]
fn a_file_that_is_truncated_or_overwritten_under_its_processes() {
    for (name, spoil) in [
        ("truncated", (|file: &mut fs::File| file.set_len(4096)) as fn(&mut fs::File) -> std::io::Result<()>),
        ("emptied", |file| file.set_len(0)),
        ("overwritten", |file| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            bytes.fill(0xa5);
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&bytes)
        }),
    ] {
        let (file, origin, mut one, mut other) = fleet();
        one.ask("fill long x 200 2000");
        file.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
        is_no_outage(name, &origin, &mut one, || {
            let mut opened = OpenOptions::new().read(true).write(true).open(file.path()).unwrap();
            spoil(&mut opened).unwrap();
        });
        // The operator deletes it.
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(file.beside(end));
        }
        let took = back(&mut one, &mut other);
        assert!(took < Duration::from_secs(5), "{name}: {took:?}");
    }
}

/// A small disk of the test's own, in memory. Not everybody may mount one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(disk.0.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(disk);
        }
        eprintln!("no disk can be mounted here: the test of a full one is skipped");
        // Nothing is mounted: the folder is just deleted.
        None
    }

    fn remount(&self, how: &str) {
        let status =
            Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(self.0.path()).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk() {
    let Some(disk) = Disk::mount() else { return };
    let origin = Origin::start();
    let url = format!("sqlite:{}", disk.0.path().join("cache.sqlite").display());
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &url));
    let ballast = disk.0.path().join("ballast");
    is_no_outage("full", &origin, &mut one, || {
        // Until nothing more fits.
        let mut file = fs::File::create(&ballast).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    });
    one.ask("fill long x 50 20000");
    wait_until("it is noticed", || one.ask("set long y value").starts_with("Unreachable"));
    assert!(one.logs("second tier lost").contains("full"), "{:?}", one.logged("WARN"));
    assert_eq!(one.ask("get long during"), "Fetched Fetched 1");
    assert!(one.logged("second tier lost").len() <= 2, "{:?}", one.logged("WARN"));
    fs::remove_file(ballast).unwrap();
    let took = back(&mut one, &mut other);
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[test]
fn a_disk_that_can_be_read_only() {
    let Some(disk) = Disk::mount() else { return };
    let origin = Origin::start();
    let url = format!("sqlite:{}", disk.0.path().join("cache.sqlite").display());
    disk.remount("ro");
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &url));
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    assert!(one.ask("set long a b").starts_with("Unreachable"));
    one.logs("second tier lost");
    disk.remount("rw");
    let took = back(&mut one, &mut other);
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(one.logged("second tier lost").len(), 1, "said once");
}

/// A folder that is not there, or that cannot be written to, is no outage. When it can, the file is made.
#[test]
fn a_folder_that_comes_later() {
    let (file, origin) = (File::new(), Origin::start());
    let folder = file.beside(".later");
    let url = format!("sqlite:{}", folder.join("cache.sqlite").display());
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &url));
    for key in 0..5 {
        assert_eq!(one.ask(&format!("get long k{key}")), "Fetched Fetched 1");
    }
    assert!(one.logs("second tier lost").contains("it cannot be made"));
    fs::create_dir(&folder).unwrap();
    let took = back(&mut one, &mut other);
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(one.logged("second tier lost").len(), 1, "said once");
    // No file can be made there, by nobody.
    let mut none = process(&origin, "sqlite:/proc/cache.sqlite");
    assert_eq!(none.ask("get long nowhere"), "Fetched Fetched 1");
    assert!(none.ask("set long nowhere b").starts_with("Unreachable"));
}

/// However much is stored, file and log stay within their bound, and the newest values are there.
#[test]
fn a_file_does_not_outgrow_its_bound() {
    const BOUND: u64 = 4 << 20;
    let (file, origin) = (File::new(), Origin::start());
    let options = ["timeout=5000", "max_bytes=4MiB"];
    let mut fleet = [(); 3].map(|()| Process::start(&origin, &file.url(), &options));
    for round in 0..4 {
        let filling: Vec<_> = fleet
            .iter_mut()
            .enumerate()
            .map(|(number, process)| process.send(&format!("fill long r{round}p{number}x 400 8000")))
            .collect();
        while !filling.iter().all(support::process::Sent::is_answered) {
            let bytes = file.bytes();
            assert!(bytes <= BOUND, "{bytes} bytes");
            std::thread::sleep(Duration::from_millis(2));
        }
        for (sent, process) in filling.iter().zip(&fleet) {
            assert_eq!(sent.answer().words, "400", "{:?}", process.logged("WARN"));
        }
        let [one, other, _] = &mut fleet;
        assert_eq!(one.ask("set long last written"), "ok");
        wait_until("the last one", || other.ask("get long last").ends_with("written"));
    }
    let mut next = Process::start(&origin, &file.url(), &options);
    assert!(next.ask("get long r3p0x399").starts_with("Fresh Shared "));
    assert_eq!(next.ask("peek long r0p0x0"), "none", "the oldest have made place");
    assert!(file.is_whole());
}

/// A process that reads and never ends keeps the log from being begun anew. It stays within its bound all the same.
#[test]
fn a_reader_that_never_ends() {
    let (file, origin) = (File::new(), Origin::start());
    let options = ["timeout=2000", "max_bytes=4MiB"];
    let [mut one, mut other] = [(); 2].map(|()| Process::start(&origin, &file.url(), &options));
    one.ask("fill long x 10 8000");
    let reading = file.connection();
    reading.execute_batch("BEGIN; SELECT count(*) FROM entries;").unwrap();
    let shared: u64 = one.ask("fill long y 200 8000").parse().unwrap();
    assert!(shared < 200, "{shared} values were taken");
    assert!(file.bytes() <= 4 << 20, "{} bytes", file.bytes());
    one.logs("a process has been reading for long");
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1", "callers are served");
    reading.execute_batch("COMMIT").unwrap();
    wait_until("values are taken", || one.ask("set long z value") == "ok");
    assert_eq!(other.ask("get long z"), "Fresh Shared value");
}
