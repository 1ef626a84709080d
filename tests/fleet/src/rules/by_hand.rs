//! Histories that are written by hand. Times are milliseconds.

use super::{Tally, Violation};
use crate::events::{Answer, Change, Event, Lost, MILLISECOND, Made, Micros, Outcome, Process, Reach, Read};
use crate::history::History;

pub(super) fn process(slot: u32) -> Process {
    Process { slot, run: 0 }
}

fn micros(millis: u64) -> Micros {
    millis * MILLISECOND
}

pub(super) fn started(at: u64, slot: u32) -> Event {
    Event::Started { at: micros(at), process: process(slot) }
}

pub(super) fn killed(at: u64, slot: u32) -> Event {
    Event::Killed { at: micros(at), process: process(slot) }
}

pub(super) fn body(at: u64, slot: u32, key: &str, version: u64, number: u64) -> Event {
    let made = Made { key: key.to_owned(), version, number };
    Event::Body { at: micros(at), process: process(slot), made }
}

/// A call that begins and ends at one moment, with the version and the number of its value.
pub(super) fn read(at: u64, slot: u32, key: &str, answer: Answer, value: Option<(u64, u64)>) -> Event {
    let at = micros(at);
    let value = value.map(|(version, number)| Made { key: key.to_owned(), version, number });
    let (process, key, source) = (process(slot), key.to_owned(), "Local".to_owned());
    Event::Read(Read { process, key, begin: at, end: at, answer, source, age: None, value })
}

pub(super) fn fresh(at: u64, slot: u32, key: &str, version: u64, number: u64) -> Event {
    read(at, slot, key, Answer::Fresh, Some((version, number)))
}

pub(super) fn began(at: u64, slot: u32, key: &str, change: Change, version: u64) -> Event {
    let (at, process, key) = (micros(at), process(slot), key.to_owned());
    Event::WriteBegan { at, process, key, change, version, number: version }
}

pub(super) fn ended(at: u64, number: u64, outcome: Outcome) -> Event {
    Event::WriteEnded { at: micros(at), number, outcome }
}

/// A write that is done.
pub(super) fn write(begin: u64, end: u64, slot: u32, key: &str, change: Change, version: u64) -> Vec<Event> {
    vec![began(begin, slot, key, change, version), ended(end, version, Outcome::Done)]
}

pub(super) fn set(begin: u64, end: u64, slot: u32, key: &str, version: u64) -> Vec<Event> {
    write(begin, end, slot, key, Change::Set, version)
}

pub(super) fn outage(from: u64, to: u64, slot: Option<u32>, reach: Reach) -> Event {
    Event::Outage { from: micros(from), to: micros(to), slot, reach, what: "cut".to_owned() }
}

pub(super) fn loss(at: u64, lost: Lost) -> Event {
    Event::Loss { at: micros(at), lost, what: "flushed".to_owned() }
}

/// The names of the rules that are broken.
pub(super) fn violations(
    events: Vec<Event>,
    check: impl FnOnce(&History, &mut Tally, &mut Vec<Violation>),
) -> Vec<&'static str> {
    let mut broken = Vec::new();
    check(&History::of(events), &mut Tally::default(), &mut broken);
    broken.into_iter().map(|violation| violation.rule).collect()
}
