//! Writes from outside: each supersedes the fetch that runs, in one step with what it does to the entry.

use super::fetch::Job;
use super::record::Record;
use super::{Engine, KeyOf, OriginOf, Target};
use crate::clock::{Moment, nanos};
use crate::context::Here;
use crate::flight::Succession;
use crate::key::KeyShape;
use crate::outcome::Outcome;
use crate::sync::Arc;

impl<A: KeyShape, O: Outcome> Engine<A, O> {
    /// Stores a value, fresh from now, with the function's lifetime for it. One whose `lifetime_for` is zero is not
    /// stored, and the older one is dropped, as where a fetch brings it.
    pub(crate) fn set(&self, target: &Target<KeyOf<A>>, origin: &OriginOf<O>, value: O::Value) {
        let here = Here::find(self.name);
        let policy = self.policy_for(origin).unwrap_or_else(|panic| panic.rethrown(self.name, true).panic());
        let own = origin.lifetime_for(&value);
        let now = Moment::now();
        self.tidy(now);
        let (record, not_stored) = self.record(target, origin, value, now, &policy, own);
        let Record { node, weight } = record;
        let mut node = Some(node);
        let pin = self.store.pin();
        let (change, put_off) = self.at(target, |desk, known| {
            let old = self.store.resident(target.hash, known, &pin)?;
            Ok((self.store.put(&mut node, weight, self.store.epoch(), old, &pin), desk.supersede()))
        });
        drop(pin);
        self.store.carry_out(change);
        self.give_up(&here, put_off);
        drop((node, not_stored));
    }

    /// Ends the lifetime now and starts one refresh, where there is a body to run and the breaker is closed. An absent
    /// key: a fetch that runs is superseded and one started anew; else nothing.
    pub(crate) fn invalidate(self: &Arc<Self>, target: &Target<KeyOf<A>>, origin: &OriginOf<O>) {
        let here = Here::find(self.name);
        let now = Moment::now();
        self.tidy(now);
        let flight = Arc::new(self.new_flight(&here));
        let mut next = origin.can_run().then(|| Job::new(self, &here, target, origin, Arc::clone(&flight)));
        let spans = &self.store.spans;
        let pin = self.store.pin();
        let (put_off, succession) = self.at(target, |desk, known| {
            let node = self.store.resident(target.hash, known, &pin)?;
            let value = node.filter(|node| node.has_value(now, spans));
            if let Some(node) = node {
                node.forget_error();
            }
            if value.is_none() && !desk.is_claimed() {
                return Ok((Vec::new(), None));
            }
            if let Some(node) = value {
                // A hit reads the recent time: what it sees next is not earlier than this.
                node.cut_lifetime(Moment::recent().min(now), spans);
            }
            if let Some(node) = value.filter(|node| now < node.rests_until()) {
                node.hint_rest_only();
                return Ok((desk.supersede(), None));
            }
            // One that is not wanted stays where it is, to be dropped after the lock.
            let is_put_off = desk.lane(here.lane).is_put_off();
            let is_wanted = next.is_some() && (is_put_off || self.breaker.admits(now, &self.policy));
            let Some(next) = (if is_wanted { next.take() } else { None }) else {
                if let Some(node) = value {
                    node.hint_rest_only();
                }
                return Ok((desk.supersede(), None));
            };
            let put_off = desk.supersede_others(here.lane);
            let succession = desk.lane(here.lane).succeed(now, self.store.epoch(), &flight, next);
            if let Some(node) = node {
                match &succession {
                    Succession::Submit(_) => {
                        node.hint(now.plus(nanos(self.policy.refresh_timeout)), spans);
                    }
                    Succession::Parked => node.hint_rest_only(),
                    Succession::Ahead(_) => {}
                }
            }
            Ok((put_off, Some(succession)))
        });
        drop(pin);
        if let Some(Succession::Submit(job)) = succession {
            job.submit();
        }
        self.give_up(&here, put_off);
    }

    /// Gone.
    pub(crate) fn remove(&self, target: &Target<KeyOf<A>>) {
        let here = Here::find(self.name);
        let pin = self.store.pin();
        let (put_off, change) = self.at(target, |desk, known| {
            let old = self.store.resident(target.hash, known, &pin)?;
            Ok((desk.supersede(), old.map(|old| self.store.take(old))))
        });
        drop(pin);
        if let Some(change) = change {
            self.store.carry_out(change);
        }
        self.give_up(&here, put_off);
    }

    /// All gone. Asks for no runtime where nothing is put off: a cache is cleared as it is dropped, wherever that is.
    pub(crate) fn clear(&self) {
        let epoch = self.store.clear();
        let put_off = self.flights.supersede_older(epoch);
        if !put_off.is_empty() {
            self.give_up(&Here::find(self.name), put_off);
        }
    }
}
