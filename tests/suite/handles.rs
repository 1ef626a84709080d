//! Section 3: companions and handles, and counters that add up.

use std::sync::Arc;

use cacheback::{CacheRef, Entry, Lookup, Snapshot, Status, cacheback, settle, testing};

use crate::support::{Source, advance, secs};

#[cacheback(lifetime = 10, max_stale = 10, skip(source))]
async fn number(_id: u64, source: &Arc<Source>) -> Result<u64, String> {
    source.run().await
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_used_more_than_once_cloned_and_sent() {
    fn sent<T: Send + Sync + Clone + std::fmt::Debug + 'static>(value: T) -> T {
        value
    }
    let _own = testing::isolate();
    let source = Source::open();
    let entry: Entry<Result<u64, String>> = sent(number::entry(1, &source));
    assert_eq!(entry.refresh().await, Ok(1));
    assert_eq!(entry.clone().refresh().await, Ok(2));
    let lookup: Lookup<Result<u64, String>> = tokio::spawn(entry.lookup()).await.unwrap();
    assert_eq!(lookup.value, Ok(2));
    let snapshot: Snapshot<u64> = entry.peek().await.unwrap();
    assert_eq!((snapshot.value, snapshot.fresh), (2, true));
    let cache: CacheRef = sent(number::cache());
    assert_eq!(cache.name(), "suite::handles::number");
}

#[tokio::test(start_paused = true)]
async fn get_or_fetch_waits_on_a_miss_and_on_nothing_else() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = number::entry(1, &source);
    assert_eq!(entry.get_or_fetch().await, Ok(1));
    advance(secs(10)).await;
    assert_eq!(entry.get_or_fetch().await, Ok(1), "stale at once");
    settle().await;
    assert_eq!(entry.get_or_fetch().await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn peek_starts_nothing_and_counts_nothing() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = number::entry(1, &source);
    assert_eq!(entry.peek().await, None);
    entry.set(7).await.unwrap();
    advance(secs(15)).await;
    let Snapshot { value, age, fresh, .. } = entry.peek().await.unwrap();
    assert_eq!((value, age, fresh), (7, secs(15), false));
    settle().await;
    assert_eq!(source.runs(), 0);
    assert_stats!(number::cache(), entries: 1, ..0);
}

/// `hits + stale + empty + waited` are the calls; `fetches` are their outcomes.
#[tokio::test(start_paused = true)]
async fn the_counters_of_a_cache_add_up() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = number::entry(1, &source);
    assert_eq!(entry.lookup().await.status, Status::Empty);
    let mut calls = 1;
    settle().await;
    for round in 0..40 {
        source.fail(round % 5 == 4);
        assert_ne!(entry.lookup().await.status, Status::Empty);
        let _ = number(1, &source).await;
        calls += 2;
        if round % 2 == 0 {
            settle().await;
        }
        if round % 7 == 0 {
            entry.invalidate().await.unwrap();
        }
        if round % 11 == 0 {
            entry.set(100).await.unwrap();
        }
        calls += 1;
        let _ = entry.get_or_fetch().await;
        advance(secs(round % 23)).await;
    }
    settle().await;
    let stats = number::cache().stats();
    assert_eq!(stats.hits + stats.stale + stats.empty + stats.waited, calls);
    assert_eq!(stats.calls(), calls);
    assert_stats!(number::cache(), fetches: source.runs());
    assert!(stats.errors > 0 && stats.stale > 0 && stats.waited > 0 && stats.discarded > 0, "{stats:?}");
    assert_stats!(number::cache(), in_flight: 0, entries: 1, panics: 0, timeouts: 0);
}

/// The methods of `EntryInner` know the function's return type alone: an `Err` is nothing to store.
#[tokio::test(start_paused = true)]
async fn an_entry_inner_takes_what_its_function_returns_and_stores_no_err() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = number::entry(1, &source);
    let inner: &cacheback::EntryInner<Result<u64, String>> = &entry;
    inner.set(Ok(3)).await.unwrap();
    assert_eq!(inner.peek().await.map(|found| found.value), Some(Ok(3)));
    assert!(inner.set(Err("no".to_owned())).await.unwrap_err().to_string().contains("not stored"));
    assert_eq!(entry.peek().await.map(|found| found.value), Some(3));
}
