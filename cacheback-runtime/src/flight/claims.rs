//! The claims on a key: the flight that holds it, whether that is put off, and the flights that were superseded. These
//! are plain state changes, to be read one by one. All of them happen under the lock of the shard.

use smallvec::SmallVec;

use super::waiter::Waiter;
use super::{Flight, Purpose};
use crate::base::clock::Moment;
use crate::base::sync::{Arc, Ordering};
use crate::base::tasks::task;
use crate::executor::context::LaneId;
use crate::executor::{Fetch, Ticket};

/// How many bodies of one key invalidations let run at once: the superseded one and its successor.
const BODIES: usize = 2;

/// The phase of the flight that holds a key. `J` is the job that starts it.
pub(crate) enum Phase<J> {
    /// It waits in the executor's queue, or is being started.
    Queued,
    /// It waits for a superseded body of its key to end.
    Parked(J),
    /// It runs, and holds its key until this moment.
    Running { until: Moment },
}

struct Claim<T, J> {
    flight: Arc<Flight<T>>,
    phase: Phase<J>,
}

/// A superseded flight whose body still runs.
struct Superseded<T> {
    flight: Arc<Flight<T>>,
    /// When its claim lapses; `None` while it is being started.
    until: Option<Moment>,
    /// It was superseded by an invalidation of the whole cache, which starts no successor. Later callers do.
    is_outdated: bool,
}

/// The flights of one key.
pub(crate) struct KeyClaims<K: ?Sized, T, J> {
    pub(super) key: Arc<K>,
    /// Nearly always one.
    lanes: SmallVec<[(LaneId, Lane<T, J>); 1]>,
}

/// The flights of one key that calls on one runtime may join (without `test-util`, calls on any runtime).
pub(crate) struct Lane<T, J> {
    current: Option<Claim<T, J>>,
    superseded: Vec<Superseded<T>>,
}

/// How a caller needs a fetch.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// It does not wait for it.
    Behind,
    /// It waits. If it claims the key, the flight runs at once, until this moment at the longest. If there is none, the
    /// time-out is still to be evaluated, and the flight is put off until it is known.
    Awaited { runs_until: Option<Moment> },
}

/// The answer to a caller who needs a fetch.
pub(crate) enum JoinOrClaim<T, J> {
    /// A flight holds the key, and this caller does not wait for it. If it runs, it holds the key until then.
    Busy { until: Option<Moment> },
    /// No flight holds the key, but too many bodies of it run for this caller, who does not wait, to start another.
    Crowded,
    /// A flight holds the key, and this caller waits for it.
    Joined { waiter: Waiter<T>, start: Option<Start<J>> },
    /// This caller has claimed the key. The flight is to be submitted, or started at once for the waiter.
    Claimed { flight: Arc<Flight<T>>, waiter: Option<Waiter<T>> },
    /// A parked flight may run now, and is to be submitted.
    Unparked(J),
}

/// How to start a flight that was put off.
pub(crate) enum Start<J> {
    /// Withdraw it from the executor's queue, unless it has left that already.
    Withdraw(Ticket),
    /// Start this job.
    Now(J),
}

/// What becomes of the flight that is to follow an invalidation.
pub(crate) enum Succession<J> {
    /// It is not needed: another one is put off already, and will see the change.
    Ahead(J),
    /// It is to be submitted.
    Submit(J),
    /// It is parked, until a body that still runs has ended.
    Parked,
}

/// Whether a flight that begins or ends holds its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It holds the key.
    Current,
    /// It has been superseded.
    Superseded,
}

impl<K: ?Sized, T, J> KeyClaims<K, T, J> {
    pub(super) fn open(key: Arc<K>) -> Self {
        Self { key, lanes: SmallVec::new() }
    }

    /// The lane of a runtime.
    pub(crate) fn lane(&mut self, id: LaneId) -> &mut Lane<T, J> {
        let at = self.lanes.iter().position(|(lane, _)| *lane == id).unwrap_or_else(|| {
            self.lanes.push((id, Lane { current: None, superseded: Vec::new() }));
            self.lanes.len() - 1
        });
        &mut self.lanes[at].1
    }

