//! One live flight for each key, joined by all callers who need it.
//!
//! A *flight* is one fetch and the callers who wait for it. A key that has flights has [`KeyClaims`], which know the
//! flight that holds the key. They are found and changed under the lock of their shard, and no user code runs there.

use std::collections::HashMap;
use std::task::Waker;

use smallvec::SmallVec;

use crate::base::clock::Moment;
use crate::base::hash::BuildAsIs;
use crate::base::panics::catch;
use crate::base::sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, Mutex, Notify, OnceLock, Ordering, lock};
use crate::base::tasks::{Id, task};
use crate::executor::{Fetch, Permit, Ticket};
use crate::flight::collisions::{KeyRef, KnownKeys, Uncompared};

#[cfg(feature = "shared")]
mod changes;
mod claims;
pub(crate) mod collisions;
mod drive;
mod waiter;
pub(crate) use claims::{JoinOrClaim, KeyClaims, Lane, Need, Standing, Start, Succession};
use drive::Drive;
pub(crate) use drive::NOTICE;
pub(crate) use waiter::Waiter;

/// What a flight is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A run of the body.
    Fetch,
    /// A look into the second tier.
    Consultation,
}

/// One fetch, as the callers who wait for it see it.
pub(crate) struct Flight<T> {
    pub(crate) ticket: Ticket,
    pub(crate) purpose: Purpose,
    /// The runtime that its body is to run on.
    runtime: Option<Id>,
    /// The epoch of the store when the key was claimed.
    epoch: AtomicU64,
    /// When its claim lapses; zero until its body runs.
    until: AtomicU64,
    /// Its place among the running refreshes, as long as no caller waits for it.
    place: Mutex<Option<Permit>>,
    /// Whether it may have a place, so that not every caller who joins takes that lock.
    has_place: AtomicBool,
    result: OnceLock<T>,
    /// Wakes the caller who has started it, if that waits: nearly always the only one.
    leader: Mutex<Option<Waker>>,
    /// Wakes the others who wait.
    done: Notify,
    /// Whether there were any.
    is_joined: AtomicBool,
    waiting: AtomicUsize,
    /// After its claim has lapsed: when its task last showed that it runs, by the [awake](Moment::awake) clock. Zero
    /// before.
    seen: AtomicU64,
    abandoned: Notify,
    /// The task that its body runs in.
    task: Mutex<Option<task::Id>>,
    /// Its body has asked for a shutdown, which does not end it.
    exempt: AtomicBool,
    /// It was asked for by the body of an earlier fetch of its key.
    rerun: AtomicBool,
    /// The number of the latest change by another process that it has perhaps not seen; zero if there is none.
    #[cfg(feature = "shared")]
    unseen: AtomicU64,
    /// The change that it is known to have seen.
    #[cfg(feature = "shared")]
    seen_change: AtomicU64,
    drive: Drive,
}

impl<T> Flight<T> {
    pub(crate) fn new(ticket: Ticket, runtime: Option<Id>) -> Self {
        Self {
            ticket,
            purpose: Purpose::Fetch,
            runtime,
            epoch: AtomicU64::new(0),
            until: AtomicU64::new(0),
            place: Mutex::default(),
            has_place: AtomicBool::new(false),
            result: OnceLock::new(),
            leader: Mutex::default(),
            done: Notify::new(),
            is_joined: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            seen: AtomicU64::new(0),
            abandoned: Notify::new(),
            task: Mutex::default(),
            exempt: AtomicBool::new(false),
            rerun: AtomicBool::new(false),
            #[cfg(feature = "shared")]
            unseen: AtomicU64::new(0),
            #[cfg(feature = "shared")]
            seen_change: AtomicU64::new(0),
            drive: Drive::default(),
        }
    }

