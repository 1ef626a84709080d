//! The second tier of a cache whose values are shared.
//!
//! A *consultation* is a flight that only looks into the tier (`consult`). A fetch first asks the tier for the lease of
//! its key (`lease`), and stores its value there before it is committed here. A write changes the entry here at once,
//! and then tells the tier (`tell`).
//!
//! The tier can fail in any way, and no caller fails with it: without an answer everything goes on as in a cache that
//! is not shared.

use std::fmt;
use std::sync::Weak;
use std::time::Duration;

use super::record::Record;
use super::result::SharedValue;
use super::{Cacheable, Engine, NodeOf, SharedOptions, Target};
use crate::base::clock::{Moment, nanos};
use crate::base::panics::catch;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicBool, OnceLock, Ordering};
use crate::events::{self, RateLimit};
use crate::executor::context::Here;
use crate::rules::backoff::Backoff;
use crate::rules::freshness::{Times, Windows};
use crate::rules::policy::Policy;
use crate::store::{Content, Generation, Node, RECORD_WEIGHT};
use crate::tier::codec::Unencodable;
use crate::tier::messages::Coherence;
use crate::tier::schema;
use crate::tier::wire_key::{Scope, WireKey, wire_key};
use crate::tier::{Ages, Down, Found, Payload, Tier};

mod advice;
mod coherence;
mod consult;
mod held;
mod lease;
mod offer;
mod queued;
mod tell;
mod work;
pub(crate) use crate::tier::Bump;
use advice::Advice;
use coherence::Told;
pub(super) use coherence::{Look, MessageEpoch};
pub(super) use held::HeldLease;
pub(super) use lease::run;
pub(super) use tell::Message;
pub(crate) use tell::{Telling, tell};
#[cfg(feature = "worker")]
pub(crate) use work::Cut;
pub(super) use work::HeldOrder;
pub(crate) use work::{Order, Queued, Verdict};

/// What a cache has besides its options if it is shared.
pub(super) struct Shared<C: Cacheable> {
    options: SharedOptions<C::OwnedKey, C::Value>,
    scope: Arc<Scope>,
    /// The fingerprint of the value's type, once it is known.
    schema: OnceLock<u64>,
    /// It was logged that there is no tier of this name.
    without_tier: AtomicBool,
    /// Of the log line that a key or a value stays in this process.
    unshared: RateLimit,
    /// Of the log line that a value from the tier cannot be read.
    unreadable: RateLimit,
    /// It was logged that the tier has no queue.
    without_queue: AtomicBool,
    /// Of the log line that a refresh is not put on a queue.
    unqueued: RateLimit,
    /// Of the log line that no worker takes refreshes.
    kept: RateLimit,
    advice: Advice,
    told: Told,
    /// The engine, which is told of messages.
    engine: OnceLock<Weak<dyn Coherence>>,
}

/// The key of an entry, with the tier that it is shared through.
struct SharedKey {
    tier: Arc<dyn Tier>,
    key: WireKey,
}

impl<C: Cacheable> Shared<C> {
    pub(super) fn new(name: &str, options: SharedOptions<C::OwnedKey, C::Value>) -> Self {
        let scope = Scope { name: name.into(), instance: options.instance.map(Into::into) };
        Self {
            options,
            scope: Arc::new(scope),
            schema: OnceLock::new(),
            without_tier: AtomicBool::new(false),
            unshared: RateLimit::default(),
            unreadable: RateLimit::default(),
            without_queue: AtomicBool::new(false),
            unqueued: RateLimit::default(),
            kept: RateLimit::default(),
            advice: Advice::default(),
            told: Told::default(),
            engine: OnceLock::new(),
        }
    }

    /// Asks the value's `Deserialize` for its shape, at the first use.
    fn schema(&self) -> u64 {
        *self.schema.get_or_init(|| {
            // If that panics, the values of a panicking type are told apart by the version alone.
            let shape = catch(|| (self.options.value.shape)()).unwrap_or_default();
            schema::fingerprint(shape, self.options.version)
        })
    }
}

/// Why a value stays in this process.
enum Unshared {
    /// Its serialization, or the codec, has failed.
    NotEncodable(String),
    TooLong {
        len: usize,
        most: usize,
    },
}

impl fmt::Display for Unshared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEncodable(why) => f.write_str(why),
            Self::TooLong { len, most } => write!(f, "it has {len} bytes, and the tier takes {most}"),
        }
    }
}

impl<C: Cacheable> Engine<C> {
    /// Lets the engine be told of messages.
    pub(super) fn introduce(self: &Arc<Self>) {
        if let Some(shared) = &self.shared {
            let engine: Weak<dyn Coherence> = Arc::downgrade(self) as _;
            let _ = shared.engine.set(engine);
        }
    }

    /// The tier of this cache, for a call from `here`. `None` if the cache is not shared, or no tier was configured.
    fn tier(&self, here: &Here) -> Option<(&Shared<C>, Arc<dyn Tier>)> {
        let shared = self.shared.as_ref()?;
        match here.executor.tiers.get(shared.options.alias) {
            Some(tier) => {
                shared.listen(tier);
                Some((shared, Arc::clone(tier)))
            }
            None => {
                if !shared.without_tier.swap(true, Ordering::Relaxed) {
                    events::no_tier(self.name(), shared.options.alias.unwrap_or_default());
                }
                None
            }
        }
    }

    /// Whether a look into the second tier may bring a value.
    pub(super) fn can_consult(&self, here: &Here) -> bool {
        self.shared.is_some() && self.tier(here).is_some_and(|(_, tier)| tier.is_up())
    }

