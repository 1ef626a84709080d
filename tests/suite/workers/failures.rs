//! Bodies that fail in a worker, and jobs that end it.

use std::time::Duration;

use cacheback::{Status, cacheback};

use super::{Log, Origin, only_line, report, serves, stale, stale_read, start, worked};
use crate::fleet::{Process, fleet, hear, wait};
use crate::support::{Source, advance, run_ready, secs};

#[test]
fn a_failed_job_backs_its_key_off_in_the_whole_fleet() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    there.fail(true);
    let running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    stale_read(web, &here, 1);
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (1, 1));
    web.run(|| advance(Duration::from_millis(400)));
    stale_read(web, &here, 1);
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (1, 1), "in back-off");
    there.fail(false);
    wait(&processes, 2);
    stale_read(web, &here, 1);
    hear(&processes);
    assert_eq!((here.runs(), there.runs()), (1, 2));
    assert_eq!(running.stop(back), worked(1, 1, 0));
}

#[cacheback(shared, queue, lifetime = 10, skip(origin))]
async fn panics(origin: &Origin, key: u64) -> u64 {
    let run = origin.number().await;
    assert_ne!(key, 13, "unlucky");
    run
}

#[test]
fn a_panic_and_a_time_out_are_failures_and_stop_no_worker() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let worker = serves(report::cache(), &there).serve(panics::cache());
    let running = start(back, worker);
    stale(&processes, &here, 1);
    stale_read(web, &here, 1);
    back.run(|| there.started(1));
    wait(&processes, 6);
    assert_eq!(there.running(), 0, "aborted at its `refresh_timeout`");
    there.release_all();
    web.run(|| panics(&here, 13));
    web.run(|| panics(&here, 14));
    hear(&processes);
    assert_eq!(there.runs(), 3);
    assert_eq!(running.stop(back), worked(1, 2, 0));
}

#[test]
fn an_age_counts_from_the_start_of_the_body_in_the_worker() {
    let (_memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    stale_read(web, &here, 1);
    back.run(|| there.started(1));
    wait(&processes, 4);
    there.release_all();
    hear(&processes);
    hear(&processes);
    web.run(|| report(&here, 1)).unwrap();
    let looked = web.run(|| report::entry(&here, 1).lookup());
    assert_eq!((looked.status, looked.age.map(|age| age.as_secs())), (Status::Fresh, Some(4)));
    assert_eq!(running.stop(back), worked(1, 0, 0));
}

/// Its second and third delivery run with no other beside them, and it is not delivered once more.
#[test]
fn a_job_that_ends_its_worker_three_times_is_buried() {
    let (log, _guard) = Log::capture();
    let (memory, processes @ [_]) = fleet();
    let [web] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let new = || Process::new(|configure| configure.shared(memory.clone()));
    let run_for_a_while = |back: &Process| {
        for _ in 0..4 {
            back.run(run_ready);
        }
    };
    web.run(|| report::entry(&here, 1).get_or_fetch()).unwrap();
    for run in 1..=3 {
        let back = new();
        back.run(|| advance(secs(100 * run)));
        let _running = start(&back, serves(report::cache(), &there));
        if run == 1 {
            web.run(|| advance(secs(100)));
            stale_read(web, &here, 1);
        }
        run_for_a_while(&back);
        assert_eq!(there.runs(), run, "{:?}", only_line(web));
        drop(back);
        there.release(run);
    }
    let back = new();
    back.run(|| advance(secs(400)));
    let running = start(&back, serves(report::cache(), &there));
    run_for_a_while(&back);
    assert_eq!(there.runs(), 3, "it is not run once more");
    let line = only_line(web);
    assert_eq!((line.length, line.under_way, line.dead.len()), (0, 0, 1));
    assert_eq!((&*line.dead[0].error, line.dead[0].deliveries), ("it has ended its worker three times", 4));
    assert_eq!(log.count("a job has ended its worker three times, and was dropped"), 1);
    // The worker goes on.
    there.release_all();
    web.run(|| advance(secs(300)));
    assert_eq!(web.run(|| report::entry(&here, 2).lookup()).status, Status::Empty);
    run_for_a_while(&back);
    assert_eq!(there.runs(), 4);
    assert_eq!(running.stop(&back), worked(1, 0, 1));
}

#[test]
fn a_second_delivery_runs_alone() {
    let (memory, processes @ [_, _]) = fleet();
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    for key in 0..4 {
        web.run(|| report::entry(&here, key).get_or_fetch()).unwrap();
    }
    wait(&processes, 20);
    let killed = Process::new(|configure| configure.shared(memory.clone()));
    killed.run(|| advance(secs(20)));
    drop(start(&killed, serves(report::cache(), &there)));
    let _killed = start(&killed, serves(report::cache(), &there));
    stale_read(web, &here, 0);
    killed.run(|| there.started(1));
    drop(killed);
    there.release(1);
    // The worker has jobs of its own when the abandoned one comes.
    let alone = Source::gated();
    let running = start(back, serves(report::cache(), &alone));
    wait(&processes, 19);
    for key in 1..4 {
        stale_read(web, &here, key);
    }
    hear(&processes);
    assert_eq!(alone.runs(), 3);
    wait(&processes, 2);
    for _ in 0..4 {
        back.run(run_ready);
    }
    assert_eq!((alone.runs(), only_line(web).under_way), (3, 4), "it waits until it is alone");
    for run in 1..=3 {
        alone.release(run);
    }
    for _ in 0..4 {
        back.run(run_ready);
    }
    assert_eq!((alone.runs(), alone.running()), (4, 1));
    alone.release_all();
    assert_eq!(running.stop(back), worked(4, 0, 0));
}

/// They would wait in this process until others take them for abandoned, and for what has killed a worker.
#[test]
fn a_worker_takes_no_more_jobs_than_its_process_may_run() {
    let (memory, processes @ [_]) = fleet();
    let [web] = &processes;
    let back = Process::new(|configure| configure.shared(memory.clone()).max_refreshes(2));
    let (here, there) = (Source::open(), Source::gated());
    let running = start(&back, serves(report::cache(), &there).concurrency(16));
    for key in 0..5 {
        web.run(|| report::entry(&here, key).lookup());
    }
    back.run(|| there.started(2));
    assert_eq!((only_line(web).length, only_line(web).under_way, there.runs()), (3, 2, 2));
    there.release_all();
    for _ in 0..4 {
        back.run(run_ready);
    }
    assert_eq!((there.runs(), here.runs()), (5, 0));
    assert_eq!(running.stop(&back), worked(5, 0, 0));
}
