//! Writes from outside. Each changes the entry and supersedes the fetch that runs, in one step.

use super::chain;
use super::fetch::{Demand, Job};
use super::record::Record;
use super::shared::Message;
use super::{Admission, Cacheable, Engine, NodeOf, SourceOf, Target, Telling};
use crate::base::clock::{Moment, nanos};
use crate::base::sync::{Arc, Ordering};
use crate::base::tasks::task;
use crate::events;
use crate::executor::context::Here;
use crate::flight::Succession;
use crate::store::Node;

impl<C: Cacheable> Engine<C> {
    /// Stores a value, fresh from now, with the lifetime that the options give it. As with a fetched value, one whose
    /// own lifetime is zero is not stored, and the older one is dropped.
    pub(crate) fn set(
        self: &Arc<Self>,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
        value: C::Value,
    ) -> Telling {
        let here = Here::find(self.name());
        let varied = self.varied(source).unwrap_or_else(|panic| panic.rethrown(self.name(), true).panic());
        let policy = varied.as_deref().unwrap_or(self.policy());
        let own = self.definition.values.lifetime_for(&value);
        let now = Moment::now();
        self.tidy(now);
        let (record, not_stored) = self.record(target, value, now, policy, own);
        let Record { node, weight } = record;
        let mut message = self.message_of_set(&here, target, &node);
        let mut node = Some(node);
        let pins = self.store.pins();
        let (change, unstarted, sent) = self.with_claims(target, |claims, known| {
            let old = self.store.resident(target.hash, known, &pins)?;
            let change = self.store.put(&mut node, weight, self.store.epoch(), old, &pins);
            Ok((change, claims.supersede(), message.take().map(Message::send)))
        });
        drop(pins);
        let added = change.added();
        self.store.carry_out(change);
        self.drop_unstarted(&here, unstarted);
        drop((node, not_stored));
        self.telling(sent, target, added)
    }

    /// Ends the lifetime of a value now and starts one refresh, if there is a body to run and the breaker admits it. If
    /// the key has no value, a fetch that runs is superseded by a new one; if none runs, nothing happens.
    ///
    /// If the key's own body invalidates it, one re-run starts after that body. If the re-run invalidates it again,
    /// nothing is started.
    pub(crate) fn invalidate(
        self: &Arc<Self>,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
    ) -> Telling {
        let here = Here::find(self.name());
        let now = Moment::now();
        self.tidy(now);
        let flight = Arc::new(self.new_flight(&here));
        let mut next =
            source.can_run().then(|| Box::new(Job::new(self, &here, target, source, Arc::clone(&flight))));
        let (task, links) = (task::try_id(), chain::links());
        let mut is_endless = links > chain::LONGEST;
        let windows = &self.store.windows;
        let pins = self.store.pins();
        let mut message = self.message_of_invalidate(&here, target);
        let (mut sent, mut held) = (None, None);
        let (unstarted, succession) = self.with_claims(target, |claims, known| {
            let node = self.store.resident(target.hash, known, &pins)?;
            sent = message.take().map(Message::send);
            let value = node.filter(|node| node.has_value(now, windows));
            if let Some(node) = node {
                node.forget_error();
            }
            held = value.map(Node::id);
            if value.is_none() && !claims.is_fetched() {
                // What a look into the second tier brings is from before the invalidation.
                return Ok((claims.supersede(), None));
            }
            if let Some(node) = value {
                // A hit reads the recent time, which may lag behind `now`: the next hit is to see the cut already.
                node.cut_lifetime(Moment::recent().min(now), windows);
            }
            if let Some(own) = task.and_then(|task| claims.lane(here.lane).running_in(task)) {
                if own.is_rerun() {
                    is_endless = true;
                    return Ok((Vec::new(), None));
                }
                flight.set_rerun();
            }
            if let Some(node) = value.filter(|node| now < node.backoff_until()) {
                node.reset_no_refresh();
                return Ok((claims.supersede(), None));
            }
            // A job that is not needed stays in `next`, and is dropped after the lock.
            let is_put_off = claims.lane(here.lane).is_put_off();
            let admission = match next {
                Some(_) if is_endless => Admission::Refused,
                Some(_) if !is_put_off => self.breaker.admit(now, value.is_none(), self.policy()),
                _ => Admission::Free,
            };
            let Some(mut next) = next.take_if(|_| admission != Admission::Refused) else {
                if let Some(node) = value {
                    node.reset_no_refresh();
                }
                return Ok((claims.supersede(), None));
            };
            (next.is_trial, next.demand, next.links) = (admission == Admission::Trial, Demand::Fresh, links);
            let unstarted = claims.supersede_others(here.lane);
            let succession = claims.lane(here.lane).succeed(now, self.store.epoch(), &flight, next);
            if let Some(node) = node {
                match &succession {
                    Succession::Submit(_) => {
                        node.set_no_refresh_until(now.plus(nanos(self.policy().refresh_timeout)), windows);
                    }
                    Succession::Parked => node.reset_no_refresh(),
                    Succession::Ahead(_) => {}
                }
            }
            Ok((unstarted, Some(succession)))
        });
        drop(pins);
        if let Some(Succession::Submit(job)) = succession {
            job.submit();
        }
        self.drop_unstarted(&here, unstarted);
        if is_endless && !self.endless.swap(true, Ordering::Relaxed) {
            events::invalidates_itself(self.name());
        }
        self.telling(sent, target, held)
    }

