//! The feature `metrics`, seen as a Prometheus exporter renders it.

use std::sync::Arc;

use cacheback::{Cache, cacheback, metrics::record, settle, testing};
use metrics::{LocalRecorderGuard, set_default_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::support::{Source, advance, secs};

/// A recorder of the exporter, for this thread.
fn exporter() -> (&'static PrometheusRecorder, PrometheusHandle) {
    let recorder = PrometheusBuilder::new().set_buckets(&[0.5, 5.0]).unwrap().build_recorder();
    let handle = recorder.handle();
    (Box::leak(Box::new(recorder)), handle)
}

fn install(recorder: &'static PrometheusRecorder) -> LocalRecorderGuard<'static> {
    set_default_local_recorder(recorder)
}

/// The page's lines of one cache, without its label and without zeros.
fn page(prometheus: &PrometheusHandle, cache: &str) -> Vec<String> {
    record();
    let page = prometheus.render();
    let label = format!("cache=\"{cache}\"");
    let lines = page.lines().filter(|line| line.contains(&label) && !line.ends_with(" 0"));
    let mut lines: Vec<_> = lines
        .map(|line| line.replace(&format!("{label},"), "").replace(&format!("{{{label}}}"), ""))
        .collect();
    lines.sort();
    lines
}

#[tokio::test(start_paused = true)]
async fn every_outcome_is_on_the_page_of_metrics() {
    #[cacheback(
        lifetime = 10,
        refresh_timeout = 20,
        max_refreshes = 1,
        capacity = 2,
        name = "shop::price",
        skip(source)
    )]
    async fn price(article: u64, source: &Arc<Source>) -> Result<u64, String> {
        if article == 13 {
            panic!("unlucky");
        }
        Ok(article + source.run().await?)
    }
    let _own = testing::isolate();
    let (recorder, prometheus) = exporter();
    let _guard = install(recorder);
    let source = Source::gated();

    price(1, &source).await.unwrap();
    source.started(1).await;
    price(2, &source).await.unwrap();
    assert_eq!(
        page(&prometheus, "shop::price"),
        [
            r#"cacheback_calls_total{status="empty"} 2"#,
            "cacheback_fetches_in_flight 1",
            "cacheback_fetches_total 1",
        ]
    );

    // The second refresh is no longer needed. The first takes a second.
    price::entry(2, &source).set(2).await.unwrap();
    advance(secs(1)).await;
    source.release_all();
    settle().await;
    price(1, &source).await.unwrap();
    advance(secs(11)).await;
    price(1, &source).await.unwrap();
    settle().await;
    let calls = [
        r#"cacheback_calls_total{status="empty"} 2"#,
        r#"cacheback_calls_total{status="fresh"} 1"#,
        r#"cacheback_calls_total{status="stale"} 1"#,
        "cacheback_entries 2",
    ];
    let now = page(&prometheus, "shop::price");
    assert_eq!(now[..4], calls, "{now:?}");
    let histogram = [
        r#"cacheback_fetch_duration_seconds_bucket{outcome="value",le="+Inf"} 2"#,
        r#"cacheback_fetch_duration_seconds_bucket{outcome="value",le="0.5"} 1"#,
        r#"cacheback_fetch_duration_seconds_bucket{outcome="value",le="5"} 2"#,
        r#"cacheback_fetch_duration_seconds_count{outcome="value"} 2"#,
        r#"cacheback_fetch_duration_seconds_sum{outcome="value"} 1"#,
        "cacheback_fetches_total 2",
        "cacheback_refreshes_skipped_total 1",
    ];
    assert_eq!(now[4..], histogram, "{now:?}");

    // An error, a panic, a time-out, an outcome that is not stored, and one entry too many.
    source.fail(true);
    price::entry(3, &source).refresh().await.unwrap_err();
    source.fail(false);
    price(13, &source).await.unwrap();
    settle().await;
    let gated = Source::gated();
    price(4, &gated).await.unwrap();
    settle().await;
    let waits = tokio::spawn(price::entry(5, &gated).refresh());
    gated.started(2).await;
    price::entry(5, &gated).remove().await.unwrap();
    gated.release_all();
    waits.await.unwrap().unwrap();
    for article in 20..30 {
        price::entry(article, &source).set(article).await.unwrap();
    }
    let now = page(&prometheus, "shop::price");
    for line in [
        r#"cacheback_fetch_failures_total{outcome="error"} 1"#,
        r#"cacheback_fetch_failures_total{outcome="panic"} 1"#,
        r#"cacheback_fetch_failures_total{outcome="timeout"} 1"#,
        r#"cacheback_fetch_duration_seconds_count{outcome="error"} 1"#,
        r#"cacheback_fetch_duration_seconds_count{outcome="panic"} 1"#,
        r#"cacheback_fetch_duration_seconds_count{outcome="timeout"} 1"#,
        r#"cacheback_fetch_duration_seconds_sum{outcome="timeout"} 20"#,
        r#"cacheback_fetch_duration_seconds_count{outcome="value"} 3"#,
        "cacheback_fetches_discarded_total 1",
        "cacheback_fetches_total 6",
        "cacheback_entries 2",
    ] {
        assert!(now.iter().any(|other| other == line), "{line} in {now:#?}");
    }
    assert!(now.iter().any(|line| line.starts_with("cacheback_evictions_total ")), "{now:#?}");
}

