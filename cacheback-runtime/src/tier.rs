//! The second tier: values that all processes of a fleet share.
//!
//! A [`Tier`] keeps bytes by [`WireKey`]. It knows no types of the user's, starts no fetch and decides nothing but what
//! has to be decided in one place for all processes: who may fetch ([`acquire`](Tier::acquire)), and which of two
//! values is the newer one ([`store`](Tier::store)).
//!
//! Each value and each tombstone has a [`WriteId`]. They grow with each change of a key, so that *newer* is a comparison
//! of two numbers. A process that fetches holds a [`Lease`]. A value is stored only if nobody else has changed the key
//! since the lease was given, however long the body took.
//!
//! Ages are measured by the tier's clock alone: no clock of any process takes part.

#![cfg_attr(
    not(any(feature = "redis", feature = "simulation", feature = "sqlite", feature = "test-util")),
    allow(dead_code) // There is no tier that would do it.
)]

use std::fmt;
use std::future::ready;
use std::hash::{BuildHasher, RandomState};
use std::sync::Weak;
use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::base::tasks::{BoxFuture, Handle};

pub(crate) mod codec;
// In a build for its tests alone, nobody exports what is public there.
#[cfg(any(feature = "redis", feature = "sqlite", test))]
#[cfg_attr(not(any(feature = "redis", feature = "sqlite")), allow(unreachable_pub))]
pub(crate) mod compress;
#[cfg(any(feature = "redis", feature = "sqlite", test))]
pub(crate) mod envelope;
#[cfg(any(feature = "simulation", feature = "sqlite", feature = "test-util", all(test, cacheback_shuttle)))]
mod fencing;
pub(crate) mod late;
#[cfg(any(feature = "redis", feature = "sqlite"))]
mod life;
#[cfg(any(feature = "test-util", feature = "simulation", all(test, cacheback_shuttle)))]
pub(crate) mod memory;
pub(crate) mod messages;
mod pausing;
pub(crate) mod probe;
pub(crate) mod queue;
pub(crate) mod recovery;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod round_trips;
pub(crate) mod schema;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod status;
// In a build for its tests alone, nobody exports what is public there.
#[cfg(any(feature = "redis", feature = "sqlite", feature = "test-util", feature = "simulation", test))]
#[cfg_attr(
    not(any(feature = "redis", feature = "sqlite", feature = "test-util", feature = "simulation")),
    allow(unreachable_pub)
)]
pub(crate) mod time_span;
pub(crate) mod wire_key;
use late::{Delivered, Late};
use messages::Coherence;
use probe::Probe;
use queue::Queue;
use recovery::Recovering;
use status::TierStatus;
pub(crate) use wire_key::{Scope, WireKey};

/// The number of a change of a key in the tier. A later change of the key has a greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WriteId(pub(crate) u64);

/// The answer of a tier.
pub(crate) type Reply<T> = BoxFuture<Result<T, Down>>;

/// Why a tier has given no answer. A change may have happened there all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Down {
    /// There is no connection, and nothing was sent.
    Disconnected,
    /// No answer came within the tier's time-out.
    TimedOut,
    /// The tier has answered with an error.
    // The one in memory never does.
    #[cfg_attr(not(any(feature = "redis", feature = "sqlite")), allow(dead_code))]
    Refused(String),
    /// The same, because it has no more room.
    #[cfg_attr(not(any(feature = "redis", feature = "sqlite")), allow(dead_code))]
    Full(String),
}

impl Down {
    /// Whether the tier has answered, with an error.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Full(_))
    }
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("it is not connected"),
            Self::TimedOut => f.write_str("it did not answer in time"),
            Self::Refused(why) | Self::Full(why) => f.write_str(why),
        }
    }
}

