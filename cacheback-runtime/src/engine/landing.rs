//! How a fetch comes home: what it does to its key, in one step under the lock, and who is answered with what.

use std::time::Duration;

use super::fetch::{Job, Progress};
use super::record::{Rest, shortened};
use super::{ErrorOf, FlightOf, Landing, NodeOf};
use crate::clock::{Moment, nanos};
use crate::events;
use crate::failed::Failed;
use crate::flight::Ended;
use crate::key::KeyArgs;
use crate::outcome::Outcome;
use crate::panics::caught;
use crate::policy::Policy;
use crate::sync::{Arc, Ordering};

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
pub(super) struct Homecoming<A: KeyArgs, O: Outcome> {
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
    /// The body is done; `Err` is the message of a panic.
    pub(super) fn land(&mut self, returned: Result<O::Return, String>, policy: &Policy, started: Moment) {
        self.warn_if_slow(policy, started);
        let landed = caught(|| match returned.map(O::split) {
            Err(message) => Err(message),
            Ok(Err(error)) => self.land_failed(error, policy),
            Ok(Ok(value)) => self.land_value(value, policy, started),
        });
        let Err(message) = landed.and_then(|landed| landed) else { return };
        // Where a type of the user's goes on panicking the key is not found by it: it is given back without.
        if self.progress != Progress::Home && caught(|| self.land_panicked(&message, policy)).is_err() {
            self.give_up(Landing::Panicked(message.into()));
        }
    }

    /// `Err` is the message of a panic in `lifetime_for`.
    fn land_value(&mut self, value: O::Value, policy: &Policy, started: Moment) -> Result<(), String> {
        let lifetime = caught(|| self.origin.lifetime_for(&value))?;
        let node = self.engine.value_node(&self.target, value, started, policy, lifetime);
        let stored = if lifetime.is_some_and(|lifetime| lifetime.is_zero()) {
            self.engine.not_stored_node(&self.target)
        } else {
            Arc::clone(&node)
        };
        if let Some(home) = self.come_home(&Verdict::Store(Arc::clone(&stored)), policy, |_| true) {
            let stored = home.counts.then_some(stored);
            self.finish(home, Landing::Value(node), stored);
        }
        Ok(())
    }

    /// `Err` is the message of a panic of the error's own code.
    fn land_failed(&mut self, error: O::Error, policy: &Policy) -> Result<(), String> {
        let describe = self.origin.describe();
        let mut failed = caught(move || {
            let message = describe(&error);
            Failed::new(error, message)
        })?;
        // Those who wait share the error, and so do later callers where it is kept. Who waits is certain only under
        // the lock: where someone came meanwhile, it is prepared for sharing and brought home again.
        loop {
            if policy.cache_err.is_some() || self.is_shared() {
                caught(|| failed.keep(self.engine.name, self.origin.share(), self.flight.leader_waits()))?;
            }
            let prepared = failed.kept().is_some();
            let verdict = Verdict::Fail { kept: policy.cache_err.and(failed.kept()).map(Arc::clone) };
            let home = self.come_home(&verdict, policy, |job| prepared || !job.is_shared());
            let Some(home) = home else { continue };
            events::count(&self.engine.counters.errors);
            if home.counts && !home.rested {
                events::fetch_failed(self.engine.name, &failed.message);
            }
            self.finish(home, Landing::Failed(Arc::new(failed)), None);
            return Ok(());
        }
    }

    fn land_panicked(&mut self, message: &str, policy: &Policy) {
        events::count(&self.engine.counters.panics);
        events::fetch_panicked(self.engine.name, message);
        if let Some(home) = self.come_home(&Verdict::Fail { kept: None }, policy, |_| true) {
            self.finish(home, Landing::Panicked(message.into()), None);
        }
    }

    /// The claim has lapsed: ends the fetch, unless somebody waits for it.
    pub(super) fn time_out(&self, policy: &Policy) -> Option<Homecoming<A, O>> {
        self.come_home(&Verdict::Fail { kept: None }, policy, |job| job.flight.waiting() == 0)
    }

    /// After [`time_out`](Job::time_out), when the body is dropped.
    pub(super) fn land_timed_out(&mut self, home: Homecoming<A, O>, policy: &Policy) {
        events::count(&self.engine.counters.timeouts);
        let counts = home.counts;
        self.finish(home, Landing::TimedOut, None);
        if counts {
            events::fetch_timed_out(self.engine.name, policy.refresh_timeout);
        }
    }

