//! What is handed to a worker, and what it does with it.

use std::time::Duration;

use cacheback::{Status, cacheback};
use tokio::time::Instant;

use super::{Origin, only_line, report, serves, stale, stale_read, start, worked};
use crate::fleet::{Process, fleet, hear, wait};
use crate::support::{Source, advance, run_ready};

#[test]
fn a_stale_value_is_refreshed_by_a_worker_and_served_by_all() {
    let (_memory, processes @ [_, _, _]) = fleet();
    let [web, other, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    assert_eq!((here.runs(), there.runs()), (1, 0), "who waits fetches where he is");
    stale_read(web, &here, 1);
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (1, 1));
    hear(&processes);
    for process in [web, other] {
        let looked = process.run(|| report::entry(&here, 1).lookup());
        assert_ne!((looked.status, looked.age), (Status::Fetched, None));
    }
    for process in [web, other] {
        assert_eq!(process.run(|| report::entry(&here, 1).lookup()).status, Status::Fresh);
    }
    let stats = web.run(|| async { report::cache().stats() });
    assert_eq!((stats.fetches, stats.queued, stats.queue_fallbacks), (1, 1, 0));
    assert_eq!(running.stop(back), worked(1, 0, 0));
    assert_eq!((here.runs(), there.runs()), (1, 1));
}

/// A miss that nobody waits for is a refresh like others.
#[test]
fn an_empty_answer_starts_a_job_too() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(report::cache(), &there));
    assert_eq!(web.run(|| report::entry(&here, 1).lookup()).status, Status::Empty);
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (0, 1));
    assert_eq!(running.stop(back), worked(1, 0, 0));
}

/// Whoever changes a key need not have the origin within reach.
#[test]
fn the_refresh_after_an_invalidation_is_handed_over() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(report::cache(), &there));
    web.run(|| report::entry(&here, 1).get_or_fetch()).unwrap();
    web.run(|| report::entry(&here, 1).invalidate()).unwrap();
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (1, 1));
    // What the worker has stored is adopted behind this read.
    stale_read(web, &here, 1);
    hear(&processes);
    assert_eq!(web.run(|| report::entry(&here, 1).lookup()).status, Status::Fresh);
    assert_eq!((here.runs(), there.runs()), (1, 1));
    assert_eq!(running.stop(back), worked(1, 0, 0));
}

/// Its answer has no round trip before it, whatever the tier does.
#[test]
fn nobody_waits_for_a_queue() {
    let (memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let _running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    memory.hang();
    let took = web.run(|| async {
        let asked = Instant::now();
        assert_eq!(report(&here, 1).await, Ok(1));
        asked.elapsed()
    });
    assert_eq!(took, Duration::ZERO);
}

#[test]
fn a_stale_key_has_one_job_however_many_ask() {
    let (_memory, processes @ [_, _, _]) = fleet();
    let [web, other, back] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    other.run(|| report(&here, 1)).unwrap();
    for _ in 0..20 {
        for process in [web, other] {
            stale_read(process, &here, 1);
        }
        web.run(|| advance(Duration::from_millis(100)));
    }
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (1, 1));
    let queued = |process: &Process| process.run(|| async { report::cache().stats().queued });
    assert_eq!(queued(web) + queued(other), 1);
    there.release_all();
    assert_eq!(running.stop(back), worked(1, 0, 0));
}

#[test]
fn many_stale_keys_have_a_job_each_and_the_limits_hold() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(report::cache(), &there).concurrency(3));
    for key in 0..40 {
        web.run(|| report::entry(&here, key).get_or_fetch()).unwrap();
    }
    wait(&processes, 20);
    let gated = Source::gated();
    running.stop(back);
    let running = start(back, serves(report::cache(), &gated).concurrency(3));
    for key in 0..40 {
        stale_read(web, &here, key);
    }
    hear(&processes);
    assert_eq!((gated.runs(), gated.peak()), (3, 3));
    assert_eq!((only_line(web).length, only_line(web).under_way), (37, 3));
    gated.release_all();
    for _ in 0..20 {
        back.run(run_ready);
    }
    assert_eq!(gated.runs(), 40);
    assert_eq!(running.stop(back), worked(40, 0, 0));
}

#[cacheback(shared, queue, lifetime = 10, max_refreshes = 2, skip(origin))]
async fn limited(origin: &Origin, key: u64) -> u64 {
    let _ = key;
    origin.number().await
}

#[test]
fn a_functions_own_limit_holds_in_each_worker() {
    let (_memory, processes @ [_, _, _]) = fleet();
    let [web, one, two] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let running = [one, two].map(|back| start(back, serves(limited::cache(), &there)));
    for key in 0..10 {
        web.run(|| limited(&here, key));
    }
    hear(&processes);
    assert_eq!((there.runs(), there.peak()), (4, 4), "two in each");
    there.release_all();
    drop(running);
}

/// The lease of a job lasts for as long as it may wait, and no holder need live.
#[test]
fn a_job_waits_for_its_turn_and_its_key_with_it() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let running = start(back, serves(report::cache(), &there).concurrency(1));
    stale(&processes, &here, 1);
    web.run(|| report::entry(&here, 2).get_or_fetch()).unwrap();
    wait(&processes, 15);
    stale_read(web, &here, 1);
    hear(&processes);
    stale_read(web, &here, 2);
    wait(&processes, 3);
    stale_read(web, &here, 2);
    assert_eq!(
        web.run(|| async { report::cache().stats() }).queued,
        2,
        "a queue is no reason to enqueue again"
    );
    there.release_all();
    for _ in 0..4 {
        hear(&processes);
    }
    assert_eq!((here.runs(), there.runs()), (2, 2));
    assert_eq!(running.stop(back), worked(2, 0, 0));
}

#[test]
fn a_caller_who_waits_takes_a_queued_refresh_over() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    stale_read(web, &here, 1);
    // The worker has not come to it yet.
    assert_eq!(web.run(|| report::entry(&here, 1).refresh()), Ok(2));
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (2, 0), "its turn comes, and it is not needed");
    assert_eq!(running.stop(back), worked(0, 0, 1));
}

#[test]
fn a_changed_key_needs_no_job() {
    type Change = fn(&Process, &Origin);
    let removed: Change = |web, here| web.run(|| report::entry(here, 1).remove()).unwrap();
    let set: Change = |web, here| web.run(|| report::entry(here, 1).set(9)).unwrap();
    let cleared: Change = |web, _| web.run(|| async { report::cache().clear().await }).unwrap();
    for (number, change) in [removed, set, cleared].into_iter().enumerate() {
        let (_memory, processes @ [_, _]) = fleet();
        let [web, back] = &processes;
        let (here, there) = (Source::open(), Source::open());
        let running = start(back, serves(report::cache(), &there));
        stale(&processes, &here, 1);
        stale_read(web, &here, 1);
        change(web, &here);
        hear(&processes);
        assert_eq!(there.runs(), 0, "change {number}");
        assert_eq!(running.stop(back), worked(0, 0, 1), "change {number}");
    }
}
