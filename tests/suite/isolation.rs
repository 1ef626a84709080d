//! `test-util`: caches, counters and limits for each runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheback::{Status, cacheback, settle, testing};

use crate::support::{Source, run_ready};

static BODIES: AtomicU64 = AtomicU64::new(0);

#[cacheback(lifetime = 10, fetch_on_miss)]
async fn own(id: u64) -> u64 {
    BODIES.fetch_add(1, Ordering::SeqCst) + id
}

#[tokio::test(start_paused = true)]
async fn an_isolated_runtime_starts_empty_and_leaves_nothing() {
    own::entry(1).set(100).await.unwrap();
    {
        let _own = testing::isolate();
        assert_eq!(own::entry(1).peek().await, None);
        assert_stats!(own::cache(), waited: 0);
        own::entry(1).set(200).await.unwrap();
        assert_eq!(own(1).await, 200);
        assert_stats!(own::cache(), hits: 1);
        {
            let _inner = testing::isolate();
            assert!(own::cache().is_empty());
        }
        assert_eq!(own(1).await, 200);
    }
    assert_eq!(own(1).await, 100);
}

#[cacheback(lifetime = 10, fetch_on_miss, skip(source))]
async fn shared(_id: u64, source: &Arc<Source>) -> u64 {
    source.number().await
}

/// A flight of another runtime is not joined: this one would wait for it, and its clock would run ahead.
#[test]
fn with_test_util_a_fetch_of_another_runtime_is_not_joined() {
    let paused =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (one, other) = (paused(), paused());
    let (gated, open) = (Source::gated(), Source::open());
    let call = {
        let gated = Arc::clone(&gated);
        one.spawn(async move { shared(1, &gated).await })
    };
    one.block_on(gated.started(1));
    assert_eq!(other.block_on(shared(1, &open)), 1, "a fetch of its own");
    assert_eq!(other.block_on(shared::entry(1, &open).lookup()).status, Status::Fresh);
    gated.release_all();
    assert_eq!(one.block_on(call).unwrap(), 1);
}

/// An earlier fetch does not overwrite the value of a later one, though each runtime has a flight of its own.
#[test]
fn promise_4_an_older_fetch_of_another_runtime_does_not_overwrite_a_newer_one() {
    let real = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, other) = (real(), real());
    let (gated, open) = (Source::gated(), Source::open());
    let call = {
        let gated = Arc::clone(&gated);
        one.spawn(async move { shared(2, &gated).await })
    };
    one.block_on(gated.started(1));
    other.block_on(async {
        open.number().await;
        assert_eq!(shared(2, &open).await, 2);
    });
    gated.release_all();
    assert_eq!(one.block_on(call).unwrap(), 1, "its own callers are answered");
    assert_eq!(other.block_on(shared(2, &open)), 2);
}

/// Limits, too, are counted for each runtime.
#[test]
fn with_test_util_another_runtimes_refreshes_take_no_place() {
    let paused =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (one, other) = (paused(), paused());
    #[cacheback(lifetime = 10, skip(source))]
    async fn wide(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let (gated, open) = (Source::gated(), Source::open());
    one.block_on(async {
        for id in 0..200 {
            let _ = wide(id, &gated).await;
        }
        run_ready().await;
    });
    assert_eq!(gated.running(), 64);
    other.block_on(async {
        for id in 200..210 {
            let _ = wide(id, &open).await;
        }
        settle().await;
    });
    assert_eq!(open.runs(), 10);
}

/// `settle` waits for queued fetches, too, and only for those of this runtime.
#[tokio::test(start_paused = true)]
async fn settle_waits_until_nothing_runs_or_waits() {
    #[cacheback(lifetime = 10, max_refreshes = 1, skip(source))]
    async fn narrow(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    settle().await;
    for id in 0..5 {
        let _ = narrow(id, &source).await;
    }
    let settled = tokio::spawn(settle());
    source.started(1).await;
    run_ready().await;
    assert!(!settled.is_finished());
    source.release_all();
    settled.await.unwrap();
    assert_eq!((source.runs(), source.running()), (5, 0));
}

#[test]
fn outside_of_a_runtime_isolate_says_what_is_missing() {
    let panicked = std::panic::catch_unwind(testing::isolate).expect_err("there is no runtime");
    let message = panicked.downcast_ref::<String>().map_or("", String::as_str);
    let literal = panicked.downcast_ref::<&str>().copied().unwrap_or(message);
    assert!(literal.contains("`cacheback::testing::isolate()`"), "{literal}");
    assert!(literal.contains("write `#[tokio::test]` in place of `#[test]`"), "{literal}");
}
