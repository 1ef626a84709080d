//! The desk of a key: who holds it, who was superseded, and what was put off. Plain state changes, to be read one by
//! one; all of them happen under the lock of the desk's shard.

use super::{Flight, Seat};
use crate::base::clock::Moment;
use crate::base::sync::{Arc, Ordering};
use crate::base::tasks::task;
use crate::executor::context::LaneId;
use crate::executor::{Fetch, Ticket};

/// How many bodies of one key an invalidation lets run at once: the superseded one and its successor.
const BODIES: usize = 2;

/// How far the flight that holds a key has come. `J` is what starts it.
pub(crate) enum Stage<J> {
    /// Waits in the executor's queue, or is being started.
    Queued,
    /// Waits for a superseded body of its key to end.
    Parked(J),
    /// Runs, and holds its key until then.
    Running { until: Moment },
}

struct Claim<T, J> {
    flight: Arc<Flight<T>>,
    stage: Stage<J>,
}

/// A superseded flight whose body still runs.
struct Behind<T> {
    flight: Arc<Flight<T>>,
    /// When its claim lapses; `None` while it is being started.
    until: Option<Moment>,
    /// An invalidation of the whole cache superseded it: that starts no other, and later callers do.
    is_outdated: bool,
}

/// The flights of one key.
pub(crate) struct Desk<K: ?Sized, T, J> {
    pub(super) key: Arc<K>,
    lanes: Vec<(LaneId, Lane<T, J>)>,
}

/// The flights of one key that may be joined from one runtime (without `test-util`: from any).
pub(crate) struct Lane<T, J> {
    current: Option<Claim<T, J>>,
    behind: Vec<Behind<T>>,
}

/// What a caller who needs a fetch finds.
pub(crate) enum Boarding<T, J> {
    /// A fetch holds the key; this caller does not wait for it.
    Busy,
    /// A fetch holds the key, and this caller waits for it.
    Joined { seat: Seat<T>, start: Option<Start<J>> },
    /// The key is this caller's now: the flight is to be submitted, or started for those who wait.
    Claimed { flight: Arc<Flight<T>>, seat: Option<Seat<T>> },
    /// A parked flight has room to run now, and is to be submitted.
    Unparked(J),
}

/// How to start a flight at once that was put off.
pub(crate) enum Start<J> {
    Withdraw(Ticket),
    Now(J),
}

/// What an invalidation does about the fetch that follows it.
pub(crate) enum Succession<J> {
    /// One is put off already and will see the change; this one is not needed.
    Ahead(J),
    /// Submit this one.
    Submit(J),
    /// It follows at the end of a body that still runs.
    Parked,
}

/// Whose flight it was that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It held the key.
    Current,
    /// It was superseded.
    Superseded,
}

impl<K: ?Sized, T, J> Desk<K, T, J> {
    pub(super) fn open(key: Arc<K>) -> Self {
        Self { key, lanes: Vec::new() }
    }

    /// The lane of a runtime.
    pub(crate) fn lane(&mut self, id: LaneId) -> &mut Lane<T, J> {
        let at = self.lanes.iter().position(|(lane, _)| *lane == id).unwrap_or_else(|| {
            self.lanes.push((id, Lane { current: None, behind: Vec::new() }));
            self.lanes.len() - 1
        });
        &mut self.lanes[at].1
    }

    /// Supersedes whatever holds the key, in all lanes. What was put off and now never runs comes back, to be
    /// dropped after the lock.
    pub(crate) fn supersede(&mut self) -> Vec<Start<J>> {
        self.lanes.iter_mut().filter_map(|(_, lane)| lane.supersede()).collect()
    }

    /// Supersedes what runs, in all lanes.
    pub(super) fn supersede_running(&mut self) {
        self.lanes.iter_mut().for_each(|(_, lane)| lane.supersede_running());
    }

    /// Supersedes what holds the key from before an epoch.
    pub(super) fn supersede_older(&mut self, epoch: u64) -> Vec<Start<J>> {
        let older =
            |lane: &Lane<T, J>| lane.current.as_ref().is_some_and(|claim| claim.flight.epoch() < epoch);
        let lanes = self.lanes.iter_mut().map(|(_, lane)| lane).filter(|lane| older(lane));
        lanes.filter_map(Lane::supersede).collect()
    }

    /// Ends a flight, whatever lane it is in. Whether it was here.
    pub(super) fn end(&mut self, flight: &Arc<Flight<T>>) -> bool {
        self.lanes.iter_mut().any(|(_, lane)| lane.end(flight).is_some())
    }

