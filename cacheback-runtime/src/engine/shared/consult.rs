//! Consultations: flights that look into the second tier, for callers who find nothing here.
//!
//! The callers decide again when it has landed, with the value that it has found. So a look, like a fetch, is one for
//! all who need it at the same time.

use std::time::Duration;

use tracing::Span;

use super::super::commit::{Candidate, Commit, Origin};
use super::super::fetch::{Job, Progress};
use super::super::record::Record;
use super::super::{Cacheable, FlightResult, NodeOf, Peeked, SourceOf};
use super::{Engine, SharedValue, Target};
use crate::base::clock::Moment;
use crate::base::panics::catch;
use crate::base::sync::Arc;
use crate::base::tasks::{BoxFuture, task};
use crate::events::{self, Source};
use crate::executor::context::Here;
use crate::flight::Purpose;
use crate::rules::backoff::Backoff;
use crate::rules::freshness::{State, Times};
use crate::rules::policy::Policy;
use crate::store::{Content, Generation, Node, RECORD_WEIGHT};
use crate::tier::{Ages, Read, WriteId};

impl<C: Cacheable> Job<C> {
    /// Begins a consultation.
    pub(in crate::engine) fn begin_consultation(mut self) {
        self.progress = Progress::Asking;
        let (handle, flight) = (self.here.handle.clone(), Arc::clone(&self.flight));
        let timeout = self.engine.policy().refresh_timeout;
        flight.drive_on(&handle, timeout, Span::none(), Box::pin(consult(self)));
    }

    /// Ends a flight whose body does not run: stores the value of the tier, if there is one, and lets the waiting
    /// callers decide again.
    pub(super) fn land(&mut self, found: Option<SharedValue<C::Value>>, policy: &Policy) {
        let record = match &found {
            Some(found) => catch(|| Some(self.engine.shared_record(&self.target, found))),
            None => Ok(None),
        };
        let landed = record.and_then(|record| catch(|| self.commit_found(record, policy)));
        match landed {
            Ok(Some(commit)) => self.publish(commit, Some(FlightResult::Consulted(found))),
            // The user's types panic: whoever waits for a fetch is to know, and not to ask again.
            Err(panic) if self.flight.purpose == Purpose::Fetch => {
                self.end_without_commit(FlightResult::Panicked(Arc::new(panic)));
            }
            Ok(None) | Err(_) => self.end_without_commit(FlightResult::Consulted(None)),
        }
    }

    /// Ends a look that has found no other value: from now on this record stands here.
    fn end_look(&mut self, record: Option<Record<NodeOf<C>>>, policy: &Policy) {
        match catch(|| self.commit_found(record, policy)) {
            Ok(Some(commit)) => self.publish(commit, Some(FlightResult::Consulted(None))),
            Ok(None) | Err(_) => self.end_without_commit(FlightResult::Consulted(None)),
        }
    }

    fn commit_found(&self, record: Option<Record<NodeOf<C>>>, policy: &Policy) -> Option<Commit<C>> {
        let mut candidate = match record {
            Some(Record { node, weight }) => {
                Candidate::Node { node: Some(node), weight, started: Moment::PAST, origin: Origin::Tier }
            }
            None => Candidate::Nothing,
        };
        self.commit(&mut candidate, policy, &|_, _, _| true)
    }
}

