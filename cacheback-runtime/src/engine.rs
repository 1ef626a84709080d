//! The engine of a cache, one for each: here decision, store, flights and executor meet.
//!
//! `hit` is the hit path. `read` answers every other call, `wait` waits for its fetch, and `stored` has what there is without
//! one. `fetch` runs fetches within their `limits`, and `commit` ends them. `write` changes entries from outside, and `sweep`
//! drops old ones. `breaker` spares an origin that fails. This file holds the code that they share.

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
#[cfg(feature = "shared")]
use crate::key::KeyShape;
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
mod limits;
mod read;
mod record;
mod result;
#[cfg(feature = "shared")]
mod shared;
pub(crate) mod source;
mod stored;
mod sweep;
mod target;
#[cfg(not(feature = "shared"))]
mod unshared;
#[cfg(not(feature = "shared"))]
use unshared as shared;
mod wait;
mod write;
use breaker::{Admission, Breaker, Turn};
pub(crate) use cacheable::{Cacheable, Of};
pub(crate) use definition::{Closure, Definition, SharedOptions, ValueOptions};
pub(crate) use erased::ErasedCache;
use fetch::Job;
pub(crate) use result::{Answer, CallKind, Peeked};
use result::{Fetched, FlightResult};
#[cfg(feature = "worker")]
pub(crate) use shared::Cut;
use shared::Shared;
pub(crate) use shared::{Bump, Telling, tell};
#[cfg(feature = "shared")]
pub(crate) use shared::{Order, Queued, Verdict};
pub(crate) use target::{Keyed, Target};

type ErrorOf<C> = Arc<Shareable<<C as Cacheable>::Error>>;
type NodeOf<C> = Node<<C as Cacheable>::OwnedKey, <C as Cacheable>::Value, ErrorOf<C>>;
type HeldKey<C> = dyn Keyed<<C as Cacheable>::OwnedKey>;
type ClaimsOf<C> = KeyClaims<HeldKey<C>, FlightResult<C>, Box<Job<C>>>;
type LaneOf<C> = Lane<FlightResult<C>, Box<Job<C>>>;
type FlightOf<C> = Flight<FlightResult<C>>;
pub(crate) type SourceOf<C> = Arc<dyn Source<C>>;

/// The cache of one function (of one instantiation, if the function is generic), or of one `Cache` object.
pub(crate) struct Engine<C: Cacheable> {
    definition: Definition<C>,
    /// `None` if the cache is not shared.
    shared: Option<Shared<C>>,
    /// Tells the engine from every other of the process: for the executor's queue and the housekeeper.
    number: u64,
    hasher: Seeded,
    store: Store<C::OwnedKey, C::Value, ErrorOf<C>>,
    flights: Flights<HeldKey<C>, FlightResult<C>, Box<Job<C>>>,
    counters: Counters,
    breaker: Breaker,
    /// Of the log line that refreshes were refused.
    refusals: RateLimit,
    /// Of the log line that options were clamped.
    clamps: RateLimit,
    /// Of the log line that a value is too heavy to be stored.
    heavy: RateLimit,
    /// It was logged that a body takes longer than its value is fresh.
    slow_body: AtomicBool,
    /// It was logged that a body keeps invalidating its own key.
    endless: AtomicBool,
    /// It was logged that a value's own lifetime is longer than the retention.
    cut_lifetime: AtomicBool,
    /// When the last sweep began that a call made (`test-util`).
    swept: AtomicU64,
}

impl<C: Cacheable> Engine<C> {
    pub(crate) fn new(mut definition: Definition<C>) -> Arc<Self> {
        static NUMBER: Serial = Serial::new();
        let policy = definition.policy;
        let shared = definition.shared.take().map(|options| Shared::new(definition.name, options));
        let engine = Arc::new(Self {
            definition,
            shared,
            number: NUMBER.next(),
            hasher: Seeded::default(),
            store: Store::new(Limit::of(&policy), policy.eviction, Windows::of(&policy)),
            flights: Flights::new(),
            counters: Counters::new(),
            breaker: Breaker::new(),
            refusals: RateLimit::default(),
            clamps: RateLimit::default(),
            heavy: RateLimit::default(),
            slow_body: AtomicBool::new(false),
            endless: AtomicBool::new(false),
            cut_lifetime: AtomicBool::new(false),
            swept: AtomicU64::new(Moment::now().to_bits()),
        });
        engine.introduce();
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

    /// The hash of a key that came with a job.
    #[cfg(feature = "worker")]
    pub(crate) fn hash_of(&self, key: &C::OwnedKey) -> u64 {
        self.hash_owned(key)
    }

    /// The hash of an owned key.
    #[cfg(feature = "shared")]
    fn hash_owned(&self, key: &C::OwnedKey) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        <C::Key>::hash_owned(key, &mut hasher);
        hasher.finish()
    }