    /// The flights that were parked, where there is room for them now.
    #[cfg(not(feature = "test-util"))]
    pub(super) fn unpark(&mut self, now: Moment) -> Vec<J> {
        self.lanes.iter_mut().filter_map(|(_, lane)| lane.unpark(now)).collect()
    }

    /// Whether a fetch holds the key, from whatever runtime.
    pub(crate) fn is_claimed(&self) -> bool {
        self.lanes.iter().any(|(_, lane)| lane.current.is_some())
    }

    /// Supersedes what holds the key in all lanes but one.
    pub(crate) fn supersede_others(&mut self, id: LaneId) -> Vec<Start<J>> {
        let others = self.lanes.iter_mut().filter(|(lane, _)| *lane != id);
        others.filter_map(|(_, lane)| lane.supersede()).collect()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lanes.iter().all(|(_, lane)| lane.current.is_none() && lane.behind.is_empty())
    }
}

impl<T, J> Lane<T, J> {
    /// Whether a caller who needs a fetch finds none to join.
    pub(crate) fn is_free(&self, now: Moment, epoch: u64) -> bool {
        self.current.as_ref().is_none_or(|claim| claim.is_over(now, epoch))
    }

    /// Whether a caller who does not wait starts a fetch.
    pub(crate) fn lets_start(&self, now: Moment, epoch: u64) -> bool {
        self.is_free(now, epoch) && !self.is_crowded(now)
    }

    /// Whether as many bodies run as an invalidation lets: such a one is followed by no other, who does not wait.
    fn is_crowded(&self, now: Moment) -> bool {
        self.behind.iter().filter(|behind| behind.is_outdated && behind.runs(now)).count() >= BODIES
    }

    /// Whether the fetch that holds the key does not run yet: it will see what is written meanwhile.
    pub(crate) fn is_put_off(&self) -> bool {
        let claim = self.current.as_ref();
        claim.is_some_and(|claim| matches!(claim.stage, Stage::Queued | Stage::Parked(_)))
    }

    /// A caller needs a fetch: joins the live one, or claims the key. What was put off and now never runs is given
    /// back, to be dropped after the lock.
    pub(crate) fn board(
        &mut self,
        now: Moment,
        epoch: u64,
        waits: bool,
        new: impl FnOnce() -> Flight<T>,
        given_back: &mut Vec<Start<J>>,
    ) -> Boarding<T, J> {
        if self.is_free(now, epoch) {
            if !waits && self.is_crowded(now) {
                return Boarding::Busy;
            }
            given_back.extend(self.supersede());
        }
        let bodies = self.bodies(now);
        let Some(claim) = &mut self.current else {
            let flight = Arc::new(new());
            flight.epoch.store(epoch, Ordering::Relaxed);
            let seat = waits.then(|| Seat::take(&flight, true));
            self.current = Some(Claim { flight: Arc::clone(&flight), stage: Stage::Queued });
            return Boarding::Claimed { flight, seat };
        };
        if !waits {
            return match claim.unpark(bodies) {
                Some(job) => Boarding::Unparked(job),
                None => Boarding::Busy,
            };
        }
        let seat = Seat::take(&claim.flight, false);
        let start = match std::mem::replace(&mut claim.stage, Stage::Queued) {
            Stage::Queued => Some(Start::Withdraw(claim.flight.ticket)),
            Stage::Parked(job) => Some(Start::Now(job)),
            running @ Stage::Running { .. } => {
                claim.stage = running;
                None
            }
        };
        Boarding::Joined { seat, start }
    }

    /// The flight whose body runs in this task.
    pub(crate) fn running_in(&self, task: task::Id) -> Option<&Arc<Flight<T>>>
    where
        T: Send + Sync + 'static,
    {
        let current = self.current.iter().map(|claim| &claim.flight);
        current.chain(self.behind.iter().map(|behind| &behind.flight)).find(|flight| flight.runs_in(task))
    }

    /// After an invalidation: `next` is to fetch the key anew, but no more than two bodies of it at once; if it is a re-run
    /// that the key's own body asks for, after that body.
    pub(crate) fn succeed(
        &mut self,
        now: Moment,
        epoch: u64,
        flight: &Arc<Flight<T>>,
        next: J,
    ) -> Succession<J> {
        match &self.current {
            Some(Claim { stage: Stage::Queued | Stage::Parked(_), .. }) => return Succession::Ahead(next),
            // A running flight has nothing to give back.
            Some(Claim { stage: Stage::Running { .. }, .. }) => drop(self.supersede()),
            None => {}
        }
        flight.epoch.store(epoch, Ordering::Relaxed);
        let flight = Arc::clone(flight);
        if self.bodies(now) < most_beside(&flight) {
            self.current = Some(Claim { flight, stage: Stage::Queued });
            Succession::Submit(next)
        } else {
            self.current = Some(Claim { flight, stage: Stage::Parked(next) });
            Succession::Parked
        }
    }

