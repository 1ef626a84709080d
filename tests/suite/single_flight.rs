//! Rules 1 to 4: one live fetch a key, in a task of its own, with a claim that lapses, and the writes that supersede
//! it.

use std::sync::Arc;

use cacheback::{Status, cacheback, settle, testing};
use tokio::task::JoinSet;

use crate::support::{Source, advance, run_ready, secs};

#[cacheback(lifetime = 10, fetch_on_miss, refresh_timeout = 5, skip(source))]
async fn waited(_id: u64, source: &Arc<Source>) -> u64 {
    source.number().await
}

fn callers(count: usize, source: &Arc<Source>) -> JoinSet<u64> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let source = Arc::clone(source);
        calls.spawn(async move { waited(1, &source).await });
    }
    calls
}

/// Rule 1: ten thousand callers of one missing key.
#[tokio::test(start_paused = true)]
async fn rule_1_promise_3_ten_thousand_callers_share_one_fetch() {
    let _own = testing::isolate();
    let source = Source::gated();
    let calls = callers(10_000, &source);
    source.started(1).await;
    run_ready().await;
    source.release_all();
    let values = calls.join_all().await;
    assert_eq!(values.len(), 10_000);
    assert!(values.iter().all(|value| *value == 1));
    assert_eq!(source.runs(), 1);
    assert_stats!(waited::cache(), waited: 10_000, fetches: 1, entries: 1, ..0);
}

/// Rule 1: other keys are fetched on their own.
///
/// Elsewhere: a hit on one key waits behind the fetch of another.
#[tokio::test(start_paused = true)]
async fn rule_1_other_keys_do_not_wait_for_a_slow_fetch() {
    let _own = testing::isolate();
    let source = Source::gated();
    let slow = callers(1, &source);
    source.started(1).await;
    source.release(2);
    assert_eq!(waited(2, &source).await, 2);
    source.release_all();
    assert_eq!(slow.join_all().await, [1]);
}

/// Rule 2: the caller who started the fetch goes away.
///
/// Elsewhere: an aborted leader leaves its waiters hanging, or starts the fetch again.
#[tokio::test(start_paused = true)]
async fn rule_2_a_leader_who_is_aborted_cancels_nothing() {
    let _own = testing::isolate();
    let source = Source::gated();
    let mut leader = callers(1, &source);
    source.started(1).await;
    let followers = callers(100, &source);
    run_ready().await;
    leader.abort_all();
    assert!(leader.join_next().await.unwrap().unwrap_err().is_cancelled());
    source.release_all();
    assert_eq!(followers.join_all().await, [1; 100]);
    assert_eq!(source.runs(), 1);
}

/// Rule 2: all but one go away.
#[tokio::test(start_paused = true)]
async fn rule_2_one_caller_is_answered_after_all_others_are_aborted() {
    let _own = testing::isolate();
    let source = Source::gated();
    let mut gone = callers(99, &source);
    source.started(1).await;
    let last = callers(1, &source);
    run_ready().await;
    gone.abort_all();
    while gone.join_next().await.is_some() {}
    source.release_all();
    assert_eq!(last.join_all().await, [1]);
    assert_eq!(source.runs(), 1);
}

/// Rule 2: all go away, and the value is there for the next.
///
/// Elsewhere: an aborted leader poisons the key for every later call.
#[tokio::test(start_paused = true)]
async fn rule_2_the_fetch_ends_without_its_callers() {
    let _own = testing::isolate();
    let source = Source::gated();
    let mut gone = callers(10, &source);
    source.started(1).await;
    gone.shutdown().await;
    source.release_all();
    settle().await;
    let lookup = waited::entry(1, &source).lookup().await;
    assert_eq!((lookup.value, lookup.status), (1, Status::Fresh));
}

