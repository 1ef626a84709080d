//! Log lines: `tracing` events and spans of the target `cacheback`.
//!
//! An event names the function in its field `function` (one has none, see below). No event shows an argument, a key, a
//! value, or an option that depends on the arguments.
//!
//! **Errors and panics are logged in the function's own words.** `error` is the `Display` of the error and of each of
//! its causes, also of those in a `Box<dyn Error + Send + Sync>` or an `anyhow::Error`; `panic` is the message of the
//! panic. An argument that is written into one of them shows up in the logs. An error without `Display` is logged as
//! the name of its type, because its `Debug` usually shows all that it holds.
//!
//! | level | message | other fields | how often |
//! |---|---|---|---|
//! | warn | `fetch failed` | `error` | once a back-off of the key |
//! | error | `fetch panicked` | `panic` | each time |
//! | warn | `fetch timed out` | `took_ms` | each time that it sets a back-off |
//! | warn | `fetch lost: its runtime was dropped` | | each time |
//! | warn | `fetch moved: its runtime did not take it up in time` | | each time |
//! | warn | `fetch timed out, and a caller blocks its runtime` | | each time |
//! | warn | `fetch aborted: shut down, and nobody waits for it` | | each time |
//! | warn | `breaker opened: ten fetches in a row failed` | | each time |
//! | info | `breaker closed: a fetch succeeded` | | each time |
//! | debug | `fetch discarded: the key changed meanwhile` | | each time |
//! | warn | `refreshes refused: too many are waiting` | `refused`: so many until now | once in ten seconds for a cache |
//! | warn | `a fetch takes longer than its value is fresh` | `took_ms` | once for a cache |
//! | warn | `a body invalidates its own key, or others that invalidate it: this starts no more fetches` | | once for a cache |
//! | warn | ``a lifetime of `lifetime_for` is longer than `retention`, and was cut`` | | once for a cache |
//! | warn | `options contradict each other and were clamped` | `option`, `with`: names | once in ten seconds for a cache |
//! | warn | ``a value is larger than `max_bytes`: not stored`` | `bytes`, `max_bytes` | once in ten seconds for a cache |
//! | error | `` `weigh` panicked: the value is not stored`` | `panic` | each time |
//! | info | `second tier connected` | `server`; no `function` | each time, and for each server of a cluster |
//! | warn | `second tier lost: values are fetched without it` | `server`, `why`; no `function` | once an outage, and once if the user lacks a right |
//! | warn | `server of the second tier's cluster lost: its values are fetched without it` | `server`, `why`; no `function` | likewise, for each server |
//! | warn | `second tiers paused: values are fetched without them` | no `function` | each time |
//! | info | `second tiers resumed` | no `function` | each time |
//! | warn | `second tier tells of no changes: values are looked at there every few seconds` | `server`, `why`; no `function` | once, until it tells of them again |
//! | debug | `messages of the second tier may have been lost: values are looked at before they are trusted again` | no `function` | each time |
//! | warn | `messages of the second tier arrive late` | `age_ms`; no `function` | once in ten seconds |
//! | warn | `the second tier has a later value than the one that is served as fresh` | `for_ms`: for longer than this | each time that a probe finds one |
//! | warn | `second tier refuses an operation` | `server`, `why`; no `function` | once in ten seconds |
//! | warn | `second tier: replicas do not confirm changes` | `server`, `why`; no `function` | once a minute |
//! | warn | `second tier was not told of changes: they wait until it is back` | `waiting`: so many; no `function` | once in ten seconds |
//! | info | `second tier was told of the changes that waited` | `delivered`; `yielded`: others were changed again meanwhile; no `function` | each time |
//! | warn | `too many changes wait for the second tier: ..` | | once an outage |
//! | warn | `shut down before the second tier was told of changes` | `waiting`: so many; no `function` | each time |
//! | warn | `no second tier is configured: values stay in this process` | `alias` | once for a cache |
//! | warn | `a key is not shared: its entry stays in this process` | `why` | once in ten seconds for a cache |
//! | warn | `a value is not shared: it stays in this process` | `why` | once in ten seconds for a cache |
//! | warn | `a value of the second tier cannot be read, and counts as missing` | `why` | once in ten seconds for a cache |
//! | warn | `there are keys of others in the database of the second tier, ..` | `server`; no `function` | once |
//! | warn | ``the `maxmemory-policy` of the second tier drops ..`` | `server`, `policy`; no `function` | once |
//! | warn | `the second tier is kept in snapshots alone: ..` | `server`; no `function` | once |
//! | debug | `second tier examined` | `server`, `shows_settings`; no `function` | once |
//! | warn | `a value of the second tier is stale when it arrives: ..` | `round_trip_us` | once for a cache |
//! | warn | ``another process has fetched for longer than `refresh_timeout` allows here: ..`` | `took_ms` | once for a cache |
//! | warn | `there are values of another shape in the second tier: ..` | | once for a cache |
//! | warn | `refreshes are not handed to workers, and run in this process` | `why` | once a minute for a cache |
//! | warn | `refreshes are not handed to workers, and values stay stale` | `why` | once a minute for a cache |
//! | warn | `the second tier has no queue for workers: refreshes run in this process` | `queue`: its name | once for a cache |
//! | warn | `a refresh is not put on its queue, and runs in this process` | `why` | once in ten seconds for a cache |
//! | warn | `a refresh is not put on its queue, and its value stays stale` | `why` | once in ten seconds for a cache |
//! | info | `worker started` | `worker`, `functions`: how many; no `function` | each time |
//! | info | `worker ended` | `worker`, `done`, `failed`, `dropped`; no `function` | each time |
//! | warn | `the queue gives no answer: the worker tries again` | `worker`, `why`; no `function` | once an outage |
//! | warn | `a job cannot be run, and was dropped` | `why` | each time |
//! | error | `a key has ended three workers, and its job was dropped` | | each time |
//! | error | ``the `Drop` of a cached value panicked`` | no `function` either | each time |
//!
//! The last warnings are advice, and end with what to do: when a process has connected to a server for the first time,
//! the server's settings are looked at, as far as the user may see them.
//!
//! # The span of a fetch
//!
//! Each fetch has a span `fetch` of the level info with the field `function`, and everything that its body logs is
//! inside it. The span has no parent, because a fetch may outlive the caller that started it; it *follows from* the
//! span of that caller. The caller opens the span, and it is entered while the body runs: a refresh that waits for a
//! place has not entered it yet, and a refresh that is refused or no longer needed never does. The job of a worker has
//! such a span too, which may follow from that of the process that has enqueued it: see
//! [`Configure::trace_jobs`](crate::Configure::trace_jobs), with a second tier.
//!
//! Without a subscriber a fetch has no span, and finding that out takes some 140 instructions of the 21,000 of a miss.
//! A hit opens no span.
//!
//! # Examples
//!
//! ```
//! # mod cacheback { pub use cacheback_runtime::*; }
//! use tracing_subscriber::{filter::LevelFilter, filter::Targets, layer::SubscriberExt};
//!
//! // All events of the service, and the caches' warnings and errors.
//! let wanted = Targets::new()
//!     .with_target("my_service", LevelFilter::DEBUG)
//!     .with_target(cacheback::logs::TARGET, LevelFilter::WARN);
//! let subscriber = tracing_subscriber::registry().with(tracing_subscriber::fmt::layer()).with(wanted);
//! # drop(subscriber);
//! ```

