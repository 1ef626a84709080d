//! The breaker: an origin that fails whatever it is asked for is left alone, but for one trial a period.

use super::{Oracle, Time};

/// So many failures in a row, over any keys, open it.
const FAILURES: u32 = 10;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaker {
    /// In a row, over any keys.
    failures: u32,
    /// It is open, and the next trial certainly not due before the first, and certainly due from the second on.
    trial: Option<(Time, Time)>,
}

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.trial.is_some()
    }

    pub(super) fn trial(&self) -> Option<(Time, Time)> {
        self.trial
    }
}

impl Oracle {
    /// Whether a fetch may be started that nobody waits for: where the breaker is open, it is the trial of its period.
    /// Asked only where one would be.
    pub(super) fn may_start_behind(&mut self) -> bool {
        let Some((least, _)) = self.breaker.trial else { return true };
        let is_due = self.now >= least;
        if is_due {
            self.breaker.trial = Some(self.period());
        }
        is_due
    }

    /// A body failed, or ran out of time, whatever had become of its key.
    pub(super) fn origin_failed(&mut self) {
        if !self.options.breaker {
            return;
        }
        self.breaker.failures += 1;
        if self.breaker.failures < FAILURES {
            return;
        }
        let (least, most) = self.period();
        self.breaker.trial = Some(match self.breaker.trial {
            Some(trial) => (trial.0.max(least), trial.1.max(most)),
            None => {
                self.counts.breaker_trips += 1;
                (least, most)
            }
        });
    }

    /// A body brought a value, whatever had become of its key.
    pub(super) fn origin_succeeded(&mut self) {
        self.breaker = Breaker::default();
    }

    /// The next trial, from now, as that of a key that fails for the first time as the breaker opens. Two of them are
    /// never due at one moment.
    fn period(&self) -> (Time, Time) {
        let longest = self.backoff(1 + self.breaker.failures - FAILURES).max(1);
        (self.now + longest.div_ceil(2), self.now + longest)
    }
}
