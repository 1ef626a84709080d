//! Fetches: how one is set off, what its task does, and how it comes home.

use std::time::Duration;

use super::{Engine, FlightOf, KeyOf, Landing, NodeOf, OriginOf, Target, first};
use crate::clock::{Moment, nanos};
use crate::context::{self, Here};
use crate::entry::Times;
use crate::events;
use crate::executor::{Live, Permit, Refresh};
use crate::failed::Failed;
use crate::flight::Ended;
use crate::key::KeyArgs;
use crate::outcome::Outcome;
use crate::panics::{caught, caught_future};
use crate::policy::Policy;
use crate::store::{Content, Node};
use crate::sync::{Arc, Ordering};

/// How long a key whose value is not to be stored (`lifetime_for` of zero) is left alone.
const NOT_STORED_REST: u64 = 1_000_000_000;

/// A fetch that has claimed its key and has not begun.
pub(crate) struct Job<A: KeyArgs, O: Outcome> {
    engine: Arc<Engine<A, O>>,
    here: Here,
    target: Target<KeyOf<A>>,
    origin: OriginOf<O>,
    flight: Arc<FlightOf<A, O>>,
    /// Ends with the fetch.
    live: Live,
}

/// What a fetch does to its key.
enum Verdict<A: KeyArgs, O: Outcome> {
    /// Stores a value, or the record that there is none to be stored.
    Store(Arc<NodeOf<A, O>>),
    /// Sets a back-off.
    Fail,
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
    pub(super) fn new(
        engine: &Arc<Engine<A, O>>,
        here: &Here,
        target: &Target<KeyOf<A>>,
        origin: &OriginOf<O>,
        flight: Arc<FlightOf<A, O>>,
    ) -> Box<Self> {
        Box::new(Self {
            engine: Arc::clone(engine),
            here: here.clone(),
            target: target.clone(),
            origin: Arc::clone(origin),
            flight,
            live: here.executor.enlist(here.handle.id()),
        })
    }

    /// Hands the fetch to the executor, as a refresh that nobody waits for.
    pub(super) fn submit(self: Box<Self>) {
        let (executor, ticket, flight) =
            (Arc::clone(&self.here.executor), self.flight.ticket, Arc::clone(&self.flight));
        let limit = self.engine.policy.max_refreshes;
        executor.submit(ticket, limit, self);
        // Someone may have come to wait before it stood in the queue, and did not find it there.
        if flight.waiting() > 0 {
            if let Some(refresh) = executor.withdraw(ticket) {
                refresh.start(None);
            }
        }
    }

    /// Begins the fetch: the claim, and the age of what it brings, count from here.
    pub(super) fn begin(self: Box<Self>, permit: Option<Permit>) {
        let policy = self.policy();
        let timeout = match &policy {
            Ok(policy) => policy.refresh_timeout,
            Err(_) => self.engine.policy.refresh_timeout,
        };
        let started = Moment::now();
        if !self.claim(started, timeout) {
            events::count(&self.engine.counters.skipped);
            return;
        }
        events::count(&self.engine.counters.fetches);
        events::count(&self.engine.counters.in_flight);
        let handle = self.here.handle.clone();
        let aloft = Aloft { job: Some(self), permit: None };
        match policy {
            Err(message) => aloft.land_panicked(&message),
            // On a runtime that is gone the task is dropped at once, and the fetch is lost.
            Ok(policy) => drop(handle.spawn(fly(aloft, policy, started, permit))),
        }
    }

    /// The options for these arguments; `Err` where an expression panics.
    fn policy(&self) -> Result<Policy, String> {
        self.engine.policy_for(&self.origin)
    }

    /// Starts the claim. Not where the flight was superseded while it waited, nor where nobody needs it any more.
    fn claim(&self, now: Moment, timeout: Duration) -> bool {
        let Self { engine, target, flight, here, .. } = self;
        let until = now.plus(nanos(timeout));
        let guard = engine.store.guard();
        engine.at(target, |desk, known| {
            let node = engine.store.resident(target.hash, known, &guard)?;
            let lane = desk.lane(here.lane);
            let fresh = node.as_ref().is_some_and(|node| node.has_value(now) && !node.times().due(now));
            if fresh && flight.waiting() == 0 && lane.holds(flight) {
                lane.end(flight);
                return Ok(false);
            }
            let run = lane.run(flight, until);
            if let (Some(Ended::Current), Some(node)) = (run, &node) {
                node.hint(until);
            }
            Ok(run.is_some())
        })
    }
}

