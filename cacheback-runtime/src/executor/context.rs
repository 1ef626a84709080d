//! The surroundings of a call: its runtime, and the executor that is in charge of it.
//!
//! Without `test-util` a process has one executor, and a key has one lane of flights. With it each runtime has its own,
//! so that the tests of one process, each on a paused runtime, do not wait for each other.

use std::cell::Cell;
use std::time::Duration;

use crate::base;
use crate::base::panics::catch;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicBool, Mutex, OnceLock, Ordering, lock};
use crate::base::tasks::{Handle, Id, Sleep, own_runtime, sleep};
use crate::executor::{Executor, Settings};

/// A lane of flights: a call may join the flights of its own lane only.
pub(crate) type LaneId = Option<Id>;

// The scope of an executor: one of three files.
#[cfg(not(any(feature = "test-util", all(test, cacheback_shuttle))))]
mod process;
#[cfg(feature = "test-util")]
mod runtime;
#[cfg(all(test, cacheback_shuttle, not(feature = "test-util")))]
pub(crate) mod scenario;
#[cfg(not(any(feature = "test-util", all(test, cacheback_shuttle))))]
use process as scope;
#[cfg(feature = "test-util")]
use runtime as scope;
#[cfg(all(test, cacheback_shuttle, not(feature = "test-util")))]
use scenario as scope;

use scope::{ItsExecutor, lane_of};
pub(crate) use scope::{executor, queue_version};

/// The surroundings of a call.
#[derive(Clone)]
pub(crate) struct Here {
    /// The caller's runtime; outside any runtime, the library's own.
    pub(crate) caller: Handle,
    /// Where a fetch is to run: on the caller's runtime too, unless another one was configured.
    pub(crate) handle: Handle,
    pub(crate) lane: LaneId,
    /// The number of this process.
    pub(crate) process: u32,
    pub(crate) executor: ItsExecutor,
}

impl Here {
    /// `user` is the name of the function that asks.
    pub(crate) fn find(user: &str) -> Self {
        let caller = calling_runtime();
        let lane = lane_of(caller.id());
        let executor = scope::executor_of(caller.id(), user);
        let handle = executor.runtime.as_ref().unwrap_or(&caller).clone();
        let process = process_on(caller.id());
        Self { caller, handle, lane, process, executor }
    }

    /// The same, but a fetch is to run on the caller's own runtime.
    pub(crate) fn at_the_callers(self) -> Self {
        Self { handle: self.caller.clone(), ..self }
    }
}

/// The number of this process, for a call on this runtime. A thread asks the system once for as long as it stays on one
/// runtime. That is enough, because tokio's runtimes do not outlive a fork: a child makes one of its own, and no two
/// have the same id.
fn process_on(runtime: Id) -> u32 {
    thread_local! {
        static LAST: Cell<Option<(Id, u32)>> = const { Cell::new(None) };
    }
    if let Some((_, process)) = LAST.get().filter(|(last, _)| *last == runtime) {
        return process;
    }
    let process = base::process::id();
    LAST.set(Some((runtime, process)));
    process
}

fn calling_runtime() -> Handle {
    Handle::try_current().unwrap_or_else(|_| own_runtime().clone())
}

/// A timer of that runtime, or of the library's own if that runtime was built without timers. tokio reports that with a
/// panic. This happens once for each such runtime, and is then remembered.
pub(crate) fn timer(handle: &Handle, after: Duration) -> Sleep {
    static WITHOUT: Mutex<Vec<Id>> = Mutex::new(Vec::new());
    static ANY: AtomicBool = AtomicBool::new(false);
    let timer = |handle: &Handle| {
        let _entered = handle.enter();
        sleep(after)
    };
    if ANY.load(Ordering::Relaxed) && lock(&WITHOUT).contains(&handle.id()) {
        return timer(own_runtime());
    }
    catch(|| timer(handle)).unwrap_or_else(|_| {
        let mut without = lock(&WITHOUT);
        // Runtimes come and go. A runtime that is forgotten here is found out again.
        if without.len() >= 64 {
            without.clear();
        }
        without.push(handle.id());
        drop(without);
        ANY.store(true, Ordering::Relaxed);
        timer(own_runtime())
    })
}

/// Waits for some real time, even if the caller's runtime is stalled or dropped.
pub(crate) async fn pause(span: Duration) {
    timer(own_runtime(), span).await;
}

fn executor_in<'p>(place: &'p OnceLock<Arc<Executor>>, user: &str) -> &'p Arc<Executor> {
    place.get_or_init(|| Arc::new(Executor::new(Settings::default(), user)))
}

/// Installs an executor with these settings for the calling runtime. If there is one already, the `Err` is the name of
/// the function that used it first.
pub(crate) fn install(settings: Settings, user: &str) -> Result<(), String> {
    let executor = Arc::new(Executor::new(settings, user));
    scope::with_place(calling_runtime().id(), |place| {
        place
            .set(executor)
            .map_err(|_| place.get().map_or_else(String::new, |first| first.first_use().to_owned()))
    })
}

/// Waits until no fetch of the calling runtime runs or waits to run. Outside any runtime it waits for the fetches of
/// the library's own runtime. If [`configure`](crate::configure()) has named a runtime for fetches, it waits for the
/// fetches of that one too.
///
/// The body of a cached function must not call it, as it would wait for its own fetch.
///
/// Dropping the future stops the waiting and nothing else.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// // ... calls that started refreshes ...
/// # mod cacheback { pub use cacheback_runtime::*; }
/// cacheback::settle().await;
/// # });
/// ```
pub async fn settle() {
    let here = Here::find("cacheback::settle");
    here.executor.settle(&[here.caller.id(), here.handle.id()]).await;
}
