//! Sweeps: drops values past their retention, and starts parked fetches that have room to run now.

use super::target::{Lone, Target};
use super::{Cacheable, Engine, ErrorOf, NodeOf};
use crate::base::clock::Moment;
use crate::base::panics::catch;
use crate::base::sync::{Arc, Ordering};
#[cfg(not(feature = "test-util"))]
use crate::executor::housekeeper;
use crate::rules::backoff::Backoff;
use crate::store::{Change, Pins, RECORD_WEIGHT};

impl<C: Cacheable> Engine<C> {
    /// With `test-util`, drops the nodes past their retention. Only a call can read a test's clock; otherwise the
    /// housekeeper does it.
    pub(super) fn tidy(&self, now: Moment) {
        let due = cfg!(feature = "test-util")
            && now >= self.store.next_gone()
            && now.since(Moment::from_bits(self.swept.load(Ordering::Relaxed))) >= 10_000_000_000;
        if due {
            self.swept.store(now.to_bits(), Ordering::Relaxed);
            self.sweep_store(now);
        }
    }

    /// Drops the nodes past their retention. A back-off outlives its value, in a record of its own.
    fn sweep_store(&self, now: Moment) {
        let pins = self.store.pins();
        for (node, backoff) in self.store.sweep(now, &pins) {
            // If the user's types panic, the back-off is forgotten.
            if catch(|| self.keep_backoff(node, backoff, now, &pins)).is_err() {
                self.store.remove(node);
            }
        }
    }

    /// Replaces a node with the record of its back-off.
    fn keep_backoff<'s>(
        &'s self,
        node: &NodeOf<C>,
        backoff: Backoff,
        now: Moment,
        pins: &Pins<'s, C::OwnedKey, C::Value, ErrorOf<C>>,
    ) {
        let (key, own) = (C::copy_key(node.key()), C::copy_key(node.key()));
        let target = Target::new(node.hash(), Arc::new(Lone(key)), Some(node.id()));
        let mut record = Some(self.backoff_record(own, target.hash, backoff, None, now));
        let change = self.with_claims(&target, |_, known| {
            // A write may have replaced the node meanwhile.
            match self.store.resident(target.hash, known, pins)? {
                Some(current) if current.id() == node.id() => {
                    Ok(self.store.put(&mut record, RECORD_WEIGHT, self.store.epoch(), Some(current), pins))
                }
                _ => Ok(Change::default()),
            }
        });
        self.store.carry_out(change);
    }
}

#[cfg(not(feature = "test-util"))]
impl<C: Cacheable> housekeeper::Sweep for Engine<C> {
    fn sweep(&self, now: Moment) {
        if now >= self.store.next_gone() {
            self.sweep_store(now);
        }
        for job in self.flights.unpark_all(now) {
            job.submit();
        }
    }
}
