//! Which fetches live: what `settle` and `shutdown` wait for, and what a shutdown ends.

use std::collections::HashMap;

use super::{Executor, Ticket};
use crate::base::panics::catch;
use crate::base::process;
use crate::base::sync::{Arc, AtomicBool, Mutex, Notify, Ordering, lock};
use crate::base::tasks::{Id, task};

/// A fetch, as the executor sees it.
pub(crate) trait Fetch: Send + Sync {
    /// Its body was started.
    fn has_begun(&self) -> bool;
    /// Somebody waits for it.
    fn is_awaited(&self) -> bool;
    /// Its body runs in this task.
    fn runs_in(&self, task: task::Id) -> bool;
    /// It asks for a shutdown itself: none is to end it.
    fn exempt(&self);
    fn is_exempt(&self) -> bool;
    /// Helps it on if its runtime stands still.
    #[cfg(not(feature = "test-util"))]
    fn tend(&self);
}

#[derive(Default)]
pub(super) struct LiveFetches {
    state: Mutex<State>,
    /// A fetch has ended, or goes on for those who wait for it.
    moved: Notify,
    /// The limit of a shutdown is reached: no fetch runs any more that nobody waits for.
    limit_reached: AtomicBool,
    limit: Notify,
}

#[derive(Default)]
struct State {
    /// Which process they live in; zero before the first.
    process: u32,
    /// By the number of the ticket; those in the queue too.
    fetches: HashMap<u64, Arc<dyn Fetch>>,
    /// How many of them a runtime has.
    runtimes: HashMap<Id, usize>,
    /// Somebody waits for each of them.
    shutting_down: bool,
    ended: Ended,
}

/// Fetches whose bodies were started, and that have ended.
#[derive(Clone, Copy, Default)]
struct Ended {
    finished: u64,
    aborted: u64,
}

/// A fetch that lives, until this is dropped.
pub(crate) struct Live {
    executor: Arc<Executor>,
    runtime: Id,
    number: u64,
    /// It came to an end by itself.
    pub(crate) finished: bool,
}

/// A caller of `shutdown` who waits for all fetches to end, and how many had ended before.
pub(crate) struct ShutdownWait {
    executor: Arc<Executor>,
    /// It waits in the body of a fetch.
    within: bool,
    before: Ended,
}

impl Executor {
    /// Counts a fetch that is to run on a runtime.
    pub(crate) fn enlist(self: &Arc<Self>, runtime: Id, ticket: Ticket, fetch: Arc<dyn Fetch>) -> Live {
        self.live.leave_parent(process::id());
        let mut state = lock(&self.live.state);
        state.fetches.insert(ticket.number, fetch);
        *state.runtimes.entry(runtime).or_default() += 1;
        drop(state);
        Live { executor: Arc::clone(self), runtime, number: ticket.number, finished: false }
    }

    /// Until no fetch of these runtimes runs or waits.
    pub(crate) async fn settle(&self, runtimes: &[Id]) {
        let settled = |state: &State| !runtimes.iter().any(|runtime| state.runtimes.contains_key(runtime));
        self.live.until(settled).await;
    }

    /// Begins a shutdown, asked for in this task.
    pub(crate) fn watch(self: &Arc<Self>, task: Option<task::Id>) -> ShutdownWait {
        self.live.leave_parent(process::id());
        let mut state = lock(&self.live.state);
        state.shutting_down = true;
        let own = task.and_then(|task| state.fetches.values().find(|fetch| fetch.runs_in(task)));
        if let Some(own) = own {
            own.exempt();
            // Others that asked from within wait for this one no more.
            self.live.moved.notify_waiters();
        }
        ShutdownWait { executor: Arc::clone(self), within: own.is_some(), before: state.ended }
    }

    /// Completes when a shutdown has reached its limit.
    pub(crate) async fn limit_reached(&self) {
        let live = &self.live;
        loop {
            let limit = live.limit.notified();
            if live.limit_reached.load(Ordering::SeqCst) {
                return;
            }
            limit.await;
        }
    }

    /// Whether any fetch lives.
    #[cfg(not(any(feature = "test-util", all(test, cacheback_shuttle))))]
    pub(crate) fn has_fetches(&self) -> bool {
        !lock(&self.live.state).fetches.is_empty()
    }

