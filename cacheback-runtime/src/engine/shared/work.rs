//! Refreshes that worker processes run: what a worker does with a job. It runs the body as every other refresh, under
//! the function's limits, with the lease that waits for it. `queued` is the other end.

#![cfg_attr(not(feature = "worker"), allow(dead_code))] // Without it, no process is a worker.

use std::pin::pin;

use tokio::sync::oneshot;

use super::super::fetch::Job;
use super::super::{Admission, Cacheable, FlightResult, Target};
use super::{Engine, SharedKey};
use crate::base::clock::Moment;
use crate::base::panics::catch;
use crate::base::sync::{Arc, AtomicBool, Notify, Ordering};
use crate::base::tasks::{BoxFuture, first};
use crate::engine::SourceOf;
use crate::executor::context::Here;
use crate::flight::{JoinOrClaim, Need};
use crate::tier::queue::Line;
use crate::tier::queue::job::JobKey;
use crate::tier::wire_key::Scope;
use crate::tier::{Release, Tier, Token, WriteId};

/// A job, for the engine that is to run it.
pub(crate) struct Order {
    /// The key, which the arguments are to make here too.
    pub(crate) key: JobKey,
    /// The token that the lease waits with.
    pub(crate) token: Token,
    /// The value that is to be refreshed.
    pub(crate) seen: Option<WriteId>,
    /// The context of the trace that it is part of.
    pub(crate) trace: Option<String>,
    pub(crate) cut: Arc<Cut>,
}

/// Tells the jobs of a worker that their time is over.
#[derive(Default)]
pub(crate) struct Cut {
    is_reached: AtomicBool,
    reached: Notify,
}

impl Cut {
    pub(crate) fn reach(&self) {
        self.is_reached.store(true, Ordering::SeqCst);
        self.reached.notify_waiters();
    }

    async fn reached(&self) {
        loop {
            let reached = self.reached.notified();
            if self.is_reached.load(Ordering::SeqCst) {
                return;
            }
            reached.await;
        }
    }
}

/// How a job has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its value is stored.
    Done,
    /// The body has failed, or the tier has not confirmed its value.
    Failed,
    /// It is not needed any more: the key is fresh, was changed, or is fetched elsewhere.
    Unneeded,
    /// Its arguments make another key in this process.
    OtherKey,
    /// The tier does not take its value, for this reason.
    Unshared(Box<str>),
    /// Too many workers have ended with its key.
    Condemned,
    /// It was not run to its end, and another worker is to take it.
    Returned,
}

/// An order, held by its fetch.
pub(in crate::engine) struct HeldOrder {
    order: Order,
    verdict: Verdict,
    /// How the job ends if the tier has not taken its value.
    unstored: Option<Verdict>,
    sender: Option<oneshot::Sender<Verdict>>,
}

impl Drop for HeldOrder {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            // A worker that has given the job up does not wait for it.
            let _ = sender.send(std::mem::replace(&mut self.verdict, Verdict::Returned));
        }
    }
}

impl HeldOrder {
    pub(super) fn token(&self) -> Token {
        self.order.token
    }

    pub(super) fn seen(&self) -> Option<WriteId> {
        self.order.seen
    }

    /// Without an answer of the tier nobody knows whether the job may run.
    pub(super) fn is_unanswered(&mut self) {
        self.verdict = Verdict::Returned;
    }

    /// Too many workers have ended with its key. It is not run.
    pub(super) fn condemn(&mut self) {
        self.verdict = Verdict::Condemned;
    }

    /// Its value did not get into the tier, and so nobody sees it.
    pub(super) fn has_not_stored(&mut self, verdict: Verdict) {
        self.unstored = Some(verdict);
    }
}

/// What a worker knows of a queued cache.
pub(crate) struct Queued {
    pub(crate) tier: Arc<dyn Tier>,
    pub(crate) line: Line,
    pub(crate) scope: Arc<Scope>,
    /// The alias of the tier.
    pub(crate) alias: Option<&'static str>,
}

impl<C: Cacheable> Job<C> {
    /// Completes when the fetch is to be cut off: at the limit of a shutdown, of the executor or of its worker.
    pub(in crate::engine) async fn cut_off(&self) {
        let shutdown = pin!(self.here.executor.limit_reached());
        match &self.order {
            None => shutdown.await,
            Some(held) => drop(first(shutdown, pin!(held.order.cut.reached())).await),
        }
    }

