//! Numbers for the recorder of the [`metrics`](https://docs.rs/metrics) crate (feature `metrics`).
//!
//! | name | kind | labels | meaning |
//! |---|---|---|---|
//! | `cacheback_calls_total` | counter | `cache`, `status` | calls that were answered, by their status: `fresh`, `stale`, `empty` or `fetched` |
//! | `cacheback_fetches_total` | counter | `cache` | runs of the function's body that were started |
//! | `cacheback_fetch_failures_total` | counter | `cache`, `outcome` | fetches that failed: `error`, `panic` or `timeout` |
//! | `cacheback_fetches_discarded_total` | counter | `cache` | fetches whose outcome was not stored, because the key changed meanwhile |
//! | `cacheback_refreshes_refused_total` | counter | `cache` | refreshes that were refused: too many were waiting, it was shut down, or, with `queue_fallback = false`, no worker could be given them |
//! | `cacheback_refreshes_skipped_total` | counter | `cache` | refreshes that waited and were no longer needed |
//! | `cacheback_shared_reads_total` | counter | `cache`, `found` | looks into the second tier, by what they found: a `value` or `nothing` |
//! | `cacheback_shared_errors_total` | counter | `cache` | operations of the second tier that were given no answer: it was down, or too slow |
//! | `cacheback_looks_refused_total` | counter | `cache` | times that a suspect value was served as a stale one, without a look: too many looks were under way, or the last one had got no answer |
//! | `cacheback_values_unshared_total` | counter | `cache`, `reason` | values that the second tier has not got: `not_encodable`, `too_long` for it, it had `no_room` (Redis was out of memory, for instance), or it has `refused` them with another error |
//! | `cacheback_leases_lost_total` | counter | `cache` | fetched values that the second tier did not take: another process had changed the key meanwhile, or the right to fetch it was lost there |
//! | `cacheback_refreshes_queued_total` | counter | `cache` | refreshes that were handed to a worker (option `queue`) |
//! | `cacheback_queue_fallbacks_total` | counter | `cache` | refreshes that were to be handed to a worker and ran here: there was none, its queue was full or out of reach |
//! | `cacheback_evictions_total` | counter | `cache` | entries that were dropped to stay within the bound |
//! | `cacheback_entries` | gauge | `cache` | values in the store |
//! | `cacheback_fetches_in_flight` | gauge | `cache` | fetches that run |
//! | `cacheback_breaker_trips_total` | counter | `cache` | times that the breaker opened |
//! | `cacheback_breakers_open` | gauge | `cache` | breakers that are open |
//! | `cacheback_fetch_duration_seconds` | histogram | `cache`, `outcome` | how long bodies ran, by outcome: `value`, `error`, `panic`, `timeout`, or `lost` with the runtime or at the limit of a shutdown |
//! | `cacheback_tier_connected` | gauge | `tier` | 1 if there is a connection to the second tier, else 0 |
//! | `cacheback_tier_operations_total` | counter | `tier` | operations that were asked of the second tier |
//! | `cacheback_tier_failures_total` | counter | `tier`, `outcome` | operations of the second tier that failed: `error`, or `timeout` |
//! | `cacheback_tier_pending_changes` | gauge | `tier` | changes that the second tier was not told of yet |
//! | `cacheback_tier_late_changes_total` | counter | `tier`, `outcome` | changes that the second tier could not be told of when they were made: `recovered` later, `yielded` to a later change of another process, or `overflowed`, when all values of the function were made stale or removed in their place |
//! | `cacheback_tier_messages_total` | counter | `tier` | messages of changes that have arrived |
//! | `cacheback_tier_message_losses_total` | counter | `tier` | times that messages may have been lost, so that all values became suspect: with each connection, and now and then while no messages arrive |
//! | `cacheback_tier_suspect_entries` | gauge | `tier` | values that are to be looked at before a hit serves them |
//! | `cacheback_tier_probed_total` | counter | `tier`, `found` | values that probes have looked at, by what they were found to be: `current`, or `outdated` for longer than it takes until a change is known |
//! | `cacheback_tier_message_age_seconds` | gauge | `tier`, `quantile` | ages of the messages of the last minute at their arrival: `0.5` is their median, `0.99` the age that 99 of 100 did not exceed; NaN if there was none |
//! | `cacheback_tier_round_trip_seconds` | gauge | `tier`, `quantile` | round trips to the second tier in the last minute: `0.5` is their median, `0.99` the time that 99 of 100 did not exceed; NaN if there was none |
//! | `cacheback_queue_length` | gauge | `tier`, `queue`, `cache`, `version` | jobs that wait for a worker |
//! | `cacheback_queue_oldest_seconds` | gauge | `tier`, `queue`, `cache`, `version` | how long the oldest of them has waited; 0 if there is none |
//! | `cacheback_queue_under_way` | gauge | `tier`, `queue`, `cache`, `version` | jobs that were taken by a worker and have not ended |
//! | `cacheback_queue_workers` | gauge | `tier`, `queue`, `cache`, `version` | workers that serve the function |
//! | `cacheback_queue_jobs_total` | counter | `tier`, `queue`, `cache`, `version`, `outcome` | jobs that have ended: `done`, `failed`, or `dropped` because they were not needed any more, could not be run, or had a value that the tier did not take |
//! | `cacheback_queue_wait_seconds` | histogram | `tier`, `queue`, `cache`, `version` | how long jobs have waited when a worker starts them; one that is given back or claimed starts again |
//!
//! The label `cache` is the path of the function, or the name that the function or cache was given. Caches of the same
//! name are added up. Caches that were dropped still count, so that a counter never goes back. A
//! [`Cache`](crate::Cache) without a name is left out. The number of series does not depend on the number of keys.
//!
//! The label `tier` is the alias of a second tier, or `default` for the one without. Its numbers are those of
//! `cacheback::shared::status()`.
//!
//! The numbers of queues are those of `cacheback::shared::queues()`, and belong to the whole fleet. Each process that is
//! a worker (feature `worker`) asks for them every five seconds, and publishes what it was told last. The histogram is of
//! the worker's own jobs: it is the time from the handing over to the start, by the wall clocks of the two machines.
//!
//! # When the numbers are published
//!
//! The histograms record each fetch when it ends, and each job when it starts. This takes some 500 instructions, and those
//! of the recorder. Everything else is counted anyway, even without a recorder, and is published by [`record`]: a hit costs no more than
//! before.
//!
//! Call `record` before the numbers are read, that is, before the page of an exporter is rendered or pushed. The
//! library also calls it twice a minute, so that an exporter with a listener of its own shows numbers that are at most
//! 30 s old. (It does not with `test-util`, because the clock is the test's.)
//!
//! A recorder can be installed at any time, and counters start with all that was counted before. Only the histograms
//! lack what was before.
//!
//! # Examples
//!
//! ```
//! # mod cacheback { pub use cacheback_runtime::*; }
//! # struct PrometheusHandle;
//! # impl PrometheusHandle { fn render(&self) -> String { String::new() } }
//! /// The page served at `/metrics`, with the handle of `metrics-exporter-prometheus`.
//! fn page(prometheus: &PrometheusHandle) -> String {
//!     cacheback::metrics::record();
//!     prometheus.render()
//! }
//! # page(&PrometheusHandle);
//! ```

