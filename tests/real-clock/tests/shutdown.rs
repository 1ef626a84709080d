//! The shutdown of a process, without `test-util`: one executor, several runtimes and many threads. This is one test,
//! because there is one process to shut down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self};
use std::time::{Duration, Instant};

use cacheback::{Status, cacheback, caches, configure, settle, shutdown};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

#[macro_use]
#[path = "../../support/assert_stats.rs"]
mod assert_stats;

/// A body that says when it has started and waits until it may end.
struct Gate {
    started: Semaphore,
    open: Semaphore,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self { started: Semaphore::new(0), open: Semaphore::new(0) })
    }

    async fn run(&self) {
        self.started.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }

    async fn started(&self, runs: u32) {
        self.started.acquire_many(runs).await.unwrap().forget();
    }
}

fn multi_thread(name: &str) -> Runtime {
    Builder::new_multi_thread().worker_threads(2).thread_name(name).enable_all().build().unwrap()
}

const SOON: Duration = Duration::from_millis(20);
const LATE: Duration = Duration::from_secs(60);

#[cacheback(lifetime = 0, skip(gate))]
async fn gated(id: u64, gate: &Arc<Gate>) -> u64 {
    gate.run().await;
    id
}

#[cacheback(lifetime = 0)]
async fn quick(id: u64) -> u64 {
    tokio::task::yield_now().await;
    id
}

#[test]
fn a_process_is_shut_down_among_several_runtimes() {
    // A `peek` and a look at counters do not use the executor.
    assert_eq!(pollster::block_on(quick::entry(1).peek()), None);
    assert_eq!(caches().iter().map(|cache| cache.stats().fetches).sum::<u64>(), 0);
    configure().max_refreshes(6).apply().unwrap();
    let late = configure().apply().unwrap_err().to_string();
    assert!(late.contains("first by `cacheback::configure`"), "{late}");

    let (one, other) = (multi_thread("one"), multi_thread("other"));
    one.block_on(a_limit_of_the_process(&other));
    a_shutdown_among_everything_else(&one, &other);
    after_the_shutdown(&one, &other);
    a_body_that_blocks(&one);
    a_runtime_that_is_dropped(one, &other);
}

/// Six refreshes run at once, of whatever runtime.
async fn a_limit_of_the_process(other: &Runtime) {
    let gate = Gate::new();
    for id in 0..4 {
        assert_eq!(gated(id, &gate).await, 0);
        let gate = Arc::clone(&gate);
        other.spawn(async move { gated(100 + id, &gate).await }).await.unwrap();
    }
    gate.started(6).await;
    assert_stats!(gated::cache(), fetches: 6);
    gate.open.add_permits(8);
    other.spawn(settle()).await.unwrap();
    settle().await;
    assert_stats!(gated::cache(), fetches: 8);
}

/// Tasks of two runtimes read stale keys, invalidate and wait for them while the process is shut down: every call is
/// answered, and no key is stuck.
fn a_shutdown_among_everything_else(one: &Runtime, other: &Runtime) {
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for runtime in [one, other] {
        for waits in [false, true] {
            let over = Arc::clone(&over);
            callers.push(runtime.spawn(async move {
                for round in 0.. {
                    let entry = quick::entry(round % 50);
                    if over.load(Ordering::SeqCst) {
                        break;
                    } else if waits {
                        assert_eq!(entry.refresh().await, round % 50);
                    } else if round % 7 == 0 {
                        entry.invalidate().await.unwrap();
                    } else {
                        let _ = entry.lookup().await;
                        // A stale answer is immediate: other tasks need a turn.
                        tokio::task::yield_now().await;
                    }
                }
            }));
        }
    }
    let until = |done: fn() -> bool| {
        while !done() {
            thread::yield_now();
        }
    };
    until(|| quick::cache().stats().fetches > 1_000);
    // From outside of any runtime.
    let _ = pollster::block_on(shutdown(Duration::ZERO));
    until(|| quick::cache().stats().refused > 1_000);
    over.store(true, Ordering::SeqCst);
    for caller in callers {
        pollster::block_on(caller).unwrap();
    }
    // A task outlives its answer by a moment at most.
    assert_eq!(pollster::block_on(shutdown(LATE)).aborted, 0);
    assert_stats!(quick::cache(), in_flight: 0);
}

/// Stale values are served, refreshes are refused, and callers who wait fetch: on every runtime, and outside of any.
fn after_the_shutdown(one: &Runtime, other: &Runtime) {
    let before = quick::cache().stats();
    for runtime in [one, other] {
        runtime.block_on(quick::entry(200).set(7)).unwrap();
        assert_eq!(runtime.block_on(quick::entry(200).lookup()).status, Status::Stale);
        assert_eq!(runtime.block_on(quick::entry(200).refresh()), 200);
    }
    assert_eq!(pollster::block_on(quick::entry(201).get_or_fetch()), 201);
    assert_stats!(quick::cache(), refused: before.refused + 2, fetches: before.fetches + 3);
}

/// A shutdown waits only for a moment for a body that blocks its thread.
fn a_body_that_blocks(one: &Runtime) {
    #[cacheback(wait = "1ms", fetch_on_miss, empty = 0, skip(held))]
    async fn blocking(id: u64, held: &Arc<(std::sync::Mutex<()>, Gate)>) -> u64 {
        held.1.started.add_permits(1);
        drop(held.0.lock());
        tokio::task::yield_now().await;
        id
    }
    let gate = Gate { started: Semaphore::new(0), open: Semaphore::new(0) };
    let held = Arc::new((std::sync::Mutex::new(()), gate));
    let guard = held.0.lock().unwrap();
    let caller = one.spawn(blocking::entry(1, &held).lookup());
    pollster::block_on(held.1.started(1));
    // Its caller goes away, so nobody waits at the limit.
    assert_eq!(pollster::block_on(caller).unwrap().status, Status::Empty);
    let before = Instant::now();
    let ended = pollster::block_on(shutdown(SOON));
    assert_eq!((ended.finished, ended.aborted), (0, 1));
    assert!(before.elapsed() < LATE, "nothing hangs");
    drop(guard);
    pollster::block_on(settle());
    one.block_on(settle());
    assert_stats!(blocking::cache(), in_flight: 0);
    assert_eq!(blocking::cache().len(), 0, "it was aborted at its next await");
}

/// A fetch that is lost with its runtime while a shutdown waits for it.
fn a_runtime_that_is_dropped(one: Runtime, other: &Runtime) {
    let gate = Gate::new();
    let leader = one.spawn(gated::entry(300, &gate).refresh());
    pollster::block_on(gate.started(1));
    let (ended, end) = mpsc::channel();
    other.spawn(async move { ended.send(shutdown(LATE).await).unwrap() });
    // Whether the shutdown begins to wait before or after this, nothing is left to wait for.
    drop(one);
    drop(leader);
    let ended = end.recv().unwrap();
    assert!(ended.finished == 0 && ended.aborted <= 1, "{ended:?}");
}
