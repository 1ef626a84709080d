//! `shared::status()`: what a health page is told of the second tiers.

use std::sync::Arc;

use cacheback::shared::{Memory, TierStatus, status};
use cacheback::{cacheback, configure, metrics::record, settle, testing};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{json, to_value};

use crate::support::{Source, advance, millis, secs};

/// Waits on a miss.
#[cacheback(shared, lifetime = 1_000, fetch_on_miss, skip(source))]
async fn waits(source: &Arc<Source>, key: u64) -> u64 {
    source.number().await + key
}

#[cacheback(shared = "sessions", lifetime = 1_000, fetch_on_miss)]
async fn session(key: u64) -> u64 {
    key
}

#[cacheback(shared, lifetime = 1_000, fetch_on_miss)]
async fn plain(key: u64) -> u64 {
    key
}

/// One operation.
async fn write(key: u64) {
    plain::entry(key).set(key).await.unwrap();
}

/// The state of the only tier.
#[track_caller]
fn only() -> TierStatus {
    let [tier] = status().try_into().unwrap();
    tier
}

/// To look is no use, so that the configuration may follow.
#[tokio::test(start_paused = true)]
async fn without_a_tier_the_list_is_empty() {
    let _own = testing::isolate();
    assert_eq!(status(), []);
    configure().shared(Memory::new()).apply().unwrap();
    assert_eq!(only().alias, None);
    let _other = testing::isolate();
    assert_eq!(status(), [], "another isolation has none");
}

