//! One body a lifetime.

use super::{Tally, Violation};
use crate::catalogue::function_of;
use crate::events::{Micros, Outcome, SECOND};
use crate::history::{Body, History, Loss};
use crate::outages::{LOST, RECONNECT};

/// On a busy machine a body may ask the origin so long after its fetch has begun.
const LATE: Micros = SECOND / 2;

/// *One fetch a key and lifetime in the fleet*, outside of faults: between two bodies of a key there is its lifetime, or a
/// write.
///
/// It is held against two bodies if neither of their processes had an outage between them, or was still making up for one,
/// and if the server has lost nothing. A write counts a second longer than it takes: *while a superseded body still runs,
/// a re-run follows at its end*. One that waits counts until it is delivered, and after a loss the last ones are told again.
pub(crate) fn check(history: &History, tally: &mut Tally, violations: &mut Vec<Violation>) {
    let beginnings = history.beginnings();
    for (key, bodies) in &history.bodies {
        let Some(function) = function_of(key) else { continue };
        for pair in bodies.windows(2) {
            let [first, second] = pair else { continue };
            if is_excused(history, key, first, second) {
                continue;
            }
            tally.pairs_of_bodies += 1;
            // The age of a value counts from the beginning of its fetch, and the body asks the origin a little later.
            let earliest = first.at.saturating_sub(LATE);
            let began = beginnings
                .get(&first.made.number)
                .map_or(first.at, |began| (*began).clamp(earliest, first.at));
            let between = second.at - began;
            if between < function.lifetime - function.lifetime / 10 {
                violations.push(Violation {
                    rule: "two bodies in a lifetime",
                    key: key.clone(),
                    at: second.at,
                    what: format!(
                        "body {} ran in {} {} ms after the fetch of body {} in {}, and nothing was written",
                        second.made.number,
                        second.process,
                        between / 1_000,
                        first.made.number,
                        first.process
                    ),
                });
            }
        }
    }
}

fn is_excused(history: &History, key: &str, first: &Body, second: &Body) -> bool {
    let (from, to) = (first.at, second.at);
    // A process that ends leaves its fetches to the others.
    let is_after_the_end = history.ended.is_some_and(|ended| to > ended);
    let is_clear = |body: &Body| history.outages.is_clear(body.process.slot, from, to);
    let is_written = history.writes_of(key).iter().any(|write| {
        let over = match write.end {
            Some((end, Outcome::Done)) => end + SECOND,
            // It is delivered when its process is connected again.
            Some((end, Outcome::Unreachable)) => history.outages.due(write.process.slot, end) + LOST,
            None => Micros::MAX,
        };
        write.begin <= to && over >= from
    });
    // The last writes are told again.
    let told_again = |loss: &Loss| loss.at + RECONNECT + LOST;
    let is_lost = history.losses.iter().any(|loss| loss.at <= to && told_again(loss) >= from);
    is_after_the_end || is_written || is_lost || !is_clear(first) || !is_clear(second)
}

#[cfg(test)]
mod tests {
    use super::super::by_hand::{body, fresh, loss, outage, violations, write};
    use crate::events::{Change, Event, Lost, MILLISECOND, Reach, Read};

    /// Two bodies, the second of which begins so many milliseconds later.
    fn verdict(key: &str, after: u64, more: Vec<Event>) -> usize {
        let bodies = vec![body(50_000, 1, key, 0, 5), body(50_000 + after, 2, key, 0, 6)];
        violations([bodies, more].concat(), super::check).len()
    }

    #[test]
    fn there_is_a_lifetime_between_two_bodies() {
        assert_eq!(verdict("short:1", 2_000, vec![]), 0);
        assert_eq!(verdict("short:1", 1_900, vec![]), 0);
        assert_eq!(verdict("short:1", 1_700, vec![]), 1);
        assert_eq!(verdict("long:1", 100_000, vec![]), 1);
    }

    /// The ages of its values tell when it began, within bounds.
    #[test]
    fn a_body_that_asks_late_has_begun_before() {
        let aged = |millis: u64| {
            let Event::Read(read) = fresh(51_000, 3, "short:1", 0, 5) else { unreachable!("a read") };
            vec![Event::Read(Read { age: Some(millis * MILLISECOND), ..read })]
        };
        assert_eq!(verdict("short:1", 1_700, aged(1_000)), 1);
        assert_eq!(verdict("short:1", 1_700, aged(1_250)), 0);
        assert_eq!(verdict("short:1", 1_200, aged(9_000)), 1);
    }

    #[test]
    fn a_write_and_a_fault_excuse() {
        let cases: [(Vec<Event>, usize); 12] = [
            (vec![Event::Ended { at: 50_500_000 }], 0),
            (write(50_100, 50_200, 3, "short:1", Change::Invalidate, 7), 0),
            (write(49_000, 49_500, 3, "short:1", Change::Invalidate, 7), 0),
            (write(48_000, 48_500, 3, "short:1", Change::Invalidate, 7), 1),
            (write(51_100, 51_200, 3, "short:1", Change::Invalidate, 7), 1),
            (write(50_100, 50_200, 3, "short:2", Change::Invalidate, 7), 1),
            (vec![outage(50_100, 50_200, Some(1), Reach::Messages)], 0),
            (vec![outage(50_100, 50_200, None, Reach::Messages)], 0),
            (vec![outage(50_100, 50_200, Some(3), Reach::Everything)], 1),
            (vec![outage(40_000, 44_000, Some(2), Reach::Everything)], 0),
            (vec![loss(50_300, Lost::Everything)], 0),
            (vec![loss(52_000, Lost::Everything)], 1),
        ];
        for (more, broken) in cases {
            assert_eq!(verdict("short:1", 1_000, more.clone()), broken, "{more:?}");
        }
    }
}
