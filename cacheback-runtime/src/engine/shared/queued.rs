//! Refreshes that worker processes run: what the process does that asks for one. It acquires the lease as a queued one,
//! and puts a job with its token on the queue. `work` is the other end.

use std::pin::pin;
use std::time::Duration;

use tracing::Span;

use super::super::fetch::Job;
use super::super::{Cacheable, Target};
use super::held::HeldLease;
use super::{Engine, Shared, SharedKey};
use crate::base::clock::{Moment, common_millis};
use crate::base::panics::catch;
use crate::base::sync::plain::Ordering;
use crate::base::tasks::first;
use crate::engine::SourceOf;
use crate::events;
use crate::executor::context;
use crate::rules::policy::Policy;
use crate::rules::queue::{HEARTBEAT, Kept, PATIENCE, hands_over, nobody_serves};
use crate::tier::WriteId;
use crate::tier::queue::job::JobKey;
use crate::tier::queue::{self, Line, Queue};

/// A refresh that no worker takes, and that is not to run here, is tried again after so long.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the log waits for what it could say more exactly.
const EXACTLY: Duration = Duration::from_secs(1);

/// What became of a refresh that was to be handed over.
pub(super) enum HandedOver {
    /// The fetch has ended.
    Ended,
    /// It is to be fetched here.
    Kept,
}

/// The job that a queued lease belongs to.
pub(super) enum QueuedJob {
    /// A worker will take it.
    Waits,
    /// No worker takes it: this process is to fetch in its place.
    Unserved,
    /// No job waits any more: it was lost, or a worker has taken it long ago, and has not begun. This process is to put
    /// another one on the queue.
    Lost,
}

impl<C: Cacheable> Job<C> {
    /// The line for the job of this refresh. `None` if it is fetched here.
    pub(super) fn line(&self, key: &SharedKey, policy: &Policy) -> Option<Line> {
        let shared = self.engine.shared.as_ref()?;
        let queue = shared.options.queue?;
        // Of a trial of the breaker the outcome is to be known here, and a worker's own job is not put on a queue again.
        if self.is_trial || self.order.is_some() {
            return None;
        }
        // Without the fallback it is not fetched here either: its value stays stale.
        if key.tier.queue().is_none() && policy.queue_fallback {
            if !shared.without_queue.swap(true, Ordering::Relaxed) {
                events::no_queue(self.engine.name(), queue);
            }
            return None;
        }
        Some(Line::of(queue, &shared.scope, shared.options.version))
    }

    /// Puts a job on the queue, for which the lease was given.
    pub(super) async fn hand_over(
        &mut self,
        lease: &mut HeldLease,
        line: &Line,
        seen: Option<WriteId>,
        policy: &Policy,
    ) -> HandedOver {
        let answer = match queue_of(lease) {
            None => Err(Kept::NoQueue),
            Some(queue) => match self.engine.job(&self.target, &self.source, lease, seen, self.trace()) {
                Ok(bytes) => hands_over(queue.enqueue(line, bytes).await.ok()),
                Err(why) => return self.job_not_made(&why, policy),
            },
        };
        match answer {
            Ok(()) => {
                events::count(&self.engine.counters.queued);
                lease.is_left_to_a_worker();
                // A caller who has come to wait meanwhile takes it over.
                self.end_unawaited(HEARTBEAT, policy)
            }
            Err(why) if policy.queue_fallback => {
                self.kept_here(why, lease, line).await;
                HandedOver::Kept
            }
            Err(why) => {
                self.stays_stale(why, lease, line).await;
                self.end_unawaited(AGAIN, policy)
            }
        }
    }

    /// The refresh cannot be put on any queue.
    fn job_not_made(&mut self, why: &str, policy: &Policy) -> HandedOver {
        self.engine.job_not_made(why, policy);
        if policy.queue_fallback {
            return HandedOver::Kept;
        }
        events::count(&self.engine.counters.refused);
        self.end_unawaited(AGAIN, policy)
    }

    /// The tier has given no answer: there is no lease, and so no job. Returns whether the fetch has ended.
    pub(super) async fn is_left_stale(&mut self, lease: &HeldLease, line: &Line, policy: &Policy) -> bool {
        if policy.queue_fallback {
            return false;
        }
        self.stays_stale(Kept::Unreachable, lease, line).await;
        matches!(self.end_unawaited(AGAIN, policy), HandedOver::Ended)
    }

