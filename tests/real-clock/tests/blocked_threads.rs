//! Threads that block on a cached call inside of the runtime that should drive its fetch are answered within a bound.
//!
//! These tests take some seconds of real time, because the bound is in real time: a fetch is moved to another runtime
//! after five seconds, and given up at its `refresh_timeout`.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cacheback::{FetchError, FetchErrorKind, Status, cacheback};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

#[macro_use]
#[path = "../../support/assert_stats.rs"]
mod assert_stats;

/// Far beyond every bound.
const NEVER: Duration = Duration::from_secs(90);

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs `work` on a thread of its own, which may block, and returns its result.
fn answered<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (answer, answers) = mpsc::channel();
    thread::spawn(move || answer.send(work()));
    answers.recv_timeout(NEVER).expect("it hangs")
}

#[cacheback(fetch_on_miss)]
async fn pure(id: u64) -> u64 {
    id * 2
}

/// No task begins the fetch, so it is moved.
#[test]
fn rule_12_a_thread_that_blocks_its_own_runtime_is_answered() {
    let number = answered(|| current_thread().block_on(async { pollster::block_on(pure(1)) }));
    assert_eq!(number, 2);
    assert_stats!(pure::cache(), errors: 0, panics: 0, timeouts: 0);
}

/// The same with the only worker, and with a fetch that another task has started.
#[test]
fn rule_12_a_task_that_blocks_the_only_worker_is_answered() {
    let number = answered(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let task = runtime.spawn(async {
            let joined = tokio::spawn(pure(2));
            let number = pollster::block_on(pure(2));
            (number, joined.await.unwrap())
        });
        runtime.block_on(task).unwrap()
    });
    assert_eq!(number, (4, 4));
}

/// A fetch whose time-out is shorter than the patience with its runtime is moved at its time-out.
#[test]
fn rule_12_a_fetch_on_a_blocked_runtime_is_moved_at_its_short_time_out() {
    #[cacheback(fetch_on_miss, refresh_timeout = "100ms")]
    async fn short(id: u64) -> u64 {
        id
    }
    assert_eq!(answered(|| current_thread().block_on(async { pollster::block_on(short(3)) })), 3);
}

/// A fetch begins on a runtime and does not end before that runtime goes on, and then a thread blocks it.
fn joins_a_fetch_that_has_begun<T: Send + 'static>(
    begun: &'static Semaphore,
    start: impl AsyncFnOnce() + Send + 'static,
    blocks: impl FnOnce() -> T + Send + 'static,
) -> T {
    answered(move || {
        current_thread().block_on(async {
            start().await;
            begun.acquire().await.unwrap().forget();
            blocks()
        })
    })
}

/// A fetch that has begun cannot be moved: at its time-out the stored value is the answer.
#[test]
fn rule_12_a_fetch_that_has_begun_on_a_blocked_runtime_leaves_the_stale_value() {
    static BEGUN: Semaphore = Semaphore::const_new(0);
    #[cacheback(lifetime = 0, max_stale = 0, refresh_timeout = "200ms")]
    async fn stale(id: u64) -> u64 {
        BEGUN.add_permits(1);
        pending::<()>().await;
        id
    }
    let lookup = joins_a_fetch_that_has_begun(
        &BEGUN,
        async || {
            stale::entry(1).set(7).await.unwrap();
            tokio::spawn(stale::entry(1).lookup());
        },
        || pollster::block_on(stale::entry(1).lookup()),
    );
    assert_eq!((lookup.value, lookup.status), (7, Status::Stale));
}

/// The same if nothing is stored: the empty value.
#[test]
fn rule_12_a_fetch_that_has_begun_on_a_blocked_runtime_leaves_the_empty_value() {
    static BEGUN: Semaphore = Semaphore::const_new(0);
    #[cacheback(empty = 9, refresh_timeout = "200ms")]
    async fn empty(id: u64) -> u64 {
        BEGUN.add_permits(1);
        pending::<()>().await;
        id
    }
    let value = joins_a_fetch_that_has_begun(
        &BEGUN,
        async || assert_eq!(empty(1).await, 9),
        || pollster::block_on(empty::entry(1).get_or_fetch()),
    );
    assert_eq!(value, 9);
    assert_stats!(empty::cache(), empty: 2, waited: 0);
}

/// The same if there is no empty value: a panic that says why.
#[test]
fn rule_12_a_fetch_that_has_begun_on_a_blocked_runtime_panics_if_nothing_is_left() {
    static BEGUN: Semaphore = Semaphore::const_new(0);
    #[cacheback(fetch_on_miss, refresh_timeout = "200ms")]
    async fn needed(id: u64) -> u64 {
        BEGUN.add_permits(1);
        pending::<()>().await;
        id
    }
    let panicked = joins_a_fetch_that_has_begun(
        &BEGUN,
        async || drop(tokio::spawn(needed(1))),
        || catch_unwind(AssertUnwindSafe(|| pollster::block_on(needed(1)))).unwrap_err(),
    );
    let message = panicked.downcast_ref::<String>().unwrap();
    assert!(message.contains("needed"), "{message}");
    assert!(message.ends_with("blocks the only runtime that could drive it"), "{message}");
}