/// A place for values that several processes share.
///
/// Each operation ends within the tier's own time-out. Dropping a reply gives up the answer, and not the operation. For
/// one key, the writes of a process take effect in the order of the calls, even before the replies are polled.
pub(crate) trait Tier: Send + Sync + 'static {
    /// Whether it can be asked. If not, every operation fails at once.
    fn is_up(&self) -> bool;

    /// The number of the last connection. Each has a higher one than those before.
    fn contact(&self) -> u64;

    /// The connection over which a key is reached now, by its number.
    fn contact_of(&self, key: &WireKey) -> Option<u64>;

    /// How often keys have gone over to another server.
    fn moves(&self) -> u64 {
        0
    }

    /// How long ago the connection of this number was lost. `None`: it was not.
    fn lost(&self, contact: u64) -> Option<Duration>;

    /// Completes when there is another connection than the one of this number. It keeps nothing of the tier alive.
    fn reconnected(&self, since: u64) -> BoxFuture<()>;

    /// Where its own tasks run.
    fn runtime(&self) -> Handle;

    /// The longest time that an operation takes.
    fn timeout(&self) -> Duration;

    /// Its state as this process sees it, without an alias. Costs some microseconds.
    fn status(&self) -> TierStatus;

    /// The longest encoded value that it takes, in bytes.
    fn max_value_bytes(&self) -> usize;

    /// The age at which a value is gone there, at the latest.
    fn max_age(&self) -> Duration;

    /// Makes an encoded value ready to be stored: compresses or encrypts it. Runs user code: never call it under a lock.
    fn pack(&self, bytes: Vec<u8>) -> Result<Packed, String>;

    /// Reads a value. `have` is the one that the caller has already: its bytes are not sent again.
    fn read(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read>;

    /// The same for a caller who has a value, with a number or without, and can do without an answer.
    fn look(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        self.read(key, have)
    }

    /// Asks for the lease of a key, to fetch it.
    fn acquire(&self, key: &WireKey, request: Request) -> Reply<Acquired>;

    /// Stores the value of a fetch and ends its lease.
    fn store(&self, key: &WireKey, lease: &Lease, value: Payload) -> Reply<Stored>;

    /// Ends the lease of a fetch that brings no value to store. Returns at once: it is called in `Drop`, too.
    fn release(&self, key: &WireKey, token: Token, ending: Release);

    /// Changes a key from outside of any fetch. Leases of the key are void afterwards.
    fn write(&self, key: &WireKey, change: Change) -> Reply<WriteId>;

    /// Changes a key by a change that was made some time ago, and yields to what was written since. If nobody can tell
    /// which of two values is the later one, the key has none afterwards.
    fn deliver(&self, key: &WireKey, change: Change, late: Late) -> Reply<Delivered>;

    /// From now on tells a cache of the changes of its scope that other processes make. It is never told under a lock
    /// of the caller's.
    fn listen(&self, scope: &Arc<Scope>, listener: Weak<dyn Coherence>);

    /// Changes all keys of a scope at once, by a change that was made at this moment of the process's clock. Leases of them
    /// are void afterwards.
    fn bump(&self, scope: &Arc<Scope>, change: Bump, at: Moment) -> Reply<()>;

    /// Whether changes are to be confirmed, by replicas say, before a caller takes them for made.
    fn confirms(&self) -> bool {
        false
    }

    /// Confirms the changes of a key that were answered until now.
    fn confirm(&self, _key: &WireKey) -> Reply<()> {
        Box::pin(ready(Ok(())))
    }

    /// Confirms the changes of all keys of a scope that were answered until now.
    fn confirm_all(&self, _scope: &Arc<Scope>) -> Reply<()> {
        Box::pin(ready(Ok(())))
    }

    /// Its queue for the refreshes that workers run, if it has one.
    fn queue(&self) -> Option<&dyn Queue> {
        None
    }
}

/// The tiers that were configured, by their aliases.
#[derive(Clone, Default)]
pub(crate) struct Tiers {
    all: Vec<Named>,
    /// The queue of all of them, if it is not each one's own.
    jobs: Option<Arc<dyn Queue>>,
    /// How the traces of refreshes go on in workers.
    pub(crate) traces: Option<queue::Traces>,
}

