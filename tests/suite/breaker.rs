//! The breaker: an origin that fails for all keys is left alone, but for one trial a back-off period.

use std::sync::Arc;

use cacheback::{Cache, Status, cacheback, settle, testing};

use crate::support::{Source, advance, millis, run_ready, secs};

#[cacheback(lifetime = 10, max_stale = "1h", skip(source))]
async fn served(_id: u64, source: &Arc<Source>) -> Result<u64, String> {
    source.run().await
}

/// Opens the breaker: these keys have stale values, and ten others fail.
async fn break_it(keys: std::ops::Range<u64>, source: &Arc<Source>) {
    for id in keys {
        served::entry(id, source).set(id).await.unwrap();
    }
    advance(secs(10)).await;
    source.fail(true);
    for id in 1_000_000..1_000_010 {
        assert_stats!(served::cache(), breakers_open: 0);
        assert!(served::entry(id, source).refresh().await.is_err());
    }
    assert_stats!(served::cache(), breaker_trips: 1, breakers_open: 1);
}

/// The number of bodies that readers of these keys start. All of them get the stale value.
async fn started_by(keys: std::ops::Range<u64>, source: &Arc<Source>) -> u64 {
    let before = source.runs();
    for id in keys {
        assert_eq!(served(id, source).await, Ok(id));
    }
    settle().await;
    source.runs() - before
}

#[tokio::test(start_paused = true)]
async fn rule_6_an_open_breaker_allows_one_trial_a_period_until_one_succeeds() {
    let _own = testing::isolate();
    let source = Source::open();
    break_it(0..100, &source).await;
    assert_eq!(started_by(0..100, &source).await, 0, "of keys that have never failed");
    // 1 s, then 2 s and 4 s, each shortened by up to half at random.
    for period in [1, 2, 4] {
        advance(secs(period) / 2 - millis(1)).await;
        assert_eq!(started_by(0..100, &source).await, 0, "{period}");
        advance(secs(period) / 2 + millis(1)).await;
        assert_eq!(started_by(0..100, &source).await, 1, "{period}");
    }
    // The origin is back: the next trial closes the breaker, and everything is refreshed.
    source.fail(false);
    advance(secs(8)).await;
    assert_eq!(served(50, &source).await, Ok(50));
    settle().await;
    assert_stats!(served::cache(), breakers_open: 0);
    for id in 0..100 {
        let _ = served(id, &source).await;
    }
    settle().await;
    let mut fresh = 0;
    for id in 0..100 {
        fresh += u64::from(served::entry(id, &source).lookup().await.status == Status::Fresh);
    }
    // The three keys of the trials may be in back-off themselves.
    assert!(fresh >= 97, "{fresh}");
    assert_stats!(served::cache(), breaker_trips: 1);
}

#[tokio::test(start_paused = true)]
async fn rule_6_an_open_breaker_refuses_no_caller_who_waits() {
    let _own = testing::isolate();
    let source = Source::open();
    break_it(0..1, &source).await;
    let before = source.runs();
    assert!(served::entry(7, &source).get_or_fetch().await.is_err(), "nothing is cached: it asks");
    assert!(served::entry(7, &source).refresh().await.is_err());
    // Too stale: the caller waits for the fetch, and falls back to the value.
    advance(secs(3_600)).await;
    assert_eq!(served(0, &source).await, Ok(0));
    assert_eq!(source.runs(), before + 3);
    // A fetch that brings a value closes the breaker.
    source.fail(false);
    assert!(served::entry(8, &source).get_or_fetch().await.is_ok());
    assert_stats!(served::cache(), breakers_open: 0);
}

