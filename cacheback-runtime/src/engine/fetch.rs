//! Fetches: how one is set off, and what its task does. How it comes home is in `landing`.

use std::time::Duration;

use super::{Engine, FlightOf, KeyOf, OriginOf, Target, first};
use crate::clock::{Moment, nanos};
use crate::context::{self, Here};
use crate::events;
use crate::executor::{Live, Permit, Refresh};
use crate::flight::Ended;
use crate::key::KeyArgs;
use crate::outcome::Outcome;
use crate::panics::caught_future;
use crate::policy::Policy;
use crate::sync::{Arc, Ordering};

/// A fetch that has claimed its key and has not begun.
pub(crate) struct Job<A: KeyArgs, O: Outcome> {
    pub(super) engine: Arc<Engine<A, O>>,
    pub(super) here: Here,
    pub(super) target: Target<KeyOf<A>>,
    pub(super) origin: OriginOf<O>,
    pub(super) flight: Arc<FlightOf<A, O>>,
    /// Ends with the fetch.
    pub(super) live: Live,
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
    pub(super) fn begin(self, permit: Option<Permit>) {
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
    job: Option<Job<A, O>>,
    permit: Option<Permit>,
}

impl<A: KeyArgs, O: Outcome> Drop for Aloft<A, O> {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            job.land_lost();
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
        self.job = self.job.take().and_then(|job| job.land_timed_out(policy));
        self.job.is_none()
    }
}
