//! Decides where refreshes run, and how many of them at once.
//!
//! At most [`Settings::max_refreshes`] refreshes run, and at most [`Settings::max_waiting`] wait for a place. A free
//! place goes to the function with the fewest running refreshes (max-min fairness). If the queue is full, a function
//! with few refreshes in it displaces the newest one of the function with the most. So a slow function cannot keep
//! another from being refreshed. Fetches that callers wait for take no place, and a refresh whose claim has lapsed
//! holds none, even if its runtime is stalled. `live` has every live fetch, with or without a place.

use std::collections::{BTreeMap, HashMap};

use crate::base::clock::Moment;
use crate::base::hash::Numbered;
use crate::base::panics::catch;
use crate::base::sync::plain::Serial;
use crate::base::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, lock};
use crate::base::tasks::Handle;
#[cfg(feature = "shared")]
use crate::tier::Tiers;

pub(crate) mod context;
#[cfg(not(any(feature = "test-util", all(test, cacheback_shuttle))))]
pub(crate) mod housekeeper;
#[cfg(any(feature = "test-util", all(test, cacheback_shuttle)))]
pub(crate) mod no_housekeeper;
#[cfg(any(feature = "test-util", all(test, cacheback_shuttle)))]
pub(crate) use no_housekeeper as housekeeper;
mod live;
#[cfg(feature = "test-util")]
pub mod testing;
use live::LiveFetches;
pub(crate) use live::{Fetch, Live};

/// The settings that `configure` takes.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How many refreshes may run at once.
    pub(crate) max_refreshes: usize,
    /// How many may wait for a place.
    pub(crate) max_waiting: usize,
    /// Where fetches run; `None`: on their callers' runtimes.
    pub(crate) runtime: Option<Handle>,
    /// The second tiers.
    #[cfg(feature = "shared")]
    pub(crate) tiers: Tiers,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_refreshes: 64,
            max_waiting: 1024,
            runtime: None,
            #[cfg(feature = "shared")]
            tiers: Tiers::default(),
        }
    }
}

/// A refresh that can be started or refused.
pub(crate) trait Refresh: Send {
    /// Starts the refresh. Its place is given back when the permit is dropped; without a permit it takes no place.
    fn start(self: Box<Self>, permit: Option<Permit>);
    /// Gives the refresh up. As long as the queue has the same [version](Executor::queue_version), the next refresh of
    /// this key would be refused too.
    fn refuse(self: Box<Self>, why: Refusal, version: u64);
}

/// Why a refresh is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many refreshes are waiting.
    QueueFull,
    /// After a shutdown no refresh is started.
    ShutDown,
}

/// The position of a refresh in the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    /// The number of the function's cache.
    pub(crate) function: u64,
    number: u64,
}

impl Ticket {
    pub(crate) fn new(function: u64) -> Self {
        static NEXT: Serial = Serial::new();
        Self { function, number: NEXT.next() }
    }
}

/// A version that no queue has had. Zero is none.
fn next_version() -> u64 {
    static VERSIONS: Serial = Serial::new();
    VERSIONS.next() + 1
}

pub(crate) struct Executor {
    /// Where fetches run; `None`: on their callers' runtimes.
    pub(crate) runtime: Option<Handle>,
    /// The second tiers.
    #[cfg(feature = "shared")]
    pub(crate) tiers: Tiers,
    /// The name of the function that needed it first. From then on it cannot be configured.
    first_use: Box<str>,
    state: Mutex<Schedule>,
    version: Arc<AtomicU64>,
    live: LiveFetches,
}

struct Schedule {
    max_running: usize,
    max_waiting: usize,
    /// Shut down: every refresh is refused, and the queue is empty.
    closed: bool,
    running: usize,
    waiting: usize,
    /// Renewed each time that a refresh leaves the queue or gives its place back. Changed under the lock, and read
    /// without it.
    version: Arc<AtomicU64>,
    functions: HashMap<u64, FunctionQueue, Numbered>,
    places: Vec<Arc<Place>>,
    /// A thread is handing out free places. A thread that frees another one leaves it to that thread.
    dispatching: bool,
}

/// A place that a running refresh holds.
struct Place {
    function: u64,
    /// From this moment on the place may be taken away.
    until: AtomicU64,
    held: AtomicBool,
}

/// The refreshes of one function.
struct FunctionQueue {
    limit: usize,
    running: usize,
    waiting: BTreeMap<u64, Box<dyn Refresh>>,
}

enum Placement {
    Start(Box<dyn Refresh>, Arc<Place>),
    Queued,
    Refuse(Box<dyn Refresh>, Refusal, u64),
}

