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

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Weak;
use std::time::Duration;

use crate::base::sync::Arc;
use crate::base::tasks::BoxFuture;

pub(crate) mod codec;
// In a build for its tests alone, nobody exports what is public there.
#[cfg(any(feature = "redis", test))]
#[cfg_attr(not(feature = "redis"), allow(unreachable_pub))]
pub(crate) mod compress;
#[cfg(any(feature = "redis", test))]
pub(crate) mod envelope;
#[cfg(any(feature = "test-util", all(test, cacheback_shuttle)))]
pub(crate) mod memory;
pub(crate) mod messages;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod round_trips;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod wire_key;
use messages::Coherence;
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
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    Refused(String),
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("it is not connected"),
            Self::TimedOut => f.write_str("it did not answer in time"),
            Self::Refused(why) => f.write_str(why),
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

    /// Its state as this process sees it, without an alias. Costs some microseconds.
    fn status(&self) -> TierStatus;

    /// The longest encoded value that it takes, in bytes.
    fn max_value_bytes(&self) -> usize;

    /// Makes an encoded value ready to be stored: compresses or encrypts it. Runs user code: never call it under a lock.
    fn pack(&self, bytes: Vec<u8>) -> Result<Packed, String>;

    /// Reads a value. `have` is the one that the caller has already: its bytes are not sent again.
    fn read(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read>;

    /// Asks for the lease of a key, to fetch it.
    fn acquire(&self, key: &WireKey, request: Request) -> Reply<Acquired>;

    /// Stores the value of a fetch and ends its lease.
    fn store(&self, key: &WireKey, lease: &Lease, value: Payload) -> Reply<Stored>;

    /// Ends the lease of a fetch that brings no value to store. Returns at once: it is called in `Drop`, too.
    fn release(&self, key: &WireKey, token: Token, ending: Release);

    /// Changes a key from outside of any fetch. Leases of the key are void afterwards.
    fn write(&self, key: &WireKey, change: Change) -> Reply<WriteId>;

    /// From now on tells a cache of the changes of its scope that other processes make. It is never told under a lock
    /// of the caller's.
    fn listen(&self, scope: &Arc<Scope>, listener: Weak<dyn Coherence>);

    /// Changes all keys of a scope at once. Leases of them are void afterwards.
    fn bump(&self, scope: &Arc<Scope>, change: Bump) -> Reply<()>;
}

/// The tiers that were configured, by their aliases.
#[derive(Clone, Default)]
pub(crate) struct Tiers(Vec<Named>);

/// A tier with its alias.
type Named = (Option<Box<str>>, Arc<dyn Tier>);

impl Tiers {
    /// Adds a tier. The one without an alias is for caches that name none.
    pub(crate) fn add(&mut self, alias: Option<&str>, tier: Arc<dyn Tier>) {
        self.0.push((alias.map(Into::into), tier));
    }

    pub(crate) fn get(&self, alias: Option<&str>) -> Option<&Arc<dyn Tier>> {
        self.0.iter().find(|(own, _)| own.as_deref() == alias).map(|(_, tier)| tier)
    }

    /// The state of each.
    pub(crate) fn status(&self) -> Vec<TierStatus> {
        let status = |(alias, tier): &Named| TierStatus {
            alias: alias.as_deref().map(str::to_owned),
            ..tier.status()
        };
        self.0.iter().map(status).collect()
    }

    /// An alias that two tiers have.
    pub(crate) fn twice(&self) -> Option<Option<&str>> {
        let aliases = || self.0.iter().map(|(alias, _)| alias.as_deref());
        aliases().find(|alias| aliases().filter(|other| other == alias).count() > 1)
    }
}

impl fmt::Debug for Tiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(alias, _)| alias)).finish()
    }
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read {
    /// There is no value. A tombstone, if a value was removed, has a number.
    Missing { tombstone: Option<WriteId> },
    /// There is none since all values of the scope were removed. What is left of it has a number.
    Cleared(WriteId),
    /// The value that the caller has already.
    Unchanged(Ages),
    /// Another one.
    Found(Found),
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
    /// The fetch is about to run. Otherwise it is queued for a worker.
    pub(crate) is_running: bool,
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
pub(crate) enum Acquired {
    /// The caller is to fetch. The tier extends the lease until it is stored or released.
    Ours(Lease),
    /// Another process fetches the key or is in back-off, for so long at least.
    Theirs { left: Duration, is_backoff: bool },
    /// There is a newer value than the one that the caller has seen.
    Newer(Found),
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
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub(crate) compression: u8,
    /// How many they were before.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub(crate) raw_len: u32,
    pub(crate) bytes: Vec<u8>,
}

/// A value on its way into the tier.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) packed: Packed,
    pub(crate) schema: u64,
    /// Its age is that since the start of the body.
    pub(crate) ages: Ages,
    /// How long the body took.
    pub(crate) took: Duration,
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