/// A tier with its alias.
#[derive(Clone)]
struct Named {
    alias: Option<Box<str>>,
    tier: Arc<dyn Tier>,
    recovering: Arc<Recovering>,
}

impl Named {
    fn new(alias: Option<Box<str>>, recovering: Recovering) -> Self {
        let recovering = Arc::new(recovering);
        Self { alias, tier: Arc::clone(&recovering) as _, recovering }
    }
}

impl Tiers {
    /// Adds a tier. The one without an alias is for caches that name none.
    pub(crate) fn add(&mut self, alias: Option<&str>, tier: Arc<dyn Tier>) {
        let recovering = Recovering::over(tier, self.jobs.as_ref().map(Arc::clone));
        self.all.push(Named::new(alias.map(Into::into), recovering));
    }

    /// Puts the jobs of all tiers on this queue.
    pub(crate) fn set_jobs(&mut self, jobs: Arc<dyn Queue>) {
        for own in &mut self.all {
            *own = Named::new(own.alias.take(), own.recovering.with_jobs(&jobs));
        }
        self.jobs = Some(jobs);
    }

    /// All queues, with the aliases of their tiers.
    pub(crate) fn queues(&self) -> Vec<(Option<&str>, &dyn Queue)> {
        match &self.jobs {
            Some(jobs) => vec![(None, &**jobs)],
            None => self.all().filter_map(|(alias, tier)| Some((alias, tier.queue()?))).collect(),
        }
    }

    pub(crate) fn get(&self, alias: Option<&str>) -> Option<&Arc<dyn Tier>> {
        self.all.iter().find(|own| own.alias.as_deref() == alias).map(|own| &own.tier)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Option<&str>, &Arc<dyn Tier>)> {
        self.all.iter().map(|own| (own.alias.as_deref(), &own.tier))
    }

    /// The state of each.
    pub(crate) fn status(&self) -> Vec<TierStatus> {
        let status =
            |own: &Named| TierStatus { alias: own.alias.as_deref().map(str::to_owned), ..own.tier.status() };
        self.all.iter().map(status).collect()
    }

    /// Does without all of them from now on. Returns whether that is new of any.
    pub(crate) fn pause(&self) -> bool {
        self.all.iter().filter(|own| own.recovering.pause()).count() > 0
    }

    /// Uses all of them again. Returns whether any was paused.
    pub(crate) fn resume(&self) -> bool {
        self.all.iter().filter(|own| own.recovering.resume()).count() > 0
    }

    /// Looks at so many of the values of each tier that hits serve.
    pub(crate) async fn probe(&self, most: usize) -> Probe {
        let mut sum = Probe::default();
        for own in &self.all {
            let Probe { probed, outdated } = own.recovering.probe(most).await;
            sum.probed += probed;
            sum.outdated += outdated;
        }
        sum
    }

    /// Completes when each was told of all changes.
    pub(crate) async fn deliver_all(&self) {
        recovery::all(self.all.iter().map(|own| own.recovering.deliver_all()).collect()).await;
    }

    /// An alias that two tiers have.
    pub(crate) fn twice(&self) -> Option<Option<&str>> {
        let aliases = || self.all.iter().map(|own| own.alias.as_deref());
        aliases().find(|alias| aliases().filter(|other| other == alias).count() > 1)
    }
}

impl fmt::Debug for Tiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().map(|own| &own.alias)).finish()
    }
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read<F = Found> {
    /// There is no value, but perhaps a tombstone, if one was removed.
    Missing { tombstone: Option<Tombstone>, bumped: Bumped },
    /// There is none since all values of the scope were removed. What is left of it has a number.
    Cleared(WriteId),
    /// The value that the caller has already.
    Unchanged(Ages),
    /// Another one.
    Found(F),
}

impl<F> Read<F> {
    #[cfg_attr(not(any(feature = "sqlite", feature = "test-util")), allow(dead_code))]
    pub(crate) fn map<G>(self, found: impl FnOnce(F) -> G) -> Read<G> {
        match self {
            Self::Missing { tombstone, bumped } => Read::Missing { tombstone, bumped },
            Self::Cleared(id) => Read::Cleared(id),
            Self::Unchanged(ages) => Read::Unchanged(ages),
            Self::Found(value) => Read::Found(found(value)),
        }
    }
}

