//! The end of a worker, and what becomes of its jobs.

use cacheback::cacheback;

use super::{Origin, Running, only_line, report, serves, stale, stale_read, start, worked};
use crate::fleet::{Process, fleet, hear, wait};
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

/// It was delivered a second time, and would have run alone, after the others.
#[test]
fn a_job_that_waits_for_its_place_is_given_back() {
    let (memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, killed_one, there) = (Source::open(), Source::gated(), Source::gated());
    for key in 0..3 {
        web.run(|| report::entry(&here, key).get_or_fetch()).unwrap();
    }
    wait(&processes, 20);
    let killed = Process::new(|configure| configure.shared(memory.clone()));
    killed.run(|| advance(secs(20)));
    let _killed = start(&killed, serves(report::cache(), &killed_one));
    stale_read(web, &here, 0);
    killed.run(|| killed_one.started(1));
    drop(killed);
    let Running { stop, task } = start(back, serves(report::cache(), &there));
    wait(&processes, 19);
    for key in 1..3 {
        stale_read(web, &here, key);
    }
    hear(&processes);
    assert_eq!(there.runs(), 2);
    wait(&processes, 2);
    for _ in 0..4 {
        back.run(run_ready);
    }
    assert_eq!((there.runs(), only_line(web).under_way), (2, 3), "it waits until it is alone");
    drop(stop);
    back.run(run_ready);
    assert_eq!((only_line(web).length, only_line(web).under_way), (1, 2), "it does not wait any more");
    there.release_all();
    assert_eq!(back.run(|| task).unwrap(), Ok(worked(2, 0, 0)));
    assert_eq!((there.runs(), only_line(web).length), (2, 1));
}
