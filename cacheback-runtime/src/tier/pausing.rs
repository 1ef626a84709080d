//! A tier that a process does without for a while, because its operators say so.
//!
//! A paused tier is like one that cannot be reached, and its end is like that of an outage. The connections stay, and
//! messages arrive. Leases are still given back: other processes may wait for them.

use std::future::ready;
use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;

use super::late::{Delivered, Late};
use super::messages::Coherence;
use super::queue::Queue;
use super::status::TierStatus;
use super::{
    Acquired, Bump, Change, Down, Lease, Packed, Payload, Read, Release, Reply, Request, Scope, Stored, Tier,
    Token, WireKey, WriteId,
};
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicBool, Ordering};
use crate::base::tasks::{BoxFuture, Handle, first};

pub(super) struct Pausing {
    tier: Arc<dyn Tier>,
    is_paused: AtomicBool,
    /// How often it has gone on.
    resumed: watch::Sender<u64>,
}

impl Pausing {
    pub(super) fn over(tier: Arc<dyn Tier>) -> Self {
        Self { tier, is_paused: AtomicBool::new(false), resumed: watch::Sender::new(0) }
    }

    /// Returns whether it was not paused before.
    pub(super) fn pause(&self) -> bool {
        !self.is_paused.swap(true, Ordering::SeqCst)
    }

    /// Returns whether it was paused.
    pub(super) fn resume(&self) -> bool {
        let was_paused = self.is_paused.swap(false, Ordering::SeqCst);
        if was_paused {
            self.resumed.send_modify(|resumed| *resumed += 1);
        }
        was_paused
    }

    fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::SeqCst)
    }

    /// Asks the tier, unless it is paused.
    fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&dyn Tier) -> Reply<T>) -> Reply<T> {
        if self.is_paused() { Box::pin(ready(Err(Down::Disconnected))) } else { ask(&*self.tier) }
    }
}

impl Tier for Pausing {
    fn is_up(&self) -> bool {
        !self.is_paused() && self.tier.is_up()
    }

    fn contact(&self) -> u64 {
        self.tier.contact()
    }

    fn contact_of(&self, key: &WireKey) -> Option<u64> {
        self.tier.contact_of(key)
    }

    fn moves(&self) -> u64 {
        self.tier.moves() + *self.resumed.borrow()
    }

    fn lost(&self, contact: u64) -> Option<Duration> {
        self.tier.lost(contact)
    }

    fn reconnected(&self, since: u64) -> BoxFuture<()> {
        let (mut resumed, reconnected) = (self.resumed.subscribe(), self.tier.reconnected(since));
        let before = *resumed.borrow_and_update();
        Box::pin(async move {
            let resumed = async {
                let _ = resumed.wait_for(|now| *now != before).await;
            };
            let _ = first(reconnected, Box::pin(resumed)).await;
        })
    }

    fn runtime(&self) -> Handle {
        self.tier.runtime()
    }

    fn timeout(&self) -> Duration {
        self.tier.timeout()
    }

    fn status(&self) -> TierStatus {
        TierStatus { paused: self.is_paused(), ..self.tier.status() }
    }

    fn max_value_bytes(&self) -> usize {
        self.tier.max_value_bytes()
    }

    fn max_age(&self) -> Duration {
        self.tier.max_age()
    }

    fn pack(&self, bytes: Vec<u8>) -> Result<Packed, String> {
        self.tier.pack(bytes)
    }

    fn read(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        self.ask(|tier| tier.read(key, have))
    }

    fn look(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        self.ask(|tier| tier.look(key, have))
    }

    fn acquire(&self, key: &WireKey, request: Request) -> Reply<Acquired> {
        self.ask(|tier| tier.acquire(key, request))
    }

    fn store(&self, key: &WireKey, lease: &Lease, value: Payload) -> Reply<Stored> {
        self.ask(|tier| tier.store(key, lease, value))
    }

    /// Others may wait for its end.
    fn release(&self, key: &WireKey, token: Token, ending: Release) {
        self.tier.release(key, token, ending);
    }

    fn write(&self, key: &WireKey, change: Change) -> Reply<WriteId> {
        self.ask(|tier| tier.write(key, change))
    }

    fn deliver(&self, key: &WireKey, change: Change, late: Late) -> Reply<Delivered> {
        self.ask(|tier| tier.deliver(key, change, late))
    }

    fn listen(&self, scope: &Arc<Scope>, listener: Weak<dyn Coherence>) {
        self.tier.listen(scope, listener);
    }

    fn bump(&self, scope: &Arc<Scope>, change: Bump, at: Moment) -> Reply<()> {
        self.ask(|tier| tier.bump(scope, change, at))
    }

    fn confirms(&self) -> bool {
        self.tier.confirms()
    }

    fn confirm(&self, key: &WireKey) -> Reply<()> {
        self.ask(|tier| tier.confirm(key))
    }

    fn confirm_all(&self, scope: &Arc<Scope>) -> Reply<()> {
        self.ask(|tier| tier.confirm_all(scope))
    }

    fn queue(&self) -> Option<&dyn Queue> {
        self.tier.queue()
    }
}
