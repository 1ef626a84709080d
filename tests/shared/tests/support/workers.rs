//! Web processes and workers with a queue, and what is asked of them.

use std::thread::sleep;
use std::time::Duration;

use super::{Origin, Process, wait_until};

/// However slow the disk is, no process gives its tier up.
const TIMEOUT: &str = "timeout=5000";

/// A value of `queued` that is stale, and that `run` has brought.
pub(crate) fn stale(web: &mut Process, key: &str, run: usize) {
    wait_until(&format!("{key} is not stale"), || {
        web.ask(&format!("get queued {key}")) == format!("Stale Local {run}")
    });
}

/// Asks until the value is that of this run, or of a later one.
pub(crate) fn reads(web: &mut Process, key: &str, run: usize) {
    wait_until(&format!("{key} is not refreshed"), || {
        let answer = web.ask(&format!("get queued {key}"));
        sleep(Duration::from_millis(50));
        answer
            .rsplit(' ')
            .next()
            .and_then(|value| value.parse().ok())
            .is_some_and(|value: usize| value >= run)
    });
}

pub(crate) fn worker(origin: &Origin, url: &str, jobs: usize) -> Process {
    serves(origin, url, jobs, "queued")
}

/// A worker of other functions.
pub(crate) fn serves(origin: &Origin, url: &str, jobs: usize, functions: &str) -> Process {
    let options = [TIMEOUT, &format!("jobs={jobs}"), &format!("serves={functions}")];
    let worker = Process::start(origin, url, &options);
    worker.logs("worker started");
    worker
}

pub(crate) fn web(origin: &Origin, url: &str) -> Process {
    Process::start(origin, url, &[TIMEOUT])
}

/// Waits until so many workers are known.
pub(crate) fn staffed(web: &mut Process, workers: usize) {
    wait_until(&format!("there are no {workers} workers"), || {
        web.ask("queues").contains(&format!("workers={workers} "))
    });
}

/// Fetches a value in a process of the web, without a worker.
pub(crate) fn first(web: &mut Process, key: &str) {
    wait_until(&format!("{key} has no value"), || web.ask(&format!("get queued {key}")).ends_with(" 1"));
}

pub(crate) fn fetches(web: &mut Process) -> String {
    web.ask("stats queued").split(' ').next().unwrap().to_owned()
}

/// How many jobs of the first line are done. `None` if there is no line, or no answer.
pub(crate) fn done(web: &mut Process) -> Option<u64> {
    web.ask("queues").split(' ').find_map(|word| word.strip_prefix("done="))?.parse().ok()
}
