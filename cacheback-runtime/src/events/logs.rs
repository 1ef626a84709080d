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
//! | info | `second tier connected` | `server`; no `function` | each time |
//! | warn | `second tier lost: values are fetched without it` | `server`, `why`; no `function` | once an outage |
//! | warn | `second tier refuses an operation` | `server`, `why`; no `function` | once in ten seconds |
//! | warn | `no second tier is configured: values stay in this process` | `alias` | once for a cache |
//! | warn | `a key is not shared: its entry stays in this process` | `why` | once in ten seconds for a cache |
//! | warn | `a value is not shared: it stays in this process` | `why` | once in ten seconds for a cache |
//! | warn | `a value of the second tier cannot be read, and counts as missing` | `why` | once in ten seconds for a cache |
//! | error | ``the `Drop` of a cached value panicked`` | no `function` either | each time |
//!
//! # The span of a fetch
//!
//! Each fetch has a span `fetch` of the level info with the field `function`, and everything that its body logs is
//! inside it. The span has no parent, because a fetch may outlive the caller that started it; it *follows from* the
//! span of that caller. The caller opens the span, and it is entered while the body runs: a refresh that waits for a
//! place has not entered it yet, and a refresh that is refused or no longer needed never does.
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

#[cfg(feature = "redis")]
pub(crate) fn tier_connected(server: &str) {
    tracing::info!(target: TARGET, server, "second tier connected");
}

#[cfg(feature = "redis")]
pub(crate) fn tier_lost(server: &str, why: &str) {
    tracing::warn!(target: TARGET, server, why, "second tier lost: values are fetched without it");
}

#[cfg(feature = "redis")]
pub(crate) fn tier_refuses(server: &str, why: &str) {
    tracing::warn!(target: TARGET, server, why, "second tier refuses an operation");
}

/// Names no function: the store, which drops values, does not know of any.
pub(crate) fn drop_panicked() {
    tracing::error!(target: TARGET, "the `Drop` of a cached value panicked");
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