use std::time::Duration;

use tracing::Span;

/// The target of every event and span: `cacheback`.
pub const TARGET: &str = "cacheback";

/// The span of a fetch that starts here.
pub(crate) fn fetch_span(function: &str) -> Span {
    let span = tracing::info_span!(target: TARGET, parent: None, "fetch", function);
    if !span.is_disabled() {
        span.follows_from(Span::current());
    }
    span
}

pub(crate) fn fetch_failed(function: &str, error: &str) {
    tracing::warn!(target: TARGET, function, error, "fetch failed");
}

pub(crate) fn fetch_panicked(function: &str, panic: &str) {
    tracing::error!(target: TARGET, function, panic, "fetch panicked");
}

pub(crate) fn fetch_timed_out(function: &str, took: Duration) {
    tracing::warn!(target: TARGET, function, took_ms = millis(took), "fetch timed out");
}

pub(crate) fn fetch_lost(function: &str) {
    tracing::warn!(target: TARGET, function, "fetch lost: its runtime was dropped");
}

pub(crate) fn fetch_moved(function: &str) {
    tracing::warn!(target: TARGET, function, "fetch moved: its runtime did not take it up in time");
}

pub(crate) fn runtime_blocked(function: &str) {
    tracing::warn!(target: TARGET, function, "fetch timed out, and a caller blocks its runtime");
}