/// The task of a consultation.
async fn consult<C: Cacheable>(mut job: Job<C>) {
    job.flight.begins_in(task::id());
    let engine = Arc::clone(&job.engine);
    let policy = engine.policy_of(&job.source);
    let Some(shared) = &engine.shared else { return };
    job.before = Some(shared.told.before(job.target.hash));
    let held = catch(|| engine.held_here(&job.target)).ok().flatten();
    let have = held.as_ref().and_then(Held::number);
    let counters = &engine.counters;
    let looked = engine.look_there(&job.here, &job.target, &policy, have).await;
    match looked {
        Looked::Found(found) => {
            events::count(&counters.shared_hits);
            job.land(Some(found), &policy);
        }
        // What is held here is what is there, or was: a value that the tier has lost is no reason to fetch it.
        Looked::Unchanged { .. } | Looked::NotShared | Looked::Missing { tombstone: None }
            if held.is_some() =>
        {
            let record = held.map(|held| held.record);
            if let (Looked::Unchanged { is_fresh: false }, Some(Record { node, .. })) = (&looked, &record) {
                // All values of the function were invalidated.
                node.cut_lifetime(Moment::recent().min(Moment::now()), &engine.store.windows);
            }
            job.end_look(record, &policy);
        }
        // A process of another version has changed it. Until the value here would have turned stale by itself it is
        // served as a stale one, or the two versions would fetch it again and again, each for itself.
        Looked::Unreadable if held.is_some() => {
            events::count(&counters.shared_misses);
            let record = held.map(|Held { record, times, .. }| {
                let windows = &engine.store.windows;
                record.node.cut_lifetime(Moment::recent().min(Moment::now()), windows);
                record.node.set_no_refresh_until(times.started.plus(times.lifetime), windows);
                record
            });
            job.end_look(record, &policy);
        }
        // The tombstone that its own write has left, as the value cannot be sent.
        Looked::Missing { tombstone } if held.is_some() && tombstone == have => {
            job.end_look(held.map(|held| held.record), &policy);
        }
        Looked::Missing { .. } | Looked::Cleared if held.is_some() => {
            events::count(&counters.shared_misses);
            job.end_look(catch(|| engine.nothing_here(&job.target)).ok(), &policy);
        }
        Looked::Unchanged { .. } | Looked::Missing { .. } | Looked::Cleared | Looked::Unreadable => {
            events::count(&counters.shared_misses);
            job.land(None, &policy);
        }
        Looked::NotShared => job.land(None, &policy),
        Looked::NoAnswer => {
            if held.is_some() {
                shared.told.rest();
            }
            job.land(None, &policy);
        }
    }
}

/// What a look into the second tier has shown.
pub(super) enum Looked<V> {
    Found(SharedValue<V>),
    /// The value that is stored here. By the tier's clock it may be stale.
    Unchanged {
        is_fresh: bool,
    },
    Missing {
        tombstone: Option<WriteId>,
    },
    Cleared,
    /// Another value, which is none for this process.
    Unreadable,
    /// The key stays in this process, or there is no tier.
    NotShared,
    NoAnswer,
}

/// A copy of the value that is stored here.
struct Held<N> {
    /// As one that is trusted.
    record: Record<N>,
    times: Times,
    /// The one that is stored is doubted, or suspect.
    is_marked: bool,
}

impl<K, V: Clone, X> Held<Node<K, V, X>> {
    /// Its number in the tier.
    fn number(&self) -> Option<WriteId> {
        self.record.node.write_id().map(WriteId)
    }

    fn value(&self) -> Option<V> {
        self.record.node.cached().map(|(value, _)| value.clone())
    }
}

