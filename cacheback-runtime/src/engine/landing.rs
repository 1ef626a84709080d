//! How a fetch comes home: what it does to its key, in one step under the lock, and who is answered with what.

use std::time::Duration;

use super::fetch::Job;
use super::{Engine, ErrorOf, FlightOf, KeyOf, Landing, NodeOf, OriginOf, Target};
use crate::clock::{Moment, nanos};
use crate::entry::Times;
use crate::events;
use crate::failed::Failed;
use crate::key::KeyArgs;
use crate::outcome::Outcome;
use crate::panics::caught;
use crate::policy::Policy;
use crate::store::{Content, Node};
use crate::sync::{Arc, Ordering};

/// How long a key whose value is not to be stored (`lifetime_for` of zero) is left alone.
const NOT_STORED_REST: u64 = 1_000_000_000;

/// What a fetch does to its key.
enum Verdict<A: KeyArgs, O: Outcome> {
    /// Stores a value, or the record that there is none to be stored.
    Store(Arc<NodeOf<A, O>>),
    /// Sets a back-off; where the key has no value, an error may be kept.
    Fail { kept: Option<ErrorOf<O>> },
    /// Leaves the key as it is.
    Lost,
}

/// What happened at the desk when a fetch came home.
struct Homecoming<A: KeyArgs, O: Outcome> {
    /// It held its key and its outcome counts.
    counts: bool,
    /// The key was in back-off already.
    rested: bool,
    /// Made by a failure that left the key without a value.
    record: Option<Arc<NodeOf<A, O>>>,
    /// Those who wait for a lapsed fetch are answered by this one.
    answers: Vec<Arc<FlightOf<A, O>>>,
    /// Waited for this body's end.
    next: Option<Box<Job<A, O>>>,
}

impl<A: KeyArgs, O: Outcome> Job<A, O> {
    pub(super) fn land_value(self, value: O::Value, policy: &Policy, started: Moment) {
        let lifetime = match caught(|| self.origin.lifetime_for(&value)) {
            Ok(lifetime) => lifetime,
            Err(message) => return self.land_panicked(&message, policy),
        };
        let node = self.engine.value_node(&self.target, self.flight.epoch, value, started, policy, lifetime);
        let stored = if lifetime.is_some_and(|lifetime| lifetime.is_zero()) {
            let now = Moment::now();
            self.engine.resting_node(
                &self.target,
                self.flight.epoch,
                Content::Nothing,
                now,
                NOT_STORED_REST,
                0,
                0,
            )
        } else {
            Arc::clone(&node)
        };
        let verdict = Verdict::Store(Arc::clone(&stored));
        if let Some(home) = self.come_home(&verdict, policy, |_| true) {
            let admitted = home.counts.then_some(stored);
            self.finish(home, Landing::Value(node), admitted);
        }
    }

    pub(super) fn land_failed(self, error: O::Error, policy: &Policy) {
        let Self { engine, origin, flight, .. } = &self;
        events::count(&engine.counters.errors);
        let mut failed = match caught(|| {
            let message = origin.describe()(&error);
            Failed::new(error, message)
        }) {
            Ok(failed) => failed,
            Err(message) => return self.land_panicked(&message, policy),
        };
        // Those who wait share the error, and so do later callers where it is kept. Who waits is certain only under
        // the lock: where someone came meanwhile, it is prepared for sharing and brought home again.
        loop {
            let shared = policy.cache_err.is_some() || self.is_shared();
            if shared {
                let prepared = caught(|| failed.keep(engine.name, origin.share(), flight.leader_waits()));
                if let Err(message) = prepared {
                    return self.land_panicked(&message, policy);
                }
            }
            let prepared = failed.kept().is_some();
            let verdict = Verdict::Fail { kept: policy.cache_err.and(failed.kept()).map(Arc::clone) };
            let home = self.come_home(&verdict, policy, |job| prepared || !job.is_shared());
            let Some(home) = home else { continue };
            if home.counts && !home.rested {
                events::fetch_failed(engine.name, &failed.message);
            }
            return self.finish(home, Landing::Failed(Arc::new(failed)), None);
        }
    }

    pub(super) fn land_panicked(self, message: &str, policy: &Policy) {
        events::count(&self.engine.counters.panics);
        events::fetch_panicked(self.engine.name, message);
        if let Some(home) = self.come_home(&Verdict::Fail { kept: None }, policy, |_| true) {
            self.finish(home, Landing::Panicked(message.into()), None);
        }
    }

    /// The task was dropped before its end.
    pub(super) fn land_lost(self) {
        events::fetch_lost(self.engine.name);
        if let Some(home) = self.come_home(&Verdict::Lost, &self.engine.policy, |_| true) {
            self.finish(home, Landing::Lost, None);
        }
    }

    /// The claim has lapsed. Comes back where somebody waits: the fetch goes on for them.
    pub(super) fn land_timed_out(self, policy: &Policy) -> Option<Self> {
        let nobody_waits = |job: &Self| job.flight.waiting() == 0;
        let Some(home) = self.come_home(&Verdict::Fail { kept: None }, policy, nobody_waits) else {
            return Some(self);
        };
        events::count(&self.engine.counters.timeouts);
        if home.counts {
            events::fetch_timed_out(self.engine.name, policy.refresh_timeout);
        }
        self.finish(home, Landing::TimedOut, None);
        None
    }

