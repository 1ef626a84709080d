//! The hit path: the answer to a call if there is one at once and nothing is to be started.

use super::{Cacheable, Engine, NodeOf};
use crate::base::clock::Moment;
use crate::base::tasks;
use crate::events::Status;
use crate::key::KeyOver;

impl<C: Cacheable> Engine<C> {
    /// The hit path: the answer where there is one at once and nothing is to be started.
    #[inline(always)]
    pub(crate) fn look<W: Copy>(&self, view: W) -> Option<C::Return>
    where
        C::Key: KeyOver<W>,
    {
        let same = move |key: &C::OwnedKey| <C::Key>::same(view, key);
        self.look_hashed(self.hash(view), same, move |hash| self.look_deeper(hash, same))
    }

    /// The same, of a key that was hashed already. Where its first place has it not, `deeper` may.
    // That is a parameter for the optimiser: 20 instructions of each hit.
    #[inline(always)]
    pub(crate) fn look_hashed(
        &self,
        hash: u64,
        same: impl Fn(&C::OwnedKey) -> bool + Copy,
        deeper: impl FnOnce(u64) -> Option<C::Return>,
    ) -> Option<C::Return> {
        let pin = self.store.pin();
        let Some(node) = self.store.find_first(hash, same, &pin) else {
            drop(pin);
            return deeper(hash);
        };
        let value = self.fast_path_value(node)?;
        drop(pin);
        Some(C::join(Ok(value)))
    }

    /// What the first place of a key did not have.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_deeper(
        &self,
        hash: u64,
        same: impl Fn(&C::OwnedKey) -> bool + Copy,
    ) -> Option<C::Return> {
        let pin = self.store.pin();
        let node = self.store.find(hash, same, &pin)?;
        Some(C::join(Ok(self.fast_path_value(node)?)))
    }

    /// The value of a node, where a reader has nothing else to do.
    #[inline(always)]
    fn fast_path_value(&self, node: &NodeOf<C>) -> Option<C::Value> {
        let now = Moment::recent();
        let (value, told) = node.cached()?;
        if node.is_on_fast_path(now) {
            self.counters.answered(Status::Fresh);
        } else if !self.answered_without_refresh(node, now) {
            return None;
        }
        if self.store.wants_record(told) {
            self.store.record(node);
        }
        Some(value.clone())
    }

    /// Answers and counts a reader who would start a refresh, if one is under way or the key is in back-off.
    // Apart from the others, which would pay for what the two have in common.
    #[cold]
    #[inline(never)]
    fn answered_without_refresh(&self, node: &NodeOf<C>, now: Moment) -> bool {
        let Some(status) = node.status_without_refresh(now) else { return false };
        // Now and then a stale answer takes part in the cooperative budget, or who polls for the refresh would keep it
        // from running. Where others are to run first, `read` waits for them.
        if status == Status::Stale && self.counters.is_turn(status) && !tasks::has_budget() {
            return false;
        }
        self.counters.answered(status);
        true
    }
}
