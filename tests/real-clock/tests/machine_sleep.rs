//! A machine that sleeps: this program has a `clock_gettime` of its own, which says that hours have passed that no
//! timer has seen.

#![cfg(target_os = "linux")]

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cacheback::{Status, cacheback};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

#[macro_use]
#[path = "../../support/assert_stats.rs"]
mod assert_stats;

/// How long the machine has slept, in seconds.
static ASLEEP: AtomicI64 = AtomicI64::new(0);

/// The system's clocks, one of which counts this sleep.
///
/// # Safety
///
/// The same as for the system's function.
// There is no other way to come between the library and the clocks of its machine.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    // SAFETY: the caller's promise.
    let failed = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if failed == 0 && clock == libc::CLOCK_BOOTTIME {
        // SAFETY: the system has written to it.
        unsafe { (*time).tv_sec += ASLEEP.load(Ordering::SeqCst) };
    }
    failed as libc::c_int
}

const HOURS: Duration = Duration::from_secs(8 * 3_600);

fn sleep_for_hours() {
    ASLEEP.fetch_add(HOURS.as_secs().cast_signed(), Ordering::SeqCst);
}

/// The clocks belong to one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static CLOCKS: Mutex<()> = Mutex::new(());
    CLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A value ages by the time asleep. The first call that reads the exact clock tells the others.
#[test]
fn rule_12_values_age_while_the_machine_sleeps() {
    #[cacheback(lifetime = 600)]
    async fn aged(id: u64) -> u64 {
        id
    }
    let _alone = alone();
    runtime().block_on(async {
        let entry = aged::entry(1);
        entry.set(7).await.unwrap();
        assert_eq!(aged(1).await, 7);
        let awake = entry.lookup().await;
        assert!(awake.status == Status::Fresh && awake.age.unwrap() < Duration::from_secs(60), "{awake:?}");
        sleep_for_hours();
        let peeked = entry.peek().await.unwrap();
        assert!(!peeked.fresh && peeked.age >= HOURS, "{peeked:?}");
        let hits = aged::cache().stats().hits;
        assert_eq!(aged(1).await, 7);
        assert_stats!(aged::cache(), hits: hits, stale: 1);
    });
}

/// The housekeeper tells a process that has nothing but hits: each second while fetches live, else twice a minute.
#[test]
fn rule_12_hits_learn_of_a_sleep_from_the_housekeeper() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    #[cacheback(lifetime = 600)]
    async fn hit(id: u64) -> u64 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        id
    }
    #[cacheback(skip(open))]
    async fn held(id: u64, open: &Arc<Semaphore>) -> u64 {
        open.acquire().await.unwrap().forget();
        id
    }
    let _alone = alone();
    let open = Arc::new(Semaphore::new(0));
    runtime().block_on(async {
        hit::entry(1).set(7).await.unwrap();
        assert_eq!(held(1, &open).await, 0);
        sleep_for_hours();
        let woken = Instant::now();
        while RUNS.load(Ordering::SeqCst) == 0 {
            hit(1).await;
            tokio::task::yield_now().await;
            assert!(woken.elapsed() < Duration::from_secs(60), "no hit has learned of the sleep");
        }
        open.add_permits(1);
    });
}

/// A claim lapses in the sleep, though no timer has seen that: another fetch may start, no waiter is given up, and the
/// value of the later claim stands.
#[test]
fn rule_12_the_claim_of_a_fetch_lapses_while_the_machine_sleeps() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    static BEGUN: Semaphore = Semaphore::const_new(0);
    #[cacheback(fetch_on_miss, skip(open))]
    async fn slept(id: u64, open: &Arc<Semaphore>) -> u64 {
        let run = RUNS.fetch_add(1, Ordering::SeqCst) + 1;
        BEGUN.add_permits(1);
        open.acquire().await.unwrap().forget();
        id + run
    }
    let _alone = alone();
    let (open, later) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let runtime = runtime();
    runtime.block_on(async {
        let entry = slept::entry(10, &open);
        let first = tokio::spawn(entry.get_or_fetch());
        BEGUN.acquire().await.unwrap().forget();
        sleep_for_hours();
        let second = tokio::spawn(slept::entry(10, &later).get_or_fetch());
        BEGUN.acquire().await.unwrap().forget();
        assert_stats!(slept::cache(), timeouts: 0, "no timer has fired");
        later.add_permits(1);
        assert_eq!(second.await.unwrap(), 12);
        // The later fetch, which was stored, answers the waiters of the lapsed one.
        assert_eq!(first.await.unwrap(), 12);
        open.add_permits(1);
        cacheback::settle().await;
        assert_eq!(entry.peek().await.unwrap().value, 12);
    });
}