/// How long ago, by the tier's clock, all values of the scope were changed. `None`: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bumped {
    pub(crate) stale: Option<Duration>,
    pub(crate) gone: Option<Duration>,
}

/// What is left of a value that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tombstone {
    pub(crate) id: WriteId,
    /// How long ago that was, or the last change of all values, by the tier's clock. `None`: nobody can tell.
    pub(crate) written: Option<Duration>,
}

/// How old a value is, by the tier's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ages {
    /// Since the start of its fetch, or its `set`.
    pub(crate) age: Duration,
    /// The age at which it turns stale. An invalidation cuts it.
    pub(crate) lifetime: Duration,
    /// The age at which it is gone.
    pub(crate) retention: Duration,
}

/// Whether a value of this age is fresh for longer than `ahead`, which is never more than half of its lifetime.
pub(crate) fn is_fresh(age: Duration, lifetime: Duration, ahead: Duration) -> bool {
    let ahead = if ahead < lifetime { ahead } else { lifetime / 2 };
    age.saturating_add(ahead) < lifetime
}

/// A value that was found in the tier.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) id: WriteId,
    /// How long ago it was changed, or all values were, by the tier's clock. `None`: nobody can tell.
    pub(crate) written: Option<Duration>,
    pub(crate) ages: Ages,
    /// The fingerprint of the types that it was made from.
    pub(crate) schema: u64,
    /// How long its fetch took.
    pub(crate) took: Duration,
    /// The encoded value.
    pub(crate) bytes: Vec<u8>,
}

/// The schema of a value that cannot be read.
pub(crate) const UNREADABLE: u64 = 0;

/// A request for the lease of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// Tells the lease from every other.
    pub(crate) token: Token,
    /// The value that the caller has seen, whether or not it could be decoded. A newer one is returned instead of the
    /// lease.
    pub(crate) seen: Option<WriteId>,
    /// A value that is fresh for longer than this is returned instead of the lease, even if the caller has seen it: by
    /// the tier's clock it is not due yet. `None`: the caller wants a new one.
    pub(crate) ahead: Option<Duration>,
    /// A caller waits for the fetch: a queued fetch and a back-off of another process do not keep it from the lease.
    pub(crate) is_awaited: bool,
    pub(crate) purpose: LeaseFor,
    /// The lease of a queued fetch, which this one is to run in its place. It is given only if that one still waits, or
    /// has lapsed and the value is the one that the caller has seen. For [`LeaseFor::Queue`] and with another token it
    /// replaces the lease of a job that is lost, which counts as a death.
    pub(crate) job: Option<Token>,
}

/// What a lease is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseFor {
    /// A fetch that is about to run.
    Fetch,
    /// The same, as a job of a worker.
    Job,
    /// A job that waits for a worker. Nobody extends its lease.
    Queue,
}

/// Identifies a lease: drawn at random, so that no two processes choose the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token(pub(crate) u64);

impl Token {
    pub(crate) fn random() -> Self {
        // Without a source of randomness the tokens of one process differ at least from each other.
        let fallback = || RandomState::new().hash_one(());
        Self(getrandom::u64().unwrap_or_else(|_| fallback()))
    }
}

/// The answer to a request for a lease.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Acquired<F = Found> {
    /// The caller is to fetch. The tier extends the lease until it is stored or released.
    Ours(Lease),
    /// Another process fetches the key, has queued it or is in back-off, for so long at least.
    Theirs { left: Duration, is_backoff: bool, queued: Option<Token> },
    /// There is a newer value than the one that the caller has seen.
    Newer(F),
}

impl<F> Acquired<F> {
    #[cfg_attr(not(any(feature = "sqlite", feature = "test-util")), allow(dead_code))]
    pub(crate) fn map<G>(self, found: impl FnOnce(F) -> G) -> Acquired<G> {
        match self {
            Self::Ours(lease) => Acquired::Ours(lease),
            Self::Theirs { left, is_backoff, queued } => Acquired::Theirs { left, is_backoff, queued },
            Self::Newer(value) => Acquired::Newer(found(value)),
        }
    }
}

