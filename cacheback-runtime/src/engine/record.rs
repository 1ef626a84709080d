//! Makes the records that are stored: from the outcome of a fetch, or the value of a `set`, and the options of the
//! entry.

use std::time::Duration;

use super::{Cacheable, Engine, ErrorOf, NodeOf, SourceOf, Target};
use crate::base::clock::Moment;
use crate::base::panics::{Panic, catch};
use crate::base::sync::Ordering;
use crate::events;
use crate::rules::backoff::Backoff;
use crate::rules::freshness::{OwnTimes, Times, freshness};
use crate::rules::policy::Policy;
use crate::store::{Content, Generation, Node, RECORD_WEIGHT};

/// A node on its way into the store, and its weight.
pub(super) struct Record<N> {
    pub(super) node: N,
    pub(super) weight: u32,
}

impl<C: Cacheable> Engine<C> {
    /// The options for the arguments of one entry, if they depend on them. `Err` if an expression panics.
    pub(super) fn varied(&self, source: &SourceOf<C>) -> Result<Option<Box<Policy>>, Panic> {
        if !source.varies() {
            return Ok(None);
        }
        let mut policy = Box::new(*self.policy());
        catch(|| source.vary(&mut policy))?;
        if let Some(contradiction) = policy.clamp().first() {
            if self.clamps.passes(Moment::now()) {
                events::options_clamped(self.name(), contradiction.option, contradiction.with);
            }
        }
        Ok(Some(policy))
    }

    /// The record of a value whose fetch began at `started`. `lifetime` is the value's own, from `lifetime_for`. A
    /// value that is not to be stored is returned, with the record of a back-off in its place. Runs user code.
    pub(super) fn record(
        &self,
        target: &Target<C::OwnedKey>,
        value: C::Value,
        started: Moment,
        policy: &Policy,
        lifetime: Option<Duration>,
    ) -> (Record<NodeOf<C>>, Option<C::Value>) {
        let key = C::copy_key(target.key());
        let own = OwnTimes { lifetime, retention: self.definition.values.retention_for(&value) };
        let chance = if policy.jitter > 0.0 { fastrand::f64() } else { 0.0 };
        let times = freshness(policy, own, started, chance);
        let Some((times, weight)) = times.and_then(|times| Some((times, self.weight(&value)?))) else {
            let now = Moment::now();
            let node = self.backoff_record(key, target.hash, Backoff::after_unstored(now), None, now);
            return (Record { node, weight: RECORD_WEIGHT }, Some(value));
        };
        if own.is_cut(policy) && !self.cut_lifetime.swap(true, Ordering::Relaxed) {
            events::lifetime_past_retention(self.name());
        }
        let content = Content::Value(value, Generation::default());
        let node = Node::new(key, target.hash, times, &self.store.windows, content);
        (Record { node, weight }, None)
    }

    /// The weight of a value. `None` if it is not to be stored, because it is too heavy or `weigh` panics.
    pub(super) fn weight(&self, value: &C::Value) -> Option<u32> {
        let bytes = match catch(|| self.definition.values.weigh(value)) {
            Ok(bytes) => bytes,
            Err(panic) => {
                events::weigh_panicked(self.name(), panic.message());
                return None;
            }
        };
        let weight = self.store.limit.weight(bytes);
        if weight.is_none() && self.heavy.passes(Moment::now()) {
            events::value_too_heavy(self.name(), bytes, self.policy().max_bytes.unwrap_or(0));
        }
        weight
    }

    /// The record of a back-off, without a value. An error that is kept comes with the moment until which it answers
    /// callers. Runs no user code.
    pub(super) fn backoff_record(
        &self,
        key: C::OwnedKey,
        hash: u64,
        backoff: Backoff,
        kept: Option<(ErrorOf<C>, Moment)>,
        now: Moment,
    ) -> NodeOf<C> {
        let windows = &self.store.windows;
        let ends = kept.as_ref().map_or(backoff.until, |(_, until)| backoff.until.max(*until));
        let times = Times::of_nothing(now, ends.since(now).saturating_add(backoff.remembered));
        let (content, error_until) = match kept {
            Some((error, until)) => (Content::Error(error), Some(until)),
            None => (Content::Nothing, None),
        };
        let node = Node::new(key, hash, times, windows, content);
        if let Some(until) = error_until {
            node.keep_error(until, windows);
        }
        node.set_backoff(backoff, windows);
        node
    }
}
