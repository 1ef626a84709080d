//! What happened, from the lines of all logs.

use std::collections::{BTreeMap, HashMap};

use crate::catalogue::{function_of, keys_of};
use crate::events::{Change, Event, Lost, Made, Micros, Outcome, Process, Read};
use crate::outages::Outages;

/// A write. One that was never answered, as its process was killed, has no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) process: Process,
    pub(crate) change: Change,
    pub(crate) version: u64,
    pub(crate) number: u64,
    pub(crate) begin: Micros,
    pub(crate) end: Option<(Micros, Outcome)>,
}

/// A run of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) at: Micros,
    pub(crate) process: Process,
    pub(crate) made: Made,
}

/// Something that the server has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) at: Micros,
    pub(crate) lost: Lost,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// By their ends.
    pub(crate) reads: Vec<Read>,
    /// By their beginnings, for each key.
    pub(crate) writes: BTreeMap<String, Vec<Write>>,
    /// By their beginnings, for each key.
    pub(crate) bodies: BTreeMap<String, Vec<Body>>,
    pub(crate) started: BTreeMap<Process, Micros>,
    pub(crate) killed: BTreeMap<Process, Micros>,
    pub(crate) outages: Outages,
    pub(crate) losses: Vec<Loss>,
    /// From here on there are no faults.
    pub(crate) calm: Option<Micros>,
    /// From here on nothing is written.
    pub(crate) last_written: Option<Micros>,
    pub(crate) ended: Option<Micros>,
    /// What happened, for whoever reads the story of a key.
    pub(crate) events: Vec<Event>,
}

/// When something was, or began.
pub(crate) fn moment(event: &Event) -> Micros {
    match event {
        Event::Read(read) => read.begin,
        Event::Outage { from, .. } | Event::Stalled { from, .. } => *from,
        Event::Started { at, .. }
        | Event::Linked { at, .. }
        | Event::Killed { at, .. }
        | Event::Probed { at, .. }
        | Event::WriteBegan { at, .. }
        | Event::WriteEnded { at, .. }
        | Event::Body { at, .. }
        | Event::Loss { at, .. }
        | Event::Calm { at }
        | Event::LastWritten { at }
        | Event::Ended { at } => *at,
    }
}

impl History {
    pub(crate) fn of(mut events: Vec<Event>) -> Self {
        events.sort_by_key(moment);
        let mut history = Self::default();
        let mut ends = HashMap::new();
        for event in &events {
            if let Event::WriteEnded { at, number, outcome } = event {
                ends.insert(*number, (*at, *outcome));
            }
        }
        for event in &events {
            match event {
                Event::Started { at, process } => {
                    history.started.insert(*process, *at);
                }
                Event::Killed { at, process } => {
                    history.killed.insert(*process, *at);
                }
                Event::Read(read) => history.reads.push(read.clone()),
                Event::WriteBegan { at, process, key, change, version, number } => {
                    let (process, change, version, number) = (*process, *change, *version, *number);
                    let end = ends.get(&number).copied();
                    let write = Write { process, change, version, number, begin: *at, end };
                    let is_of_all = matches!(change, Change::Clear | Change::InvalidateAll);
                    let all =
                        function_of(key).filter(|_| is_of_all).map(|function| keys_of(function).collect());
                    for key in all.unwrap_or_else(|| vec![key.clone()]) {
                        history.writes.entry(key).or_default().push(write.clone());
                    }
                }
                Event::Body { at, process, made } => {
                    let body = Body { at: *at, process: *process, made: made.clone() };
                    history.bodies.entry(made.key.clone()).or_default().push(body);
                }
                Event::Outage { from, to, slot, reach, .. } => history.outages.add(*slot, *from, *to, *reach),
                Event::Stalled { from, to, slot } => history.outages.add_stall(*slot, *from, *to),
                Event::Loss { at, lost, .. } => history.losses.push(Loss { at: *at, lost: *lost }),
                Event::Calm { at } => history.calm = Some(*at),
                Event::LastWritten { at } => history.last_written = Some(*at),
                Event::Ended { at } => history.ended = Some(*at),
                Event::WriteEnded { .. } | Event::Linked { .. } | Event::Probed { .. } => {}
            }
        }
        history.reads.sort_by_key(|read| read.end);
        history.events = events;
        history
    }

    pub(crate) fn writes_of(&self, key: &str) -> &[Write] {
        self.writes.get(key).map_or(&[], Vec::as_slice)
    }

    /// When the fetch of each body began, by the ages of its values. It is before the body asks the origin.
    pub(crate) fn beginnings(&self) -> HashMap<u64, Micros> {
        let mut beginnings = HashMap::new();
        for read in &self.reads {
            if let (Some(made), Some(age)) = (&read.value, read.age) {
                let born = read.begin.saturating_sub(age);
                beginnings
                    .entry(made.number)
                    .and_modify(|own: &mut Micros| *own = born.min(*own))
                    .or_insert(born);
            }
        }
        beginnings
    }

    /// The processes that were alive at the end.
    pub(crate) fn alive(&self) -> impl Iterator<Item = Process> + '_ {
        self.started.keys().copied().filter(|process| !self.killed.contains_key(process))
    }

    /// The version that the origin has of a key at the end.
    pub(crate) fn last_version(&self, key: &str) -> u64 {
        self.writes_of(key).iter().map(|write| write.version).max().unwrap_or_default()
    }
}
