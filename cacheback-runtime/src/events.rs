//! What happened: counted here, logged in `logs`.

use crate::base::clock::Moment;
use crate::base::sync::plain::{AtomicU64, Ordering};

#[cfg(feature = "metrics")]
pub(crate) mod durations;
pub mod logs;
mod stripes;
pub(crate) use logs::*;
use stripes::Stripes;

/// Counters of a cached function or cache, since it was first used: a snapshot.
///
/// `hits`, `stale`, `empty` and `waited` add up to the [calls](Stats::calls) that were answered.
///
/// With the feature `serde` it is a map of these fields. What an older version did not count yet is read as zero.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// fn hit_ratio(stats: &cacheback::Stats) -> f64 {
///     stats.hits as f64 / stats.calls().max(1) as f64
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Stats {
    /// Calls answered with a fresh value (or a kept error).
    pub hits: u64,
    /// Calls answered with a stale value, at once or after a fetch that failed.
    pub stale: u64,
    /// Calls answered with the empty value.
    pub empty: u64,
    /// Calls answered with the outcome of a fetch that they waited for.
    pub waited: u64,
    /// Runs of the function's body that were started.
    pub fetches: u64,
    /// Fetches that ended with an `Err`.
    pub errors: u64,
    /// Fetches that panicked.
    pub panics: u64,
    /// Fetches that were aborted at `refresh_timeout`.
    pub timeouts: u64,
    /// Fetches whose outcome was not stored because the key was written, removed or claimed anew meanwhile.
    pub discarded: u64,
    /// Refreshes that the executor refused: too many were waiting, or it was shut down.
    pub refused: u64,
    /// Queued refreshes that were no longer needed when their turn came.
    pub skipped: u64,
    /// Values that were dropped to stay within `capacity` or `max_bytes`.
    pub evicted: u64,
    /// Values in the store now.
    pub entries: u64,
    /// Fetches that run now.
    pub in_flight: u64,
    /// How often the breaker opened: ten fetches in a row had failed, over any keys.
    pub breaker_trips: u64,
    /// Breakers that are open now: 0 or 1 for one cache.
    pub breakers_open: u64,
}

impl Stats {
    /// Calls that were answered: `hits + stale + empty + waited`.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.hits + self.stale + self.empty + self.waited
    }

    /// The sum of two, counter by counter.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            stale: self.stale + other.stale,
            empty: self.empty + other.empty,
            waited: self.waited + other.waited,
            fetches: self.fetches + other.fetches,
            errors: self.errors + other.errors,
            panics: self.panics + other.panics,
            timeouts: self.timeouts + other.timeouts,
            discarded: self.discarded + other.discarded,
            refused: self.refused + other.refused,
            skipped: self.skipped + other.skipped,
            evicted: self.evicted + other.evicted,
            entries: self.entries + other.entries,
            in_flight: self.in_flight + other.in_flight,
            breaker_trips: self.breaker_trips + other.breaker_trips,
            breakers_open: self.breakers_open + other.breakers_open,
        }
    }
}

/// What a call was answered with.
///
/// With the feature `serde` it is one of the words `fresh`, `stale`, `empty` and `fetched`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Status {
    /// A fresh value (or an error that `cache_err` keeps).
    Fresh,
    /// A stale value.
    Stale,
    /// The empty value: nothing is cached.
    Empty,
    /// The outcome, `Err` too, of a fetch that this call waited for.
    Fetched,
}

/// The counters of one cache.
#[derive(Default)]
pub(crate) struct Counters {
    /// By [`Status`].
    reads: Stripes,
    pub(crate) fetches: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) discarded: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) in_flight: AtomicU64,
}

impl Counters {
    /// Whether the next answer of this kind is each sixteenth of this thread.
    #[inline]
    pub(crate) fn is_turn(&self, status: Status) -> bool {
        self.reads.is_turn(status as usize, 16)
    }

    #[inline]
    pub(crate) fn answered(&self, status: Status) {
        self.reads.count(status as usize);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let read = |status: Status| self.reads.sum(status as usize);
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            hits: read(Status::Fresh),
            stale: read(Status::Stale),
            empty: read(Status::Empty),
            waited: read(Status::Fetched),
            fetches: of(&self.fetches),
            errors: of(&self.errors),
            panics: of(&self.panics),
            timeouts: of(&self.timeouts),
            discarded: of(&self.discarded),
            refused: of(&self.refused),
            skipped: of(&self.skipped),
            evicted: 0,
            entries: 0,
            in_flight: of(&self.in_flight),
            breaker_trips: 0,
            breakers_open: 0,
        }
    }
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Lets one log line through each ten seconds.
#[derive(Default)]
pub(crate) struct RateLimit(AtomicU64);

impl RateLimit {
    pub(crate) fn passes(&self, now: Moment) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        let due = last == 0 || now.since(Moment::from_bits(last)) >= 10_000_000_000;
        due && self.0.compare_exchange(last, now.to_bits(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_counter_of_its_own() {
        let counters = Counters::default();
        for (status, times) in
            [(Status::Fresh, 1), (Status::Stale, 2), (Status::Empty, 3), (Status::Fetched, 4)]
        {
            (0..times).for_each(|_| counters.answered(status));
        }
        let stats = counters.snapshot();
        assert_eq!((stats.hits, stats.stale, stats.empty, stats.waited), (1, 2, 3, 4));
    }

    #[test]
    fn threads_are_counted_together() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| (0..1000).for_each(|_| counters.answered(Status::Fresh)));
            }
        });
        assert_eq!(counters.snapshot().hits, 12_000);
    }

    #[test]
    fn a_rate_limit_lets_one_through_each_ten_seconds() {
        let limit = RateLimit::default();
        let start = Moment::from_bits(1);
        assert!(limit.passes(start));
        assert!(!limit.passes(start.plus(9_999_999_999)));
        assert!(limit.passes(start.plus(10_000_000_000)));
    }
}
