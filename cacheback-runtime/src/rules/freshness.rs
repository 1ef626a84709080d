//! The times of a stored value, and its state at an age.

use std::time::Duration;

use crate::base::clock::{Moment, nanos};
use crate::rules::backoff::shortened;
use crate::rules::policy::Policy;

/// The times of a stored value. Spans are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// When the value was set, or when the fetch that made it began. Its age counts from this moment.
    pub(crate) started: Moment,
    pub(crate) lifetime: u64,
    /// How long after its lifetime it may be served without waiting.
    pub(crate) max_stale: u64,
    /// The age at which it is gone.
    pub(crate) retention: u64,
    /// How long before the end of the lifetime a hit starts the refresh.
    pub(crate) ahead: u64,
}

/// The times that most values of a cache have in common, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    pub(crate) max_stale: u64,
    pub(crate) retention: u64,
    pub(crate) ahead: u64,
}

impl Windows {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self {
            max_stale: policy.max_stale.map_or(u64::MAX, nanos),
            retention: nanos(policy.retention),
            ahead: nanos(policy.refresh_ahead),
        }
    }
}

/// The times that `lifetime_for` and `retention_for` give to one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnTimes {
    pub(crate) lifetime: Option<Duration>,
    pub(crate) retention: Option<Duration>,
}

impl OwnTimes {
    /// Whether the lifetime is longer than the retention of all values, and so is cut.
    pub(crate) fn is_cut(&self, policy: &Policy) -> bool {
        self.lifetime.is_some_and(|lifetime| lifetime > policy.retention)
    }
}

/// The times of a value that was set at `started`, or whose fetch began then. `None`: its own lifetime or retention is
/// zero, so it is not to be stored. `chance`, from 0 to 1, says how much of `jitter` the lifetime loses.
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
    let windows = Windows { retention: nanos(retention), ..Windows::of(policy) };
    Some(Times::new(windows, started, lifetime))
}

/// The state of an entry at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Fresh,
    Stale,
    TooStale,
    Missing,
}

impl Times {
    /// The times of a value whose age counts from `started`, with this lifetime.
    ///
    /// A lifetime past the retention ends with it. If the lifetime is no longer than `refresh_ahead`, every hit would
    /// ask for a refresh: instead, only hits in its second half do.
    pub(crate) fn new(windows: Windows, started: Moment, lifetime: Duration) -> Self {
        let lifetime = nanos(lifetime).min(windows.retention);
        let ahead = if windows.ahead < lifetime { windows.ahead } else { lifetime / 2 };
        Self::of(started, lifetime, Windows { ahead, ..windows })
    }

    #[inline]
    pub(crate) fn of(started: Moment, lifetime: u64, windows: Windows) -> Self {
        let Windows { max_stale, retention, ahead } = windows;
        Self { started, lifetime, max_stale, retention, ahead }
    }

    /// The times of a record without a value, which lasts from `started` for `retention` nanoseconds.
    pub(crate) fn of_nothing(started: Moment, retention: u64) -> Self {
        Self::of(started, 0, Windows { max_stale: 0, retention, ahead: 0 })
    }

    /// The times of a value of the second tier that was `age` nanoseconds old at the moment `at`. If the clock was not
    /// running yet when the value was fetched, the value counts as no older than the clock, and its spans end that much
    /// earlier.
    #[cfg(feature = "shared")]
    pub(crate) fn of_shared(at: Moment, age: u64, lifetime: u64, retention: u64, windows: Windows) -> Self {
        let known = age.min(at.to_bits().saturating_sub(1));
        let left = |span: u64| span.saturating_sub(age - known);
        let retention = left(retention.min(windows.retention));
        let lifetime = left(lifetime).min(retention);
        let ahead = if windows.ahead < lifetime { windows.ahead } else { lifetime / 2 };
        Self::of(Moment::from_bits(at.to_bits() - known), lifetime, Windows { retention, ahead, ..windows })
    }

    pub(crate) fn windows(&self) -> Windows {
        Windows { max_stale: self.max_stale, retention: self.retention, ahead: self.ahead }
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

    /// Until this moment a read serves the value and has nothing else to do.
    pub(crate) fn fast_path_until(&self) -> Moment {
        self.started.plus(self.fast_path_age())
    }

    /// Below this age a read serves the value and has nothing else to do.
    pub(crate) fn fast_path_age(&self) -> u64 {
        (self.lifetime - self.ahead.min(self.lifetime)).min(self.retention)
    }

    /// Whether a refresh is wanted: the value is no longer fresh, or will soon not be.
    pub(crate) fn due(&self, now: Moment) -> bool {
        self.age(now) >= self.fast_path_age()
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

    /// Lifetime and retention in seconds, without jitter.
    fn stored(policy: &Policy, own: OwnTimes) -> Option<(u64, u64)> {
        let times = freshness(policy, own, Moment::PAST, 0.0)?;
        Some((times.lifetime / 1_000_000_000, times.retention / 1_000_000_000))
    }

    #[test]
    fn a_values_own_times_replace_the_options_within_the_retention() {
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
    fn a_value_whose_own_time_is_zero_is_not_stored() {
        for own in
            [OwnTimes { lifetime: Some(secs(0)), ..NONE }, OwnTimes { retention: Some(secs(0)), ..NONE }]
        {
            assert_eq!(stored(&policy(), own), None, "{own:?}");
        }
        // The lifetime of all values may be zero. They are stored then, and are stale at once.
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
    fn jitter_shortens_a_lifetime_by_its_share_at_most_and_never_to_zero() {
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

    /// Retention here 1,000, whatever the value's own is; stale until 50 past the lifetime; refreshed 10 ahead.
    #[cfg(feature = "shared")]
    #[test]
    fn a_shared_value_is_as_old_here_as_there() {
        let windows = Windows { max_stale: 50, retention: 1_000, ahead: 10 };
        let (at, fresh, stale) = (Moment::from_bits(501), State::Fresh, State::Stale);
        // The age of the value, its lifetime and its retention; and then its start here, and its state now, when it is 99
        // older, and when it is 100 older.
        let table = [
            (0, 100, 2_000, 501, [fresh, fresh, stale]),
            (50, 150, 2_000, 451, [fresh, fresh, stale]),
            (500, 600, 2_000, 1, [fresh, fresh, stale]),
            // Older than the clock.
            (900, 1_000, 5_000, 1, [fresh, fresh, State::Missing]),
            (800, 900, 5_000, 1, [fresh, fresh, stale]),
            (9_000, 10_000, 20_000, 1, [State::Missing; 3]),
            (300, 100, 2_000, 201, [State::TooStale; 3]),
            (120, 100, 2_000, 381, [stale, State::TooStale, State::TooStale]),
            (50, 500, 100, 451, [fresh, State::Missing, State::Missing]),
        ];
        for (age, lifetime, retention, started, states) in table {
            let times = Times::of_shared(at, age, lifetime, retention, windows);
            assert_eq!(times.started, Moment::from_bits(started), "{age}");
            assert_eq!(
                [0, 99, 100].map(|later| times.state(at.plus(later))),
                states,
                "{age} {lifetime} {retention}"
            );
        }
        assert_eq!(Times::of_shared(at, 0, 8, 2_000, windows).ahead, 4);
    }
}
