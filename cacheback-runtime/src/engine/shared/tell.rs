//! Writes, as the second tier is told of them.
//!
//! A message is sent under the lock of its key, at the moment of the change here, so that the tier sees the changes of
//! one process in their order. The call waits for the answer after that.

use std::time::Duration;

use super::super::{Cacheable, Engine, NodeOf, Target};
use super::SharedKey;
use crate::base::clock::Moment;
use crate::base::panics::catch;
use crate::base::sync::Arc;
use crate::base::tasks::BoxFuture;
use crate::events;
use crate::executor::context::Here;
use crate::outcome::error::Error;
use crate::store::Content;
use crate::tier::{Bump, Change, Reply, Scope, WriteId};

/// A tombstone lasts at least so long.
const TOMBSTONE: Duration = Duration::from_secs(600);

/// The rest of a write, after the change here. `None` if the cache has no tier.
pub(crate) type Telling = Option<BoxFuture<Result<(), Error>>>;

/// A change that the tier is to be told of.
pub(in crate::engine) struct Message {
    shared: SharedKey,
    change: Change,
}

/// A message on its way.
pub(in crate::engine) struct Sent {
    answer: Reply<WriteId>,
    /// The tier has to confirm it, too.
    confirms: Option<SharedKey>,
    brings_value: bool,
}

impl Message {
    pub(in crate::engine) fn send(self) -> Sent {
        let Self { shared, change } = self;
        let brings_value = matches!(change, Change::Set(_));
        let answer = shared.tier.write(&shared.key, change);
        Sent { answer, confirms: shared.tier.confirms().then_some(shared), brings_value }
    }
}

impl<C: Cacheable> Engine<C> {
    /// The message of a `set`. A value that the tier cannot take is removed there. Runs user code.
    pub(in crate::engine) fn message_of_set(
        &self,
        here: &Here,
        target: &Target<C::OwnedKey>,
        node: &NodeOf<C>,
    ) -> Option<Message> {
        let shared = self.shared_key(here, target)?;
        let payload = match node.content() {
            Content::Value(..) => {
                self.payload(node, &*shared.tier).map_err(|why| self.value_not_shared(&why))
            }
            // Not to be stored.
            Content::Error(_) | Content::Nothing => Err(()),
        };
        let removed = Change::Remove { tombstone: self.tombstone() };
        Some(Message { shared, change: payload.map_or(removed, Change::Set) })
    }

    pub(in crate::engine) fn message_of_invalidate(
        &self,
        here: &Here,
        target: &Target<C::OwnedKey>,
    ) -> Option<Message> {
        let change = Change::Invalidate { tombstone: self.tombstone() };
        Some(Message { shared: self.shared_key(here, target)?, change })
    }

    pub(in crate::engine) fn message_of_remove(
        &self,
        here: &Here,
        target: &Target<C::OwnedKey>,
    ) -> Option<Message> {
        let change = Change::Remove { tombstone: self.tombstone() };
        Some(Message { shared: self.shared_key(here, target)?, change })
    }

    /// How long a tombstone lasts: as long as a value that another process has may be fresh there.
    pub(super) fn tombstone(&self) -> Duration {
        let policy = self.policy();
        let is_fixed = self.definition.values.lifetime_for.is_none() && !policy.varies.contains(&"lifetime");
        TOMBSTONE.max(if is_fixed { policy.lifetime } else { policy.retention })
    }

    /// The rest of a write, which waits for the answer. If the write has put a node in, the node gets the number of the
    /// change.
    pub(in crate::engine) fn telling(
        self: &Arc<Self>,
        sent: Option<Sent>,
        target: &Target<C::OwnedKey>,
        node: Option<u64>,
    ) -> Telling {
        let Sent { answer, confirms, brings_value } = sent?;
        let (engine, target) = (Arc::clone(self), target.clone());
        Some(Box::pin(async move {
            let WriteId(id) = match answer.await {
                Ok(id) => id,
                Err(down) => {
                    if brings_value {
                        engine.value_not_stored(&down);
                    } else {
                        engine.tier_failed();
                    }
                    return Err(Error::unreachable(engine.name(), &down));
                }
            };
            if let Some(node) = node {
                // The user's `Eq` runs in here.
                let _ = catch(|| engine.number(&target, node, id));
            }
            let Some(SharedKey { tier, key }) = confirms else { return Ok(()) };
            let told = confirmed(engine.name(), tier.confirm(&key)).await;
            if told.is_err() {
                engine.tier_failed();
            }
            told
        }))
    }

    /// Tells the tier of a change to all values.
    pub(in crate::engine) fn tell_all(self: &Arc<Self>, change: Bump) -> Telling {
        let shared = self.shared.as_ref()?;
        let telling = tell(self.name(), shared.options.alias, change)?;
        let engine = Arc::clone(self);
        Some(Box::pin(async move {
            let told = telling.await;
            if told.is_err() {
                events::count(&engine.counters.shared_errors);
            }
            told
        }))
    }
}

/// Tells a tier of a change to all values of a function or cache. `None` if there is no tier of this alias.
pub(crate) fn tell(name: &'static str, alias: Option<&str>, change: Bump) -> Telling {
    let here = Here::find(name);
    let scope = Arc::new(Scope { name: name.into(), instance: None });
    let tier = Arc::clone(here.executor.tiers.get(alias)?);
    let sent = tier.bump(&scope, change, Moment::now());
    Some(Box::pin(async move {
        sent.await.map_err(|down| Error::unreachable(name, &down))?;
        if tier.confirms() { confirmed(name, tier.confirm_all(&scope)).await } else { Ok(()) }
    }))
}

/// The end of a change that the tier has made, and is asked to confirm.
async fn confirmed(name: &str, asked: Reply<()>) -> Result<(), Error> {
    asked.await.map_err(|down| Error::unconfirmed(name, &down))
}
