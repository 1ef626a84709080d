//! Writes from outside: each supersedes the fetch that runs, in one step with what it does to the entry.

use super::chain;
use super::fetch::Job;
use super::record::Record;
use super::{Admission, Cacheable, Engine, NodeOf, OriginOf, Target};
use crate::base::clock::{Moment, nanos};
use crate::base::sync::{Arc, Ordering};
use crate::base::tasks::task;
use crate::events;
use crate::executor::context::Here;
use crate::flight::Succession;

impl<C: Cacheable> Engine<C> {
    /// Stores a value, fresh from now, with the function's lifetime for it. One whose `lifetime_for` is zero is not
    /// stored, and the older one is dropped, as where a fetch brings it.
    pub(crate) fn set(&self, target: &Target<C::OwnedKey>, origin: &OriginOf<C>, value: C::Value) {
        let here = Here::find(self.name());
        let policy =
            self.policy_for(origin).unwrap_or_else(|panic| panic.rethrown(self.name(), true).panic());
        let own = self.definition.values.lifetime_for(&value);
        let now = Moment::now();
        self.tidy(now);
        let (record, not_stored) = self.record(target, value, now, &policy, own);
        let Record { node, weight } = record;
        let mut node = Some(node);
        let pins = self.store.pins();
        let (change, put_off) = self.at(target, |desk, known| {
            let old = self.store.resident(target.hash, known, &pins)?;
            Ok((self.store.put(&mut node, weight, self.store.epoch(), old, &pins), desk.supersede()))
        });
        drop(pins);
        self.store.carry_out(change);
        self.give_up(&here, put_off);
        drop((node, not_stored));
    }

    /// Ends the lifetime now and starts one refresh, where there is a body to run and the breaker is closed. An absent
    /// key: a fetch that runs is superseded and one started anew; else nothing.
    ///
    /// Asked for by the key's own body this starts one re-run, after that body; by the re-run it starts none.
    pub(crate) fn invalidate(self: &Arc<Self>, target: &Target<C::OwnedKey>, origin: &OriginOf<C>) {
        let here = Here::find(self.name());
        let now = Moment::now();
        self.tidy(now);
        let flight = Arc::new(self.new_flight(&here));
        let mut next = origin.can_run().then(|| Job::new(self, &here, target, origin, Arc::clone(&flight)));
        let (task, links) = (task::try_id(), chain::links());
        let mut is_endless = links > chain::LONGEST;
        let spans = &self.store.spans;
        let pins = self.store.pins();
        let (put_off, succession) = self.at(target, |desk, known| {
            let node = self.store.resident(target.hash, known, &pins)?;
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
            if let Some(own) = task.and_then(|task| desk.lane(here.lane).running_in(task)) {
                if own.is_rerun() {
                    is_endless = true;
                    return Ok((Vec::new(), None));
                }
                flight.set_rerun();
            }
            if let Some(node) = value.filter(|node| now < node.backoff_until()) {
                node.reset_no_refresh();
                return Ok((desk.supersede(), None));
            }
            // One that is not wanted stays where it is, to be dropped after the lock.
            let is_put_off = desk.lane(here.lane).is_put_off();
            let admission = match next {
                Some(_) if is_endless => Admission::Refused,
                Some(_) if !is_put_off => self.breaker.admit(now, value.is_none(), self.policy()),
                _ => Admission::Free,
            };
            let Some(mut next) = next.take_if(|_| admission != Admission::Refused) else {
                if let Some(node) = value {
                    node.reset_no_refresh();
                }
                return Ok((desk.supersede(), None));
            };
            (next.is_trial, next.links) = (admission == Admission::Trial, links);
            let put_off = desk.supersede_others(here.lane);
            let succession = desk.lane(here.lane).succeed(now, self.store.epoch(), &flight, next);
            if let Some(node) = node {
                match &succession {
                    Succession::Submit(_) => {
                        node.set_no_refresh_until(now.plus(nanos(self.policy().refresh_timeout)), spans);
                    }
                    Succession::Parked => node.reset_no_refresh(),
                    Succession::Ahead(_) => {}
                }
            }
            Ok((put_off, Some(succession)))
        });
        drop(pins);
        if let Some(Succession::Submit(job)) = succession {
            job.submit();
        }
        self.give_up(&here, put_off);
        if is_endless && !self.endless.swap(true, Ordering::Relaxed) {
            events::invalidates_itself(self.name());
        }
    }

    /// Every value is stale from here on, and no fetch that runs stores one. Starts nothing.
    pub(crate) fn invalidate_all(&self) {
        self.tidy(Moment::now());
        // In this order: a fetch that was not superseded here begins after that, and a value that was stored before is
        // there to be found.
        self.flights.supersede_running();
        let pins = self.store.pins();
        for node in self.store.nodes(&pins) {
            self.flights.locked(node.hash(), || {
                node.forget_error();
                // A hit reads the recent time: what it sees next is not earlier than this.
                node.cut_lifetime(Moment::recent(), &self.store.spans);
                node.reset_no_refresh();
            });
        }
    }

    /// Gone.
    pub(crate) fn remove(&self, target: &Target<C::OwnedKey>) {
        self.take_out(target, |_| ());
    }

    /// Gone, and the value that was there: of all who take it, one gets it.
    pub(crate) fn take(&self, target: &Target<C::OwnedKey>) -> Option<C::Value> {
        let now = Moment::now();
        self.take_out(target, |node| node.value(now, &self.store.spans).cloned())?
    }

    /// Takes the record of a key out, and `reads` it after the lock. `None` if there is none, or somebody else has taken
    /// it out just then.
    fn take_out<R>(&self, target: &Target<C::OwnedKey>, reads: impl FnOnce(&NodeOf<C>) -> R) -> Option<R> {
        let here = Here::find(self.name());
        let pins = self.store.pins();
        let (put_off, taken) = self.at(target, |desk, known| {
            let old = self.store.resident(target.hash, known, &pins)?;
            Ok((desk.supersede(), old.map(|old| (old, self.store.take(old)))))
        });
        let read = taken.and_then(|(old, change)| {
            let is_ours = change.has_removed();
            self.store.carry_out(change);
            is_ours.then(|| reads(old))
        });
        drop(pins);
        self.give_up(&here, put_off);
        read
    }

    /// All gone. Asks for no runtime where nothing is put off: a cache is cleared as it is dropped, wherever that is.
    pub(crate) fn clear(&self) {
        let epoch = self.store.clear();
        let put_off = self.flights.supersede_older(epoch);
        if !put_off.is_empty() {
            self.give_up(&Here::find(self.name()), put_off);
        }
    }
}
