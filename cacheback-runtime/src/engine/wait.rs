//! Waiting: a call waits for a flight, and takes its next step if that brings no value.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::{Cacheable, Engine, FlightResult};
use crate::base::clock::{Moment, nanos};
use crate::base::panics::Rethrown;
use crate::base::tasks::{Handle, task};
use crate::events;
use crate::executor::context;
use crate::flight::{NOTICE, Waiter};
use crate::outcome::Sharing;
use crate::outcome::error::{FetchError, FetchErrorKind};

/// A call gives up after it has lost this many fetches of its own with their runtime.
const LOSSES: u32 = 2;

/// A caller whose fetch seems to be driven by nobody yields this many times before it gives up. If the caller does not
/// block the fetch's runtime itself, that runtime drives the fetch meanwhile. (tokio looks at its timers at least once
/// in 61 tasks.)
const YIELDS: u32 = 128;

/// The next step of a caller whose fetch brought no value.
pub(super) enum Fallback<E> {
    /// It returns the error.
    Error(E),
    /// It panics, as the function did.
    Panic(Rethrown),
    /// It tries again.
    Again,
    /// Its own runtime is being shut down, and the caller's task most likely too. The caller pauses to let that happen,
    /// and then tries once more.
    Gone,
}

impl<C: Cacheable> Engine<C> {
    /// Waits for a flight on the caller's runtime, for `limit` at the longest. `None` if the limit has run out.
    pub(super) async fn wait_for<'s>(
        &self,
        waiter: &'s Waiter<FlightResult<C>>,
        limit: Option<Duration>,
        caller: &Handle,
    ) -> Option<&'s FlightResult<C>> {
        // Boxed, because timers are large and few callers need one.
        let is_elsewhere = waiter.runs_elsewhere(caller.id());
        let mut deserted = is_elsewhere.then(|| Box::pin(self.deserted(waiter, caller)));
        let mut timer = limit.map(|limit| Box::pin(context::timer(caller, limit)));
        let mut ended = pin!(waiter.result());
        let mut yields = YIELDS;
        poll_fn(|context| {
            if let Poll::Ready(result) = ended.as_mut().poll(context) {
                return Poll::Ready(Some(result));
            }
            if deserted.as_mut().is_some_and(|deserted| deserted.as_mut().poll(context).is_ready()) {
                return Poll::Ready(Some(FlightResult::LOST));
            }
            if timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready()) {
                return Poll::Ready(None);
            }
            if waiter.is_stranded(caller.id()) {
                if yields == 0 {
                    return Poll::Ready(Some(self.stranded(is_elsewhere)));
                }
                yields -= 1;
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }

    /// The result of a flight that nobody drives, for a caller who waits for it. A flight of another runtime is lost. A
    /// flight of the caller's own runtime is blocked by the caller itself.
    fn stranded(&self, is_elsewhere: bool) -> &'static FlightResult<C> {
        if is_elsewhere {
            return FlightResult::LOST;
        }
        events::runtime_blocked(self.name());
        FlightResult::TIMED_OUT
    }

    /// Completes if a flight of another runtime has lapsed and its task does not notice that, or no longer lives.
    async fn deserted(&self, waiter: &Waiter<FlightResult<C>>, handle: &Handle) {
        loop {
            // `None` until the body runs. It starts at once, because a caller waits.
            let until = waiter.lapses_at();
            let left = match until {
                Some(until) => Duration::from_nanos(until.since(Moment::now())),
                None => self.policy().refresh_timeout,
            };
            context::timer(handle, left.saturating_add(NOTICE)).await;
            match waiter.last_seen() {
                // The task is driven: the body is slow, and goes on for the waiting callers.
                Some(seen) if Moment::awake().since(seen) <= 3 * nanos(NOTICE) => {}
                Some(_) => return,
                // The claim may have been renewed since.
                None if waiter.lapses_at().is_some_and(|until| Moment::now() >= until) => return,
                None => {}
            }
        }
    }

    /// The next step of a caller whose fetch brought no value, if no stored value is left to serve either.
    pub(super) fn fallback(
        &self,
        result: &FlightResult<C>,
        waiter: &Waiter<FlightResult<C>>,
        losses: &mut u32,
    ) -> Fallback<C::Error> {
        match result {
            FlightResult::Failed(error) => Fallback::Error(error.hand()),
            FlightResult::Panicked(panic) => Fallback::Panic(panic.rethrown(self.name(), waiter.leads())),
            // Not reached: the caller has returned the value, or decides again.
            FlightResult::Value(_) | FlightResult::Consulted(_) | FlightResult::Confirmed => Fallback::Again,
            FlightResult::TimedOut => {
                let why = "the thread that waits for it blocks the only runtime that could drive it";
                self.without_outcome(FetchErrorKind::TimedOut, why)
            }
            // The fetch of another caller: its loss does not count against this one.
            FlightResult::Lost if !waiter.leads() => Fallback::Again,
            FlightResult::Lost => {
                *losses += 1;
                if *losses < LOSSES {
                    return Fallback::Again;
                }
                if *losses == LOSSES && task::try_id().is_some() {
                    return Fallback::Gone;
                }
                self.without_outcome(FetchErrorKind::Lost, "its runtime was dropped")
            }
        }
    }

    /// The end of a call whose fetch has no outcome: an error, if the function's error type can hold it.
    fn without_outcome(&self, kind: FetchErrorKind, why: &str) -> Fallback<C::Error> {
        let error = FetchError::without_outcome(self.name(), kind, why);
        match self.definition.share {
            Sharing::Wrapped(from) => Fallback::Error(from(error)),
            _ => Fallback::Panic(Rethrown::Saying(error.to_string())),
        }
    }
}
