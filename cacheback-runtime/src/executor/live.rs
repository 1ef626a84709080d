//! The live fetches: `settle` and `shutdown` wait for them, and a shutdown ends them.

use super::{Executor, Ticket};
use crate::base::panics::catch;
use crate::base::process;
use crate::base::sync::{Arc, AtomicBool, Mutex, MutexGuard, Notify, Ordering, lock};
use crate::base::tasks::{Id, task};

/// A fetch, as the executor sees it.
pub(crate) trait Fetch: Send + Sync {
    /// Whether its body was started.
    fn has_begun(&self) -> bool;
    /// Whether a caller waits for it.
    fn is_awaited(&self) -> bool;
    /// Whether its body runs in this task.
    fn runs_in(&self, task: task::Id) -> bool;
    /// Keeps a shutdown from ending it, as its own body has asked for one.
    fn exempt(&self);
    fn is_exempt(&self) -> bool;
    /// Helps it on if its runtime is stalled.
    #[cfg(not(feature = "test-util"))]
    fn tend(&self);
}

/// For so many fetches there is always room, once as many have lived.
const FEW: usize = 1024;

#[derive(Default)]
pub(super) struct LiveFetches {
    state: Mutex<Fetches>,
    /// Notified when a fetch has ended, or goes on for the callers who wait for it.
    changed: Notify,
    /// The limit of a shutdown is reached: fetches that nobody waits for are aborted.
    limit_reached: AtomicBool,
    limit: Notify,
}

#[derive(Default)]
struct Fetches {
    /// The process of these fetches; zero before the first.
    process: u32,
    /// All of them, with those in the queue, each with the number of its ticket. The places of those that have ended are
    /// taken again.
    fetches: Vec<Option<(u64, Arc<dyn Fetch>)>>,
    /// The free places among them.
    free: Vec<usize>,
    /// How many of them each runtime has. Nearly always there are few.
    runtimes: Vec<(Id, usize)>,
    /// A shutdown waits for all of them.
    shutting_down: bool,
    ended: EndedFetches,
}

/// How many fetches have ended whose bodies were started.
#[derive(Clone, Copy, Default)]
struct EndedFetches {
    finished: u64,
    aborted: u64,
}

/// Counts a fetch as live, until this is dropped.
pub(crate) struct Live {
    executor: Arc<Executor>,
    runtime: Id,
    number: u64,
    /// Its place among the fetches.
    at: usize,
    /// The fetch came to an end by itself.
    pub(crate) finished: bool,
}

/// A caller of `shutdown` who waits for all fetches to end.
pub(crate) struct ShutdownWait {
    executor: Arc<Executor>,
    /// The caller is the body of a fetch.
    within: bool,
    /// The counts as the shutdown began.
    before: EndedFetches,
}

impl Executor {
    /// Counts a fetch that is to run on this runtime as live.
    pub(crate) fn enlist(
        self: &Arc<Self>,
        process: u32,
        runtime: Id,
        ticket: Ticket,
        fetch: Arc<dyn Fetch>,
    ) -> Live {
        let mut state = self.live.of_process(process);
        let at = state.add(ticket.number, fetch);
        match state.of_runtime(runtime) {
            Some(of_runtime) => state.runtimes[of_runtime].1 += 1,
            None => state.runtimes.push((runtime, 1)),
        }
        drop(state);
        Live { executor: Arc::clone(self), runtime, number: ticket.number, at, finished: false }
    }

    /// Waits until no fetch of these runtimes runs or waits to run.
    pub(crate) async fn settle(&self, runtimes: &[Id]) {
        let settled = |state: &Fetches| runtimes.iter().all(|runtime| state.of_runtime(*runtime).is_none());
        self.live.wait_until(settled).await;
    }

    /// Begins a shutdown that was asked for in this task.
    pub(crate) fn begin_shutdown(self: &Arc<Self>, task: Option<task::Id>) -> ShutdownWait {
        let mut state = self.live.of_process(process::id());
        state.shutting_down = true;
        let own = task.and_then(|task| state.all().find(|fetch| fetch.runs_in(task)));
        if let Some(own) = own {
            own.exempt();
            // Other shutdowns that were asked for by bodies need not wait for this fetch any more.
            self.live.changed.notify_waiters();
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
        !lock(&self.live.state).runtimes.is_empty()
    }

    /// Helps on the fetches whose runtime is stalled.
    #[cfg(not(feature = "test-util"))]
    pub(crate) fn tend(&self) {
        let fetches: Vec<_> = lock(&self.live.state).all().cloned().collect();
        for fetch in fetches {
            // User code may panic here. That ends this fetch and nothing else.
            let _ = catch(|| {
                fetch.tend();
                drop(fetch);
            });
        }
    }

    /// Tells a shutdown that a fetch which was to be aborted goes on for the callers who wait for it.
    pub(crate) fn notify_progress(&self) {
        self.live.changed.notify_waiters();
    }
}

impl LiveFetches {
    /// The fetches of this process. A forked child forgets those of its parent, which never end here.
    fn of_process(&self, process: u32) -> MutexGuard<'_, Fetches> {
        let mut state = lock(&self.state);
        if state.process == process {
            return state;
        }
        state.process = process;
        let parents = std::mem::take(&mut state.fetches);
        state.free.clear();
        state.runtimes.clear();
        drop(state);
        let _ = catch(|| drop(parents));
        lock(&self.state)
    }

