//! `configure`: limits of the process beside those of functions, the runtime of fetches, and configurations that are
//! refused.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use cacheback::{cacheback, configure, settle, shutdown, testing};

use crate::support::{Source, advance, run_ready, secs};

#[cacheback(lifetime = 10, name = "shop::wide", skip(source))]
async fn wide(_id: u64, source: &Arc<Source>) -> u64 {
    source.number().await
}

#[cacheback(lifetime = 10, max_refreshes = 2, skip(source))]
async fn narrow(_id: u64, source: &Arc<Source>) -> u64 {
    source.number().await
}

#[cacheback(lifetime = 10, max_refreshes = 50, skip(source))]
async fn broad(_id: u64, source: &Arc<Source>) -> u64 {
    source.number().await
}

/// The process's limit and a function's own hold together, and places are shared fairly within them.
#[tokio::test(start_paused = true)]
async fn rule_11_limits_of_the_process_and_of_functions_hold_together() {
    let _own = testing::isolate();
    configure().max_refreshes(5).max_waiting(30).apply().unwrap();
    let [one, two, three] = [(); 3].map(|()| Source::gated());
    for id in 0..40 {
        let _ = (narrow(id, &one).await, broad(id, &two).await, wide(id, &three).await);
    }
    run_ready().await;
    assert_eq!(one.running() + two.running() + three.running(), 5);
    assert!(one.running() <= 2);
    let refused: u64 =
        [narrow::cache(), broad::cache(), wide::cache()].map(|cache| cache.stats().refused).iter().sum();
    assert_eq!(refused, 120 - 5 - 30);
    for source in [&one, &two, &three] {
        source.release_all();
    }
    settle().await;
    for (source, limit) in [(&one, 2), (&two, 5), (&three, 5)] {
        assert!(source.peak() <= limit, "{}", source.peak());
        assert!(source.runs() >= 10, "a fair part of the queue: {}", source.runs());
    }
    assert_eq!(one.runs() + two.runs() + three.runs(), 35);
}

/// A function's limit above the process's does not lift that.
#[tokio::test(start_paused = true)]
async fn rule_11_a_functions_higher_limit_does_not_lift_that_of_the_process() {
    let _own = testing::isolate();
    configure().max_refreshes(3).apply().unwrap();
    let source = Source::gated();
    for id in 0..20 {
        let _ = broad(id, &source).await;
    }
    run_ready().await;
    assert_eq!(source.running(), 3);
    source.release_all();
    settle().await;
    assert_eq!((source.runs(), source.peak()), (20, 3));
}

/// A lower limit changes nothing about fairness.
#[tokio::test(start_paused = true)]
async fn rule_11_under_a_lower_limit_a_free_place_goes_to_the_function_with_the_fewest() {
    let _own = testing::isolate();
    configure().max_refreshes(4).apply().unwrap();
    let (slow, quick) = (Source::gated(), Source::open());
    for id in 0..20 {
        let _ = wide(id, &slow).await;
    }
    run_ready().await;
    for id in 0..20 {
        let _ = narrow(id, &quick).await;
    }
    assert_eq!((slow.running(), quick.runs()), (4, 0));
    slow.release(1);
    run_ready().await;
    assert_eq!((slow.running(), quick.runs()), (4, 20));
    slow.release_all();
    settle().await;
}

/// Without a queue, a refresh that finds no place is refused, and a caller who waits is not.
#[tokio::test(start_paused = true)]
async fn rule_11_without_a_queue_a_refresh_that_finds_no_place_is_refused() {
    let _own = testing::isolate();
    configure().max_refreshes(1).max_waiting(0).apply().unwrap();
    let source = Source::gated();
    for id in 0..3 {
        let _ = wide(id, &source).await;
    }
    run_ready().await;
    assert_eq!(source.running(), 1);
    assert_stats!(wide::cache(), refused: 2);
    let waits = tokio::spawn(wide::entry(2, &source).refresh());
    source.started(2).await;
    source.release_all();
    assert_eq!(waits.await.unwrap(), 2);
    settle().await;
}

