//! Records of a key, made from what a fetch or a `set` brought and from the options of that entry.

use std::time::Duration;

use super::{Engine, ErrorOf, KeyOf, NodeOf, OriginOf, Target};
use crate::clock::{Moment, nanos};
use crate::events;
use crate::freshness::Times;
use crate::key::KeyShape;
use crate::outcome::Outcome;
use crate::panics::{Panic, caught};
use crate::policy::Policy;
use crate::store::{Content, Node, RECORD_WEIGHT, Remains, Round};
use crate::sync::{Arc, Ordering};

/// How long a key whose value is not to be stored is left alone.
const NOT_STORED_REST: u64 = 1_000_000_000;

/// A node on its way into the store, and how much of the bound it takes.
pub(super) struct Record<N> {
    pub(super) node: N,
    pub(super) weight: u32,
}

/// A key is left alone from a moment on, for a span of nanoseconds; its record lasts `keep` longer.
pub(super) struct Rest {
    pub(super) from: Moment,
    pub(super) span: u64,
    pub(super) keep: u64,
    pub(super) failures: u32,
}

impl<A: KeyShape, O: Outcome> Engine<A, O> {
    /// The options for one entry's arguments; `Err` where an expression panics.
    pub(super) fn policy_for(&self, origin: &OriginOf<O>) -> Result<Policy, Panic> {
        let mut policy = *self.policy();
        caught(|| origin.vary(&mut policy))?;
        if let Some(contradiction) = policy.clamp().first() {
            if self.clamps.passes(Moment::now()) {
                events::options_clamped(self.name(), contradiction.option, contradiction.with);
            }
        }
        Ok(policy)
    }

    /// The record of a value that began at `started`; `own` is the lifetime that `lifetime_for` gives it. A value that
    /// is not to be stored comes back, and the record says to leave its key alone. Runs user code.
    pub(super) fn record(
        &self,
        target: &Target<KeyOf<A>>,
        value: O::Value,
        started: Moment,
        policy: &Policy,
        own: Option<Duration>,
    ) -> (Record<NodeOf<A, O>>, Option<O::Value>) {
        let key = A::copy(target.key());
        let is_kept = own.is_none_or(|lifetime| !lifetime.is_zero());
        let own_retention = self.definition.values.retention_for(&value);
        let lasts = own_retention.is_none_or(|retention| !retention.is_zero());
        let weight = if is_kept && lasts { self.weight(&value) } else { None };
        let Some(weight) = weight else {
            let rest = Rest { from: Moment::now(), span: NOT_STORED_REST, keep: 0, failures: 0 };
            let node = self.resting_record(key, target.hash, None, &rest);
            return (Record { node, weight: RECORD_WEIGHT }, Some(value));
        };
        self.warn_if_past_retention(own, policy);
        let retention = own_retention.map_or(policy.retention, |own| own.min(policy.retention));
        let policy = &Policy { retention, ..*policy };
        let mut lifetime = own.unwrap_or(policy.lifetime).min(retention);
        if policy.jitter > 0.0 && !lifetime.is_zero() {
            let share = policy.jitter * fastrand::f64();
            lifetime = Duration::from_nanos(shortened(nanos(lifetime), share).max(1));
        }
        let times = Times::new(policy, started, lifetime);
        let node =
            Node::new(key, target.hash, times, &self.store.spans, Content::Value(value, Round::default()));
        (Record { node, weight }, None)
    }

    fn warn_if_past_retention(&self, own: Option<Duration>, policy: &Policy) {
        let is_cut = own.is_some_and(|lifetime| lifetime > policy.retention);
        if is_cut && !self.cut_lifetime.swap(true, Ordering::Relaxed) {
            events::lifetime_past_retention(self.name());
        }
    }

    /// How much of the bound a value takes; `None` where it is not to be stored.
    fn weight(&self, value: &O::Value) -> Option<u32> {
        let bytes = match caught(|| self.definition.values.weigh(value)) {
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

    /// A record without a value. An error that is to be `kept` comes with the moment until which it answers. Runs no
    /// user code.
    pub(super) fn resting_record(
        &self,
        key: KeyOf<A>,
        hash: u64,
        kept: Option<(ErrorOf<O>, Moment)>,
        rest: &Rest,
    ) -> NodeOf<A, O> {
        let spans = &self.store.spans;
        let rests_until = rest.from.plus(rest.span);
        let until = kept.as_ref().map_or(rests_until, |(_, until)| rests_until.max(*until));
        let times = Times::of_nothing(rest.from, until.since(rest.from).saturating_add(rest.keep));
        let (content, error_until) = match kept {
            Some((shared, until)) => (Content::Error(shared), Some(until)),
            None => (Content::Nothing, None),
        };
        let node = Node::new(key, hash, times, spans, content);
        if let Some(until) = error_until {
            node.keep_error(until, spans);
        }
        node.rest(Remains { rests_until, failures: rest.failures, keep: rest.keep }, spans);
        node
    }

    /// An error that is kept, and until when.
    pub(super) fn kept_error(
        kept: Option<&ErrorOf<O>>,
        policy: &Policy,
        now: Moment,
    ) -> Option<(ErrorOf<O>, Moment)> {
        Some((Arc::clone(kept?), now.plus(nanos(policy.cache_err?))))
    }
}

/// A span without a share of it.
pub(super) fn shortened(span: u64, share: f64) -> u64 {
    // To 53 bits, and saturating: a span is no more exact than the chance that shortens it.
    span.min((span as f64 * (1.0 - share)) as u64)
}