use std::iter;
use std::sync::Once;

use ::metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};

use crate::api::registry;
use crate::events::{Kind, Row, SERIES, Stats, durations};
use crate::executor::housekeeper;

#[cfg(feature = "worker")]
pub(crate) mod queues;
#[cfg(feature = "shared")]
mod tiers;

/// The target of the counters and gauges, by which a recorder may filter.
const TARGET: &str = "cacheback_runtime::metrics";

/// Lets the housekeeper call [`record`] regularly.
pub(crate) fn record_regularly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| housekeeper::also(record));
}

/// Publishes the counters of every cache of the process, and the state of every second tier.
///
/// It can be called at any time and by several threads at once: counters only grow, so no call sets a number back. It
/// counts the entries of each cache one by one, and does not block. It takes some microseconds for each cache and some
/// nanoseconds for each entry.
///
/// # Panics
///
/// If the recorder panics.
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
    #[cfg(feature = "shared")]
    tiers::publish();
    #[cfg(feature = "worker")]
    queues::publish();
}

fn publish(cache: &'static str, stats: &Stats) {
    for series in SERIES {
        for Row { label, count } in series.rows {
            let labels: Vec<Label> = iter::once(&("cache", cache)).chain(label).map(Label::from).collect();
            match series.kind {
                Kind::Counter => counter!(target: TARGET, series.name, labels).absolute(count(stats)),
                Kind::Gauge => gauge!(target: TARGET, series.name, labels).set(count(stats) as f64),
            }
        }
    }
}

/// Describes the series to the recorder. Each `record` does so, because the recorder may be a new one.
fn describe() {
    for series in SERIES {
        match series.kind {
            Kind::Counter => describe_counter!(series.name, series.about),
            Kind::Gauge => describe_gauge!(series.name, series.about),
        }
    }
    #[cfg(feature = "shared")]
    tiers::describe();
    #[cfg(feature = "worker")]
    queues::describe();
    describe_histogram!(durations::NAME, Unit::Seconds, "How long bodies ran, by what came of them.");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table at the top lists every series, in the order of the counters, and each value of its labels.
    #[test]
    fn the_table_lists_every_series() {
        let page = include_str!("metrics.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
        let mut listed = page.filter(|row| row.starts_with('`'));
        let mut next_is = |name: &str, kind: &str, of: &str, labels: &[(&str, &str)]| {
            let label = labels.first().map_or_else(String::new, |(label, _)| format!(", `{label}`"));
            let start = format!("`{name}` | {kind} | `{of}`{label} |");
            let row = listed.next().expect("a row for each series");
            assert!(row.starts_with(&start), "{row:?} is not of {start:?}");
            for (_, value) in labels {
                assert!(row.contains(&format!("`{value}`")), "{row:?} lacks {value:?}");
            }
        };
        let kind = |kind| match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        for series in SERIES {
            let labels: Vec<_> = series.rows.iter().filter_map(|row| row.label).collect();
            next_is(series.name, kind(series.kind), "cache", &labels);
        }
        let outcomes = ["value", "error", "panic", "timeout", "lost"].map(|outcome| ("outcome", outcome));
        next_is(durations::NAME, "histogram", "cache", &outcomes);
        #[cfg(feature = "shared")]
        for series in tiers::SERIES {
            let labels: Vec<_> = series.rows.iter().filter_map(|row| row.label).collect();
            next_is(series.name, kind(series.kind), "tier", &labels);
        }
        #[cfg(feature = "worker")]
        for series in queues::SERIES {
            let labels: Vec<_> = series.rows.iter().filter_map(|row| row.label).collect();
            next_is(series.name, kind(series.kind), "tier`, `queue`, `cache`, `version", &labels);
        }
        #[cfg(feature = "worker")]
        next_is(durations::WAIT, "histogram", "tier`, `queue`, `cache`, `version", &[]);
        let is_left_out = |row: &&str| {
            !cfg!(feature = "shared") && row.starts_with("`cacheback_tier_")
                || !cfg!(feature = "worker")
                    && row.starts_with("`cacheback_queue_")
                    && row.contains("`version`")
        };
        let rest = listed.filter(|row| !is_left_out(row));
        assert_eq!(rest.count(), 0, "a row without a series");
    }
}