pub(crate) fn fetch_aborted(function: &str) {
    tracing::warn!(target: TARGET, function, "fetch aborted: shut down, and nobody waits for it");
}

pub(crate) fn breaker_opened(function: &str) {
    tracing::warn!(target: TARGET, function, "breaker opened: ten fetches in a row failed");
}

pub(crate) fn breaker_closed(function: &str) {
    tracing::info!(target: TARGET, function, "breaker closed: a fetch succeeded");
}

pub(crate) fn fetch_discarded(function: &str) {
    tracing::debug!(target: TARGET, function, "fetch discarded: the key changed meanwhile");
}

pub(crate) fn refreshes_refused(function: &str, refused: u64) {
    tracing::warn!(target: TARGET, function, refused, "refreshes refused: too many are waiting");
}

pub(crate) fn slower_than_lifetime(function: &str, took: Duration) {
    let took_ms = millis(took);
    tracing::warn!(target: TARGET, function, took_ms, "a fetch takes longer than its value is fresh");
}

pub(crate) fn invalidates_itself(function: &str) {
    tracing::warn!(
        target: TARGET,
        function,
        "a body invalidates its own key, or others that invalidate it: this starts no more fetches"
    );
}

/// Does not say by how much: that depends on a value.
pub(crate) fn lifetime_past_retention(function: &str) {
    tracing::warn!(target: TARGET, function, "a lifetime of `lifetime_for` is longer than `retention`, and was cut");
}

/// Shows only the names of the options: their values were computed from arguments.
pub(crate) fn options_clamped(function: &str, option: &str, with: &[&str]) {
    let with = with.join(", ");
    tracing::warn!(target: TARGET, function, option, with, "options contradict each other and were clamped");
}

pub(crate) fn value_too_heavy(function: &str, bytes: u64, max_bytes: u64) {
    tracing::warn!(target: TARGET, function, bytes, max_bytes, "a value is larger than `max_bytes`: not stored");
}

pub(crate) fn weigh_panicked(function: &str, panic: &str) {
    tracing::error!(target: TARGET, function, panic, "`weigh` panicked: the value is not stored");
}

#[cfg(feature = "shared")]
pub(crate) fn no_tier(function: &str, alias: &str) {
    tracing::warn!(target: TARGET, function, alias, "no second tier is configured: values stay in this process");
}

#[cfg(feature = "shared")]
pub(crate) fn key_not_shared(function: &str, why: &str) {
    tracing::warn!(target: TARGET, function, why, "a key is not shared: its entry stays in this process");
}

#[cfg(feature = "shared")]
pub(crate) fn value_not_shared(function: &str, why: &str) {
    tracing::warn!(target: TARGET, function, why, "a value is not shared: it stays in this process");
}

#[cfg(feature = "shared")]
pub(crate) fn value_unreadable(function: &str, why: &str) {
    tracing::warn!(target: TARGET, function, why, "a value of the second tier cannot be read, and counts as missing");
}