/// Rule 3: the claim lapses, another fetch starts, and it answers the waiters of the lapsed one.
#[tokio::test(start_paused = true)]
async fn rule_3_a_later_fetch_answers_the_waiters_of_a_lapsed_one() {
    let _own = testing::isolate();
    let source = Source::gated();
    let first = callers(3, &source);
    source.started(1).await;
    run_ready().await;
    advance(secs(5)).await;
    let second = callers(3, &source);
    source.started(2).await;
    source.release(2);
    assert_eq!(second.join_all().await, [2; 3]);
    assert_eq!(first.join_all().await, [2; 3], "the first fetch still hangs");
    settle().await;
    assert_eq!(source.running(), 0, "and is aborted now that nobody waits for it");
    assert_eq!(waited(1, &source).await, 2);
}

/// Rule 3: a lapse alone supersedes nothing, and a fetch that callers wait for goes on for them.
#[tokio::test(start_paused = true)]
async fn rule_3_a_lapsed_fetch_goes_on_for_those_who_wait_and_is_stored() {
    let _own = testing::isolate();
    let source = Source::gated();
    let calls = callers(2, &source);
    source.started(1).await;
    run_ready().await;
    advance(secs(6)).await;
    run_ready().await;
    assert_eq!(source.running(), 1);
    source.release(1);
    assert_eq!(calls.join_all().await, [1; 2]);
    assert_eq!(waited::entry(1, &source).peek().await.map(|found| found.value), Some(1));
    assert_stats!(waited::cache(), discarded: 0);
}

/// Rule 3: a fetch that nobody waits for is aborted, and that is a failure.
#[tokio::test(start_paused = true)]
async fn rule_3_a_fetch_that_nobody_waits_for_is_aborted_at_its_time_out() {
    let _own = testing::isolate();
    let source = Source::gated();
    let mut calls = callers(2, &source);
    source.started(1).await;
    calls.shutdown().await;
    advance(secs(5)).await;
    settle().await;
    assert_eq!(source.running(), 0);
    assert_stats!(waited::cache(), timeouts: 1, in_flight: 0, entries: 0);
    source.release_all();
    assert_eq!(waited(1, &source).await, 2, "the next call works");
}

/// Rule 3: the last caller of a lapsed fetch leaves.
#[tokio::test(start_paused = true)]
async fn rule_3_a_lapsed_fetch_is_aborted_when_its_last_caller_leaves() {
    let _own = testing::isolate();
    let source = Source::gated();
    let mut calls = callers(2, &source);
    source.started(1).await;
    run_ready().await;
    advance(secs(50)).await;
    run_ready().await;
    assert_eq!(source.running(), 1);
    calls.shutdown().await;
    settle().await;
    assert_eq!(source.running(), 0);
    assert_stats!(waited::cache(), timeouts: 1);
}

/// Rule 3: two fetches after a lapse, finishing in both orders. The later claim's value stands.
#[tokio::test(start_paused = true)]
async fn rule_3_two_fetches_after_a_lapse_finish_in_both_orders() {
    for order in [[1, 2], [2, 1]] {
        let _own = testing::isolate();
        let source = Source::gated();
        let first = callers(1, &source);
        source.started(1).await;
        run_ready().await;
        advance(secs(5)).await;
        let second = callers(1, &source);
        source.started(2).await;
        for run in order {
            source.release(run);
            run_ready().await;
        }
        settle().await;
        assert_eq!(second.join_all().await, [2]);
        let expected = if order == [1, 2] { 1 } else { 2 };
        assert_eq!(first.join_all().await, [expected], "{order:?}");
        let kept = waited::entry(1, &source).peek().await.unwrap();
        assert_eq!(kept.value, 2, "{order:?}");
        // The first one's outcome is discarded, or it is aborted if its waiters were answered before.
        let (discarded, timeouts) = if order == [1, 2] { (1, 0) } else { (0, 1) };
        assert_stats!(waited::cache(), discarded: discarded, timeouts: timeouts, "{order:?}");
    }
}