    async fn wait_until(&self, done: impl Fn(&Fetches) -> bool) {
        loop {
            let changed = self.changed.notified();
            if done(&lock(&self.state)) {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
impl LiveFetches {
    pub(super) fn is_empty(&self) -> bool {
        let state = lock(&self.state);
        state.all().next().is_none() && state.runtimes.is_empty()
    }
}

impl ShutdownWait {
    /// Waits until no fetch lives. A shutdown in the body of a fetch does not wait for other fetches whose bodies wait
    /// for a shutdown: they would wait for each other.
    pub(crate) async fn all_over(&self) {
        let ended = |fetch: &Arc<dyn Fetch>| self.within && fetch.is_exempt();
        self.executor.live.wait_until(|state| state.all().all(ended)).await;
    }

    /// Aborts every fetch that nobody waits for, now and from now on.
    pub(crate) fn reach_limit(&self) {
        let live = &self.executor.live;
        live.limit_reached.store(true, Ordering::SeqCst);
        live.limit.notify_waiters();
    }

    /// Waits, after [`reach_limit`](ShutdownWait::reach_limit), until all fetches that were to be aborted have ended.
    pub(crate) async fn all_aborted(&self) {
        self.executor.live.wait_until(|state| state.stragglers() == 0).await;
    }

    /// How many fetches finished, and how many were aborted. Fetches that have not noticed yet that they are to end
    /// count as aborted.
    pub(crate) fn report(&self) -> (u64, u64) {
        let state = lock(&self.executor.live.state);
        let EndedFetches { finished, aborted } = state.ended;
        let stragglers =
            if self.executor.live.limit_reached.load(Ordering::SeqCst) { state.stragglers() } else { 0 };
        (finished - self.before.finished, aborted - self.before.aborted + stragglers)
    }
}

impl Fetches {
    fn all(&self) -> impl Iterator<Item = &Arc<dyn Fetch>> {
        self.fetches.iter().flatten().map(|(_, fetch)| fetch)
    }

    /// The place of a runtime that has fetches.
    fn of_runtime(&self, runtime: Id) -> Option<usize> {
        self.runtimes.iter().position(|(other, _)| *other == runtime)
    }

    /// Adds a fetch, and returns its place.
    fn add(&mut self, number: u64, fetch: Arc<dyn Fetch>) -> usize {
        let fetch = Some((number, fetch));
        match self.free.pop() {
            Some(at) => {
                self.fetches[at] = fetch;
                at
            }
            None => {
                self.fetches.push(fetch);
                self.fetches.len() - 1
            }
        }
    }

    /// Removes a fetch. A child has forgotten its parent's fetches, and has others in their places.
    fn remove(&mut self, at: usize, number: u64) -> Option<Arc<dyn Fetch>> {
        let (_, fetch) = self.fetches.get_mut(at)?.take_if(|(other, _)| *other == number)?;
        self.free.push(at);
        // After a flood the room is given back.
        if self.free.len() == self.fetches.len() && self.free.len() > FEW {
            (self.fetches, self.free) = Default::default();
        }
        Some(fetch)
    }

    /// How many fetches are to be aborted and still live: their bodies run and nobody waits for them. A fetch that has
    /// not begun ends as it begins.
    fn stragglers(&self) -> u64 {
        let straggles =
            |fetch: &&Arc<dyn Fetch>| fetch.has_begun() && !fetch.is_awaited() && !fetch.is_exempt();
        self.all().filter(straggles).count() as u64
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let live = &self.executor.live;
        let mut state = lock(&live.state);
        let fetch = state.remove(self.at, self.number);
        if fetch.as_ref().is_some_and(|fetch| fetch.has_begun()) {
            let ended = if self.finished { &mut state.ended.finished } else { &mut state.ended.aborted };
            *ended += 1;
        }
        let mut notify = state.shutting_down;
        // It is `None` in a child that has forgotten its parent's fetches.
        let of_runtime = fetch.as_ref().and_then(|_| state.of_runtime(self.runtime));
        if let Some(at) = of_runtime {
            state.runtimes[at].1 -= 1;
            if state.runtimes[at].1 == 0 {
                state.runtimes.swap_remove(at);
                notify = true;
            }
        }
        drop(state);
        if notify {
            live.changed.notify_waiters();
        }
        // It may hold the last clone of a value, whose `Drop` is user code.
        let _ = catch(|| drop(fetch));
    }
}
