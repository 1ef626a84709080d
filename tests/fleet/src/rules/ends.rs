//! How it all ends: nothing is stuck, and all agree.

use std::collections::{BTreeMap, HashMap};

use super::{Tally, Violation};
use crate::catalogue::{FUNCTIONS, keys_of};
use crate::events::{Answer, Process, Read, SECOND};
use crate::history::History;

/// *A key is never stuck*: when the faults are over and have healed, each process is given a fresh value of each key.
///
/// *What one process has changed, no other serves as fresh after one message*, and *nothing is lost*: when each key was
/// written a last time, each process has the origin's last version of it. Of a value that lasts longer than the run, all
/// have the same one.
pub(crate) fn check(history: &History, tally: &mut Tally, violations: &mut Vec<Violation>) {
    let (Some(calm), Some(last_written)) = (history.calm, history.last_written) else { return };
    let ended = history.ended.unwrap_or(last_written);
    // By key and process: the fresh value of the calm, and the last answer.
    let mut fresh: HashMap<(&str, Process), &Read> = HashMap::new();
    let mut last: HashMap<(&str, Process), &Read> = HashMap::new();
    for read in history.reads.iter().filter(|read| read.begin >= calm) {
        let of = (&*read.key, read.process);
        if matches!(read.answer, Answer::Fresh | Answer::Fetched) {
            fresh.insert(of, read);
        }
        last.insert(of, read);
    }
    for function in &FUNCTIONS {
        for key in keys_of(function) {
            let version = history.last_version(&key);
            let mut seen = BTreeMap::new();
            let mut broken =
                |rule, what| violations.push(Violation { rule, key: key.clone(), at: ended, what });
            for process in history.alive() {
                tally.ends += 1;
                if !fresh.contains_key(&(&*key, process)) {
                    let what =
                        format!("{process}, from {} s on: {:?}", calm / SECOND, last.get(&(&*key, process)));
                    broken("a key is stuck", what);
                    continue;
                }
                let Some(value) = last.get(&(&*key, process)).and_then(|read| read.value.as_ref()) else {
                    broken("a key is stuck", format!("{process} is given nothing in the end"));
                    continue;
                };
                if value.version != version {
                    let what = format!("{process} has version {}, the origin {version}", value.version);
                    broken("a process has an old version in the end", what);
                }
                seen.insert(process, value.number);
            }
            let is_one = seen.values().all(|number| Some(number) == seen.values().next());
            if function.lifetime > 60 * SECOND && !is_one {
                broken("two values of a key in the end", format!("{seen:?}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::by_hand::{fresh, killed, read, started, violations, write};
    use crate::catalogue::{FUNCTIONS, keys_of};
    use crate::events::{Answer, Change, Event};

    /// Two processes, which both have every key in the end, but for the answers of process 2 to `long:1`.
    fn verdict(of_one_key: Vec<Event>) -> Vec<&'static str> {
        let mut events = vec![started(0, 1), started(0, 2)];
        events.extend([Event::Calm { at: 50_000_000 }, Event::LastWritten { at: 52_000_000 }]);
        for key in FUNCTIONS.iter().flat_map(keys_of) {
            let of_origin = u64::from(key == "long:1") * 7;
            events.push(fresh(54_000, 1, &key, of_origin, 5));
            if key != "long:1" {
                events.push(fresh(54_000, 2, &key, of_origin, 5));
            }
        }
        let written = write(51_000, 51_100, 1, "long:1", Change::Remove, 7);
        violations([events, written, of_one_key].concat(), super::check)
    }

    #[test]
    fn all_are_given_the_last_version() {
        let fine: [&str; 0] = [];
        let (stuck, old) = (["a key is stuck"], "a process has an old version in the end");
        let of = |at, answer, value| read(at, 2, "long:1", answer, value);
        assert_eq!(verdict(vec![fresh(54_000, 2, "long:1", 7, 5)]), fine);
        assert_eq!(verdict(vec![fresh(51_000, 2, "long:1", 0, 4), fresh(54_000, 2, "long:1", 7, 5)]), fine);
        assert_eq!(verdict(vec![]), stuck);
        assert_eq!(verdict(vec![of(54_000, Answer::Stale, Some((7, 5)))]), stuck);
        assert_eq!(
            verdict(vec![of(51_000, Answer::Fresh, Some((7, 5))), of(54_000, Answer::Empty, None)]),
            stuck
        );
        assert_eq!(verdict(vec![fresh(49_000, 2, "long:1", 7, 5)]), stuck);
        let two = "two values of a key in the end";
        assert_eq!(verdict(vec![fresh(54_000, 2, "long:1", 0, 5)]), [old]);
        assert_eq!(verdict(vec![fresh(54_000, 2, "long:1", 7, 6)]), [two]);
        assert_eq!(verdict(vec![killed(40_000, 2)]), fine);
    }
}
