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
use super::{Engine, SharedKey, SharedValue, Target};
use crate::base::clock::{Moment, nanos};
use crate::base::panics::catch;
use crate::base::sync::Arc;
use crate::base::tasks::{BoxFuture, task};
use crate::events::{self, Source};
use crate::executor::context::Here;
use crate::flight::Purpose;
use crate::rules::backoff::Backoff;
use crate::rules::freshness::{State, Times};
use crate::rules::policy::Policy;
use crate::store::{Change, Content, Generation, Node, RECORD_WEIGHT};
use crate::tier::late::stands;
use crate::tier::{Ages, Bumped, Down, Read, Tombstone, WriteId};

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

    /// Takes a value over that is newer than the one here, and stale there too: the fetch goes on, here or elsewhere, and
    /// may take long or fail.
    pub(super) fn take_over(&self, found: &SharedValue<C::Value>, policy: &Policy) {
        let Self { engine, target, flight, here, .. } = self;
        let (now, windows) = (Moment::now(), &engine.store.windows);
        let Ok(Record { node, weight }) = catch(|| engine.shared_record(target, found)) else { return };
        if !node.has_value(now, windows) {
            return;
        }
        let until = now.max(self.started).plus(nanos(policy.refresh_timeout));
        let number = node.write_id();
        let mut node = Some(node);
        // Nodes are dropped after the lock.
        let pins = engine.store.pins();
        let change = engine.with_claims(target, |claims, known| {
            let held = engine.store.resident(target.hash, known, &pins)?;
            let is_current = claims.lane(here.lane).holds(flight) && engine.store.epoch() == flight.epoch();
            // A value of this process that the tier does not have may be newer than all that is there.
            let gives_way = |held: &NodeOf<C>| {
                held.write_id().map_or(!held.has_value(now, windows), |id| Some(id) < number)
            };
            let is_taken = is_current && held.is_none_or(gives_way);
            let Some(own) = node.as_ref().filter(|_| is_taken) else { return Ok(Change::default()) };
            if let Some(backoff) = held.and_then(|held| held.remembered_backoff(now)) {
                own.set_backoff(backoff, windows);
            }
            own.set_no_refresh_until(until, windows);
            engine.doubt_if_changed(own, flight);
            Ok(engine.store.put(&mut node, weight, flight.epoch(), held, &pins))
        });
        if let Some(added) = change.added() {
            events::count(&engine.counters.shared_hits);
            engine.suspect_if_untold(target, added, self.epoch);
        }
        engine.store.carry_out(change);
    }

    /// Ends a look that has found no other value: from now on this record stands here.
    fn end_look(&mut self, record: Option<Record<NodeOf<C>>>, result: FlightResult<C>, policy: &Policy) {
        match catch(|| self.commit_found(record, policy)) {
            Ok(Some(commit)) => self.publish(commit, Some(result)),
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
    job.reads_now(shared);
    let held = catch(|| engine.held_here(&job.target)).ok().flatten();
    let have = held.as_ref().and_then(Held::number);
    let counters = &engine.counters;
    let looked = engine.look_there(&job.here, &job.target, &policy, held.as_ref()).await;
    let seen = if let Looked::Unchanged { .. } = looked { have } else { looked.number() };
    if let Some(WriteId(id)) = seen {
        job.flight.has_seen(id);
    }
    let stands = held.as_ref().map(|held| held.against(&looked, have, Moment::now()));
    match (looked, stands, held) {
        // What is held here is what is there, or is newer. A value that the tier has lost is no reason to fetch it.
        (looked, Some(Stands::Here { is_fresh }), Some(Held { record, is_ours, .. })) => {
            if !is_fresh {
                // All values of the function were invalidated.
                record.node.cut_lifetime(Moment::recent().min(Moment::now()), &engine.store.windows);
            }
            job.end_look(Some(record), FlightResult::Confirmed, &policy);
            // If nothing is there, a later change may have been lost with the rest.
            let has_older = looked.number().is_some();
            if is_ours && is_fresh && has_older {
                engine.offer(&job.here, &job.target, looked.number()).await;
            }
        }
        (Looked::Found(found, _), ..) => {
            events::count(&counters.shared_hits);
            job.land(Some(found), &policy);
        }
        // A process of another version has changed it. Until the value here would have turned stale by itself it is
        // served as a stale one, or the two versions would fetch it again and again, each for itself.
        (Looked::Unreadable(_), _, Some(Held { record, times, .. })) => {
            events::count(&counters.shared_misses);
            let windows = &engine.store.windows;
            record.node.cut_lifetime(Moment::recent().min(Moment::now()), windows);
            record.node.set_no_refresh_until(times.started.plus(times.lifetime), windows);
            job.end_look(Some(record), FlightResult::Consulted(None), &policy);
        }
        (Looked::NotShared | Looked::NobodyThere, ..) => job.land(None, &policy),
        (Looked::NoAnswer, _, held) => {
            // Nobody is to wait for a second time because of what it may have missed.
            job.reads_now(shared);
            if held.is_some() {
                shared.told.rest();
            }
            job.land(None, &policy);
        }
        (_, _, held) => {
            events::count(&counters.shared_misses);
            if held.is_some() {
                let record = catch(|| engine.nothing_here(&job.target)).ok();
                job.end_look(record, FlightResult::Consulted(None), &policy);
            } else {
                job.land(None, &policy);
            }
        }
    }
}

/// What a look into the second tier has shown.
pub(super) enum Looked<V> {
    /// A value that was changed so long ago, as far as anybody can tell.
    Found(SharedValue<V>, Option<Duration>),
    /// The value that is stored here. By the tier's clock it may be stale.
    Unchanged {
        is_fresh: bool,
    },
    Missing {
        tombstone: Option<Tombstone>,
        bumped: Bumped,
    },
    Cleared,
    /// Another value, which is none for this process.
    Unreadable(WriteId),
    /// The key stays in this process, or there is no tier.
    NotShared,
    /// The server of this key is down, and nothing could be asked.
    NobodyThere,
    NoAnswer,
}

impl<V> Looked<V> {
    /// The number of what is there.
    fn number(&self) -> Option<WriteId> {
        match self {
            Self::Found(found, _) => Some(WriteId(found.id)),
            Self::Missing { tombstone, .. } => tombstone.map(|tombstone| tombstone.id),
            Self::Unreadable(id) => Some(*id),
            Self::Unchanged { .. } | Self::Cleared | Self::NotShared | Self::NobodyThere | Self::NoAnswer => {
                None
            }
        }
    }
}

/// Whether the value that is stored here stands, after a look into the second tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Here {
        is_fresh: bool,
    },
    /// It is replaced, or gone, or nobody knows.
    Not,
}

