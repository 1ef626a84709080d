//! The callers who wait for a flight.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::Flight;
use crate::base::clock::Moment;
use crate::base::sync::{Arc, Ordering, lock};
use crate::base::tasks::{Id, task};
use crate::executor::Fetch;

/// A caller who waits for a flight. Dropping it leaves the flight.
pub(crate) struct Waiter<T> {
    pub(super) flight: Arc<Flight<T>>,
    leads: bool,
    /// The change that the flight had perhaps not seen when the caller joined it; zero if there was none.
    #[cfg(feature = "shared")]
    pub(super) unseen: u64,
}

impl<T> Waiter<T> {
    /// Joins a flight. Called only under the lock of the key's claims, which hold the flight.
    pub(super) fn join(flight: &Arc<Flight<T>>, leads: bool) -> Self {
        flight.waiting.fetch_add(1, Ordering::SeqCst);
        if !leads {
            flight.is_joined.store(true, Ordering::SeqCst);
        }
        Self {
            flight: Arc::clone(flight),
            leads,
            #[cfg(feature = "shared")]
            unseen: flight.unseen.load(Ordering::SeqCst),
        }
    }

    /// Waits for the result of the flight.
    pub(crate) async fn result(&self) -> &T {
        if self.leads {
            return poll_fn(|context| self.poll_as_leader(context)).await;
        }
        loop {
            let done = self.flight.done.notified();
            if let Some(result) = self.flight.result() {
                return result;
            }
            done.await;
        }
    }

    /// The leader leaves its waker, for which a lock and a place are enough.
    fn poll_as_leader(&self, context: &Context<'_>) -> Poll<&T> {
        if let Some(result) = self.flight.result() {
            return Poll::Ready(result);
        }
        let waker = context.waker().clone();
        let older = lock(&self.flight.leader).replace(waker);
        drop(older);
        // A result that came before the waker has not woken it.
        self.flight.result().map_or(Poll::Pending, Poll::Ready)
    }

    /// Whether the flight's own body waits for it, in the flight's own task.
    pub(crate) fn is_within(&self) -> bool
    where
        T: Send + Sync + 'static,
    {
        task::try_id().is_some_and(|task| self.flight.runs_in(task))
    }

    /// Whether the flight is to run on another runtime than this one.
    pub(crate) fn runs_elsewhere(&self, here: Id) -> bool {
        self.flight.runtime.is_some_and(|runtime| runtime != here)
    }

    /// When the flight's claim lapses; `None` until its body runs.
    pub(crate) fn lapses_at(&self) -> Option<Moment> {
        Some(self.flight.until()).filter(|until| *until > Moment::PAST)
    }

    /// When the flight's task last showed that it runs, by the [awake](Moment::awake) clock; `None` before the flight's
    /// claim has lapsed.
    pub(crate) fn last_seen(&self) -> Option<Moment> {
        self.flight.last_seen()
    }

    /// Whether the flight is stalled: its runtime does not drive it, perhaps because a caller blocks that runtime.
    pub(crate) fn is_stranded(&self, here: Id) -> bool {
        self.flight.is_stranded(self.runs_elsewhere(here))
    }

    /// Gives the flight's place among the refreshes back, as it has a caller now. Must not be called under a lock.
    pub(crate) fn give_place_back(&self) {
        self.flight.give_place_back();
    }

    /// Whether this call started the flight.
    pub(crate) fn leads(&self) -> bool {
        self.leads
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        if self.leads && self.flight.result().is_none() {
            let waker = lock(&self.flight.leader).take();
            drop(waker);
        }
        let last = self.flight.waiting.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.flight.seen.load(Ordering::SeqCst) > 0 {
            self.flight.abandoned.notify_one();
        }
    }
}
