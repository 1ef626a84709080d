//! How many jobs have ended in the last minute, from two counters.

use crate::base::clock::Moment;

const MINUTE: u64 = 60_000_000_000;

/// How many jobs ended in this minute and in the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    pub(crate) minute: u64,
    pub(crate) counts: [u64; 2],
}

impl Rate {
    fn at(self, now: Moment) -> Self {
        let minute = now.to_bits() / MINUTE;
        let counts = match minute.saturating_sub(self.minute) {
            0 => self.counts,
            1 => [0, self.counts[0]],
            _ => [0, 0],
        };
        Self { minute, counts }
    }

    /// One more has ended.
    pub(crate) fn ended(self, now: Moment) -> Self {
        let mut rate = self.at(now);
        rate.counts[0] += 1;
        rate
    }

    /// In the minute up to `now`, if the minute before it was even.
    pub(crate) fn count(self, now: Moment) -> u64 {
        let [this, last] = self.at(now).counts;
        let left = MINUTE - now.to_bits() % MINUTE;
        this + last.saturating_mul(left) / MINUTE
    }
}
