//! Changes that arrive late, because the tier could not be told of them when they were made. A value that was written
//! meanwhile is not to be replaced by an older one.
//!
//! No clock of a process takes part: the process says how long ago the change was made, and the tier compares that with
//! its own time.

use std::time::Duration;

use super::WriteId;
use crate::base::clock::{Moment, nanos};

/// When a change was made that is delivered late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late {
    /// By this process's clock. The tier is told how long ago that is as the change is sent, and not before: a process may be
    /// stopped at any moment.
    pub(crate) at: Moment,
    /// See [`Lateness`].
    pub(crate) known: Option<WriteId>,
    /// See [`Lateness`].
    pub(crate) over: Option<WriteId>,
}

/// How late a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lateness {
    /// It was made so long ago.
    pub(crate) age: Duration,
    /// It was told before, and had this number then. It may have been lost since.
    pub(crate) known: Option<WriteId>,
    /// What is there with this number, or a lower one, this process knows to be no later change.
    pub(crate) over: Option<WriteId>,
}

/// What became of a change that was delivered late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It holds, with this number.
    Done(WriteId),
    /// The key was changed, with this number, and nobody can tell whether that was the last change: a value of this process
    /// may be from before another one, whenever it was fetched.
    Unsure(WriteId),
    /// What was written later holds, with this number.
    Yielded(WriteId),
}

/// How a late change stands to what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The change was made after it: the change holds.
    After,
    /// Nobody can tell. A value is not to replace it, and is not to be replaced by it: the key has none then.
    Unsure,
    /// The change was made before it, or is in it.
    Before,
}

/// What is there: a value or a tombstone. Spans are by the tier's clock.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(any(feature = "sqlite", feature = "test-util", test)), allow(dead_code))]
pub(crate) struct There {
    pub(crate) id: WriteId,
    /// How long ago it was changed. `None` if that is in the future of the tier's clock, which was set back since.
    pub(crate) written: Option<Duration>,
    /// How old it is, if it was written so much later: the body of a value may have begun long before, and a tombstone may
    /// be that of a change which was told late itself.
    pub(crate) age: Option<Duration>,
}

impl Late {
    // Other tiers know the time of the sending otherwise.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub(crate) fn by(self, now: Moment) -> Lateness {
        let Self { at, known, over } = self;
        Lateness { age: Duration::from_nanos(now.since(at)), known, over }
    }
}

impl Lateness {
    /// The moment since when the change may have been made.
    #[cfg_attr(not(any(feature = "sqlite", feature = "test-util", test)), allow(dead_code))]
    pub(crate) fn since(self, now: Moment, doubt: Duration) -> Moment {
        Moment::from_bits(now.to_bits().saturating_sub(nanos(self.age.saturating_add(doubt))))
    }

    /// The same if nothing is there. What was told before is lost there, and perhaps a later change with it.
    // A server does the same in its own language.
    #[cfg_attr(not(any(feature = "sqlite", feature = "test-util", test)), allow(dead_code))]
    pub(crate) fn over_nothing(self) -> Order {
        if self.known.is_some() { Order::Unsure } else { Order::After }
    }

    /// Compares the change with what is there. The change may have been made `doubt` earlier than its age says, because it
    /// was on its way.
    // A server does the same in its own language.
    #[cfg_attr(not(any(feature = "sqlite", feature = "test-util", test)), allow(dead_code))]
    pub(crate) fn order(self, there: There, doubt: Duration) -> Order {
        let There { id, written, age } = there;
        if self.known == Some(id) {
            return Order::Before;
        }
        if self.over.is_some_and(|over| id <= over) {
            return Order::After;
        }
        let Some(written) = written else { return Order::Unsure };
        // What was read from the origin before the change is from before it, whenever it was stored. So is what a process has
        // fetched for itself since a change that it could not tell: it does not doubt that for its own tombstone.
        let began = age.unwrap_or(written);
        if began < self.age {
            return Order::Before;
        }
        // It may have been made stale after the change.
        let is_touched = written <= self.age.saturating_add(doubt);
        if is_touched || began <= self.age.saturating_add(doubt) { Order::Unsure } else { Order::After }
    }
}

/// Whether a value that was fetched here, without the tier, is newer than anything there: what is there was `written` so
/// long ago, and before the value's body began, `age` ago.
pub(crate) fn stands(age: Duration, written: Option<Duration>) -> bool {
    written.is_some_and(|written| written > age)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_change_yields_to_what_was_made_after_it() {
        let late = Lateness { age: ms(1_000), known: None, over: None };
        let table = [
            // Written so long ago, of such an age, and the change was made 1 s ago, give or take 100 ms.
            (Some(0), None, Order::Before),
            (Some(999), None, Order::Before),
            (Some(1_000), None, Order::Unsure),
            (Some(1_100), None, Order::Unsure),
            (Some(1_101), None, Order::After),
            (None, None, Order::Unsure),
            (Some(0), Some(999), Order::Before),
            // Its body began before the change.
            (Some(0), Some(1_000), Order::Unsure),
            (Some(0), Some(9_000), Order::Unsure),
            (Some(1_100), Some(9_000), Order::Unsure),
            (Some(1_101), Some(9_000), Order::After),
            (None, Some(0), Order::Unsure),
        ];
        for (written, age, expected) in table {
            let there = There { id: WriteId(7), written: written.map(ms), age: age.map(ms) };
            let order = |known: Option<u64>, over: Option<u64>| {
                Lateness { known: known.map(WriteId), over: over.map(WriteId), ..late }.order(there, ms(100))
            };
            assert_eq!(order(None, None), expected, "{there:?}");
            // It was told before, and is there, or was lost, or was followed by another.
            assert_eq!(order(Some(7), None), Order::Before, "{there:?}");
            assert_eq!(order(Some(8), None), expected, "{there:?}");
            assert_eq!(order(Some(6), None), expected, "{there:?}");
            // What is there is an earlier change of the same process.
            assert_eq!(order(None, Some(7)), Order::After, "{there:?}");
            assert_eq!(order(None, Some(6)), expected, "{there:?}");
        }
    }

    #[test]
    fn a_change_that_was_told_before_and_is_lost_brings_no_value_back() {
        let late = Lateness { age: ms(1_000), known: None, over: None };
        assert_eq!(late.over_nothing(), Order::After);
        assert_eq!(Lateness { known: Some(WriteId(7)), ..late }.over_nothing(), Order::Unsure);
    }

    #[test]
    fn a_value_of_this_process_stands_if_nothing_was_written_since_its_body_began() {
        assert!(stands(ms(10), Some(ms(11))));
        for written in [Some(ms(10)), Some(ms(9)), Some(ms(0)), None] {
            assert!(!stands(ms(10), written), "{written:?}");
        }
    }
}
