//! A breaker for each cache: while its origin fails whatever it is asked for, background fetches of all keys together are
//! no more than one trial a back-off period. Each key's own back-off would leave as many attempts as there are keys.
//!
//! Only a trial moves the next one: callers who wait may fail as often as they like. A key that has a value may take the
//! trial as soon as it is due, a missing one half a period later, so that ids that do not exist leave it to those that
//! do.

use crate::base::clock::Moment;
use crate::base::sync::{AtomicU64, Mutex, Ordering, lock};
use crate::rules::backoff::pause;
use crate::rules::policy::Policy;

/// So many fetches that failed in a row, over any keys, open it.
const FAILURES: u32 = 10;

pub(super) struct Breaker {
    state: Mutex<State>,
    /// The next trial as the state has it, for readers: of keys with a value, and of missing ones.
    trial: [AtomicU64; 2],
    trips: AtomicU64,
}

struct State {
    /// In a row, while it is closed.
    failures: u32,
    /// In a row, since it opened.
    failed_trials: u32,
    next: Trial,
}

/// When the next trial is due.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Trial {
    /// For a key that has a value; in the past: the breaker is closed.
    due: Moment,
    /// For a missing key.
    due_if_missing: Moment,
}

impl Trial {
    const NONE: Self = Self { due: Moment::PAST, due_if_missing: Moment::PAST };

    /// One period from now, which is the back-off of a key that has failed once more than so many trials, shortened at
    /// random in the same way.
    fn after(now: Moment, policy: &Policy, failed_trials: u32) -> Self {
        let period = pause(policy, failed_trials.saturating_add(1), fastrand::f64()).max(1);
        Self { due: now.plus(period), due_if_missing: now.plus(period.saturating_add(period / 2)) }
    }
}

