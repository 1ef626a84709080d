//! Bodies that fail in a worker, and jobs that end it.

use std::time::Duration;

use cacheback::shared::Memory;
use cacheback::{Status, Worker, cacheback};

use super::{Log, Origin, Running, only_line, report, serves, stale, stale_read, start, worked};
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
    stale_read(web, &here, 1);
    hear(&processes);
    assert_eq!(there.runs(), 1, "in back-off");
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
    assert_eq!((&*line.dead[0].error, line.dead[0].deliveries), ("its key has ended three workers", 4));
    assert_eq!(log.count("a key has ended three workers, and its job was dropped"), 1);
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
    run_for_a_while(back);
    assert_eq!((alone.runs(), only_line(web).under_way), (3, 4), "it waits until it is alone");
    for run in 1..=3 {
        alone.release(run);
    }
    run_for_a_while(back);
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
    run_for_a_while(&back);
    assert_eq!((there.runs(), here.runs()), (5, 0));
    assert_eq!(running.stop(&back), worked(5, 0, 0));
}

/// A worker that begins after so many seconds.
fn begin(memory: &Memory, now: u64, worker: Worker) -> (Process, Running) {
    let back = Process::new(|configure| configure.shared(memory.clone()));
    back.run(|| advance(secs(now)));
    let running = start(&back, worker);
    run_for_a_while(&back);
    (back, running)
}

fn run_for_a_while(back: &Process) {
    for _ in 0..4 {
        back.run(run_ready);
    }
}

/// It tells nobody.
fn kill(memory: &Memory, back: Process) {
    memory.disconnect();
    drop(back);
    memory.reconnect();
}

/// Whoever reads it puts another job on the queue for it, long before the one of a worker that has ended counts as
/// abandoned. What was under way beside it is run alone once, and goes on.
#[test]
fn a_key_that_ends_its_workers_is_left_alone_however_often_it_is_read() {
    let (log, _guard) = Log::capture();
    let (memory, processes @ [_]) = fleet();
    let [web] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let [poison, neighbour] = [1, 2];
    for key in [poison, neighbour] {
        web.run(|| report::entry(&here, key).get_or_fetch()).unwrap();
    }
    let mut now = 20;
    wait(&processes, now);
    let mut runs = 0;
    for begun in [2, 2, 1] {
        let (back, _running) = begin(&memory, now, serves(report::cache(), &there));
        stale_read(web, &here, poison);
        stale_read(web, &here, neighbour);
        run_for_a_while(&back);
        assert_eq!(there.runs() - runs, begun);
        kill(&memory, back);
        runs += begun;
        there.release(runs);
        now += 6;
        web.run(|| advance(secs(6)));
    }
    there.release_all();
    let (back, running) = begin(&memory, now, serves(report::cache(), &there));
    stale_read(web, &here, poison);
    for _ in 0..3 {
        run_for_a_while(&back);
    }
    assert_eq!(there.runs() - runs, 1, "the neighbour");
    stale_read(web, &here, neighbour);
    hear(&processes);
    assert_eq!(web.run(|| report::entry(&here, neighbour).lookup()).status, Status::Fresh);
    for _ in 0..2 {
        web.run(|| advance(secs(30)));
        back.run(|| advance(secs(30)));
        stale_read(web, &here, poison);
        run_for_a_while(&back);
    }
    assert_eq!(there.runs() - runs, 1, "nor when it is read again, or its other jobs are abandoned");
    let line = only_line(web);
    assert_eq!((line.length, line.under_way), (0, 0));
    assert!(line.dead.iter().all(|dead| dead.error == "its key has ended three workers"));
    assert_eq!(log.count("a key has ended three workers, and its job was dropped"), line.dead.len());
    assert!((1..=3).contains(&line.dead.len()), "{line:?}");
    assert_eq!(running.stop(&back).done, 1);
}

/// They were put on the queue before it was known what it does.
#[test]
fn the_abandoned_jobs_of_a_key_that_ends_its_workers_are_not_run() {
    let (memory, processes @ [_]) = fleet();
    let [web] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    web.run(|| report::entry(&here, 1).get_or_fetch()).unwrap();
    wait(&processes, 20);
    for run in 1..=3 {
        let (back, _running) = begin(&memory, 14 + 6 * run, serves(report::cache(), &there));
        stale_read(web, &here, 1);
        run_for_a_while(&back);
        assert_eq!(there.runs(), run);
        kill(&memory, back);
        there.release(run);
        wait(&processes, 6);
    }
    wait(&processes, 20);
    there.release_all();
    let (back, running) = begin(&memory, 58, serves(report::cache(), &there));
    for _ in 0..3 {
        run_for_a_while(&back);
    }
    let line = only_line(web);
    assert_eq!((line.length, line.under_way, line.dead.len()), (0, 0, 1));
    assert_eq!(line.dead[0].error, "its key has ended three workers");
    assert_eq!((there.runs(), running.stop(&back)), (3, worked(0, 0, 3)));
}

