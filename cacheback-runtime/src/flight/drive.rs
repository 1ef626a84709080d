//! Who drives a fetch: the runtime that it was handed to, or the library's own where that one stands still.
//!
//! A thread that blocks on a cached call inside of a runtime can hold up the very fetch that it waits for. So the
//! housekeeper (`janitor`) tends each fetch once a second. A fetch that no task has taken up for [`PATIENCE`] is moved.
//! A fetch that was taken up cannot be moved, and one that was moved may need the runtime that stands still: where such
//! a fetch does not end at its time-out, those who wait on that runtime are woken, and answer without it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::Flight;
use crate::clock::{Moment, nanos};
#[cfg(not(feature = "test-util"))]
use crate::context;
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, lock};
use crate::tasks::Handle;

/// So long a runtime may leave a fetch alone before it is moved.
#[cfg(not(feature = "test-util"))]
const PATIENCE: Duration = Duration::from_secs(5);

/// A fetch that has not noticed its own time-out this long after it stands still: its runtime is not driven.
pub(crate) const NOTICE: Duration = Duration::from_secs(1);

/// The whole run of a fetch, as a task of it.
type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub(super) struct Drive {
    /// The fetch, until a task takes it up.
    handed: Mutex<Option<Handed>>,
    /// It was moved, and is to end by then; zero before.
    moved_until: AtomicU64,
    /// The runtime that it was moved from goes on, or is gone.
    goes_on: AtomicBool,
    /// Those who wait were woken because nobody drives it.
    stranded: AtomicBool,
}

struct Handed {
    run: Run,
    since: Moment,
}

impl Drive {
    fn take(&self) -> Option<Run> {
        let handed = lock(&self.handed).take();
        handed.map(|handed| handed.run)
    }

    fn was_moved(&self) -> bool {
        self.moved_until.load(Ordering::SeqCst) > 0
    }
}

/// The task of a fetch, before its first poll. Dropped with its runtime it drops the fetch, unless that was moved.
struct Task<T>(Arc<Flight<T>>);

impl<T> Task<T> {
    async fn run(self) {
        // `None`: it was moved. What is left of it here says that this runtime goes on.
        if let Some(run) = self.0.drive.take() {
            run.await;
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
    pub(crate) fn drive_on(self: &Arc<Self>, handle: &Handle, since: Moment, run: Run) {
        *lock(&self.drive.handed) = Some(Handed { run, since });
        drop(handle.spawn(Task(Arc::clone(self)).run()));
    }
}

/// What the housekeeper does. (With `test-util` there is none: a test's clock does not stop on other runtimes.)
#[cfg(not(feature = "test-util"))]
impl<T> Flight<T> {
    /// Moves the fetch where no task takes it up; wakes those who wait where nobody drives it.
    pub(super) fn tend(&self, now: Moment) {
        if self.is_left_alone(now) && self.move_away(now) {
            return;
        }
        if self.waiting() > 0 && self.stands_still(now) {
            self.drive.stranded.store(true, Ordering::SeqCst);
            self.done.notify_waiters();
        }
    }

    /// Whether no task has taken it up for so long that it is to be moved: at its time-out at the latest.
    fn is_left_alone(&self, now: Moment) -> bool {
        let since = lock(&self.drive.handed).as_ref().map(|handed| handed.since);
        since.is_some_and(|since| now.since(since) >= nanos(PATIENCE).min(self.until().since(since)))
    }

    /// Moves it to the library's own runtime, unless it is there, or a task takes it up first.
    fn move_away(&self, now: Moment) -> bool {
        let own = context::own_runtime();
        if self.runtime == Some(own.id()) {
            return false;
        }
        let mut handed = lock(&self.drive.handed);
        let Some(Handed { run, since }) = handed.take() else { return false };
        let timeout = self.until().since(since);
        self.drive.moved_until.store(now.plus(timeout).to_bits(), Ordering::SeqCst);
        drop(handed);
        drop(own.spawn(run));
        true
    }
}

impl<T> Flight<T> {
    /// Whether its time is over and its own task does not notice, or it was moved away from a runtime that still does
    /// nothing.
    fn stands_still(&self, now: Moment) -> bool {
        let moved_until = Moment::from_bits(self.drive.moved_until.load(Ordering::SeqCst));
        let until = if self.drive.was_moved() { moved_until } else { self.until() };
        if until == Moment::PAST || now < until.plus(nanos(NOTICE)) {
            return false;
        }
        if self.drive.was_moved() {
            return !self.drive.goes_on.load(Ordering::SeqCst);
        }
        self.last_seen().is_none_or(|seen| now.since(seen) > 3 * nanos(NOTICE))
    }

    /// Whether a caller who waits on this runtime waits in vain: it was woken for that, and nothing has changed since.
    pub(super) fn is_stranded(&self, elsewhere: bool) -> bool {
        let stranded = self.drive.stranded.load(Ordering::SeqCst);
        stranded && self.stands_still(Moment::now()) && !(elsewhere && self.drive.was_moved())
    }
}