#[tokio::test(start_paused = true)]
async fn refused_refreshes_and_fetches_in_flight_are_on_the_page_of_metrics() {
    #[cacheback(lifetime = 10, name = "busy", skip(source))]
    async fn busy(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await + id
    }
    let _own = testing::isolate();
    let (recorder, prometheus) = exporter();
    let _guard = install(recorder);
    let source = Source::gated();
    for id in 0..1_100 {
        busy(id, &source).await;
    }
    let now = page(&prometheus, "busy");
    assert!(now.contains(&"cacheback_refreshes_refused_total 12".to_owned()), "{now:?}");
    assert!(now.contains(&"cacheback_fetches_in_flight 64".to_owned()), "{now:?}");
    source.release_all();
    settle().await;
    let now = page(&prometheus, "busy");
    assert!(now.iter().all(|line| !line.starts_with("cacheback_fetches_in_flight")), "{now:?}");
}

/// The counters are those of the caches, whenever the recorder comes. Functions of one name are counted together.
#[tokio::test(start_paused = true)]
async fn a_recorder_of_metrics_that_comes_late_sees_the_same_counts() {
    #[cacheback(lifetime = 10, name = "twice")]
    async fn one(id: u64) -> u64 {
        id
    }
    #[cacheback(lifetime = 10, name = "twice")]
    async fn other(id: u64) -> u64 {
        id
    }
    let _own = testing::isolate();
    one(1).await;
    other(1).await;
    settle().await;
    one(1).await;
    for _ in 0..2 {
        let (recorder, prometheus) = exporter();
        let _guard = install(recorder);
        for _ in 0..3 {
            let now = page(&prometheus, "twice");
            let expected = [
                r#"cacheback_calls_total{status="empty"} 2"#,
                r#"cacheback_calls_total{status="fresh"} 1"#,
                "cacheback_entries 2",
                "cacheback_fetches_total 2",
            ];
            assert_eq!(now, expected);
        }
    }
}

#[test]
fn a_lost_fetch_ends_in_the_metrics_too() {
    #[cacheback(lifetime = 10, name = "lost", skip(source))]
    async fn lost(source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let (recorder, prometheus) = exporter();
    let _guard = install(recorder);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let source = Source::gated();
    runtime.block_on(async {
        lost(&source).await;
        source.started(1).await;
    });
    drop(runtime);
    let now = page(&prometheus, "lost");
    let ended = r#"cacheback_fetch_duration_seconds_count{outcome="lost"} 1"#;
    assert!(now.iter().any(|line| line == ended), "{now:?}");
    assert!(now.iter().all(|line| !line.starts_with("cacheback_fetches_in_flight")), "{now:?}");
}

/// Objects of one name share a line, and the counts of one stay when it is dropped.
#[tokio::test(start_paused = true)]
async fn cache_objects_count_by_their_name_in_the_metrics() {
    let _own = testing::isolate();
    let (recorder, prometheus) = exporter();
    let _guard = install(recorder);
    let object = || {
        let squares = Cache::builder().name("squares").fetch_on_miss();
        squares.fetcher(|number: u64| async move { number * number }).build().unwrap()
    };
    let (one, other): (Cache<u64, u64>, Cache<u64, u64>) = (object(), object());
    for cache in [&one, &one, &other] {
        assert_eq!(cache.get(&3).await, 9);
    }
    let counted = [
        r#"cacheback_calls_total{status="fetched"} 2"#,
        r#"cacheback_calls_total{status="fresh"} 1"#,
        "cacheback_entries 2",
    ];
    assert_eq!(page(&prometheus, "squares")[..3], counted);
    let handle = other.handle();
    drop(other);
    let counted = [counted[0], counted[1], "cacheback_entries 1"];
    assert_eq!(page(&prometheus, "squares")[..3], counted);
    drop(handle);
    assert_eq!(page(&prometheus, "squares")[..3], counted);
    // A fetch that outlives its cache is counted no more.
    let runs: Cache<u64, u64> = Cache::builder()
        .name("squares")
        .max_refreshes(1)
        .fetcher(|_| std::future::pending())
        .build()
        .unwrap();
    assert_eq!((runs.get(&1).await, runs.get(&2).await), (0, 0));
    assert!(page(&prometheus, "squares").contains(&"cacheback_fetches_in_flight 1".to_owned()));
    drop((one, runs));
    let counted = [
        r#"cacheback_calls_total{status="empty"} 2"#,
        counted[0],
        counted[1],
        r#"cacheback_fetch_duration_seconds_bucket{outcome="value",le="+Inf"} 2"#,
    ];
    let now = page(&prometheus, "squares");
    assert_eq!(now[..4], counted);
    assert!(now.iter().all(|line| !line.contains("_in_flight")), "{now:?}");
    assert!(now.contains(&"cacheback_refreshes_skipped_total 1".to_owned()), "the queued one: {now:?}");
    // A recorder that is installed later gets all counts, but not those of another isolation.
    let late = exporter();
    metrics::with_local_recorder(late.0, || assert_eq!(page(&late.1, "squares")[..3], counted[..3]));
    let _inner = testing::isolate();
    let late = exporter();
    metrics::with_local_recorder(late.0, || assert!(page(&late.1, "squares").is_empty()));
}