impl Executor {
    /// `first_use` is the name of the function that needed it first.
    pub(crate) fn new(settings: Settings, first_use: &str) -> Self {
        let Settings { max_refreshes, max_waiting, runtime, .. } = settings;
        let version = Arc::new(AtomicU64::new(next_version()));
        let state = Schedule {
            version: Arc::clone(&version),
            max_running: max_refreshes,
            max_waiting,
            closed: false,
            running: 0,
            waiting: 0,
            functions: HashMap::default(),
            places: Vec::new(),
            dispatching: false,
        };
        let (state, live) = (Mutex::new(state), LiveFetches::default());
        Self {
            runtime,
            #[cfg(feature = "shared")]
            tiers: settings.tiers,
            first_use: first_use.into(),
            state,
            version,
            live,
        }
    }

    pub(crate) fn first_use(&self) -> &str {
        &self.first_use
    }

    /// How many refreshes run at once at most.
    #[cfg(feature = "worker")]
    pub(crate) fn max_running(&self) -> usize {
        lock(&self.state).max_running
    }

    /// The version of the queue. No two executors have the same.
    pub(crate) fn queue_version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Starts a refresh, queues it or refuses it. At most `limit` of its function run at once.
    pub(crate) fn submit(self: &Arc<Self>, ticket: Ticket, limit: Option<usize>, refresh: Box<dyn Refresh>) {
        self.reclaim(Moment::now());
        let placement = lock(&self.state).place(ticket, limit.unwrap_or(usize::MAX), refresh);
        match placement {
            Placement::Start(refresh, place) => refresh.start(Some(self.permit(place))),
            Placement::Queued => {}
            Placement::Refuse(refresh, why, version) => refresh.refuse(why, version),
        }
    }

    /// Refuses every refresh from now on, those in the queue first. Refreshes that have a place keep it.
    pub(crate) fn close(&self) {
        let queued = lock(&self.state).close();
        let version = self.queue_version();
        for refresh in queued {
            // User code may panic here. That ends this refresh and nothing else.
            let _ = catch(|| refresh.refuse(Refusal::ShutDown, version));
        }
    }

    /// Completes when the second tiers were told of all changes.
    #[cfg(feature = "shared")]
    pub(crate) async fn deliver_changes(&self) {
        self.tiers.deliver_all().await;
    }

    #[cfg(not(feature = "shared"))]
    pub(crate) async fn deliver_changes(&self) {}

    /// How many changes the second tiers were not told of yet.
    #[cfg(feature = "shared")]
    pub(crate) fn undelivered(&self) -> u64 {
        self.tiers.status().iter().map(|tier| tier.pending).sum()
    }

    #[cfg(not(feature = "shared"))]
    pub(crate) fn undelivered(&self) -> u64 {
        0
    }

    /// Takes away the places of refreshes whose claim has lapsed, and hands them out again. Unless their runtime is
    /// stalled, their own timers give them back before.
    pub(crate) fn reclaim(self: &Arc<Self>, now: Moment) {
        if lock(&self.state).reclaim(now) {
            self.dispatch();
        }
    }

    /// Takes a waiting refresh out of the queue.
    pub(crate) fn withdraw(&self, ticket: Ticket) -> Option<Box<dyn Refresh>> {
        let mut state = lock(&self.state);
        let refresh = state.functions.get_mut(&ticket.function)?.waiting.remove(&ticket.number)?;
        state.waiting -= 1;
        state.renew();
        state.forget_idle(ticket.function);
        Some(refresh)
    }

    fn permit(self: &Arc<Self>, place: Arc<Place>) -> Permit {
        Permit { executor: Arc::clone(self), place }
    }

    /// Hands out free places until none is left or no refresh waits. A refresh that ends while it is started frees its
    /// place again: the loop that is already running hands out that one too.
    fn dispatch(self: &Arc<Self>) {
        {
            let mut state = lock(&self.state);
            if state.dispatching {
                return;
            }
            state.dispatching = true;
        }
        loop {
            let next = {
                let mut state = lock(&self.state);
                let next = state.next();
                state.dispatching = next.is_some();
                next
            };
            let Some((place, refresh)) = next else { return };
            // User code may panic here. That ends this refresh and nothing else.
            let _ = catch(|| refresh.start(Some(self.permit(place))));
        }
    }
}

