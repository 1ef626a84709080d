//! A worker: a process that runs the refreshes of queued functions. `floor` has the places for its jobs, `desk` takes
//! them from the queue of one tier, and `watch` looks at the queues for `metrics`.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use crate::api::cache::{Cache, CacheRef};
use crate::api::serve::Serve;
use crate::base::sync::Arc;
use crate::base::tasks::first;
use crate::engine::Queued;
use crate::events;
use crate::executor::context::{self, Here};
use crate::function::queued::{Missing, Provisions};
use crate::outcome::error::Error;
use crate::tier::Token;

mod age;
mod desk;
mod floor;
mod watch;
use desk::{Desk, Function};
use floor::Floor;

/// How long jobs that were cut off have to end.
const NOTICE: Duration = Duration::from_millis(500);

/// Makes a worker, which runs the refreshes of functions with the option `queue`.
///
/// The processes that answer requests put a job on a queue of their second tier for each refresh that nobody waits for.
/// A worker takes the jobs of the functions that it serves, and runs their bodies. So the bodies cost those processes
/// nothing, and only the workers need to reach the origin for them. A call that waits for its fetch still fetches in
/// its own process.
///
/// Configure the same second tier first, as in the other processes.
///
/// # Examples
///
/// ```no_run
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use cacheback::Cache;
/// use cacheback::shared::Memory;
///
/// # async fn stop() {}
/// #[tokio::main]
/// async fn main() -> Result<(), cacheback::Error> {
///     cacheback::configure().shared(Memory::new()).apply()?;
///     let reports: Cache<u32, String> = Cache::builder()
///         .name("reports")
///         .shared()
///         .queue()
///         .fetcher(|year| async move { format!("the report of {year}") })
///         .build()?;
///     let worked = cacheback::worker().serve(&reports).concurrency(4).run(stop()).await?;
///     println!("{} jobs", worked.done);
///     Ok(())
/// }
/// ```
#[must_use = "a worker does nothing before `run`"]
pub fn worker() -> Worker {
    Worker {
        served: Vec::new(),
        provisions: Provisions::default(),
        concurrency: 16,
        shutdown_limit: Duration::from_secs(30),
    }
}

/// A worker: see [`worker()`].
#[must_use = "a worker does nothing before `run`"]
pub struct Worker {
    served: Vec<Served>,
    provisions: Provisions,
    concurrency: usize,
    shutdown_limit: Duration,
}

/// A function or cache for a worker, which [`Worker::serve`] takes: what `NAME::cache()` returns, or a reference to a
/// [`Cache`].
pub struct Served {
    pub(crate) name: &'static str,
    /// `None` if it is not queued.
    pub(crate) serve: Option<Arc<dyn Serve>>,
}

impl From<CacheRef> for Served {
    fn from(cache: CacheRef) -> Self {
        Self { name: cache.name(), serve: cache.served() }
    }
}

impl<K, V> From<&Cache<K, V>> for Served {
    fn from(cache: &Cache<K, V>) -> Self {
        Self { name: cache.name(), serve: Some(cache.served()) }
    }
}

/// The jobs that a worker has run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Worked {
    /// Jobs that have stored a value.
    pub done: u64,
    /// Jobs that have failed: the body returned an `Err`, panicked, or was aborted at its time-out; or the tier was lost
    /// before the value was stored. The key backs off, in all processes.
    pub failed: u64,
    /// Jobs that were no longer needed, or could not be run, or whose value the tier did not take, and those of a key that
    /// has killed three workers. For all but the first, the log says why.
    pub dropped: u64,
}

impl Worker {
    /// Serves a function, by its handle (`NAME::cache()`), or a [`Cache`], by reference. It has to have the
    /// option `queue`.
    pub fn serve(mut self, served: impl Into<Served>) -> Self {
        self.served.push(served.into());
        self
    }

