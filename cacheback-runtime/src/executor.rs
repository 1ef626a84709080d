//! Where refreshes run, and how many at once.
//!
//! At most [`Settings::max_refreshes`] run and at most [`Settings::max_waiting`] wait. A place that becomes free goes
//! to the function with the fewest running ones (max-min fairness), and where the queue is full a function with few
//! in it displaces the newest of the one with the most: a slow function cannot keep another from being refreshed.
//! Fetches that callers wait for take no place here, and one whose claim has lapsed holds none, whether or not its
//! runtime is driven. `roster` knows every fetch that lives, with a place or without.

use std::collections::{BTreeMap, HashMap};

use crate::base::clock::Moment;
use crate::base::panics::caught;
use crate::base::sync::plain::Serial;
use crate::base::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, lock};
use crate::base::tasks::Handle;

pub(crate) mod context;
#[cfg(not(feature = "test-util"))]
pub(crate) mod housekeeper;
mod live;
#[cfg(feature = "test-util")]
pub mod testing;
use live::Roster;
pub(crate) use live::{Fetch, Live};

/// What `configure` decides.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How many refreshes run at once.
    pub(crate) max_refreshes: usize,
    /// How many wait for a place.
    pub(crate) max_waiting: usize,
    /// Where fetches run; `None`: on their callers' runtimes.
    pub(crate) runtime: Option<Handle>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_refreshes: 64, max_waiting: 1024, runtime: None }
    }
}

/// A refresh that can be started, or refused.
pub(crate) trait Refresh: Send {
    /// Starts it. The place is given back when the permit is dropped; without one it takes no place.
    fn start(self: Box<Self>, permit: Option<Permit>);
    /// Gives it up.
    fn refuse(self: Box<Self>, why: Refusal);
}

/// Why a refresh is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many are waiting.
    QueueFull,
    /// None is started any more.
    ShutDown,
}

/// Where a refresh stands in line.
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

pub(crate) struct Executor {
    /// Where fetches run; `None`: on their callers' runtimes.
    pub(crate) runtime: Option<Handle>,
    /// What brought it into being: from then on it cannot be configured.
    first_use: Box<str>,
    state: Mutex<State>,
    roster: Roster,
}

struct State {
    max_running: usize,
    max_waiting: usize,
    /// Shut down: nothing is placed any more, and the queue is empty.
    closed: bool,
    running: usize,
    waiting: usize,
    functions: HashMap<u64, Line>,
    places: Vec<Arc<Place>>,
    /// Someone is handing out free places; whoever frees another one leaves it to them.
    dispatching: bool,
}

/// A place that a running refresh holds.
struct Place {
    function: u64,
    /// From then on it may be taken away.
    until: AtomicU64,
    held: AtomicBool,
}

/// One function's refreshes.
struct Line {
    limit: usize,
    running: usize,
    queue: BTreeMap<u64, Box<dyn Refresh>>,
}

enum Verdict {
    Start(Box<dyn Refresh>, Arc<Place>),
    Queued,
    Refuse(Box<dyn Refresh>, Refusal),
}

impl Executor {
    /// `first_use` is the name of the function that needed it first.
    pub(crate) fn new(settings: Settings, first_use: &str) -> Self {
        let Settings { max_refreshes, max_waiting, runtime } = settings;
        let state = State {
            max_running: max_refreshes,
            max_waiting,
            closed: false,
            running: 0,
            waiting: 0,
            functions: HashMap::new(),
            places: Vec::new(),
            dispatching: false,
        };
        Self { runtime, first_use: first_use.into(), state: Mutex::new(state), roster: Roster::default() }
    }

    pub(crate) fn first_use(&self) -> &str {
        &self.first_use
    }

    /// Starts a refresh, queues it or refuses it. At most `limit` of its function run at once.
    pub(crate) fn submit(self: &Arc<Self>, ticket: Ticket, limit: Option<usize>, refresh: Box<dyn Refresh>) {
        self.relieve(Moment::now());
        let verdict = lock(&self.state).place(ticket, limit.unwrap_or(usize::MAX), refresh);
        match verdict {
            Verdict::Start(refresh, place) => refresh.start(Some(self.permit(place))),
            Verdict::Queued => {}
            Verdict::Refuse(refresh, why) => refresh.refuse(why),
        }
    }

    /// Refuses every refresh from here on, those in the queue first. What has its place runs on.
    pub(crate) fn close(&self) {
        let queued = lock(&self.state).close();
        for refresh in queued {
            // A type of the user's may panic on the way. That ends this refresh and nothing else.
            let _ = caught(|| refresh.refuse(Refusal::ShutDown));
        }
    }

    /// Takes away the places of refreshes whose claim has lapsed, and hands them out. Their own timers do it first,
    /// unless their runtime stands still.
    pub(crate) fn relieve(self: &Arc<Self>, now: Moment) {
        if lock(&self.state).reclaim(now) {
            self.dispatch();
        }
    }

    /// Takes a waiting refresh out of the queue.
    pub(crate) fn withdraw(&self, ticket: Ticket) -> Option<Box<dyn Refresh>> {
        let mut state = lock(&self.state);
        let refresh = state.functions.get_mut(&ticket.function)?.queue.remove(&ticket.number)?;
        state.waiting -= 1;
        state.forget_idle(ticket.function);
        Some(refresh)
    }

