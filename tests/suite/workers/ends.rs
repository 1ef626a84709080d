//! The end of a worker, and what becomes of its jobs.

use cacheback::cacheback;

use super::{Origin, Running, only_line, report, serves, stale, stale_read, start, worked};
use crate::fleet::fleet;
use crate::support::{Source, advance, run_ready, secs};

#[test]
fn a_worker_that_is_stopped_takes_no_jobs_and_waits_for_its_own() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let Running { stop, task } = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    stale_read(web, &here, 1);
    back.run(|| there.started(1));
    drop(stop);
    back.run(run_ready);
    assert!(!task.is_finished(), "its job runs");
    web.run(|| report::entry(&here, 2).lookup());
    back.run(run_ready);
    assert_eq!((here.runs(), there.runs()), (2, 1), "the next refresh is not its own");
    there.release_all();
    assert_eq!(back.run(|| task).unwrap(), Ok(worked(1, 0, 0)));
}

#[cacheback(shared, queue, lifetime = 10, refresh_timeout = 600, skip(origin))]
async fn slow(origin: &Origin, key: u64) -> u64 {
    let _ = key;
    origin.number().await
}

/// No failure, and no back-off.
#[test]
fn at_the_limit_of_its_shutdown_a_job_is_given_back() {
    let (_memory, processes @ [_, _, _]) = fleet();
    let [web, back, next] = &processes;
    let (here, there, other) = (Source::open(), Source::gated(), Source::open());
    let worker = serves(slow::cache(), &there).shutdown_limit(secs(7));
    let Running { stop, task } = start(back, worker);
    web.run(|| slow(&here, 1));
    back.run(|| there.started(1));
    drop(stop);
    back.run(|| advance(secs(6)));
    assert!(!task.is_finished());
    let ended = back.run(|| task).unwrap();
    assert_eq!((ended, there.running()), (Ok(worked(0, 0, 0)), 0));
    assert_eq!((only_line(web).length, only_line(web).under_way), (1, 0));
    let running = start(next, serves(slow::cache(), &other));
    next.run(run_ready);
    assert_eq!((here.runs(), other.runs()), (0, 1));
    assert_eq!(running.stop(next), worked(1, 0, 0));
    assert_eq!(only_line(web).dead, [], "it was no delivery");
}

#[test]
fn a_worker_that_is_dropped_gives_its_jobs_back() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let Running { stop: _stop, task } = start(back, serves(slow::cache(), &there));
    web.run(|| slow(&here, 1));
    back.run(|| there.started(1));
    task.abort();
    back.run(run_ready);
    assert_eq!((there.running(), only_line(web).length, only_line(web).under_way), (0, 1, 0));
}
