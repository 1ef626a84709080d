//! Several runtimes, none at all, and runtimes that are dropped, without `test-util`: as in production.
//!
//! No test waits for time to pass: each waits for events.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use cacheback::{Cache, Status, cacheback, settle};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

#[macro_use]
#[path = "../../support/assert_stats.rs"]
mod assert_stats;

/// A body that says when it has started and waits until it may end.
struct Gate {
    runs: AtomicU64,
    started: Semaphore,
    open: Semaphore,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self { runs: AtomicU64::new(0), started: Semaphore::new(0), open: Semaphore::new(0) })
    }

    async fn run(&self) -> u64 {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        self.started.add_permits(1);
        self.open.acquire().await.unwrap().forget();
        run
    }

    async fn started(&self) {
        self.started.acquire().await.unwrap().forget();
    }

    fn runs(&self) -> u64 {
        self.runs.load(Ordering::SeqCst)
    }
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Polls a call until it waits, and then spawns it on this runtime.
fn waiting<T: Send + 'static>(
    runtime: &Runtime,
    call: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let mut call = Box::pin(call);
    runtime.block_on(poll_fn(|context| {
        assert!(call.as_mut().poll(context).is_pending());
        Poll::Ready(())
    }));
    runtime.spawn(call)
}

#[cacheback(fetch_on_miss, skip(gate))]
async fn number(_id: u64, gate: &Arc<Gate>) -> u64 {
    gate.run().await
}

/// Rule 1 holds across runtimes.
#[test]
fn rule_1_a_fetch_of_another_runtime_is_joined() {
    let gate = Gate::new();
    let (one, other) = (multi_thread(), multi_thread());
    let leader = one.spawn(number::entry(1, &gate).get_or_fetch());
    one.block_on(gate.started());
    let followers: Vec<_> = (0..100).map(|_| other.spawn(number::entry(1, &gate).get_or_fetch())).collect();
    gate.open.add_permits(1);
    for follower in followers {
        assert_eq!(other.block_on(follower).unwrap(), 1);
    }
    assert_eq!(one.block_on(leader).unwrap(), 1);
    assert_eq!(gate.runs(), 1);
}

/// Rule 3: a runtime is dropped in mid-fetch, and a caller on another one waits for it.
#[test]
fn rule_3_a_waiter_of_a_lost_fetch_fetches_once_on_its_own_runtime() {
    let gate = Gate::new();
    let (lost, alive) = (current_thread(), multi_thread());
    let leader = lost.spawn(number::entry(2, &gate).get_or_fetch());
    lost.block_on(gate.started());
    let waits: Vec<_> = (0..10).map(|_| waiting(&alive, number::entry(2, &gate).get_or_fetch())).collect();
    drop(lost);
    drop(leader);
    alive.block_on(gate.started());
    gate.open.add_permits(1);
    for wait in waits {
        assert_eq!(alive.block_on(wait).unwrap(), 2);
    }
    assert_eq!(gate.runs(), 2, "one fetch for all ten");
}

/// A fetch that a call brought is lost with its runtime and cannot run again. Its call panics and says so, and another
/// call runs the fetch that it brings.
#[test]
fn rule_3_a_lost_fetch_that_a_call_brought_does_not_run_again() {
    let gate = Gate::new();
    let cache: Cache<u64, u64> = Cache::builder().build().unwrap();
    let (lost, alive) = (current_thread(), multi_thread());
    let call = |gate: &Arc<Gate>| {
        let (cache, gate) = (cache.clone(), Arc::clone(gate));
        async move { cache.get_or_fetch(&1, move || async move { gate.run().await }).await }
    };
    let mut leader = Box::pin(call(&gate));
    lost.block_on(async {
        tokio::select! {
            biased;
            _ = &mut leader => unreachable!("the gate is closed"),
            () = gate.started() => {}
        }
    });
    drop(lost);
    let panicked = catch_unwind(AssertUnwindSafe(|| pollster::block_on(leader))).unwrap_err();
    let message = panicked.downcast_ref::<String>().unwrap();
    assert!(message.ends_with("it can run only once"), "{message}");
    let other = alive.spawn(call(&gate));
    alive.block_on(gate.started());
    gate.open.add_permits(1);
    assert_eq!(alive.block_on(other).unwrap(), 2);
}

