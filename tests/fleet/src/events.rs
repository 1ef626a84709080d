//! The lines of the logs. Each process writes its own file, and so does the parent, whose origin all processes ask.
//!
//! Times are microseconds of the clock that all processes of a machine share.

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) type Micros = u64;
pub(crate) const MILLISECOND: Micros = 1_000;
pub(crate) const SECOND: Micros = 1_000_000;

/// A process: the place that it has in the fleet, and which of those that had it one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) slot: u32,
    pub(crate) run: u32,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}.{}", self.slot, self.run)
    }
}

/// A value of a cached function. The origin gives each one that is made a number, and each change of a key a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) key: String,
    pub(crate) version: u64,
    pub(crate) number: u64,
}

/// What a caller was told about his answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Fresh,
    Stale,
    Empty,
    Fetched,
    /// An error, though the origin never fails.
    Failed,
    /// He was given up.
    Unanswered,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Read {
    pub(crate) process: Process,
    pub(crate) key: String,
    pub(crate) begin: Micros,
    pub(crate) end: Micros,
    pub(crate) answer: Answer,
    /// Where the value came from, for whoever reads the story of a key.
    pub(crate) source: String,
    /// The age that the caller was told.
    pub(crate) age: Option<Micros>,
    pub(crate) value: Option<Made>,
}

/// What a write does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    Set,
    Invalidate,
    Remove,
    /// All keys of a function are stale.
    InvalidateAll,
    /// All keys of a function are gone.
    Clear,
}

/// How a write has ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Done,
    /// The tier could not be told, or did not say.
    Unreachable,
}

/// What an outage keeps from a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reach {
    /// The tier, or the process itself.
    Everything,
    /// The messages of the others alone.
    Messages,
    /// Nothing: it is slow, but within the time-out.
    Nothing,
}

/// What a server has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Lost {
    Everything,
    /// The versions of functions, by which `clear` works.
    Versions,
    /// The writes since this moment: what was there before may be there again.
    WritesSince(Micros),
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// A process is ready.
    Started {
        at: Micros,
        process: Process,
    },
    /// The link of a process to the server, as the process sees it.
    Linked {
        at: Micros,
        process: Process,
        is_up: bool,
    },
    /// A process has looked whether what its hits serve is what the tier has.
    Probed {
        at: Micros,
        process: Process,
        probed: u64,
        outdated: u64,
    },
    /// A process was killed.
    Killed {
        at: Micros,
        process: Process,
    },
    Read(Read),
    /// A write begins. The origin has the version already. Of a write to all keys of a function, `key` is the function.
    WriteBegan {
        at: Micros,
        process: Process,
        key: String,
        change: Change,
        version: u64,
        number: u64,
    },
    /// The write of this number has returned.
    WriteEnded {
        at: Micros,
        number: u64,
        outcome: Outcome,
    },
    /// The origin is asked for a value: a body runs.
    Body {
        at: Micros,
        process: Process,
        made: Made,
    },
    /// A fault. `slot`: of one process, otherwise of all.
    Outage {
        from: Micros,
        to: Micros,
        slot: Option<u32>,
        reach: Reach,
        what: String,
    },
    /// The server has lost something.
    Loss {
        at: Micros,
        lost: Lost,
        what: String,
    },
    /// A thread of a process, or of the parent, was not run by the system for so long.
    Stalled {
        from: Micros,
        to: Micros,
        slot: Option<u32>,
    },
    /// The last fault is over and has healed: from here on each key is read by all, and then written a last time.
    Calm {
        at: Micros,
    },
    /// The last writes are done.
    LastWritten {
        at: Micros,
    },
    /// The processes are ended, one after the other.
    Ended {
        at: Micros,
    },
}
