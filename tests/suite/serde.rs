//! The feature `serde`: the public types in JSON, on which dashboards rely.

use cacheback::{Eviction, Policy, Stats, Status, cacheback, settle, testing};
use serde_json::{from_str, from_value, json, to_value};

#[cacheback(
    lifetime = "1m",
    max_stale = std::time::Duration::from_millis(1_500),
    retention = "1h",
    wait = 2,
    jitter = 0.5,
    eviction = "tiny_lfu"
)]
async fn described(id: u64) -> u64 {
    id
}

#[tokio::test(start_paused = true)]
async fn a_policy_has_its_durations_in_seconds() {
    assert_eq!(
        to_value(described::cache().policy()).unwrap(),
        json!({
            "lifetime": 60.0,
            "max_stale": 1.5,
            "retention": 3600.0,
            "refresh_ahead": 0.0,
            "fetch_on_miss": false,
            "wait": 2.0,
            "refresh_timeout": 60.0,
            "max_backoff": 60.0,
            "breaker": true,
            "max_refreshes": null,
            "cache_err": null,
            "jitter": 0.5,
            "capacity": 10_000,
            "max_bytes": null,
            "eviction": "tiny_lfu",
            "varies": [],
        })
    );
    let unlimited = to_value(Policy::default()).unwrap();
    assert_eq!((&unlimited["max_stale"], &unlimited["eviction"]), (&json!(null), &json!("lru")));
}

#[tokio::test(start_paused = true)]
async fn stats_are_read_as_they_are_written() {
    let _own = testing::isolate();
    described(1).await;
    settle().await;
    described(1).await;
    let stats = described::cache().stats();
    let written = to_value(stats).unwrap();
    assert_eq!(
        written,
        json!({
            "hits": 1, "stale": 0, "empty": 1, "waited": 0, "fetches": 1, "errors": 0, "panics": 0, "timeouts": 0,
            "discarded": 0, "refused": 0, "skipped": 0, "evicted": 0, "entries": 1, "in_flight": 0,
            "breaker_trips": 0, "breakers_open": 0,
        })
    );
    assert_eq!(from_value::<Stats>(written).unwrap(), stats);
    assert_eq!(
        from_str::<Stats>(r#"{ "hits": 7 }"#).unwrap().hits,
        7,
        "written by a version with fewer counters"
    );
}

#[test]
fn serialized_words_are_those_of_the_attribute_and_of_the_metrics() {
    for (status, word) in [
        (Status::Fresh, "fresh"),
        (Status::Stale, "stale"),
        (Status::Empty, "empty"),
        (Status::Fetched, "fetched"),
    ] {
        assert_eq!(to_value(status).unwrap(), json!(word));
        assert_eq!(from_value::<Status>(json!(word)).unwrap(), status);
    }
    for (eviction, word) in [(Eviction::Lru, "lru"), (Eviction::TinyLfu, "tiny_lfu")] {
        assert_eq!(to_value(eviction).unwrap(), json!(word));
        assert_eq!(from_value::<Eviction>(json!(word)).unwrap(), eviction);
    }
}
