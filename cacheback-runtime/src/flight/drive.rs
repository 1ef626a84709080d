//! Who drives a fetch: the runtime that it was handed to, or the library's own if that one stands still.
//!
//! A thread that blocks on a cached call inside of a runtime can hold up the very fetch that it waits for. So the
//! housekeeper (`janitor`) tends each fetch once a second. A fetch that no task has taken up for `PATIENCE` is moved.
//! A fetch that was taken up cannot be moved, and one that was moved may need the runtime that stands still: where such
//! a fetch does not end at its time-out, those who wait on that runtime are woken, and answer without it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::Flight;
use crate::base::clock::{Moment, nanos};
use crate::base::sync::{Arc, AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering, lock};
use crate::base::tasks::Handle;
#[cfg(not(feature = "test-util"))]
use crate::executor::context;

/// So long a runtime may leave a fetch alone before it is moved.
#[cfg(not(feature = "test-util"))]
const PATIENCE: Duration = Duration::from_secs(5);

/// A fetch that has not noticed its own time-out this long after it stands still: its runtime is not driven.
pub(crate) const NOTICE: Duration = Duration::from_secs(1);

/// The whole run of a fetch, as a task of it.
type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Its moments are [awake](Moment::awake) ones: a machine that slept has kept no runtime from anything.
#[derive(Default)]
pub(super) struct Drive {
    /// The fetch, until a task takes it up.
    handed: Mutex<Option<Handed>>,
    /// From then on a fetch that is driven knows of its time-out; zero until it is handed over.
    due: AtomicU64,
    /// It runs on the library's own runtime, and was handed to another.
    moved: AtomicBool,
    /// The runtime that it was moved from goes on, or is gone.
    goes_on: AtomicBool,
    /// The housekeeper has seen it stand still so many times in a row.
    still: AtomicU32,
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

    /// A task takes the fetch up now, or is about to.
    fn begin(&self, timeout: u64) {
        let due = Moment::awake().plus(timeout).plus(nanos(NOTICE));
        self.due.store(due.to_bits(), Ordering::SeqCst);
    }

    fn was_moved(&self) -> bool {
        self.moved.load(Ordering::SeqCst)
    }
}

/// The task of a fetch, before its first poll. Dropped with its runtime it drops the fetch, unless that was moved.
struct Task<T>(Arc<Flight<T>>);

impl<T> Task<T> {
    async fn run(self) {
        // `None`: it was moved. What is left of it here says that this runtime goes on.
        if let Some(handed) = self.0.drive.take() {
            self.0.drive.begin(handed.timeout);
            handed.run.await;
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        let drive = &self.0.drive;
        drive.goes_on.store(true, Ordering::SeqCst);
        drop(drive.take());
    }
}

impl<T: Send + Sync + 'static> Flight<T> {
    /// Hands the fetch to a runtime. On one that is gone it is dropped at once.
    pub(crate) fn drive_on(self: &Arc<Self>, handle: &Handle, timeout: Duration, run: Run) {
        let timeout = nanos(timeout);
        self.drive.begin(timeout);
        *lock(&self.drive.handed) = Some(Handed { run, since: Moment::awake(), timeout });
        drop(handle.spawn(Task(Arc::clone(self)).run()));
    }
}

/// What the housekeeper does. (With `test-util` there is none: a test's clock does not stop on other runtimes.)
#[cfg(not(feature = "test-util"))]
impl<T> Flight<T> {
    /// Moves the fetch if no task takes it up; wakes those who wait if nobody drives it.
    pub(super) fn tend(&self) {
        let now = Moment::awake();
        if self.is_left_alone(now) && self.move_away() {
            return;
        }
        if !self.stands_still(now) {
            self.drive.still.store(0, Ordering::SeqCst);
        } else if self.drive.still.fetch_add(1, Ordering::SeqCst) > 0 {
            // The second time: where all of the process was stopped, its runtimes had their chance since.
            self.done.notify_waiters();
        }
    }

    /// Whether no task has taken it up for so long that it is to be moved: at its time-out at the latest.
    fn is_left_alone(&self, now: Moment) -> bool {
        let handed = lock(&self.drive.handed);
        handed.as_ref().is_some_and(|handed| now.since(handed.since) >= nanos(PATIENCE).min(handed.timeout))
    }

    /// Moves it to the library's own runtime, unless it is there, or a task takes it up first.
    fn move_away(&self) -> bool {
        let own = context::own_runtime();
        if self.runtime == Some(own.id()) {
            return false;
        }
        let Some(Handed { run, timeout, .. }) = self.drive.take() else { return false };
        self.drive.begin(timeout);
        self.drive.moved.store(true, Ordering::SeqCst);
        drop(own.spawn(run));
        true
    }
}

impl<T> Flight<T> {
    /// Whether its time is over and its own task does not notice, or it was moved away from a runtime that still does
    /// nothing.
    fn stands_still(&self, now: Moment) -> bool {
        let due = Moment::from_bits(self.drive.due.load(Ordering::SeqCst));
        if due == Moment::PAST || now < due {
            return false;
        }
        if self.drive.was_moved() {
            return !self.drive.goes_on.load(Ordering::SeqCst);
        }
        self.last_seen().is_none_or(|seen| now.since(seen) > 3 * nanos(NOTICE))
    }

    /// Whether a caller waits in vain: it was woken for that, and nothing has changed since. `elsewhere`: it waits on
    /// another runtime, which does not hold up a fetch that was moved.
    pub(super) fn is_stranded(&self, elsewhere: bool) -> bool {
        let told = self.drive.still.load(Ordering::SeqCst) > 1;
        told && self.stands_still(Moment::awake()) && !(elsewhere && self.drive.was_moved())
    }
}