/// A stale key that was refused is refreshed by the first plain call after a place has become free, though there is no
/// queue that could move on.
#[tokio::test(start_paused = true)]
async fn rule_11_without_a_queue_a_refused_key_is_refreshed_when_a_place_is_free() {
    let _own = testing::isolate();
    configure().max_refreshes(1).max_waiting(0).apply().unwrap();
    let source = Source::gated();
    for id in 0..2 {
        wide::entry(id, &source).set(0).await.unwrap();
    }
    advance(secs(3_600)).await;
    for _ in 0..5 {
        for id in 0..2 {
            assert_eq!(wide(id, &source).await, 0);
        }
    }
    run_ready().await;
    assert_eq!(source.runs(), 1);
    assert_stats!(wide::cache(), stale: 10, refused: 5);
    source.release(1);
    settle().await;
    assert_eq!(wide(1, &source).await, 0, "stale, and its refresh gets the place");
    source.release_all();
    settle().await;
    assert_eq!((wide(1, &source).await, source.runs()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn configure_comes_before_the_first_use_and_says_which_that_was() {
    let late = || configure().max_refreshes(1).apply().unwrap_err().to_string();
    let source = Source::open();
    let own = testing::isolate();
    // None of these is a use.
    assert!(wide::cache().is_empty());
    assert_stats!(wide::cache(), fetches: 0);
    assert_eq!(wide::entry(1, &source).peek().await, None);
    let _ = cacheback::caches();
    wide::cache().clear().await.unwrap();
    // A refused configuration changes nothing.
    assert!(configure().max_refreshes(0).apply().is_err());
    configure().max_refreshes(2).apply().unwrap();
    assert!(late().contains("first by `cacheback::configure`"), "{}", late());
    drop(own);
    for user in ["shop::wide", "cacheback::settle", "cacheback::shutdown"] {
        let _own = testing::isolate();
        match user {
            "shop::wide" => wide::entry(1, &source).set(1).await.unwrap(),
            "cacheback::settle" => settle().await,
            _ => assert_eq!(shutdown(secs(1)).await.finished, 0),
        }
        assert!(late().contains(&format!("first by `{user}`")), "{}", late());
    }
    let _own = testing::isolate();
    let _ = wide(2, &source).await;
    assert!(late().contains("first by `shop::wide`"), "{}", late());
    assert!(late().contains("at the start of `main`"), "{}", late());
}

#[tokio::test(start_paused = true)]
async fn configure_refuses_a_limit_of_zero_refreshes() {
    let _own = testing::isolate();
    let refused = configure().max_refreshes(0).apply().unwrap_err().to_string();
    assert!(refused.contains("`max_refreshes(0)`") && refused.contains("at least 1"), "{refused}");
}

/// All fetches run on the configured runtime, whoever starts them. When it is gone, fetches that callers wait for run
/// on their runtimes.
#[test]
fn fetches_run_on_the_configured_runtime() {
    #[cacheback(lifetime = 0, max_stale = 0)]
    async fn thread_of(_id: u64) -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }
    let fetches = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("fetches")
        .enable_all()
        .build()
        .unwrap();
    let callers = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let here = thread::current().name().unwrap().to_owned();
    callers.block_on(async {
        let _own = testing::isolate();
        configure().runtime(fetches.handle().clone()).apply().unwrap();
        assert_eq!(thread_of(1).await, "");
        settle().await;
        assert_eq!(thread_of::entry(1).peek().await.unwrap().value, "fetches", "a refresh");
        assert_eq!(thread_of::entry(2).get_or_fetch().await, "fetches", "a fetch with a caller");
        thread_of::entry(2).invalidate().await.unwrap();
        settle().await;
        assert_stats!(thread_of::cache(), fetches: 3);
        let (done, dropped) = mpsc::channel();
        thread::spawn(move || {
            drop(fetches);
            done.send(()).unwrap();
        });
        dropped.recv().unwrap();
        assert_eq!(thread_of::entry(3).get_or_fetch().await, here, "its runtime is gone");
        assert_eq!(thread_of(4).await, "", "a refresh is lost");
        settle().await;
        assert_eq!(thread_of::entry(4).peek().await, None);
        assert_stats!(thread_of::cache(), in_flight: 0);
        assert_eq!(shutdown(secs(10)).await.finished, 0);
    });
}
