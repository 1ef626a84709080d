//! The bound of a store, in entries or bytes, and the order of eviction. A value that is not kept is answered all the
//! same, and nothing else is disturbed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheback::{Status, cacheback, settle, testing};

use crate::support::{Source, advance, millis, secs};

#[tokio::test(start_paused = true)]
async fn promise_5_capacity_bounds_the_entries() {
    #[cacheback(capacity = 100)]
    async fn bounded(id: u64) -> u64 {
        id
    }
    #[cacheback(capacity = 0)]
    async fn nothing(id: u64) -> u64 {
        id
    }
    let _own = testing::isolate();
    for id in 0..5_000 {
        bounded::entry(id).set(id).await.unwrap();
    }
    assert_stats!(bounded::cache(), entries: 100, evicted: 4_900);
    for id in 0..200 {
        assert_eq!(nothing::entry(id).get_or_fetch().await, id);
        settle().await;
    }
    assert_stats!(nothing::cache(), waited: 200, fetches: 200, ..0, "answered, not stored");
}

/// Returns a list of this length, which weighs as much.
#[cacheback(lifetime = 60, max_bytes = 1_000, weigh = Vec::len, fetch_on_miss, skip(source))]
async fn heavy(id: u64, length: usize, source: &Arc<Source>) -> Vec<u64> {
    source.number().await;
    vec![id; length]
}

#[tokio::test(start_paused = true)]
async fn promise_5_max_bytes_bounds_the_values() {
    let _own = testing::isolate();
    let source = Source::open();
    for id in 0..100 {
        assert_eq!(heavy(id, 90, &source).await.len(), 90);
        assert!(heavy::cache().len() <= 11, "{} of 90 bytes", heavy::cache().len());
        assert_eq!(
            heavy::entry(id, 90, &source).lookup().await.status,
            Status::Fresh,
            "a newcomer is visible"
        );
    }
    assert_eq!(heavy::cache().len(), 11);
    // A large value takes the place of several small ones, and a value that weighs nothing counts as one byte.
    heavy(1, 900, &source).await;
    heavy(2, 0, &source).await;
    assert_stats!(heavy::cache(), entries: 3, evicted: 99, "900, 90 and 0 bytes are left");
}

#[tokio::test(start_paused = true)]
async fn a_value_larger_than_the_bound_is_answered_and_not_stored() {
    let _own = testing::isolate();
    let source = Source::open();
    heavy(1, 500, &source).await;
    let large = heavy::entry(2, 1_001, &source);
    // Each caller who waits is answered by a fetch of its own: nothing is stored.
    for fetches in 2..5 {
        let lookup = large.lookup().await;
        assert_eq!((lookup.value.len(), lookup.status), (1_001, Status::Fetched));
        assert_stats!(heavy::cache(), fetches: fetches);
    }
    assert!(large.peek().await.is_none());
    assert_eq!(
        heavy::entry(1, 500, &source).lookup().await.status,
        Status::Fresh,
        "nothing else is disturbed"
    );
    // A value that is just as large as the bound is stored, alone.
    heavy(3, 1_000, &source).await;
    assert_eq!(heavy::cache().len(), 1);
}

/// A value that weighs as many bytes as it says.
#[cacheback(lifetime = 60, max_bytes = 1_000, weigh = |weight: &u64| *weight, skip(source))]
async fn growing(id: u64, source: &Arc<Source>) -> u64 {
    1_000 * source.number().await - 1_000 + id
}

#[tokio::test(start_paused = true)]
async fn a_value_that_grew_too_large_drops_the_older_one_and_is_left_alone_for_a_second() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = growing::entry(1, &source);
    assert_eq!(entry.get_or_fetch().await, 1);
    entry.invalidate().await.unwrap();
    settle().await;
    assert!(entry.peek().await.is_none(), "it is 1,001 now");
    for _ in 0..10 {
        assert_eq!(entry.lookup().await.status, Status::Empty);
        settle().await;
    }
    assert_eq!(source.runs(), 2);
    advance(secs(1)).await;
    assert_eq!(entry.lookup().await.status, Status::Empty);
    settle().await;
    assert_eq!(source.runs(), 3);
    // A value that is set is not stored either.
    entry.set(7).await.unwrap();
    entry.set(u64::MAX).await.unwrap();
    assert!(entry.peek().await.is_none(), "the older one is gone too");
}

