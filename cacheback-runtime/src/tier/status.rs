//! The state of a tier, for health pages: what it counts, and what is shown.

use std::time::Duration;

use super::Down;
use super::round_trips::RoundTrips;
use crate::base::clock::Moment;
use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};
use crate::events::{self, RateLimit};
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
    /// Whether there is a connection, of a cluster to any of its masters. If not, operations fail at once, and functions
    /// work without the tier. (While the first connection is made, they wait for it within their time-out.)
    pub connected: bool,
    /// Whether this process does without it, by [`pause`](crate::shared::pause). The connection stays.
    pub paused: bool,
    /// How long there has been a connection, or none, from the configuration on.
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
    /// Changes that the tier could not be told of yet. They are delivered when it is back.
    ///
    /// It is at most one for each key, and there are no more than 10,000 (and a few for whole functions).
    pub pending: u64,
    /// Changes that the tier was told of later than they were made, or once more after a lost connection.
    pub recovered: u64,
    /// Changes that came too late: another process had changed the key since, and its change stands.
    pub yielded: u64,
    /// Changes of single keys for which there was no room any more: in their place all values of the function were made
    /// stale, or removed.
    pub overflowed: u64,
    /// Messages that have arrived: the changes of other processes, and those of this one, which come back to it.
    pub messages: u64,
    /// The median age of the messages of the last minute at their arrival: the time from a change to the moment when
    /// this process learned of it. `None` if there was none.
    ///
    /// It is counted in groups, as round trips are. Both ends are moments of the tier's clock, so that no clock of
    /// another process takes part. Of Redis this process knows the time as of the last answer to the question that it
    /// asks once a second, give or take half of that round trip. A number of a change that is later than the server's
    /// time by more than a second says nothing, because the clock was set back: it is left out. A tier in memory has
    /// no ages.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of_limit"))]
    pub message_age_p50: Option<Duration>,
    /// The age that 99 of 100 messages of the last minute did not exceed at their arrival, in the same way.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of_limit"))]
    pub message_age_p99: Option<Duration>,
    /// How often messages may have been lost, so that each value is looked at once before a hit serves it again: with
    /// each connection, and now and then while no messages arrive.
    pub losses: u64,
    /// Values that are to be looked at before a hit serves them: each is looked at when it is asked for. A value that
    /// nobody asks for stays one of them until it is dropped. Of a cache with more than 1,024 values this is an
    /// estimate.
    pub suspects: u64,
    /// Values that a [`probe`](crate::shared::probe) has looked at.
    pub probed: u64,
    /// Those among them that were outdated: see [`Probe::outdated`](crate::shared::Probe::outdated).
    pub outdated: u64,
    /// The servers: one, or the masters of a cluster, as far as they are known. Of a cluster some may be connected and
    /// others not: then only the keys of these are fetched without the tier. A tier in memory has none.
    pub servers: Vec<ServerStatus>,
}

/// The state of one server of a [`TierStatus`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ServerStatus {
    /// Host and port, or the path of a socket, without user and password.
    pub address: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// How long this has been so.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of"))]
    pub since: Duration,
}

/// Counts the operations of a tier.
#[derive(Default)]
pub(super) struct Meter {
    operations: AtomicU64,
    errors: AtomicU64,
    timeouts: AtomicU64,
    round_trips: Mutex<RoundTrips>,
    messages: AtomicU64,
    ages: Mutex<RoundTrips>,
    /// Of the log line that messages are late.
    late: RateLimit,
}

/// A message that is older than this when it arrives is late: the rest of what is promised is for those that are lost.
#[cfg_attr(not(any(feature = "redis", feature = "sqlite")), allow(dead_code))]
const LATE: Duration = Duration::from_secs(4);

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
            Some(Down::Disconnected | Down::Refused(_) | Down::Full(_)) => {
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

    /// A message has arrived, so long after its change, if anybody can tell.
    #[cfg_attr(not(any(feature = "redis", feature = "sqlite", feature = "test-util")), allow(dead_code))]
    pub(super) fn message(&self, age: Option<Duration>, now: Moment) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        let Some(age) = age else { return };
        lock(&self.ages).note(age, now);
        if age > LATE && self.late.passes(now) {
            events::messages_late(age);
        }
    }

    /// What is shown of a tier that has been connected, or not, for so long.
    pub(super) fn status(
        &self,
        connected: bool,
        since: Duration,
        servers: Vec<ServerStatus>,
        now: Moment,
    ) -> TierStatus {
        let quantiles = lock(&self.round_trips).quantiles([500, 990], now);
        let ages = lock(&self.ages).quantiles([500, 990], now);
        TierStatus {
            alias: None,
            connected,
            paused: false,
            since,
            round_trip_p50: quantiles.map(|[p50, _]| p50),
            round_trip_p99: quantiles.map(|[_, p99]| p99),
            operations: self.operations.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            timeouts: self.timeouts.load(Ordering::Relaxed),
            pending: 0,
            recovered: 0,
            yielded: 0,
            overflowed: 0,
            messages: self.messages.load(Ordering::Relaxed),
            message_age_p50: ages.map(|[p50, _]| p50),
            message_age_p99: ages.map(|[_, p99]| p99),
            losses: 0,
            suspects: 0,
            probed: 0,
            outdated: 0,
            servers,
        }
    }
}