impl Schedule {
    fn place(&mut self, ticket: Ticket, limit: usize, refresh: Box<dyn Refresh>) -> Placement {
        if self.closed {
            return Placement::Refuse(refresh, Refusal::ShutDown, self.version());
        }
        let queue = self.functions.entry(ticket.function).or_insert(FunctionQueue {
            limit,
            running: 0,
            waiting: BTreeMap::new(),
        });
        queue.limit = limit;
        if self.running < self.max_running && queue.running < limit && queue.waiting.is_empty() {
            let place = self.take(ticket.function);
            return Placement::Start(refresh, place);
        }
        if self.waiting < self.max_waiting {
            queue.waiting.insert(ticket.number, refresh);
            self.waiting += 1;
            return Placement::Queued;
        }
        let mine = queue.waiting.len();
        let longest = self.functions.values_mut().max_by_key(|queue| queue.waiting.len());
        let displaced =
            longest.filter(|queue| queue.waiting.len() > mine + 1).and_then(|queue| queue.waiting.pop_last());
        let Some((_, displaced)) = displaced else {
            self.forget_idle(ticket.function);
            return Placement::Refuse(refresh, Refusal::QueueFull, self.version());
        };
        if let Some(queue) = self.functions.get_mut(&ticket.function) {
            queue.waiting.insert(ticket.number, refresh);
        }
        self.renew();
        Placement::Refuse(displaced, Refusal::QueueFull, self.version())
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    fn renew(&self) {
        self.version.store(next_version(), Ordering::Release);
    }

    /// Refuses every refresh from now on, and returns those that wait.
    fn close(&mut self) -> Vec<Box<dyn Refresh>> {
        self.closed = true;
        self.waiting = 0;
        self.renew();
        let queues = self.functions.values_mut().map(|queue| std::mem::take(&mut queue.waiting));
        let queued = queues.flat_map(BTreeMap::into_values).collect();
        self.functions.retain(|_, queue| queue.running > 0);
        queued
    }

    /// The next refresh to start, with its place.
    fn next(&mut self) -> Option<(Arc<Place>, Box<dyn Refresh>)> {
        if self.running >= self.max_running {
            return None;
        }
        let eligible = self.functions.iter_mut().filter(|(_, queue)| queue.running < queue.limit);
        let waiting = eligible.filter_map(|(function, queue)| {
            let oldest = *queue.waiting.keys().next()?;
            Some((queue.running, oldest, *function))
        });
        let (_, _, function) = waiting.min()?;
        let queue = self.functions.get_mut(&function)?;
        let (_, refresh) = queue.waiting.pop_first()?;
        self.waiting -= 1;
        self.renew();
        Some((self.take(function), refresh))
    }

    fn take(&mut self, function: u64) -> Arc<Place> {
        let until = AtomicU64::new(Moment::NEVER.to_bits());
        let place = Arc::new(Place { function, until, held: AtomicBool::new(true) });
        self.running += 1;
        if let Some(queue) = self.functions.get_mut(&function) {
            queue.running += 1;
        }
        self.places.push(Arc::clone(&place));
        place
    }

    /// Frees a place, and returns whether it was still held.
    fn release(&mut self, place: &Arc<Place>) -> bool {
        if !place.held.swap(false, Ordering::Relaxed) {
            return false;
        }
        self.renew();
        self.places.retain(|other| !Arc::ptr_eq(other, place));
        self.running -= 1;
        if let Some(queue) = self.functions.get_mut(&place.function) {
            queue.running -= 1;
        }
        self.forget_idle(place.function);
        true
    }

    /// Frees the places of refreshes whose claim has lapsed, and returns whether there were any.
    fn reclaim(&mut self, now: Moment) -> bool {
        let lapsed = |place: &&Arc<Place>| now >= Moment::from_bits(place.until.load(Ordering::Relaxed));
        let lapsed: Vec<_> = self.places.iter().filter(lapsed).cloned().collect();
        lapsed.iter().filter(|place| self.release(place)).count() > 0
    }

    fn forget_idle(&mut self, function: u64) {
        let idle = |queue: &FunctionQueue| queue.running == 0 && queue.waiting.is_empty();
        if self.functions.get(&function).is_some_and(idle) {
            self.functions.remove(&function);
        }
    }
}

/// A place among the running refreshes. Dropping it gives the place to the next refresh.
pub(crate) struct Permit {
    executor: Arc<Executor>,
    place: Arc<Place>,
}

impl Permit {
    /// Sets until when the refresh claims its key, and holds this place.
    pub(crate) fn lasts_until(&self, until: Moment) {
        self.place.until.store(until.to_bits(), Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let released = lock(&self.executor.state).release(&self.place);
        if released {
            self.executor.dispatch();
        }
    }
}

#[cfg(test)]
impl Executor {
    /// Asserts that no place is taken, that no refresh waits for one, and that no fetch lives.
    pub(crate) fn assert_at_rest(&self) {
        let state = lock(&self.state);
        assert_eq!((state.running, state.waiting), (0, 0), "places, waiting");
        assert!(state.functions.is_empty() && state.places.is_empty() && !state.dispatching);
        drop(state);
        assert!(self.live.is_empty(), "a fetch lives");
    }
}

#[cfg(all(test, not(cacheback_shuttle)))]
mod tests;
