//! The one room where decision, store, flights and executor meet: one engine a cache.
//!
//! This file holds what the others share, and the hit path. `read` answers every other call, `fetch` runs fetches,
//! `landing` brings them home, `write` changes entries from outside, `breaker` spares an origin that fails.

use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, Hasher};
use std::panic::RefUnwindSafe;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::hash::Seeded;
use crate::base::panics::{Panic, caught};
use crate::base::sync::plain::Serial;
use crate::base::sync::{Arc, AtomicBool, AtomicU64, Ordering};
use crate::base::tasks;
use crate::engine::source::Origin;
use crate::events::{self, Counters, RateLimit, Stats, Status};
use crate::executor::Ticket;
use crate::executor::context::Here;
use crate::flight::collisions::{Face, Known, Strangers};
use crate::flight::{Desk, Flight, Flights, Lane, Start};
use crate::key::KeyOver;
use crate::outcome::shared_error::Kept;
use crate::rules::backoff::Backoff;
use crate::rules::freshness::Spans;
use crate::rules::policy::Policy;
use crate::store::{Change, Limit, Node, Pins, RECORD_WEIGHT, Store};

mod breaker;
mod cacheable;
mod chain;
mod commit;
mod definition;
mod fetch;
mod read;
mod record;
pub(crate) mod source;
mod write;
use breaker::{Admission, Breaker, Turn};
pub(crate) use cacheable::{Cacheable, Of};
pub(crate) use definition::{Closure, Definition, ValueOptions};
use fetch::Job;

type ErrorOf<C> = Arc<Kept<<C as Cacheable>::Error>>;
type NodeOf<C> = Node<<C as Cacheable>::OwnedKey, <C as Cacheable>::Value, ErrorOf<C>>;
type HeldOf<C> = dyn Keyed<<C as Cacheable>::OwnedKey>;
type DeskOf<C> = Desk<HeldOf<C>, Landing<C>, Box<Job<C>>>;
type LaneOf<C> = Lane<Landing<C>, Box<Job<C>>>;
type FlightOf<C> = Flight<Landing<C>>;
pub(crate) type OriginOf<C> = Arc<dyn Origin<C>>;

/// The cache of one function (of one instantiation, where it is generic).
pub(crate) struct Engine<C: Cacheable> {
    definition: Definition<C::Outcome>,
    number: u64,
    hasher: Seeded,
    store: Store<C::OwnedKey, C::Value, ErrorOf<C>>,
    flights: Flights<HeldOf<C>, Landing<C>, Box<Job<C>>>,
    counters: Counters,
    refusals: RateLimit,
    clamps: RateLimit,
    heavy: RateLimit,
    breaker: Breaker,
    slow_body: AtomicBool,
    endless: AtomicBool,
    cut_lifetime: AtomicBool,
    swept: AtomicU64,
}

/// What owns a key.
pub(crate) trait Keyed<K>: Send + Sync {
    fn key(&self) -> &K;
}

/// A key that nothing else goes with.
struct Lone<K>(K);

impl<K: Send + Sync> Keyed<K> for Lone<K> {
    fn key(&self) -> &K {
        &self.0
    }
}

/// A key, hashed and owned.
pub(crate) struct Target<K> {
    hash: u64,
    holder: Arc<dyn Keyed<K>>,
    /// The number of its node, where one was seen.
    node: Option<u64>,
}

impl<K> Target<K> {
    pub(crate) fn new(hash: u64, holder: Arc<dyn Keyed<K>>, node: Option<u64>) -> Self {
        Self { hash, holder, node }
    }

    fn key(&self) -> &K {
        self.holder.key()
    }
}

impl<K> Clone for Target<K> {
    fn clone(&self) -> Self {
        Self { hash: self.hash, holder: Arc::clone(&self.holder), node: self.node }
    }
}

/// How a flight came home.
pub(crate) enum Landing<C: Cacheable> {
    Value(Arc<Brought<C::Value>>),
    Failed(ErrorOf<C>),
    Panicked(Arc<Panic>),
    TimedOut,
    Lost,
}

impl<C: Cacheable> Landing<C> {
    const LOST: &'static Self = &Self::Lost;
    const TIMED_OUT: &'static Self = &Self::TimedOut;
}

