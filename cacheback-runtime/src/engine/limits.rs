//! The limits of a fetch whose body takes its time: its time-out, and the limit of a shutdown.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use super::Cacheable;
use super::commit::Commit;
use super::fetch::Job;
use crate::base::clock::Moment;
use crate::base::tasks::{first, later};
use crate::executor::context;
use crate::rules::policy::Policy;

/// A fetch that has reached a limit, and is committed. Its body is to be dropped before it ends.
pub(super) enum Over<C: Cacheable> {
    TimedOut(Commit<C>),
    Aborted(Commit<C>),
}

impl<C: Cacheable> Over<C> {
    pub(super) fn end(self, job: &mut Job<C>) {
        match self {
            Self::TimedOut(commit) => job.end_timed_out(commit),
            Self::Aborted(commit) => job.end_aborted(commit),
        }
    }
}

impl<C: Cacheable> Job<C> {
    /// Waits for the body, as long as it may run: up to its time-out or the limit of a shutdown, or longer if callers
    /// wait.
    pub(super) async fn within_limits<T>(
        &self,
        body: &mut (impl Future<Output = T> + Unpin),
        varied: Option<&Policy>,
    ) -> Result<T, Over<C>> {
        let policy = varied.unwrap_or(self.engine.policy());
        let executor = &self.here.executor;
        let elapsed = Duration::from_nanos(Moment::now().since(self.started));
        let left = policy.refresh_timeout.saturating_sub(elapsed);
        let mut timer = pin!(context::timer(&self.here.handle, left));
        let shutdown = pin!(self.cut_off());
        // The time-out (`Ok`), or the limit of a shutdown (`Err`).
        let limit = match first(later(&mut *body), pin!(first(timer.as_mut(), shutdown))).await {
            Ok(returned) => return Ok(returned),
            Err(limit) => limit,
        };
        // From here on the fetch has no place among the refreshes. It goes on only for callers who wait for it, or if
        // its own body has asked for the shutdown.
        self.flight.give_place_back();
        self.flight.lapse();
        self.start_parked();
        let mut is_late = limit.is_ok();
        loop {
            let over = if is_late {
                self.commit_timeout(policy).map(Over::TimedOut)
            } else {
                self.commit_abort(policy).map(Over::Aborted)
            };
            // A fetch that ends tells the tier how, and one that goes on keeps nobody else off.
            if let Some(over) = over {
                return Err(over);
            }
            self.lapse_lease();
            executor.notify_progress();
            // A fetch that goes on after the limit of a shutdown can still time out.
            let timed_out = pin!(unless(is_late, timer.as_mut()));
            match first(&mut *body, pin!(first(timed_out, pin!(self.abandoned_or_alive())))).await {
                Ok(returned) => return Ok(returned),
                Err(Ok(())) => is_late = true,
                Err(Err(())) => {}
            }
        }
    }

    /// Completes when the last caller leaves, and once a second: it tells callers on other runtimes then that the task
    /// lives. (Not with `test-util`: a paused clock would run away with such a timer, and there are no callers from
    /// other runtimes.)
    async fn abandoned_or_alive(&self) {
        if cfg!(feature = "test-util") {
            return self.flight.abandoned().await;
        }
        let tick = pin!(context::timer(&self.here.handle, Duration::from_secs(1)));
        if first(pin!(self.flight.abandoned()), tick).await.is_err() {
            self.flight.lapse();
        }
    }
}

/// Completes as the future does, or never if `disabled`.
async fn unless(disabled: bool, future: impl Future<Output = ()>) {
    if disabled {
        pending::<()>().await;
    }
    future.await;
}
