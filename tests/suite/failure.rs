//! Rules 5 to 8 and 10: ages, failures, back-off, shared errors, panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheback::{Status, cacheback, settle, testing};
use tokio::task::JoinSet;

use crate::support::{Source, advance, millis, run_ready, secs};

#[cacheback(lifetime = 10, fetch_on_miss, skip(source))]
async fn waited(_id: u64, source: &Arc<Source>) -> Result<u64, String> {
    source.run().await
}

#[cacheback(lifetime = 10, max_backoff = 8, retention = "1h", skip(source))]
async fn served(_id: u64, source: &Arc<Source>) -> Result<u64, String> {
    source.run().await
}

/// Rule 5: the age counts from the start of the fetch; a body slower than its lifetime brings a stale value.
#[tokio::test(start_paused = true)]
async fn rule_5_the_age_counts_from_the_start_of_the_fetch() {
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = waited::entry(1, &source);
    let call = tokio::spawn(entry.lookup());
    source.started(1).await;
    advance(secs(12)).await;
    source.release(1);
    let lookup = call.await.unwrap();
    assert_eq!((lookup.value, lookup.status, lookup.age), (Ok(1), Status::Fetched, Some(secs(12))));
    let kept = entry.peek().await.unwrap();
    assert_eq!((kept.age, kept.fresh), (secs(12), false));
}

/// Rule 6: 50 reads over a dead origin within a second.
///
/// Elsewhere: without a back-off, 50 stale reads of a failing origin ask it 50 times.
#[tokio::test(start_paused = true)]
async fn rule_6_a_dead_origin_is_asked_a_few_times_only() {
    for stored in [true, false] {
        let _own = testing::isolate();
        let source = Source::open();
        let entry = served::entry(1, &source);
        if stored {
            entry.set(7).await.unwrap();
            advance(secs(10)).await;
        }
        source.fail(true);
        for _ in 0..50 {
            let lookup = entry.lookup().await;
            let expected = if stored { (Ok(7), Status::Stale) } else { (Ok(0), Status::Empty) };
            assert_eq!((lookup.value, lookup.status), expected);
            settle().await;
            advance(millis(20)).await;
        }
        assert!((1..=3).contains(&source.runs()), "{} runs, stored: {stored}", source.runs());
    }
}

/// Rule 6: the back-off doubles up to `max_backoff` and is shortened by half at most. A success clears it.
#[tokio::test(start_paused = true)]
async fn rule_6_back_off_doubles_and_a_success_clears_it() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = served::entry(1, &source);
    entry.set(7).await.unwrap();
    advance(secs(10)).await;
    source.fail(true);
    for pause in [1, 2, 4, 8, 8, 8] {
        let before = source.runs();
        entry.lookup().await;
        settle().await;
        assert_eq!(source.runs(), before + 1);
        // Never before half of it ...
        advance(secs(pause) / 2 - millis(1)).await;
        entry.lookup().await;
        settle().await;
        assert_eq!(source.runs(), before + 1, "within half of {pause} s");
        // ... and never after all of it.
        advance(secs(pause) / 2 + millis(1)).await;
    }
    source.fail(false);
    entry.lookup().await;
    settle().await;
    assert_eq!(entry.lookup().await.status, Status::Fresh);
    advance(secs(10)).await;
    source.fail(true);
    let before = source.runs();
    entry.lookup().await;
    settle().await;
    advance(secs(1)).await;
    entry.lookup().await;
    settle().await;
    assert_eq!(source.runs(), before + 2, "back to one second");
}