    /// Makes every value stale, and supersedes the fetches that run. Starts none.
    pub(crate) fn invalidate_all(&self) {
        self.tidy(Moment::now());
        // The fetches first: one that is not superseded here begins later, and the value of one that was stored before
        // is among the nodes below.
        self.flights.supersede_running();
        let pins = self.store.pins();
        for node in self.store.nodes(&pins) {
            self.flights.locked(node.hash(), || {
                node.forget_error();
                // The recent time, as in `invalidate`.
                node.cut_lifetime(Moment::recent(), &self.store.windows);
                node.reset_no_refresh();
            });
        }
    }

    /// Removes the record of a key.
    pub(crate) fn remove(self: &Arc<Self>, target: &Target<C::OwnedKey>) -> Telling {
        self.take_out(target, |_| ()).1
    }

    /// Removes the record of a key and returns its value. Of all who take it at the same time, one gets it.
    pub(crate) fn take(self: &Arc<Self>, target: &Target<C::OwnedKey>) -> (Option<C::Value>, Telling) {
        let now = Moment::now();
        let (taken, telling) = self.take_out(target, |node| node.value(now, &self.store.windows).cloned());
        (taken.flatten(), telling)
    }

    /// Removes the record of a key, and `reads` it after the lock. `None` if there is none, or somebody else has
    /// removed it at the same time.
    fn take_out<R>(
        self: &Arc<Self>,
        target: &Target<C::OwnedKey>,
        reads: impl FnOnce(&NodeOf<C>) -> R,
    ) -> (Option<R>, Telling) {
        let here = Here::find(self.name());
        let mut message = self.message_of_remove(&here, target);
        let pins = self.store.pins();
        let (unstarted, taken, sent) = self.with_claims(target, |claims, known| {
            let old = self.store.resident(target.hash, known, &pins)?;
            let taken = old.map(|old| (old, self.store.take(old)));
            Ok((claims.supersede(), taken, message.take().map(Message::send)))
        });
        let read = taken.and_then(|(old, change)| {
            let is_ours = change.has_removed();
            self.store.carry_out(change);
            is_ours.then(|| reads(old))
        });
        drop(pins);
        self.drop_unstarted(&here, unstarted);
        (read, self.telling(sent, target, None))
    }

    /// Removes everything. Looks for the caller's runtime only if there are unstarted refreshes: a cache is cleared
    /// when it is dropped, which may happen outside of any runtime.
    pub(crate) fn clear(&self) {
        let epoch = self.store.clear();
        let unstarted = self.flights.supersede_older(epoch);
        if !unstarted.is_empty() {
            self.drop_unstarted(&Here::find(self.name()), unstarted);
        }
    }
}
