//! The tables of the guide's page "Coming from another cache": the option of ours does what the option of the other
//! cache does there. The values are those of the other cache, with seconds on a paused clock.

use std::sync::Arc;
use std::time::Duration;

use cacheback::{Cache, Status, cacheback, settle, testing};

use crate::support::{Source, advance, secs};

/// `cached`: `#[cached(time = 60)]`. Fresh for 60 s, then gone: the caller waits and never sees an older value.
#[tokio::test(start_paused = true)]
async fn time_of_cached_is_lifetime_and_retention() {
    #[cacheback(lifetime = 60, retention = 60, fetch_on_miss, skip(source))]
    async fn timed(source: &Arc<Source>) -> Result<u64, String> {
        source.run().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(timed(&source).await, Ok(1), "the first caller waits");
    advance(secs(59)).await;
    assert_eq!(timed(&source).await, Ok(1));
    advance(secs(1)).await;
    assert_eq!(timed(&source).await, Ok(2), "at 60 s the caller waits for a new value");
    advance(secs(3 * 60 * 60)).await;
    assert_eq!(timed(&source).await, Ok(3));
    source.fail(true);
    advance(secs(60)).await;
    assert!(timed(&source).await.is_err(), "nothing old is served, whatever fails");
    assert_stats!(timed::cache(), stale: 0);
}

/// `cached`: `result_fallback = true` beside `time = 60`. The caller waits for a new value and gets the old one if the
/// function fails. There each failure renews the old value's 60 s; here it keeps its age.
#[tokio::test(start_paused = true)]
async fn result_fallback_of_cached_is_a_max_stale_of_zero() {
    #[cacheback(lifetime = 60, max_stale = 0, fetch_on_miss, skip(source))]
    async fn fallback(source: &Arc<Source>) -> Result<u64, String> {
        source.run().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    assert!(fallback(&source).await.is_err(), "there is nothing to fall back on");
    source.fail(false);
    assert_eq!(fallback(&source).await, Ok(2));
    advance(secs(60)).await;
    assert_eq!(fallback(&source).await, Ok(3), "the caller waits, and sees no old value");

    source.fail(true);
    advance(secs(60)).await;
    let lookup = fallback::entry(&source).lookup().await;
    assert_eq!((lookup.value, lookup.status), (Ok(3), Status::Stale));
    assert_eq!((source.runs(), lookup.age), (4, Some(secs(60))), "it was tried before");
    source.fail(false);
    advance(secs(2)).await;
    assert_eq!(fallback(&source).await, Ok(5), "the failure did not make the old value younger");
}

/// Old `cached`: without `result = true` the whole `Result` was kept, its `Err` too.
#[tokio::test(start_paused = true)]
async fn result_false_of_cached_is_cache_err() {
    #[cacheback(lifetime = 60, retention = 60, fetch_on_miss, cache_err = 60, skip(source))]
    async fn whole(source: &Arc<Source>) -> Result<u64, String> {
        source.run().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    let error = whole(&source).await;
    assert!(error.is_err());
    source.fail(false);
    advance(secs(59)).await;
    assert_eq!((whole(&source).await, source.runs()), (error, 1), "the error is the answer for 60 s");
    advance(secs(1)).await;
    assert_eq!(whole(&source).await, Ok(2));
}

/// `cached`: `option = true` keeps no `None`.
#[tokio::test(start_paused = true)]
async fn option_true_of_cached_is_a_lifetime_of_zero_for_none() {
    #[cacheback(
        lifetime = 60, retention = 60, fetch_on_miss, skip(source),
        lifetime_for = |found| if found.is_some() { secs(60) } else { Duration::ZERO }
    )]
    async fn odd(source: &Arc<Source>) -> Option<u64> {
        Some(source.number().await).filter(|number| number % 2 == 1)
    }
    let _own = testing::isolate();
    let source = Source::open();
    odd::entry(&source).refresh().await;
    advance(secs(60)).await;
    assert_eq!((odd(&source).await, odd::cache().len()), (None, 0), "run 2");
    assert_eq!((odd(&source).await, odd(&source).await), (Some(3), Some(3)), "the next call ran again");
    assert_eq!(source.runs(), 3);
}

/// `cached`: `#[once]` keeps one value, whatever the arguments.
#[tokio::test(start_paused = true)]
async fn once_of_cached_is_the_empty_key() {
    #[cacheback(lifetime = 60, retention = 60, fetch_on_miss, key = ())]
    async fn once(name: &str) -> String {
        format!("hello {name}")
    }
    let _own = testing::isolate();
    assert_eq!(once("alice").await, "hello alice");
    assert_eq!(once("bob").await, "hello alice");
    advance(secs(60)).await;
    assert_eq!(once("bob").await, "hello bob");
    assert_stats!(once::cache(), fetches: 2);
}

/// `cached` and moka without a time: kept for ever.
#[tokio::test(start_paused = true)]
async fn no_time_of_cached_and_moka_is_the_longest_duration() {
    #[cacheback(lifetime = Duration::MAX, retention = Duration::MAX, fetch_on_miss, skip(source))]
    async fn kept(source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(kept(&source).await, 1);
    for _ in 0..3 {
        advance(secs(365 * 24 * 60 * 60)).await;
        let lookup = kept::entry(&source).lookup().await;
        assert_eq!((lookup.value, lookup.status), (1, Status::Fresh));
    }
    settle().await;
    assert_eq!(source.runs(), 1);
}

/// `cached`: `with_cached_flag = true` and `Return::was_cached`.
#[tokio::test(start_paused = true)]
async fn with_cached_flag_of_cached_is_lookup() {
    #[cacheback(fetch_on_miss)]
    async fn flagged(id: u64) -> u64 {
        id
    }
    let _own = testing::isolate();
    let mut was_cached = Vec::new();
    for _ in 0..2 {
        was_cached.push(flagged::entry(7).lookup().await.status != Status::Fetched);
    }
    assert_eq!(was_cached, [false, true]);
}

/// `cached`: `force_refresh = { .. }` runs the function and stores its value.
#[tokio::test(start_paused = true)]
async fn force_refresh_of_cached_is_refresh() {
    #[cacheback(fetch_on_miss, skip(source))]
    async fn forced(source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(forced(&source).await, 1);
    assert_eq!(forced::entry(&source).refresh().await, 2);
    assert_eq!(forced(&source).await, 2);
}

/// moka: `optionally_get_with` keeps a `Some`, and a `None` answers the waiters.
#[tokio::test(start_paused = true)]
async fn optionally_get_with_of_moka_is_an_error_for_none() {
    let _own = testing::isolate();
    let source = Source::open();
    let origin = Arc::clone(&source);
    let cache: Cache<u64, Result<u64, &'static str>> = Cache::builder()
        .fetch_on_miss()
        .try_fetcher(move |_| {
            let origin = Arc::clone(&origin);
            async move { Some(origin.number().await).filter(|number| number % 2 == 0).ok_or("missing") }
        })
        .build()
        .unwrap();
    assert_eq!(cache.get(&7).await.ok(), None, "run 1");
    assert_eq!(cache.len(), 0);
    assert_eq!((cache.get(&7).await.ok(), cache.get(&7).await.ok()), (Some(2), Some(2)));
    assert_eq!(source.runs(), 2);
}

/// moka: `time_to_live(60)` on a cache that is read with `get_with`.
#[tokio::test(start_paused = true)]
async fn time_to_live_of_moka_is_lifetime_and_retention() {
    let _own = testing::isolate();
    let source = Source::open();
    let cache: Cache<u64, u64> = Cache::builder().lifetime(secs(60)).retention(secs(60)).build().unwrap();
    let get_with = async || {
        let source = Arc::clone(&source);
        cache.get_or_fetch(&7, move || async move { source.number().await }).await
    };
    assert_eq!(get_with().await, 1);
    advance(secs(59)).await;
    assert_eq!(get_with().await, 1);
    advance(secs(1)).await;
    assert_eq!(get_with().await, 2);
}

/// moka: `invalidate(&key)` and `invalidate_all()` drop values, so the next reader waits for a new one.
#[tokio::test(start_paused = true)]
async fn invalidate_and_invalidate_all_of_moka_are_remove_and_clear() {
    #[cacheback(fetch_on_miss, skip(source))]
    async fn dropped(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!((dropped(1, &source).await, dropped(2, &source).await), (1, 2));
    dropped::entry(1, &source).remove().await.unwrap();
    assert_eq!((dropped(1, &source).await, dropped(2, &source).await), (3, 2));
    dropped::cache().clear().await.unwrap();
    assert_eq!((dropped(1, &source).await, dropped(2, &source).await), (4, 5));
    dropped::entry(1, &source).invalidate().await.unwrap();
    assert_eq!(dropped(1, &source).await, 4, "our `invalidate` serves the old value");
    settle().await;
    assert_eq!(dropped(1, &source).await, 6);
}

/// django-cacheback: `lifetime = 600`, `fetch_on_stale_threshold = 900`, `cache_ttl` of an hour. The threshold counts
/// from the fetch there, and from the end of the lifetime here.
#[tokio::test(start_paused = true)]
async fn fetch_on_stale_threshold_of_django_cacheback_is_lifetime_and_max_stale() {
    #[cacheback(lifetime = 600, max_stale = 300, retention = 3600, fetch_on_miss, skip(source))]
    async fn job(source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(job(&source).await, 1);
    advance(secs(899)).await;
    assert_eq!(job(&source).await, 1, "stale, and refreshed in the background");
    settle().await;
    advance(secs(900)).await;
    assert_eq!(job(&source).await, 3, "at the threshold the caller waits");
    advance(secs(3600)).await;
    assert!(job::entry(&source).peek().await.is_none());
}
