//! Rule 11: bounds on the refreshes that run and wait, and fair places for all functions.

use std::sync::Arc;

use cacheback::{cacheback, settle, testing};

use crate::support::{Source, advance, run_ready, secs};

#[cacheback(lifetime = 10, skip(source))]
async fn wide(_id: u64, source: &Arc<Source>) -> u64 {
    source.number().await
}

async fn stale(keys: u64, source: &Arc<Source>) {
    for id in 0..keys {
        wide::entry(id, source).set(0).await.unwrap();
    }
    advance(secs(10)).await;
}

/// 5,000 keys stale at once: 64 bodies at a time, all filled in the end.
#[tokio::test(start_paused = true)]
async fn rule_11_sixty_four_refreshes_run_at_a_time_and_all_of_them_in_the_end() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(5_000, &source).await;
    for id in 0..5_000 {
        assert_eq!(wide(id, &source).await, 0, "stale at once");
    }
    run_ready().await;
    assert_eq!((source.running(), source.runs()), (64, 64));
    assert_stats!(wide::cache(), refused: 5_000 - 64 - 1_024, "1,024 wait, the rest is refused");
    source.release_all();
    settle().await;
    assert_eq!(source.runs(), 64 + 1_024);
    // The next stale reader of a refused key tries again, without a back-off.
    for _ in 0..4 {
        for id in 0..5_000 {
            let _ = wide(id, &source).await;
        }
        settle().await;
    }
    for id in 0..5_000 {
        assert!(wide::entry(id, &source).peek().await.unwrap().fresh, "{id}");
    }
    assert_eq!(source.peak(), 64);
    assert_eq!(source.runs(), 5_000, "each key once");
}

/// As long as the queue is full, a reader whose refresh it has refused is answered without a look at it. The first
/// reader after a refresh has left the queue gets in.
#[tokio::test(start_paused = true)]
async fn rule_11_a_refused_key_is_asked_for_again_when_the_queue_has_changed() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(64 + 1_024 + 1, &source).await;
    let last = 64 + 1_024;
    for id in 0..=last {
        let _ = wide(id, &source).await;
    }
    run_ready().await;
    for _ in 0..10 {
        assert_eq!(wide(last, &source).await, 0);
    }
    assert_stats!(wide::cache(), stale: last + 11, refused: 11);
    // One body ends, and the queue moves on by one.
    source.release(1);
    run_ready().await;
    for _ in 0..10 {
        assert_eq!(wide(last, &source).await, 0);
    }
    assert_stats!(wide::cache(), refused: 11);
    source.release_all();
    settle().await;
    assert_eq!(source.runs(), last + 1, "each key once");
}

/// A queued refresh holds its key, and its claim and age start with its body.
#[tokio::test(start_paused = true)]
async fn rule_11_a_queued_refresh_holds_its_key_and_ages_from_its_start() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(65, &source).await;
    for _ in 0..3 {
        for id in 0..65 {
            let _ = wide(id, &source).await;
        }
    }
    run_ready().await;
    assert_eq!(source.runs(), 64, "the 65th waits");
    assert_stats!(wide::cache(), refused: 0);
    advance(secs(20)).await;
    source.release_all();
    settle().await;
    assert_eq!(source.runs(), 65);
    assert_eq!(wide::entry(64, &source).peek().await.unwrap().age, secs(0), "not aged in the queue");
}

/// A caller who comes to wait starts a queued refresh at once, beyond the limit.
#[tokio::test(start_paused = true)]
async fn rule_11_a_caller_who_waits_starts_a_queued_refresh_at_once() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(65, &source).await;
    for id in 0..65 {
        let _ = wide(id, &source).await;
    }
    run_ready().await;
    assert_eq!(source.running(), 64);
    let waits = tokio::spawn(wide::entry(64, &source).refresh());
    source.started(65).await;
    source.release(65);
    assert_eq!(waits.await.unwrap(), 65);
    source.release_all();
    settle().await;
    assert_eq!(source.runs(), 65);
}

/// Fetches that callers wait for are never refused.
#[tokio::test(start_paused = true)]
async fn rule_11_fetches_with_callers_do_not_count_against_the_limit() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(64 + 1_024, &source).await;
    for id in 0..64 + 1_024 {
        let _ = wide(id, &source).await;
    }
    run_ready().await;
    let waits: Vec<_> =
        (10_000..10_200).map(|id| tokio::spawn(wide::entry(id, &source).get_or_fetch())).collect();
    source.started(64 + 200).await;
    source.release_all();
    for wait in waits {
        assert!(wait.await.unwrap() > 64);
    }
    settle().await;
    assert_stats!(wide::cache(), refused: 0);
}

