//! Numbers for the recorder of the [`metrics`](https://docs.rs/metrics) crate (feature `metrics`).
//!
//! | name | kind | labels | what it counts |
//! |---|---|---|---|
//! | `cacheback_calls_total` | counter | `cache`, `status` | calls that were answered, by what with: `fresh`, `stale`, `empty` or `fetched` |
//! | `cacheback_fetches_total` | counter | `cache` | runs of the function's body that were started |
//! | `cacheback_fetch_failures_total` | counter | `cache`, `outcome` | fetches that failed: `error`, `panic` or `timeout` |
//! | `cacheback_fetches_discarded_total` | counter | `cache` | fetches whose outcome was not stored, because the key changed meanwhile |
//! | `cacheback_refreshes_refused_total` | counter | `cache` | refreshes that were refused: too many were waiting, or it was shut down |
//! | `cacheback_refreshes_skipped_total` | counter | `cache` | refreshes that waited and were no longer needed |
//! | `cacheback_evictions_total` | counter | `cache` | entries that were dropped to stay within the bound |
//! | `cacheback_entries` | gauge | `cache` | values in the store |
//! | `cacheback_fetches_in_flight` | gauge | `cache` | fetches that run |
//! | `cacheback_breaker_trips_total` | counter | `cache` | times that the breaker opened |
//! | `cacheback_breakers_open` | gauge | `cache` | breakers that are open |
//! | `cacheback_fetch_duration_seconds` | histogram | `cache`, `outcome` | how long bodies ran: `value`, `error`, `panic`, `timeout` or `lost`, with its runtime or at the limit of a shutdown |
//!
//! `cache` is the function's path, or the name that it was given; functions and caches of one name are added up, those
//! that were dropped too, so that a counter never goes back. A [`Cache`](crate::Cache) without a name is left out. There
//! is no label that grows with the keys.
//!
//! # When they are published
//!
//! The histogram is told of each fetch when it ends: some 500 instructions, and what the recorder takes. All else is
//! counted anyway, without a recorder, and a hit pays nothing for it; [`record`] publishes it. Call it where the numbers
//! are read: before the page of an exporter is rendered, or before a push. It is also called twice a minute for you (not
//! with `test-util`, where time is the test's), so that an exporter with a listener of its own shows numbers that are up
//! to 30 s old.
//!
//! A recorder can be installed at any time: counters are set to what was counted from the start, except for the
//! histogram.
//!
//! # Examples
//!
//! ```
//! # mod cacheback { pub use cacheback_runtime::*; }
//! # struct PrometheusHandle;
//! # impl PrometheusHandle { fn render(&self) -> String { String::new() } }
//! /// What is served at `/metrics`, with the handle of `metrics-exporter-prometheus`.
//! fn page(prometheus: &PrometheusHandle) -> String {
//!     cacheback::metrics::record();
//!     prometheus.render()
//! }
//! # page(&PrometheusHandle);
//! ```

#[cfg(not(feature = "test-util"))]
use std::sync::Once;

use ::metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};

use crate::api::registry;
use crate::events::{Stats, durations};

const CALLS: &str = "cacheback_calls_total";
const FETCHES: &str = "cacheback_fetches_total";
const FAILURES: &str = "cacheback_fetch_failures_total";
const DISCARDED: &str = "cacheback_fetches_discarded_total";
const REFUSED: &str = "cacheback_refreshes_refused_total";
const SKIPPED: &str = "cacheback_refreshes_skipped_total";
const EVICTIONS: &str = "cacheback_evictions_total";
const ENTRIES: &str = "cacheback_entries";
const TRIPS: &str = "cacheback_breaker_trips_total";
const OPEN: &str = "cacheback_breakers_open";
const IN_FLIGHT: &str = "cacheback_fetches_in_flight";

/// Has the janitor call [`record`].
pub(crate) fn record_regularly() {
    #[cfg(not(feature = "test-util"))]
    {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| crate::executor::housekeeper::also(record));
    }
}

/// Publishes what every cache of the process has counted until now.
///
/// Counters only grow, and a call that races with another one sets nothing back. It counts the entries of each cache
/// one by one, and takes some microseconds for each cache and some nanoseconds for each entry. It does not block.
///
/// # Panics
///
/// Where the recorder does.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// cacheback::metrics::record();
/// // ... render or push ...
/// ```
pub fn record() {
    describe();
    let mut sums = registry::retired();
    for cache in registry::all() {
        let sum = sums.entry(cache.name()).or_default();
        *sum = sum.plus(cache.stats());
    }
    for (cache, stats) in sums {
        publish(cache, &stats);
    }
}

fn publish(cache: &'static str, stats: &Stats) {
    for (status, calls) in
        [("fresh", stats.hits), ("stale", stats.stale), ("empty", stats.empty), ("fetched", stats.waited)]
    {
        counter!(CALLS, "cache" => cache, "status" => status).absolute(calls);
    }
    for (outcome, fetches) in [("error", stats.errors), ("panic", stats.panics), ("timeout", stats.timeouts)]
    {
        counter!(FAILURES, "cache" => cache, "outcome" => outcome).absolute(fetches);
    }
    for (name, count) in [
        (FETCHES, stats.fetches),
        (DISCARDED, stats.discarded),
        (REFUSED, stats.refused),
        (SKIPPED, stats.skipped),
        (EVICTIONS, stats.evicted),
        (TRIPS, stats.breaker_trips),
    ] {
        counter!(name, "cache" => cache).absolute(count);
    }
    gauge!(ENTRIES, "cache" => cache).set(stats.entries as f64);
    gauge!(IN_FLIGHT, "cache" => cache).set(stats.in_flight as f64);
    gauge!(OPEN, "cache" => cache).set(stats.breakers_open as f64);
}

/// Each time: the recorder may be a new one.
fn describe() {
    describe_counter!(CALLS, "Calls that were answered, by what they were answered with.");
    describe_counter!(FETCHES, "Runs of the function's body that were started.");
    describe_counter!(FAILURES, "Fetches that failed.");
    describe_counter!(DISCARDED, "Fetches whose outcome was not stored, because the key changed meanwhile.");
    describe_counter!(REFUSED, "Refreshes that were refused: too many were waiting, or it was shut down.");
    describe_counter!(SKIPPED, "Refreshes that waited and were no longer needed.");
    describe_counter!(EVICTIONS, "Entries that were dropped to stay within the bound.");
    describe_gauge!(ENTRIES, "Values in the store.");
    describe_counter!(TRIPS, "Times that the breaker opened.");
    describe_gauge!(OPEN, "Breakers that are open.");
    describe_gauge!(IN_FLIGHT, "Fetches that run.");
    describe_histogram!(durations::NAME, Unit::Seconds, "How long bodies ran, by what came of them.");
}
