//! The state of a tier, for health pages: what it counts, and what is shown.

use std::time::Duration;

use super::Down;
use super::round_trips::RoundTrips;
use crate::base::clock::Moment;
use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};
#[cfg(feature = "serde")]
use crate::rules::policy::seconds;

/// The state of a second tier, as this process sees it: see [`status`](crate::shared::status).
///
/// An *operation* is one round trip to the tier: a call may need none or several. The numbers are those of all caches of
/// the process, and the counts begin with the configuration.
///
/// With the feature `serde` it can be serialized, as a map of these fields: durations are seconds in floating point, and
/// `None` is null.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TierStatus {
    /// The name that it was given by [`shared_as`](crate::Configure::shared_as). `None` for that of
    /// [`shared`](crate::Configure::shared).
    pub alias: Option<String>,
    /// Whether there is a connection. If not, operations fail at once, and functions work without the tier. (While the
    /// first connection is made, they wait for it within their time-out.)
    pub connected: bool,
    /// How long this has been so, from the configuration on.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of"))]
    pub since: Duration,
    /// The median of the round trips of the last minute; `None` if there was none.
    ///
    /// Round trips are counted in groups: this is up to an eighth (and a microsecond) more than the exact median, and
    /// never less. The minute is one of 55 to 60 seconds. An operation that has timed out counts with the time that was
    /// waited for it.
    ///
    /// A link to a server is tried once a second, which counts here and not as an operation.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of_limit"))]
    pub round_trip_p50: Option<Duration>,
    /// The time that 99 of 100 round trips of the last minute did not exceed, in the same way.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of_limit"))]
    pub round_trip_p99: Option<Duration>,
    /// Operations that were asked for, whatever came of them.
    pub operations: u64,
    /// Operations that have failed: there was no connection, it was lost, or the tier has answered with an error.
    /// Time-outs do not count.
    pub errors: u64,
    /// Operations that were given no answer in time.
    pub timeouts: u64,
}

/// Counts the operations of a tier.
#[derive(Default)]
pub(super) struct Meter {
    operations: AtomicU64,
    errors: AtomicU64,
    timeouts: AtomicU64,
    round_trips: Mutex<RoundTrips>,
}

impl Meter {
    /// An operation is asked for.
    pub(super) fn begin(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    /// It has ended, so long after it was asked for.
    pub(super) fn end(&self, failed: Option<&Down>, took: Duration, now: Moment) {
        match failed {
            None => {}
            Some(Down::TimedOut) => {
                self.timeouts.fetch_add(1, Ordering::Relaxed);
            }
            Some(Down::Disconnected | Down::Refused(_)) => {
                self.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
        if !matches!(failed, Some(Down::Disconnected)) {
            self.note(took, now);
        }
    }

    /// Notes a round trip that is not an operation.
    pub(super) fn note(&self, took: Duration, now: Moment) {
        lock(&self.round_trips).note(took, now);
    }

    /// What is shown of a tier that has been connected, or not, for so long.
    pub(super) fn status(&self, connected: bool, since: Duration, now: Moment) -> TierStatus {
        let quantiles = lock(&self.round_trips).quantiles([500, 990], now);
        TierStatus {
            alias: None,
            connected,
            since,
            round_trip_p50: quantiles.map(|[p50, _]| p50),
            round_trip_p99: quantiles.map(|[_, p99]| p99),
            operations: self.operations.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            timeouts: self.timeouts.load(Ordering::Relaxed),
        }
    }
}
