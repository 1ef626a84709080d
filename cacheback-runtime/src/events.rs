//! What happened: counted in `counters`, logged in `logs`.

use crate::base::clock::Moment;
use crate::base::sync::plain::{AtomicU64, Ordering};

mod counters;
#[cfg(feature = "metrics")]
pub(crate) mod durations;
pub mod logs;
#[cfg(feature = "metrics")]
mod series;
mod stripes;
#[cfg(feature = "metrics")]
pub(crate) use counters::SERIES;
pub use counters::Stats;
pub(crate) use counters::{Counters, Provided, count};
pub(crate) use logs::*;
#[cfg(feature = "metrics")]
pub(crate) use series::{Kind, Row};

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

/// Where an answer came from.
///
/// With the feature `serde` it is one of the words `local`, `shared`, `fetched` and `empty`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Source {
    /// From this process: the value (or the error that `cache_err` keeps) was stored here already.
    Local,
    /// From the second tier: this call, or one that it waited with, has found the value there.
    Shared,
    /// From the function: this call waited for the fetch.
    Fetched,
    /// From nowhere: it is the empty value.
    Empty,
}

/// Lets one log line through each ten seconds.
#[derive(Default)]
pub(crate) struct RateLimit(AtomicU64);

impl RateLimit {
    pub(crate) fn passes(&self, now: Moment) -> bool {
        self.passes_each(10_000_000_000, now)
    }

    #[cfg(feature = "shared")]
    pub(crate) fn passes_each_minute(&self, now: Moment) -> bool {
        self.passes_each(60_000_000_000, now)
    }

    fn passes_each(&self, nanos: u64, now: Moment) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        let due = last == 0 || now.since(Moment::from_bits(last)) >= nanos;
        due && self.0.compare_exchange(last, now.to_bits(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_limit_lets_one_through_each_ten_seconds() {
        let limit = RateLimit::default();
        let start = Moment::from_bits(1);
        assert!(limit.passes(start));
        assert!(!limit.passes(start.plus(9_999_999_999)));
        assert!(limit.passes(start.plus(10_000_000_000)));
    }
}