impl<C: Cacheable> Clone for Landing<C> {
    fn clone(&self) -> Self {
        match self {
            Self::Value(brought) => Self::Value(Arc::clone(brought)),
            Self::Failed(kept) => Self::Failed(Arc::clone(kept)),
            Self::Panicked(panic) => Self::Panicked(Arc::clone(panic)),
            Self::TimedOut => Self::TimedOut,
            Self::Lost => Self::Lost,
        }
    }
}

/// A value for those who waited for it, whether or not it was stored.
pub(crate) struct Brought<V> {
    pub(crate) value: V,
    pub(crate) started: Moment,
}

/// What a call is answered with.
pub(crate) struct Answer<R> {
    pub(crate) value: R,
    pub(crate) status: Status,
    pub(crate) age: Option<Duration>,
}

/// Which call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// The plain one: who waited is not told how old the outcome is.
    Plain,
    Lookup,
    /// It waits on a miss, whatever the function's options say.
    GetOrFetch,
}

/// A value as it lies in the store.
pub(crate) struct Peeked<V> {
    pub(crate) value: V,
    pub(crate) age: Duration,
    pub(crate) fresh: bool,
}

impl<C: Cacheable> Engine<C> {
    pub(crate) fn new(definition: Definition<C::Outcome>) -> Arc<Self> {
        static NUMBER: Serial = Serial::new();
        let policy = definition.policy;
        let engine = Arc::new(Self {
            definition,
            number: NUMBER.next(),
            hasher: Seeded::default(),
            store: Store::new(Limit::of(&policy), policy.eviction, Spans::of(&policy)),
            flights: Flights::new(),
            counters: Counters::default(),
            refusals: RateLimit::default(),
            clamps: RateLimit::default(),
            heavy: RateLimit::default(),
            breaker: Breaker::new(),
            slow_body: AtomicBool::new(false),
            endless: AtomicBool::new(false),
            cut_lifetime: AtomicBool::new(false),
            swept: AtomicU64::new(Moment::now().to_bits()),
        });
        #[cfg(not(any(feature = "test-util", all(test, cacheback_shuttle))))]
        crate::executor::housekeeper::watch(engine.number, &engine);
        engine
    }