/// A queued refresh whose key was written meanwhile does not run.
#[tokio::test(start_paused = true)]
async fn rule_11_a_queued_refresh_that_is_not_needed_is_skipped() {
    let _own = testing::isolate();
    let source = Source::gated();
    stale(66, &source).await;
    for id in 0..66 {
        let _ = wide(id, &source).await;
    }
    run_ready().await;
    wide::entry(64, &source).set(7).await.unwrap();
    wide::entry(65, &source).remove().await.unwrap();
    source.release_all();
    settle().await;
    assert_eq!(source.runs(), 64);
    assert_stats!(wide::cache(), skipped: 2);
    assert_eq!(wide::entry(64, &source).peek().await.unwrap().value, 7);
    assert_eq!(wide::entry(65, &source).peek().await, None);
}

/// A queued refresh whose key became fresh meanwhile, by a fetch of another runtime, does not run.
#[test]
fn rule_11_a_queued_refresh_of_a_fresh_key_is_skipped() {
    #[cacheback(lifetime = 1_000, max_refreshes = 1, skip(source))]
    async fn single(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let real = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, other) = (real(), real());
    let (gated, open) = (Source::gated(), Source::open());
    one.block_on(async {
        let _ = single(1, &gated).await;
        let _ = single(2, &gated).await;
        gated.started(1).await;
    });
    assert_eq!(other.block_on(single::entry(2, &open).refresh()), 1);
    gated.release_all();
    one.block_on(settle());
    assert_eq!(gated.runs(), 1);
    assert_stats!(single::cache(), skipped: 1);
}

#[cacheback(lifetime = 10, max_refreshes = 2, skip(source))]
async fn narrow(_id: u64, source: &Arc<Source>) -> u64 {
    source.number().await
}

/// A function's own, lower limit.
#[tokio::test(start_paused = true)]
async fn rule_11_a_function_can_have_a_lower_limit() {
    let _own = testing::isolate();
    let source = Source::gated();
    for id in 0..20 {
        let _ = narrow(id, &source).await;
    }
    run_ready().await;
    assert_eq!(source.running(), 2);
    // A place that is given back starts one, not all that wait.
    source.release(1);
    run_ready().await;
    assert_eq!((source.running(), source.runs()), (2, 3));
    source.release_all();
    settle().await;
    assert_eq!((source.runs(), source.peak()), (20, 2));
}

/// A slow function does not starve another: not of places ...
#[tokio::test(start_paused = true)]
async fn rule_11_a_free_place_goes_to_the_function_with_the_fewest() {
    let _own = testing::isolate();
    let (slow, quick) = (Source::gated(), Source::open());
    for id in 0..1_000 {
        let _ = wide(id, &slow).await;
    }
    run_ready().await;
    assert_eq!(slow.running(), 64);
    for id in 0..20 {
        let _ = narrow(id, &quick).await;
    }
    run_ready().await;
    assert_eq!(quick.runs(), 0, "no place is free yet");
    slow.release(1);
    run_ready().await;
    assert_eq!(quick.runs(), 20, "the first free place serves the other function to its end");
    assert_eq!(slow.running(), 64);
    slow.release_all();
    settle().await;
}

/// ... and not of room in the queue.
#[tokio::test(start_paused = true)]
async fn rule_11_a_full_queue_makes_room_for_another_function() {
    let _own = testing::isolate();
    let (slow, quick) = (Source::gated(), Source::open());
    for id in 0..5_000 {
        let _ = wide(id, &slow).await;
    }
    let refused = wide::cache().stats().refused;
    for id in 0..20 {
        let _ = narrow(id, &quick).await;
    }
    assert_stats!(narrow::cache(), refused: 0);
    assert_stats!(wide::cache(), refused: refused + 20);
    slow.release_all();
    settle().await;
    assert_eq!(quick.runs(), 20);
}

/// A refresh that a caller comes to wait for gives its place back, because it no longer counts.
#[tokio::test(start_paused = true)]
async fn rule_11_a_refresh_that_is_joined_gives_its_place_back() {
    #[cacheback(lifetime = 10, max_refreshes = 1, skip(source))]
    async fn single(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let _ = single(1, &source).await;
    source.started(1).await;
    let _ = single(2, &source).await;
    run_ready().await;
    assert_eq!(source.runs(), 1, "one place");
    let waits = tokio::spawn(single::entry(1, &source).refresh());
    source.started(2).await;
    source.release_all();
    assert_eq!(waits.await.unwrap(), 1);
    settle().await;
}