#[test]
fn outside_of_a_runtime_there_is_no_tier() {
    assert_eq!(status(), []);
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_tier_lasts_from_its_beginning() {
    let _own = testing::isolate();
    let tier = Memory::new();
    tier.disconnect();
    tier.reconnect();
    advance(secs(3)).await;
    configure().shared(tier.clone()).apply().unwrap();
    advance(secs(5)).await;
    assert_eq!((only().connected, only().since), (true, secs(5)));
    tier.disconnect();
    assert_eq!((only().connected, only().since), (false, secs(0)));
    advance(secs(7)).await;
    tier.disconnect();
    assert_eq!((only().connected, only().since), (false, secs(7)));
    tier.reconnect();
    advance(secs(2)).await;
    // It is connected, and does not answer.
    tier.hang();
    assert_eq!((only().connected, only().since), (true, secs(2)));
}

#[tokio::test(start_paused = true)]
async fn operations_are_counted_by_their_ends() {
    let _own = testing::isolate();
    let tier = Memory::new();
    configure().shared(tier.clone()).apply().unwrap();
    let counts = || {
        let TierStatus { operations, errors, timeouts, .. } = only();
        (operations, errors, timeouts)
    };
    let source = Source::open();
    assert_eq!(counts(), (0, 0, 0));
    assert_eq!(waits(&source, 1).await, 2);
    assert_eq!(counts(), (3, 0, 0), "a look, a lease and a store");
    for _ in 0..100 {
        assert_eq!(waits(&source, 1).await, 2);
    }
    assert_eq!(counts(), (3, 0, 0), "a hit asks nobody");
    tier.disconnect();
    waits::entry(&source, 1).set(5).await.unwrap_err();
    assert_eq!(counts(), (4, 1, 0));
    tier.reconnect();
    tier.hang();
    waits::entry(&source, 1).set(6).await.unwrap_err();
    assert_eq!(counts(), (5, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn round_trips_are_those_of_the_last_minute() {
    let _own = testing::isolate();
    let tier = Memory::new().timeout(millis(100));
    configure().shared(tier.clone()).apply().unwrap();
    assert_eq!((only().round_trip_p50, only().round_trip_p99), (None, None));
    for key in 0..30 {
        write(key).await;
    }
    let fast = only();
    assert!(
        fast.round_trip_p50.unwrap() <= millis(1) && fast.round_trip_p99.unwrap() <= millis(1),
        "{fast:?}"
    );
    advance(secs(30)).await;
    tier.hang();
    assert_eq!(plain::entry(99).peek().await, None);
    tier.reconnect();
    let late = only();
    assert_eq!(late.round_trip_p50, fast.round_trip_p50);
    // An eighth too high at most, and never too low.
    assert!((millis(100)..=millis(113)).contains(&late.round_trip_p99.unwrap()), "{late:?}");
    advance(secs(40)).await;
    assert_eq!(only().round_trip_p50, late.round_trip_p99, "the only one of the last minute");
    advance(secs(40)).await;
    assert_eq!((only().round_trip_p50, only().round_trip_p99), (None, None));
    assert_eq!(only().operations, late.operations, "the counts stay");
}

#[tokio::test(start_paused = true)]
async fn each_tier_has_its_own_state() {
    let _own = testing::isolate();
    let (tier, sessions) = (Memory::new(), Memory::new());
    configure().shared(tier.clone()).shared_as("sessions", sessions.clone()).apply().unwrap();
    sessions.disconnect();
    assert_eq!(plain(1).await, 1);
    assert_eq!(session(1).await, 1);
    let [own, other] = status().try_into().unwrap();
    assert_eq!((own.alias.as_deref(), own.connected, own.operations, own.errors), (None, true, 3, 0));
    // A tier that is known to be down is not looked at. The lease is asked for, and given back.
    assert_eq!((other.alias.as_deref(), other.connected), (Some("sessions"), false));
    assert_eq!((other.operations, other.errors), (2, 2));
}

/// Clones are one tier, and each process counts what it has asked itself.
#[test]
fn a_process_sees_its_own_operations() {
    let tier = Memory::new();
    let process = || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let own = runtime.block_on(async {
            let own = testing::isolate();
            configure().shared(tier.clone()).apply().unwrap();
            own
        });
        (runtime, own)
    };
    let [one, other] = [process(), process()];
    one.0.block_on(async {
        assert_eq!(plain(7).await, 7);
        settle().await;
        assert_eq!(only().operations, 3);
    });
    other.0.block_on(async {
        assert_eq!(only().operations, 0);
        assert_eq!(plain(7).await, 7);
        assert_eq!(only().operations, 1, "it is there");
        tier.disconnect();
    });
    one.0.block_on(async { assert!(!only().connected) });
}

#[tokio::test(start_paused = true)]
async fn a_state_is_written_with_its_durations_in_seconds() {
    let _own = testing::isolate();
    let tier = Memory::new();
    configure().shared_as("sessions", tier.clone()).apply().unwrap();
    advance(millis(1_500)).await;
    let idle = json!({
        "alias": "sessions", "connected": true, "paused": false, "since": 1.5, "round_trip_p50": null,
        "round_trip_p99": null,
        "operations": 0, "errors": 0, "timeouts": 0, "pending": 0, "recovered": 0, "yielded": 0, "overflowed": 0,
        "messages": 0, "message_age_p50": null, "message_age_p99": null, "losses": 0, "suspects": 0, "probed": 0,
        "outdated": 0, "servers": [],
    });
    assert_eq!(to_value(only()).unwrap(), idle);
    session(1).await;
    assert!(to_value(only()).unwrap()["round_trip_p99"].is_f64());
}

#[tokio::test(start_paused = true)]
async fn the_state_of_each_tier_is_on_the_page_of_metrics() {
    let _own = testing::isolate();
    let recorder = PrometheusBuilder::new().build_recorder();
    let prometheus = recorder.handle();
    let page = || {
        record();
        let page = prometheus.render();
        let lines = page.lines().filter(|line| line.starts_with("cacheback_tier_"));
        let mut lines: Vec<_> = lines.map(|line| line.replace("cacheback_tier_", "")).collect();
        lines.sort();
        lines
    };
    let (tier, sessions) = (Memory::new(), Memory::new());
    configure().shared(tier.clone()).shared_as("sessions", sessions.clone()).apply().unwrap();
    sessions.disconnect();
    write(1).await;
    session(1).await;
    tier.hang();
    plain::entry(1).set(2).await.unwrap_err();
    let now = metrics::with_local_recorder(&recorder, page);
    let (quantiles, rest): (Vec<_>, Vec<_>) = now.into_iter().partition(|line| line.contains("quantile"));
    assert_eq!(
        rest,
        [
            r#"connected{tier="default"} 1"#,
            r#"connected{tier="sessions"} 0"#,
            r#"failures_total{tier="default",outcome="error"} 0"#,
            r#"failures_total{tier="default",outcome="timeout"} 1"#,
            r#"failures_total{tier="sessions",outcome="error"} 2"#,
            r#"failures_total{tier="sessions",outcome="timeout"} 0"#,
            r#"late_changes_total{tier="default",outcome="overflowed"} 0"#,
            r#"late_changes_total{tier="default",outcome="recovered"} 0"#,
            r#"late_changes_total{tier="default",outcome="yielded"} 0"#,
            r#"late_changes_total{tier="sessions",outcome="overflowed"} 0"#,
            r#"late_changes_total{tier="sessions",outcome="recovered"} 0"#,
            r#"late_changes_total{tier="sessions",outcome="yielded"} 0"#,
            r#"message_losses_total{tier="default"} 0"#,
            r#"message_losses_total{tier="sessions"} 0"#,
            r#"messages_total{tier="default"} 1"#,
            r#"messages_total{tier="sessions"} 0"#,
            r#"operations_total{tier="default"} 2"#,
            r#"operations_total{tier="sessions"} 2"#,
            r#"pending_changes{tier="default"} 1"#,
            r#"pending_changes{tier="sessions"} 0"#,
            r#"probed_total{tier="default",found="current"} 0"#,
            r#"probed_total{tier="default",found="outdated"} 0"#,
            r#"probed_total{tier="sessions",found="current"} 0"#,
            r#"probed_total{tier="sessions",found="outdated"} 0"#,
            r#"suspect_entries{tier="default"} 0"#,
            r#"suspect_entries{tier="sessions"} 0"#,
        ]
    );
    let number = |tier: &str, quantile: &str| -> f64 {
        let start = format!("round_trip_seconds{{tier=\"{tier}\",quantile=\"{quantile}\"}} ");
        quantiles.iter().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
    };
    assert!(number("default", "0.5") < 0.001 && number("default", "0.99") >= 0.1, "{quantiles:?}");
    assert!(number("sessions", "0.5").is_nan() && number("sessions", "0.99").is_nan(), "{quantiles:?}");
}
