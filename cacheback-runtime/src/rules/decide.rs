//! The decision: what a caller gets and what happens behind, from what is known of a key and the time.
//!
//! It knows no clock, no runtime and no store.

use crate::base::clock::Moment;
use crate::rules::freshness::{State, Times};

/// What is known of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// The times of its value, where it has one.
    pub(crate) times: Option<Times>,
    /// Until then no fetch is started in the background: the key is in back-off.
    pub(crate) backoff_until: Moment,
    /// Until then none is either, for any key of the cache: its breaker is open.
    pub(crate) broken_until: Moment,
    /// Until then a kept error answers callers who would wait.
    pub(crate) error_until: Moment,
}

impl Facts {
    /// A key of which nothing is known.
    pub(crate) const NONE: Self = Self {
        times: None,
        backoff_until: Moment::PAST,
        broken_until: Moment::PAST,
        error_until: Moment::PAST,
    };

    /// Whether there is nothing to serve.
    pub(crate) fn is_missing(&self, now: Moment) -> bool {
        self.state(now) == State::Missing
    }

    fn state(&self, now: Moment) -> State {
        self.times.as_ref().map_or(State::Missing, |times| times.state(now))
    }
}

/// What to do for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The fresh value.
    Serve,
    /// The fresh value, which is about to turn stale: and a refresh.
    ServeAndRefresh,
    /// The stale value, and nothing else: the key is in back-off, or the breaker open.
    ServeStale,
    /// The stale value, and a refresh.
    ServeStaleAndRefresh,
    /// A fetch that the caller waits for; where it brings no value, the stale one if there is one.
    FetchNow,
    /// The error that is kept.
    ServeError,
    /// The empty value, and nothing else: the key is in back-off, or the breaker open.
    ServeEmpty,
    /// The empty value, and a fetch.
    ServeEmptyAndFetch,
}

impl Decision {
    /// Whether it starts a fetch that nobody waits for.
    pub(crate) fn fetches_behind(self) -> bool {
        matches!(self, Self::ServeAndRefresh | Self::ServeStaleAndRefresh | Self::ServeEmptyAndFetch)
    }
}

/// Decides for a caller at `now`; `waits_on_miss`: where nothing is cached, this caller waits.
pub(crate) fn decide(facts: &Facts, now: Moment, waits_on_miss: bool) -> Decision {
    let in_backoff = now < facts.backoff_until;
    // A caller who waits is not refused.
    let behind = !in_backoff && now >= facts.broken_until;
    match facts.state(now) {
        State::Fresh if !behind || !facts.times.is_some_and(|times| times.due(now)) => Decision::Serve,
        State::Fresh => Decision::ServeAndRefresh,
        State::Stale if behind => Decision::ServeStaleAndRefresh,
        State::TooStale if !in_backoff => Decision::FetchNow,
        State::Stale | State::TooStale => Decision::ServeStale,
        State::Missing if waits_on_miss && now < facts.error_until => Decision::ServeError,
        State::Missing if waits_on_miss => Decision::FetchNow,
        State::Missing if !behind || now < facts.error_until => Decision::ServeEmpty,
        State::Missing => Decision::ServeEmptyAndFetch,
    }
}

#[cfg(test)]
mod tests;
