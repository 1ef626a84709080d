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
    /// Values that probes have looked at.
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
    pub(crate) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.writes_known += other.writes_known;
        self.pairs_of_bodies += other.pairs_of_bodies;
        self.ends += other.ends;
        self.probed += other.probed;
    }
}

/// Holds a history against all rules. `Err`: what is broken, the earliest first.
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
    if violations.is_empty() { Ok(tally) } else { Err(violations) }
}