/// The same if the error can say it.
#[test]
fn rule_12_a_fetch_that_has_begun_on_a_blocked_runtime_is_an_error_if_the_type_has_one() {
    static BEGUN: Semaphore = Semaphore::const_new(0);
    #[derive(Debug)]
    enum Failure {
        Fetch(FetchError),
    }
    impl From<FetchError> for Failure {
        fn from(error: FetchError) -> Self {
            Self::Fetch(error)
        }
    }
    #[cacheback(fetch_on_miss, refresh_timeout = "200ms")]
    async fn fallible(id: u64) -> Result<u64, Failure> {
        BEGUN.add_permits(1);
        pending::<()>().await;
        Ok(id)
    }
    let outcome = joins_a_fetch_that_has_begun(
        &BEGUN,
        async || drop(tokio::spawn(fallible(1))),
        || pollster::block_on(fallible::entry(1).refresh()),
    );
    let Err(Failure::Fetch(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.kind(), FetchErrorKind::TimedOut);
}

/// A fetch that was moved and needs the blocked runtime ends at its time-out too, for the thread that blocks it.
#[test]
fn rule_12_a_moved_fetch_that_needs_the_blocked_runtime_ends_at_its_time_out() {
    #[cacheback(fetch_on_miss, refresh_timeout = "300ms", skip(home))]
    async fn bound(id: u64, home: Handle) -> u64 {
        home.spawn(async move { id }).await.unwrap()
    }
    let message = answered(|| {
        let runtime = current_thread();
        let home = runtime.handle().clone();
        let panicked = runtime.block_on(async {
            let call = bound(5, home.clone());
            catch_unwind(AssertUnwindSafe(|| pollster::block_on(call))).unwrap_err()
        });
        // The fetch goes on, because the runtime that it needs does.
        assert_eq!(runtime.block_on(bound(5, home)), 5);
        *panicked.downcast::<String>().unwrap()
    });
    assert!(message.ends_with("blocks the only runtime that could drive it"), "{message}");
}

/// A caller that waits as a task of the blocked runtime goes on waiting once that runtime goes on: its fetch is not
/// given up for the time that was lost.
#[test]
fn rule_12_a_task_whose_runtime_was_blocked_by_others_goes_on_waiting() {
    static BEGUN: Semaphore = Semaphore::const_new(0);
    static OPEN: Semaphore = Semaphore::const_new(0);
    #[cacheback(fetch_on_miss, refresh_timeout = "200ms")]
    async fn patient(id: u64) -> u64 {
        BEGUN.add_permits(1);
        OPEN.acquire().await.unwrap().forget();
        id
    }
    #[cacheback(fetch_on_miss, refresh_timeout = "200ms")]
    async fn other(id: u64) -> u64 {
        BEGUN.add_permits(1);
        pending::<()>().await;
        id
    }
    let value = answered(|| {
        let runtime = current_thread();
        runtime.block_on(async {
            let patient = tokio::spawn(patient(4));
            drop(tokio::spawn(other(1)));
            BEGUN.acquire_many(2).await.unwrap().forget();
            // Until the housekeeper has given both fetches up.
            let given_up = catch_unwind(AssertUnwindSafe(|| pollster::block_on(other(1))));
            assert!(given_up.is_err());
            OPEN.add_permits(1);
            patient.await.unwrap()
        })
    });
    assert_eq!(value, 4);
}

/// A task that blocks its thread again and again has used up its cooperative budget, and gets no new one before it
/// waits: empty and stale answers are given all the same.
#[test]
fn rule_12_a_task_that_blocks_again_and_again_is_answered_without_a_budget() {
    #[cacheback(lifetime = 0)]
    async fn never(id: u64) -> u64 {
        pending::<()>().await;
        id
    }
    let answers = answered(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let task = runtime.spawn(async {
            never::entry(2).set(9).await.unwrap();
            let once = || pollster::block_on(never(1)) + pollster::block_on(never(2));
            (0..5_000).map(|_| once()).sum::<u64>()
        });
        runtime.block_on(task).unwrap()
    });
    assert_eq!(answers, 5_000 * 9);
}

/// A time-out around a loop that polls for a refresh fires, though that refresh never comes.
#[test]
fn rule_12_a_time_out_around_a_loop_that_polls_fires() {
    #[cacheback(lifetime = 0)]
    async fn hanging(id: u64) -> u64 {
        pending::<()>().await;
        id
    }
    answered(|| {
        current_thread().block_on(async {
            hanging::entry(2).set(9).await.unwrap();
            for (key, old) in [(1, 0), (2, 9)] {
                let polls = async { while hanging(key).await == old {} };
                assert!(tokio::time::timeout(Duration::from_millis(20), polls).await.is_err());
            }
        });
    });
}
