//! When a process could have been told of a change, as far as the faults allow it.
//!
//! The bound that is promised: *what one process has changed, no other serves as fresh after one message. If the message
//! is lost, it is no longer than 4 s plus `timeout`.* And: *while the server is down, there is nobody to ask: values stay
//! fresh for their `lifetime`. It all starts anew with the next connection.*

use std::collections::BTreeMap;

use crate::catalogue::TIMEOUT;
use crate::events::{MILLISECOND, Micros, Reach, SECOND};

/// A message arrives within so long. It takes less than one; the rest is for threads of a busy machine.
pub(crate) const MESSAGE: Micros = 500 * MILLISECOND;
/// If messages are lost, a change is noticed within so long.
pub(crate) const LOST: Micros = 4 * SECOND + TIMEOUT;
/// A process that was cut off altogether is connected again within so long: the longest pause between two tries, which is
/// the one after a connection, and a try of three round trips. It is not known to be connected before.
pub(crate) const RECONNECT: Micros = TIMEOUT + 50 * MILLISECOND + 3 * TIMEOUT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outage {
    from: Micros,
    to: Micros,
    reach: Reach,
}

impl Outage {
    /// When the process has noticed whatever it has missed.
    fn is_made_up_for(&self) -> Micros {
        self.to + RECONNECT + LOST
    }
}

/// The outages of all processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outages {
    of_all: Vec<Outage>,
    of_one: BTreeMap<u32, Vec<Outage>>,
    /// The times in which a process, or the whole machine, did not run.
    stalls: Vec<(Option<u32>, Micros, Micros)>,
}

impl Outages {
    pub(crate) fn add(&mut self, slot: Option<u32>, from: Micros, to: Micros, reach: Reach) {
        if reach == Reach::Nothing {
            return;
        }
        let outages = match slot {
            Some(slot) => self.of_one.entry(slot).or_default(),
            None => &mut self.of_all,
        };
        outages.push(Outage { from, to, reach });
    }

    /// A process that does not run is cut off, and its callers wait as long.
    pub(crate) fn add_stall(&mut self, slot: Option<u32>, from: Micros, to: Micros) {
        self.add(slot, from, to, Reach::Everything);
        self.stalls.push((slot, from, to));
    }

    fn of(&self, slot: u32) -> impl Iterator<Item = &Outage> {
        self.of_one.get(&slot).into_iter().flatten().chain(&self.of_all)
    }

    /// From when on a process has noticed a change that was completed at `at`. Nobody is told earlier if an outage comes
    /// between the change and this moment.
    pub(crate) fn due(&self, slot: u32, at: Micros) -> Micros {
        let mut due = at + MESSAGE;
        loop {
            let meets = |outage: &&Outage| outage.from <= due && outage.is_made_up_for() >= at;
            let due_after = |outage: &Outage| match outage.reach {
                Reach::Everything => outage.is_made_up_for().max(at) + MESSAGE,
                // The tier can be asked all the time.
                Reach::Messages | Reach::Nothing => at + LOST + MESSAGE,
            };
            let later = self.of(slot).filter(meets).map(due_after).max().unwrap_or(due);
            if later <= due {
                return due;
            }
            due = later;
        }
    }

    /// Whether no outage of a process, not even its consequences, has met this span.
    pub(crate) fn is_clear(&self, slot: u32, from: Micros, to: Micros) -> bool {
        self.of(slot).all(|outage| outage.from > to || outage.is_made_up_for() < from)
    }

    /// How much of this span a process did not run.
    pub(crate) fn stalled(&self, slot: u32, from: Micros, to: Micros) -> Micros {
        let own = self.stalls.iter().filter(|(of, ..)| of.is_none_or(|of| of == slot));
        own.map(|(_, began, ended)| (*ended).min(to).saturating_sub((*began).max(from))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Micros = SECOND;
    type Given = (Option<u32>, Micros, Micros, Reach);
    const MADE_UP: Micros = RECONNECT + LOST + MESSAGE;

    #[test]
    fn when_a_process_knows_of_a_change() {
        use Reach::{Everything, Messages, Nothing};
        let after_a_loss = LOST + MESSAGE;
        // The outages, and when a change at 100 s is known by process 1.
        let table: &[(&[Given], Micros)] = &[
            (&[], 100 * S + MESSAGE),
            (&[(Some(2), 99 * S, 101 * S, Everything)], 100 * S + MESSAGE),
            (&[(Some(1), 99 * S, 103 * S, Everything)], 103 * S + MADE_UP),
            (&[(None, 99 * S, 103 * S, Everything)], 103 * S + MADE_UP),
            (&[(Some(1), 99 * S, 103 * S, Nothing)], 100 * S + MESSAGE),
            // It begins when the message has arrived.
            (&[(Some(1), 101 * S, 103 * S, Everything)], 100 * S + MESSAGE),
            (&[(Some(1), 100 * S + MESSAGE / 2, 103 * S, Everything)], 103 * S + MADE_UP),
            // It is over, but the process may not be connected yet; and then it is.
            (&[(Some(1), 90 * S, 98 * S, Everything)], 98 * S + MADE_UP),
            (&[(Some(1), 80 * S, 90 * S, Everything)], 100 * S + MESSAGE),
            // The tier can be asked during the outage.
            (&[(Some(1), 99 * S, 130 * S, Messages)], 100 * S + after_a_loss),
            // One comes when the last is just over, and one when that is made up for.
            (
                &[(Some(1), 99 * S, 101 * S, Everything), (Some(1), 104 * S, 105 * S, Everything)],
                105 * S + MADE_UP,
            ),
            (
                &[(Some(1), 99 * S, 101 * S, Everything), (Some(1), 112 * S, 113 * S, Everything)],
                101 * S + MADE_UP,
            ),
            (
                &[(Some(1), 99 * S, 101 * S, Messages), (None, 103 * S, 104 * S, Everything)],
                104 * S + MADE_UP,
            ),
        ];
        for (outages, due) in table {
            let mut all = Outages::default();
            outages.iter().for_each(|(slot, from, to, reach)| all.add(*slot, *from, *to, *reach));
            assert_eq!(all.due(1, 100 * S), *due, "{outages:?}");
        }
    }

    #[test]
    fn a_stall_counts_for_the_process_that_had_it() {
        let mut outages = Outages::default();
        outages.add_stall(Some(1), 10 * S, 13 * S);
        outages.add_stall(None, 20 * S, 21 * S);
        let cases = [(1, 0, 30, 4), (2, 0, 30, 1), (1, 12, 14, 1), (1, 14, 20, 0), (1, 11, 12, 1)];
        for (slot, from, to, stalled) in cases {
            assert_eq!(outages.stalled(slot, from * S, to * S), stalled * S, "{slot} {from} {to}");
        }
        assert!(!outages.is_clear(1, 12 * S, 14 * S) && outages.is_clear(2, 12 * S, 14 * S));
        assert!(!outages.is_clear(2, 22 * S, 24 * S) && outages.is_clear(2, 40 * S, 41 * S));
    }
}