#[cfg(feature = "shared")]
pub(crate) fn no_queue(function: &str, queue: &str) {
    tracing::warn!(
        target: TARGET,
        function,
        queue,
        "the second tier has no queue for workers: refreshes run in this process"
    );
}

#[cfg(feature = "shared")]
pub(crate) fn job_not_made(function: &str, why: &str) {
    tracing::warn!(target: TARGET, function, why, "a refresh is not put on its queue, and runs in this process");
}

#[cfg(feature = "shared")]
pub(crate) fn job_given_up(function: &str, why: &str) {
    tracing::warn!(target: TARGET, function, why, "a refresh is not put on its queue, and its value stays stale");
}

#[cfg(feature = "shared")]
pub(crate) fn kept_here(function: &str, why: &str) {
    tracing::warn!(target: TARGET, function, why, "refreshes are not handed to workers, and run in this process");
}

#[cfg(feature = "shared")]
pub(crate) fn stays_stale(function: &str, why: &str) {
    tracing::warn!(target: TARGET, function, why, "refreshes are not handed to workers, and values stay stale");
}

#[cfg(feature = "worker")]
pub(crate) fn worker_started(worker: &str, functions: usize) {
    tracing::info!(target: TARGET, worker, functions, "worker started");
}

#[cfg(feature = "worker")]
pub(crate) fn worker_ended(worker: &str, done: u64, failed: u64, dropped: u64) {
    tracing::info!(target: TARGET, worker, done, failed, dropped, "worker ended");
}

#[cfg(feature = "worker")]
pub(crate) fn worker_waits(worker: &str, why: &str) {
    tracing::warn!(target: TARGET, worker, why, "the queue gives no answer: the worker tries again");
}

#[cfg(feature = "worker")]
pub(crate) fn job_dropped(function: &str, why: &str) {
    tracing::warn!(target: TARGET, function, why, "a job cannot be run, and was dropped");
}

#[cfg(feature = "worker")]
pub(crate) fn job_buried(function: &str) {
    tracing::error!(target: TARGET, function, "a key has ended three workers, and its job was dropped");
}

#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn tier_connected(server: &str) {
    tracing::info!(target: TARGET, server, "second tier connected");
}

#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn tier_lost(server: &str, is_of_cluster: bool, why: &str) {
    if is_of_cluster {
        tracing::warn!(
            target: TARGET, server, why,
            "server of the second tier's cluster lost: its values are fetched without it"
        );
    } else {
        tracing::warn!(target: TARGET, server, why, "second tier lost: values are fetched without it");
    }
}

#[cfg(feature = "redis")]
pub(crate) fn tier_deaf(server: &str, why: &str) {
    tracing::warn!(
        target: TARGET, server, why,
        "second tier tells of no changes: values are looked at there every few seconds"
    );
}

#[cfg(feature = "shared")]
pub(crate) fn tiers_paused() {
    tracing::warn!(target: TARGET, "second tiers paused: values are fetched without them");
}

#[cfg(feature = "shared")]
pub(crate) fn tiers_resumed() {
    tracing::info!(target: TARGET, "second tiers resumed");
}

#[cfg(feature = "shared")]
pub(crate) fn messages_lost() {
    tracing::debug!(
        target: TARGET,
        "messages of the second tier may have been lost: values are looked at before they are trusted again"
    );
}

#[cfg(feature = "shared")]
pub(crate) fn messages_late(age: Duration) {
    tracing::warn!(target: TARGET, age_ms = millis(age), "messages of the second tier arrive late");
}

#[cfg(feature = "shared")]
pub(crate) fn value_outdated(function: &str, span: Duration) {
    tracing::warn!(
        target: TARGET,
        function,
        for_ms = millis(span),
        "the second tier has a later value than the one that is served as fresh"
    );
}

#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn tier_refuses(server: &str, why: &str) {
    tracing::warn!(target: TARGET, server, why, "second tier refuses an operation");
}