    pub(crate) fn name(&self) -> &'static str {
        self.definition.name
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.definition.policy
    }

    #[inline]
    pub(crate) fn hash<W: Copy>(&self, view: W) -> u64
    where
        C::Key: KeyOver<W>,
    {
        let mut hasher = self.hasher.build_hasher();
        <C::Key>::hash(view, &mut hasher);
        hasher.finish()
    }

    /// How keys are hashed.
    pub(crate) fn hasher(&self) -> Seeded {
        self.hasher.clone()
    }

    /// A key's hash, and the number of its node where there is one.
    pub(crate) fn locate<W: Copy>(&self, view: W) -> (u64, Option<u64>)
    where
        C::Key: KeyOver<W>,
    {
        let hash = self.hash(view);
        (hash, self.node_of(hash, |key| <C::Key>::same(view, key)))
    }

    /// The number of the node of a key that was hashed already, where there is one.
    pub(crate) fn node_of(&self, hash: u64, same: impl Fn(&C::OwnedKey) -> bool + Copy) -> Option<u64> {
        let pin = self.store.pin();
        self.store.find(hash, same, &pin).map(Node::id)
    }

    pub(crate) fn stats(&self) -> Stats {
        // In this order: what is too much is evicted first.
        let entries = self.len();
        Stats { entries, ..self.counted() }
    }

    /// The counters, without a look at the entries or the clock.
    fn counted(&self) -> Stats {
        Stats {
            evicted: self.store.evicted(),
            breaker_trips: self.breaker.trips(),
            breakers_open: u64::from(self.breaker.is_open()),
            ..self.counters.snapshot()
        }
    }

    pub(crate) fn len(&self) -> u64 {
        let now = Moment::now();
        self.tidy(now);
        self.store.len(now)
    }

    /// The hit path: the answer where there is one at once and nothing is to be started.
    #[inline(always)]
    pub(crate) fn look<W: Copy>(&self, view: W) -> Option<C::Return>
    where
        C::Key: KeyOver<W>,
    {
        let same = move |key: &C::OwnedKey| <C::Key>::same(view, key);
        self.look_hashed(self.hash(view), same, move |hash| self.look_deeper(hash, same))
    }

    /// The same, of a key that was hashed already. Where its first place has it not, `deeper` may.
    // That is a parameter for the optimiser: 20 instructions of each hit.
    #[inline(always)]
    pub(crate) fn look_hashed(
        &self,
        hash: u64,
        same: impl Fn(&C::OwnedKey) -> bool + Copy,
        deeper: impl FnOnce(u64) -> Option<C::Return>,
    ) -> Option<C::Return> {
        let pin = self.store.pin();
        let Some(node) = self.store.find_first(hash, same, &pin) else {
            drop(pin);
            return deeper(hash);
        };
        let value = self.quiet_value(node)?;
        drop(pin);
        Some(C::join(Ok(value)))
    }

    /// What the first place of a key did not have.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_deeper(
        &self,
        hash: u64,
        same: impl Fn(&C::OwnedKey) -> bool + Copy,
    ) -> Option<C::Return> {
        let pin = self.store.pin();
        let node = self.store.find(hash, same, &pin)?;
        Some(C::join(Ok(self.quiet_value(node)?)))
    }

    /// The value of a node, where a reader has nothing else to do.
    #[inline(always)]
    fn quiet_value(&self, node: &NodeOf<C>) -> Option<C::Value> {
        let now = Moment::recent();
        let (value, told) = node.cached()?;
        if node.is_quiet(now) {
            self.counters.answered(Status::Fresh);
        } else if !self.answered_without_refresh(node, now) {
            return None;
        }
        if self.store.wants_record(told) {
            self.store.record(node);
        }
        Some(value.clone())
    }

    /// Answers and counts a reader who would start a refresh, if one is under way or the key is in back-off.
    // Apart from the others, which would pay for what the two have in common.
    #[cold]
    #[inline(never)]
    fn answered_without_refresh(&self, node: &NodeOf<C>, now: Moment) -> bool {
        let Some(status) = node.status_without_refresh(now) else { return false };
        // Now and then a stale answer takes part in the cooperative budget, or who polls for the refresh would keep it
        // from running. Where others are to run first, `read` waits for them.
        if status == Status::Stale && self.counters.is_turn(status) && !tasks::has_budget() {
            return false;
        }
        self.counters.answered(status);
        true
    }

    /// A fetch to be, for a caller from here.
    fn new_flight(&self, here: &Here) -> FlightOf<C> {
        Flight::new(Ticket::new(self.number), Some(here.handle.id()))
    }

    /// Tells the breaker of a fetch that has ended: whether the origin `failed`, and whether it was a trial.
    fn tell_breaker(&self, failed: bool, is_trial: bool) {
        let turn = if failed {
            self.breaker.failed(Moment::now(), is_trial, self.policy())
        } else {
            self.breaker.succeeded()
        };
        match turn {
            Turn::Opened => events::breaker_opened(self.name()),
            Turn::Closed => events::breaker_closed(self.name()),
            Turn::None => {}
        }
    }

    /// Work at the desk of a key, under its lock.
    fn at<R>(
        &self,
        target: &Target<C::OwnedKey>,
        work: impl FnMut(&mut DeskOf<C>, &Known<HeldOf<C>>) -> Result<R, Strangers<HeldOf<C>>>,
    ) -> R {
        let mut known = Known::new(Arc::clone(&target.holder), target.node);
        let compare = |me: &HeldOf<C>, face: &Face<HeldOf<C>>| match face {
            Face::Key(other) => Some(C::is_same_key(me.key(), other.key())),
            Face::Node(id) => self.store.compare(target.hash, *id, |key| C::is_same_key(me.key(), key)),
        };
        self.flights.at(target.hash, &mut known, compare, work)
    }

    /// Drops refreshes that were put off and are not wanted any more. The user's `Drop` runs here: do it last.
    fn give_up(&self, here: &Here, put_off: Vec<Start<Box<Job<C>>>>) {
        for start in put_off {
            let gone = match start {
                // Where it is gone from the queue it is being started, and is counted there.
                Start::Withdraw(ticket) => here.executor.withdraw(ticket).is_some(),
                Start::Now(job) => {
                    drop(job);
                    true
                }
            };
            if gone {
                events::count(&self.counters.skipped);
            }
        }
    }

    /// Drops what is past its retention: on a test's clock nobody else can, elsewhere the janitor does.
    fn tidy(&self, now: Moment) {
        let due = cfg!(feature = "test-util")
            && now >= self.store.next_gone()
            && now.since(Moment::from_bits(self.swept.load(Ordering::Relaxed))) >= 10_000_000_000;
        if due {
            self.swept.store(now.to_bits(), Ordering::Relaxed);
            self.sweep_store(now);
        }
    }

    /// Drops what is past its retention. A back-off outlives its value.
    fn sweep_store(&self, now: Moment) {
        let pins = self.store.pins();
        for (node, backoff) in self.store.sweep(now, &pins) {
            // If a type of the user's panics, the back-off is forgotten.
            if caught(|| self.keep_backoff(node, backoff, now, &pins)).is_err() {
                self.store.drop_out(node);
            }
        }
    }

    /// Puts the record of a back-off in the place of its node.
    fn keep_backoff<'s>(
        &'s self,
        node: &NodeOf<C>,
        backoff: Backoff,
        now: Moment,
        pins: &Pins<'s, C::OwnedKey, C::Value, ErrorOf<C>>,
    ) {
        let (key, own) = (C::copy_key(node.key()), C::copy_key(node.key()));
        let target = Target::new(node.hash(), Arc::new(Lone(key)), Some(node.id()));
        let mut record = Some(self.backoff_record(own, target.hash, backoff, None, now));
        let change = self.at(&target, |_, known| {
            // A write that came first has replaced it.
            match self.store.resident(target.hash, known, pins)? {
                Some(current) if current.id() == node.id() => {
                    Ok(self.store.put(&mut record, RECORD_WEIGHT, self.store.epoch(), Some(current), pins))
                }
                _ => Ok(Change::default()),
            }
        });
        self.store.carry_out(change);
    }
}