    /// Supersedes the flight that holds the key, in all lanes. Returns the flights that were put off and now never run,
    /// to be dropped after the lock.
    pub(crate) fn supersede(&mut self) -> Vec<Start<J>> {
        self.lanes.iter_mut().filter_map(|(_, lane)| lane.supersede()).collect()
    }

    /// Supersedes the flight that holds the key if it runs, in all lanes.
    pub(super) fn supersede_running(&mut self) {
        self.lanes.iter_mut().for_each(|(_, lane)| lane.supersede_running());
    }

    /// Supersedes the flight that holds the key if it is from before an epoch, in all lanes.
    pub(super) fn supersede_older(&mut self, epoch: u64) -> Vec<Start<J>> {
        let older =
            |lane: &Lane<T, J>| lane.current.as_ref().is_some_and(|claim| claim.flight.epoch() < epoch);
        let lanes = self.lanes.iter_mut().map(|(_, lane)| lane).filter(|lane| older(lane));
        lanes.filter_map(Lane::supersede).collect()
    }

    /// Ends a flight in any lane, and returns whether it was there.
    pub(super) fn end(&mut self, flight: &Arc<Flight<T>>) -> bool {
        self.lanes.iter_mut().any(|(_, lane)| lane.end(flight).is_some())
    }

    /// The parked flights that may run now.
    #[cfg(not(feature = "test-util"))]
    pub(super) fn unpark(&mut self, now: Moment) -> Vec<J> {
        self.lanes.iter_mut().filter_map(|(_, lane)| lane.unpark(now)).collect()
    }

    /// Whether a fetch holds the key, in any lane.
    pub(crate) fn is_fetched(&self) -> bool {
        self.lanes.iter().any(|(_, lane)| lane.is_for(Purpose::Fetch))
    }

    /// Supersedes the flight that holds the key, in all lanes but one.
    pub(crate) fn supersede_others(&mut self, id: LaneId) -> Vec<Start<J>> {
        let others = self.lanes.iter_mut().filter(|(lane, _)| *lane != id);
        others.filter_map(|(_, lane)| lane.supersede()).collect()
    }

    /// The flights that hold the key, and those that were superseded and still run.
    #[cfg(feature = "shared")]
    pub(super) fn flights(&self) -> impl Iterator<Item = &Arc<Flight<T>>> {
        self.lanes.iter().flat_map(|(_, lane)| lane.flights())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lanes.iter().all(|(_, lane)| lane.current.is_none() && lane.superseded.is_empty())
    }
}

impl<T, J> Lane<T, J> {
    /// Whether a caller who needs a fetch finds no flight to join.
    pub(crate) fn is_free(&self, now: Moment, epoch: u64) -> bool {
        self.current.as_ref().is_none_or(|claim| claim.is_over(now, epoch))
    }

    /// Whether a flight for this purpose holds the key.
    pub(crate) fn is_for(&self, purpose: Purpose) -> bool {
        self.current.as_ref().is_some_and(|claim| claim.flight.purpose == purpose)
    }

    /// Whether a caller who does not wait starts a fetch.
    pub(crate) fn lets_start(&self, now: Moment, epoch: u64) -> bool {
        self.is_free(now, epoch) && !self.is_crowded(now)
    }

    /// Whether as many bodies run as invalidations allow, so that a caller who does not wait starts no further one.
    fn is_crowded(&self, now: Moment) -> bool {
        self.superseded.iter().filter(|body| body.is_outdated && body.runs(now)).count() >= BODIES
    }

    /// Whether the flight that holds the key does not run yet, so that it will see writes until it does.
    pub(crate) fn is_put_off(&self) -> bool {
        let claim = self.current.as_ref();
        claim.is_some_and(|claim| matches!(claim.phase, Phase::Queued | Phase::Parked(_)))
    }