impl<C: Cacheable> Engine<C> {
    /// Looks at the value of the second tier, and stores nothing. `None` if there is no tier to ask, or if a value is
    /// stored here that nobody doubts.
    pub(crate) fn peek_there(
        self: &Arc<Self>,
        target: Target<C::OwnedKey>,
        source: SourceOf<C>,
    ) -> Option<BoxFuture<Option<Peeked<C::Value>>>> {
        // Before it looks for the caller's runtime, which a cache that is not shared may not have.
        self.shared.as_ref()?;
        let here = Here::find(self.name());
        if !self.can_consult(&here) || self.peek(&target).is_some_and(|peeked| peeked.fresh) {
            return None;
        }
        let held = self.held_here(&target);
        let look = match &held {
            None => None,
            Some(held) if !held.is_marked => return None,
            // If too many look already, or nobody answers, the value is shown as it is.
            Some(_) => Some(self.begin_look()?),
        };
        let engine = Arc::clone(self);
        Some(Box::pin(async move {
            let _look = look;
            let policy = engine.policy_of(&source);
            let have = held.as_ref().and_then(Held::number);
            let of = |value, times: Times, source| {
                let now = Moment::now();
                let (age, state) = (Duration::from_nanos(times.age(now)), times.state(now));
                let fresh = state == State::Fresh;
                (state != State::Missing).then_some(Peeked { value, age, fresh, source })
            };
            match (engine.look_there(&here, &target, &policy, have).await, held) {
                (Looked::Found(found), _) => of(found.value, found.times, Source::Shared),
                (_, None) | (Looked::Cleared, _) => None,
                (Looked::Missing { tombstone: Some(id) }, Some(_)) if have != Some(id) => None,
                (
                    Looked::Unchanged { is_fresh: true } | Looked::Missing { .. } | Looked::NotShared,
                    Some(held),
                ) => of(held.value()?, held.times, Source::Local),
                (looked @ (Looked::Unchanged { .. } | Looked::Unreadable | Looked::NoAnswer), Some(held)) => {
                    if let (Looked::NoAnswer, Some(shared)) = (looked, &engine.shared) {
                        shared.told.rest();
                    }
                    let peeked = of(held.value()?, held.times, Source::Local)?;
                    Some(Peeked { fresh: false, ..peeked })
                }
            }
        }))
    }

    /// The options for the arguments of an entry. If an expression panics, they are those of the whole cache.
    fn policy_of(&self, source: &SourceOf<C>) -> Policy {
        self.varied(source).ok().flatten().map_or(*self.policy(), |varied| *varied)
    }

    /// Looks at the value of the second tier, of any age within its retention. `have` is the one that is stored here.
    async fn look_there(
        &self,
        here: &Here,
        target: &Target<C::OwnedKey>,
        policy: &Policy,
        have: Option<WriteId>,
    ) -> Looked<C::Value> {
        let Some(shared) = self.shared_key(here, target) else { return Looked::NotShared };
        let sent = Moment::now();
        match shared.tier.read(&shared.key, have).await {
            Ok(Read::Found(found)) => {
                self.decoded(&found, sent, policy, &*shared.tier).map_or(Looked::Unreadable, Looked::Found)
            }
            Ok(Read::Unchanged(Ages { age, lifetime, .. })) => Looked::Unchanged { is_fresh: age < lifetime },
            Ok(Read::Missing { tombstone }) => Looked::Missing { tombstone },
            Ok(Read::Cleared(_)) => Looked::Cleared,
            Err(_) => {
                self.tier_failed();
                Looked::NoAnswer
            }
        }
    }

    /// The value that is stored here, with all that is needed to store it once more. Clones key and value, which is user
    /// code.
    fn held_here(&self, target: &Target<C::OwnedKey>) -> Option<Held<NodeOf<C>>> {
        let windows = &self.store.windows;
        let pin = self.store.pin();
        let held = self.store.find(target.hash, |key| C::is_same_key(key, target.key()), &pin)?;
        let (now, times) = (Moment::now(), held.times(windows));
        let value = held.value(now, windows)?.clone();
        let weight = self.weight(&value)?;
        let content = Content::Value(value, Generation::default());
        let node = Node::new(C::copy_key(target.key()), target.hash, times, windows, content);
        if let Some(id) = held.write_id() {
            node.set_write_id(id, windows);
        }
        if let Some(backoff) = held.remembered_backoff(now) {
            node.set_backoff(backoff, windows);
        }
        Some(Held { record: Record { node, weight }, times, is_marked: self.is_marked(held) })
    }

    /// The record of a key whose value is gone. Clones the key, which is user code.
    fn nothing_here(&self, target: &Target<C::OwnedKey>) -> Record<NodeOf<C>> {
        let now = Moment::now();
        let (key, over) = (C::copy_key(target.key()), Backoff::of_others(now));
        Record { node: self.backoff_record(key, target.hash, over, None, now), weight: RECORD_WEIGHT }
    }
}
