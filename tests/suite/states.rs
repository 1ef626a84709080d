//! The four states of a key, missing, fresh, stale and too stale: the answer in each, and the fetch in the background.

use std::sync::Arc;

use cacheback::{Status, cacheback, settle, testing};

use crate::support::{Source, advance, millis, secs};

#[cacheback(lifetime = 10, max_stale = 20, retention = 60, skip(source))]
async fn number(_id: u64, source: &Arc<Source>) -> Result<u64, String> {
    source.run().await
}

async fn served(source: &Arc<Source>) -> (Result<u64, String>, Status) {
    let lookup = number::entry(1, source).lookup().await;
    (lookup.value, lookup.status)
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_is_answered_empty_at_once_with_a_fetch_in_the_background() {
    let _own = testing::isolate();
    let source = Source::gated();
    assert_eq!(served(&source).await, (Ok(0), Status::Empty));
    source.started(1).await;
    assert_eq!(served(&source).await, (Ok(0), Status::Empty));
    source.release(1);
    settle().await;
    assert_eq!(served(&source).await, (Ok(1), Status::Fresh));
    assert_eq!(source.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_value_is_fresh_until_its_lifetime_to_the_millisecond() {
    let _own = testing::isolate();
    let source = Source::open();
    number::entry(1, &source).refresh().await.unwrap();
    advance(millis(9_999)).await;
    assert_eq!(served(&source).await, (Ok(1), Status::Fresh));
    settle().await;
    assert_eq!(source.runs(), 1, "a fresh hit starts nothing");
    advance(millis(1)).await;
    assert_eq!(served(&source).await, (Ok(1), Status::Stale));
    settle().await;
    assert_eq!(source.runs(), 2, "a stale one starts a refresh");
    assert_eq!(served(&source).await, (Ok(2), Status::Fresh));
}

#[tokio::test(start_paused = true)]
async fn stale_readers_start_one_refresh_between_them() {
    let _own = testing::isolate();
    let source = Source::gated();
    source.release(1);
    number::entry(1, &source).refresh().await.unwrap();
    advance(secs(10)).await;
    for _ in 0..50 {
        assert_eq!(served(&source).await, (Ok(1), Status::Stale));
    }
    source.started(2).await;
    for _ in 0..50 {
        assert_eq!(served(&source).await, (Ok(1), Status::Stale));
    }
    source.release_all();
    settle().await;
    assert_eq!(source.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_a_too_stale_key_waits_for_the_fetch() {
    let _own = testing::isolate();
    let source = Source::open();
    number::entry(1, &source).refresh().await.unwrap();
    advance(millis(29_999)).await;
    assert_eq!(served(&source).await, (Ok(1), Status::Stale));
    settle().await;
    advance(millis(30_000)).await;
    assert_eq!(served(&source).await, (Ok(3), Status::Fetched));
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_a_too_stale_key_gets_the_stale_value_if_the_fetch_fails() {
    let _own = testing::isolate();
    let source = Source::open();
    number::entry(1, &source).refresh().await.unwrap();
    source.fail(true);
    advance(secs(30)).await;
    assert_eq!(served(&source).await, (Ok(1), Status::Stale));
    assert_eq!(source.runs(), 2);
    // In back-off the stale value is given at once.
    assert_eq!(served(&source).await, (Ok(1), Status::Stale));
    settle().await;
    assert_eq!(source.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_past_its_retention_is_missing() {
    let _own = testing::isolate();
    let source = Source::open();
    number::entry(1, &source).refresh().await.unwrap();
    source.fail(true);
    advance(millis(59_999)).await;
    assert_eq!(served(&source).await, (Ok(1), Status::Stale));
    settle().await;
    assert_eq!(number::cache().len(), 1);
    advance(millis(1)).await;
    assert_eq!(number::cache().len(), 0);
    assert_eq!(number::entry(1, &source).peek().await, None);
    assert_eq!(served(&source).await, (Ok(0), Status::Empty));
}

#[tokio::test(start_paused = true)]
async fn rule_5_lookup_tells_the_age_from_the_start_of_the_fetch() {
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = number::entry(1, &source);
    let call = tokio::spawn(entry.get_or_fetch());
    source.started(1).await;
    advance(secs(4)).await;
    source.release(1);
    call.await.unwrap().unwrap();
    advance(secs(1)).await;
    let lookup = entry.lookup().await;
    assert_eq!((lookup.status, lookup.age), (Status::Fresh, Some(secs(5))));
    advance(secs(5)).await;
    assert_eq!(entry.lookup().await.status, Status::Stale);
}