/// Rule 3: a runtime is dropped in mid-fetch; the next call works, without a back-off.
#[test]
fn rule_3_the_next_call_after_a_dropped_runtime_works() {
    #[cacheback(skip(gate))]
    async fn served(_id: u64, gate: &Arc<Gate>) -> u64 {
        gate.run().await
    }
    let gate = Gate::new();
    for round in 1..=3 {
        let runtime = current_thread();
        assert_eq!(runtime.block_on(served(1, &gate)), 0);
        runtime.block_on(gate.started());
        drop(runtime);
        assert_eq!(gate.runs(), round);
    }
    assert_stats!(served::cache(), fetches: 3, in_flight: 0, errors: 0);
    let runtime = current_thread();
    gate.open.add_permits(1);
    assert_eq!(runtime.block_on(served::entry(1, &gate).get_or_fetch()), 4);
}

/// A lost refresh is no failure: the stored value is served, and its waiters fall back to it.
#[test]
fn rule_3_a_waiter_of_a_lost_refresh_gets_the_stored_value() {
    #[cacheback(lifetime = 0, max_stale = 0, skip(gate))]
    async fn too_stale(_id: u64, gate: &Arc<Gate>) -> u64 {
        gate.run().await
    }
    let gate = Gate::new();
    let (lost, alive) = (current_thread(), multi_thread());
    let entry = too_stale::entry(1, &gate);
    alive.block_on(entry.set(7)).unwrap();
    let leader = lost.spawn(entry.lookup());
    lost.block_on(gate.started());
    let wait = alive.spawn(entry.lookup());
    while too_stale::cache().stats().in_flight != 1 {
        thread::yield_now();
    }
    drop(lost);
    drop(leader);
    // Whether it joined the lost fetch or came later, nothing hangs, and the value is the stored one or a new one.
    gate.open.add_permits(1);
    let lookup = alive.block_on(wait).unwrap();
    assert!(matches!((lookup.value, lookup.status), (7, Status::Stale) | (2, Status::Fetched)), "{lookup:?}");
}

/// Calls from outside of any tokio runtime: fetches run on one of our own.
#[test]
fn a_call_from_outside_of_any_runtime_is_answered() {
    #[cacheback(lifetime = "1h", wait = "20ms", skip(gate))]
    async fn impatient(id: u64, gate: &Arc<Gate>) -> Option<u64> {
        Some(gate.run().await + id)
    }
    let gate = Gate::new();
    gate.open.add_permits(1);
    assert_eq!(pollster::block_on(number(10, &gate)), 1);
    assert_eq!(pollster::block_on(number(10, &gate)), 1, "a hit");
    pollster::block_on(settle());
    assert_eq!(
        pollster::block_on(impatient::entry(1, &gate).get_or_fetch()),
        None,
        "its timers run there too"
    );
    gate.open.add_permits(1);
    pollster::block_on(settle());
    assert_eq!(pollster::block_on(impatient(1, &gate)), Some(3));
    // The same from a thread of the blocking pool, and from within `block_in_place`.
    let runtime = multi_thread();
    let blocking = Arc::clone(&gate);
    gate.open.add_permits(2);
    let from_blocking = runtime.spawn_blocking(move || pollster::block_on(number(11, &blocking)));
    assert_eq!(runtime.block_on(from_blocking).unwrap(), 3);
    let in_place = Arc::clone(&gate);
    let from_in_place = runtime
        .spawn(async move { tokio::task::block_in_place(|| pollster::block_on(number(12, &in_place))) });
    assert_eq!(runtime.block_on(from_in_place).unwrap(), 4);
}

/// A runtime without timers still fetches, with the timers of our own runtime.
#[test]
fn a_call_on_a_runtime_without_timers_is_answered() {
    let gate = Gate::new();
    gate.open.add_permits(1);
    let runtime = Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(number(20, &gate)), 1);
}

