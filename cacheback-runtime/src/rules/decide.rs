//! The decision: from the facts about a key and the time, it says what to serve and whether to fetch.
//!
//! It knows no clock, no runtime and no store.

use crate::base::clock::Moment;
use crate::rules::freshness::{State, Times};

/// The facts about a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// The times of its value, if it has one.
    pub(crate) times: Option<Times>,
    /// Until this moment the key is in back-off: no fetch is started in the background.
    pub(crate) backoff_until: Moment,
    /// Until this moment the breaker of the cache is open: no fetch is started in the background for any key.
    pub(crate) broken_until: Moment,
    /// Until this moment a kept error answers callers who would wait.
    pub(crate) error_until: Moment,
    /// The second tier may have a value, and was not asked yet.
    pub(crate) is_unsure: bool,
    /// Another process may have changed the value, and the second tier could tell.
    pub(crate) is_suspect: bool,
}

impl Facts {
    /// No facts: the key is not in the store.
    pub(crate) const NONE: Self = Self {
        times: None,
        backoff_until: Moment::PAST,
        broken_until: Moment::PAST,
        error_until: Moment::PAST,
        is_unsure: false,
        is_suspect: false,
    };

    /// Whether there is no value to serve.
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
    /// The fresh value, and a refresh, as the value will soon be stale.
    ServeAndRefresh,
    /// The stale value, and nothing else: the key is in back-off, or the breaker is open.
    ServeStale,
    /// The stale value, and a refresh.
    ServeStaleAndRefresh,
    /// A fetch that the caller waits for. If it brings no value, the caller gets the stale one, if there is one.
    FetchNow,
    /// The kept error.
    ServeError,
    /// The empty value, and nothing else: the key is in back-off, or the breaker is open.
    ServeEmpty,
    /// The empty value, and a fetch.
    ServeEmptyAndFetch,
    /// A look into the second tier, for which the caller waits. Then it decides again.
    Consult,
}

impl Decision {
    /// Whether it starts a fetch beside the answer, for which nobody waits.
    pub(crate) fn also_fetches(self) -> bool {
        matches!(self, Self::ServeAndRefresh | Self::ServeStaleAndRefresh | Self::ServeEmptyAndFetch)
    }
}

/// Decides for a caller at `now`. `waits_on_miss`: this caller waits if nothing is cached.
pub(crate) fn decide(facts: &Facts, now: Moment, waits_on_miss: bool) -> Decision {
    let in_backoff = now < facts.backoff_until;
    // The breaker refuses no caller who waits.
    let may_fetch = !in_backoff && now >= facts.broken_until;
    match facts.state(now) {
        State::Fresh if facts.is_suspect && facts.is_unsure => Decision::Consult,
        // Where no stale value is served without waiting, the caller waits. A fetch asks the second tier first.
        State::Fresh
            if facts.is_suspect && !in_backoff && facts.times.is_some_and(|times| times.max_stale == 0) =>
        {
            Decision::FetchNow
        }
        // Nobody knows whether it is to be refreshed.
        State::Fresh if facts.is_suspect => Decision::ServeStale,
        State::Fresh if !may_fetch || !facts.times.is_some_and(|times| times.due(now)) => Decision::Serve,
        State::Fresh => Decision::ServeAndRefresh,
        State::Stale if may_fetch => Decision::ServeStaleAndRefresh,
        State::TooStale if !in_backoff => Decision::FetchNow,
        State::Stale | State::TooStale => Decision::ServeStale,
        State::Missing if waits_on_miss && now < facts.error_until => Decision::ServeError,
        State::Missing if facts.is_unsure => Decision::Consult,
        State::Missing if waits_on_miss => Decision::FetchNow,
        State::Missing if !may_fetch || now < facts.error_until => Decision::ServeEmpty,
        State::Missing => Decision::ServeEmptyAndFetch,
    }
}

#[cfg(test)]
mod tests;