    /// Joins the live flight for a caller who needs a fetch, or claims the key. Flights that were put off and now never
    /// run are given back, to be dropped after the lock.
    pub(crate) fn join_or_claim(
        &mut self,
        now: Moment,
        epoch: u64,
        need: Need,
        new: impl FnOnce() -> Flight<T>,
        given_back: &mut Vec<Start<J>>,
    ) -> JoinOrClaim<T, J> {
        let waits = matches!(need, Need::Awaited { .. });
        if self.is_free(now, epoch) {
            if !waits && self.is_crowded(now) {
                return JoinOrClaim::Crowded;
            }
            given_back.extend(self.supersede());
        }
        let bodies = self.bodies(now);
        let Some(claim) = &mut self.current else {
            let flight = Arc::new(new());
            flight.epoch.store(epoch, Ordering::Relaxed);
            let waiter = waits.then(|| Waiter::join(&flight, true));
            let phase = match need {
                Need::Awaited { runs_until: Some(until) } => {
                    flight.run_until(until);
                    Phase::Running { until }
                }
                Need::Awaited { runs_until: None } | Need::Behind => Phase::Queued,
            };
            self.current = Some(Claim { flight: Arc::clone(&flight), phase });
            return JoinOrClaim::Claimed { flight, waiter };
        };
        if !waits {
            return match claim.unpark(bodies) {
                Some(job) => JoinOrClaim::Unparked(job),
                None => match claim.phase {
                    Phase::Running { until } => JoinOrClaim::Busy { until: Some(until) },
                    Phase::Queued | Phase::Parked(_) => JoinOrClaim::Busy { until: None },
                },
            };
        }
        let waiter = Waiter::join(&claim.flight, false);
        let start = match std::mem::replace(&mut claim.phase, Phase::Queued) {
            Phase::Queued => Some(Start::Withdraw(claim.flight.ticket)),
            Phase::Parked(job) => Some(Start::Now(job)),
            running @ Phase::Running { .. } => {
                claim.phase = running;
                None
            }
        };
        JoinOrClaim::Joined { waiter, start }
    }

    /// The flight whose body runs in this task.
    pub(crate) fn running_in(&self, task: task::Id) -> Option<&Arc<Flight<T>>>
    where
        T: Send + Sync + 'static,
    {
        self.flights().find(|flight| flight.runs_in(task))
    }

    /// The flight that holds the key, and those that were superseded and still run.
    fn flights(&self) -> impl Iterator<Item = &Arc<Flight<T>>> {
        let current = self.current.iter().map(|claim| &claim.flight);
        current.chain(self.superseded.iter().map(|body| &body.flight))
    }

    /// After an invalidation, `next` is to fetch the key again, but no more than two bodies of the key may run at once.
    /// If the key's own body has asked for this re-run, it follows after that body.
    pub(crate) fn succeed(
        &mut self,
        now: Moment,
        epoch: u64,
        flight: &Arc<Flight<T>>,
        next: J,
    ) -> Succession<J> {
        match &self.current {
            Some(Claim { phase: Phase::Queued | Phase::Parked(_), .. }) => return Succession::Ahead(next),
            // A running flight gives nothing back.
            Some(Claim { phase: Phase::Running { .. }, .. }) => drop(self.supersede()),
            None => {}
        }
        flight.epoch.store(epoch, Ordering::Relaxed);
        let flight = Arc::clone(flight);
        if self.bodies(now) < most_beside(&flight) {
            self.current = Some(Claim { flight, phase: Phase::Queued });
            Succession::Submit(next)
        } else {
            self.current = Some(Claim { flight, phase: Phase::Parked(next) });
            Succession::Parked
        }
    }

    /// Whether this flight holds the key.
    pub(crate) fn holds(&self, flight: &Arc<Flight<T>>) -> bool {
        self.current.as_ref().is_some_and(|claim| Arc::ptr_eq(&claim.flight, flight))
    }

    /// Begins to run the body of a flight, whose claim lasts until `until`. `None` if the flight is not to run any
    /// more, as it was superseded while it waited.
    pub(crate) fn run(&mut self, flight: &Arc<Flight<T>>, until: Moment) -> Option<Standing> {
        if self.holds(flight) && !self.is_put_off() {
            return None;
        }
        self.renew(flight, until)
    }

