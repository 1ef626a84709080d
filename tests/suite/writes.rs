//! The writes of section 1: `set`, `invalidate`, `remove`, `clear`, `refresh`.

use std::sync::{Arc, Weak};

use cacheback::{Status, cacheback, settle, testing};

use crate::support::{Source, advance, millis, run_ready, secs};

#[cacheback(lifetime = 10, max_stale = 20, retention = 60, skip(source))]
async fn number(id: u64, source: &Arc<Source>) -> u64 {
    let _ = id;
    source.number().await
}

#[tokio::test(start_paused = true)]
async fn set_is_fresh_from_now_with_the_lifetime_of_the_function() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = number::entry(1, &source);
    entry.set(7).await.unwrap();
    advance(millis(9_999)).await;
    let lookup = entry.lookup().await;
    assert_eq!((lookup.value, lookup.status, lookup.age), (7, Status::Fresh, Some(millis(9_999))));
    advance(millis(1)).await;
    assert_eq!(entry.lookup().await.status, Status::Stale);
    settle().await;
    assert_eq!(source.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn invalidate_cuts_the_lifetime_and_starts_one_refresh() {
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = number::entry(1, &source);
    entry.set(7).await.unwrap();
    advance(secs(4)).await;
    entry.invalidate().await.unwrap();
    source.started(1).await;
    let lookup = entry.lookup().await;
    assert_eq!(
        (lookup.value, lookup.status, lookup.age),
        (7, Status::Stale, Some(secs(4))),
        "the age is as it was"
    );
    // Too stale `max_stale` after the cut, not after the lifetime that was cut.
    advance(millis(19_999)).await;
    assert_eq!(entry.lookup().await.status, Status::Stale);
    advance(millis(1)).await;
    let waits = tokio::spawn(entry.lookup());
    run_ready().await;
    assert!(!waits.is_finished(), "too stale: waits");
    source.release(1);
    assert_eq!(waits.await.unwrap().value, 1);
    settle().await;
    assert_eq!(source.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn invalidate_leaves_the_retention_as_it_was() {
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    #[cacheback(lifetime = 10, retention = 60, skip(source))]
    async fn failing(id: u64, source: &Arc<Source>) -> Result<u64, String> {
        let _ = id;
        source.run().await
    }
    let entry = failing::entry(1, &source);
    entry.set(7).await.unwrap();
    advance(secs(4)).await;
    entry.invalidate().await.unwrap();
    settle().await;
    advance(millis(55_999)).await;
    assert_eq!(entry.lookup().await.value, Ok(7));
    settle().await;
    advance(millis(1)).await;
    assert_eq!(entry.lookup().await.status, Status::Empty);
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn invalidate_of_an_absent_key_does_nothing() {
    let _own = testing::isolate();
    let source = Source::open();
    number::entry(1, &source).invalidate().await.unwrap();
    settle().await;
    assert_eq!(source.runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn invalidate_of_an_absent_key_that_is_being_fetched_fetches_anew() {
    let _own = testing::isolate();
    let source = Source::gated();
    assert_eq!(number(1, &source).await, 0);
    source.started(1).await;
    number::entry(1, &source).invalidate().await.unwrap();
    source.started(2).await;
    source.release(2);
    source.release(1);
    settle().await;
    assert_eq!(number::entry(1, &source).peek().await.unwrap().value, 2);
}

#[tokio::test(start_paused = true)]
async fn remove_and_clear_leave_nothing() {
    let _own = testing::isolate();
    let source = Source::open();
    for id in 0..100 {
        number::entry(id, &source).set(id).await.unwrap();
    }
    number::entry(7, &source).remove().await.unwrap();
    assert_eq!(number::cache().len(), 99);
    assert_eq!(number::entry(7, &source).peek().await, None);
    number::cache().clear().await.unwrap();
    assert!(number::cache().is_empty());
    for id in 0..100 {
        assert_eq!(number::entry(id, &source).peek().await, None);
    }
    number::entry(7, &source).set(8).await.unwrap();
    assert_eq!(number(7, &source).await, 8, "and new values stay");
    assert_eq!(source.runs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_value_set_while_the_cache_is_cleared_elsewhere_is_whole() {
    let _own = testing::isolate();
    let source = Source::open();
    for round in 0..100 {
        let entry = number::entry(round % 3, &source);
        entry.set(round).await.unwrap();
        assert_eq!(entry.peek().await.unwrap().value, round);
        number::cache().clear().await.unwrap();
        assert_eq!(entry.peek().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn refresh_joins_a_live_fetch_and_ignores_back_off() {
    #[cacheback(lifetime = 10, wait = 0, skip(source))]
    async fn number(id: u64, source: &Arc<Source>) -> Result<u64, String> {
        let _ = id;
        source.run().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = number::entry(1, &source);
    entry.set(7).await.unwrap();
    let both = [tokio::spawn(entry.refresh()), tokio::spawn(entry.refresh())];
    source.started(1).await;
    run_ready().await;
    source.release(1);
    for refresh in both {
        assert_eq!(refresh.await.unwrap(), Ok(1));
    }
    source.release_all();
    source.fail(true);
    for run in 2..5 {
        // Its own outcome, though a value is stored.
        assert_eq!(entry.refresh().await, Err(format!("run {run} failed")));
    }
    assert_eq!(entry.peek().await.unwrap().value, 1);
}

/// A value past its retention is not kept in memory.
#[tokio::test(start_paused = true)]
async fn a_value_past_its_retention_is_dropped() {
    #[cacheback(lifetime = 10, retention = 60)]
    async fn shared(id: u64) -> Arc<u64> {
        Arc::new(id)
    }
    let _own = testing::isolate();
    let value = Arc::new(7);
    let held: Weak<u64> = Arc::downgrade(&value);
    shared::entry(1).set(value).await.unwrap();
    advance(secs(59)).await;
    assert_eq!(shared::cache().len(), 1);
    assert!(held.upgrade().is_some());
    advance(secs(61)).await;
    assert_eq!(shared::cache().len(), 0);
    assert!(held.upgrade().is_none());
}

/// What is removed, replaced or cleared is dropped then and there.
#[tokio::test(start_paused = true)]
async fn a_value_that_is_gone_is_dropped_at_once() {
    #[cacheback(lifetime = 10)]
    async fn shared(id: u64) -> Arc<u64> {
        Arc::new(id)
    }
    let _own = testing::isolate();
    for write in ["set", "remove", "clear"] {
        let value = Arc::new(7);
        let held: Weak<u64> = Arc::downgrade(&value);
        let entry = shared::entry(1);
        entry.set(value).await.unwrap();
        match write {
            "set" => entry.set(Arc::new(8)).await.unwrap(),
            "remove" => entry.remove().await.unwrap(),
            _ => shared::cache().clear().await.unwrap(),
        }
        assert!(held.upgrade().is_none(), "{write}");
    }
}

/// In back-off an invalidation starts nothing, and leaves nothing that keeps readers from starting it later.
#[tokio::test(start_paused = true)]
async fn an_invalidation_in_back_off_holds_nothing_up() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn number(id: u64, source: &Arc<Source>) -> Result<u64, String> {
        let _ = id;
        source.run().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = number::entry(1, &source);
    entry.set(7).await.unwrap();
    advance(secs(10)).await;
    source.fail(true);
    source.release(1);
    assert!(entry.refresh().await.is_err());
    source.fail(false);
    // A refresh ignores the back-off and runs; the invalidation supersedes it and starts no other.
    let superseded = tokio::spawn(entry.refresh());
    source.started(2).await;
    entry.invalidate().await.unwrap();
    source.release_all();
    assert_eq!(superseded.await.unwrap(), Ok(2));
    settle().await;
    assert_eq!(source.runs(), 2);
    advance(secs(1)).await;
    assert_eq!(number(1, &source).await, Ok(7));
    settle().await;
    assert_eq!((source.runs(), number(1, &source).await), (3, Ok(3)), "the back-off is over");
}

/// A kept error is forgotten by an invalidation too.
#[tokio::test(start_paused = true)]
async fn an_invalidation_forgets_a_kept_error() {
    #[cacheback(fetch_on_miss, cache_err = 60, skip(source))]
    async fn number(id: u64, source: &Arc<Source>) -> Result<u64, String> {
        let _ = id;
        source.run().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    for _ in 0..2 {
        assert!(number(1, &source).await.is_err());
    }
    assert_eq!(source.runs(), 1);
    number::entry(1, &source).invalidate().await.unwrap();
    settle().await;
    assert_eq!(source.runs(), 1, "absent: nothing is started");
    assert!(number(1, &source).await.is_err());
    assert_eq!(source.runs(), 2);
}

/// A body that invalidates its own key is run once more, after that, and then the value stands.
#[tokio::test(start_paused = true)]
async fn a_body_that_invalidates_its_own_key_ends() {
    #[cacheback(lifetime = 10, skip(source, times))]
    async fn restless(id: u64, source: &Arc<Source>, times: u64) -> u64 {
        let run = source.number().await;
        for _ in 0..times {
            restless::entry(id, source, times).invalidate().await.unwrap();
            tokio::task::yield_now().await;
        }
        run
    }
    for times in [1, 3] {
        for stored in [true, false] {
            let _own = testing::isolate();
            let source = Source::open();
            let entry = restless::entry(1, &source, times);
            if stored {
                entry.set(100).await.unwrap();
                entry.invalidate().await.unwrap();
            } else {
                assert_eq!(entry.get_or_fetch().await, 1, "who waited for the first run is answered by it");
            }
            settle().await;
            assert_eq!((source.runs(), source.peak()), (2, 1), "{times} times, stored: {stored}");
            let kept = entry.peek().await.unwrap();
            assert_eq!((kept.value, kept.fresh), (2, true));
            // And each time anew.
            advance(secs(10)).await;
            assert_eq!(entry.lookup().await.status, Status::Stale);
            settle().await;
            assert_eq!(source.runs(), 4);
            assert_eq!(entry.peek().await.unwrap().value, 4);
        }
    }
}

/// What comes from elsewhere supersedes a re-run as it does any fetch.
#[tokio::test(start_paused = true)]
async fn an_invalidation_from_elsewhere_runs_a_rerun_anew() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn restless(id: u64, source: &Arc<Source>) -> u64 {
        restless::entry(id, source).invalidate().await.unwrap();
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = restless::entry(1, &source);
    let _ = entry.lookup().await;
    source.started(1).await;
    source.release(1);
    source.started(2).await;
    entry.invalidate().await.unwrap();
    source.started(3).await;
    source.release_all();
    settle().await;
    // The third was no re-run, so it had one of its own.
    assert_eq!((source.runs(), entry.peek().await.unwrap().value), (4, 4));
}

/// Two bodies that invalidate each other: the circle is left after some rounds.
#[tokio::test(start_paused = true)]
async fn bodies_that_invalidate_each_other_end() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn chicken(id: u64, source: &Arc<Source>) -> u64 {
        egg::entry(id, source).invalidate().await.unwrap();
        source.number().await
    }
    #[cacheback(lifetime = 10, skip(source))]
    async fn egg(id: u64, source: &Arc<Source>) -> u64 {
        chicken::entry(id, source).invalidate().await.unwrap();
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    chicken::entry(1, &source).set(100).await.unwrap();
    egg::entry(1, &source).set(100).await.unwrap();
    chicken::entry(1, &source).invalidate().await.unwrap();
    settle().await;
    let runs = source.runs();
    assert!((2..40).contains(&runs), "{runs} bodies");
    // A chain that is none leads to its end.
    assert!(chicken::entry(1, &source).peek().await.unwrap().value <= runs);
    settle().await;
    assert_eq!(source.runs(), runs, "nothing goes on by itself");
}
