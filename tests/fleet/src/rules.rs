//! The promises, a file each. Each rule reads a history and names the first thing that breaks it.

use std::fmt;

use crate::events::Micros;
use crate::history::History;

pub(crate) mod bodies;
#[cfg(test)]
mod by_hand;
pub(crate) mod ends;
pub(crate) mod freshness;
pub(crate) mod limits;
pub(crate) mod probes;
pub(crate) mod values;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) key: String,
    pub(crate) at: Micros,
    pub(crate) what: String,
}

/// How much there was to hold against the rules: a run in which nothing could fail proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) calls: usize,
    /// Pairs of a fresh answer and an earlier write that its process must have known of.
    pub(crate) writes_known: usize,
    /// Pairs of bodies with no fault, and no write, between them.
    pub(crate) pairs_of_bodies: usize,
    /// Keys, as each process sees them at the end.
    pub(crate) ends: usize,
    /// Values that probes have looked at, with nothing that would have excused an outdated one.
    pub(crate) probed: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, writes_known, pairs_of_bodies, ends, probed } = self;
        write!(
            f,
            "{calls} calls; {writes_known} times a fresh answer came after a write that its process had to know of; \
             {pairs_of_bodies} times two bodies of a key came with nothing but time between them; {ends} keys looked at \
             in the end; {probed} values probed"
        )
    }
}

impl Tally {
    /// What there was nothing of, although each round has some.
    fn lacks(self) -> Vec<&'static str> {
        let Self { calls, writes_known, pairs_of_bodies, ends, probed } = self;
        let counted = [
            ("calls", calls == 0),
            ("fresh answers after a write that their process had to know of", writes_known == 0),
            ("two bodies of a key with nothing but time between them", pairs_of_bodies == 0),
            ("keys looked at in the end", ends == 0),
            ("values probed", probed == 0),
        ];
        counted.into_iter().filter(|(_, is_lacking)| *is_lacking).map(|(what, _)| what).collect()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.writes_known += other.writes_known;
        self.pairs_of_bodies += other.pairs_of_bodies;
        self.ends += other.ends;
        self.probed += other.probed;
    }
}

/// Holds a history against all rules. `Err`: what is broken, the earliest first. If nothing is, but nothing could be, that
/// is broken.
pub(crate) fn check(history: &History) -> Result<Tally, Vec<Violation>> {
    let mut tally = Tally { calls: history.reads.len(), ..Tally::default() };
    let mut violations = Vec::new();
    values::check(history, &mut violations);
    freshness::check(history, &mut tally, &mut violations);
    bodies::check(history, &mut tally, &mut violations);
    limits::check(history, &mut violations);
    ends::check(history, &mut tally, &mut violations);
    probes::check(history, &mut tally, &mut violations);
    violations.sort_by_key(|violation| violation.at);
    let lacks = tally.lacks();
    if violations.is_empty() && !lacks.is_empty() {
        violations.push(Violation {
            rule: "a round in which nothing could fail",
            key: String::new(),
            at: history.ended.unwrap_or_default(),
            what: format!("no {}: {tally}", lacks.join(", no ")),
        });
    }
    if violations.is_empty() { Ok(tally) } else { Err(violations) }
}

#[cfg(test)]
mod tests {
    use super::by_hand::{body, fresh, process, started, write};
    use super::*;
    use crate::catalogue::{FUNCTIONS, keys_of};
    use crate::events::{Change, Event, SECOND};

    #[test]
    fn a_round_in_which_nothing_could_fail_is_one_that_fails() {
        let proves_nothing = "a round in which nothing could fail";
        let rules = |events| check(&History::of(events)).map_err(|broken| broken[0].rule);
        assert_eq!(rules(Vec::new()), Err(proves_nothing));
        let mut events = vec![started(0, 1), Event::Calm { at: 50 * SECOND }];
        events.push(Event::LastWritten { at: 52 * SECOND });
        for (key, number) in FUNCTIONS.iter().flat_map(keys_of).zip(1_000..) {
            let version = u64::from(key == "long:1") * 7;
            events.push(body(53_000, 1, &key, version, number));
            events.push(fresh(54_000, 1, &key, version, number));
        }
        events.push(body(10_000, 1, "short:1", 0, 1));
        let written = write(51_000, 51_100, 1, "long:1", Change::Remove, 7);
        let probed = |probed| Event::Probed { at: 53 * SECOND, process: process(1), probed, outdated: 0 };
        let all = [events.clone(), written.clone(), vec![probed(30)]].concat();
        let tally = rules(all).unwrap();
        assert_eq!((tally.writes_known, tally.pairs_of_bodies, tally.ends, tally.probed), (1, 1, 184, 30));
        assert_eq!(rules([events.clone(), written.clone(), vec![probed(0)]].concat()), Err(proves_nothing));
        let is_other = |event: &Event| !matches!(event, Event::Calm { .. });
        let without_end = [events, written, vec![probed(30)]].concat().into_iter().filter(is_other).collect();
        assert_eq!(rules(without_end), Err(proves_nothing));
    }

    #[test]
    fn each_number_of_a_tally_has_to_be_one() {
        let full = Tally { calls: 1, writes_known: 1, pairs_of_bodies: 1, ends: 1, probed: 1 };
        assert_eq!(full.lacks(), [""; 0]);
        for lacking in [
            Tally { calls: 0, ..full },
            Tally { writes_known: 0, ..full },
            Tally { pairs_of_bodies: 0, ..full },
            Tally { ends: 0, ..full },
            Tally { probed: 0, ..full },
        ] {
            assert_eq!(lacking.lacks().len(), 1, "{lacking:?}");
        }
    }
}