/// Whether a fetch may be started in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// The breaker is closed.
    Free,
    /// It is open, and this fetch is the trial of its period.
    Trial,
    Refused,
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
        let state = State { failures: 0, failed_trials: 0, next: Trial::NONE };
        Self { state: Mutex::new(state), trial: Default::default(), trips: AtomicU64::new(0) }
    }

    /// Until then no fetch is started in the background for a key that is missing, or has a value.
    pub(super) fn until(&self, is_missing: bool) -> Moment {
        Moment::from_bits(self.trial[usize::from(is_missing)].load(Ordering::Acquire))
    }

    pub(super) fn is_open(&self) -> bool {
        self.until(false) != Moment::PAST
    }

    /// How often it has opened.
    pub(super) fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    /// Asks for a fetch in the background. The trial of a period goes to the first who asks once it is due; if nothing
    /// is ever heard of it, another follows a period later.
    pub(super) fn admit(&self, now: Moment, is_missing: bool, policy: &Policy) -> Admission {
        if !self.is_open() {
            return Admission::Free;
        }
        let mut state = lock(&self.state);
        if state.next == Trial::NONE {
            return Admission::Free;
        }
        let due = if is_missing { state.next.due_if_missing } else { state.next.due };
        if now < due {
            return Admission::Refused;
        }
        let next = Trial::after(now, policy, state.failed_trials);
        self.schedule(&mut state, next);
        Admission::Trial
    }

    /// A fetch has failed.
    pub(super) fn failed(&self, now: Moment, is_trial: bool, policy: &Policy) -> Turn {
        if !policy.breaker {
            return Turn::None;
        }
        let mut state = lock(&self.state);
        if state.next != Trial::NONE {
            if is_trial {
                state.failed_trials = state.failed_trials.saturating_add(1);
                let next = Trial::after(now, policy, state.failed_trials);
                self.schedule(&mut state, next);
            }
            return Turn::None;
        }
        state.failures += 1;
        if state.failures < FAILURES {
            return Turn::None;
        }
        let next = Trial::after(now, policy, 0);
        self.schedule(&mut state, next);
        self.trips.fetch_add(1, Ordering::Relaxed);
        Turn::Opened
    }

    /// The origin has answered.
    pub(super) fn succeeded(&self) -> Turn {
        let mut state = lock(&self.state);
        let was_open = state.next != Trial::NONE;
        (state.failures, state.failed_trials) = (0, 0);
        if !was_open {
            return Turn::None;
        }
        state.next = Trial::NONE;
        self.publish(state.next);
        Turn::Closed
    }

    /// Never earlier than a trial that is due later: that one was taken meanwhile.
    fn schedule(&self, state: &mut State, next: Trial) {
        if state.next.due < next.due {
            state.next = next;
            self.publish(next);
        }
    }

    fn publish(&self, Trial { due, due_if_missing }: Trial) {
        self.trial[1].store(due_if_missing.to_bits(), Ordering::Release);
        self.trial[0].store(due.to_bits(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: u64) -> Moment {
        Moment::from_bits(1).plus(seconds * SECOND)
    }

    /// A breaker that has opened at zero.
    fn opened(policy: &Policy) -> Breaker {
        let breaker = Breaker::new();
        for _ in 0..FAILURES {
            let _ = breaker.failed(at(0), false, policy);
        }
        assert!(breaker.is_open());
        breaker
    }

    #[test]
    fn ten_failures_in_a_row_open_it_and_one_success_closes_it() {
        let (breaker, policy) = (Breaker::new(), Policy::default());
        let admission = |breaker: &Breaker| breaker.admit(at(0), false, &policy);
        for _ in 0..9 {
            assert_eq!(breaker.failed(at(0), false, &policy), Turn::None);
        }
        assert_eq!(breaker.succeeded(), Turn::None);
        for _ in 0..9 {
            assert_eq!(breaker.failed(at(0), false, &policy), Turn::None);
            assert!(admission(&breaker) == Admission::Free && !breaker.is_open());
        }
        assert_eq!(breaker.failed(at(0), false, &policy), Turn::Opened);
        assert_eq!(breaker.failed(at(0), false, &policy), Turn::None);
        assert!(breaker.is_open() && admission(&breaker) == Admission::Refused);
        assert_eq!((breaker.succeeded(), breaker.succeeded()), (Turn::Closed, Turn::None));
        assert!(!breaker.is_open() && admission(&breaker) == Admission::Free);
        assert_eq!(breaker.trips(), 1);
    }

    #[test]
    fn one_trial_a_period_which_grows_with_each_trial_that_fails() {
        let policy = Policy { max_backoff: Duration::from_secs(8), ..Policy::default() };
        let breaker = opened(&policy);
        let mut now = at(0);
        for longest in [1, 2, 4, 8, 8] {
            let (least, most) = (now.plus(longest * SECOND / 2 - 1), now.plus(longest * SECOND));
            assert_eq!(breaker.admit(least, false, &policy), Admission::Refused, "{longest}");
            assert_eq!(breaker.admit(most, false, &policy), Admission::Trial, "{longest}");
            assert_eq!(breaker.admit(most, false, &policy), Admission::Refused, "it is taken: {longest}");
            now = most;
            let _ = breaker.failed(now, true, &policy);
        }
    }

    /// Whoever waits is not refused, and may fail at any time.
    #[test]
    fn a_failure_that_is_no_trial_moves_none() {
        let policy = Policy::default();
        let breaker = opened(&policy);
        for second in 0..100 {
            let _ = breaker.failed(at(0).plus(second * SECOND / 100), false, &policy);
        }
        assert_eq!(breaker.admit(at(1), false, &policy), Admission::Trial);
        // Nor does it make the next period longer.
        let _ = breaker.failed(at(1), false, &policy);
        assert_eq!(breaker.admit(at(2), false, &policy), Admission::Trial);
    }

    #[test]
    fn a_missing_key_leaves_the_trial_to_others_for_half_a_period() {
        let policy = Policy { max_backoff: Duration::from_secs(1), ..Policy::default() };
        for _ in 0..100 {
            let breaker = opened(&policy);
            let (due, due_if_missing) = (breaker.until(false), breaker.until(true));
            assert_eq!(due_if_missing.since(due), due.since(at(0)) / 2);
            let just_before = Moment::from_bits(due_if_missing.to_bits() - 1);
            assert_eq!(breaker.admit(just_before, true, &policy), Admission::Refused);
            assert_eq!(breaker.admit(due_if_missing, true, &policy), Admission::Trial);
            // And then it is taken, for the others too.
            assert_eq!(breaker.admit(due_if_missing, false, &policy), Admission::Refused);
        }
    }

    /// A trial of which nothing is heard any more is followed by another.
    #[test]
    fn a_trial_may_be_lost() {
        let policy = Policy::default();
        let breaker = opened(&policy);
        assert_eq!(breaker.admit(at(1), false, &policy), Admission::Trial);
        assert_eq!(breaker.admit(at(1), false, &policy), Admission::Refused);
        assert_eq!(breaker.admit(at(2), false, &policy), Admission::Trial);
    }

    /// The first of two trials that overlap fails late: the next one is not due sooner for that.
    #[test]
    fn a_trial_that_is_due_later_stands() {
        let policy = Policy::default();
        let breaker = opened(&policy);
        for second in [1, 3, 7, 15, 31] {
            assert_eq!(breaker.admit(at(second), false, &policy), Admission::Trial);
            let _ = breaker.failed(at(second), true, &policy);
        }
        let due = breaker.until(false);
        let _ = breaker.failed(at(0), true, &policy);
        assert!(breaker.until(false) >= due);
    }

    #[test]
    fn it_can_be_turned_off() {
        let (breaker, policy) = (Breaker::new(), Policy { breaker: false, ..Policy::default() });
        for _ in 0..100 {
            assert_eq!(breaker.failed(at(0), false, &policy), Turn::None);
        }
        assert_eq!(breaker.admit(at(0), false, &policy), Admission::Free);
    }
}
