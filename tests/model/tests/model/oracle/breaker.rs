//! The breaker: an origin that fails for all keys is left alone, but for one trial a period.

use super::keys::State;
use super::{Oracle, Time};

/// So many failures in a row, over any keys, open it.
const FAILURES: u32 = 10;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaker {
    /// In a row, over any keys, while it is closed.
    failures: u32,
    /// In a row, since it opened.
    failed_trials: u32,
    /// It is open, and this is the next trial.
    trial: Option<Trial>,
}

/// Each trial is certainly not due before the first moment, and certainly due from the second on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    due: (Time, Time),
    /// For a key without a value: half a period later.
    due_if_missing: (Time, Time),
}

/// Whether a fetch may be started that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Free,
    /// It is the trial of its period.
    Trial,
    Refused,
}

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.trial.is_some()
    }

    /// When the next trial is due for a key that is missing, or is not.
    pub(super) fn trial(&self, is_missing: bool) -> Option<(Time, Time)> {
        self.trial.map(|trial| if is_missing { trial.due_if_missing } else { trial.due })
    }
}

impl Oracle {
    /// Whether a fetch of this key may be started that nobody waits for. Asked only if one would be.
    pub(super) fn admit(&mut self, key: usize) -> Admission {
        let Some((least, _)) = self.breaker.trial(self.is_missing(key)) else { return Admission::Free };
        if self.now < least {
            return Admission::Refused;
        }
        self.breaker.trial = Some(self.next_trial());
        Admission::Trial
    }

    pub(super) fn is_missing(&self, key: usize) -> bool {
        self.state(key) == State::Missing
    }

    /// A body failed, or ran out of time, whatever had become of its key.
    pub(super) fn origin_failed(&mut self, is_trial: bool) {
        if !self.options.breaker {
            return;
        }
        match self.breaker.trial {
            Some(before) if is_trial => {
                self.breaker.failed_trials += 1;
                let next = self.next_trial();
                // The later trial stands. Chance may decide which one that is.
                let later = |one: (Time, Time), other: (Time, Time)| (one.0.max(other.0), one.1.max(other.1));
                self.breaker.trial = Some(Trial {
                    due: later(before.due, next.due),
                    due_if_missing: (
                        before.due_if_missing.0.min(next.due_if_missing.0),
                        before.due_if_missing.1.max(next.due_if_missing.1),
                    ),
                });
            }
            // Callers who wait may fail as often as they like.
            Some(_) => {}
            None => {
                self.breaker.failures += 1;
                if self.breaker.failures == FAILURES {
                    self.counts.breaker_trips += 1;
                    self.breaker.trial = Some(self.next_trial());
                }
            }
        }
    }

    /// A body brought a value, whatever had become of its key.
    pub(super) fn origin_succeeded(&mut self) {
        self.breaker = Breaker::default();
    }

    /// The next trial, from now: a period is the back-off of a key that has failed once more than there were trials.
    /// Two of them are never due at one moment.
    fn next_trial(&self) -> Trial {
        let longest = self.backoff(1 + self.breaker.failed_trials).max(1);
        let after = |span: Time| self.now + span;
        Trial {
            due: (after(longest.div_ceil(2)), after(longest)),
            due_if_missing: (after((longest * 3).div_ceil(4)), after((longest * 3).div_ceil(2))),
        }
    }
}
