//! Who fetches what: one live flight a key, joined by all who need it.
//!
//! A *flight* is one fetch and those who wait for it. Each key with a flight has a *desk*, where the claim on the key
//! is kept; a desk is found, and its state changed, under its shard's lock, and no user code runs there.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::base::clock::Moment;
use crate::base::hash::BuildAsIs;
use crate::base::panics::caught;
use crate::base::sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, Mutex, Notify, OnceLock, Ordering, lock};
use crate::base::tasks::{Id, task};
use crate::executor::{Fetch, Permit, Ticket};
use crate::flight::collisions::{Face, Known, Strangers};

mod claims;
pub(crate) mod collisions;
mod drive;
pub(crate) use claims::{Boarding, Desk, Ended, Lane, Start, Succession};
use drive::Drive;
pub(crate) use drive::NOTICE;

/// One fetch, as those see it who wait for it.
pub(crate) struct Flight<T> {
    pub(crate) ticket: Ticket,
    /// The runtime that its body is to run on.
    runtime: Option<Id>,
    /// The store's, when the key was claimed.
    epoch: AtomicU64,
    /// When its claim lapses; zero until its body runs.
    until: AtomicU64,
    /// Its place among the running refreshes, as long as nobody waits for it.
    place: Mutex<Option<Permit>>,
    /// Whether it may have one: those who come to wait need not all ask.
    has_place: AtomicBool,
    landed: OnceLock<T>,
    done: Notify,
    waiting: AtomicUsize,
    /// When, awake, its own task last showed that it lives, after its claim lapsed; zero before.
    seen: AtomicU64,
    abandoned: Notify,
    /// The task that its body runs in.
    task: OnceLock<task::Id>,
    /// Its body has asked for a shutdown.
    spared: AtomicBool,
    /// The body of an earlier fetch of its key asked for it.
    rerun: AtomicBool,
    drive: Drive,
}