    /// Helps those on whose runtime stands still.
    #[cfg(not(feature = "test-util"))]
    pub(crate) fn tend(&self) {
        let fetches: Vec<_> = lock(&self.live.state).fetches.values().cloned().collect();
        for fetch in fetches {
            // A type of the user's may panic on the way. That ends this fetch and nothing else.
            let _ = catch(|| {
                fetch.tend();
                drop(fetch);
            });
        }
    }

    /// A fetch that was to end goes on for those who wait for it.
    pub(crate) fn notify_progress(&self) {
        self.live.moved.notify_waiters();
    }
}

impl LiveFetches {
    /// In a child that was forked: forgets the fetches of its parent, which never end here.
    fn leave_parent(&self, process: u32) {
        let mut state = lock(&self.state);
        let parents = std::mem::replace(&mut state.process, process) != process;
        if !parents {
            return;
        }
        let fetches = std::mem::take(&mut state.fetches);
        state.runtimes.clear();
        drop(state);
        let _ = catch(|| drop(fetches));
    }

    async fn until(&self, done: impl Fn(&State) -> bool) {
        loop {
            let moved = self.moved.notified();
            if done(&lock(&self.state)) {
                return;
            }
            moved.await;
        }
    }
}

#[cfg(test)]
impl LiveFetches {
    pub(super) fn is_empty(&self) -> bool {
        let state = lock(&self.state);
        state.fetches.is_empty() && state.runtimes.is_empty()
    }
}

impl ShutdownWait {
    /// Until no fetch lives. In the body of a fetch: but for those that wait like this one, or they would wait for
    /// each other.
    pub(crate) async fn all_over(&self) {
        let ended = |fetch: &Arc<dyn Fetch>| self.within && fetch.is_exempt();
        self.executor.live.until(|state| state.fetches.values().all(ended)).await;
    }

    /// From here on no fetch runs that nobody waits for.
    pub(crate) fn reach_limit(&self) {
        let live = &self.executor.live;
        live.limit_reached.store(true, Ordering::SeqCst);
        live.limit.notify_waiters();
    }

    /// After [`reach_limit`](ShutdownWait::reach_limit): until all who were to end have done so.
    pub(crate) async fn all_aborted(&self) {
        self.executor.live.until(|state| state.stragglers() == 0).await;
    }

    /// How many fetches finished and how many were aborted: those too that are to end and did not notice yet.
    pub(crate) fn report(&self) -> (u64, u64) {
        let state = lock(&self.executor.live.state);
        let Ended { finished, aborted } = state.ended;
        let stragglers =
            if self.executor.live.limit_reached.load(Ordering::SeqCst) { state.stragglers() } else { 0 };
        (finished - self.before.finished, aborted - self.before.aborted + stragglers)
    }
}

impl State {
    /// Fetches that are to end: those whose bodies run though nobody waits. What has not begun ends as it does so.
    fn stragglers(&self) -> u64 {
        let straggles =
            |fetch: &&Arc<dyn Fetch>| fetch.has_begun() && !fetch.is_awaited() && !fetch.is_exempt();
        self.fetches.values().filter(straggles).count() as u64
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let live = &self.executor.live;
        let mut state = lock(&live.state);
        let fetch = state.fetches.remove(&self.number);
        if fetch.as_ref().is_some_and(|fetch| fetch.has_begun()) {
            let ended = if self.finished { &mut state.ended.finished } else { &mut state.ended.aborted };
            *ended += 1;
        }
        let mut moved = state.shutting_down;
        // A parent's was forgotten.
        let of_runtime = fetch.as_ref().and_then(|_| state.runtimes.get_mut(&self.runtime));
        if let Some(fetches) = of_runtime {
            *fetches -= 1;
            if *fetches == 0 {
                state.runtimes.remove(&self.runtime);
                moved = true;
            }
        }
        drop(state);
        if moved {
            live.moved.notify_waiters();
        }
        // It may hold the last copy of a value, whose `Drop` is the user's.
        let _ = catch(|| drop(fetch));
    }
}
