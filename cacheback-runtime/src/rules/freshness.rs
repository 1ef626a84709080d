//! The times of one stored value, and the state that an age puts it in.

use std::time::Duration;

use crate::base::clock::{Moment, nanos};
use crate::rules::backoff::shortened;
use crate::rules::policy::Policy;

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

/// The times that a value's own options give it, `lifetime_for` and `retention_for`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnTimes {
    pub(crate) lifetime: Option<Duration>,
    pub(crate) retention: Option<Duration>,
}

impl OwnTimes {
    /// Whether its lifetime ends after the retention of all values, and is cut.
    pub(crate) fn is_cut(&self, policy: &Policy) -> bool {
        self.lifetime.is_some_and(|lifetime| lifetime > policy.retention)
    }
}

/// The times of a value whose fetch began at `started`, or that was set then. `None`: its own lifetime or retention is
/// zero, and it is not to be stored. `chance`, from 0 to 1, says how much of `jitter` the lifetime loses.
pub(crate) fn freshness(policy: &Policy, own: OwnTimes, started: Moment, chance: f64) -> Option<Times> {
    if own.lifetime.is_some_and(|lifetime| lifetime.is_zero())
        || own.retention.is_some_and(|retention| retention.is_zero())
    {
        return None;
    }
    let retention = own.retention.map_or(policy.retention, |own| own.min(policy.retention));
    let mut lifetime = own.lifetime.unwrap_or(policy.lifetime).min(retention);
    if policy.jitter > 0.0 && !lifetime.is_zero() {
        lifetime = Duration::from_nanos(shortened(nanos(lifetime), policy.jitter * chance).max(1));
    }
    Some(Times::new(&Policy { retention, ..*policy }, started, lifetime))
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

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: OwnTimes = OwnTimes { lifetime: None, retention: None };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn policy() -> Policy {
        Policy { lifetime: secs(100), retention: secs(1_000), ..Policy::default() }
    }

    /// Lifetime and retention in seconds, without chance.
    fn stored(policy: &Policy, own: OwnTimes) -> Option<(u64, u64)> {
        let times = freshness(policy, own, Moment::PAST, 0.0)?;
        Some((times.lifetime / 1_000_000_000, times.retention / 1_000_000_000))
    }

    #[test]
    fn a_values_own_times_come_before_the_options_within_the_retention() {
        let table = [
            (None, None, (100, 1_000)),
            (Some(5), None, (5, 1_000)),
            (Some(5_000), None, (1_000, 1_000)),
            (None, Some(50), (50, 50)),
            (None, Some(5_000), (100, 1_000)),
            (Some(500), Some(200), (200, 200)),
            (Some(500), Some(5_000), (500, 1_000)),
        ];
        for (lifetime, retention, expected) in table {
            let own = OwnTimes { lifetime: lifetime.map(secs), retention: retention.map(secs) };
            assert_eq!(stored(&policy(), own), Some(expected), "{own:?}");
        }
    }

    #[test]
    fn zero_of_its_own_says_not_to_store_a_value() {
        for own in
            [OwnTimes { lifetime: Some(secs(0)), ..NONE }, OwnTimes { retention: Some(secs(0)), ..NONE }]
        {
            assert_eq!(stored(&policy(), own), None, "{own:?}");
        }
        // The lifetime of all values may be zero: they are stored, and stale at once.
        assert_eq!(stored(&Policy { lifetime: secs(0), ..policy() }, NONE), Some((0, 1_000)));
    }

    #[test]
    fn only_a_lifetime_past_the_retention_of_all_values_is_cut() {
        for (lifetime, retention, is_cut) in
            [(1_000, None, false), (1_001, None, true), (500, Some(200), false)]
        {
            let own = OwnTimes { lifetime: Some(secs(lifetime)), retention: retention.map(secs) };
            assert_eq!(own.is_cut(&policy()), is_cut, "{own:?}");
        }
        assert!(!NONE.is_cut(&policy()));
    }

    #[test]
    fn jitter_takes_up_to_its_share_of_a_lifetime_and_never_all() {
        let lifetime = |jitter, chance, lifetime| {
            let policy = Policy { jitter, lifetime, ..policy() };
            freshness(&policy, NONE, Moment::PAST, chance).map(|times| times.lifetime)
        };
        let table = [
            (0.0, 1.0, secs(100), 100_000_000_000),
            (0.5, 0.0, secs(100), 100_000_000_000),
            (0.5, 0.5, secs(100), 75_000_000_000),
            (0.5, 1.0, secs(100), 50_000_000_000),
            (1.0, 1.0, secs(100), 1),
            (1.0, 1.0, secs(0), 0),
        ];
        for (jitter, chance, given, expected) in table {
            assert_eq!(lifetime(jitter, chance, given), Some(expected), "{jitter} {chance} {given:?}");
        }
    }
}