#[cfg(not(feature = "test-util"))]
impl<C: Cacheable> crate::executor::housekeeper::Sweep for Engine<C> {
    fn sweep(&self, now: Moment) {
        if now >= self.store.next_gone() {
            self.sweep_store(now);
        }
        for job in self.flights.unpark_all(now) {
            job.submit();
        }
    }
}

#[cfg(not(any(feature = "test-util", all(test, cacheback_shuttle))))]
impl<C: Cacheable> Drop for Engine<C> {
    fn drop(&mut self) {
        crate::executor::housekeeper::forget(self.number);
    }
}

#[cfg(all(test, cacheback_shuttle))]
impl<C: Cacheable> Engine<C> {
    /// As many fetches as it takes have failed.
    pub(crate) fn open_breaker(&self) {
        while !self.breaker.is_open() {
            self.tell_breaker(true, false);
        }
    }

    /// Nothing is under way, and nothing of what was is left.
    pub(crate) fn assert_at_rest(&self) {
        assert_eq!(self.flights.desks(), 0, "a key is held");
        assert_eq!(self.counters.snapshot().in_flight, 0, "a fetch is not home");
        let (nodes, findable, residents) = self.store.counts();
        assert_eq!(
            (nodes, nodes),
            (findable, residents),
            "nodes that nobody finds, or that the bound forgot"
        );
    }
}

/// What can be done with a cache of any type.
pub(crate) trait ErasedCache: Send + Sync + RefUnwindSafe {
    fn name(&self) -> &'static str;
    fn policy(&self) -> Policy;
    fn stats(&self) -> Stats;
    /// What was counted so far: `entries` is zero.
    #[cfg(feature = "metrics")]
    fn counted(&self) -> Stats;
    fn len(&self) -> u64;
    fn invalidate_all(&self);
    fn clear(&self);
}

// A panic in the user's code leaves nothing half done: none of it runs under a lock, and what is claimed is given back by
// `Drop`.
impl<C: Cacheable> RefUnwindSafe for Engine<C> {}

impl<C: Cacheable> ErasedCache for Engine<C> {
    fn name(&self) -> &'static str {
        Engine::name(self)
    }
    fn policy(&self) -> Policy {
        *Engine::policy(self)
    }
    fn stats(&self) -> Stats {
        Engine::stats(self)
    }
    #[cfg(feature = "metrics")]
    fn counted(&self) -> Stats {
        Engine::counted(self)
    }
    fn len(&self) -> u64 {
        Engine::len(self)
    }
    fn invalidate_all(&self) {
        Engine::invalidate_all(self);
    }
    fn clear(&self) {
        Engine::clear(self);
    }
}

/// Whichever future is ready first; the former where both are.
pub(crate) fn first<T, U>(
    mut one: impl Future<Output = T> + Unpin,
    mut other: impl Future<Output = U> + Unpin,
) -> impl Future<Output = Result<T, U>> {
    poll_fn(move |context| match Pin::new(&mut one).poll(context) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => Pin::new(&mut other).poll(context).map(Err),
    })
}
