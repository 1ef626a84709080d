//! Who fetches what: one live flight a key, joined by all who need it.
//!
//! A *flight* is one fetch and those who wait for it. Each key with a flight has a *desk*, where the claim on the key
//! is kept; a desk is found, and its state changed, under its shard's lock, and no user code runs there.

use std::collections::HashMap;

use tokio::sync::Notify;

use crate::executor::Ticket;
use crate::hash::BuildAsIs;
use crate::known::{Known, Stranger};
use crate::sync::{Arc, AtomicBool, AtomicUsize, Mutex, OnceLock, Ordering, lock};

mod desk;
pub(crate) use desk::{Boarding, Desk, Ended, Start, Succession};

/// One fetch, as those see it who wait for it.
pub(crate) struct Flight<T> {
    pub(crate) epoch: u64,
    pub(crate) ticket: Ticket,
    landed: OnceLock<T>,
    done: Notify,
    waiting: AtomicUsize,
    /// Whether the call that started the flight waits for it.
    leader: AtomicBool,
    lapsed: AtomicBool,
    abandoned: Notify,
}

impl<T> Flight<T> {
    pub(crate) fn new(epoch: u64, ticket: Ticket) -> Self {
        Self {
            epoch,
            ticket,
            landed: OnceLock::new(),
            done: Notify::new(),
            waiting: AtomicUsize::new(0),
            leader: AtomicBool::new(false),
            lapsed: AtomicBool::new(false),
            abandoned: Notify::new(),
        }
    }

    /// How many callers wait. Grows only under the desk's lock.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    pub(crate) fn leader_waits(&self) -> bool {
        self.leader.load(Ordering::SeqCst)
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

    /// From here on the flight goes on for those who wait alone.
    pub(crate) fn lapse(&self) {
        self.lapsed.store(true, Ordering::SeqCst);
    }

    /// Completes when the last caller leaves a flight that has lapsed.
    pub(crate) async fn abandoned(&self) {
        self.abandoned.notified().await;
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
        flight.leader.fetch_or(leads, Ordering::SeqCst);
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

    /// Whether this call started the flight.
    pub(crate) fn leads(&self) -> bool {
        self.leads
    }
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        if self.leads {
            self.flight.leader.store(false, Ordering::SeqCst);
        }
        let last = self.flight.waiting.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.flight.lapsed.load(Ordering::SeqCst) {
            self.flight.abandoned.notify_one();
        }
    }
}

const SHARDS: usize = 16;

type Shard<K, T, J> = HashMap<u64, Vec<Desk<K, T, J>>, BuildAsIs>;

/// All desks of a cache.
pub(crate) struct Flights<K, T, J> {
    shards: [Mutex<Shard<K, T, J>>; SHARDS],
}

impl<K, T, J> Flights<K, T, J> {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Does `work` at the desk of a key, under its lock.
    ///
    /// `work` runs no user code and calls nothing that takes a lock of ours; where it meets a [`Stranger`] it has
    /// changed nothing yet, and is called again once that one is known.
    pub(crate) fn at<R>(
        &self,
        hash: u64,
        known: &mut Known<K>,
        equal: impl Fn(&K, &K) -> bool,
        mut work: impl FnMut(&mut Desk<K, T, J>, &Known<K>) -> Result<R, Stranger<K>>,
    ) -> R {
        loop {
            let stranger = {
                let mut shard = lock(self.shard(hash));
                let worked = desk_of(&mut shard, hash, known).and_then(|at| {
                    let desks = shard.entry(hash).or_default();
                    let done = work(&mut desks[at], known);
                    // A desk without flights goes; its key is dropped after the lock.
                    let idle = desks[at].is_idle().then(|| desks.swap_remove(at));
                    if desks.is_empty() {
                        shard.remove(&hash);
                    }
                    done.map(|done| (done, idle))
                });
                match worked {
                    Ok((done, idle)) => {
                        drop(shard);
                        drop(idle);
                        return done;
                    }
                    Err(stranger) => stranger,
                }
            };
            known.meet(stranger, &equal);
        }
    }

    /// Supersedes every flight of the cache. What was put off and now never runs comes back.
    pub(crate) fn supersede_all(&self) -> Vec<Start<J>> {
        let mut given_back = Vec::new();
        let mut idle = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            for desks in shard.values_mut() {
                given_back.extend(desks.iter_mut().flat_map(Desk::supersede));
                let (gone, kept): (Vec<_>, _) = std::mem::take(desks).into_iter().partition(Desk::is_idle);
                idle.extend(gone);
                *desks = kept;
            }
            shard.retain(|_, desks| !desks.is_empty());
        }
        given_back
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<K, T, J>> {
        &self.shards[(hash >> 60) as usize % SHARDS]
    }
}

/// Finds the desk of a key, or opens one.
fn desk_of<K, T, J>(shard: &mut Shard<K, T, J>, hash: u64, known: &Known<K>) -> Result<usize, Stranger<K>> {
    let desks = shard.entry(hash).or_default();
    for (at, desk) in desks.iter().enumerate() {
        if known.judge(&desk.key)? {
            return Ok(at);
        }
    }
    desks.push(Desk::open(Arc::clone(known.me())));
    Ok(desks.len() - 1)
}

#[cfg(test)]
mod tests;