/// The right to fetch a key, and the state of the key when it was given: a value is stored only if that has not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) token: Token,
    /// The value or tombstone that was there.
    pub(crate) seen: Option<WriteId>,
    pub(crate) stamp: Stamp,
    /// The fetch is to replace a value that other processes may have too, whether or not it is there.
    pub(crate) renews: bool,
    /// How many workers have ended with the lease of this key, one after the other.
    #[cfg_attr(not(feature = "shared"), allow(dead_code))]
    pub(crate) deaths: u32,
}

/// The versions of a scope, when a value of it was fetched. With a lower version than the scope has now, a value is stale
/// or gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) stale: u64,
    pub(crate) gone: u64,
}

/// The bytes of a value as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// What was done with the bytes; zero: nothing.
    #[cfg_attr(not(any(feature = "redis", feature = "sqlite")), allow(dead_code))]
    pub(crate) compression: u8,
    /// How many they were before.
    #[cfg_attr(not(any(feature = "redis", feature = "sqlite")), allow(dead_code))]
    pub(crate) raw_len: u32,
    /// Shared, as a change may have to be sent once more.
    pub(crate) bytes: Arc<Vec<u8>>,
}

/// A value on its way into the tier.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) packed: Packed,
    pub(crate) schema: u64,
    /// At the moment `at`. Its age is that since the start of the body.
    pub(crate) ages: Ages,
    /// By this process's clock. The tier is told the age as the value is sent, and not before: whatever happens between
    /// the two, a value is never taken for younger than it is.
    pub(crate) at: Moment,
    /// How long the body took.
    pub(crate) took: Duration,
}

impl Payload {
    /// The same after so long.
    // A server does the same in its own language.
    #[cfg_attr(not(any(feature = "sqlite", feature = "test-util", test)), allow(dead_code))]
    pub(crate) fn aged(mut self, span: Duration) -> Self {
        self.ages.age = self.ages.age.saturating_add(span);
        self
    }
}

impl Change {
    /// The moment at which its value has the age that it says.
    pub(crate) fn at(&self) -> Option<Moment> {
        match self {
            Self::Set(value) => Some(value.at),
            Self::Invalidate { .. } | Self::Remove { .. } => None,
        }
    }

    /// The same after so long.
    #[cfg_attr(not(any(feature = "sqlite", feature = "test-util", test)), allow(dead_code))]
    pub(crate) fn aged(self, span: Duration) -> Self {
        match self {
            Self::Set(value) => Self::Set(value.aged(span)),
            change => change,
        }
    }

    /// The same, with the age that its value has at another moment.
    #[cfg_attr(not(any(feature = "sqlite", feature = "test-util", test)), allow(dead_code))]
    pub(crate) fn aged_until(self, at: Moment) -> Self {
        let waited = self.at().map_or(0, |before| at.since(before));
        self.aged(Duration::from_nanos(waited))
    }
}

/// The answer to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Yes(WriteId),
    /// The key was changed, or another process has the lease.
    Superseded,
    /// There is nothing, and the lease is gone. It may have lapsed, or the tier has lost the key, and with it a change
    /// that nobody can see any more.
    Unfenced,
}

/// How a fetch ended that brings no value to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// Somebody else may fetch at once.
    Free,
    /// It failed: nobody who does not have to fetches the key so long.
    BackOff { left: Duration, failures: u32 },
}

/// A change of a key.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Set(Payload),
    /// The value is stale from now on. If there is none, a tombstone is left, which lasts at least so long.
    Invalidate {
        tombstone: Duration,
    },
    /// The value is gone. The tombstone lasts at least so long.
    Remove {
        tombstone: Duration,
    },
}

/// A change of all keys of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bump {
    /// All values are stale.
    Stale,
    /// All values are gone.
    Gone,
}