/// Rule 3: how long a fetch holds its key can depend on the arguments.
#[tokio::test(start_paused = true)]
async fn rule_3_the_time_out_can_depend_on_the_arguments() {
    #[cacheback(fetch_on_miss, refresh_timeout = secs(*timeout), skip(source))]
    async fn varied(timeout: &u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let first = tokio::spawn(varied::entry(&7, &source).get_or_fetch());
    source.started(1).await;
    advance(secs(6)).await;
    let joined = tokio::spawn(varied::entry(&7, &source).get_or_fetch());
    run_ready().await;
    assert_eq!(source.runs(), 1, "the claim holds");
    advance(secs(1)).await;
    let second = tokio::spawn(varied::entry(&7, &source).get_or_fetch());
    source.started(2).await;
    source.release(2);
    for call in [first, joined, second] {
        assert_eq!(call.await.unwrap(), 2);
    }
    settle().await;
}

/// Rule 4: each write supersedes the fetch, which answers the callers who joined before and stores nothing.
///
/// Elsewhere: an invalidation during a background refresh is lost (FusionCache #628).
#[tokio::test(start_paused = true)]
async fn rule_4_a_write_during_the_fetch_supersedes_it() {
    for write in ["set", "equal set", "remove", "clear", "invalidate"] {
        let _own = testing::isolate();
        let source = Source::gated();
        let entry = waited::entry(1, &source);
        let joined = callers(5, &source);
        source.started(1).await;
        run_ready().await;
        match write {
            "set" => entry.set(100).await.unwrap(),
            // The value that the fetch will bring: claims are compared, not values.
            "equal set" => entry.set(1).await.unwrap(),
            "remove" => entry.remove().await.unwrap(),
            "clear" => waited::cache().clear().await.unwrap(),
            _ => entry.invalidate().await.unwrap(),
        }
        let set_at = tokio::time::Instant::now();
        advance(secs(1)).await;
        source.release(1);
        assert_eq!(joined.join_all().await, [1; 5], "{write}: callers who joined before are answered");
        let kept = entry.peek().await;
        match write {
            "set" => assert_eq!(kept.unwrap().value, 100, "the set value"),
            "equal set" => {
                assert_eq!(kept.unwrap().age, set_at.elapsed(), "the set value, not the fetched one");
            }
            _ => assert_eq!(kept, None, "{write}: nothing is stored"),
        }
        assert_stats!(waited::cache(), discarded: 1, "{write}");
        source.release_all();
        settle().await;
        let runs = if write == "invalidate" { 2 } else { 1 };
        assert_eq!(source.runs(), runs, "{write}: an invalidated absent key is fetched anew");
    }
}

/// Rule 4: nobody joins a superseded fetch.
#[tokio::test(start_paused = true)]
async fn rule_4_a_reader_after_the_removal_starts_a_new_fetch() {
    let _own = testing::isolate();
    let source = Source::gated();
    let before = callers(2, &source);
    source.started(1).await;
    run_ready().await;
    waited::entry(1, &source).remove().await.unwrap();
    let after = callers(2, &source);
    source.started(2).await;
    source.release(2);
    assert_eq!(after.join_all().await, [2; 2]);
    source.release(1);
    assert_eq!(before.join_all().await, [1; 2]);
    assert_eq!(waited(1, &source).await, 2, "the removed fetch did not come back");
}

/// Rule 4: fetch, remove, fetch, with the first one finishing in between.
///
/// Elsewhere: a removal during the first load does not keep the old value out.
#[tokio::test(start_paused = true)]
async fn rule_4_the_first_fetch_finishes_between_a_removal_and_the_end_of_the_second() {
    let _own = testing::isolate();
    let source = Source::gated();
    let before = callers(1, &source);
    source.started(1).await;
    run_ready().await;
    waited::entry(1, &source).remove().await.unwrap();
    let after = callers(1, &source);
    source.started(2).await;
    source.release(1);
    assert_eq!(before.join_all().await, [1]);
    assert_eq!(waited::entry(1, &source).peek().await, None);
    let later = callers(1, &source);
    run_ready().await;
    source.release(2);
    assert_eq!(after.join_all().await, [2]);
    assert_eq!(later.join_all().await, [2], "joined the second");
    assert_eq!(source.runs(), 2);
}

#[cacheback(lifetime = 10, fetch_on_miss, skip(source))]
async fn fallible(_id: u64, source: &Arc<Source>) -> Result<u64, String> {
    source.run().await
}

/// Rule 4: a superseded fetch that fails gives its waiters the stored value.
#[tokio::test(start_paused = true)]
async fn rule_4_waiters_of_a_superseded_failure_get_the_stored_value() {
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = fallible::entry(1, &source);
    let call = tokio::spawn(entry.lookup());
    source.started(1).await;
    run_ready().await;
    entry.set(7).await.unwrap();
    source.fail(true);
    source.release(1);
    let lookup = call.await.unwrap();
    assert_eq!((lookup.value, lookup.status), (Ok(7), Status::Fresh));
    assert_eq!(entry.lookup().await.status, Status::Fresh, "no back-off, no refresh");
    settle().await;
    assert_eq!(source.runs(), 1);
}

/// Rule 4: a thousand invalidations during one slow body.
#[tokio::test(start_paused = true)]
async fn rule_4_many_invalidations_run_two_bodies_at_most_and_the_last_value_stands() {
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = waited::entry(1, &source);
    entry.set(100).await.unwrap();
    entry.invalidate().await.unwrap();
    source.started(1).await;
    for _ in 0..1000 {
        entry.invalidate().await.unwrap();
        run_ready().await;
    }
    assert_eq!((source.runs(), source.peak()), (2, 2));
    for run in 1..=2 {
        source.release(run);
        run_ready().await;
    }
    source.started(3).await;
    source.release_all();
    settle().await;
    assert_eq!(source.peak(), 2);
    let last = source.runs();
    assert_eq!(entry.peek().await.unwrap().value, last, "the last one's value stands");
    assert_eq!(last, 3, "one re-run at the end");
}

/// Rule 4: a caller who comes to wait starts a parked re-run, whose turn has not come.
#[tokio::test(start_paused = true)]
async fn rule_4_a_caller_who_waits_starts_a_parked_fetch_at_once() {
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = waited::entry(1, &source);
    entry.set(100).await.unwrap();
    for runs in 1..=2 {
        entry.invalidate().await.unwrap();
        source.started(runs).await;
    }
    entry.invalidate().await.unwrap();
    run_ready().await;
    assert_eq!(source.runs(), 2, "parked");
    let refresh = tokio::spawn(entry.refresh());
    source.started(3).await;
    source.release(3);
    assert_eq!(refresh.await.unwrap(), 3);
    source.release_all();
    settle().await;
    assert_eq!(entry.peek().await.unwrap().value, 3);
    assert_eq!(source.runs(), 3);
}

/// Rule 4: the bodies ahead of a parked re-run hang, with waiters. It starts when their claims lapse, and answers them.
#[tokio::test(start_paused = true)]
async fn rule_4_a_parked_fetch_starts_when_those_ahead_of_it_lapse() {
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = waited::entry(1, &source);
    entry.set(100).await.unwrap();
    let mut waiters = Vec::new();
    for runs in 1..=2 {
        waiters.push(tokio::spawn(entry.refresh()));
        source.started(runs).await;
        run_ready().await;
        entry.invalidate().await.unwrap();
    }
    run_ready().await;
    assert_eq!(source.runs(), 2, "parked");
    source.release(3);
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), 3, "its own body hangs");
    }
    settle().await;
    assert_eq!((source.runs(), source.running()), (3, 0));
}
