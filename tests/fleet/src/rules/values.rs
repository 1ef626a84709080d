//! The values of callers: of their key, made by somebody, and not too old to be fresh.

use std::collections::HashMap;

use super::Violation;
use crate::catalogue::function_of;
use crate::events::{Answer, Change, Made, Micros};
use crate::history::History;
use crate::outages::MESSAGE;

/// *None of another key, ever*: whatever the network makes of the bytes, and however old a value is.
///
/// A value is one that a body has made, or somebody has set, before the call ended.
///
/// *An entry's age counts from the start of the fetch that made it*, in whichever process that was, and a value is fresh
/// for its `lifetime`.
pub(crate) fn check(history: &History, violations: &mut Vec<Violation>) {
    let made = all_made(history);
    for read in &history.reads {
        let Some(value) = &read.value else { continue };
        let mut broken = |rule, what| {
            violations.push(Violation { rule, key: read.key.clone(), at: read.end, what });
        };
        if value.key != read.key {
            broken("a value of another key", format!("{} was given {value:?}", read.process));
            continue;
        }
        let Some(known) =
            made.get(&value.number).filter(|known| known.made == *value && known.begin <= read.end)
        else {
            broken("a value that nobody has made", format!("{} was given {value:?}", read.process));
            continue;
        };
        let (Some(function), Some(latest)) = (function_of(&read.key), known.latest) else { continue };
        let age = read.begin.saturating_sub(latest);
        if read.answer == Answer::Fresh && age > function.lifetime + MESSAGE {
            let what = format!(
                "{} was given the value {} as a fresh one {} ms after it was made",
                read.process,
                value.number,
                age / 1_000
            );
            broken("a value that is fresh past its lifetime", what);
        }
    }
}

/// A value, and when it came into being.
struct Known {
    made: Made,
    begin: Micros,
    /// Its age counts from an earlier moment than this. Of an unfinished `set` nobody can tell.
    latest: Option<Micros>,
}

fn all_made(history: &History) -> HashMap<u64, Known> {
    let mut made = HashMap::new();
    for body in history.bodies.values().flatten() {
        let known = Known { made: body.made.clone(), begin: body.at, latest: Some(body.at) };
        made.insert(body.made.number, known);
    }
    for (key, writes) in &history.writes {
        for write in writes.iter().filter(|write| write.change == Change::Set) {
            let value = Made { key: key.clone(), version: write.version, number: write.number };
            let latest = write.end.map(|(end, _)| end);
            made.insert(write.number, Known { made: value, begin: write.begin, latest });
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::super::by_hand::{body, fresh, read, set, violations};
    use crate::events::{Answer, Event, Made};

    fn verdict(events: Vec<Event>) -> Vec<&'static str> {
        violations(events, |history, _, broken| super::check(history, broken))
    }

    #[test]
    fn values_are_of_their_key_and_of_somebody() {
        let nothing: [&str; 0] = [];
        assert_eq!(verdict(vec![body(1_000, 1, "long:1", 0, 5), fresh(2_000, 2, "long:1", 0, 5)]), nothing);
        let stale = read(2_000, 2, "long:1", Answer::Stale, Some((0, 5)));
        assert_eq!(verdict(vec![body(1_000, 1, "long:1", 0, 5), stale]), nothing);
        // Of another key, though it was made for that one, and though it is stale.
        let Event::Read(mut other) = read(2_000, 2, "long:1", Answer::Stale, None) else { unreachable!() };
        other.value = Some(Made { key: "long:2".to_owned(), version: 0, number: 5 });
        let events = vec![body(1_000, 1, "long:2", 0, 5), Event::Read(other)];
        assert_eq!(verdict(events), ["a value of another key"]);
        // Of nobody, of another version, and of later.
        let of_nobody = ["a value that nobody has made"];
        assert_eq!(verdict(vec![fresh(2_000, 2, "long:1", 0, 5)]), of_nobody);
        assert_eq!(verdict(vec![body(1_000, 1, "long:1", 0, 5), fresh(2_000, 2, "long:1", 4, 5)]), of_nobody);
        assert_eq!(verdict(vec![body(3_000, 1, "long:1", 0, 5), fresh(2_000, 2, "long:1", 0, 5)]), of_nobody);
        // A `set` may be read before it has returned.
        assert_eq!(
            verdict([set(1_000, 5_000, 1, "long:1", 7), vec![fresh(2_000, 2, "long:1", 7, 7)]].concat()),
            nothing
        );
    }

    #[test]
    fn values_are_fresh_for_their_lifetime() {
        let nothing: [&str; 0] = [];
        let too_old = ["a value that is fresh past its lifetime"];
        let made = || body(1_000, 1, "short:1", 0, 5);
        assert_eq!(verdict(vec![made(), fresh(3_000, 2, "short:1", 0, 5)]), nothing);
        assert_eq!(verdict(vec![made(), fresh(3_600, 2, "short:1", 0, 5)]), too_old);
        assert_eq!(verdict(vec![made(), read(9_000, 2, "short:1", Answer::Stale, Some((0, 5)))]), nothing);
        // The age of a `set` counts from some moment of it.
        let during = |at| [set(1_000, 3_000, 1, "short:1", 7), vec![fresh(at, 2, "short:1", 7, 7)]].concat();
        assert_eq!(verdict(during(5_000)), nothing);
        assert_eq!(verdict(during(6_000)), too_old);
    }
}