#[cfg(feature = "redis")]
pub(crate) fn change_unconfirmed(server: &str, why: &str) {
    tracing::warn!(target: TARGET, server, why, "second tier: replicas do not confirm changes");
}

/// A setting of a server that is not good for a second tier.
#[cfg(feature = "redis")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TierAdvice {
    /// No prefix was given, and the database is not ours alone.
    NoPrefix,
    /// A policy takes any key when memory is full.
    EvictsAll(String),
    /// A policy takes keys with a time to live, as leases are.
    EvictsLeases(String),
    /// There are snapshots, and no log of changes.
    SnapshotsAlone,
}

#[cfg(feature = "redis")]
pub(crate) fn tier_advice(server: &str, advice: TierAdvice) {
    match advice {
        TierAdvice::NoPrefix => tracing::warn!(
            target: TARGET,
            server,
            "there are keys of others in the database of the second tier, and no prefix was given: write \
             `.prefix(\"..\")`, so that services with functions of the same name keep apart"
        ),
        TierAdvice::EvictsAll(policy) => tracing::warn!(
            target: TARGET,
            server,
            policy,
            "the `maxmemory-policy` of the second tier drops any key when its memory is full, so that keys are fetched \
             twice, and cleared values may come back: set it to `noeviction`"
        ),
        TierAdvice::EvictsLeases(policy) => tracing::warn!(
            target: TARGET,
            server,
            policy,
            "the `maxmemory-policy` of the second tier drops leases when its memory is full, so that keys are fetched \
             twice: set it to `noeviction`"
        ),
        TierAdvice::SnapshotsAlone => tracing::warn!(
            target: TARGET,
            server,
            "the second tier is kept in snapshots alone: after a crash of the server, values that were removed since \
             the last one are back: turn `appendonly` on, or the snapshots off with `save \"\"`"
        ),
    }
}

/// The server was asked for its settings.
#[cfg(feature = "redis")]
pub(crate) fn tier_examined(server: &str, shows_settings: bool) {
    tracing::debug!(target: TARGET, server, shows_settings, "second tier examined");
}

#[cfg(feature = "shared")]
pub(crate) fn changes_wait(waiting: usize) {
    tracing::warn!(target: TARGET, waiting, "second tier was not told of changes: they wait until it is back");
}

#[cfg(feature = "shared")]
pub(crate) fn changes_delivered(delivered: u64, yielded: u64) {
    tracing::info!(target: TARGET, delivered, yielded, "second tier was told of the changes that waited");
}

#[cfg(feature = "shared")]
pub(crate) fn changes_overflowed(function: &str) {
    tracing::warn!(
        target: TARGET,
        function,
        "too many changes wait for the second tier: all values of the function will be stale or gone there"
    );
}

pub(crate) fn changes_lost(waiting: u64) {
    tracing::warn!(target: TARGET, waiting, "shut down before the second tier was told of changes");
}

#[cfg(feature = "shared")]
pub(crate) fn stale_on_arrival(function: &str, round_trip: Duration) {
    let round_trip_us = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
    tracing::warn!(
        target: TARGET,
        function,
        round_trip_us,
        "a value of the second tier is stale when it arrives: set a `lifetime` that is longer than a round trip, or do \
         without `shared`"
    );
}

#[cfg(feature = "shared")]
pub(crate) fn refresh_timeout_too_short(function: &str, took: Duration) {
    tracing::warn!(
        target: TARGET,
        function,
        took_ms = millis(took),
        "another process has fetched for longer than `refresh_timeout` allows here: set a longer one"
    );
}

#[cfg(feature = "shared")]
pub(crate) fn shape_without_version(function: &str) {
    tracing::warn!(
        target: TARGET,
        function,
        "there are values of another shape in the second tier: set a `version`, and a higher one with each change of \
         the shape, because not every change can be seen"
    );
}

/// Names no function: the store, which drops values, does not know of any.
pub(crate) fn drop_panicked() {
    tracing::error!(target: TARGET, "the `Drop` of a cached value panicked");
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
