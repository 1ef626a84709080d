//! Fetches: how one is set off, and what its task does. How it comes home is in `landing`.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use tracing::{Instrument, Span};

use super::chain;
use super::{Cacheable, Engine, FlightOf, SourceOf, Target};
use crate::base::clock::{Moment, nanos};
use crate::base::panics::{catch, catch_future};
use crate::base::sync::{Arc, Ordering};
use crate::base::tasks::{Handle, first, task};
use crate::events;
use crate::executor::context::{self, Here};
use crate::executor::{Live, Permit, Refresh, Refusal, housekeeper};
use crate::flight::Standing;
use crate::rules::policy::Policy;

/// A fetch that has claimed its key. Dropped before it came home it is lost, and gives the key back.
pub(crate) struct Job<C: Cacheable> {
    pub(super) engine: Arc<Engine<C>>,
    pub(super) target: Target<C::OwnedKey>,
    pub(super) source: SourceOf<C>,
    pub(super) flight: Arc<FlightOf<C>>,
    pub(super) progress: Progress,
    /// When its body began.
    pub(super) started: Moment,
    /// The breaker is open, and this is the trial of its period.
    pub(super) is_trial: bool,
    /// Its body has returned an error that is the answer of a healthy origin.
    pub(super) answers: bool,
    /// How many bodies are behind it that invalidated one another's keys.
    pub(super) links: u32,
    pub(super) here: Here,
    span: Span,
    /// What `settle` and `shutdown` wait for: dropped last.
    pub(super) live: Live,
}

/// How far a fetch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is to begin.
    Waiting,
    /// Its body runs, or is about to.
    Begun,
    /// It has given its key back and answered those who waited.
    Home,
}

impl<C: Cacheable> Job<C> {
    pub(super) fn new(
        engine: &Arc<Engine<C>>,
        here: &Here,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
        flight: Arc<FlightOf<C>>,
    ) -> Box<Self> {
        let mut job = Box::new(Self {
            engine: Arc::clone(engine),
            target: target.clone(),
            source: Arc::clone(source),
            progress: Progress::Waiting,
            started: Moment::PAST,
            is_trial: false,
            answers: false,
            links: 0,
            here: here.clone(),
            span: Span::none(),
            live: here.executor.enlist(here.handle.id(), flight.ticket, Arc::clone(&flight) as _),
            flight,
        });
        housekeeper::attend();
        // A subscriber is the user's code: where it panics, the job is there to give its key back.
        job.span = events::fetch_span(engine.name());
        job
    }

    /// Hands the fetch to the executor, as a refresh that nobody waits for.
    pub(super) fn submit(self: Box<Self>) {
        let (here, ticket, flight) = (self.here.clone(), self.flight.ticket, Arc::clone(&self.flight));
        let limit = self.engine.policy().max_refreshes;
        here.executor.submit(ticket, limit, self);
        // Someone may have come to wait before it stood in the queue, and did not find it there.
        if flight.waiting() > 0 {
            if let Some(refresh) = here.executor.withdraw(ticket) {
                refresh.start(None);
            }
        }
    }

    /// Begins the fetch: the claim, and the age of what it brings, count from here.
    pub(super) fn begin(mut self: Box<Self>, permit: Option<Permit>) {
        let policy = self.engine.policy_for(&self.source);
        let timeout = policy.as_ref().unwrap_or(self.engine.policy()).refresh_timeout;
        self.started = Moment::now();
        if !self.claim(timeout) {
            events::count(&self.engine.counters.skipped);
            self.progress = Progress::Home;
            return;
        }
        events::count(&self.engine.counters.fetches);
        events::count(&self.engine.counters.in_flight);
        self.progress = Progress::Begun;
        if let Some(permit) = &permit {
            permit.lasts_until(self.started.plus(nanos(timeout)));
        }
        self.flight.take_place(permit);
        if self.flight.waiting() > 0 {
            self.flight.give_place_back();
        }
        let span = std::mem::replace(&mut self.span, Span::none());
        match policy {
            // An option's expression panicked.
            Err(panic) => {
                let policy = *self.engine.policy();
                span.in_scope(|| self.land(Err(panic), &policy));
            }
            Ok(policy) => {
                let (handle, flight) = (self.here.handle.clone(), Arc::clone(&self.flight));
                // On a runtime that is gone the task is dropped at once, and the fetch is lost.
                flight.drive_on(&handle, timeout, Box::pin(run_fetch(self, policy).instrument(span)));
            }
        }
    }

