//! Records of a key, made from what a fetch or a `set` brought and from the options of that entry.

use std::time::Duration;

use super::{Engine, ErrorOf, KeyOf, NodeOf, OriginOf, Target};
use crate::clock::{Moment, nanos};
use crate::entry::Times;
use crate::events;
use crate::key::KeyArgs;
use crate::outcome::Outcome;
use crate::panics::caught;
use crate::policy::Policy;
use crate::store::{Content, Node};
use crate::sync::{Arc, AtomicU64, Ordering};

/// How long a key whose value is not to be stored (`lifetime_for` of zero) is left alone.
const NOT_STORED_REST: u64 = 1_000_000_000;

/// A key is left alone from a moment on, for a span of nanoseconds; its record lasts `keep` longer.
pub(super) struct Rest {
    pub(super) from: Moment,
    pub(super) span: u64,
    pub(super) keep: u64,
    pub(super) failures: u32,
}

impl<A: KeyArgs, O: Outcome> Engine<A, O> {
    /// The options for one entry's arguments; `Err` where an expression panics.
    pub(super) fn policy_for(&self, origin: &OriginOf<O>) -> Result<Policy, String> {
        let mut policy = self.policy;
        caught(|| origin.vary(&mut policy))?;
        if let Some(contradiction) = policy.clamp().first() {
            if self.clamps.passes(Moment::now()) {
                events::options_clamped(self.name, &contradiction.to_string());
            }
        }
        Ok(policy)
    }

    /// A node for a value that began at `started`; `own` is the lifetime that `lifetime_for` gives it.
    pub(super) fn value_node(
        &self,
        target: &Target<KeyOf<A>>,
        value: O::Value,
        started: Moment,
        policy: &Policy,
        own: Option<Duration>,
    ) -> Arc<NodeOf<A, O>> {
        let mut lifetime = own.unwrap_or(policy.lifetime).min(policy.retention);
        if policy.jitter > 0.0 && !lifetime.is_zero() {
            let share = policy.jitter * fastrand::f64();
            lifetime = Duration::from_nanos(shortened(nanos(lifetime), share).max(1));
        }
        let times = Times::new(policy, started, lifetime);
        let key = Arc::clone(&target.key);
        Arc::new(Node::new(key, target.hash, self.store.stamp(), times, Content::Value(value)))
    }

    /// The record of a value that is not to be stored.
    pub(super) fn not_stored_node(&self, target: &Target<KeyOf<A>>) -> Arc<NodeOf<A, O>> {
        let rest = Rest { from: Moment::now(), span: NOT_STORED_REST, keep: 0, failures: 0 };
        self.resting_node(target, Content::Nothing, &rest)
    }

    /// A node without a value.
    pub(super) fn resting_node(
        &self,
        target: &Target<KeyOf<A>>,
        content: Content<O::Value, ErrorOf<O>>,
        rest: &Rest,
    ) -> Arc<NodeOf<A, O>> {
        let rests_until = rest.from.plus(rest.span);
        let until = match &content {
            Content::Error { until, .. } => rests_until.max(Moment::from_bits(until.load(Ordering::Relaxed))),
            _ => rests_until,
        };
        let retention = until.since(rest.from).saturating_add(rest.keep);
        let times = Times { started: rest.from, lifetime: 0, max_stale: 0, retention, ahead: 0 };
        let key = Arc::clone(&target.key);
        let node = Node::new(key, target.hash, self.store.stamp(), times, content);
        node.rest(rests_until, rest.failures, rest.keep);
        Arc::new(node)
    }

    pub(super) fn error_content(
        &self,
        kept: Option<&ErrorOf<O>>,
        policy: &Policy,
        now: Moment,
    ) -> Content<O::Value, ErrorOf<O>> {
        match (kept, policy.cache_err) {
            (Some(shared), Some(time)) => {
                let until = AtomicU64::new(now.plus(nanos(time)).to_bits());
                Content::Error { shared: Arc::clone(shared), until }
            }
            _ => Content::Nothing,
        }
    }
}

/// A span without a share of it.
pub(super) fn shortened(span: u64, share: f64) -> u64 {
    // To 53 bits, and saturating: a span is no more exact than the chance that shortens it.
    span.min((span as f64 * (1.0 - share)) as u64)
}
