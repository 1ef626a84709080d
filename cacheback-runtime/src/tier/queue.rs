//! Queues: refreshes that worker processes run. `job` is what is put on a queue, as bytes, and `state` is a queue as a
//! state machine, with `turns` of its lines and the `rate` of its jobs. `custom` is a queue of the user's
//! own, and `trace` lets its traces go on.
//!
//! A queue has a [`Line`] for each function and version, so that a worker takes only jobs that it can run. A job is
//! *enqueued*, *taken* by a worker, and then *done*, *given back* or *buried*. If its worker ends before that, another
//! one claims it after a while. A queue decides nothing: which jobs are run, and how often, is in `rules/queue`.
//!
//! Nobody relies on a queue for correctness: the token of the lease says whether a job may still run.

#![cfg_attr(not(feature = "worker"), allow(dead_code))] // Without it, no process is a worker.

use std::fmt;
use std::time::Duration;

use super::{Reply, Scope};
use crate::base::sync::Arc;
use crate::rules::queue::QueueFacts;

mod custom;
pub(crate) mod job;
#[cfg(any(feature = "simulation", feature = "sqlite", feature = "test-util", all(test, cacheback_shuttle)))]
pub(crate) mod rate;
#[cfg(any(feature = "simulation", feature = "test-util", all(test, cacheback_shuttle)))]
pub(crate) mod state;
mod status;
mod trace;
#[cfg(any(feature = "simulation", feature = "sqlite", feature = "test-util", all(test, cacheback_shuttle)))]
pub(crate) mod turns;
pub(crate) use custom::Custom;
pub use custom::{LineState, Queue as CustomQueue, QueueError};
pub(crate) use job::Job;
pub use status::{DeadJob, QueueStatus};
pub(crate) use trace::Traces;

/// The jobs of one function, in one of its versions. Its `Display` is a text that no other line has, and that is the same
/// in every process: a key for a [`Queue`](crate::shared::Queue).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// The name of the queue, as the option `queue` gives it.
    pub(crate) queue: Arc<str>,
    /// The function's name.
    pub(crate) function: Arc<str>,
    /// The instantiation, if there are several.
    pub(crate) instance: Option<Arc<str>>,
    pub(crate) version: u64,
}

impl Line {
    /// A line as the library makes them for a function. For the tests of a [`Queue`](crate::shared::Queue).
    #[must_use]
    pub fn new(queue: &str, function: &str, version: u64) -> Self {
        Self { queue: queue.into(), function: function.into(), instance: None, version }
    }

    pub(crate) fn of(queue: &str, scope: &Scope, version: u64) -> Self {
        let Scope { name, instance } = scope;
        Self {
            queue: queue.into(),
            function: Arc::clone(name),
            instance: instance.as_ref().map(Arc::clone),
            version,
        }
    }

    /// The name of the queue: that of the option `queue`.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The name of the function or cache.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Its version: that of the option `version`.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, function, instance, version } = self;
        for part in [&**queue, &**function, instance.as_deref().unwrap_or_default()] {
            // A space ends a part.
            write!(f, "{} ", part.replace('%', "%25").replace(' ', "%20"))?;
        }
        write!(f, "{version}")
    }
}

/// A job that was taken from its line.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Identifies it within its line.
    pub id: Box<str>,
    /// The job. It may be any bytes: who may write to the queue may write jobs.
    pub bytes: Vec<u8>,
    /// How often it was delivered, this time among them, and without those times that it was given back.
    pub deliveries: u32,
}

impl fmt::Debug for Delivery {
    /// Without the bytes, which are the arguments of a call.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, deliveries, .. } = self;
        f.debug_struct("Delivery").field("id", id).field("deliveries", deliveries).finish_non_exhaustive()
    }
}

/// The room that a worker has for jobs of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// The line.
    pub line: Line,
    /// How many jobs of it the worker can run now.
    pub places: usize,
    /// A job that was taken longer ago than this, and has not ended, is abandoned.
    pub min_idle: Duration,
}

impl Room {
    /// A room as a worker has it. For the tests of a [`Queue`](crate::shared::Queue).
    #[must_use]
    pub fn new(line: Line, places: usize, min_idle: Duration) -> Self {
        Self { line, places, min_idle }
    }
}

/// How a job has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its value is stored.
    Done,
    /// The body has returned an `Err`, has panicked or was aborted at its time-out, or the tier was lost before the value
    /// was stored.
    Failed,
    /// It was not needed any more, or is not to be run again.
    Dropped,
}

/// A place for jobs that several processes share. Each operation ends within the tier's own time-out, but for
/// [`take`](Queue::take). Dropping a reply gives up the answer, and not the operation.
pub(crate) trait Queue: Send + Sync + 'static {
    /// Puts a job at the end of its line, if the facts allow it. Returns the facts.
    fn enqueue(&self, line: &Line, job: Vec<u8>) -> Reply<QueueFacts>;

    /// What is known of a line.
    fn facts(&self, line: &Line) -> Reply<QueueFacts>;

    /// Takes jobs for a worker: those that others have abandoned first, from each line as many as it has places, and
    /// `most` of all. Lines that have jobs take turns. Without any it waits for one, for `wait` at the longest.
    fn take(&self, worker: &str, rooms: &[Room], most: usize, wait: Duration)
    -> Reply<Vec<(Line, Delivery)>>;

    /// A job has ended, and is forgotten.
    fn done(&self, line: &Line, id: &str, ended: Ended) -> Reply<()>;

    /// A job was not run, and is put back. Its delivery does not count.
    fn give_back(&self, line: &Line, delivery: &Delivery) -> Reply<()>;

    /// A job is not to be run any more. It is kept for a while, to be looked at.
    fn bury(&self, line: &Line, delivery: &Delivery, error: &str) -> Reply<()>;

    /// A worker lives, and serves these lines.
    fn beat(&self, worker: &str, lines: &[Line]) -> Reply<()>;

    /// A worker ends, and has no jobs under way.
    fn leave(&self, worker: &str, lines: &[Line]) -> Reply<()>;

    /// The state of all lines.
    fn status(&self) -> Reply<Vec<QueueStatus>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lines_have_the_same_text() {
        let line = |queue: &str, function: &str, instance: Option<&str>, version| {
            let scope = Scope { name: function.into(), instance: instance.map(Into::into) };
            Line::of(queue, &scope, version).to_string()
        };
        let lines = [
            line("reports", "shop::sales", None, 2),
            line("reports", "shop::sales", None, 3),
            line("reports", "shop::sales", Some("Repo"), 2),
            line("reports shop::sales", "", None, 2),
            line("reports%20shop::sales", "", None, 2),
            line("", "reports shop::sales", None, 2),
        ];
        assert_eq!(lines[0], "reports shop::sales  2");
        for (at, line) in lines.iter().enumerate() {
            assert!(!lines[..at].contains(line), "{line}");
        }
    }

    /// Bytes are arguments, which no log shows.
    #[test]
    fn a_delivery_does_not_show_its_job() {
        let shown = format!("{:?}", Delivery { id: "7".into(), bytes: b"secret".to_vec(), deliveries: 1 });
        assert_eq!(shown, "Delivery { id: \"7\", deliveries: 1, .. }");
    }
}