/// A body that blocks its thread holds up no other key.
#[test]
fn a_body_that_blocks_its_thread_holds_up_no_other_key() {
    #[cacheback(fetch_on_miss, skip(held))]
    async fn blocking(id: u64, held: &Arc<std::sync::Mutex<()>>) -> u64 {
        if id == 0 {
            drop(held.lock());
        }
        id
    }
    let held = Arc::new(std::sync::Mutex::new(()));
    let runtime = multi_thread();
    let guard = held.lock().unwrap();
    let blocked = runtime.spawn(blocking::entry(0, &held).get_or_fetch());
    for id in 1..50 {
        assert_eq!(runtime.block_on(runtime.spawn(blocking::entry(id, &held).get_or_fetch())).unwrap(), id);
    }
    drop(guard);
    assert_eq!(runtime.block_on(blocked).unwrap(), 0);
}

/// Rule 3 by the real clock: a claim lapses, and the key is not stuck.
#[test]
fn rule_3_a_claim_lapses_by_the_real_clock() {
    #[cacheback(lifetime = 0, refresh_timeout = "30ms", skip(gate))]
    async fn hanging(_id: u64, gate: &Arc<Gate>) -> u64 {
        gate.run().await
    }
    let gate = Gate::new();
    let runtime = multi_thread();
    let entry = hanging::entry(1, &gate);
    runtime.block_on(async {
        assert_eq!(hanging(1, &gate).await, 0);
        settle().await;
        assert_stats!(hanging::cache(), timeouts: 1);
        gate.open.add_permits(1);
        assert_eq!(entry.get_or_fetch().await, 2);
    });
}

/// The clocks of this process agree: an age is no larger than the time that has passed.
#[test]
fn rule_5_an_age_is_no_larger_than_the_real_time_that_passed() {
    let gate = Gate::new();
    gate.open.add_permits(1);
    let runtime = current_thread();
    let before = std::time::Instant::now();
    runtime.block_on(async {
        let entry = number::entry(30, &gate);
        entry.get_or_fetch().await;
        let age = entry.lookup().await.age.unwrap();
        assert!(age <= before.elapsed() + Duration::from_millis(10), "{age:?}");
    });
}

/// A caller elsewhere gives up the fetch of a runtime that nobody drives any more, when the claim has lapsed.
#[test]
fn rule_3_a_caller_gives_up_a_fetch_whose_runtime_nobody_drives() {
    #[cacheback(fetch_on_miss, refresh_timeout = "50ms", skip(gate))]
    async fn deserted(_id: u64, gate: &Arc<Gate>) -> u64 {
        gate.run().await
    }
    let gate = Gate::new();
    let (idle, alive) = (current_thread(), multi_thread());
    let _leader = idle.spawn(deserted::entry(1, &gate).get_or_fetch());
    idle.block_on(gate.started());
    // One permit is for the body that never takes it.
    gate.open.add_permits(2);
    assert_eq!(alive.block_on(deserted(1, &gate)), 2, "a fetch of its own");
}

/// `settle` sees the end of an aborted fetch when its body is dropped.
#[test]
fn settle_waits_for_the_body_of_an_aborted_fetch() {
    static DROPPED: AtomicU64 = AtomicU64::new(0);
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            // Long enough for the other thread to see a settled runtime, if it settled too early.
            for _ in 0..1_000 {
                thread::yield_now();
            }
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    #[cacheback(refresh_timeout = "20ms", skip(gate))]
    async fn aborted(id: u64, gate: &Arc<Gate>) -> u64 {
        let _slow = Slow;
        gate.run().await + id
    }
    let gate = Gate::new();
    multi_thread().block_on(async {
        for id in 0..10 {
            assert_eq!(aborted(id, &gate).await, 0);
        }
        settle().await;
        assert_eq!(DROPPED.load(Ordering::SeqCst), 10);
    });
}