    /// Lets the claim of a flight last until then. `None` if the flight is not here any more.
    pub(crate) fn renew(&mut self, flight: &Arc<Flight<T>>, until: Moment) -> Option<Standing> {
        let standing =
            if let Some(claim) = self.current.as_mut().filter(|claim| Arc::ptr_eq(&claim.flight, flight)) {
                claim.phase = Phase::Running { until };
                Standing::Current
            } else {
                let body = self.superseded.iter_mut().find(|body| Arc::ptr_eq(&body.flight, flight))?;
                body.until = Some(until);
                Standing::Superseded
            };
        flight.run_until(until);
        Some(standing)
    }

    /// Ends a flight that is over or given up. `None` if it was not here any more.
    pub(crate) fn end(&mut self, flight: &Arc<Flight<T>>) -> Option<Standing> {
        if self.holds(flight) {
            self.current = None;
            return Some(Standing::Current);
        }
        let at = self.superseded.iter().position(|body| Arc::ptr_eq(&body.flight, flight))?;
        self.superseded.swap_remove(at);
        Some(Standing::Superseded)
    }

    /// The parked flight, if it may run now.
    pub(crate) fn unpark(&mut self, now: Moment) -> Option<J> {
        let bodies = self.bodies(now);
        self.current.as_mut()?.unpark(bodies)
    }

    /// Superseded flights whose claims have lapsed. A later value answers their waiters.
    pub(crate) fn lapsed(&self, now: Moment) -> Vec<Arc<Flight<T>>> {
        let lapsed = self.superseded.iter().filter(|body| body.until.is_some_and(|until| now >= until));
        lapsed.map(|body| Arc::clone(&body.flight)).collect()
    }

    /// Whether there are superseded flights whose claims have lapsed.
    pub(crate) fn has_lapsed(&self, now: Moment) -> bool {
        self.superseded.iter().any(|body| body.until.is_some_and(|until| now >= until))
    }

    /// How many superseded bodies still run within their claims. A body whose claim has lapsed holds nothing up.
    fn bodies(&self, now: Moment) -> usize {
        self.superseded.iter().filter(|body| body.runs(now)).count()
    }

    /// Takes the key from the flight that holds it, if that runs.
    fn supersede_running(&mut self) {
        let running = self.current.take_if(|claim| matches!(claim.phase, Phase::Running { .. }));
        if let Some(Claim { flight, phase: Phase::Running { until } }) = running {
            self.superseded.push(Superseded { flight, until: Some(until), is_outdated: true });
        }
    }

    /// Takes the key from the flight that holds it.
    fn supersede(&mut self) -> Option<Start<J>> {
        let Claim { flight, phase } = self.current.take()?;
        let until = match phase {
            Phase::Running { until } => Some(until),
            Phase::Parked(job) => return Some(Start::Now(job)),
            // Callers who have joined it are still answered.
            Phase::Queued if flight.waiting() > 0 => None,
            Phase::Queued => return Some(Start::Withdraw(flight.ticket)),
        };
        self.superseded.push(Superseded { flight, until, is_outdated: false });
        None
    }
}

impl<T> Superseded<T> {
    /// Whether its body still runs within its claim.
    fn runs(&self, now: Moment) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl<T, J> Claim<T, J> {
    /// Whether another flight may take the key.
    fn is_over(&self, now: Moment, epoch: u64) -> bool {
        let lapsed = matches!(self.phase, Phase::Running { until } if now >= until);
        lapsed || self.flight.epoch() != epoch
    }

    fn unpark(&mut self, bodies: usize) -> Option<J> {
        if bodies >= most_beside(&self.flight) {
            return None;
        }
        match std::mem::replace(&mut self.phase, Phase::Queued) {
            Phase::Parked(job) => Some(job),
            other => {
                self.phase = other;
                None
            }
        }
    }
}

/// With so many superseded bodies of its key a flight is parked. A re-run that the key's own body has asked for waits
/// for that body, so that all invalidations of one body lead to one re-run.
fn most_beside<T>(flight: &Flight<T>) -> usize {
    if flight.is_rerun() { 1 } else { BODIES }
}