    /// The key as the tier knows it. `None` if the cache has no tier, or if the key stays in this process because it is
    /// not encoded to the same bytes each time. Runs user code.
    fn shared_key(&self, here: &Here, target: &Target<C::OwnedKey>) -> Option<SharedKey> {
        let (shared, tier) = self.tier(here)?;
        let encoded = catch(|| wire_key(&shared.scope, &shared.options.key, target.key(), C::is_same_key));
        let why = match encoded {
            Ok(Ok(key)) => return Some(SharedKey { tier, key }),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic.message().to_owned(),
        };
        if shared.unshared.passes(Moment::now()) {
            events::key_not_shared(self.name(), &why);
        }
        None
    }

    /// The value of a node on its way into the tier, or why it stays in this process. Runs user code.
    fn payload(&self, node: &NodeOf<C>, tier: &dyn Tier) -> Result<Payload, Unshared> {
        let (Some(shared), Content::Value(value, _)) = (&self.shared, node.content()) else {
            unreachable!("the value of a shared cache")
        };
        let not_encodable = |why: &dyn fmt::Display| Unshared::NotEncodable(why.to_string());
        let bytes = catch(|| (shared.options.value.encode)(value))
            .map_err(|panic| not_encodable(&panic.message()))?
            .map_err(|error: Unencodable| not_encodable(&error))?;
        let (len, most) = (bytes.len(), tier.max_value_bytes());
        if len > most {
            return Err(Unshared::TooLong { len, most });
        }
        let packed = catch(|| tier.pack(bytes)).map_err(|panic| not_encodable(&panic.message()))?;
        let packed = packed.map_err(Unshared::NotEncodable)?;
        let (times, at) = (node.times(&self.store.windows), Moment::now());
        let took = Duration::from_nanos(times.age(at));
        let [lifetime, retention] = [times.lifetime, times.retention].map(Duration::from_nanos);
        // Never before the end of the lifetime: a change of it would leave no trace, and others may still have it.
        let retention = retention.min(tier.max_age()).max(lifetime);
        let ages = Ages { age: took, lifetime, retention };
        Ok(Payload { packed, schema: shared.schema(), ages, at, took })
    }

    /// Notes that a value stays in this process.
    fn value_not_shared(&self, why: &Unshared) {
        events::count(match why {
            Unshared::NotEncodable(_) => &self.counters.unshared_not_encodable,
            Unshared::TooLong { .. } => &self.counters.unshared_too_long,
        });
        if self.shared.as_ref().is_some_and(|shared| shared.unshared.passes(Moment::now())) {
            events::value_not_shared(self.name(), &why.to_string());
        }
    }

    /// Notes that the tier has given no answer to a value.
    fn value_not_stored(&self, down: &Down) {
        self.tier_failed();
        match down {
            Down::Full(_) => events::count(&self.counters.unshared_no_room),
            Down::Refused(_) => events::count(&self.counters.unshared_refused),
            // The next who needs it stores it.
            Down::Disconnected | Down::TimedOut => {}
        }
    }

    /// Notes that the tier has given no answer.
    fn tier_failed(&self) {
        events::count(&self.counters.shared_errors);
    }

    /// A value from the tier, which was asked for at `sent`. `None` if it is of another schema, or cannot be decoded.
    /// Runs user code.
    fn decoded(
        &self,
        found: &Found,
        sent: Moment,
        policy: &Policy,
        tier: &dyn Tier,
    ) -> Option<SharedValue<C::Value>> {
        let shared = self.shared.as_ref()?;
        self.advise(shared, found, sent, policy, tier);
        let why = if found.schema == shared.schema() {
            match catch(|| (shared.options.value.decode)(&found.bytes)) {
                Ok(Ok(value)) => {
                    let Ages { age, lifetime, retention } = found.ages;
                    let [age, lifetime, retention] = [age, lifetime, retention].map(nanos);
                    let times = Times::of_shared(sent, age, lifetime, retention, Windows::of(policy));
                    return Some(SharedValue { value, times, id: found.id.0, is_just_fetched: false });
                }
                Ok(Err(error)) => error.to_string(),
                Err(panic) => panic.message().to_owned(),
            }
        } else {
            "its type or version is another".to_owned()
        };
        if shared.unreadable.passes(Moment::now()) {
            events::value_unreadable(self.name(), &why);
        }
        None
    }

    /// The record of a value from the tier. For one that is too heavy to be stored here it is the record of a back-off,
    /// as for a fetched value. Runs user code.
    fn shared_record(
        &self,
        target: &Target<C::OwnedKey>,
        found: &SharedValue<C::Value>,
    ) -> Record<NodeOf<C>> {
        let SharedValue { value, times, id, .. } = found;
        let Some(weight) = self.weight(value) else {
            let (key, now) = (C::copy_key(target.key()), Moment::now());
            let node = self.backoff_record(key, target.hash, Backoff::after_unstored(now), None, now);
            return Record { node, weight: RECORD_WEIGHT };
        };
        let content = Content::Value(value.clone(), Generation::default());
        let windows = &self.store.windows;
        let node = Node::new(C::copy_key(target.key()), target.hash, *times, windows, content);
        node.set_write_id(*id, windows);
        Record { node, weight }
    }

    /// The number in the tier of the value that is stored here.
    fn write_id(&self, target: &Target<C::OwnedKey>) -> Option<u64> {
        let pin = self.store.pin();
        self.store.find(target.hash, |key| C::is_same_key(key, target.key()), &pin)?.write_id()
    }
}
