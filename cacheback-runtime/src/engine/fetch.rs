//! Fetches: each is started here, and runs as a task. `limits` holds one up to its time-out, and `commit` ends it.

use std::time::Duration;

use tracing::Span;

use super::shared::{self, HeldLease, HeldOrder, Look, MessageEpoch};
use super::{Cacheable, Engine, FlightOf, SourceOf, Target, chain};
use crate::base::clock::{Moment, nanos};
use crate::base::panics::{Panic, catch, catch_future};
use crate::base::sync::{Arc, Ordering};
use crate::base::tasks::{Handle, now_or_later, task};
use crate::events;
use crate::executor::context::Here;
use crate::executor::{Fetch, Live, Permit, Refresh, Refusal, housekeeper};
use crate::flight::Standing;
use crate::rules::policy::Policy;

/// A fetch that has claimed its key. If it is dropped before its end, it is lost: it gives the key back, and the
/// waiting callers are told.
pub(crate) struct Job<C: Cacheable> {
    pub(super) engine: Arc<Engine<C>>,
    pub(super) target: Target<C::OwnedKey>,
    pub(super) source: SourceOf<C>,
    pub(super) flight: Arc<FlightOf<C>>,
    pub(super) progress: Progress,
    /// When the body began.
    pub(super) started: Moment,
    /// The breaker is open, and this fetch is the trial of the period.
    pub(super) is_trial: bool,
    pub(super) demand: Demand,
    /// The body has returned an error that is no outage, but the answer of a healthy origin.
    pub(super) error_is_answer: bool,
    /// How many bodies have led to this fetch, each by invalidating the key of the next: see `chain`.
    pub(super) links: u32,
    pub(super) here: Here,
    /// The right to fetch the key, from the second tier.
    pub(super) lease: Option<HeldLease>,
    /// The job of a worker that it runs.
    pub(super) order: Option<HeldOrder>,
    /// How often messages may have been lost before it read.
    pub(super) epoch: Option<MessageEpoch>,
    /// It looks at a suspect value.
    pub(super) look: Option<Look>,
    pub(super) span: Span,
    /// Dropped last, because `settle` and `shutdown` wait until it is dropped.
    pub(super) live: Live,
}

/// The value of the second tier that a fetch takes in place of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// One that is newer than the one here, or fresh.
    Newer,
    /// A fresh one: the key was invalidated, there as well, and what is fresh has come after that.
    Fresh,
    /// None, as `refresh` has asked for a fetch. But it joins one that runs elsewhere.
    Fetched,
}

/// How far a fetch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It has not begun: it is queued, parked or being started.
    Waiting,
    /// The second tier is asked.
    Asking,
    /// The body runs, or is about to.
    Begun,
    /// It has given its key back. Nothing is left for `Drop` to do.
    Done,
}

impl<C: Cacheable> Job<C> {
    pub(super) fn new(
        engine: &Arc<Engine<C>>,
        here: &Here,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
        flight: Arc<FlightOf<C>>,
    ) -> Self {
        let mut job = Self {
            engine: Arc::clone(engine),
            target: target.clone(),
            source: Arc::clone(source),
            progress: Progress::Waiting,
            started: Moment::PAST,
            is_trial: false,
            demand: Demand::Newer,
            error_is_answer: false,
            links: 0,
            here: here.clone(),
            lease: None,
            order: None,
            epoch: None,
            look: None,
            span: Span::none(),
            live: here.executor.enlist(
                here.process,
                here.handle.id(),
                flight.ticket,
                Arc::clone(&flight) as _,
            ),
            flight,
        };
        housekeeper::attend(here.process);
        // A subscriber is user code. If it panics, the job is already there to give its key back.
        job.span = events::fetch_span(engine.name());
        job
    }

    /// Hands the fetch to the executor as a refresh, for which nobody waits.
    pub(super) fn submit(self: Box<Self>) {
        let (here, ticket, flight) = (self.here.clone(), self.flight.ticket, Arc::clone(&self.flight));
        let limit = self.engine.policy().max_refreshes;
        here.executor.submit(ticket, limit, self);
        // A caller who came to wait before the fetch was in the queue did not find it there.
        if flight.waiting() > 0 {
            if let Some(refresh) = here.executor.withdraw(ticket) {
                refresh.start(None);
            }
        }
    }