    /// The claim has lapsed, and holds nothing up any more: what waits for the end of this body need not.
    pub(super) fn start_parked(&self) {
        let Self { engine, target, here, .. } = self;
        let now = Moment::now();
        if let Some(next) = engine.at(target, |desk, _| Ok(desk.lane(here.lane).unpark(now))) {
            next.submit();
        }
    }

    /// It has no end. Whatever happens on the way, those who wait are told.
    pub(super) fn land_lost(&mut self) {
        let policy = self.engine.policy;
        match caught(|| self.come_home(&Verdict::Lost, &policy, |_| true)) {
            Ok(Some(home)) => self.finish(home, Landing::Lost, None),
            Ok(None) | Err(_) => self.give_up(Landing::Lost),
        }
        let _ = caught(|| events::fetch_lost(self.engine.name));
    }

    /// Gives the key back by the flight alone, and answers those who wait.
    fn give_up(&mut self, landing: Landing<A, O>) {
        self.engine.flights.evict(self.target.hash, &self.flight);
        self.come_down();
        self.flight.land(landing);
    }

    /// Gives the key back without a fetch, where it is not `ready` to be one. Whether it did.
    pub(super) fn leave(&self, ready: impl Fn(&Self) -> bool) -> bool {
        let Self { engine, target, flight, here, .. } = self;
        let now = Moment::now();
        let guard = engine.store.guard();
        let left = engine.at(target, |desk, known| {
            let node = engine.store.resident(target.hash, known, &guard)?;
            if !ready(self) {
                return Ok(None);
            }
            let lane = desk.lane(here.lane);
            if let (Some(Ended::Current), Some(node)) = (lane.end(flight), node) {
                node.hint_rest_only();
            }
            Ok(Some(lane.unpark(now)))
        });
        drop(guard);
        if let Some(Some(next)) = left {
            next.submit();
            return true;
        }
        left.is_some()
    }

    /// It is home: counted no more.
    fn come_down(&mut self) {
        self.flight.give_place_back();
        if self.progress == Progress::Begun {
            self.engine.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        self.progress = Progress::Home;
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
            let newer = |node: &NodeOf<A, O>| {
                matches!(verdict, Verdict::Store(own) if node.has_value(now) && own.started() < node.started())
            };
            let counts = lane.holds(flight)
                && store.epoch() == flight.epoch()
                // Only another runtime's, under `test-util`: elsewhere it would have superseded this one.
                && !node.as_ref().is_some_and(|node| newer(node));
            let rested = node.as_ref().is_some_and(|node| now < node.facts().rests_until);
            let mut record = None;
            match verdict {
                Verdict::Store(stored) if counts => store.put(stored, flight.epoch(), known, &guard)?,
                Verdict::Fail { kept } if counts => {
                    let failures = node.as_ref().map_or(0, |node| node.failures()).saturating_add(1);
                    let span = shortened(nanos(policy.backoff(failures)), chance / 2.0);
                    let keep = nanos(policy.max_backoff);
                    match &node {
                        Some(node) if node.has_value(now) => node.rest(now.plus(span), failures, keep),
                        _ => {
                            let content = engine.error_content(kept.as_ref(), policy, now);
                            let rest = Rest { from: now, span, keep, failures };
                            let node = engine.resting_node(target, content, &rest);
                            store.put(&node, flight.epoch(), known, &guard)?;
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
    fn finish(&mut self, home: Homecoming<A, O>, landing: Landing<A, O>, stored: Option<Arc<NodeOf<A, O>>>) {
        let Homecoming { counts, record, answers, next, .. } = home;
        let has_outcome = !matches!(landing, Landing::Lost | Landing::TimedOut);
        if has_outcome && !counts {
            events::count(&self.engine.counters.discarded);
            events::fetch_discarded(self.engine.name);
        }
        self.come_down();
        for lapsed in answers {
            lapsed.land(landing.clone());
        }
        self.flight.land(landing);
        if let Some(node) = stored.or(record) {
            self.engine.store.admit(&node);
        }
        if let Some(next) = next {
            next.submit();
        }
    }

    fn warn_if_slow(&self, policy: &Policy, started: Moment) {
        let took = Duration::from_nanos(Moment::now().since(started));
        if took > policy.lifetime && !self.engine.slow_body.swap(true, Ordering::Relaxed) {
            events::slower_than_lifetime(self.engine.name, took, policy.lifetime);
        }
    }
}
