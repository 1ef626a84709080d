//! The feature `serde`: the public types in JSON, on which dashboards rely.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cacheback::shared::{DeadJob, QueueStatus};
use cacheback::{Eviction, Policy, Source, Stats, Status, Worked, cacheback, settle, testing};
use serde_json::{Value, from_str, from_value, json, to_value};

#[cacheback(
    lifetime = "1m",
    max_stale = Duration::from_millis(1_500),
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
    let default = to_value(Policy::default()).unwrap();
    let mut expected = default.clone();
    for (option, value) in [
        ("lifetime", json!(60.0)),
        ("max_stale", json!(1.5)),
        ("retention", json!(3600.0)),
        ("wait", json!(2.0)),
        ("jitter", json!(0.5)),
        ("eviction", json!("tiny_lfu")),
    ] {
        expected[option] = value;
    }
    assert_eq!(to_value(described::cache().policy()).unwrap(), expected);

    // One of each type, and those that have no limit.
    for (option, value) in [
        ("lifetime", json!(600.0)),
        ("fetch_on_miss", json!(false)),
        ("breaker", json!(true)),
        ("capacity", json!(10_000)),
        ("eviction", json!("lru")),
        ("varies", json!([])),
        ("max_stale", json!(null)),
        ("wait", json!(null)),
        ("max_refreshes", json!(null)),
        ("cache_err", json!(null)),
        ("max_bytes", json!(null)),
    ] {
        assert_eq!(default[option], value, "{option}");
    }
}

/// No field is left out, none has another name, and each duration is a number.
#[test]
fn a_policy_is_written_with_all_its_fields() {
    let written = to_value(Policy::default()).unwrap();
    let written = written.as_object().unwrap();
    let shown = format!("{:#?}", Policy::default());
    let fields = shown.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
    let fields: BTreeMap<_, _> = fields.collect();
    let names = |written: &serde_json::Map<String, Value>| written.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(written), fields.keys().map(|name| (*name).to_owned()).collect());
    for (name, value) in fields {
        let is_duration = value.strip_suffix("s,").is_some_and(|seconds| seconds.parse::<f64>().is_ok());
        assert!(!is_duration || written[name].is_f64(), "{name}");
    }
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
            "shared_hits": 0, "shared_misses": 0, "shared_errors": 0, "looks_refused": 0, "leases_lost": 0,
            "unshared_not_encodable": 0, "unshared_too_long": 0, "unshared_no_room": 0, "unshared_refused": 0,
            "queued": 0, "queue_fallbacks": 0,
        })
    );
    assert_eq!(from_value::<Stats>(written).unwrap(), stats);
    assert_eq!(
        from_str::<Stats>(r#"{ "hits": 7 }"#).unwrap().hits,
        7,
        "written by a version with fewer counters"
    );
}

/// A queue and its dead jobs, with their durations in seconds.
#[test]
fn the_state_of_a_queue_is_written() {
    let mut dead = DeadJob::default();
    (dead.age, dead.deliveries, dead.error) = (Duration::from_millis(1_500), 3, "why".to_owned());
    let mut queue = QueueStatus::default();
    (queue.queue, queue.function, queue.version) = ("reports".to_owned(), "shop::sales".to_owned(), 2);
    (queue.length, queue.oldest, queue.dead) = (1, Some(Duration::from_millis(250)), vec![dead]);
    assert_eq!(
        to_value(queue).unwrap(),
        json!({
            "tier": null, "queue": "reports", "function": "shop::sales", "version": 2, "length": 1, "under_way": 0,
            "oldest": 0.25, "workers": 0, "ended_last_minute": 0, "done": 0, "failed": 0, "dropped": 0,
            "dead": [{ "age": 1.5, "deliveries": 3, "error": "why" }],
        })
    );
    assert_eq!(to_value(Worked::default()).unwrap(), json!({ "done": 0, "failed": 0, "dropped": 0 }));
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
    for (source, word) in [
        (Source::Local, "local"),
        (Source::Shared, "shared"),
        (Source::Fetched, "fetched"),
        (Source::Empty, "empty"),
    ] {
        assert_eq!(to_value(source).unwrap(), json!(word));
        assert_eq!(from_value::<Source>(json!(word)).unwrap(), source);
    }
    for (eviction, word) in [(Eviction::Lru, "lru"), (Eviction::TinyLfu, "tiny_lfu")] {
        assert_eq!(to_value(eviction).unwrap(), json!(word));
        assert_eq!(from_value::<Eviction>(json!(word)).unwrap(), eviction);
    }
}
