//! The runtime that drives a fetch: the one that it was handed to, or the library's own if that one is stalled.
//!
//! A thread that blocks on a cached call inside a runtime can hold up the very fetch that it waits for. So the
//! housekeeper tends each fetch once a second. A fetch that no task has taken up for `PATIENCE` is moved. A fetch that
//! a task has taken up cannot be moved, and a fetch that was moved may still need the stalled runtime. If such a fetch
//! does not end at its time-out, the callers who wait on that runtime are woken, and answer without it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tracing::{Instrument, Span};

use super::Flight;
use crate::base::clock::{Moment, nanos};
use crate::base::sync::{Arc, AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering, lock};
#[cfg(not(feature = "test-util"))]
use crate::base::tasks;
use crate::base::tasks::Handle;

/// How long a runtime may take to take up a fetch before the fetch is moved.
#[cfg(not(feature = "test-util"))]
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a fetch may take to notice its own time-out. After that it counts as stalled: its runtime is not driven.
pub(crate) const NOTICE: Duration = Duration::from_secs(1);

/// The whole run of a fetch, as a future to spawn.
type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How a fetch is driven. Its moments are [awake](Moment::awake) ones: the sleep of a machine stalls no runtime.
#[derive(Default)]
pub(super) struct Drive {
    /// The fetch, until a task takes it up.
    handed: Mutex<Option<Handed>>,
    /// When the fetch must have noticed its time-out, if it is driven; zero until it is handed over.
    due: AtomicU64,
    /// It was moved to the library's own runtime.
    moved: AtomicBool,
    /// The task that was spawned for it is gone: the runtime that it was handed to makes progress, or was dropped.
    task_gone: AtomicBool,
    /// How many times in a row the housekeeper has found it stalled.
    stalls: AtomicU32,
}

struct Handed {
    run: Run,
    #[cfg_attr(feature = "test-util", allow(dead_code))]
    since: Moment,
    timeout: u64,
}

impl Drive {
    fn take(&self) -> Option<Handed> {
        lock(&self.handed).take()
    }

    /// Sets the time by which the fetch must have noticed its time-out: a task takes it up now, or is about to.
    fn begin(&self, now: Moment, timeout: u64) {
        let due = now.plus(timeout).plus(nanos(NOTICE));
        self.due.store(due.to_bits(), Ordering::SeqCst);
    }

    fn was_moved(&self) -> bool {
        self.moved.load(Ordering::SeqCst)
    }
}

impl<T> Flight<T> {
    /// The time-out of its claim begins anew.
    #[cfg(feature = "shared")]
    pub(crate) fn postpone(&self, timeout: Duration) {
        self.drive.begin(Moment::awake(), nanos(timeout));
    }

    /// Whether it runs on the library's own runtime instead of the one that it was handed to.
    pub(crate) fn was_moved(&self) -> bool {
        self.drive.was_moved()
    }
}

/// A flight, as its task sees it: without the type of the result, so that there is one type of task for all caches.
trait Driven: Send + Sync {
    fn drive(&self) -> &Drive;
}

impl<T: Send + Sync> Driven for Flight<T> {
    fn drive(&self) -> &Drive {
        &self.drive
    }
}

/// The task that is spawned for a fetch. If it is dropped with its runtime before its first poll, it drops the fetch,
/// unless that was moved.
struct Task(Arc<dyn Driven>);

impl Task {
    async fn run(self) {
        // `None` if the fetch was moved. The drop of this task shows that the runtime makes progress.
        let drive = self.0.drive();
        if let Some(handed) = drive.take() {
            drive.begin(Moment::awake(), handed.timeout);
            handed.run.await;
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let drive = self.0.drive();
        drive.task_gone.store(true, Ordering::SeqCst);
        drop(drive.take());
    }
}

/// Hands the fetch of a flight to a runtime.
fn hand(flight: Arc<dyn Driven>, handle: &Handle, timeout: u64, run: Run) {
    let (drive, now) = (flight.drive(), Moment::awake());
    drive.begin(now, timeout);
    *lock(&drive.handed) = Some(Handed { run, since: now, timeout });
    drop(handle.spawn(Task(flight).run()));
}

/// Spawns the whole run of a fetch. Not generic, so that no cache brings a task of its own.
#[cfg(not(feature = "test-util"))]
fn spawn(handle: &Handle, run: Run) {
    drop(handle.spawn(run));
}

impl<T: Send + Sync + 'static> Flight<T> {
    /// Hands the fetch to a runtime, to run in `span`. If the runtime is gone, the fetch is dropped at once.
    pub(crate) fn drive_on(self: &Arc<Self>, handle: &Handle, timeout: Duration, span: Span, run: Run) {
        let run = if span.is_disabled() { run } else { Box::pin(run.instrument(span)) };
        hand(Arc::clone(self) as _, handle, nanos(timeout), run);
    }
}

/// The housekeeper's part. (With `test-util` there is no housekeeper: a test's clock does not stop on other runtimes.)
#[cfg(not(feature = "test-util"))]
impl<T> Flight<T> {
    /// Moves the fetch if no task takes it up. Wakes its waiters if it is stalled.
    pub(super) fn tend(&self) {
        let now = Moment::awake();
        if self.is_overdue(now) && self.move_away() {
            return;
        }
        if !self.is_stalled(now) {
            self.drive.stalls.store(0, Ordering::SeqCst);
        } else if self.drive.stalls.fetch_add(1, Ordering::SeqCst) > 0 {
            // Only from the second time on: if the whole process was stopped, its runtimes have had a second to run
            // since.
            self.wake_waiters();
        }
    }

    /// Whether no task has taken it up for so long that it is to be moved, at the latest at its time-out.
    fn is_overdue(&self, now: Moment) -> bool {
        let handed = lock(&self.drive.handed);
        handed.as_ref().is_some_and(|handed| now.since(handed.since) >= nanos(PATIENCE).min(handed.timeout))
    }

    /// Moves it to the library's own runtime, unless it is there already, or a task has taken it up. Returns whether it
    /// was moved.
    fn move_away(&self) -> bool {
        let own = tasks::own_runtime();
        if self.runtime == Some(own.id()) {
            return false;
        }
        let Some(Handed { run, timeout, .. }) = self.drive.take() else { return false };
        self.drive.begin(Moment::awake(), timeout);
        self.drive.moved.store(true, Ordering::SeqCst);
        spawn(own, run);
        true
    }
}

impl<T> Flight<T> {
    /// Whether its time is over and its own task does not notice that, or, if it was moved, the first runtime still
    /// makes no progress.
    fn is_stalled(&self, now: Moment) -> bool {
        let due = Moment::from_bits(self.drive.due.load(Ordering::SeqCst));
        if due == Moment::PAST || now < due {
            return false;
        }
        if self.drive.was_moved() {
            return !self.drive.task_gone.load(Ordering::SeqCst);
        }
        self.last_seen().is_none_or(|seen| now.since(seen) > 3 * nanos(NOTICE))
    }

    /// Whether a caller waits in vain: the waiters were woken because the fetch is stalled, and it still is.
    /// `elsewhere`: the caller is on another runtime than the fetch was handed to, so it does not hold up a fetch that
    /// was moved.
    pub(super) fn is_stranded(&self, elsewhere: bool) -> bool {
        let told = self.drive.stalls.load(Ordering::SeqCst) > 1;
        told && self.is_stalled(Moment::awake()) && !(elsewhere && self.drive.was_moved())
    }
}
