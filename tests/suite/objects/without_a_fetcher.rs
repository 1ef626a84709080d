//! Caches without a fetcher: each call brings a fetch of its own, or gets what is cached.

use super::*;

#[tokio::test(start_paused = true)]
async fn without_a_fetcher_each_call_brings_its_own() {
    let _own = testing::isolate();
    let source = Source::gated();
    let cache: Cache<u64, u64> = Cache::builder().lifetime(secs(10)).build().unwrap();
    let fetch = || {
        let (cache, source) = (cache.clone(), Arc::clone(&source));
        async move { cache.get_or_fetch(&1, move || async move { source.number().await }).await }
    };
    let (one, other) = (tokio::spawn(fetch()), tokio::spawn(fetch()));
    source.started(1).await;
    run_ready().await;
    source.release(1);
    assert_eq!((one.await.unwrap(), other.await.unwrap(), source.runs()), (1, 1, 1));
    assert_eq!(cache.get(&1).await, 1, "a hit needs no fetcher");
    // Stale: the value at once, and this caller's fetch in the background.
    advance(secs(10)).await;
    assert_eq!(fetch().await, 1);
    source.started(2).await;
    assert_eq!(fetch().await, 1);
    source.release_all();
    settle().await;
    assert_eq!((fetch().await, source.runs()), (2, 2));
    cache.remove(&1).await.unwrap();
    assert_eq!(cache.peek(&1).await, None);
    assert_eq!(fetch().await, 3);
}

#[tokio::test(start_paused = true)]
async fn without_a_fetcher_invalidate_only_marks() {
    let _own = testing::isolate();
    let source = Source::open();
    let cache: Cache<u64, u64> = Cache::builder().lifetime(secs(10)).build().unwrap();
    cache.invalidate(&1).await.unwrap();
    assert!(cache.is_empty());
    cache.set(&1, 7).await.unwrap();
    for entry_too in [false, true] {
        cache.invalidate(&1).await.unwrap();
        if entry_too {
            cache.entry(&1).invalidate().await.unwrap();
        }
        settle().await;
        let snapshot = cache.peek(&1).await.unwrap();
        assert_eq!((snapshot.value, snapshot.fresh), (7, false));
        assert_stats!(cache, fetches: 0);
    }
    let refresh = Arc::clone(&source);
    assert_eq!(cache.get_or_fetch(&1, move || async move { refresh.number().await }).await, 7);
    settle().await;
    assert_eq!((cache.get(&1).await, source.runs()), (1, 1));
}

/// A fetch whose key is invalidated answers its waiters and is not stored, also if no other fetch takes its place.
#[tokio::test(start_paused = true)]
async fn without_a_fetcher_invalidate_supersedes_what_runs() {
    let _own = testing::isolate();
    let source = Source::gated();
    let cache: Cache<u64, u64> = Cache::builder().build().unwrap();
    let fetch = |source: &Arc<Source>| {
        let (cache, source) = (cache.clone(), Arc::clone(source));
        tokio::spawn(
            async move { cache.get_or_fetch(&1, move || async move { source.number().await }).await },
        )
    };
    let early = fetch(&source);
    source.started(1).await;
    cache.invalidate(&1).await.unwrap();
    let late = fetch(&source);
    source.started(2).await;
    source.release(2);
    assert_eq!(late.await.unwrap(), 2, "nobody joins a superseded fetch");
    source.release(1);
    assert_eq!(early.await.unwrap(), 1);
    settle().await;
    assert_eq!(cache.get(&1).await, 2);
    assert_stats!(cache, discarded: 1);
}

/// The refresh of a stale value too: the next caller does not wait for it to time out.
#[tokio::test(start_paused = true)]
async fn without_a_fetcher_invalidate_makes_room_for_the_next_refresh() {
    let _own = testing::isolate();
    let source = Source::gated();
    let cache: Cache<u64, u64> = Cache::builder().lifetime(secs(10)).build().unwrap();
    let call = |cache: &Cache<u64, u64>| {
        let (cache, source) = (cache.clone(), Arc::clone(&source));
        async move { cache.get_or_fetch(&1, move || async move { source.number().await }).await }
    };
    cache.set(&1, 7).await.unwrap();
    advance(secs(10)).await;
    assert_eq!(call(&cache).await, 7);
    source.started(1).await;
    cache.invalidate(&1).await.unwrap();
    assert_eq!(call(&cache).await, 7);
    source.started(2).await;
    source.release_all();
    settle().await;
    assert_eq!(cache.get(&1).await, 2);
    assert_stats!(cache, discarded: 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_nothing_can_answer_says_what_to_call() {
    let _own = testing::isolate();
    let cache: Cache<u64, u64> = Cache::builder().name("numbers").build().unwrap();
    let panicked = tokio::spawn(async move { cache.get(&1).await }).await.unwrap_err().into_panic();
    let message = panicked.downcast_ref::<String>().unwrap();
    assert_eq!(message, "cacheback: cache `numbers` has no fetcher: call `get_or_fetch`");
}

/// Cached values are served, also when they are stale or too stale. No fetch is started that could only fail, so that
/// no back-off holds up the next call that brings a fetch.
#[tokio::test(start_paused = true)]
async fn without_a_fetcher_reads_start_nothing() {
    let _own = testing::isolate();
    let cache: Cache<u64, u64> = Cache::builder().lifetime(secs(10)).max_stale(secs(10)).build().unwrap();
    cache.set(&1, 7).await.unwrap();
    for age in [10, 20] {
        advance(secs(10)).await;
        let lookup = cache.entry(&1).lookup().await;
        assert_eq!((lookup.value, lookup.status, lookup.age), (7, Status::Stale, Some(secs(age))));
        assert_eq!((cache.get(&1).await, cache.entry(&1).get_or_fetch().await), (7, 7));
    }
    let reads = |number| {
        let entry = cache.entry(&2);
        tokio::spawn(async move {
            match number {
                0 => entry.lookup().await.value,
                1 => entry.get_or_fetch().await,
                _ => entry.refresh().await,
            }
        })
    };
    for number in 0..3 {
        let panicked = reads(number).await.unwrap_err().into_panic();
        let message = panicked.downcast_ref::<String>().unwrap();
        assert!(message.contains("has no fetcher: call `get_or_fetch`"), "{message}");
    }
    settle().await;
    assert_stats!(cache, stale: 6, entries: 1, ..0);
    let empty: Cache<u64, u64> = Cache::builder().empty(|key| *key).build().unwrap();
    assert_eq!((empty.get(&9).await, empty.entry(&9).lookup().await.status), (9, Status::Empty));
    settle().await;
    assert_stats!(empty, fetches: 0);
}
