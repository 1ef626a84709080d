//! A breaker for each cache: while its origin fails whatever it is asked for, background fetches of all keys together are
//! no more than one trial a back-off period. Each key's own back-off would leave as many attempts as there are keys.

use crate::clock::{Moment, nanos};
use crate::policy::Policy;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// So many fetches that failed in a row, over any keys, open it.
const FAILURES: u32 = 10;

pub(super) struct Breaker {
    state: Mutex<State>,
    /// That of the state, for readers.
    until: AtomicU64,
    trips: AtomicU64,
}

struct State {
    failures: u32,
    /// The next trial; in the past: it is closed.
    until: Moment,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Opened,
    Closed,
    /// As it was.
    None,
}

impl Breaker {
    pub(super) fn new() -> Self {
        let until = Moment::PAST;
        Self {
            state: Mutex::new(State { failures: 0, until }),
            until: AtomicU64::new(until.to_bits()),
            trips: AtomicU64::new(0),
        }
    }

    /// Until then no fetch is started behind a caller's back.
    pub(super) fn until(&self) -> Moment {
        Moment::from_bits(self.until.load(Ordering::Acquire))
    }

    pub(super) fn is_open(&self) -> bool {
        self.until() != Moment::PAST
    }

    /// How often it has opened.
    pub(super) fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    /// Whether a fetch may be started behind a caller's back. Where it is open this one is the trial of its period.
    pub(super) fn admits(&self, now: Moment, policy: &Policy) -> bool {
        if !self.is_open() {
            return true;
        }
        let mut state = lock(&self.state);
        if state.until == Moment::PAST {
            return true;
        }
        let is_due = now >= state.until;
        if is_due {
            let next = now.plus(pause(policy, state.failures));
            self.set(&mut state, next);
        }
        is_due
    }

    /// A fetch has failed.
    pub(super) fn failed(&self, now: Moment, policy: &Policy) -> Turn {
        if !policy.breaker {
            return Turn::None;
        }
        let mut state = lock(&self.state);
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES {
            return Turn::None;
        }
        let opens = state.until == Moment::PAST;
        let until = state.until.max(now.plus(pause(policy, state.failures)));
        self.set(&mut state, until);
        if !opens {
            return Turn::None;
        }
        self.trips.fetch_add(1, Ordering::Relaxed);
        Turn::Opened
    }

    /// A fetch has brought a value.
    pub(super) fn succeeded(&self) -> Turn {
        let mut state = lock(&self.state);
        state.failures = 0;
        if state.until == Moment::PAST {
            return Turn::None;
        }
        self.set(&mut state, Moment::PAST);
        Turn::Closed
    }

    fn set(&self, state: &mut State, until: Moment) {
        state.until = until;
        self.until.store(until.to_bits(), Ordering::Release);
    }
}

/// From one trial to the next: the back-off that a key would have, shortened at random in the same way.
fn pause(policy: &Policy, failures: u32) -> u64 {
    let longest = nanos(policy.backoff(failures.saturating_sub(FAILURES - 1)));
    super::record::shortened(longest, fastrand::f64() / 2.0).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: u64) -> Moment {
        Moment::from_bits(1).plus(seconds * SECOND)
    }

    #[test]
    fn ten_failures_in_a_row_open_it_and_one_success_closes_it() {
        let (breaker, policy) = (Breaker::new(), Policy::default());
        for _ in 0..9 {
            assert_eq!(breaker.failed(at(0), &policy), Turn::None);
        }
        assert_eq!(breaker.succeeded(), Turn::None);
        for _ in 0..9 {
            assert_eq!(breaker.failed(at(0), &policy), Turn::None);
            assert!(breaker.admits(at(0), &policy) && !breaker.is_open());
        }
        assert_eq!(breaker.failed(at(0), &policy), Turn::Opened);
        assert_eq!(breaker.failed(at(0), &policy), Turn::None);
        assert!(breaker.is_open() && !breaker.admits(at(0), &policy));
        assert_eq!((breaker.succeeded(), breaker.succeeded()), (Turn::Closed, Turn::None));
        assert!(!breaker.is_open() && breaker.admits(at(0), &policy));
        assert_eq!(breaker.trips(), 1);
    }

    #[test]
    fn one_trial_a_period_which_grows_with_each_failure() {
        let policy = Policy { max_backoff: Duration::from_secs(8), ..Policy::default() };
        let breaker = Breaker::new();
        let mut now = at(0);
        for _ in 0..10 {
            let _ = breaker.failed(now, &policy);
        }
        for longest in [1, 2, 4, 8, 8] {
            let (least, most) = (now.plus(longest * SECOND / 2 - 1), now.plus(longest * SECOND));
            assert!(!breaker.admits(least, &policy), "{longest}");
            assert!(breaker.admits(most, &policy), "{longest}");
            assert!(!breaker.admits(most, &policy), "the trial is taken: {longest}");
            now = most;
            let _ = breaker.failed(now, &policy);
        }
    }

    /// A trial of which nothing is heard any more is followed by another.
    #[test]
    fn a_trial_may_be_lost() {
        let (breaker, policy) = (Breaker::new(), Policy::default());
        for _ in 0..10 {
            let _ = breaker.failed(at(0), &policy);
        }
        assert!(breaker.admits(at(1), &policy) && !breaker.admits(at(1), &policy));
        assert!(breaker.admits(at(2), &policy));
    }

    #[test]
    fn it_can_be_turned_off() {
        let (breaker, policy) = (Breaker::new(), Policy { breaker: false, ..Policy::default() });
        for _ in 0..100 {
            assert_eq!(breaker.failed(at(0), &policy), Turn::None);
        }
        assert!(breaker.admits(at(0), &policy));
    }
}
