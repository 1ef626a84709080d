//! `shutdown` waits for the fetches that run. No refresh starts any more, and nothing hangs.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use cacheback::{Shutdown, Status, cacheback, settle, shutdown, testing};
use tokio::time::Instant;

use crate::support::{Source, advance, run_ready, secs};

#[cacheback(lifetime = 10, skip(source))]
async fn number(_id: u64, source: &Arc<Source>) -> u64 {
    source.number().await
}

/// Values of zero that are stale by now.
async fn stale(keys: u64, source: &Arc<Source>) {
    for id in 0..keys {
        number::entry(id, source).set(0).await.unwrap();
    }
    advance(secs(10)).await;
}

fn counts(shutdown: Shutdown) -> (u64, u64) {
    (shutdown.finished, shutdown.aborted)
}

/// Polls a future once.
async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_with_nothing_running_returns_at_once() {
    let _own = testing::isolate();
    let before = Instant::now();
    for limit in [secs(60), secs(0), std::time::Duration::MAX] {
        assert_eq!(counts(shutdown(limit).await), (0, 0));
    }
    assert_eq!(before.elapsed(), secs(0));
}

/// It waits for the fetches that run. Refreshes are refused, stale and empty values are served, and callers who wait
/// still fetch.
#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_runs_and_starts_no_refresh() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(3, &source).await;
    for id in 0..2 {
        let _ = number(id, &source).await;
    }
    source.started(2).await;
    let ending = tokio::spawn(shutdown(secs(30)));
    run_ready().await;
    for _ in 0..3 {
        let lookup = number::entry(2, &source).lookup().await;
        assert_eq!((lookup.value, lookup.status), (0, Status::Stale));
        assert_eq!(number::entry(9, &source).lookup().await.status, Status::Empty);
    }
    number::entry(2, &source).invalidate().await.unwrap();
    run_ready().await;
    assert_eq!(source.runs(), 2);
    assert_stats!(number::cache(), refused: 7);
    // Fetches with callers, of a stale key and of an absent one: the shutdown waits for them, too.
    let waits = [number::entry(2, &source).refresh(), number::entry(10, &source).refresh()].map(tokio::spawn);
    source.started(4).await;
    source.release(1);
    source.release(2);
    run_ready().await;
    assert!(!ending.is_finished());
    source.release_all();
    for wait in waits {
        assert!(wait.await.unwrap() > 2);
    }
    assert_eq!(counts(ending.await.unwrap()), (4, 0));
    assert!(number::entry(0, &source).peek().await.unwrap().fresh);
    // Later, too.
    advance(secs(10)).await;
    assert_eq!(number::entry(0, &source).lookup().await.status, Status::Stale);
    settle().await;
    assert_eq!(source.runs(), 4);
    assert_eq!(number::entry(0, &source).refresh().await, 5);
}

/// A queued refresh is given up, and its key is not stuck. One that a waiter has taken over runs.
#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_up_queued_refreshes_but_for_those_with_waiters() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(70, &source).await;
    for id in 0..70 {
        let _ = number(id, &source).await;
    }
    source.started(64).await;
    let taken_over = tokio::spawn(number::entry(64, &source).refresh());
    source.started(65).await;
    let ending = tokio::spawn(shutdown(secs(30)));
    run_ready().await;
    assert_stats!(number::cache(), refused: 5);
    let late = tokio::spawn(number::entry(65, &source).refresh());
    source.started(66).await;
    source.release_all();
    assert!(taken_over.await.unwrap() > 0 && late.await.unwrap() > 0);
    assert_eq!(counts(ending.await.unwrap()), (66, 0));
    assert_eq!(source.runs(), 66);
    assert_stats!(number::cache(), skipped: 0);
}

/// A re-run that waits for the end of a superseded body is given up at that end.
#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_up_a_rerun_that_waits_for_its_body() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(1, &source).await;
    let entry = number::entry(0, &source);
    let _ = number(0, &source).await;
    for runs in 1..=2 {
        source.started(runs).await;
        entry.invalidate().await.unwrap();
    }
    run_ready().await;
    entry.invalidate().await.unwrap();
    assert_eq!(source.runs(), 2, "the third waits");
    let ending = tokio::spawn(shutdown(secs(30)));
    run_ready().await;
    source.release_all();
    assert_eq!(counts(ending.await.unwrap()), (2, 0));
    assert_eq!(source.runs(), 2);
    assert_stats!(number::cache(), refused: 1);
    assert_eq!(entry.refresh().await, 3);
}