    /// Whether others wait than the call that started the fetch.
    fn is_shared(&self) -> bool {
        self.flight.waiting() > usize::from(self.flight.leader_waits())
    }

    /// Gives the key back and does to it what the fetch brought, in one step. `None` where it is not `ready` yet.
    fn come_home(
        &self,
        verdict: &Verdict<A, O>,
        policy: &Policy,
        ready: impl Fn(&Self) -> bool,
    ) -> Option<Homecoming<A, O>> {
        let Self { engine, target, flight, here, .. } = self;
        let store = &engine.store;
        let now = Moment::now();
        let chance = fastrand::f64();
        let guard = store.guard();
        engine.at(target, |desk, known| {
            let node = store.resident(target.hash, known, &guard)?;
            if !ready(self) {
                return Ok(None);
            }
            let lane = desk.lane(here.lane);
            let counts = lane.holds(flight) && store.epoch() == flight.epoch;
            let rested = node.as_ref().is_some_and(|node| now < node.facts().rests_until);
            let mut record = None;
            match verdict {
                Verdict::Store(stored) if counts => store.put(stored, known, &guard)?,
                Verdict::Fail { kept } if counts => {
                    let failures = node.as_ref().map_or(0, |node| node.failures()).saturating_add(1);
                    let rest = nanos(policy.backoff(failures).mul_f64(1.0 - chance / 2.0));
                    match &node {
                        Some(node) if node.has_value(now) => node.rest(now.plus(rest), failures),
                        _ => {
                            let content = engine.error_content(kept.as_ref(), policy, now);
                            let keep = nanos(policy.max_backoff);
                            let node =
                                engine.resting_node(target, flight.epoch, content, now, rest, keep, failures);
                            store.put(&node, known, &guard)?;
                            record = Some(node);
                        }
                    }
                }
                Verdict::Lost if counts => {
                    if let Some(node) = &node {
                        node.hint_rest_only();
                    }
                }
                _ => {}
            }
            let _ = lane.end(flight);
            let brings_value = counts && matches!(verdict, Verdict::Store(node) if node.has_value(now));
            let answers = if brings_value { lane.lapsed(now) } else { Vec::new() };
            let next = lane.unpark(now);
            Ok(Some(Homecoming { counts, rested, record, answers, next }))
        })
    }

    /// After the lock: counts, answers those who wait, and starts what waited for this body's end.
    fn finish(self, home: Homecoming<A, O>, landing: Landing<A, O>, stored: Option<Arc<NodeOf<A, O>>>) {
        let Homecoming { counts, record, answers, next, .. } = home;
        let Self { engine, flight, live, .. } = self;
        if !counts && !matches!(landing, Landing::Lost) {
            events::count(&engine.counters.discarded);
            events::fetch_discarded(engine.name);
        }
        engine.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        for lapsed in answers {
            lapsed.land(landing.clone());
        }
        flight.land(landing);
        if let Some(node) = stored.or(record) {
            engine.store.admit(&node);
        }
        if let Some(next) = next {
            next.submit();
        }
        drop(live);
    }

    pub(super) fn warn_if_slow(&self, policy: &Policy, started: Moment) {
        let took = Duration::from_nanos(Moment::now().since(started));
        if took > policy.lifetime && !self.engine.slow_body.swap(true, Ordering::Relaxed) {
            events::slower_than_lifetime(self.engine.name, took, policy.lifetime);
        }
    }
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
        epoch: u64,
        value: O::Value,
        started: Moment,
        policy: &Policy,
        own: Option<Duration>,
    ) -> Arc<NodeOf<A, O>> {
        let mut lifetime = own.unwrap_or(policy.lifetime);
        if policy.jitter > 0.0 && !lifetime.is_zero() {
            lifetime = lifetime.mul_f64(1.0 - policy.jitter * fastrand::f64()).max(Duration::from_nanos(1));
        }
        let times = Times::new(policy, started, lifetime);
        let key = Arc::clone(&target.key);
        Arc::new(Node::new(key, target.hash, epoch, self.store.stamp(), times, Content::Value(value)))
    }

    /// A node without a value: the key rests for `rest` nanoseconds, and the record lasts `keep` longer.
    #[allow(clippy::too_many_arguments)]
    fn resting_node(
        &self,
        target: &Target<KeyOf<A>>,
        epoch: u64,
        content: Content<O::Value, ErrorOf<O>>,
        now: Moment,
        rest: u64,
        keep: u64,
        failures: u32,
    ) -> Arc<NodeOf<A, O>> {
        let until = match &content {
            Content::Error { until, .. } => (*until).max(now.plus(rest)),
            _ => now.plus(rest),
        };
        let retention = until.since(now).saturating_add(keep);
        let times = Times { started: now, lifetime: 0, max_stale: 0, retention, ahead: 0 };
        let key = Arc::clone(&target.key);
        let node = Node::new(key, target.hash, epoch, self.store.stamp(), times, content);
        node.rest(now.plus(rest), failures);
        Arc::new(node)
    }

    fn error_content(
        &self,
        kept: Option<&ErrorOf<O>>,
        policy: &Policy,
        now: Moment,
    ) -> Content<O::Value, ErrorOf<O>> {
        match (kept, policy.cache_err) {
            (Some(shared), Some(time)) => {
                Content::Error { shared: Arc::clone(shared), until: now.plus(nanos(time)) }
            }
            _ => Content::Nothing,
        }
    }
}