    /// Whether this flight holds the key.
    pub(crate) fn holds(&self, flight: &Arc<Flight<T>>) -> bool {
        self.current.as_ref().is_some_and(|claim| Arc::ptr_eq(&claim.flight, flight))
    }

    /// The body is about to run: the claim, or what is left of it, lasts until then. `None` where the flight is not
    /// to run any more: it was superseded while it waited.
    pub(crate) fn run(&mut self, flight: &Arc<Flight<T>>, until: Moment) -> Option<Ended> {
        let run =
            if let Some(claim) = self.current.as_mut().filter(|claim| Arc::ptr_eq(&claim.flight, flight)) {
                if matches!(claim.stage, Stage::Running { .. }) {
                    return None;
                }
                claim.stage = Stage::Running { until };
                Ended::Current
            } else {
                let behind = self.behind.iter_mut().find(|behind| Arc::ptr_eq(&behind.flight, flight))?;
                behind.until = Some(until);
                Ended::Superseded
            };
        flight.until.store(until.to_bits(), Ordering::SeqCst);
        Some(run)
    }

    /// The flight is over, or given up. `None` where it was not here any more.
    pub(crate) fn end(&mut self, flight: &Arc<Flight<T>>) -> Option<Ended> {
        if self.holds(flight) {
            self.current = None;
            return Some(Ended::Current);
        }
        let at = self.behind.iter().position(|behind| Arc::ptr_eq(&behind.flight, flight))?;
        self.behind.swap_remove(at);
        Some(Ended::Superseded)
    }

    /// The flight that was parked, where there is room for it now.
    pub(crate) fn unpark(&mut self, now: Moment) -> Option<J> {
        let bodies = self.bodies(now);
        self.current.as_mut()?.unpark(bodies)
    }

    /// Superseded flights whose claim has lapsed: a later value answers those who wait for them.
    pub(crate) fn lapsed(&self, now: Moment) -> Vec<Arc<Flight<T>>> {
        let lapsed = self.behind.iter().filter(|behind| behind.until.is_some_and(|until| now >= until));
        lapsed.map(|behind| Arc::clone(&behind.flight)).collect()
    }

    /// Whether there are any.
    pub(crate) fn has_lapsed(&self, now: Moment) -> bool {
        self.behind.iter().any(|behind| behind.until.is_some_and(|until| now >= until))
    }

    /// Superseded bodies that still run within their time; one that has lapsed holds nothing up.
    fn bodies(&self, now: Moment) -> usize {
        self.behind.iter().filter(|behind| behind.runs(now)).count()
    }

    /// Takes the key from a fetch that runs.
    fn supersede_running(&mut self) {
        let running = self.current.take_if(|claim| matches!(claim.stage, Stage::Running { .. }));
        if let Some(Claim { flight, stage: Stage::Running { until } }) = running {
            self.behind.push(Behind { flight, until: Some(until), is_outdated: true });
        }
    }

    /// Takes the key from whoever holds it.
    fn supersede(&mut self) -> Option<Start<J>> {
        let Claim { flight, stage } = self.current.take()?;
        let until = match stage {
            Stage::Running { until } => Some(until),
            Stage::Parked(job) => return Some(Start::Now(job)),
            // Those who joined before are still answered.
            Stage::Queued if flight.waiting() > 0 => None,
            Stage::Queued => return Some(Start::Withdraw(flight.ticket)),
        };
        self.behind.push(Behind { flight, until, is_outdated: false });
        None
    }
}

impl<T> Behind<T> {
    /// Whether it still runs within its time.
    fn runs(&self, now: Moment) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl<T, J> Claim<T, J> {
    /// Whether another fetch may take the key.
    fn is_over(&self, now: Moment, epoch: u64) -> bool {
        let lapsed = matches!(self.stage, Stage::Running { until } if now >= until);
        lapsed || self.flight.epoch() != epoch
    }

    fn unpark(&mut self, bodies: usize) -> Option<J> {
        if bodies >= most_beside(&self.flight) {
            return None;
        }
        match std::mem::replace(&mut self.stage, Stage::Queued) {
            Stage::Parked(job) => Some(job),
            other => {
                self.stage = other;
                None
            }
        }
    }
}

/// With so many superseded bodies of its key a flight waits. A re-run that the key's own body has asked for comes after
/// that body, so that all of its invalidations lead to one.
fn most_beside<T>(flight: &Flight<T>) -> usize {
    if flight.is_rerun() { 1 } else { BODIES }
}
