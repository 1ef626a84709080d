//! What a process waits for: its workers for a job, and those that have put one on the queue for its value.

#![cfg_attr(not(feature = "worker"), allow(dead_code))] // Without it, no process is a worker.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};
use crate::tier::queue::Line;

/// The value of a job may be there after so long, or later.
const SOON: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Takes {
    /// Workers look whether there is a job.
    look: Notify,
    waiting: AtomicU64,
    /// When this process has last put a job on the queue.
    put: Mutex<Option<Instant>>,
    /// The line that was served last.
    pub(super) turn: Mutex<Option<Line>>,
    /// Takes without an answer: what they have brought is put back.
    unanswered: Mutex<Vec<u64>>,
}

impl Takes {
    /// The file was changed. There may be a job.
    pub(super) fn look(&self) {
        self.look.notify_waiters();
    }

    /// Completes after the next [`look`](Self::look), counted from the call.
    pub(super) fn looked(&self) -> impl Future<Output = ()> + '_ {
        self.look.notified()
    }

    /// A job was put on the queue by this process.
    pub(super) fn put(&self) {
        *lock(&self.put) = Some(Instant::now());
    }

    /// Whether a change of the file is to be noticed soon.
    pub(super) fn are_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0 || lock(&self.put).is_some_and(|put| put.elapsed() < SOON)
    }

    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    pub(super) fn unanswered(&self, takes: impl IntoIterator<Item = u64>) {
        lock(&self.unanswered).extend(takes);
    }

    pub(super) fn take_unanswered(&self) -> Vec<u64> {
        std::mem::take(&mut *lock(&self.unanswered))
    }
}

/// Counts a worker that waits, until it is dropped.
pub(super) struct Waiting<'t>(&'t Takes);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
