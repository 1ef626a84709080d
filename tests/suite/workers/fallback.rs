//! Refreshes that no worker takes: they run where they are asked for, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cacheback::shared::{Memory, queues};
use cacheback::{ErrorKind, Status, cacheback, worker};
use tracing::Span;

use super::{Log, Origin, nothing, only_line, report, serves, stale, stale_read, start, worked};
use crate::fleet::{Process, fleet, hear, wait};
use crate::support::{Source, advance, run_ready, secs};

/// Nothing is stale for ever.
#[test]
fn without_a_worker_the_refresh_runs_here() {
    let (log, _guard) = Log::capture();
    let (_memory, processes @ [_]) = fleet();
    let [web] = &processes;
    let here = Source::open();
    stale(&processes, &here, 1);
    for run in 2..=4 {
        stale_read(web, &here, 1);
        assert_eq!(here.runs(), run);
        wait(&processes, 20);
    }
    let stats = web.run(|| async { report::cache().stats() });
    assert_eq!((stats.queued, stats.queue_fallbacks), (0, 3));
    let said = "refreshes are not handed to workers, and run in this process";
    assert_eq!(log.count(said), 1, "once a minute: {}", log.text());
    assert_eq!(log.count("no worker that serves it was seen in the last 15 s"), 1);
    wait(&processes, 20);
    stale_read(web, &here, 1);
    assert_eq!(log.count(said), 2);
}

/// It was forgotten in the list of what the worker serves, say.
#[test]
fn a_function_that_the_workers_of_its_queue_do_not_serve_is_told() {
    let (log, _guard) = Log::capture();
    let (_memory, processes @ [_, _, _]) = fleet();
    let [web, back, reports] = &processes;
    let here = Source::open();
    let running = start(back, worker().serve(nothing::cache()));
    assert_eq!(web.run(|| report(&here, 1)), Ok(0));
    assert_eq!(here.runs(), 1);
    assert_eq!(log.count("the workers of its queue do not serve it"), 1, "{}", log.text());
    // A worker of another queue is none of this one.
    let others = start(reports, serves(only_there::cache(), &here));
    assert_eq!(running.stop(back), worked(0, 0, 0));
    wait(&processes, 70);
    stale_read(web, &here, 1);
    assert_eq!(log.count("no worker that serves it was seen in the last 15 s"), 1, "{}", log.text());
    assert_eq!(others.stop(reports), worked(0, 0, 0));
}

#[test]
fn a_worker_that_is_silent_counts_as_gone() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    stale_read(web, &here, 1);
    // From here on it is stopped, with a job on its queue.
    web.run(|| advance(secs(14)));
    stale_read(web, &here, 1);
    assert_eq!(here.runs(), 1);
    web.run(|| advance(secs(2)));
    stale_read(web, &here, 1);
    assert_eq!(here.runs(), 2);
    // It goes on, and finds that somebody else has done its job.
    back.run(|| advance(secs(16)));
    assert_eq!(there.runs(), 0);
    assert_eq!(running.stop(back), worked(0, 0, 1));
}

/// A worker that has ended is known to be gone.
#[test]
fn after_the_end_of_the_last_worker_refreshes_run_here_at_once() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    assert_eq!(only_line(web).workers, 1);
    running.stop(back);
    assert_eq!(only_line(web).workers, 0);
    stale_read(web, &here, 1);
    assert_eq!((here.runs(), there.runs()), (2, 0));
}

/// A process whose tier is lost as the next job is made, between its lease and the queue, if it `is_lost` then.
fn loses_its_tier(memory: &Memory, is_lost: &Arc<AtomicBool>) -> Process {
    let (server, is_lost) = (memory.clone(), Arc::clone(is_lost));
    let context = move |_: &Span| {
        if is_lost.swap(false, Ordering::SeqCst) {
            server.disconnect();
        }
        None
    };
    Process::new(|configure| configure.shared(memory.clone()).trace_jobs(context, |_, _| {}))
}

#[test]
fn a_queue_that_cannot_be_reached_is_no_outage() {
    let (log, _guard) = Log::capture();
    let memory = Memory::new();
    let is_lost = Arc::new(AtomicBool::new(false));
    let processes =
        [loses_its_tier(&memory, &is_lost), Process::new(|configure| configure.shared(memory.clone()))];
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    is_lost.store(true, Ordering::SeqCst);
    stale_read(web, &here, 1);
    assert_eq!((here.runs(), there.runs()), (2, 0));
    assert_eq!(log.count("its queue did not answer"), 1, "{}", log.text());
    memory.reconnect();
    assert_eq!(running.stop(back), worked(0, 0, 0));
}

/// The process that was to put it there has got its lease, and then its tier was lost.
#[test]
fn a_lease_that_waits_for_no_job_gets_one() {
    let memory = Memory::new();
    let is_lost = Arc::new(AtomicBool::new(true));
    let processes =
        [loses_its_tier(&memory, &is_lost), Process::new(|configure| configure.shared(memory.clone()))];
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(only_there::cache(), &there));
    for (seconds, runs) in [(0, 0), (14, 0), (2, 1)] {
        wait(&processes, seconds);
        web.run(|| only_there::entry(&here, 1).lookup());
        memory.reconnect();
        hear(&processes);
        assert_eq!((here.runs(), there.runs()), (0, runs), "{seconds} s later");
    }
    assert_eq!(running.stop(back), worked(1, 0, 0));
}

mod retyped {
    use super::{Origin, cacheback};

    #[cacheback(name = "retyped", shared, queue, lifetime = 10, skip(origin))]
    pub(super) async fn here(origin: &Origin, key: u64) -> u64 {
        origin.number().await + key
    }