/// Rule 6: each back-off is shortened at random, so that keys that failed together are not fetched together again.
#[tokio::test(start_paused = true)]
async fn rule_6_the_back_offs_of_keys_that_failed_together_differ() {
    #[cacheback(lifetime = 10, max_backoff = 8, retention = "1h", breaker = false, skip(source))]
    async fn served(_id: u64, source: &Arc<Source>) -> Result<u64, String> {
        source.run().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    for id in 0..200 {
        let _ = served::entry(id, &source).refresh().await;
    }
    let mut fetched = Vec::new();
    for _ in 0..10 {
        advance(millis(100)).await;
        let before = source.runs();
        for id in 0..200 {
            let _ = served(id, &source).await;
        }
        settle().await;
        fetched.push(source.runs() - before);
    }
    assert_eq!(fetched[..4], [0; 4], "none within half a second: {fetched:?}");
    assert!(fetched[5..9].iter().all(|fetches| *fetches > 0), "spread over the rest: {fetched:?}");
}

/// Rule 6: the back-off doubles also if there is no value beside which failures could be counted.
#[tokio::test(start_paused = true)]
async fn rule_6_an_absent_key_backs_off_too() {
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    let mut gaps = Vec::new();
    let mut last = tokio::time::Instant::now();
    while gaps.len() < 8 {
        let before = source.runs();
        let _ = served(1, &source).await;
        settle().await;
        if source.runs() > before {
            gaps.push(last.elapsed());
            last = tokio::time::Instant::now();
        }
        advance(millis(50)).await;
    }
    for (gap, pause) in gaps[1..].iter().zip([1, 2, 4, 8, 8, 8, 8]) {
        assert!(*gap >= secs(pause) / 2 && *gap <= secs(pause) + millis(100), "{gaps:?}");
    }
}

/// Rule 6: failures are counted on after a back-off that nobody used, without a value and past a value's retention.
#[tokio::test(start_paused = true)]
async fn rule_6_the_count_of_failures_outlives_the_back_off_and_the_value() {
    #[cacheback(lifetime = 1, retention = 12, max_backoff = 8, skip(source))]
    async fn brief(_id: u64, source: &Arc<Source>) -> Result<u64, String> {
        source.run().await
    }
    for stored in [false, true] {
        let _own = testing::isolate();
        let source = Source::open();
        let entry = brief::entry(1, &source);
        if stored {
            entry.set(7).await.unwrap();
            advance(secs(1)).await;
        }
        source.fail(true);
        for _ in 0..5 {
            entry.refresh().await.unwrap_err();
        }
        // The back-off of at most 8 s is over, and the value is gone and swept.
        advance(secs(11)).await;
        assert!(brief::cache().is_empty());
        assert_eq!(brief(1, &source).await, Ok(0));
        settle().await;
        assert_eq!(source.runs(), 6);
        advance(secs(3)).await;
        assert_eq!(brief(1, &source).await, Ok(0));
        settle().await;
        assert_eq!(
            source.runs(),
            6,
            "the back-off after the sixth failure is 4 s at least, stored: {stored}"
        );
    }
}

/// Rule 6: a panic and an abort at the time-out are failures like any other.
#[tokio::test(start_paused = true)]
async fn rule_6_panics_and_time_outs_back_off() {
    #[cacheback(lifetime = 10, refresh_timeout = std::time::Duration::from_secs(*timeout), skip(source))]
    async fn wild(timeout: &u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    for hangs in [true, false] {
        let source = if hangs { Source::gated() } else { Source::open() };
        source.fail(true);
        let timeout = if hangs { 3 } else { 4 };
        let start = tokio::time::Instant::now();
        for _ in 0..10 {
            assert_eq!(wild(&timeout, &source).await, 0);
            settle().await;
        }
        assert_eq!(source.runs(), 1, "the key is in back-off, hanging: {hangs}");
        assert_eq!(start.elapsed(), secs(if hangs { 3 } else { 0 }), "the arguments say when it times out");
    }
}

/// Rule 6: `max_backoff` can depend on the arguments.
#[tokio::test(start_paused = true)]
async fn rule_6_the_longest_back_off_can_depend_on_the_arguments() {
    #[cacheback(lifetime = 10, max_backoff = std::time::Duration::from_secs(*limit), skip(source))]
    async fn bounded(limit: &u64, source: &Arc<Source>) -> Result<u64, String> {
        source.run().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    for _ in 0..10 {
        let _ = bounded(&0, &source).await;
        settle().await;
    }
    assert_eq!(source.runs(), 10, "no pause at all");
}

/// Rule 6: a failure renews neither age nor lifetime nor retention.
///
/// Elsewhere: a stale value that is served on errors is renewed by each error, so that its age has no bound.
/// Elsewhere: each attempt on a dead origin renews the expiry, so that the fetch that callers wait for never comes.
#[tokio::test(start_paused = true)]
async fn rule_6_a_failed_fetch_renews_nothing() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = served::entry(1, &source);
    entry.set(7).await.unwrap();
    source.fail(true);
    for minute in 1..60 {
        advance(secs(60)).await;
        let lookup = entry.lookup().await;
        assert_eq!((lookup.value, lookup.age), (Ok(7), Some(secs(60 * minute))));
        settle().await;
    }
    advance(secs(60)).await;
    assert_eq!(entry.lookup().await.status, Status::Empty, "gone at its retention");
    settle().await;
}

/// Rule 6: `set`, `remove` and `clear` end the back-off, `invalidate` does not.
#[tokio::test(start_paused = true)]
async fn rule_6_set_remove_and_clear_end_the_back_off_and_invalidate_does_not() {
    for (write, runs) in [("set", 2), ("remove", 2), ("clear", 2), ("invalidate", 1)] {
        let _own = testing::isolate();
        let source = Source::open();
        let entry = served::entry(1, &source);
        entry.set(7).await.unwrap();
        advance(secs(10)).await;
        source.fail(true);
        entry.lookup().await;
        settle().await;
        assert_eq!(source.runs(), 1);
        match write {
            "set" => {
                entry.set(8).await.unwrap();
                entry.invalidate().await.unwrap();
            }
            "remove" => entry.remove().await.unwrap(),
            "clear" => served::cache().clear().await.unwrap(),
            _ => entry.invalidate().await.unwrap(),
        }
        entry.lookup().await;
        settle().await;
        assert_eq!(source.runs(), runs, "{write}");
    }
}

/// Rule 6: a caller who can get nothing else fetches, also in back-off.
#[tokio::test(start_paused = true)]
async fn rule_6_a_caller_with_nothing_else_to_get_fetches_regardless() {
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    for run in 1..=3 {
        assert_eq!(waited(1, &source).await, Err(format!("run {run} failed")));
    }
    source.fail(false);
    assert_eq!(waited(1, &source).await, Ok(4));
}

/// Rule 7: 200 callers of a failing body.
///
/// Elsewhere: twenty waiters on a failing fetch repeat it one after the other.
#[tokio::test(start_paused = true)]
async fn rule_7_all_waiters_share_one_error() {
    let _own = testing::isolate();
    let source = Source::gated();
    source.fail(true);
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let source = Arc::clone(&source);
        calls.spawn(async move { waited(1, &source).await });
    }
    source.started(1).await;
    run_ready().await;
    source.release_all();
    for outcome in calls.join_all().await {
        assert_eq!(outcome, Err("run 1 failed".to_owned()));
    }
    assert_eq!(source.runs(), 1, "no caller repeats it");
    assert_stats!(waited::cache(), errors: 1);
}

/// Rule 8: `Err` is not cached, everything else is.
#[tokio::test(start_paused = true)]
async fn rule_8_errors_are_not_cached_and_all_values_are() {
    #[cacheback(lifetime = 10, fetch_on_miss, skip(source))]
    async fn absent(_id: u64, source: &Arc<Source>) -> Option<u64> {
        let _ = source.run().await;
        None
    }
    #[cacheback(lifetime = 10, fetch_on_miss, skip(source))]
    async fn list(_id: u64, source: &Arc<Source>) -> Vec<u64> {
        let _ = source.run().await;
        vec![]
    }
    let _own = testing::isolate();
    let source = Source::open();
    for _ in 0..3 {
        assert_eq!(absent(1, &source).await, None);
        assert_eq!(list(1, &source).await, [0; 0]);
    }
    assert_eq!(source.runs(), 2);
    source.fail(true);
    for _ in 0..3 {
        assert!(waited(1, &source).await.is_err());
    }
    assert_eq!(source.runs(), 5);
    assert_eq!(waited::cache().len(), 0);
}

static PANICS: AtomicU64 = AtomicU64::new(0);

#[cacheback(lifetime = 10, fetch_on_miss, skip(source))]
async fn panicking(_id: u64, source: &Arc<Source>) -> u64 {
    match source.run().await {
        Ok(run) => run,
        Err(message) => {
            PANICS.fetch_add(1, Ordering::SeqCst);
            panic!("{message}, boldly");
        }
    }
}

/// Rule 10: a panic reaches the callers who waited and can get nothing else. The key goes on.
///
/// Elsewhere: a refresh that panics wedges its key for good.
#[tokio::test(start_paused = true)]
async fn rule_10_a_panic_is_a_failed_fetch() {
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    let call = tokio::spawn(panicking::entry(1, &source).get_or_fetch());
    let panic = call.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("::panicking") && message.contains("run 1 failed, boldly"), "{message}");
    source.fail(false);
    assert_eq!(panicking(1, &source).await, 2, "the next call works");
    assert_stats!(panicking::cache(), panics: 1, in_flight: 0);

    // With a stale value to fall back on nobody panics.
    advance(secs(10)).await;
    source.fail(true);
    let lookup = panicking::entry(1, &source).lookup().await;
    assert_eq!((lookup.value, lookup.status), (2, Status::Stale));
    settle().await;
    assert_stats!(panicking::cache(), panics: 2);
    assert!(PANICS.load(Ordering::SeqCst) >= 2);
}