    /// Starts the claim. Not where the flight was superseded while it waited, nor where nobody needs it any more.
    fn claim(&self, timeout: Duration) -> bool {
        let Self { engine, target, flight, here, started: now, .. } = self;
        let now = *now;
        let until = now.plus(nanos(timeout));
        let pins = engine.store.pins();
        engine.at(target, |claims, known| {
            let node = engine.store.resident(target.hash, known, &pins)?;
            let lane = claims.lane(here.lane);
            let windows = &engine.store.windows;
            let fresh =
                node.is_some_and(|node| node.has_value(now, windows) && !node.times(windows).due(now));
            if fresh && flight.waiting() == 0 && lane.holds(flight) {
                lane.end(flight);
                return Ok(false);
            }
            let run = lane.run(flight, until);
            if let (Some(Standing::Current), Some(node)) = (run, node) {
                node.set_no_refresh_until(until, windows);
            }
            Ok(run.is_some())
        })
    }
}

impl<C: Cacheable> Refresh for Job<C> {
    fn start(self: Box<Self>, permit: Option<Permit>) {
        self.begin(permit);
    }

    fn refuse(mut self: Box<Self>, why: Refusal) {
        // Someone may have come to wait meanwhile: such a fetch is never refused.
        if !self.leave(|job| job.flight.waiting() == 0) {
            return self.begin(None);
        }
        self.progress = Progress::Home;
        let engine = &self.engine;
        events::count(&engine.counters.refused);
        if why == Refusal::QueueFull && engine.refusals.passes(Moment::now()) {
            events::refreshes_refused(engine.name(), engine.counters.refused.load(Ordering::Relaxed));
        }
    }
}

/// The task of a fetch.
async fn run_fetch<C: Cacheable>(mut job: Box<Job<C>>, policy: Policy) {
    job.flight.begins_in(task::id());
    let runs_on = Handle::current();
    if runs_on.id() != job.here.handle.id() {
        events::fetch_moved(job.engine.name());
        job.here.handle = runs_on;
    }
    let here = job.here.clone();
    let mut timer = pin!(context::timer(&job.here.handle, policy.refresh_timeout));
    let shutdown = pin!(here.executor.limit_reached());
    let mut body = catch_future(chain::linked(job.links.saturating_add(1), Arc::clone(&job.source).run()));
    let ended = first(&mut body, pin!(first(timer.as_mut(), shutdown))).await;
    let returned = match ended {
        Ok(returned) => returned,
        Err(cut) => {
            // The place is free, and the fetch goes on for those alone who wait for it, or for the shutdown that it has
            // asked for itself.
            job.flight.give_place_back();
            job.flight.lapse();
            job.start_parked();
            let mut late = cut.is_ok();
            loop {
                let home = if late { job.time_out(&policy) } else { job.abort(&policy) };
                if let Some(home) = home {
                    drop(body);
                    return if late { job.end_timed_out(home) } else { job.end_aborted(home) };
                }
                here.executor.notify_progress();
                // What goes on after a shutdown lasts no longer than any other fetch.
                let timed_out = pin!(unless(late, timer.as_mut()));
                match first(&mut body, pin!(first(timed_out, pin!(job.abandoned_or_alive())))).await {
                    Ok(returned) => break returned,
                    Err(Ok(())) => late = true,
                    Err(Err(())) => {}
                }
            }
        }
    };
    drop(body);
    job.land(returned, &policy);
}

/// The future, or one that never completes.
async fn unless(not: bool, future: impl Future<Output = ()>) {
    if not {
        pending::<()>().await;
    }
    future.await;
}

impl<C: Cacheable> Job<C> {
    /// Until the last caller leaves; meanwhile it shows callers on other runtimes that it lives. (A paused clock would
    /// run away with such a timer, and `test-util` has no callers from other runtimes.)
    async fn abandoned_or_alive(&self) {
        if cfg!(feature = "test-util") {
            return self.flight.abandoned().await;
        }
        let tick = pin!(context::timer(&self.here.handle, Duration::from_secs(1)));
        if first(pin!(self.flight.abandoned()), tick).await.is_err() {
            self.flight.lapse();
        }
    }

    /// Gives the key back, where nobody waits and no type of the user's panics.
    fn leaves_unnoticed(&self) -> bool {
        catch(|| self.leave(|job| job.flight.waiting() == 0)).unwrap_or(false)
    }
}

/// Its runtime was dropped, or a type of the user's panicked on the way: nobody is left waiting, and no key held.
impl<C: Cacheable> Drop for Job<C> {
    fn drop(&mut self) {
        match self.progress {
            Progress::Home => {}
            Progress::Waiting if self.leaves_unnoticed() => {}
            Progress::Waiting | Progress::Begun => self.end_lost(),
        }
    }
}
