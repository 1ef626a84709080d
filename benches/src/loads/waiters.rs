//! Ten thousand tasks that wait for one missing key: the time that they take in addition to the fetch, and the CPU time
//! of the process.
#![allow(unsafe_code, reason = "the CPU clock is a call into libc")]

use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use crate::contenders::{MOKA_FUTURE, waiters};
use crate::figure::Sink;
use crate::plan::Plan;
use crate::process;
use crate::stats::{median, median_ratio};

pub(super) fn parts(_: &Plan) -> Vec<String> {
    vec!["10,000".to_owned()]
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let runtime = Builder::new_multi_thread().worker_threads(cores).enable_time().build().expect("a runtime");
    let mut herds = runtime.block_on(async { waiters::herds() });
    herds.retain(|one| process::takes_part(one.0));
    let mut times = vec![(Vec::new(), Vec::new()); herds.len()];
    // The first round is not counted: it starts threads and allocates memory that later rounds reuse.
    for round in 0..=plan.rounds {
        for turn in 0..herds.len() {
            let index = (round + turn) % herds.len();
            process::works(herds[index].0);
            let (start, cpu) = (Instant::now(), cpu_time());
            herds[index].1(&runtime, round as u64, 10_000);
            let (wall, cpu) = (start.elapsed(), cpu_time() - cpu);
            if round > 0 {
                times[index].0.push((wall - waiters::FETCH.min(wall)).as_secs_f64() * 1e3);
                times[index].1.push(cpu.as_secs_f64() * 1e3);
            }
        }
    }
    process::nobody_works();
    let unit = herds.iter().position(|one| one.0 == MOKA_FUTURE).expect("the unit");
    let unit = times[unit].clone();
    for ((name, _), (wall, cpu)) in herds.iter().zip(&times) {
        sink.put(part, name, "wall", median(wall));
        sink.put(part, name, "wall ratio", median_ratio(wall, &unit.0));
        sink.put(part, name, "cpu", median(cpu));
        sink.put(part, name, "cpu ratio", median_ratio(cpu, &unit.1));
    }
}

/// The CPU time of this process.
pub(super) fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Unix, and the pointer is to our own timespec.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0, "the process has a CPU clock");
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("less than a second"))
}
