//! Which fetches live: what `settle` and `shutdown` wait for, and what a shutdown ends.

use std::collections::HashMap;

use super::{Executor, Ticket};
use crate::base::panics::caught;
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
    fn spare(&self);
    fn is_spared(&self) -> bool;
    /// Helps it on if its runtime stands still.
    #[cfg(not(feature = "test-util"))]
    fn tend(&self);
}

#[derive(Default)]
pub(super) struct Roster {
    lives: Mutex<Lives>,
    /// A fetch is over, or goes on for those who wait for it.
    moved: Notify,
    /// The limit of a shutdown is reached: no fetch runs any more that nobody waits for.
    limit_reached: AtomicBool,
    limit: Notify,
}

#[derive(Default)]
struct Lives {
    /// Which process they live in; zero before the first.
    process: u32,
    /// By the number of the ticket; those in the queue too.
    fetches: HashMap<u64, Arc<dyn Fetch>>,
    /// How many of them a runtime has.
    runtimes: HashMap<Id, usize>,
    /// Somebody waits for each of them.
    shutting_down: bool,
    over: Over,
}

/// Fetches whose bodies were started and that are over.
#[derive(Clone, Copy, Default)]
struct Over {
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

/// One who waits for all fetches to be over, and what was over before.
pub(crate) struct Watch {
    executor: Arc<Executor>,
    /// It waits in the body of a fetch.
    within: bool,
    before: Over,
}

impl Executor {
    /// Counts a fetch that is to run on a runtime.
    pub(crate) fn enlist(self: &Arc<Self>, runtime: Id, ticket: Ticket, fetch: Arc<dyn Fetch>) -> Live {
        self.roster.leave_parent(process::id());
        let mut lives = lock(&self.roster.lives);
        lives.fetches.insert(ticket.number, fetch);
        *lives.runtimes.entry(runtime).or_default() += 1;
        drop(lives);
        Live { executor: Arc::clone(self), runtime, number: ticket.number, finished: false }
    }

    /// Until no fetch of these runtimes runs or waits.
    pub(crate) async fn settle(&self, runtimes: &[Id]) {
        let settled = |lives: &Lives| !runtimes.iter().any(|runtime| lives.runtimes.contains_key(runtime));
        self.roster.until(settled).await;
    }

    /// Begins a shutdown, asked for in this task.
    pub(crate) fn watch(self: &Arc<Self>, task: Option<task::Id>) -> Watch {
        self.roster.leave_parent(process::id());
        let mut lives = lock(&self.roster.lives);
        lives.shutting_down = true;
        let own = task.and_then(|task| lives.fetches.values().find(|fetch| fetch.runs_in(task)));
        if let Some(own) = own {
            own.spare();
            // Others that asked from within wait for this one no more.
            self.roster.moved.notify_waiters();
        }
        Watch { executor: Arc::clone(self), within: own.is_some(), before: lives.over }
    }

    /// Completes when a shutdown has reached its limit.
    pub(crate) async fn limit_reached(&self) {
        let roster = &self.roster;
        loop {
            let limit = roster.limit.notified();
            if roster.limit_reached.load(Ordering::SeqCst) {
                return;
            }
            limit.await;
        }
    }

    /// Whether any fetch lives.
    #[cfg(not(feature = "test-util"))]
    pub(crate) fn has_fetches(&self) -> bool {
        !lock(&self.roster.lives).fetches.is_empty()
    }

    /// Helps those on whose runtime stands still.
    #[cfg(not(feature = "test-util"))]
    pub(crate) fn tend(&self) {
        let fetches: Vec<_> = lock(&self.roster.lives).fetches.values().cloned().collect();
        for fetch in fetches {
            // A type of the user's may panic on the way. That ends this fetch and nothing else.
            let _ = caught(|| {
                fetch.tend();
                drop(fetch);
            });
        }
    }

    /// A fetch that was to end goes on for those who wait for it.
    pub(crate) fn goes_on(&self) {
        self.roster.moved.notify_waiters();
    }
}

impl Roster {
    /// In a child that was forked: forgets the fetches of its parent, which never end here.
    fn leave_parent(&self, process: u32) {
        let mut lives = lock(&self.lives);
        let parents = std::mem::replace(&mut lives.process, process) != process;
        if !parents {
            return;
        }
        let fetches = std::mem::take(&mut lives.fetches);
        lives.runtimes.clear();
        drop(lives);
        let _ = caught(|| drop(fetches));
    }

    async fn until(&self, done: impl Fn(&Lives) -> bool) {
        loop {
            let moved = self.moved.notified();
            if done(&lock(&self.lives)) {
                return;
            }
            moved.await;
        }
    }
}

#[cfg(test)]
impl Roster {
    pub(super) fn is_empty(&self) -> bool {
        let lives = lock(&self.lives);
        lives.fetches.is_empty() && lives.runtimes.is_empty()
    }
}

impl Watch {
    /// Until no fetch lives. In the body of a fetch: but for those that wait like this one, or they would wait for
    /// each other.
    pub(crate) async fn all_over(&self) {
        let over = |fetch: &Arc<dyn Fetch>| self.within && fetch.is_spared();
        self.executor.roster.until(|lives| lives.fetches.values().all(over)).await;
    }

    /// From here on no fetch runs that nobody waits for.
    pub(crate) fn reach_limit(&self) {
        let roster = &self.executor.roster;
        roster.limit_reached.store(true, Ordering::SeqCst);
        roster.limit.notify_waiters();
    }

    /// After [`reach_limit`](Watch::reach_limit): until all who were to end have done so.
    pub(crate) async fn all_aborted(&self) {
        self.executor.roster.until(|lives| lives.stragglers() == 0).await;
    }

    /// How many fetches finished and how many were aborted: those too that are to end and did not notice yet.
    pub(crate) fn report(&self) -> (u64, u64) {
        let lives = lock(&self.executor.roster.lives);
        let Over { finished, aborted } = lives.over;
        let stragglers =
            if self.executor.roster.limit_reached.load(Ordering::SeqCst) { lives.stragglers() } else { 0 };
        (finished - self.before.finished, aborted - self.before.aborted + stragglers)
    }
}

impl Lives {
    /// Fetches that are to end: those whose bodies run though nobody waits. What has not begun ends as it does so.
    fn stragglers(&self) -> u64 {
        let straggles =
            |fetch: &&Arc<dyn Fetch>| fetch.has_begun() && !fetch.is_awaited() && !fetch.is_spared();
        self.fetches.values().filter(straggles).count() as u64
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let roster = &self.executor.roster;
        let mut lives = lock(&roster.lives);
        let fetch = lives.fetches.remove(&self.number);
        if fetch.as_ref().is_some_and(|fetch| fetch.has_begun()) {
            let over = if self.finished { &mut lives.over.finished } else { &mut lives.over.aborted };
            *over += 1;
        }
        let mut moved = lives.shutting_down;
        // A parent's was forgotten.
        let of_runtime = fetch.as_ref().and_then(|_| lives.runtimes.get_mut(&self.runtime));
        if let Some(fetches) = of_runtime {
            *fetches -= 1;
            if *fetches == 0 {
                lives.runtimes.remove(&self.runtime);
                moved = true;
            }
        }
        drop(lives);
        if moved {
            roster.moved.notify_waiters();
        }
        // It may hold the last copy of a value, whose `Drop` is the user's.
        let _ = caught(|| drop(fetch));
    }
}