/// A blocking thread that waits for a cached call does not keep its runtime from being dropped.
#[test]
fn a_blocked_thread_does_not_keep_its_runtime_from_being_dropped() {
    let gate = Gate::new();
    let runtime = multi_thread();
    let (handle, held) = (runtime.handle().clone(), Arc::clone(&gate));
    let blocked = thread::spawn(move || {
        let inner = handle.clone();
        let waiting = handle.spawn_blocking(move || inner.block_on(number(50, &held)));
        drop(waiting);
    });
    blocked.join().unwrap();
    runtime.block_on(gate.started());
    drop(runtime);
}

/// A refresh is queued after those of a runtime that nobody drives, and starts when their claims have lapsed.
#[test]
fn rule_3_a_refresh_queued_behind_a_runtime_that_nobody_drives_starts_after_the_lapse() {
    #[cacheback(lifetime = 0, max_refreshes = 1, refresh_timeout = "20ms", skip(gate))]
    async fn narrow(_id: u64, gate: &Arc<Gate>) -> u64 {
        gate.run().await
    }
    let (held, open) = (Gate::new(), Gate::new());
    open.open.add_permits(1_000);
    let (idle, alive) = (current_thread(), multi_thread());
    assert_eq!(idle.block_on(narrow(1, &held)), 0);
    idle.block_on(held.started());
    alive.block_on(async {
        // The refresh is queued. Later readers see that the other place is free.
        while narrow(2, &open).await == 0 {
            tokio::task::yield_now().await;
        }
        settle().await;
    });
}

/// A runtime is dropped with the body at each of its awaits: nothing holds the key, and no caller fails.
#[test]
fn promise_4_a_runtime_dropped_at_any_await_of_a_body_leaves_no_key_stuck() {
    #[cacheback(fetch_on_miss, skip(steps))]
    async fn stepwise(id: u64, steps: &Arc<AtomicU64>) -> u64 {
        for _ in 0..5 {
            steps.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
        id
    }
    let alive = multi_thread();
    let mut reached = Vec::new();
    for ticks in 0..12 {
        let steps = Arc::default();
        let runtime = current_thread();
        let call = runtime.spawn(stepwise::entry(ticks, &steps).get_or_fetch());
        runtime.block_on(async {
            for _ in 0..ticks {
                tokio::task::yield_now().await;
            }
        });
        reached.push(steps.load(Ordering::SeqCst));
        drop(runtime);
        drop(call);
        assert_stats!(stepwise::cache(), in_flight: 0, "dropped after {ticks} ticks");
        let again = async { tokio::time::timeout(Duration::from_secs(60), stepwise(ticks, &steps)).await };
        assert_eq!(alive.block_on(again), Ok(ticks), "stuck after {ticks} ticks");
    }
    reached.dedup();
    assert_eq!(reached, [0, 1, 2, 3, 4, 5], "at each of its awaits");
    assert_stats!(stepwise::cache(), errors: 0, panics: 0, in_flight: 0);
}

/// One key, called from two runtimes, from a blocking thread, from within `block_in_place` and from outside of any
/// runtime, all at once.
#[test]
fn rule_1_callers_from_everywhere_share_one_fetch() {
    let gate = Gate::new();
    let (one, other) = (multi_thread(), current_thread());
    let entry = number::entry(60, &gate);
    let leader = one.spawn(entry.get_or_fetch());
    one.block_on(gate.started());
    let (blocking, in_place, outside) = (entry.clone(), entry.clone(), entry.clone());
    let in_pool = one.spawn_blocking(move || pollster::block_on(blocking.get_or_fetch()));
    let in_place =
        one.spawn(async move { tokio::task::block_in_place(|| pollster::block_on(in_place.get_or_fetch())) });
    let outside = thread::spawn(move || pollster::block_on(outside.get_or_fetch()));
    let elsewhere = other.spawn(entry.get_or_fetch());
    other.block_on(tokio::task::yield_now());
    gate.open.add_permits(1);
    assert_eq!(other.block_on(elsewhere).unwrap(), 1);
    for call in [leader, in_pool, in_place] {
        assert_eq!(one.block_on(call).unwrap(), 1);
    }
    assert_eq!(outside.join().unwrap(), 1);
    assert_eq!(gate.runs(), 1);
}
