//! Writes from outside: each supersedes the fetch that runs, in one step with what it does to the entry.

use super::fetch::Job;
use super::{Engine, KeyOf, OriginOf, Target};
use crate::clock::{Moment, nanos};
use crate::context::Here;
use crate::executor::Ticket;
use crate::flight::{Flight, Succession};
use crate::key::KeyArgs;
use crate::outcome::Outcome;
use crate::sync::Arc;

impl<A: KeyArgs, O: Outcome> Engine<A, O> {
    /// Stores a value, fresh from now, with the function's lifetime for it. One whose `lifetime_for` is zero is not
    /// stored, and neither is the older one kept.
    pub(crate) fn set(&self, target: &Target<KeyOf<A>>, origin: &OriginOf<O>, value: O::Value) {
        let here = Here::find();
        let policy = self.policy_for(origin).unwrap_or_else(|message| panic!("`{}`: {message}", self.name));
        let own = origin.lifetime_for(&value);
        let keeps = !own.is_some_and(|lifetime| lifetime.is_zero());
        let now = Moment::now();
        self.tidy(now);
        let node = self.value_node(target, self.store.epoch(), value, now, &policy, own);
        let guard = self.store.guard();
        let (put_off, old) = self.at(target, |desk, known| {
            let old = if keeps {
                self.store.put(&node, known, &guard)?;
                None
            } else {
                self.store.take(target.hash, known, &guard)?
            };
            Ok((desk.supersede(), old))
        });
        drop(guard);
        self.give_up(&here, put_off);
        if keeps {
            self.store.admit(&node);
        } else if let Some(old) = old {
            self.store.forget(&old);
        }
    }

    /// Ends the lifetime now and starts one refresh. An absent key: a fetch that runs is superseded and one started
    /// anew; else nothing.
    pub(crate) fn invalidate(self: &Arc<Self>, target: &Target<KeyOf<A>>, origin: &OriginOf<O>) {
        let here = Here::find();
        let now = Moment::now();
        self.tidy(now);
        let flight = Arc::new(Flight::new(self.store.epoch(), Ticket::new(self.number)));
        let mut next = Some(Job::new(self, &here, target, origin, Arc::clone(&flight)));
        let guard = self.store.guard();
        let (put_off, succession) = self.at(target, |desk, known| {
            let node = self.store.resident(target.hash, known, &guard)?;
            let value = node.as_ref().filter(|node| node.has_value(now));
            if value.is_none() && !desk.is_claimed() {
                return Ok((Vec::new(), None));
            }
            if let Some(node) = value {
                node.cut_lifetime(now);
            }
            if node.as_ref().is_some_and(|node| now < node.facts().rests_until) {
                return Ok((desk.supersede(), None));
            }
            let put_off = desk.supersede_others(here.lane);
            let Some(next) = next.take() else { return Ok((put_off, None)) };
            let succession = desk.lane(here.lane).succeed(now, &flight, next);
            if let Some(node) = &node {
                match &succession {
                    Succession::Submit(_) => node.hint(now.plus(nanos(self.policy.refresh_timeout))),
                    Succession::Parked => node.hint_rest_only(),
                    Succession::Ahead(_) => {}
                }
            }
            Ok((put_off, Some(succession)))
        });
        drop(guard);
        self.give_up(&here, put_off);
        if let Some(Succession::Submit(job)) = succession {
            job.submit();
        }
    }

    /// Gone.
    pub(crate) fn remove(&self, target: &Target<KeyOf<A>>) {
        let here = Here::find();
        let guard = self.store.guard();
        let (put_off, old) = self.at(target, |desk, known| {
            let old = self.store.take(target.hash, known, &guard)?;
            Ok((desk.supersede(), old))
        });
        drop(guard);
        self.give_up(&here, put_off);
        if let Some(old) = old {
            self.store.forget(&old);
        }
    }

    /// All gone.
    pub(crate) fn clear(&self) {
        let here = Here::find();
        self.store.clear();
        let put_off = self.flights.supersede_all();
        self.give_up(&here, put_off);
    }
}