    fn permit(self: &Arc<Self>, place: Arc<Place>) -> Permit {
        Permit { executor: Arc::clone(self), place }
    }

    /// Hands free places out until none is left or nobody waits. A refresh that ends while it is started frees a
    /// place in turn: the loop that is already running serves that one too.
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
            // A type of the user's may panic on the way. That ends this refresh and nothing else.
            let _ = caught(|| refresh.start(Some(self.permit(place))));
        }
    }
}

impl State {
    fn place(&mut self, ticket: Ticket, limit: usize, refresh: Box<dyn Refresh>) -> Verdict {
        if self.closed {
            return Verdict::Refuse(refresh, Refusal::ShutDown);
        }
        let line = self.functions.entry(ticket.function).or_insert(Line {
            limit,
            running: 0,
            queue: BTreeMap::new(),
        });
        line.limit = limit;
        if self.running < self.max_running && line.running < limit && line.queue.is_empty() {
            let place = self.take(ticket.function);
            return Verdict::Start(refresh, place);
        }
        if self.waiting < self.max_waiting {
            line.queue.insert(ticket.number, refresh);
            self.waiting += 1;
            return Verdict::Queued;
        }
        let mine = line.queue.len();
        let longest = self.functions.values_mut().max_by_key(|line| line.queue.len());
        let displaced =
            longest.filter(|line| line.queue.len() > mine + 1).and_then(|line| line.queue.pop_last());
        let Some((_, displaced)) = displaced else {
            self.forget_idle(ticket.function);
            return Verdict::Refuse(refresh, Refusal::QueueFull);
        };
        if let Some(line) = self.functions.get_mut(&ticket.function) {
            line.queue.insert(ticket.number, refresh);
        }
        Verdict::Refuse(displaced, Refusal::QueueFull)
    }

    /// Places nothing any more. What waited comes back.
    fn close(&mut self) -> Vec<Box<dyn Refresh>> {
        self.closed = true;
        self.waiting = 0;
        let queues = self.functions.values_mut().map(|line| std::mem::take(&mut line.queue));
        let queued = queues.flat_map(BTreeMap::into_values).collect();
        self.functions.retain(|_, line| line.running > 0);
        queued
    }

    /// The next refresh to start, with its place taken.
    fn next(&mut self) -> Option<(Arc<Place>, Box<dyn Refresh>)> {
        if self.running >= self.max_running {
            return None;
        }
        let eligible = self.functions.iter_mut().filter(|(_, line)| line.running < line.limit);
        let waiting = eligible.filter_map(|(function, line)| {
            let oldest = *line.queue.keys().next()?;
            Some((line.running, oldest, *function))
        });
        let (_, _, function) = waiting.min()?;
        let line = self.functions.get_mut(&function)?;
        let (_, refresh) = line.queue.pop_first()?;
        self.waiting -= 1;
        Some((self.take(function), refresh))
    }

    fn take(&mut self, function: u64) -> Arc<Place> {
        let until = AtomicU64::new(Moment::NEVER.to_bits());
        let place = Arc::new(Place { function, until, held: AtomicBool::new(true) });
        self.running += 1;
        if let Some(line) = self.functions.get_mut(&function) {
            line.running += 1;
        }
        self.places.push(Arc::clone(&place));
        place
    }

    /// Frees a place, once.
    fn release(&mut self, place: &Arc<Place>) -> bool {
        if !place.held.swap(false, Ordering::Relaxed) {
            return false;
        }
        self.places.retain(|other| !Arc::ptr_eq(other, place));
        self.running -= 1;
        if let Some(line) = self.functions.get_mut(&place.function) {
            line.running -= 1;
        }
        self.forget_idle(place.function);
        true
    }

    /// Takes the places of refreshes whose claim has lapsed. Whether there was one.
    fn reclaim(&mut self, now: Moment) -> bool {
        let lapsed = |place: &&Arc<Place>| now >= Moment::from_bits(place.until.load(Ordering::Relaxed));
        let lapsed: Vec<_> = self.places.iter().filter(lapsed).cloned().collect();
        lapsed.iter().filter(|place| self.release(place)).count() > 0
    }

    fn forget_idle(&mut self, function: u64) {
        let idle = |line: &Line| line.running == 0 && line.queue.is_empty();
        if self.functions.get(&function).is_some_and(idle) {
            self.functions.remove(&function);
        }
    }
}

/// A place among the running refreshes; dropping it gives the place to the next.
pub(crate) struct Permit {
    executor: Arc<Executor>,
    place: Arc<Place>,
}

impl Permit {
    /// The refresh holds its key, and this place, until then.
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
    /// No place is taken, nobody waits for one, and no fetch lives.
    pub(crate) fn assert_at_rest(&self) {
        let state = lock(&self.state);
        assert_eq!((state.running, state.waiting), (0, 0), "places, waiting");
        assert!(state.functions.is_empty() && state.places.is_empty() && !state.dispatching);
        drop(state);
        assert!(self.roster.is_empty(), "a fetch lives");
    }
}

#[cfg(all(test, not(cacheback_shuttle)))]
mod tests;
