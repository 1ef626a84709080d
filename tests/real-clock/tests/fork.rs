//! A process that forks: the child has the parent's values, and none of its threads.

#![cfg(target_os = "linux")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use cacheback::{cacheback, settle, shutdown};
use tokio::runtime::Builder;
use tokio::sync::Semaphore;

#[path = "../../support/fork.rs"]
mod fork;
use fork::in_a_child;

static BEGUN: Semaphore = Semaphore::const_new(0);
static OPEN: Semaphore = Semaphore::const_new(0);
static RUNS: AtomicU64 = AtomicU64::new(0);

#[cacheback(fetch_on_miss)]
async fn pure(id: u64) -> u64 {
    id * 2
}

#[cacheback(fetch_on_miss, refresh_timeout = "500ms")]
async fn held(id: u64) -> u64 {
    let run = RUNS.fetch_add(1, Ordering::SeqCst) + 1;
    if run == 1 {
        BEGUN.add_permits(1);
        OPEN.acquire().await.unwrap().forget();
    }
    id + run
}

/// This test is alone in its program: no other may be inside of the library when it forks.
#[test]
fn rule_12_a_forked_child_has_a_runtime_and_a_housekeeper_of_its_own() {
    // A call from outside of any runtime, so that the library has one of its own, and a fetch in flight on that.
    assert_eq!(pollster::block_on(pure(1)), 2);
    let held_by_the_parent = thread::spawn(|| pollster::block_on(held(10)));
    pollster::block_on(BEGUN.acquire()).unwrap().forget();

    let ended = in_a_child(|| {
        assert_eq!(pollster::block_on(pure(1)), 2, "a hit");
        assert_eq!(pollster::block_on(pure(2)), 4, "a miss");
        // The parent's fetch never ends here: its claim lapses.
        assert_eq!(pollster::block_on(held(10)), 12);
        // Only the housekeeper can help a blocked thread.
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(async { pollster::block_on(pure(3)) }), 6);
        // Neither waits for the parent's fetch.
        pollster::block_on(settle());
        let ended = pollster::block_on(shutdown(Duration::from_secs(3_600)));
        assert_eq!(ended.aborted, 0);
    });
    assert_eq!(ended, 0, "the child failed or hung");

    // And the parent goes on.
    OPEN.add_permits(1);
    assert_eq!(held_by_the_parent.join().unwrap(), 11);
    assert_eq!(pollster::block_on(pure(4)), 8);
}
