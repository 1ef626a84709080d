//! The circuit breaker of a cache. While the origin fails whichever key is asked for, the cache starts one background
//! fetch in each back-off period, the *trial*, for all keys together. With the back-off of each key alone there would
//! be as many attempts as there are keys.
//!
//! Only a failed trial puts the next one off: the fetches of callers who wait may fail as often as they like. A key
//! that has a value may take the trial as soon as it is due. A missing key may take it half a period later, so that ids
//! that do not exist leave it to ids that do.

use crate::base::clock::Moment;
use crate::base::sync::{AtomicBool, AtomicU64, Mutex, Ordering, lock};
use crate::rules::backoff::pause;
use crate::rules::policy::Policy;

/// The breaker opens after this many failed fetches in a row, over any keys.
const FAILURES: u32 = 10;

pub(super) struct Breaker {
    state: Mutex<Tally>,
    /// A copy of the next trial in `state`, to be read without the lock: for keys with a value, and for missing keys.
    trial: [AtomicU64; 2],
    /// The last fetch has failed, or the breaker is open. Otherwise a success changes nothing, and takes no lock.
    has_failed: AtomicBool,
    trips: AtomicU64,
}

struct Tally {
    /// Failed fetches in a row, while the breaker is closed.
    failures: u32,
    /// Failed trials in a row, since the breaker opened.
    failed_trials: u32,
    next: Trial,
}

/// When the next trial is due.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Trial {
    /// For a key that has a value. [`Moment::PAST`] if the breaker is closed.
    due: Moment,
    /// For a missing key.
    due_if_missing: Moment,
}

impl Trial {
    const NONE: Self = Self { due: Moment::PAST, due_if_missing: Moment::PAST };

    /// The trial one period from now. A period is as long as the back-off of a key after `failed_trials` + 1 failures,
    /// and is shortened at random in the same way.
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
    /// The breaker is open, and this fetch is the trial of the period.
    Trial,
    /// The breaker is open, and the fetch may not start.
    Refused,
}

/// How the end of a fetch has changed the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Opened,
    Closed,
    /// Not at all.
    None,
}

impl Breaker {
    pub(super) fn new() -> Self {
        let state = Tally { failures: 0, failed_trials: 0, next: Trial::NONE };
        let (trial, has_failed, trips) = Default::default();
        Self { state: Mutex::new(state), trial, has_failed, trips }
    }

    /// Until then no fetch is started in the background, for a missing key or for a key with a value.
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

    /// Asks whether a fetch may be started in the background. The trial goes to the first key that asks when it is due.
    /// A trial that never ends is followed by another a period later.
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

    /// A fetch has failed: counts it, and may open the breaker or put the next trial off.
    pub(super) fn failed(&self, now: Moment, is_trial: bool, policy: &Policy) -> Turn {
        if !policy.breaker {
            return Turn::None;
        }
        let mut state = lock(&self.state);
        self.has_failed.store(true, Ordering::Release);
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

    /// The origin has answered: closes the breaker.
    pub(super) fn succeeded(&self) -> Turn {
        if !self.has_failed.load(Ordering::Acquire) {
            return Turn::None;
        }
        let mut state = lock(&self.state);
        self.has_failed.store(false, Ordering::Release);
        let was_open = state.next != Trial::NONE;
        (state.failures, state.failed_trials) = (0, 0);
        if !was_open {
            return Turn::None;
        }
        state.next = Trial::NONE;
        self.publish(state.next);
        Turn::Closed
    }

    /// Sets the next trial, unless a later one is set already: another trial was taken meanwhile.
    fn schedule(&self, state: &mut Tally, next: Trial) {
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
    fn ten_failures_in_a_row_open_the_breaker_and_one_success_closes_it() {
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
    fn there_is_one_trial_a_period_and_each_failed_trial_makes_the_period_longer() {
        let policy = Policy { max_backoff: Duration::from_secs(8), ..Policy::default() };
        let breaker = opened(&policy);
        let mut now = at(0);
        for longest in [1, 2, 4, 8, 8] {
            let (least, most) = (now.plus(longest * SECOND / 2 - 1), now.plus(longest * SECOND));
            assert_eq!(breaker.admit(least, false, &policy), Admission::Refused, "{longest}");
            assert_eq!(breaker.admit(most, false, &policy), Admission::Trial, "{longest}");
            assert_eq!(breaker.admit(most, false, &policy), Admission::Refused, "taken: {longest}");
            now = most;
            let _ = breaker.failed(now, true, &policy);
        }
    }

    /// The fetch of a caller who waits is never refused, and may fail at any time.
    #[test]
    fn a_failed_fetch_that_is_no_trial_puts_no_trial_off() {
        let policy = Policy::default();
        let breaker = opened(&policy);
        for second in 0..100 {
            let _ = breaker.failed(at(0).plus(second * SECOND / 100), false, &policy);
        }
        assert_eq!(breaker.admit(at(1), false, &policy), Admission::Trial);
        // The failures have not made the next period longer either.
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
            // Keys with a value find it taken, too.
            assert_eq!(breaker.admit(due_if_missing, false, &policy), Admission::Refused);
        }
    }

    #[test]
    fn a_trial_that_never_ends_is_followed_by_another() {
        let policy = Policy::default();
        let breaker = opened(&policy);
        assert_eq!(breaker.admit(at(1), false, &policy), Admission::Trial);
        assert_eq!(breaker.admit(at(1), false, &policy), Admission::Refused);
        assert_eq!(breaker.admit(at(2), false, &policy), Admission::Trial);
    }

    /// Of two trials that overlap, the first may fail last.
    #[test]
    fn a_trial_that_fails_late_does_not_bring_the_next_one_forward() {
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
    fn the_breaker_can_be_turned_off() {
        let (breaker, policy) = (Breaker::new(), Policy { breaker: false, ..Policy::default() });
        for _ in 0..100 {
            assert_eq!(breaker.failed(at(0), false, &policy), Turn::None);
        }
        assert_eq!(breaker.admit(at(0), false, &policy), Admission::Free);
    }
}