/// At the limit a parked re-run is nothing that would have to end.
#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_a_rerun_behind_bodies_with_callers() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(1, &source).await;
    let entry = number::entry(0, &source);
    let mut waits = Vec::new();
    for runs in 1..=2 {
        waits.push(tokio::spawn(entry.refresh()));
        source.started(runs).await;
        run_ready().await;
        entry.invalidate().await.unwrap();
    }
    run_ready().await;
    assert_eq!(source.runs(), 2, "the third waits");
    let before = Instant::now();
    assert_eq!((counts(shutdown(secs(0)).await), before.elapsed()), ((0, 0), secs(0)));
    source.release_all();
    for wait in waits {
        assert!(wait.await.unwrap() > 0);
    }
    settle().await;
    assert_eq!(source.runs(), 2);
    assert_stats!(number::cache(), refused: 1);
}

/// At the limit, fetches that nobody waits for are aborted. That is no failure: the key does not back off.
#[tokio::test(start_paused = true)]
async fn at_the_limit_of_a_shutdown_what_nobody_waits_for_is_aborted() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(5, &source).await;
    for id in 0..5 {
        let _ = number(id, &source).await;
    }
    source.started(5).await;
    source.release(1);
    let before = Instant::now();
    assert_eq!(counts(shutdown(secs(7)).await), (1, 4));
    assert_eq!(before.elapsed(), secs(7));
    assert_eq!(source.running(), 0, "the bodies are dropped");
    assert_stats!(number::cache(), in_flight: 0, timeouts: 0, errors: 0);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_a_shutdown_aborts_is_no_failure() {
    #[cacheback(lifetime = 10, max_stale = 0, skip(source))]
    async fn too_stale(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = too_stale::entry(1, &source);
    entry.set(7).await.unwrap();
    entry.invalidate().await.unwrap();
    source.started(1).await;
    assert_eq!(counts(shutdown(secs(1)).await), (0, 1));
    source.release_all();
    // In back-off this would be the stale value, at once.
    let lookup = entry.lookup().await;
    assert_eq!((lookup.value, lookup.status), (2, Status::Fetched));
}

/// A caller comes at the very limit, before the fetch has noticed it: the fetch goes on, and holds nothing up.
#[tokio::test(start_paused = true)]
async fn a_caller_who_comes_at_the_limit_of_a_shutdown_is_answered() {
    let _own = testing::isolate();
    let source = Source::gated();
    let _ = number(1, &source).await;
    source.started(1).await;
    let before = Instant::now();
    let ending = async {
        assert_eq!(counts(shutdown(secs(0)).await), (0, 0));
        assert_eq!(before.elapsed(), secs(0));
        source.release_all();
    };
    let (_, waited) = tokio::join!(ending, number::entry(1, &source).refresh());
    assert_eq!(waited, 1);
}

/// At the limit a fetch with callers goes on for them, and ends with the last of them.
#[tokio::test(start_paused = true)]
async fn at_the_limit_of_a_shutdown_what_is_waited_for_goes_on() {
    let _own = testing::isolate();
    let source = Source::gated();
    let stays = tokio::spawn(number::entry(1, &source).get_or_fetch());
    let leaves = tokio::spawn(number::entry(2, &source).get_or_fetch());
    source.started(2).await;
    let before = Instant::now();
    assert_eq!(counts(shutdown(secs(1)).await), (0, 0));
    assert_eq!(before.elapsed(), secs(1));
    assert_eq!(source.running(), 2);
    leaves.abort();
    run_ready().await;
    assert_eq!(source.running(), 1);
    // Other callers may still join it, and later fetches begin, for as long as their callers stay.
    let joins = tokio::spawn(number::entry(1, &source).get_or_fetch());
    let begins = tokio::spawn(number::entry(3, &source).get_or_fetch());
    source.started(3).await;
    run_ready().await;
    assert_eq!(source.running(), 2);
    begins.abort();
    run_ready().await;
    assert_eq!(source.running(), 1);
    source.release_all();
    assert_eq!((stays.await.unwrap(), joins.await.unwrap()), (1, 1));
    assert_eq!(counts(shutdown(secs(0)).await), (0, 0));
}

/// A fetch waits for another one: if the outer one is aborted, nobody waits for the inner one.
#[tokio::test(start_paused = true)]
async fn a_shutdown_aborts_a_fetch_within_a_fetch_with_it() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn outer(id: u64, source: &Arc<Source>) -> u64 {
        number::entry(id, source).get_or_fetch().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    for id in 0..10 {
        let _ = outer(id, &source).await;
    }
    source.started(10).await;
    assert_eq!(counts(shutdown(secs(1)).await), (0, 20));
    assert_eq!(source.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_with_a_limit_of_zero_aborts_at_once() {
    let _own = testing::isolate();
    let source = Source::gated();
    let _ = number(1, &source).await;
    source.started(1).await;
    let before = Instant::now();
    assert_eq!(counts(shutdown(secs(0)).await), (0, 1));
    assert_eq!((before.elapsed(), source.running()), (secs(0), 0));
}

/// A fetch whose body was not polled yet is aborted before it does anything.
#[tokio::test(start_paused = true)]
async fn a_shutdown_with_a_limit_of_zero_aborts_a_fetch_that_is_being_started() {
    let _own = testing::isolate();
    let source = Source::gated();
    let _ = number(1, &source).await;
    assert_eq!(counts(shutdown(secs(0)).await), (0, 1));
    assert_eq!(source.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn two_shutdowns_one_after_the_other() {
    let _own = testing::isolate();
    let source = Source::gated();
    let _ = number(1, &source).await;
    source.started(1).await;
    let waits = tokio::spawn(number::entry(2, &source).refresh());
    source.started(2).await;
    assert_eq!(counts(shutdown(secs(1)).await), (0, 1));
    let second = tokio::spawn(shutdown(secs(1)));
    run_ready().await;
    source.release_all();
    assert_eq!(counts(second.await.unwrap()), (1, 0), "the fetch that runs by then");
    assert_eq!(waits.await.unwrap(), 2);
    assert_eq!(counts(shutdown(secs(1)).await), (0, 0));
}

/// Both see the same end. The shorter limit counts.
#[tokio::test(start_paused = true)]
async fn two_shutdowns_at_once_see_the_same_end() {
    let _own = testing::isolate();
    let source = Source::gated();
    for id in 0..3 {
        let _ = number(id, &source).await;
    }
    source.started(3).await;
    let before = Instant::now();
    let long = tokio::spawn(shutdown(secs(50)));
    let short = tokio::spawn(shutdown(secs(5)));
    run_ready().await;
    source.release(1);
    assert_eq!(counts(long.await.unwrap()), (1, 2));
    assert_eq!(counts(short.await.unwrap()), (1, 2));
    assert_eq!(before.elapsed(), secs(5));
}

/// In a body, `shutdown` waits for the other fetches, but not for its own, and does not abort that.
#[tokio::test(start_paused = true)]
async fn a_shutdown_within_a_fetch_does_not_wait_for_that_fetch() {
    #[cacheback(lifetime = 10, skip(limit))]
    async fn ends(_id: u64, limit: u64) -> (u64, u64) {
        counts(shutdown(secs(limit)).await)
    }
    let _own = testing::isolate();
    let source = Source::gated();
    for id in 0..2 {
        let _ = number(id, &source).await;
    }
    source.started(2).await;
    let before = Instant::now();
    // Two such fetches, which do not wait for each other: a refresh, and one with a caller.
    let _ = ends(1, 5).await;
    let waits = tokio::spawn(ends::entry(2, 50).get_or_fetch());
    run_ready().await;
    source.release(1);
    assert_eq!(waits.await.unwrap(), (1, 1));
    settle().await;
    assert_eq!(before.elapsed(), secs(5));
    // The other one may have ended meanwhile.
    let refresh = ends::entry(1, 0).peek().await.unwrap().value;
    assert!(matches!(refresh, (1 | 2, 1)), "{refresh:?}");
    assert_eq!(counts(shutdown(secs(5)).await), (0, 0));
}

/// A shutdown from outside waits for a fetch that has asked for one itself, but does not abort it.
#[tokio::test(start_paused = true)]
async fn a_fetch_that_has_asked_for_a_shutdown_is_not_aborted() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn ends(source: &Arc<Source>) -> (u64, u64) {
        let ended = counts(shutdown(secs(1)).await);
        source.number().await;
        ended
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let _ = ends(&source).await;
    source.started(1).await;
    let before = Instant::now();
    assert_eq!(counts(shutdown(secs(5)).await), (0, 0));
    assert_eq!((before.elapsed(), source.running()), (secs(5), 1));
    source.release_all();
    assert_eq!(counts(shutdown(secs(5)).await), (1, 0));
    assert_eq!(ends::entry(&source).peek().await.unwrap().value, (0, 0));
}

/// Nor is a fetch aborted that asks only after the limit: it went on for a caller, who then leaves.
#[tokio::test(start_paused = true)]
async fn a_fetch_that_asks_for_a_shutdown_after_the_limit_is_not_aborted() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn ends(source: &Arc<Source>) -> (u64, u64) {
        source.number().await;
        let ended = counts(shutdown(secs(1)).await);
        source.number().await;
        ended
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let waits = tokio::spawn(ends::entry(&source).get_or_fetch());
    source.started(1).await;
    assert_eq!(counts(shutdown(secs(0)).await), (0, 0));
    run_ready().await;
    source.release(1);
    source.started(2).await;
    waits.abort();
    run_ready().await;
    source.release_all();
    settle().await;
    assert_eq!(ends::entry(&source).peek().await.unwrap().value, (0, 0));
}

/// Several fetches ask for a shutdown, one after the other. Each waits only for the fetches that have not asked.
#[tokio::test(start_paused = true)]
async fn fetches_that_ask_for_a_shutdown_wait_for_those_that_have_not() {
    #[cacheback(lifetime = 10, skip(before, after))]
    async fn ends(_id: u64, before: &Arc<Source>, after: &Arc<Source>) -> u64 {
        before.number().await;
        shutdown(std::time::Duration::MAX).await;
        after.number().await
    }
    let _own = testing::isolate();
    let (before, after) = (Source::gated(), Source::gated());
    for id in 1..=2 {
        let _ = ends(id, &before, &after).await;
    }
    before.started(2).await;
    before.release(1);
    run_ready().await;
    assert_eq!(after.runs(), 0, "the other one may still end");
    before.release(2);
    run_ready().await;
    assert_eq!(after.runs(), 2, "both have asked, and neither has ended");
    after.release_all();
    settle().await;
}

/// A fetch that has asked for a shutdown lasts no longer than any other.
#[tokio::test(start_paused = true)]
async fn a_fetch_that_has_asked_for_a_shutdown_times_out() {
    #[cacheback(lifetime = 10, refresh_timeout = 20, skip(source))]
    async fn ends(source: &Arc<Source>) -> u64 {
        shutdown(secs(0)).await;
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let _ = ends(&source).await;
    source.started(1).await;
    assert_eq!(counts(shutdown(secs(60)).await), (1, 0));
    assert_eq!(source.running(), 0);
    assert_stats!(ends::cache(), timeouts: 1);
}

/// Nor does one that asks after the limit: it went on for a caller, who then leaves.
#[tokio::test(start_paused = true)]
async fn a_fetch_that_asks_for_a_shutdown_after_the_limit_times_out() {
    #[cacheback(lifetime = 10, refresh_timeout = 20, skip(source))]
    async fn ends(source: &Arc<Source>) -> u64 {
        source.number().await;
        shutdown(secs(0)).await;
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let waits = tokio::spawn(ends::entry(&source).get_or_fetch());
    source.started(1).await;
    let before = Instant::now();
    assert_eq!(counts(shutdown(secs(0)).await), (0, 0));
    run_ready().await;
    source.release(1);
    source.started(2).await;
    waits.abort();
    assert_eq!(counts(shutdown(secs(60)).await), (1, 0));
    assert_eq!((before.elapsed(), source.running()), (secs(20), 0));
    assert_stats!(ends::cache(), timeouts: 1);
}

/// A shutdown that is dropped half way aborts nothing, but refreshes stay refused. Before its first poll it does
/// nothing.
#[tokio::test(start_paused = true)]
async fn a_shutdown_dropped_half_way_aborts_nothing() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(2, &source).await;
    drop(shutdown(secs(0)));
    let _ = number(0, &source).await;
    source.started(1).await;
    assert_eq!(once(shutdown(secs(5))).await, None);
    advance(secs(20)).await;
    run_ready().await;
    assert_eq!(source.running(), 1);
    let _ = number(1, &source).await;
    assert_stats!(number::cache(), refused: 1);
    source.release_all();
    settle().await;
    assert_eq!(number::entry(0, &source).peek().await.unwrap().value, 1);
}

/// Fetches that end with an error, a panic or a time-out are finished, not aborted.
#[tokio::test(start_paused = true)]
async fn a_shutdown_counts_errors_panics_and_time_outs_as_finished() {
    #[cacheback(lifetime = 10, refresh_timeout = 3, skip(source))]
    async fn fails(id: u64, source: &Arc<Source>) -> Result<u64, String> {
        let run = source.run().await;
        assert!(id != 2, "two");
        run
    }
    let _own = testing::isolate();
    let source = Source::gated();
    source.fail(true);
    for id in 0..3 {
        assert_eq!(fails(id, &source).await, Ok(0));
    }
    source.started(3).await;
    source.release(2);
    source.release(3);
    assert_eq!(counts(shutdown(secs(30)).await), (3, 0));
    assert_stats!(fails::cache(), timeouts: 1, errors: 1, panics: 1);
}

/// With `test-util` a shutdown concerns only the calling runtime, or its isolation.
#[tokio::test(start_paused = true)]
async fn with_test_util_a_shutdown_concerns_the_calling_runtime_alone() {
    let source = Source::open();
    let ended = testing::isolate();
    assert_eq!(counts(shutdown(secs(1)).await), (0, 0));
    let _ = number(1, &source).await;
    drop(ended);
    let _own = testing::isolate();
    let _ = number(1, &source).await;
    settle().await;
    assert_eq!(source.runs(), 1);
    assert_stats!(number::cache(), refused: 0);
}
