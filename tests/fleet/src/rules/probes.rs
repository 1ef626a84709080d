//! What the library says of itself.

use super::{Tally, Violation};
use crate::events::{Event, Micros, SECOND};
use crate::history::History;
use crate::outages::LOST;

/// A probe takes so long, if it has to look twice; and the outages before it may still be made up for.
const SPAN: Micros = LOST + SECOND;

/// *What one process has changed, no other serves as fresh after one message, or, if messages are lost, after 4 s plus
/// `timeout`.* The probe of a process finds nothing outdated, unless an outage has met it, or the server has lost
/// something since the process began: what another one has fetched again is a later value, and nobody is told.
pub(crate) fn check(history: &History, tally: &mut Tally, violations: &mut Vec<Violation>) {
    for event in &history.events {
        let Event::Probed { at, process, probed, outdated } = event else { continue };
        let is_clear = history.outages.is_clear(process.slot, at.saturating_sub(SPAN), *at);
        let started = history.started.get(process).copied().unwrap_or_default();
        let is_lost = history.losses.iter().any(|loss| (started..=*at).contains(&loss.at));
        if !is_clear || is_lost {
            continue;
        }
        tally.probed += probed;
        if *outdated > 0 {
            violations.push(Violation {
                rule: "a probe has found an outdated value",
                key: String::new(),
                at: *at,
                what: format!("{process} has found {outdated} among {probed}"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::by_hand::{loss, outage, process, started, violations};
    use super::{History, Tally};
    use crate::events::{Event, Lost, Reach, SECOND};

    #[test]
    fn nothing_is_outdated_but_after_an_outage() {
        let probed = |outdated| Event::Probed { at: 60 * SECOND, process: process(1), probed: 30, outdated };
        let broken = ["a probe has found an outdated value"];
        let fine: [&str; 0] = [];
        assert_eq!(violations(vec![probed(0)], super::check), fine);
        assert_eq!(violations(vec![probed(1)], super::check), broken);
        let cut = |at, slot| outage(at, at + 500, Some(slot), Reach::Messages);
        assert_eq!(violations(vec![probed(1), cut(57_000, 1)], super::check), fine);
        assert_eq!(violations(vec![probed(1), cut(57_000, 2)], super::check), broken);
        assert_eq!(violations(vec![probed(1), cut(30_000, 1)], super::check), broken);
        let flushed = |at| loss(at, Lost::Everything);
        assert_eq!(violations(vec![probed(1), flushed(10_000)], super::check), fine);
        assert_eq!(violations(vec![probed(1), started(20_000, 1), flushed(10_000)], super::check), broken);
        // Only what was held to the rule counts.
        let counted = |events: Vec<Event>| {
            let mut tally = Tally::default();
            super::check(&History::of(events), &mut tally, &mut Vec::new());
            tally.probed
        };
        assert_eq!(counted(vec![probed(0)]), 30);
        assert_eq!(counted(vec![probed(0), cut(57_000, 1)]), 0);
        assert_eq!(counted(vec![probed(0), flushed(10_000)]), 0);
    }
}