/// It would run alone, and is not worth that: whoever reads its key has put another job on the queue for it.
#[test]
fn an_abandoned_job_that_is_not_needed_waits_for_nobody() {
    let (memory, processes @ [_]) = fleet();
    let [web] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    for key in [1, 2] {
        web.run(|| report::entry(&here, key).get_or_fetch()).unwrap();
    }
    wait(&processes, 20);
    let (back, _running) = begin(&memory, 20, serves(report::cache(), &there));
    stale_read(web, &here, 1);
    run_for_a_while(&back);
    kill(&memory, back);
    there.release(1);
    wait(&processes, 6);
    let (back, running) = begin(&memory, 26, serves(report::cache(), &there));
    let pass = |seconds| {
        web.run(|| advance(secs(seconds)));
        back.run(|| advance(secs(seconds)));
        run_for_a_while(&back);
    };
    stale_read(web, &here, 1);
    run_for_a_while(&back);
    there.release(2);
    pass(12);
    assert_eq!(only_line(web).done, 1);
    stale_read(web, &here, 2);
    run_for_a_while(&back);
    assert_eq!((there.runs(), there.running(), only_line(web).under_way), (3, 1, 2));
    pass(3);
    let line = only_line(web);
    assert_eq!((there.running(), line.under_way, line.dropped), (1, 1, 1));
    there.release_all();
    run_for_a_while(&back);
    assert_eq!(running.stop(&back), worked(2, 0, 1));
}

#[cacheback(shared, queue, lifetime = 10, max_stale = 100, refresh_timeout = 50, skip(origin))]
async fn slow(origin: &Origin, key: u64) -> u64 {
    let _ = key;
    origin.number().await
}

/// It would count as abandoned while it runs.
#[test]
fn a_job_that_cannot_begin_goes_back() {
    let (memory, processes @ [_]) = fleet();
    let [web] = &processes;
    let (here, there) = (Source::open(), Source::gated());
    let read = |key| {
        assert_eq!(web.run(|| slow::entry(&here, key).lookup()).status, Status::Stale);
    };
    for key in [1, 2] {
        web.run(|| slow::entry(&here, key).get_or_fetch());
    }
    wait(&processes, 20);
    for now in [20, 26] {
        let (back, _running) = begin(&memory, now, serves(slow::cache(), &there));
        read(1);
        run_for_a_while(&back);
        kill(&memory, back);
        wait(&processes, 6);
    }
    // It runs alone from now on.
    read(1);
    read(2);
    let (back, running) = begin(&memory, 32, serves(slow::cache(), &there));
    assert_eq!((there.runs(), only_line(web).length), (3, 0));
    back.run(|| advance(secs(6)));
    assert_eq!(only_line(web).length, 0);
    back.run(|| advance(secs(1)));
    assert_eq!((there.runs(), only_line(web).length), (3, 1));
    there.release_all();
    for _ in 0..2 {
        run_for_a_while(&back);
    }
    assert_eq!((there.runs(), only_line(web).length), (4, 0));
    assert_eq!(running.stop(&back), worked(2, 0, 0));
}

#[cacheback(shared, queue, lifetime = 10, max_stale = 1000, max_backoff = 30, skip(origin))]
async fn long(origin: &Origin, bytes: usize) -> String {
    origin.number().await;
    "x".repeat(bytes)
}

/// Nobody but its worker could ever see it, and each next job would be for nothing, too.
#[test]
fn a_value_that_the_tier_does_not_take_backs_its_key_off() {
    let memory = Memory::new().max_value_bytes(1000);
    let processes = [(); 2].map(|()| Process::new(|configure| configure.shared(memory.clone())));
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(long::cache(), &there));
    for (seconds, runs) in [(0, 1), (1, 1), (28, 1), (2, 2)] {
        wait(&processes, seconds);
        assert_eq!(web.run(|| long::entry(&here, 2000).lookup()).status, Status::Empty);
        hear(&processes);
        assert_eq!((here.runs(), there.runs()), (0, runs), "{seconds} s later");
    }
    // One that waits for it has it.
    assert_eq!(web.run(|| long::entry(&here, 2000).get_or_fetch()).len(), 2000);
    assert_eq!((here.runs(), there.runs()), (1, 2));
    let dead = only_line(web).dead;
    let why = "its value does not go into the second tier: it has 2003 bytes, and the tier takes 1000";
    assert_eq!((dead.len(), &*dead[0].error), (2, why));
    assert_eq!(running.stop(back), worked(0, 0, 2));
}