/// A copy of the value that is stored here.
struct Held<N> {
    /// As one that is trusted.
    record: Record<N>,
    times: Times,
    /// The one that is stored is doubted, or suspect.
    is_marked: bool,
    is_doubted: bool,
    /// It is not from the tier, and was not stored there: it was fetched or set while that could not be told.
    is_ours: bool,
}

impl<N> Held<N> {
    /// Compares it with what the tier has.
    fn against<V>(&self, looked: &Looked<V>, have: Option<WriteId>, now: Moment) -> Stands {
        let age = Duration::from_nanos(self.times.age(now));
        // The change after which it was fetched.
        let is_newer = |written| self.is_ours && stands(age, written);
        let is_after = |change: Option<Duration>| change.is_none() || stands(age, change);
        let here = |is_here, is_fresh| if is_here { Stands::Here { is_fresh } } else { Stands::Not };
        match looked {
            Looked::Found(_, written) => here(is_newer(*written), true),
            Looked::Unchanged { is_fresh } => here(true, *is_fresh),
            // Something was told of that is lost there, and it was not this one.
            Looked::Missing { tombstone: None, .. } if self.is_doubted => Stands::Not,
            Looked::Missing { tombstone: None, bumped } => {
                here(is_after(bumped.gone), is_after(bumped.stale))
            }
            // The tombstone may be that of its own write, as the value cannot be sent.
            Looked::Missing { tombstone: Some(Tombstone { id, written }), .. } => {
                here(have == Some(*id) || is_newer(*written), true)
            }
            Looked::NotShared => here(true, true),
            // As while the whole tier is down: with the next connection it is suspect again. But a value that is known to
            // have been changed stays a stale one.
            Looked::NobodyThere => here(!self.is_doubted, true),
            Looked::Cleared | Looked::Unreadable(_) | Looked::NoAnswer => Stands::Not,
        }
    }
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
            let looked = engine.look_there(&here, &target, &policy, held.as_ref()).await;
            let stands = held.as_ref().map(|held| held.against(&looked, have, Moment::now()));
            match (looked, stands, held) {
                (_, Some(Stands::Here { is_fresh }), Some(held)) => {
                    let peeked = of(held.value()?, held.times, Source::Local)?;
                    Some(Peeked { fresh: peeked.fresh && is_fresh, ..peeked })
                }
                (Looked::Found(found, _), ..) => of(found.value, found.times, Source::Shared),
                (
                    looked @ (Looked::Unreadable(_) | Looked::NobodyThere | Looked::NoAnswer),
                    _,
                    Some(held),
                ) => {
                    if let (Looked::NoAnswer, Some(shared)) = (looked, &engine.shared) {
                        shared.told.rest();
                    }
                    let peeked = of(held.value()?, held.times, Source::Local)?;
                    Some(Peeked { fresh: false, ..peeked })
                }
                _ => None,
            }
        }))
    }

    /// The options for the arguments of an entry. If an expression panics, they are those of the whole cache.
    fn policy_of(&self, source: &SourceOf<C>) -> Policy {
        self.varied(source).ok().flatten().map_or(*self.policy(), |varied| *varied)
    }

    /// Looks at the value of the second tier, of any age within its retention. `held` is the one that is stored here.
    async fn look_there(
        &self,
        here: &Here,
        target: &Target<C::OwnedKey>,
        policy: &Policy,
        held: Option<&Held<NodeOf<C>>>,
    ) -> Looked<C::Value> {
        let Some(SharedKey { tier, key }) = self.shared_key(here, target) else { return Looked::NotShared };
        let sent = Moment::now();
        let reply = match held {
            Some(held) => tier.look(&key, held.number()),
            None => tier.read(&key, None),
        };
        match reply.await {
            Ok(Read::Found(found)) => {
                let decoded = self.decoded(&found, sent, policy, &*tier);
                decoded.map_or(Looked::Unreadable(found.id), |value| Looked::Found(value, found.written))
            }
            Ok(Read::Unchanged(Ages { age, lifetime, .. })) => Looked::Unchanged { is_fresh: age < lifetime },
            Ok(Read::Missing { tombstone, bumped }) => Looked::Missing { tombstone, bumped },
            Ok(Read::Cleared(_)) => Looked::Cleared,
            Err(down) => {
                self.tier_failed();
                if down == Down::Disconnected { Looked::NobodyThere } else { Looked::NoAnswer }
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
        let (is_marked, is_doubted) = (self.is_marked(held), held.is_doubted());
        let is_ours = held.write_id().is_none();
        Some(Held { record: Record { node, weight }, times, is_marked, is_doubted, is_ours })
    }

    /// The record of a key whose value is gone. Clones the key, which is user code.
    fn nothing_here(&self, target: &Target<C::OwnedKey>) -> Record<NodeOf<C>> {
        let now = Moment::now();
        let (key, over) = (C::copy_key(target.key()), Backoff::of_others(now));
        Record { node: self.backoff_record(key, target.hash, over, None, now), weight: RECORD_WEIGHT }
    }
}