    #[cacheback(name = "retyped", shared, queue, lifetime = 10, skip(origin))]
    pub(super) async fn there(origin: &Origin, key: u64) -> String {
        format!("{} {key}", origin.number().await)
    }
}

/// A new type of the value, and no new version of the function, is a mistake that costs no more than a fetch here.
#[test]
fn what_a_worker_stores_and_nobody_here_can_read_is_fetched_here() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(retyped::there::cache(), &there));
    for (runs, there_runs) in [(0, 1), (1, 1), (1, 1)] {
        web.run(|| retyped::here::entry(&here, 7).lookup());
        hear(&processes);
        hear(&processes);
        assert_eq!((here.runs(), there.runs()), (runs, there_runs));
        wait(&processes, 1);
    }
    assert_eq!(web.run(|| retyped::here::entry(&here, 7).lookup()).status, Status::Fresh);
    assert_eq!(running.stop(back), worked(1, 0, 0));
}

#[test]
fn a_worker_takes_jobs_again_after_an_outage_of_the_tier() {
    let (memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    memory.disconnect();
    stale_read(web, &here, 1);
    assert_eq!((here.runs(), there.runs()), (2, 0));
    // The worker tries again until there is a queue.
    wait(&processes, 20);
    memory.reconnect();
    wait(&processes, 6);
    stale_read(web, &here, 1);
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (2, 1));
    assert_eq!(running.stop(back), worked(1, 0, 0));
}

#[cacheback(shared, queue = "reports", queue_fallback = false, lifetime = 10, skip(origin))]
async fn only_there(origin: &Origin, key: u64) -> u64 {
    let _ = key;
    origin.number().await
}

#[test]
fn without_the_fallback_a_value_stays_stale() {
    let (log, _guard) = Log::capture();
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    web.run(|| only_there::entry(&here, 1).get_or_fetch());
    wait(&processes, 20);
    let stale_read = || assert_eq!(web.run(|| only_there::entry(&here, 1).lookup()).status, Status::Stale);
    stale_read();
    assert_eq!(here.runs(), 1);
    assert_eq!(log.count("refreshes are not handed to workers, and values stay stale"), 1, "{}", log.text());
    let stats = web.run(|| async { only_there::cache().stats() });
    assert_eq!((stats.queued, stats.queue_fallbacks, stats.refused), (0, 0, 1));
    let running = start(back, serves(only_there::cache(), &there));
    wait(&processes, 2);
    stale_read();
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (1, 1));
    assert_eq!(only_line(web).queue, "reports");
    assert_eq!(running.stop(back), worked(1, 0, 0));
}

/// There is no lease then, and so no job.
#[test]
fn without_the_fallback_a_value_stays_stale_in_an_outage_of_the_tier() {
    let (log, _guard) = Log::capture();
    let (memory, processes @ [_]) = fleet();
    let [web] = &processes;
    let here = Source::open();
    web.run(|| only_there::entry(&here, 1).get_or_fetch());
    wait(&processes, 20);
    memory.disconnect();
    for _ in 0..3 {
        assert_eq!(web.run(|| only_there::entry(&here, 1).lookup()).status, Status::Stale);
        wait(&processes, 2);
    }
    assert_eq!(here.runs(), 1);
    let said = "refreshes are not handed to workers, and values stay stale";
    assert_eq!((log.count(said), log.count("its queue did not answer")), (1, 1), "{}", log.text());
    assert_eq!(web.run(|| async { only_there::cache().stats().refused }), 3);
    // Whoever waits fetches.
    assert_eq!(web.run(|| only_there::entry(&here, 1).refresh()), 2);
}

#[cacheback(shared, queue, queue_fallback = false, lifetime = 10, skip(origin))]
async fn only_there_by_name(origin: &Origin, name: &str) -> u64 {
    let _ = name;
    origin.number().await
}

#[test]
fn without_the_fallback_a_value_whose_job_is_too_long_stays_stale() {
    let (log, _guard) = Log::capture();
    let memory = Memory::new().max_value_bytes(200);
    let processes = [(); 2].map(|()| Process::new(|configure| configure.shared(memory.clone())));
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(only_there_by_name::cache(), &there));
    let name = "x".repeat(300);
    web.run(|| only_there_by_name::entry(&here, &name).get_or_fetch());
    wait(&processes, 14);
    for _ in 0..2 {
        let looked = web.run(|| only_there_by_name::entry(&here, &name).lookup());
        assert_eq!(looked.status, Status::Stale);
        hear(&processes);
    }
    assert_eq!((here.runs(), there.runs()), (1, 0));
    let said = "a refresh is not put on its queue, and its value stays stale";
    assert_eq!(log.count(said), 1, "{}", log.text());
    assert_eq!(web.run(|| async { only_there_by_name::cache().stats().refused }), 2);
    assert_eq!(running.stop(back), worked(0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_tier_a_worker_does_not_start_and_a_function_runs_here() {
    let _own = cacheback::testing::isolate();
    let error = worker().serve(nothing::cache()).run(async {}).await.unwrap_err();
    assert!(error.to_string().contains("::nothing` has no queue"), "{error}");
    let origin = Source::open();
    assert_eq!(report::entry(&origin, 1).get_or_fetch().await, Ok(1));
    advance(secs(20)).await;
    assert_eq!(report(&origin, 1).await, Ok(1));
    run_ready().await;
    assert_eq!(origin.runs(), 2);
    assert_eq!(queues().await, Ok(vec![]));
}

#[test]
fn a_queue_that_cannot_be_asked_is_an_error_of_its_status() {
    let (memory, [web]) = fleet();
    memory.disconnect();
    let error = web.run(queues).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert_eq!(
        error.to_string(),
        "the queues of the second tier `default` could not be asked: it is not connected"
    );
}
