//! The one room where decision, store, flights and executor meet: one engine a cache.
//!
//! This file holds what the others share, and the hit path. `read` answers every other call, `fetch` runs fetches,
//! `landing` brings them home, `write` changes entries from outside, `breaker` spares an origin that fails.

use std::hash::{BuildHasher, Hasher};
use std::panic::RefUnwindSafe;

use crate::base::clock::Moment;
use crate::base::hash::Seeded;
use crate::base::sync::plain::Serial;
use crate::base::sync::{Arc, AtomicBool, AtomicU64};
use crate::engine::source::Source;
use crate::events::{self, Counters, Provided, RateLimit, Stats};
use crate::executor::context::Here;
use crate::executor::{Ticket, housekeeper};
use crate::flight::collisions::{KeyRef, KnownKeys, Uncompared};
use crate::flight::{Flight, Flights, KeyClaims, Lane, Start};
use crate::key::KeyOver;
use crate::outcome::shared_error::Shareable;
use crate::rules::freshness::Windows;
use crate::rules::policy::Policy;
use crate::store::{Limit, Node, Store};

mod breaker;
mod cacheable;
mod chain;
mod commit;
mod definition;
mod erased;
mod fetch;
mod hit;
mod read;
mod record;
mod result;
pub(crate) mod source;
mod sweep;
mod target;
mod write;
use breaker::{Admission, Breaker, Turn};
pub(crate) use cacheable::{Cacheable, Of};
pub(crate) use definition::{Closure, Definition, ValueOptions};
pub(crate) use erased::ErasedCache;
use fetch::Job;
pub(crate) use result::{Answer, CallKind, Peeked};
use result::{Fetched, FlightResult};
pub(crate) use target::{Keyed, Target};

type ErrorOf<C> = Arc<Shareable<<C as Cacheable>::Error>>;
type NodeOf<C> = Node<<C as Cacheable>::OwnedKey, <C as Cacheable>::Value, ErrorOf<C>>;
type HeldKey<C> = dyn Keyed<<C as Cacheable>::OwnedKey>;
type ClaimsOf<C> = KeyClaims<HeldKey<C>, FlightResult<C>, Box<Job<C>>>;
type LaneOf<C> = Lane<FlightResult<C>, Box<Job<C>>>;
type FlightOf<C> = Flight<FlightResult<C>>;
pub(crate) type SourceOf<C> = Arc<dyn Source<C>>;

/// The cache of one function (of one instantiation, where it is generic).
pub(crate) struct Engine<C: Cacheable> {
    definition: Definition<C::Outcome>,
    number: u64,
    hasher: Seeded,
    store: Store<C::OwnedKey, C::Value, ErrorOf<C>>,
    flights: Flights<HeldKey<C>, FlightResult<C>, Box<Job<C>>>,
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

impl<C: Cacheable> Engine<C> {
    pub(crate) fn new(definition: Definition<C::Outcome>) -> Arc<Self> {
        static NUMBER: Serial = Serial::new();
        let policy = definition.policy;
        let engine = Arc::new(Self {
            definition,
            number: NUMBER.next(),
            hasher: Seeded::default(),
            store: Store::new(Limit::of(&policy), policy.eviction, Windows::of(&policy)),
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
        housekeeper::watch(engine.number, &engine);
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
        self.counters.snapshot(Provided {
            evicted: self.store.evicted(),
            entries: 0,
            breaker_trips: self.breaker.trips(),
            breakers_open: u64::from(self.breaker.is_open()),
        })
    }

    pub(crate) fn len(&self) -> u64 {
        let now = Moment::now();
        self.tidy(now);
        self.store.len(now)
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
        work: impl FnMut(&mut ClaimsOf<C>, &KnownKeys<HeldKey<C>>) -> Result<R, Uncompared<HeldKey<C>>>,
    ) -> R {
        let mut known = KnownKeys::new(Arc::clone(&target.holder), target.node);
        let compare = |me: &HeldKey<C>, face: &KeyRef<HeldKey<C>>| match face {
            KeyRef::Key(other) => Some(C::is_same_key(me.key(), other.key())),
            KeyRef::Node(id) => self.store.compare(target.hash, *id, |key| C::is_same_key(me.key(), key)),
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
}

impl<C: Cacheable> Drop for Engine<C> {
    fn drop(&mut self) {
        housekeeper::forget(self.number);
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
        assert_eq!(self.flights.claims(), 0, "a key is held");
        assert_eq!(self.counted().in_flight, 0, "a fetch is not home");
        let (nodes, findable, residents) = self.store.counts();
        assert_eq!(
            (nodes, nodes),
            (findable, residents),
            "nodes that nobody finds, or that the bound forgot"
        );
    }
}

// A panic in the user's code leaves nothing half done: none of it runs under a lock, and what is claimed is given back by
// `Drop`.
impl<C: Cacheable> RefUnwindSafe for Engine<C> {}