    /// Provides a thing that functions `skip`, by its type: each argument that is skipped, and a skipped `self`, is taken
    /// from here. The type is the one that a fetch owns: `Db` for `&Db`, and `Arc<Db>` for `&Arc<Db>`. Each job gets a
    /// clone. A second thing of the same type takes the place of the first.
    pub fn provide<T: Clone + Send + Sync + 'static>(mut self, thing: T) -> Self {
        self.provisions.add(thing);
        self
    }

    /// Sets how many jobs run at once, of all functions together. Default: 16.
    ///
    /// A function's own `max_refreshes` applies as well: the lower of the two limits counts. So does that of the
    /// executor, which is 64 ([`Configure::max_refreshes`](crate::Configure::max_refreshes)). A worker takes no more jobs
    /// than these limits allow.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs;
        self
    }

    /// Sets how long running jobs may go on after the end of [`run`](Self::run) was asked for. Default: 30 seconds.
    pub fn shutdown_limit(mut self, limit: Duration) -> Self {
        self.shutdown_limit = limit;
        self
    }

    /// Runs jobs until the future completes, which is most often that of a signal.
    ///
    /// Then it takes no more jobs, waits for those that run, for [`shutdown_limit`](Self::shutdown_limit) at the longest,
    /// aborts the others and gives them back, so that other workers run them. It returns at most four seconds after the
    /// limit. A body that blocks its thread cannot be aborted before it awaits again.
    ///
    /// While the tier gives no answer, it tries again every second. No job makes it return or panic.
    ///
    /// # Errors
    ///
    /// Before the first job: if it serves nothing, or something that is not queued or has no second tier with a queue; if
    /// a skipped argument is not [provided](Self::provide); if `concurrency` is zero; or outside of a tokio runtime.
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, no more jobs are taken, and running ones are aborted. They are given back as far as
    /// the runtime still runs, else other workers take them over a while after their `refresh_timeout`.
    pub async fn run(self, until: impl Future<Output = ()>) -> Result<Worked, Error> {
        let here = Here::find("cacheback::worker");
        if crate::base::tasks::Handle::try_current().is_err() {
            return Err(Error::new("`cacheback::worker().run(..)` is called inside of a tokio runtime"));
        }
        let Self { served, provisions, concurrency, shutdown_limit } = self;
        let functions = staff(served, &provisions, concurrency)?;
        let worker: Arc<str> = format!("{:016x}", Token::random().0).into();
        // A job beyond the executor's limit would wait here until others take it for abandoned.
        let floor = Arc::new(Floor::new(concurrency.min(here.executor.max_running())));
        let closing = Closing(Arc::clone(&floor));
        events::worker_started(&worker, functions.len());
        let desks = Desk::all(functions, &Arc::new(provisions), &floor, &worker);
        for desk in &desks {
            Desk::open(desk, &here.caller);
        }
        watch::begin(&worker, &floor, &here.caller);
        until.await;
        floor.close();
        if !within(shutdown_limit, &here, floor.is_empty()).await {
            floor.cut();
            within(NOTICE, &here, floor.is_empty()).await;
        }
        // Desks that wait for a job give back what they are given.
        within(desk::TAKE + NOTICE, &here, floor.is_deserted()).await;
        // A tier that does not answer keeps nobody here.
        let leave = async {
            for desk in &desks {
                desk.leave().await;
            }
        };
        within(NOTICE, &here, leave).await;
        drop(closing);
        let worked = floor.worked();
        events::worker_ended(&worker, worked.done, worked.failed, worked.dropped);
        Ok(worked)
    }
}

/// Whether the future completes within the limit.
async fn within(limit: Duration, here: &Here, future: impl Future<Output = ()>) -> bool {
    first(pin!(future), pin!(context::timer(&here.caller, limit))).await.is_ok()
}

/// Closes the floor if `run` is dropped.
struct Closing(Arc<Floor>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
        self.0.cut();
    }
}

/// The functions of a worker, with their queues. All mistakes are told at once.
fn staff(served: Vec<Served>, provisions: &Provisions, concurrency: usize) -> Result<Vec<Function>, Error> {
    let mut mistakes = Vec::new();
    let mut functions: Vec<Function> = Vec::new();
    if served.is_empty() {
        mistakes.push("it serves nothing: call `.serve(..)` with the handle of each function".to_owned());
    }
    if concurrency == 0 {
        mistakes.push("`concurrency(0)` would let no job run: write at least 1".to_owned());
    }
    for Served { name, serve } in served {
        let queued = serve.as_ref().and_then(|serve| serve.queued());
        let Some((serve, Queued { tier, line, scope, alias })) = serve.zip(queued) else {
            mistakes.push(format!(
                "`{name}` has no queue: it needs the option `queue`, and a second tier, which `configure` sets before"
            ));
            continue;
        };
        if tier.queue().is_none() {
            mistakes.push(format!("the second tier of `{name}` has no queue"));
            continue;
        }
        for Missing { argument, type_name } in serve.missing(provisions) {
            mistakes.push(format!(
                "`{name}` skips `{argument}`, and nobody provides it: call `.provide(..)` with a `{type_name}`"
            ));
        }
        if functions.iter().any(|other| other.line == line) {
            mistakes.push(format!("`{name}` is served twice"));
            continue;
        }
        functions.push(Function { serve, tier, line, scope, alias });
    }
    if mistakes.is_empty() {
        return Ok(functions);
    }
    Err(Error::new(format!("the worker cannot start: {}", mistakes.join("; "))))
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let served: Vec<_> = self.served.iter().map(|served| served.name).collect();
        let mut shown = f.debug_struct("Worker");
        shown.field("served", &served).field("provisions", &self.provisions);
        shown.field("concurrency", &self.concurrency).field("shutdown_limit", &self.shutdown_limit).finish()
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("name", &self.name).finish_non_exhaustive()
    }
}