    /// The hasher of its keys.
    pub(crate) fn hasher(&self) -> Seeded {
        self.hasher.clone()
    }

    /// A key's hash, and the number of its node if it has one.
    pub(crate) fn locate<W: Copy>(&self, view: W) -> (u64, Option<u64>)
    where
        C::Key: KeyOver<W>,
    {
        let hash = self.hash(view);
        (hash, self.node_of(hash, |key| <C::Key>::same(view, key)))
    }

    /// The number of the node of a key that was hashed already, if it has one.
    pub(crate) fn node_of(&self, hash: u64, same: impl Fn(&C::OwnedKey) -> bool + Copy) -> Option<u64> {
        let pin = self.store.pin();
        self.store.find(hash, same, &pin).map(Node::id)
    }

    pub(crate) fn stats(&self) -> Stats {
        // The entries first: counting them evicts those that are over the limit, which the counters are to show.
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

    /// A flight for a caller from `here`. It holds no key yet.
    fn new_flight(&self, here: &Here) -> FlightOf<C> {
        Flight::new(Ticket::new(self.number), Some(here.handle.id()))
    }

    /// Tells the breaker that a fetch has ended, and logs if that opens or closes it. `failed`: the origin did.
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

    /// Does `work` on the claims of a key, under the key's lock.
    fn with_claims<R>(
        &self,
        target: &Target<C::OwnedKey>,
        work: impl FnMut(&mut ClaimsOf<C>, &KnownKeys<HeldKey<C>>) -> Result<R, Uncompared<HeldKey<C>>>,
    ) -> R {
        let mut known = KnownKeys::new(Arc::clone(&target.holder), target.node);
        self.flights.at(target.hash, &mut known, |own, other| self.compare(target.hash, own, other), work)
    }

    /// Whether two keys of this hash are the same. `None` if the other one is gone by now. Runs user code.
    fn compare(&self, hash: u64, own: &HeldKey<C>, other: &KeyRef<HeldKey<C>>) -> Option<bool> {
        match other {
            KeyRef::Key(other) => Some(C::is_same_key(own.key(), other.key())),
            KeyRef::Node(id) => self.store.compare(hash, *id, |key| C::is_same_key(own.key(), key)),
        }
    }

    /// Drops superseded refreshes that have not started, and counts them as skipped. Runs the user's `Drop`: call it
    /// last.
    fn drop_unstarted(&self, here: &Here, unstarted: Vec<Start<Box<Job<C>>>>) {
        for start in unstarted {
            let is_skipped = match start {
                // A refresh that is no longer in the queue is being started, and is counted there.
                Start::Withdraw(ticket) => here.executor.withdraw(ticket).is_some(),
                Start::Now(job) => {
                    drop(job);
                    true
                }
            };
            if is_skipped {
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
    /// Lets fetches fail until the breaker opens.
    pub(crate) fn open_breaker(&self) {
        while !self.breaker.is_open() {
            self.tell_breaker(true, false);
        }
    }

    /// Asserts that no fetch is under way, and that earlier ones have left nothing behind.
    pub(crate) fn assert_at_rest(&self) {
        assert_eq!(self.flights.claims(), 0, "a key is claimed");
        assert_eq!(self.counted().in_flight, 0, "a fetch has not ended");
        let (nodes, findable, residents) = self.store.counts();
        assert_eq!(
            (nodes, nodes),
            (findable, residents),
            "nodes that no reader finds, or that the eviction policy does not know"
        );
    }
}

// A panic of user code leaves nothing half done: user code never runs under a lock, and `Drop` gives claimed keys back.
impl<C: Cacheable> RefUnwindSafe for Engine<C> {}