impl<A: KeyArgs, O: Outcome> Refresh for Job<A, O> {
    fn start(self: Box<Self>, permit: Option<Permit>) {
        self.begin(permit);
    }

    fn refuse(self: Box<Self>) {
        let Self { engine, target, flight, here, .. } = &*self;
        let guard = engine.store.guard();
        let refused = engine.at(target, |desk, known| {
            let node = engine.store.resident(target.hash, known, &guard)?;
            if flight.waiting() > 0 {
                return Ok(false);
            }
            if desk.lane(here.lane).end(flight) == Some(Ended::Current) {
                if let Some(node) = node {
                    node.hint_rest_only();
                }
            }
            Ok(true)
        });
        drop(guard);
        if !refused {
            // Someone came to wait meanwhile: such a fetch is never refused.
            return self.begin(None);
        }
        events::count(&engine.counters.refused);
        if engine.refusals.passes(Moment::now()) {
            events::refreshes_refused(engine.name, engine.counters.refused.load(Ordering::Relaxed));
        }
    }
}

/// The task of a fetch.
async fn fly<A: KeyArgs, O: Outcome>(
    mut aloft: Aloft<A, O>,
    policy: Policy,
    started: Moment,
    permit: Option<Permit>,
) {
    aloft.permit = permit;
    let Some(job) = &aloft.job else { return };
    let timer = context::timer(&job.here.handle, policy.refresh_timeout);
    let mut body = caught_future(job.origin.run());
    let returned = match first(&mut body, timer).await {
        Ok(returned) => returned,
        Err(()) => {
            // The claim has lapsed: the place is free, and the fetch goes on for those alone who wait for it.
            drop(aloft.permit.take());
            let Some(job) = &aloft.job else { return };
            job.flight.lapse();
            loop {
                if aloft.land_timed_out(&policy) {
                    return;
                }
                let Some(job) = &aloft.job else { return };
                if let Ok(returned) = first(&mut body, job.flight.abandoned()).await {
                    break returned;
                }
            }
        }
    };
    aloft.land(returned, &policy, started);
}

/// A fetch that runs. Dropped without having landed, it is lost.
struct Aloft<A: KeyArgs, O: Outcome> {
    job: Option<Box<Job<A, O>>>,
    permit: Option<Permit>,
}

impl<A: KeyArgs, O: Outcome> Drop for Aloft<A, O> {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            events::fetch_lost(job.engine.name);
            if let Some(home) = job.come_home(&Verdict::Lost, None, |_| true) {
                job.finish(home, Landing::Lost, None);
            }
        }
    }
}

impl<A: KeyArgs, O: Outcome> Aloft<A, O> {
    /// The body is done.
    fn land(mut self, returned: Result<O::Return, String>, policy: &Policy, started: Moment) {
        let Some(job) = self.job.take() else { return };
        job.warn_if_slow(policy, started);
        match returned.map(O::split) {
            Err(message) => job.land_panicked(&message, policy),
            Ok(Err(error)) => job.land_failed(error, policy),
            Ok(Ok(value)) => job.land_value(value, policy, started),
        }
    }

    /// An option's expression panicked before the body could run.
    fn land_panicked(mut self, message: &str) {
        let Some(job) = self.job.take() else { return };
        let policy = job.engine.policy;
        job.land_panicked(message, &policy);
    }

    /// Aborts a fetch that has lapsed, unless somebody waits for it. Whether it did.
    fn land_timed_out(&mut self, policy: &Policy) -> bool {
        let Some(job) = &self.job else { return true };
        let unless_waited_for = |job: &Job<A, O>| job.flight.waiting() == 0;
        let Some(home) = job.come_home(&Verdict::Fail, Some(policy), unless_waited_for) else { return false };
        let Some(job) = self.job.take() else { return true };
        events::count(&job.engine.counters.timeouts);
        if home.counts {
            events::fetch_timed_out(job.engine.name, policy.refresh_timeout);
        }
        job.finish(home, Landing::TimedOut, None);
        true
    }
}