impl<T> Flight<T> {
    pub(crate) fn new(ticket: Ticket, runtime: Option<Id>) -> Self {
        Self {
            ticket,
            runtime,
            epoch: AtomicU64::new(0),
            until: AtomicU64::new(0),
            place: Mutex::default(),
            has_place: AtomicBool::new(false),
            landed: OnceLock::new(),
            done: Notify::new(),
            waiting: AtomicUsize::new(0),
            seen: AtomicU64::new(0),
            abandoned: Notify::new(),
            task: OnceLock::new(),
            spared: AtomicBool::new(false),
            rerun: AtomicBool::new(false),
            drive: Drive::default(),
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// When its claim lapses; [`Moment::PAST`] until its body runs.
    fn until(&self) -> Moment {
        Moment::from_bits(self.until.load(Ordering::SeqCst))
    }

    /// When, [awake](Moment::awake), its own task last showed that it lives, after its claim lapsed.
    fn last_seen(&self) -> Option<Moment> {
        Some(Moment::from_bits(self.seen.load(Ordering::SeqCst))).filter(|seen| *seen > Moment::PAST)
    }

    /// Keeps its place among the running refreshes until it is given up.
    pub(crate) fn take_place(&self, place: Option<Permit>) {
        let has_place = place.is_some();
        *lock(&self.place) = place;
        self.has_place.store(has_place, Ordering::SeqCst);
    }

    /// Gives its place back: callers wait for it, or it has lapsed or landed. Starts other refreshes: never under a
    /// lock.
    pub(crate) fn give_place_back(&self) {
        // Whoever takes a place looks for waiting callers after that, and they for a place after they came.
        if self.has_place.load(Ordering::SeqCst) && self.has_place.swap(false, Ordering::SeqCst) {
            let place = lock(&self.place).take();
            drop(place);
        }
    }

    /// How many callers wait. Grows only under the desk's lock.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Answers all who wait. The first answer stands.
    pub(crate) fn land(&self, outcome: T) {
        if self.landed.set(outcome).is_ok() {
            self.done.notify_waiters();
        }
    }

    pub(crate) fn landed(&self) -> Option<&T> {
        self.landed.get()
    }

    /// From here on the flight goes on for those who wait alone; its task says so from time to time.
    pub(crate) fn lapse(&self) {
        self.seen.store(Moment::awake().to_bits(), Ordering::SeqCst);
    }

    /// Completes when the last caller leaves a flight that has lapsed.
    pub(crate) async fn abandoned(&self) {
        self.abandoned.notified().await;
    }

    /// It runs its key anew because the key's own body has invalidated it.
    pub(crate) fn set_rerun(&self) {
        self.rerun.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_rerun(&self) -> bool {
        self.rerun.load(Ordering::Relaxed)
    }

    /// Its body is about to run, in this task.
    pub(crate) fn begins_in(&self, task: task::Id) {
        let _ = self.task.set(task);
    }
}

impl<T: Send + Sync + 'static> Fetch for Flight<T> {
    fn has_begun(&self) -> bool {
        self.until.load(Ordering::SeqCst) > 0
    }
    fn is_awaited(&self) -> bool {
        self.waiting() > 0
    }
    fn runs_in(&self, task: task::Id) -> bool {
        self.task.get() == Some(&task)
    }
    fn spare(&self) {
        self.spared.store(true, Ordering::SeqCst);
    }
    fn is_spared(&self) -> bool {
        self.spared.load(Ordering::SeqCst)
    }
    #[cfg(not(feature = "test-util"))]
    fn tend(&self) {
        Flight::tend(self);
    }
}

/// A caller's place among those who wait for a flight; dropping it leaves.
pub(crate) struct Seat<T> {
    flight: Arc<Flight<T>>,
    leads: bool,
}

impl<T> Seat<T> {
    /// Joins. Under the desk's lock only, where the flight is the one of its key.
    fn take(flight: &Arc<Flight<T>>, leads: bool) -> Self {
        flight.waiting.fetch_add(1, Ordering::SeqCst);
        Self { flight: Arc::clone(flight), leads }
    }

    /// Waits for the flight to land.
    pub(crate) async fn landed(&self) -> &T {
        loop {
            let done = self.flight.done.notified();
            if let Some(outcome) = self.flight.landed() {
                return outcome;
            }
            done.await;
        }
    }

    /// Whether it is the flight's own body that waits for it, in its task.
    pub(crate) fn is_within(&self) -> bool
    where
        T: Send + Sync + 'static,
    {
        task::try_id().is_some_and(|task| self.flight.runs_in(task))
    }

    /// Whether the flight is to run on another runtime than this.
    pub(crate) fn runs_elsewhere(&self, here: Id) -> bool {
        self.flight.runtime.is_some_and(|runtime| runtime != here)
    }

    /// When the flight's claim lapses; `None` until its body runs.
    pub(crate) fn lapses_at(&self) -> Option<Moment> {
        Some(self.flight.until()).filter(|until| *until > Moment::PAST)
    }

    /// When, [awake](Moment::awake), the flight's own task last showed that somebody drives it, after its claim lapsed.
    pub(crate) fn last_seen(&self) -> Option<Moment> {
        self.flight.last_seen()
    }

    /// Whether nobody drives the flight, or a caller on its own runtime keeps that from it.
    pub(crate) fn is_stranded(&self, here: Id) -> bool {
        self.flight.is_stranded(self.runs_elsewhere(here))
    }

    /// The flight has a caller, and takes no place among the refreshes any more. Never under a lock.
    pub(crate) fn give_place_back(&self) {
        self.flight.give_place_back();
    }

    /// Whether this call started the flight.
    pub(crate) fn leads(&self) -> bool {
        self.leads
    }
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        let last = self.flight.waiting.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.flight.seen.load(Ordering::SeqCst) > 0 {
            self.flight.abandoned.notify_one();
        }
    }
}

const SHARDS: usize = 16;

type Shard<K, T, J> = HashMap<u64, Vec<Desk<K, T, J>>, BuildAsIs>;

/// All desks of a cache.
pub(crate) struct Flights<K: ?Sized, T, J> {
    shards: [Mutex<Shard<K, T, J>>; SHARDS],
}

impl<K: ?Sized, T, J> Flights<K, T, J> {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Does `work` at the desk of a key, under its lock.
    ///
    /// `work` runs no user code and calls nothing that takes a lock of ours; where it meets [`Strangers`] it has
    /// changed nothing yet, and is called again once they are known.
    pub(crate) fn at<R>(
        &self,
        hash: u64,
        known: &mut Known<K>,
        compare: impl Fn(&K, &Face<K>) -> Option<bool>,
        mut work: impl FnMut(&mut Desk<K, T, J>, &Known<K>) -> Result<R, Strangers<K>>,
    ) -> R {
        loop {
            let strangers = {
                let mut shard = lock(self.shard(hash));
                let worked = desk_of(&mut shard, hash, known).and_then(|at| {
                    let done = work(&mut shard.entry(hash).or_default()[at], known);
                    let idle = close_idle(&mut shard, hash, at);
                    done.map(|done| (done, idle))
                });
                match worked {
                    Ok((done, idle)) => {
                        drop(shard);
                        // A user's `Drop` may panic, and what was done is done.
                        let _ = caught(|| drop(idle));
                        return done;
                    }
                    Err(strangers) => strangers,
                }
            };
            known.meet(strangers, &compare);
        }
    }