    /// The context of the fetch's trace, in whose span this runs.
    fn trace(&self) -> Option<String> {
        self.here.executor.tiers.traces.as_ref()?.context(&Span::current())
    }

    fn end_unawaited(&mut self, left: Duration, policy: &Policy) -> HandedOver {
        if self.leave_to_others(left, false, policy) { HandedOver::Ended } else { HandedOver::Kept }
    }

    /// What has become of the job of another process, whose lease it is.
    pub(super) async fn queued_job(
        &self,
        lease: &HeldLease,
        line: &Line,
        left: Duration,
        policy: &Policy,
    ) -> QueuedJob {
        let Some(queue) = queue_of(lease).filter(|_| PATIENCE.saturating_sub(left) >= HEARTBEAT) else {
            return QueuedJob::Waits;
        };
        let facts = queue.facts(line).await.ok();
        match hands_over(facts) {
            // The process that was to enqueue it has ended, or the queue has lost it.
            Ok(()) if facts.is_some_and(|facts| facts.length == 0) => QueuedJob::Lost,
            Err(why @ (Kept::NoWorker | Kept::Unreachable)) if policy.queue_fallback => {
                self.kept_here(why, lease, line).await;
                QueuedJob::Unserved
            }
            Ok(()) | Err(_) => QueuedJob::Waits,
        }
    }

    /// The refresh runs here.
    async fn kept_here(&self, why: Kept, lease: &HeldLease, line: &Line) {
        events::count(&self.engine.counters.queue_fallbacks);
        if self.engine.is_to_be_told() {
            events::kept_here(self.engine.name(), self.exactly(why, lease, line).await.why());
        }
    }

    /// The refresh runs nowhere.
    async fn stays_stale(&self, why: Kept, lease: &HeldLease, line: &Line) {
        events::count(&self.engine.counters.refused);
        if self.engine.is_to_be_told() {
            events::stays_stale(self.engine.name(), self.exactly(why, lease, line).await.why());
        }
    }

    /// The reason, with what the workers of the queue serve instead.
    async fn exactly(&self, why: Kept, lease: &HeldLease, line: &Line) -> Kept {
        let Some(queue) = queue_of(lease).filter(|_| why == Kept::NoWorker) else { return why };
        // The fetch waits for it.
        let limit = context::timer(&self.here.handle, EXACTLY);
        let Ok(Ok(lines)) = first(queue.status(), pin!(limit)).await else { return why };
        let others = lines.iter().filter(|other| other.queue == line.queue() && other.workers > 0);
        let others = others.map(|other| (other.function == line.function(), other.version));
        // It may have a worker by now.
        let others = others.filter(|other| *other != (true, line.version()));
        nobody_serves(others.map(|(is_of_function, _)| is_of_function))
    }
}

fn queue_of(lease: &HeldLease) -> Option<&dyn Queue> {
    lease.tier().queue()
}

impl<C: Cacheable> Engine<C> {
    /// The bytes of a job, or why there are none. Runs user code.
    fn job(
        &self,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
        lease: &HeldLease,
        seen: Option<WriteId>,
        trace: Option<String>,
    ) -> Result<Vec<u8>, String> {
        let Some(Shared { options, scope, .. }) = &self.shared else { unreachable!("it is queued") };
        let args = catch(|| match source.carried() {
            Some(carried) => carried,
            None => (options.key.encode)(target.key()).map(|key| vec![key]).map_err(|why| why.to_string()),
        });
        let args = args.map_err(|panic| panic.message().to_owned())??;
        let (key, enqueued) = (JobKey::of(lease.wire_key()), Some(common_millis()));
        let deaths = lease.granted.map_or(0, |granted| granted.deaths);
        let job = queue::Job { key, args, token: lease.token(), seen, trace, enqueued, deaths };
        let bytes = job.encode(scope, options.version).map_err(|why| why.to_string())?;
        let most = lease.tier().max_value_bytes();
        match bytes.len() {
            len if len <= most => Ok(bytes),
            len => Err(format!("its arguments have {len} bytes, and the tier takes {most} at most")),
        }
    }

    fn job_not_made(&self, why: &str, policy: &Policy) {
        if self.shared.as_ref().is_some_and(|shared| shared.unqueued.passes(Moment::now())) {
            match policy.queue_fallback {
                true => events::job_not_made(self.name(), why),
                false => events::job_given_up(self.name(), why),
            }
        }
    }

    /// Whether the log is to say again that refreshes are not handed over.
    fn is_to_be_told(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.kept.passes_each_minute(Moment::now()))
    }
}