    /// Notes how the job of this fetch, if it is one, has ended. Without a `result` the fetch brought a value that
    /// nobody waits for.
    pub(in crate::engine) fn judge(&mut self, result: Option<&FlightResult<C>>, has_effect: bool) {
        let Some(held) = &mut self.order else { return };
        held.verdict = match result {
            None | Some(FlightResult::Value(_)) => match held.unstored.take() {
                Some(verdict) => verdict,
                None if has_effect => Verdict::Done,
                None => Verdict::Unneeded,
            },
            Some(FlightResult::Failed(_) | FlightResult::Panicked(_) | FlightResult::TimedOut) => {
                Verdict::Failed
            }
            Some(FlightResult::Lost) => Verdict::Returned,
            Some(FlightResult::Consulted(_) | FlightResult::Confirmed) => return,
        };
    }

    /// The fetch of a job ends because somebody else has fetched its key, fetches it, or will.
    pub(in crate::engine) fn is_unneeded(&mut self) {
        if let Some(held) = &mut self.order {
            held.verdict = Verdict::Unneeded;
        }
    }
}

impl<C: Cacheable> Engine<C> {
    /// Runs a job as a refresh. Dropping the future leaves the refresh to itself.
    pub(crate) fn work(
        self: &Arc<Self>,
        target: Target<C::OwnedKey>,
        source: SourceOf<C>,
        order: Order,
    ) -> BoxFuture<Verdict> {
        let engine = Arc::clone(self);
        Box::pin(async move {
            let here = Here::find(engine.name());
            let Some(key) = engine.shared_key(&here, &target) else { return Verdict::OtherKey };
            if JobKey::of(&key.key) != order.key {
                return Verdict::OtherKey;
            }
            match catch(|| engine.submit(&here, &target, &source, order, &key)) {
                Ok(Ok(verdict)) => verdict.await.unwrap_or(Verdict::Returned),
                Ok(Err(verdict)) => verdict,
                Err(_) => Verdict::Failed,
            }
        })
    }

    /// Hands a job to the executor, as every other refresh. `Err`: it does not run.
    fn submit(
        self: &Arc<Self>,
        here: &Here,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
        order: Order,
        key: &SharedKey,
    ) -> Result<oneshot::Receiver<Verdict>, Verdict> {
        let now = Moment::now();
        let mut unstarted = Vec::new();
        let epoch = self.store.epoch();
        let joined = self.with_claims(target, |claims, _| {
            let new = || self.new_flight(here);
            Ok(claims.lane(here.lane).join_or_claim(now, epoch, Need::Behind, new, &mut unstarted))
        });
        self.drop_unstarted(here, unstarted);
        let flight = match joined {
            JoinOrClaim::Claimed { flight, .. } => flight,
            JoinOrClaim::Unparked(job) => {
                job.submit();
                return Err(Verdict::Returned);
            }
            JoinOrClaim::Busy { .. } | JoinOrClaim::Crowded | JoinOrClaim::Joined { .. } => {
                return Err(Verdict::Returned);
            }
        };
        let mut job = Job::new(self, here, target, source, flight);
        let admission = self.breaker.admit(now, false, self.policy());
        if admission == Admission::Refused {
            // Nobody in the fleet is to ask a dead origin for this key before the next trial.
            let left = std::time::Duration::from_nanos(self.breaker.until(false).since(now));
            key.tier.release(&key.key, order.token, Release::BackOff { left, failures: 1 });
            return Err(Verdict::Unneeded);
        }
        job.is_trial = admission == Admission::Trial;
        if let (Some(traces), Some(context)) = (&here.executor.tiers.traces, &order.trace) {
            traces.follow(&job.span, context);
        }
        let (sender, verdict) = oneshot::channel();
        job.order =
            Some(HeldOrder { order, verdict: Verdict::Returned, unstored: None, sender: Some(sender) });
        Box::new(job).submit();
        Ok(verdict)
    }

    /// How a worker finds the jobs of this cache. `None` if it is not queued, or has no tier.
    pub(crate) fn queued(&self) -> Option<Queued> {
        let shared = self.shared.as_ref()?;
        let queue = shared.options.queue?;
        let (_, tier) = self.tier(&Here::find(self.name()))?;
        let line = Line::of(queue, &shared.scope, shared.options.version);
        Some(Queued { tier, line, scope: Arc::clone(&shared.scope), alias: shared.options.alias })
    }

    /// The key of a job of a cache object, or why there is none. Runs user code.
    pub(crate) fn key_of_job(&self, bytes: &[u8]) -> Result<C::OwnedKey, String> {
        let Some(shared) = &self.shared else { return Err("the cache is not shared".to_owned()) };
        match catch(|| (shared.options.key.decode)(bytes)) {
            Ok(key) => key.map_err(|why| why.to_string()),
            Err(panic) => Err(panic.message().to_owned()),
        }
    }
}