#[tokio::test(start_paused = true)]
async fn a_weigher_that_panics_disturbs_nobody() {
    #[cacheback(max_bytes = 1_000, weigh = |list| list[0], fetch_on_miss, skip(source))]
    async fn weighed(id: u64, source: &Arc<Source>) -> Vec<u64> {
        if source.number().await == 2 { Vec::new() } else { vec![id] }
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(weighed(1, &source).await, [1]);
    let entry = weighed::entry(2, &source);
    let (one, other) = tokio::join!(entry.lookup(), entry.lookup());
    assert_eq!((&one.value, one.status), (&Vec::new(), Status::Fetched));
    assert_eq!(one, other, "both are answered");
    assert_stats!(weighed::cache(), entries: 1, errors: 0, panics: 0, in_flight: 0);
    entry.set(Vec::new()).await.unwrap();
    assert!(entry.peek().await.is_none());
    assert_eq!(weighed::entry(1, &source).lookup().await.status, Status::Fresh);
    // The key is not stuck.
    assert_eq!(weighed(2, &source).await, [2]);
    assert_eq!(entry.lookup().await.status, Status::Fresh);
}

/// A flood of ids that fail pushes no value out, and the newest of them are in back-off.
#[tokio::test(start_paused = true)]
async fn promise_5_failures_evict_no_values() {
    #[cacheback(lifetime = 600, capacity = 100, breaker = false, skip(source))]
    async fn row(id: u64, source: &Arc<Source>) -> Result<u64, String> {
        source.run().await?;
        if id < 100 { Ok(id) } else { Err("not found".to_owned()) }
    }
    let _own = testing::isolate();
    let source = Source::open();
    for id in 0..50 {
        assert_eq!(row::entry(id, &source).get_or_fetch().await, Ok(id));
    }
    for id in 1_000..1_900 {
        // Half of them with callers who wait.
        let answer =
            if id % 2 == 0 { row(id, &source).await } else { row::entry(id, &source).get_or_fetch().await };
        assert_eq!(answer.is_ok(), id % 2 == 0);
        settle().await;
    }
    let fetches = source.runs();
    for id in 0..50 {
        assert_eq!(row::entry(id, &source).lookup().await.status, Status::Fresh, "{id}");
    }
    assert_stats!(row::cache(), entries: 50, evicted: 0, errors: 900);
    // A quarter of the capacity is remembered.
    for id in 1_875..1_900 {
        assert_eq!(row(id, &source).await, Ok(0));
    }
    settle().await;
    assert_eq!(source.runs(), fetches, "they are in back-off");
    assert_eq!(row(1_000, &source).await, Ok(0));
    settle().await;
    assert_eq!(source.runs(), fetches + 1, "this one is forgotten");
}

/// The same for kept errors, for values that are not stored, and with a bound in bytes.
#[tokio::test(start_paused = true)]
async fn promise_5_nothing_that_is_remembered_of_a_missing_key_evicts_a_value() {
    #[cacheback(max_bytes = 10_000, weigh = |_| 100_u64, fetch_on_miss, cache_err = "1h", breaker = false)]
    async fn failing(id: u64) -> Result<u64, String> {
        if id < 100 { Ok(id) } else { Err(id.to_string()) }
    }
    #[cacheback(capacity = 100, lifetime_for = |id| secs(if *id < 100 { 60 } else { 0 }))]
    async fn unstored(id: u64) -> u64 {
        id
    }
    let _own = testing::isolate();
    for id in (0..100).chain(1_000..2_000) {
        assert_eq!(failing(id).await.is_ok(), id < 100);
        assert_eq!(unstored::entry(id).get_or_fetch().await, id);
    }
    assert_stats!(failing::cache(), entries: 100, evicted: 0);
    assert_stats!(unstored::cache(), entries: 100, evicted: 0);
    let fetches = failing::cache().stats().fetches;
    for id in (0..100).chain(1_990..2_000) {
        assert_eq!(failing::entry(id).lookup().await.status, Status::Fresh, "a value, or a kept error");
    }
    assert_stats!(failing::cache(), fetches: fetches);
}

#[tokio::test(start_paused = true)]
async fn each_stored_value_is_weighed_once() {
    static WEIGHED: AtomicU64 = AtomicU64::new(0);
    #[cacheback(lifetime = 10, max_bytes = "1kB", fetch_on_miss, weigh = |text: &String| {
        WEIGHED.fetch_add(1, Ordering::SeqCst);
        text.len()
    })]
    async fn counted(id: u64) -> Result<String, String> {
        if id == 0 { Err("no".to_owned()) } else { Ok(id.to_string()) }
    }
    let _own = testing::isolate();
    for _ in 0..5 {
        counted(1).await.unwrap();
        counted(0).await.unwrap_err();
        advance(millis(1)).await;
    }
    assert_eq!(WEIGHED.load(Ordering::SeqCst), 1, "not on a hit, not of an error");
    counted::entry(1).set("text".to_owned()).await.unwrap();
    assert_eq!(WEIGHED.load(Ordering::SeqCst), 2);
}

/// The keys in use survive a scan over many others, and each of those is seen by the next read.
#[tokio::test(start_paused = true)]
async fn tiny_lfu_shows_newcomers_and_keeps_what_is_in_use() {
    #[cacheback(lifetime = 3_600, capacity = 200, eviction = "tiny_lfu", fetch_on_miss, skip(source))]
    async fn scanned(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await;
        id
    }
    let _own = testing::isolate();
    let source = Source::open();
    for round in 0..40 {
        for hot in 0..100 {
            scanned(hot, &source).await;
        }
        // Enough to push out every key that was not read since.
        for cold in 0..150 {
            let id = 1_000 + round * 150 + cold;
            scanned(id, &source).await;
            assert_eq!(
                scanned::entry(id, &source).lookup().await.status,
                Status::Fresh,
                "a newcomer is visible"
            );
        }
        assert!(scanned::cache().len() <= 200);
    }
    let fetches = source.runs();
    assert!(fetches < 6_000 + 500, "the hot hundred stayed: {fetches} fetches for 6,000 cold keys");
}