    /// Begins the fetch. The time-out of its claim and the age of its value count from here.
    pub(super) fn begin(mut self, permit: Option<Permit>) {
        let varied = self.engine.varied(&self.source);
        let policy = varied.as_ref().ok().and_then(Option::as_deref).unwrap_or(self.engine.policy());
        let timeout = policy.refresh_timeout;
        // The flight of a caller who waits may run already.
        if !self.flight.has_begun() {
            self.started = Moment::now();
            if !self.claim(timeout) {
                events::count(&self.engine.counters.skipped);
                self.is_unneeded();
                self.progress = Progress::Done;
                return;
            }
        }
        if self.engine.shared.is_some() {
            self.progress = Progress::Asking;
        } else {
            self.begin_body();
        }
        if let Some(permit) = &permit {
            permit.lasts_until(self.started.plus(nanos(timeout)));
        }
        if permit.is_some() {
            self.flight.take_place(permit);
            if self.flight.waiting() > 0 {
                self.flight.give_place_back();
            }
        }
        let span = std::mem::replace(&mut self.span, Span::none());
        match varied {
            // An expression of an option has panicked.
            Err(panic) => {
                let policy = *self.engine.policy();
                span.in_scope(|| self.complete(Err(panic), &policy));
            }
            Ok(varied) => {
                let (handle, flight) = (self.here.handle.clone(), Arc::clone(&self.flight));
                // If the runtime is gone, the task is dropped at once and the fetch is lost.
                flight.drive_on(&handle, timeout, span, Box::pin(run_fetch(self, varied)));
            }
        }
    }

    /// The body runs, or is about to.
    pub(super) fn begin_body(&mut self) {
        events::count(&self.engine.counters.fetches);
        events::count(&self.engine.counters.in_flight);
        self.progress = Progress::Begun;
    }

    /// Starts the time-out of the claim. `false` if the body need not run: the flight was superseded while it waited,
    /// or its key became fresh meanwhile and nobody waits.
    fn claim(&self, timeout: Duration) -> bool {
        let Self { engine, target, flight, here, started: now, .. } = self;
        let now = *now;
        let until = now.plus(nanos(timeout));
        let pins = engine.store.pins();
        engine.with_claims(target, |claims, known| {
            let node = engine.store.resident(target.hash, known, &pins)?;
            let lane = claims.lane(here.lane);
            let windows = &engine.store.windows;
            let fresh =
                node.is_some_and(|node| node.has_value(now, windows) && !node.times(windows).due(now));
            // Whether a job is still needed is known to the second tier.
            if fresh && self.order.is_none() && flight.waiting() == 0 && lane.holds(flight) {
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
        (*self).begin(permit);
    }

    fn refuse(mut self: Box<Self>, why: Refusal, version: u64) {
        // A caller may have come to wait meanwhile. A fetch with a waiting caller is never refused.
        if !self.release_if_unawaited(Some(version)) {
            return (*self).begin(None);
        }
        self.progress = Progress::Done;
        let engine = &self.engine;
        events::count(&engine.counters.refused);
        if why == Refusal::QueueFull && engine.refusals.passes(Moment::now()) {
            events::refreshes_refused(engine.name(), engine.counters.refused.load(Ordering::Relaxed));
        }
    }
}

/// The task of a fetch.
async fn run_fetch<C: Cacheable>(mut job: Job<C>, varied: Option<Box<Policy>>) {
    job.flight.begins_in(task::id());
    if job.flight.was_moved() {
        events::fetch_moved(job.engine.name());
        job.here.handle = Handle::current();
    }
    if job.engine.shared.is_some() {
        return Box::pin(shared::run(job, varied)).await;
    }
    if let Some(returned) = job.run_body(varied.as_deref()).await {
        let policy = varied.map_or(*job.engine.policy(), |varied| *varied);
        job.complete(returned, &policy);
    }
}

impl<C: Cacheable> Job<C> {
    /// Runs the body within its limits. If it reaches one, the fetch is ended and there is no outcome.
    pub(super) async fn run_body(&mut self, varied: Option<&Policy>) -> Option<Result<C::Return, Panic>> {
        let links = self.links.saturating_add(1);
        let mut body = catch_future(chain::linked(links, Arc::clone(&self.source).run()));
        if let Some(returned) = now_or_later(&mut body).await {
            return Some(returned);
        }
        // Boxed, because it is large, and a body that is ready at once needs no timer.
        match Box::pin(self.within_limits(&mut body, varied)).await {
            Ok(returned) => Some(returned),
            Err(over) => {
                drop(body);
                over.end(self);
                None
            }
        }
    }
}

impl<C: Cacheable> Job<C> {
    /// Gives the key back quietly. `false` if a caller waits, or a type of the user's panics.
    fn is_released(&self) -> bool {
        catch(|| self.release_if_unawaited(None)).unwrap_or(false)
    }
}

/// A fetch is dropped before its end with its runtime, or if a type of the user's panics on the way. It leaves no
/// caller waiting and no key claimed.
impl<C: Cacheable> Drop for Job<C> {
    fn drop(&mut self) {
        match self.progress {
            Progress::Done => {}
            Progress::Waiting if self.is_released() => {}
            Progress::Waiting | Progress::Asking | Progress::Begun => self.end_lost(),
        }
    }
}
