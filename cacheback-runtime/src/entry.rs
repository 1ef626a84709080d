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
        let ahead = nanos(policy.refresh_ahead);
        Self {
            started,
            lifetime,
            max_stale: policy.max_stale.map_or(u64::MAX, nanos),
            retention: nanos(policy.retention),
            ahead: if ahead < lifetime { ahead } else { lifetime / 2 },
        }
    }

    pub(crate) fn age(&self, now: Moment) -> u64 {
        now.since(self.started)
    }

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

    /// Below this age a read serves the value and has nothing else to do.
    pub(crate) fn quiet_age(&self) -> u64 {
        (self.lifetime - self.ahead.min(self.lifetime)).min(self.retention)
    }

    /// Whether a refresh is wanted: the value is no longer fresh, or soon.
    pub(crate) fn due(&self, now: Moment) -> bool {
        self.age(now) >= self.quiet_age()
    }

    /// The first moment at which the value is gone.
    pub(crate) fn gone_at(&self) -> Moment {
        self.started.plus(self.retention)
    }
}
