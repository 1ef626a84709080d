//! Where a call happens: its runtime, and the executor that counts for it.
//!
//! Without `test-util` there is one executor a process, and one lane of flights a key. With it each runtime has its
//! own of both, so that the tests of one process, each on a paused runtime, do not wait for one another.

use std::time::Duration;

use crate::base::panics::caught;
#[cfg(not(all(test, cacheback_shuttle)))]
use crate::base::process::{self, PerProcess};
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicBool, Mutex, OnceLock, Ordering, lock};
use crate::base::tasks::{Handle, Id, Sleep, sleep};
use crate::executor::{Executor, Settings};

/// Which flights may be joined: those of one lane.
pub(crate) type LaneId = Option<Id>;

/// The executor that counts for a call; the one of the process need not be counted.
#[cfg(not(any(feature = "test-util", all(test, cacheback_shuttle))))]
pub(crate) type ItsExecutor = &'static Arc<Executor>;
#[cfg(any(feature = "test-util", all(test, cacheback_shuttle)))]
pub(crate) type ItsExecutor = Arc<Executor>;

/// The surroundings of a call.
#[derive(Clone)]
pub(crate) struct Here {
    /// The caller's runtime; outside of any, the small one of our own.
    pub(crate) caller: Handle,
    /// Where a fetch is to run: there too, unless a runtime was configured.
    pub(crate) handle: Handle,
    pub(crate) lane: LaneId,
    pub(crate) executor: ItsExecutor,
}

impl Here {
    /// `user` is the name of the function that asks.
    pub(crate) fn find(user: &str) -> Self {
        let caller = calling_runtime();
        let (lane, executor) = lane_and_executor(caller.id(), user);
        let handle = executor.runtime.as_ref().unwrap_or(&caller).clone();
        Self { caller, handle, lane, executor }
    }

    /// The same, but a fetch is to run on the caller's own runtime.
    pub(crate) fn at_the_callers(self) -> Self {
        Self { handle: self.caller.clone(), ..self }
    }
}

fn calling_runtime() -> Handle {
    Handle::try_current().unwrap_or_else(|_| own_runtime().clone())
}

/// A timer of that runtime; of our own where that one was built without timers. tokio says so with a panic: once a
/// runtime, then it is remembered.
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
    caught(|| timer(handle)).unwrap_or_else(|_| {
        let mut without = lock(&WITHOUT);
        // Runtimes come and go; a forgotten one is found again.
        if without.len() >= 64 {
            without.clear();
        }
        without.push(handle.id());
        drop(without);
        ANY.store(true, Ordering::Relaxed);
        timer(own_runtime())
    })
}

/// Some real time, whatever becomes of the caller's runtime.
pub(crate) async fn pause(span: Duration) {
    timer(own_runtime(), span).await;
}

#[cfg(all(test, cacheback_shuttle))]
pub(crate) use crate::base::shims::tasks::own_runtime;

/// Two threads for calls that come from outside of any tokio runtime, and for fetches whose runtime stands still;
/// started by the first such call.
#[cfg(not(all(test, cacheback_shuttle)))]
pub(crate) fn own_runtime() -> &'static Handle {
    static OWN: PerProcess<tokio::runtime::Runtime> = PerProcess::new();
    let own = OWN.get_or_init(process::id(), || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("cacheback")
            .enable_all()
            .build()
            .expect("cacheback: the system gives no thread to run fetches on")
    });
    own.handle()
}

#[cfg(all(test, cacheback_shuttle))]
fn lane_and_executor(_: Id, _: &str) -> (LaneId, ItsExecutor) {
    (None, crate::base::shims::tasks::executor())
}

#[cfg(not(any(feature = "test-util", all(test, cacheback_shuttle))))]
fn lane_and_executor(_: Id, user: &str) -> (LaneId, ItsExecutor) {
    (None, executor_in(&EXECUTOR, user))
}

#[cfg(feature = "test-util")]
fn lane_and_executor(runtime: Id, user: &str) -> (LaneId, ItsExecutor) {
    let executor = |place: &OnceLock<Arc<Executor>>| Arc::clone(executor_in(place, user));
    (Some(runtime), crate::executor::testing::with_executor(runtime, executor))
}

/// The executor of the process, from its first use on.
#[cfg(not(feature = "test-util"))]
static EXECUTOR: OnceLock<Arc<Executor>> = OnceLock::new();

#[cfg(not(feature = "test-util"))]
pub(crate) fn executor() -> Option<&'static Arc<Executor>> {
    EXECUTOR.get()
}

#[cfg_attr(all(test, cacheback_shuttle), allow(dead_code))]
fn executor_in<'p>(place: &'p OnceLock<Arc<Executor>>, user: &str) -> &'p Arc<Executor> {
    place.get_or_init(|| Arc::new(Executor::new(Settings::default(), user)))
}

/// Puts the executor with these settings where the calling runtime finds it. `Err` where there is one already: the
/// name of the function that used it first.
pub(crate) fn install(settings: Settings, user: &str) -> Result<(), String> {
    let executor = Arc::new(Executor::new(settings, user));
    let put = |place: &OnceLock<Arc<Executor>>| {
        place
            .set(executor)
            .map_err(|_| place.get().map_or_else(String::new, |first| first.first_use().to_owned()))
    };
    #[cfg(feature = "test-util")]
    return crate::executor::testing::with_executor(calling_runtime().id(), put);
    #[cfg(not(feature = "test-util"))]
    put(&EXECUTOR)
}

/// Waits until no fetch of the calling runtime runs or waits to run; outside of any runtime, none of our own. Where
/// [`configure`](crate::configure()) has named a runtime for fetches, until none of that one does either.
///
/// Not for the body of a cached function, whose own fetch it would wait for.
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