#[tokio::test(start_paused = true)]
async fn rule_6_with_an_open_breaker_a_miss_that_does_not_wait_starts_nothing() {
    let _own = testing::isolate();
    let source = Source::open();
    break_it(0..0, &source).await;
    let before = source.runs();
    for id in 0..100 {
        assert_eq!(served::entry(id, &source).lookup().await.status, Status::Empty);
    }
    settle().await;
    assert_eq!(source.runs(), before);
    // Its trial is due half a period later than that of a stale key.
    advance(millis(1_500)).await;
    for id in 0..100 {
        assert_eq!(served::entry(id, &source).lookup().await.status, Status::Empty);
    }
    settle().await;
    assert_eq!(source.runs(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn rule_6_with_an_open_breaker_an_invalidated_key_is_refreshed_later() {
    let _own = testing::isolate();
    let source = Source::open();
    break_it(0..0, &source).await;
    let before = source.runs();
    let entry = served::entry(1, &source);
    entry.set(7).await.unwrap();
    entry.invalidate().await.unwrap();
    settle().await;
    assert_eq!((entry.lookup().await.status, source.runs()), (Status::Stale, before));
    source.fail(false);
    advance(secs(1)).await;
    let _ = entry.lookup().await;
    settle().await;
    assert_eq!((entry.lookup().await.status, source.runs()), (Status::Fresh, before + 1));
}

/// The trial of a period is a fetch that starts: a reader who finds one under way takes no trial from other keys.
#[tokio::test(start_paused = true)]
async fn rule_6_a_key_that_is_being_fetched_takes_no_trial_of_the_breaker() {
    let _own = testing::isolate();
    let source = Source::gated();
    assert_eq!(served::entry(1, &source).lookup().await.status, Status::Empty);
    source.started(1).await;
    (2..12).for_each(|run| source.release(run));
    break_it(0..0, &source).await;
    advance(millis(1_500)).await;
    for _ in 0..100 {
        assert_eq!(served::entry(1, &source).lookup().await.status, Status::Empty);
    }
    assert_eq!(served::entry(2, &source).lookup().await.status, Status::Empty);
    run_ready().await;
    assert_eq!(source.runs(), 12);
    assert_eq!(served::entry(3, &source).lookup().await.status, Status::Empty);
    run_ready().await;
    assert_eq!(source.runs(), 12);
}

/// Nor does an invalidation whose key is to be fetched anyway. That fetch is not given up.
#[tokio::test(start_paused = true)]
async fn rule_6_an_invalidated_key_whose_refresh_is_queued_takes_no_trial_of_the_breaker() {
    let _own = testing::isolate();
    cacheback::configure().max_refreshes(1).apply().unwrap();
    let source = Source::gated();
    let status = async |id| served::entry(id, &source).lookup().await.status;
    served::entry(2, &source).set(2).await.unwrap();
    advance(secs(10)).await;
    assert_eq!(status(1).await, Status::Empty);
    source.started(1).await;
    assert_eq!(status(2).await, Status::Stale, "and its refresh is queued behind the first");
    (2..12).for_each(|run| source.release(run));
    break_it(0..0, &source).await;
    served::entry(2, &source).invalidate().await.unwrap();
    advance(millis(1_500)).await;
    served::entry(2, &source).invalidate().await.unwrap();
    assert_eq!(status(3).await, Status::Empty);
    assert_eq!(source.runs(), 11);
    assert_stats!(served::cache(), skipped: 0);
    source.release_all();
    settle().await;
    assert_eq!(source.runs(), 13);
}

/// Time-outs and panics are failures, too.
#[tokio::test(start_paused = true)]
async fn rule_6_panics_and_time_outs_open_the_breaker() {
    let _own = testing::isolate();
    let cache: Cache<u64, u64> = Cache::builder()
        .refresh_timeout(secs(1))
        .fetcher(|key: u64| async move {
            match key % 2 {
                0 => panic!("no"),
                _ => std::future::pending().await,
            }
        })
        .build()
        .unwrap();
    for key in 0..10 {
        assert_stats!(cache, breakers_open: 0);
        assert_eq!(cache.get(&key).await, 0);
        settle().await;
    }
    assert_stats!(cache, panics: 5, timeouts: 5, breakers_open: 1);
}

/// Stale keys over a dead origin, each read once a second for a minute.
#[tokio::test(start_paused = true)]
async fn rule_6_the_breaker_spares_a_dead_origin_a_flood_of_stale_keys() {
    const KEYS: u64 = 1_500;
    let flood = |breaker: bool| async move {
        let source = Source::open();
        let fetched = Arc::clone(&source);
        let cache: Cache<u64, Result<u64, String>> = Cache::builder()
            .lifetime(secs(10))
            .breaker(breaker)
            .capacity(2 * KEYS)
            .try_fetcher(move |_| {
                let source = Arc::clone(&fetched);
                async move { source.run().await }
            })
            .build()
            .unwrap();
        for key in 0..KEYS {
            cache.entry(&key).set(key).await.unwrap();
        }
        advance(secs(10)).await;
        source.fail(true);
        for _ in 0..60 {
            for key in 0..KEYS {
                assert_eq!(cache.get(&key).await, Ok(key));
            }
            settle().await;
            advance(secs(1)).await;
        }
        let failed = source.runs();
        // The origin is back: everything is refreshed once the back-offs of the breaker and of the keys are over.
        source.fail(false);
        for _ in 0..130 {
            for key in 0..KEYS {
                let _ = cache.get(&key).await;
            }
            settle().await;
            advance(secs(1)).await;
            if source.runs() - failed >= KEYS {
                break;
            }
        }
        (failed, source.runs() - failed)
    };
    let _own = testing::isolate();
    let (with, refreshed) = flood(true).await;
    // The fetches that were under way as it opened, and the trials: 1, 2, 4, 8, 16 and 32 s apart, or half of that.
    assert!((10..1_100 + 12).contains(&with), "{with}");
    assert!(refreshed >= KEYS, "{refreshed}");
    let (without, _) = flood(false).await;
    assert!(without > 5 * with, "{without} against {with}");
}

/// A row that exists and one that does not, for a day: the missing one keeps the breaker open, and the other one is
/// refreshed all the same.
#[tokio::test(start_paused = true)]
async fn rule_6_callers_who_wait_and_fail_put_no_trial_of_the_breaker_off() {
    #[cacheback(lifetime = 10, fetch_on_miss, skip(source))]
    async fn row(id: u64, source: &Arc<Source>) -> Result<u64, String> {
        source.run().await?;
        if id == 0 { Err("not found".to_owned()) } else { Ok(id) }
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(row(1, &source).await, Ok(1));
    for _ in 0..20 {
        assert!(row(0, &source).await.is_err());
    }
    assert_stats!(row::cache(), breakers_open: 1);
    let mut oldest = secs(0);
    for _ in 0..24 * 60 * 3 {
        advance(secs(20)).await;
        assert!(row(0, &source).await.is_err(), "a caller who waits is not refused");
        let served = row::entry(1, &source).lookup().await;
        assert_eq!(served.value, Ok(1));
        oldest = oldest.max(served.age.unwrap());
        settle().await;
    }
    assert!(oldest <= secs(60), "a value of {oldest:?} was served");
}

/// A hundred unknown ids a second, and one row that exists, read each second.
#[tokio::test(start_paused = true)]
async fn rule_6_stale_keys_take_the_trials_of_the_breaker_before_missing_ones() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn row(id: u64, source: &Arc<Source>) -> Result<u64, String> {
        source.run().await?;
        if id == 1 { Ok(id) } else { Err("not found".to_owned()) }
    }
    let _own = testing::isolate();
    let source = Source::open();
    let good = row::entry(1, &source);
    assert_eq!(good.get_or_fetch().await, Ok(1));
    let (mut oldest, mut unknown) = (secs(0), 1_000);
    for _ in 0..600 {
        for _ in 0..100 {
            unknown += 1;
            assert_eq!(row(unknown, &source).await, Ok(0));
        }
        settle().await;
        let served = good.lookup().await;
        assert_eq!(served.value, Ok(1));
        oldest = oldest.max(served.age.unwrap());
        settle().await;
        advance(secs(1)).await;
    }
    let stats = row::cache().stats();
    assert!(stats.breaker_trips > 3, "{stats:?}");
    assert!(oldest <= secs(30), "a value of {oldest:?} was served");
}

/// An error that is an answer says that the origin is well.
#[tokio::test(start_paused = true)]
async fn rule_6_an_error_that_is_an_answer_opens_no_breaker() {
    #[derive(Clone, Debug, PartialEq)]
    enum DbError {
        NotFound,
        Closed,
    }
    #[cacheback(fetch_on_miss, is_outage = |error| *error != DbError::NotFound, skip(source))]
    async fn row(id: u64, source: &Arc<Source>) -> Result<u64, DbError> {
        source.run().await.map_err(|_| DbError::Closed)?;
        if id > 100 { Err(DbError::NotFound) } else { Ok(id) }
    }
    let _own = testing::isolate();
    let source = Source::open();
    for id in 101..201 {
        assert_eq!(row(id, &source).await, Err(DbError::NotFound));
    }
    assert_stats!(row::cache(), breaker_trips: 0);
    // Its own key backs off, as after any error.
    let fetches = source.runs();
    row::entry(1, &source).set(1).await.unwrap();
    row::entry(1, &source).invalidate().await.unwrap();
    settle().await;
    assert_eq!(source.runs(), fetches + 1, "other keys do not");
    // An outage counts, and an answer ends it.
    source.fail(true);
    for id in 101..111 {
        assert_eq!(row(id, &source).await, Err(DbError::Closed));
    }
    assert_stats!(row::cache(), breaker_trips: 1, breakers_open: 1);
    source.fail(false);
    assert_eq!(row(111, &source).await, Err(DbError::NotFound));
    assert_stats!(row::cache(), breakers_open: 0);
}

#[tokio::test(start_paused = true)]
async fn rule_6_a_cache_object_can_tell_outages_from_answers() {
    let _own = testing::isolate();
    let rows: Cache<u64, Result<u64, String>> = Cache::builder()
        .fetch_on_miss()
        .try_fetcher(|id: u64| async move { Err(if id < 100 { "not found" } else { "down" }.to_owned()) })
        .is_outage(|error: &String| error == "down")
        .build()
        .unwrap();
    for id in 0..50 {
        assert!(rows.get(&id).await.is_err());
    }
    assert_stats!(rows, breaker_trips: 0);
    for id in 100..110 {
        assert!(rows.get(&id).await.is_err());
    }
    assert_stats!(rows, breaker_trips: 1);
}

/// The closure is the user's, as the code of the error is: a panic there is one of the fetch.
#[tokio::test(start_paused = true)]
async fn rule_10_a_panic_in_is_outage_is_a_failed_fetch() {
    #[cacheback(fetch_on_miss, is_outage = |_| panic!("undecided"))]
    async fn row(id: u64) -> Result<u64, String> {
        if id == 0 { Err("no".to_owned()) } else { Ok(id) }
    }
    let _own = testing::isolate();
    let failed = tokio::spawn(row::entry(0).get_or_fetch()).await;
    assert!(failed.is_err_and(|failed| failed.is_panic()));
    assert_stats!(row::cache(), panics: 1);
    assert_eq!(row(1).await, Ok(1));
}