    /// Takes a flight from its desk, found by the flight alone: for when a user's `Eq` cannot be asked.
    pub(crate) fn evict(&self, hash: u64, flight: &Arc<Flight<T>>) {
        let mut shard = lock(self.shard(hash));
        let at = shard.get_mut(&hash).and_then(|desks| desks.iter_mut().position(|desk| desk.end(flight)));
        let idle = at.and_then(|at| close_idle(&mut shard, hash, at));
        drop(shard);
        let _ = caught(|| drop(idle));
    }

    /// What was parked behind bodies that have lapsed since: to be submitted.
    #[cfg(not(feature = "test-util"))]
    pub(crate) fn unpark_all(&self, now: Moment) -> Vec<J> {
        let mut unparked = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            unparked.extend(shard.values_mut().flatten().flat_map(|desk| desk.unpark(now)));
        }
        unparked
    }

    /// Does `work` under the lock of all keys of a hash. It runs no user code and calls nothing that takes a lock of ours.
    pub(crate) fn locked(&self, hash: u64, work: impl FnOnce()) {
        let _shard = lock(self.shard(hash));
        work();
    }

    /// Supersedes every flight that runs. One that is put off will see what was written before.
    pub(crate) fn supersede_running(&self) {
        for shard in &self.shards {
            lock(shard).values_mut().flatten().for_each(Desk::supersede_running);
        }
    }

    /// Supersedes every flight from before an epoch. What was put off and now never runs comes back.
    pub(crate) fn supersede_older(&self, epoch: u64) -> Vec<Start<J>> {
        let mut given_back = Vec::new();
        let mut idle = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            for desks in shard.values_mut() {
                given_back.extend(desks.iter_mut().flat_map(|desk| desk.supersede_older(epoch)));
                let (gone, kept): (Vec<_>, _) = std::mem::take(desks).into_iter().partition(Desk::is_idle);
                idle.extend(gone);
                *desks = kept;
            }
            shard.retain(|_, desks| !desks.is_empty());
        }
        let _ = caught(|| drop(idle));
        given_back
    }

    #[cfg(test)]
    pub(crate) fn desks(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).values().map(Vec::len).sum::<usize>()).sum()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<K, T, J>> {
        &self.shards[(hash >> 60) as usize % SHARDS]
    }
}

/// Finds the desk of a key, or opens one.
fn desk_of<K: ?Sized, T, J>(
    shard: &mut Shard<K, T, J>,
    hash: u64,
    known: &Known<K>,
) -> Result<usize, Strangers<K>> {
    let desks = shard.entry(hash).or_default();
    let mut met = SmallVec::new();
    for (at, desk) in desks.iter().enumerate() {
        match known.judge(&desk.key) {
            Some(true) => return Ok(at),
            Some(false) => {}
            None => met.push(Face::Key(Arc::clone(&desk.key))),
        }
    }
    if let Some(strangers) = Strangers::among(met) {
        return Err(strangers);
    }
    desks.push(Desk::open(Arc::clone(known.me())));
    Ok(desks.len() - 1)
}

/// Takes a desk without flights away. It comes back, so that its key is dropped after the lock.
fn close_idle<K: ?Sized, T, J>(shard: &mut Shard<K, T, J>, hash: u64, at: usize) -> Option<Desk<K, T, J>> {
    let desks = shard.get_mut(&hash)?;
    let idle = desks[at].is_idle().then(|| desks.swap_remove(at));
    if desks.is_empty() {
        shard.remove(&hash);
    }
    idle
}

#[cfg(all(test, not(cacheback_shuttle)))]
mod tests;
