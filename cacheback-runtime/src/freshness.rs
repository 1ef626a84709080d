//! The times of one stored value, and the state that an age puts it in.

use std::time::Duration;

use crate::clock::{Moment, nanos};
use crate::policy::Policy;

/// The times of a stored value. Spans are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// When the fetch began that made the value, or when it was set: its age counts from here.
    pub(crate) started: Moment,
    pub(crate) lifetime: u64,
    /// How long past the lifetime it may be served without waiting.
    pub(crate) max_stale: u64,
    /// The age at which it is gone.
    pub(crate) retention: u64,
    /// This long before the end of the lifetime, a hit starts the refresh.
    pub(crate) ahead: u64,
}

/// What most values of a cache have in common. Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spans {
    pub(crate) max_stale: u64,
    pub(crate) retention: u64,
    pub(crate) ahead: u64,
}

impl Spans {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self {
            max_stale: policy.max_stale.map_or(u64::MAX, nanos),
            retention: nanos(policy.retention),
            ahead: nanos(policy.refresh_ahead),
        }
    }
}

/// What an entry is at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Fresh,
    Stale,
    TooStale,
    Missing,
}

impl Times {
    /// The times of a value that began at `started` and whose own lifetime is `lifetime`.
    ///
    /// A lifetime past the retention ends with it. One as short as `refresh_ahead` would ask for a refresh at every
    /// hit: half of it is left alone.
    pub(crate) fn new(policy: &Policy, started: Moment, lifetime: Duration) -> Self {
        let lifetime = nanos(lifetime.min(policy.retention));
        let spans = Spans::of(policy);
        let ahead = if spans.ahead < lifetime { spans.ahead } else { lifetime / 2 };
        Self::of(started, lifetime, Spans { ahead, ..spans })
    }

    #[inline]
    pub(crate) fn of(started: Moment, lifetime: u64, spans: Spans) -> Self {
        let Spans { max_stale, retention, ahead } = spans;
        Self { started, lifetime, max_stale, retention, ahead }
    }

    /// A record without a value, from `started` for `retention` nanoseconds.
    pub(crate) fn of_nothing(started: Moment, retention: u64) -> Self {
        Self::of(started, 0, Spans { max_stale: 0, retention, ahead: 0 })
    }

    pub(crate) fn spans(&self) -> Spans {
        Spans { max_stale: self.max_stale, retention: self.retention, ahead: self.ahead }
    }

    pub(crate) fn age(&self, now: Moment) -> u64 {
        now.since(self.started)
    }

    #[inline]
    pub(crate) fn state(&self, now: Moment) -> State {
        let age = self.age(now);
        if age >= self.retention {
            State::Missing
        } else if age < self.lifetime {
            State::Fresh
        } else if age < self.lifetime.saturating_add(self.max_stale) {
            State::Stale
        } else {
            State::TooStale
        }
    }

    /// Before this moment a read serves the value and has nothing else to do.
    pub(crate) fn quiet_until(&self) -> Moment {
        self.started.plus(self.quiet_age())
    }

    /// That age.
    pub(crate) fn quiet_age(&self) -> u64 {
        (self.lifetime - self.ahead.min(self.lifetime)).min(self.retention)
    }

    /// Whether a refresh is wanted: the value is no longer fresh, or soon.
    pub(crate) fn due(&self, now: Moment) -> bool {
        self.age(now) >= self.quiet_age()
    }
}