    /// The same, for another purpose.
    pub(crate) fn with_purpose(self, purpose: Purpose) -> Self {
        Self { purpose, ..self }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// From now on its body runs, or is about to. Its claim lasts until then.
    fn run_until(&self, until: Moment) {
        self.until.store(until.to_bits(), Ordering::SeqCst);
    }

    /// When its claim lapses; [`Moment::PAST`] until its body runs.
    fn until(&self) -> Moment {
        Moment::from_bits(self.until.load(Ordering::SeqCst))
    }

    /// When its task last showed that it runs, by the [awake](Moment::awake) clock; `None` before its claim has lapsed.
    fn last_seen(&self) -> Option<Moment> {
        Some(Moment::from_bits(self.seen.load(Ordering::SeqCst))).filter(|seen| *seen > Moment::PAST)
    }

    /// Keeps a place among the running refreshes, until it is given back.
    pub(crate) fn take_place(&self, place: Option<Permit>) {
        *lock(&self.place) = place;
        self.has_place.store(true, Ordering::SeqCst);
    }

    /// Gives its place back: callers wait for it, or it has lapsed or ended. This starts other refreshes, so it must
    /// not be called under a lock.
    pub(crate) fn give_place_back(&self) {
        // A flight that takes a place looks for waiting callers afterwards, and a caller who joins looks for a place
        // afterwards. So at least one of the two gives it back.
        if self.has_place.load(Ordering::SeqCst) && self.has_place.swap(false, Ordering::SeqCst) {
            let place = lock(&self.place).take();
            drop(place);
        }
    }

    /// How many callers wait. It grows only under the lock of the key's claims.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Answers all callers who wait. The first result stands.
    pub(crate) fn complete(&self, result: T) {
        if self.result.set(result).is_ok() {
            self.wake_waiters();
        }
    }

    /// Wakes all callers who wait.
    fn wake_waiters(&self) {
        let leader = lock(&self.leader).take();
        if let Some(leader) = leader {
            leader.wake();
        }
        // A caller who joins says so before it looks for the result, which was set before this.
        if self.is_joined.load(Ordering::SeqCst) {
            self.done.notify_waiters();
        }
    }

    pub(crate) fn result(&self) -> Option<&T> {
        self.result.get()
    }

    /// Notes that the claim has lapsed, and that the task runs at this moment. The task calls it again from time to
    /// time.
    pub(crate) fn lapse(&self) {
        self.seen.store(Moment::awake().to_bits(), Ordering::SeqCst);
    }

    /// Completes when the last caller has left a flight whose claim has lapsed.
    pub(crate) async fn abandoned(&self) {
        self.abandoned.notified().await;
    }

    /// Marks it as a re-run: its key's own body has invalidated the key.
    pub(crate) fn set_rerun(&self) {
        self.rerun.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_rerun(&self) -> bool {
        self.rerun.load(Ordering::Relaxed)
    }

    /// Notes that its body is about to run in this task.
    pub(crate) fn begins_in(&self, task: task::Id) {
        lock(&self.task).get_or_insert(task);
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
        *lock(&self.task) == Some(task)
    }
    fn exempt(&self) {
        self.exempt.store(true, Ordering::SeqCst);
    }
    fn is_exempt(&self) -> bool {
        self.exempt.load(Ordering::SeqCst)
    }
    #[cfg(not(feature = "test-util"))]
    fn tend(&self) {
        Flight::tend(self);
    }
}

const SHARDS: usize = 16;

/// Compares a key with another one of its hash; `None` if that is gone by now.
type Compare<'c, K> = &'c dyn Fn(&K, &KeyRef<K>) -> Option<bool>;
/// Work on the claims of a key.
type Work<'w, K, T, J> =
    &'w mut dyn FnMut(&mut KeyClaims<K, T, J>, &KnownKeys<K>) -> Result<(), Uncompared<K>>;

/// The claims of the keys of one hash: nearly always of one key.
type SameHash<K, T, J> = SmallVec<[KeyClaims<K, T, J>; 1]>;

type Shard<K, T, J> = HashMap<u64, SameHash<K, T, J>, BuildAsIs>;

/// The flights of a cache, by their keys.
pub(crate) struct Flights<K: ?Sized, T, J> {
    shards: [Mutex<Shard<K, T, J>>; SHARDS],
}

impl<K: ?Sized, T, J> Flights<K, T, J> {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Does `work` with the claims of a key, under their lock.
    ///
    /// `work` must not run user code, or call anything that takes another lock of the library. If it finds keys that
    /// are [`Uncompared`], it must not have changed anything yet. They are compared outside the lock, and it is called
    /// again.
    pub(crate) fn at<R>(
        &self,
        hash: u64,
        known: &mut KnownKeys<K>,
        compare: impl Fn(&K, &KeyRef<K>) -> Option<bool>,
        mut work: impl FnMut(&mut KeyClaims<K, T, J>, &KnownKeys<K>) -> Result<R, Uncompared<K>>,
    ) -> R {
        let mut done = None;
        self.visit(hash, known, &compare, &mut |claims, known| {
            done = Some(work(claims, known)?);
            Ok(())
        });
        done.unwrap_or_else(|| unreachable!("the work is done again until it succeeds"))
    }

    /// The same without the types of the closures, so that each of them brings only its own code.
    fn visit(&self, hash: u64, known: &mut KnownKeys<K>, compare: Compare<'_, K>, work: Work<'_, K, T, J>) {
        loop {
            let mut idle = None;
            let worked = {
                let mut shard = lock(self.shard(hash));
                let claims = shard.entry(hash).or_default();
                let worked = claims_of(claims, known).and_then(|at| {
                    let done = work(&mut claims[at], known);
                    idle = close_idle(claims, at);
                    done
                });
                if claims.is_empty() {
                    shard.remove(&hash);
                }
                worked
            };
            let Err(uncompared) = worked else {
                // A user's `Drop` may panic, but the work is done already.
                let _ = catch(|| drop(idle));
                return;
            };
            known.compare(uncompared, compare);
        }
    }

    /// Ends a flight that is found by its identity, without the key: for when a user's `Eq` cannot be asked.
    pub(crate) fn evict(&self, hash: u64, flight: &Arc<Flight<T>>) {
        let mut shard = lock(self.shard(hash));
        let idle = shard.get_mut(&hash).and_then(|claims| {
            let at = claims.iter_mut().position(|claims| claims.end(flight))?;
            close_idle(claims, at)
        });
        if shard.get(&hash).is_some_and(SmallVec::is_empty) {
            shard.remove(&hash);
        }
        drop(shard);
        let _ = catch(|| drop(idle));
    }

    /// Flights that were parked behind bodies whose claims have lapsed since. They are to be submitted.
    #[cfg(not(feature = "test-util"))]
    pub(crate) fn unpark_all(&self, now: Moment) -> Vec<J> {
        let mut unparked = Vec::new();
        for shard in &self.shards {
            for claims in lock(shard).values_mut() {
                for claims in claims {
                    unparked.extend(claims.unpark(now));
                }
            }
        }
        unparked
    }

    /// Does `work` under the lock of all keys of a hash. It must not run user code, or call anything that takes another
    /// lock of the library.
    pub(crate) fn locked(&self, hash: u64, work: impl FnOnce()) {
        let _shard = lock(self.shard(hash));
        work();
    }

    /// Supersedes every flight that runs. Flights that are put off will see earlier writes anyway.
    pub(crate) fn supersede_running(&self) {
        for shard in &self.shards {
            lock(shard).values_mut().flatten().for_each(KeyClaims::supersede_running);
        }
    }

    /// Supersedes every flight from before an epoch. Returns the flights that were put off and now never run.
    pub(crate) fn supersede_older(&self, epoch: u64) -> Vec<Start<J>> {
        let mut given_back = Vec::new();
        let mut idle = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            for claims in shard.values_mut() {
                // From the last on, so that each is seen once.
                for at in (0..claims.len()).rev() {
                    given_back.extend(claims[at].supersede_older(epoch));
                    if claims[at].is_idle() {
                        idle.push(claims.swap_remove(at).key);
                    }
                }
            }
            shard.retain(|_, claims| !claims.is_empty());
        }
        let _ = catch(|| drop(idle));
        given_back
    }

    #[cfg(test)]
    pub(crate) fn claims(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).values().map(SmallVec::len).sum::<usize>()).sum()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<K, T, J>> {
        &self.shards[(hash >> 60) as usize % SHARDS]
    }
}

/// Finds the claims of a key, or adds them. The index is that among the keys of the same hash.
fn claims_of<K: ?Sized, T, J>(
    claims: &mut SameHash<K, T, J>,
    known: &KnownKeys<K>,
) -> Result<usize, Uncompared<K>> {
    let mut unknown = Vec::new();
    for (at, claims) in claims.iter().enumerate() {
        match known.is_same_key(&claims.key) {
            Some(true) => return Ok(at),
            Some(false) => {}
            None => unknown.push(KeyRef::Key(Arc::clone(&claims.key))),
        }
    }
    if !unknown.is_empty() {
        return Err(Uncompared(unknown));
    }
    claims.push(KeyClaims::open(Arc::clone(known.me())));
    Ok(claims.len() - 1)
}

/// Removes the claims of a key if it has no flights any more. The key is returned, to be dropped after the lock.
fn close_idle<K: ?Sized, T, J>(claims: &mut SameHash<K, T, J>, at: usize) -> Option<Arc<K>> {
    claims[at].is_idle().then(|| claims.swap_remove(at).key)
}

#[cfg(all(test, not(cacheback_shuttle)))]
mod tests;