impl<A: KeyArgs, O: Outcome> Job<A, O> {
    fn land_value(self: Box<Self>, value: O::Value, policy: &Policy, started: Moment) {
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
        if let Some(home) = self.come_home(&verdict, Some(policy), |_| true) {
            let admitted = home.counts.then_some(stored);
            self.finish(home, Landing::Value(node), admitted);
        }
    }

    fn land_failed(self: Box<Self>, error: O::Error, policy: &Policy) {
        let Self { engine, origin, flight, .. } = &*self;
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
            let kept = policy.cache_err.and(failed.kept()).map(Arc::clone);
            let prepared = failed.kept().is_some();
            let home = self.come_home_failed(policy, kept.as_ref(), |job| prepared || !job.is_shared());
            let Some(home) = home else { continue };
            if home.counts && !home.rested {
                events::fetch_failed(engine.name, &failed.message);
            }
            return self.finish(home, Landing::Failed(Arc::new(failed)), None);
        }
    }

    fn land_panicked(self: Box<Self>, message: &str, policy: &Policy) {
        events::count(&self.engine.counters.panics);
        events::fetch_panicked(self.engine.name, message);
        if let Some(home) = self.come_home(&Verdict::Fail, Some(policy), |_| true) {
            self.finish(home, Landing::Panicked(message.into()), None);
        }
    }

    /// Whether others wait than the call that started the fetch.
    fn is_shared(&self) -> bool {
        self.flight.waiting() > usize::from(self.flight.leader_waits())
    }

    fn come_home_failed(
        &self,
        policy: &Policy,
        kept: Option<&super::ErrorOf<O>>,
        ready: impl Fn(&Self) -> bool,
    ) -> Option<Homecoming<A, O>> {
        self.come_home_with(&Verdict::Fail, Some(policy), kept, ready)
    }

    fn come_home(
        &self,
        verdict: &Verdict<A, O>,
        policy: Option<&Policy>,
        ready: impl Fn(&Self) -> bool,
    ) -> Option<Homecoming<A, O>> {
        self.come_home_with(verdict, policy, None, ready)
    }

    /// Gives the key back and does to it what the fetch brought, in one step. `None` where it is not `ready` yet.
    fn come_home_with(
        &self,
        verdict: &Verdict<A, O>,
        policy: Option<&Policy>,
        kept: Option<&super::ErrorOf<O>>,
        ready: impl Fn(&Self) -> bool,
    ) -> Option<Homecoming<A, O>> {
        let Self { engine, target, flight, here, .. } = self;
        let store = &engine.store;
        let now = Moment::now();
        let policy = policy.unwrap_or(&engine.policy);
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
                Verdict::Fail if counts => {
                    let failures = node.as_ref().map_or(0, |node| node.failures()).saturating_add(1);
                    let rest = nanos(policy.backoff(failures).mul_f64(1.0 - chance / 2.0));
                    match &node {
                        Some(node) if node.has_value(now) => node.rest(now.plus(rest), failures),
                        _ => {
                            let content = engine.error_content(kept, policy, now);
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
    fn finish(
        self: Box<Self>,
        home: Homecoming<A, O>,
        landing: Landing<A, O>,
        stored: Option<Arc<NodeOf<A, O>>>,
    ) {
        let Homecoming { counts, record, answers, next, .. } = home;
        let Self { engine, flight, live, .. } = *self;
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

    fn warn_if_slow(&self, policy: &Policy, started: Moment) {
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
        content: Content<O::Value, super::ErrorOf<O>>,
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
        kept: Option<&super::ErrorOf<O>>,
        policy: &Policy,
        now: Moment,
    ) -> Content<O::Value, super::ErrorOf<O>> {
        match (kept, policy.cache_err) {
            (Some(shared), Some(time)) => {
                Content::Error { shared: Arc::clone(shared), until: now.plus(nanos(time)) }
            }
            _ => Content::Nothing,
        }
    }
}
