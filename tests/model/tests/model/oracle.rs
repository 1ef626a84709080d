//! The contract, played by one thread without a clock, a runtime or a cache: the answer of every call, the bodies that
//! run, the values that are stored, and the counters.
//!
//! It follows the promises of the library, not its code. Two things are not promised: by how much chance shortens a
//! back-off, and which entry is dropped when the cache is full. The oracle knows the bounds of the first, and says
//! while it is in [`doubt`](Oracle::doubt). It is [told](Oracle::evicted) about the second.

use crate::case::Options;
use std::collections::BTreeMap;

mod breaker;
mod calls;
mod executor;
mod fetches;
mod keys;
mod shutdown;
mod time;
mod writes;
use breaker::Breaker;
pub(crate) use calls::Answer;
use calls::Waiting;
use fetches::{Fetch, FetchId};
use keys::Key;
pub(crate) use keys::Peeked;

/// Milliseconds since the case began.
pub(crate) type Time = u64;
pub(crate) type CallId = usize;
/// The number of a body, which it gets when it was seen to begin.
pub(crate) type Body = usize;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    /// Zero is the empty value.
    pub(crate) serial: usize,
    /// The result of `lifetime_for`, if that is not the function's lifetime.
    pub(crate) lasting: Option<Time>,
    /// The result of `retention_for`, if there is one.
    pub(crate) kept: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Value(Value),
    Error(usize),
    Panic(usize),
}

/// The library's counters of the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) stale: u64,
    pub(crate) empty: u64,
    pub(crate) waited: u64,
    pub(crate) fetches: u64,
    pub(crate) errors: u64,
    pub(crate) panics: u64,
    pub(crate) timeouts: u64,
    pub(crate) discarded: u64,
    pub(crate) refused: u64,
    pub(crate) skipped: u64,
    pub(crate) breaker_trips: u64,
    pub(crate) breakers_open: u64,
    pub(crate) entries: u64,
    pub(crate) in_flight: u64,
}

pub(crate) struct Oracle {
    options: Options,
    now: Time,
    keys: Vec<Key>,
    fetches: BTreeMap<FetchId, Fetch>,
    waiting: BTreeMap<CallId, Waiting>,
    next_fetch: FetchId,
    breaker: Breaker,
    counts: Counts,
    /// Refreshes are refused.
    shut_down: bool,
    /// Nothing runs any more that nobody waits for.
    limit_reached: bool,
    finished: u64,
    aborted: u64,
    /// Since [they](Oracle::answers) were asked for.
    answers: BTreeMap<CallId, Answer>,
    /// Keys that were given a value since [they](Oracle::just_stored) were asked for.
    stored: Vec<usize>,
}

impl Oracle {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            now: 0,
            keys: vec![Key::default(); options.keys],
            fetches: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_fetch: 0,
            breaker: Breaker::default(),
            counts: Counts::default(),
            shut_down: false,
            limit_reached: false,
            finished: 0,
            aborted: 0,
            answers: BTreeMap::new(),
            stored: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            breakers_open: u64::from(self.breaker.is_open()),
            entries: (0..self.options.keys).filter(|key| self.value(*key).is_some()).count() as u64,
            in_flight: self.all(Fetch::is_running).len() as u64,
            ..self.counts
        }
    }
}
