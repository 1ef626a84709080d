//! A queue of the user's own, in the place of those of the tiers.

use std::error::Error;
use std::fmt::Write;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use super::{Delivery, Ended, Line, QueueStatus, Room};
use crate::base::panics::catch_future;
use crate::base::sync::Arc;
use crate::base::tasks::{first, sleep};
use crate::rules::queue::{QueueFacts, hands_over};
use crate::tier::{Down, Reply};

/// Why an operation of a [`Queue`] has failed.
pub type QueueError = Box<dyn Error + Send + Sync>;

/// How long an operation may take.
const LIMIT: Duration = Duration::from_secs(5);

/// What a [`Queue`] knows of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineState {
    /// How many jobs wait in it.
    pub length: u64,
    /// How long ago a worker has last shown that it serves the line; `None` if none has, or none for more than 15
    /// seconds.
    pub worker_seen: Option<Duration>,
}

/// A place for the jobs of workers: in a database that you have already, say. [`Configure::queue`] takes it.
///
/// Without one, jobs are on the queue of the function's second tier. Values and leases stay in that tier in any case: it
/// says which jobs may still run, and no key is fetched twice because a job was delivered twice. So a queue need not be
/// exact. It should lose no job, and deliver it *at least* once.
///
/// A queue has a [`Line`] for each function and version. A job is bytes, which only the library reads: it has the
/// arguments of a call. It is [put](Self::put) into a line by a process that answers requests, [taken](Self::take) by a
/// worker, and then [done](Self::done), [given back](Self::give_back) or [buried](Self::bury). A job
/// that a worker took longer ago than [`min_idle`](Room::min_idle) counts as abandoned, and another worker takes it.
///
/// Methods may be written as `async fn`. Time should be that of the place where the jobs are, as clocks of machines differ.
///
/// # Errors
///
/// An error is no outage: a refresh that cannot be put on the queue runs in the process that asks for it, unless the
/// option `queue_fallback` is off, and a worker tries again after a second. The log shows the error's text with its
/// causes. It should not show the job.
///
/// # Cancellation
///
/// An operation that takes longer than five seconds, or a take that takes five seconds longer than it may wait, is given
/// up: its future is dropped, as it is when its runtime ends. A caller who gets a stale or empty value never waits
/// for a queue. One who comes to wait while the job is being put there waits for that as well, five seconds at most.
///
/// # Panics
///
/// A panic counts as an error.
///
/// # Examples
///
/// A queue in the memory of one process. `examples/postgres-queue` is one for several machines, in PostgreSQL.
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use std::collections::VecDeque;
/// use std::sync::Mutex;
/// use std::time::{Duration, Instant};
///
/// use cacheback::shared::{Delivery, Ended, Line, LineState, Memory, Queue, QueueError, Room};
///
/// #[derive(Default)]
/// struct Jobs {
///     waiting: Mutex<VecDeque<(Line, Vec<u8>)>>,
///     seen: Mutex<Option<Instant>>,
/// }
///
/// impl Queue for Jobs {
///     async fn put(&self, line: &Line, job: Vec<u8>) -> Result<(), QueueError> {
///         self.waiting.lock().unwrap().push_back((line.clone(), job));
///         Ok(())
///     }
///
///     async fn state(&self, line: &Line) -> Result<LineState, QueueError> {
///         let length = self.waiting.lock().unwrap().iter().filter(|(own, _)| own == line).count();
///         let worker_seen = self.seen.lock().unwrap().map(|seen| seen.elapsed());
///         Ok(LineState { length: length as u64, worker_seen })
///     }
///
///     async fn take(
///         &self,
///         _worker: &str,
///         rooms: &[Room],
///         _most: usize,
///         wait: Duration,
///     ) -> Result<Vec<(Line, Delivery)>, QueueError> {
///         // Here one at a time, and none is ever delivered again.
///         let taken = || {
///             let mut waiting = self.waiting.lock().unwrap();
///             let is_served = |line: &Line| rooms.iter().any(|room| room.line == *line && room.places > 0);
///             let at = waiting.iter().position(|(line, _)| is_served(line))?;
///             waiting.remove(at)
///         };
///         let until = Instant::now() + wait;
///         loop {
///             if let Some((line, bytes)) = taken() {
///                 return Ok(vec![(line, Delivery { id: "1".into(), bytes, deliveries: 1 })]);
///             }
///             if Instant::now() >= until {
///                 return Ok(Vec::new());
///             }
///             tokio::time::sleep(Duration::from_millis(20)).await;
///         }
///     }
///
///     async fn done(&self, _line: &Line, _id: &str, _ended: Ended) -> Result<(), QueueError> {
///         Ok(())
///     }
///
///     async fn give_back(&self, line: &Line, delivery: &Delivery) -> Result<(), QueueError> {
///         self.put(line, delivery.bytes.clone()).await
///     }
///
///     async fn beat(&self, _worker: &str, _lines: &[Line]) -> Result<(), QueueError> {
///         *self.seen.lock().unwrap() = Some(Instant::now());
///         Ok(())
///     }
/// }
///
/// cacheback::configure().shared(Memory::new()).queue(Jobs::default()).apply()?;
/// # Ok::<(), cacheback::Error>(())
/// ```
///
/// [`Configure::queue`]: crate::Configure::queue
pub trait Queue: Send + Sync + 'static {
    /// Puts a job at the end of a line.
    ///
    /// The library asks for the [`state`](Self::state) before, and puts no job into a line that no worker serves, or in
    /// which 10,000 jobs wait. (Of many processes that put jobs at the same moment, each may put one more.)
    fn put(&self, line: &Line, job: Vec<u8>) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// What is known of a line.
    fn state(&self, line: &Line) -> impl Future<Output = Result<LineState, QueueError>> + Send;

    /// Takes jobs for a worker, as many as its [rooms](Room) have places at most, and `most` of all. First come those that
    /// others have abandoned, and then those that wait, the oldest first; lines with jobs should take turns. No two
    /// workers get the same job. A job that was delivered before should be returned alone: it runs alone, and the worker
    /// gives back what it cannot run beside it.
    ///
    /// If there is no job, it waits for one, for `wait` at the longest, and returns none then. A job that comes in the
    /// meantime should be returned soon: this is what a refresh waits for.
    fn take(
        &self,
        worker: &str,
        rooms: &[Room],
        most: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<(Line, Delivery)>, QueueError>> + Send;

    /// A job has ended, and is to be forgotten. One that is not there any more is no error.
    fn done(
        &self,
        line: &Line,
        id: &str,
        ended: Ended,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// A job was not run: it waits again, and this delivery does not count.
    fn give_back(
        &self,
        line: &Line,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// A worker lives, and serves these lines. It says so every five seconds, and counts as gone after 15 seconds.
    fn beat(&self, worker: &str, lines: &[Line]) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// A worker ends. By default, it counts as gone 15 seconds later.
    fn leave(&self, worker: &str, lines: &[Line]) -> impl Future<Output = Result<(), QueueError>> + Send {
        let _ = (worker, lines);
        async { Ok(()) }
    }

    /// A job is not to be run any more: its key has killed three workers, it cannot be run, or the tier does not take its
    /// value. It may be kept to be looked at.
    /// By default, it is [done](Self::done) as [`Dropped`](Ended::Dropped).
    fn bury(
        &self,
        line: &Line,
        delivery: &Delivery,
        error: &str,
    ) -> impl Future<Output = Result<(), QueueError>> + Send {
        let _ = error;
        self.done(line, &delivery.id, Ended::Dropped)
    }

    /// The state of all lines, for [`queues`](crate::shared::queues). By default, there are none to be seen.
    fn status(&self) -> impl Future<Output = Result<Vec<QueueStatus>, QueueError>> + Send {
        async { Ok(Vec::new()) }
    }
}

/// A user's queue, as the library uses it.
pub(crate) struct Custom<Q>(Arc<Q>);

impl<Q: Queue> Custom<Q> {
    pub(crate) fn new(queue: Q) -> Self {
        Self(Arc::new(queue))
    }

    fn ask<T: Send + 'static, F>(
        &self,
        wait: Duration,
        ask: impl FnOnce(Arc<Q>) -> F + Send + 'static,
    ) -> Reply<T>
    where
        F: Future<Output = Result<T, QueueError>> + Send + 'static,
    {
        let asked = ask(Arc::clone(&self.0));
        Box::pin(async move {
            let answer = catch_future(Box::pin(asked));
            match first(answer, pin!(sleep(wait.saturating_add(LIMIT)))).await {
                Ok(Ok(Ok(answer))) => Ok(answer),
                Ok(Ok(Err(error))) => Err(Down::Refused(told(&*error))),
                Ok(Err(panic)) => Err(Down::Refused(format!("it has panicked: {}", panic.message()))),
                Err(()) => Err(Down::TimedOut),
            }
        })
    }
}

/// An error with its causes.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}

impl<Q: Queue> super::Queue for Custom<Q> {
    fn enqueue(&self, line: &Line, job: Vec<u8>) -> Reply<QueueFacts> {
        let line = line.clone();
        self.ask(Duration::ZERO, move |queue| async move {
            let facts = facts(queue.state(&line).await?);
            if hands_over(Some(facts)).is_ok() {
                queue.put(&line, job).await?;
            }
            Ok(facts)
        })
    }

    fn facts(&self, line: &Line) -> Reply<QueueFacts> {
        let line = line.clone();
        self.ask(Duration::ZERO, move |queue| async move { queue.state(&line).await.map(facts) })
    }

    fn take(
        &self,
        worker: &str,
        rooms: &[Room],
        most: usize,
        wait: Duration,
    ) -> Reply<Vec<(Line, Delivery)>> {
        let (worker, rooms) = (worker.to_owned(), rooms.to_vec());
        self.ask(wait, move |queue| async move { queue.take(&worker, &rooms, most, wait).await })
    }

    fn done(&self, line: &Line, id: &str, ended: Ended) -> Reply<()> {
        let (line, id) = (line.clone(), id.to_owned());
        self.ask(Duration::ZERO, move |queue| async move { queue.done(&line, &id, ended).await })
    }

    fn give_back(&self, line: &Line, delivery: &Delivery) -> Reply<()> {
        let (line, delivery) = (line.clone(), delivery.clone());
        self.ask(Duration::ZERO, move |queue| async move { queue.give_back(&line, &delivery).await })
    }

    fn bury(&self, line: &Line, delivery: &Delivery, error: &str) -> Reply<()> {
        let (line, delivery, error) = (line.clone(), delivery.clone(), error.to_owned());
        self.ask(Duration::ZERO, move |queue| async move { queue.bury(&line, &delivery, &error).await })
    }

    fn beat(&self, worker: &str, lines: &[Line]) -> Reply<()> {
        let (worker, lines) = (worker.to_owned(), lines.to_vec());
        self.ask(Duration::ZERO, move |queue| async move { queue.beat(&worker, &lines).await })
    }

    fn leave(&self, worker: &str, lines: &[Line]) -> Reply<()> {
        let (worker, lines) = (worker.to_owned(), lines.to_vec());
        self.ask(Duration::ZERO, move |queue| async move { queue.leave(&worker, &lines).await })
    }

    fn status(&self) -> Reply<Vec<QueueStatus>> {
        self.ask(Duration::ZERO, move |queue| async move { queue.status().await })
    }
}

fn facts(state: LineState) -> QueueFacts {
    let LineState { length, worker_seen } = state;
    QueueFacts { worker_seen, length }
}