/// Rule 10: a payload that is no message reaches the call that started the fetch as it was. There is only one of it:
/// the other callers are told that the panic had no message.
#[tokio::test(start_paused = true)]
async fn rule_10_a_payload_reaches_the_caller_who_started_the_fetch_as_it_was() {
    #[derive(Debug, PartialEq)]
    struct Payload(u64);
    #[cacheback(fetch_on_miss, skip(source))]
    async fn bold(id: u64, source: &Arc<Source>) -> u64 {
        if source.run().await.is_err() { std::panic::panic_any(Payload(id)) } else { id }
    }
    fn panics<T>(id: u64) -> T {
        std::panic::panic_any(Payload(id))
    }
    #[cacheback(fetch_on_miss = panics(*id), lifetime = panics(*id))]
    async fn bold_options(id: &u64) -> u64 {
        *id
    }
    async fn payload_of(call: impl Future<Output = u64> + Send + 'static) -> Payload {
        let panicked = tokio::spawn(call).await.unwrap_err().into_panic();
        *panicked.downcast().expect("as it was")
    }
    let _own = testing::isolate();
    let source = Source::gated();
    source.fail(true);
    let entry = bold::entry(7, &source);
    for runs in 0..2 {
        let starter = tokio::spawn(entry.refresh());
        source.started(runs + 1).await;
        let other = tokio::spawn(entry.get_or_fetch());
        run_ready().await;
        source.release(runs + 1);
        let panicked = starter.await.unwrap_err().into_panic();
        assert_eq!(panicked.downcast_ref(), Some(&Payload(7)));
        let panicked = other.await.unwrap_err().into_panic();
        let message = panicked.downcast_ref::<String>().unwrap();
        assert!(message.ends_with("::bold` panicked: (a panic without a message)"), "{message}");
    }
    source.release_all();
    assert_eq!(payload_of(entry.get_or_fetch()).await, Payload(7));
    // An expression of an option is the user's too, wherever it runs.
    let entry = bold_options::entry(&8);
    assert_eq!(payload_of(entry.refresh()).await, Payload(8));
    let lookup = entry.lookup();
    assert_eq!(payload_of(async move { lookup.await.value }).await, Payload(8));
    let set = entry.set(1);
    assert_eq!(payload_of(async move { set.await.map_or(0, |()| 0) }).await, Payload(8));
}

/// A body that never returns: the next calls work.
///
/// Elsewhere: a body that hangs holds its key for hours (FusionCache #265).
#[tokio::test(start_paused = true)]
async fn rule_3_a_body_that_never_returns_holds_its_key_for_its_time_out_only() {
    #[cacheback(lifetime = 10, refresh_timeout = 5, skip(source))]
    async fn hanging(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = hanging::entry(1, &source);
    assert_eq!(hanging(1, &source).await, 0);
    source.started(1).await;
    advance(secs(5)).await;
    settle().await;
    advance(secs(1)).await;
    source.release(2);
    assert_eq!(entry.get_or_fetch().await, 2);
    assert_stats!(hanging::cache(), timeouts: 1);
}
