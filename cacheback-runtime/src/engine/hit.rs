//! The hit path. It answers a call if a value can be served at once and no fetch is to be started.

use super::{Cacheable, Engine, NodeOf};
use crate::base::clock::Moment;
use crate::base::tasks;
use crate::events::Status;
use crate::executor::context;
use crate::key::KeyOver;

impl<C: Cacheable> Engine<C> {
    /// The answer to a hit; `None` if the call is to take the long way, as an entry.
    #[inline(always)]
    pub(crate) fn look<W: Copy>(&self, view: W) -> Option<C::Return>
    where
        C::Key: KeyOver<W>,
    {
        let same = move |key: &C::OwnedKey| <C::Key>::same(view, key);
        self.look_hashed(self.hash(view), same, move |hash| self.look_deeper(hash, same))
    }

    /// The same for a key that was hashed already. If its first place does not have it, `deeper` is called.
    // `deeper` is a parameter for the sake of the optimiser: it saves 20 instructions of each hit.
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

    /// The answer to a hit whose value does not lie in the first place of its key.
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

    /// The value of a node, counted, if its reader has no fetch to start.
    #[inline(always)]
    fn fast_path_value(&self, node: &NodeOf<C>) -> Option<C::Value> {
        let now = Moment::recent();
        let (value, last_touch) = node.cached()?;
        if node.is_on_fast_path(now) {
            self.counters.answered(Status::Fresh);
        } else if !self.answered_without_refresh(node, now) {
            return None;
        }
        if self.store.wants_touch(last_touch) {
            self.store.touch(node);
        }
        Some(value.clone())
    }

    /// The status of the value for a reader whose refresh would be refused: by an open breaker, or by the queue, which
    /// is as full as when it refused the last refresh of this key.
    #[inline(never)]
    fn status_if_refused(&self, node: &NodeOf<C>, now: Moment) -> Option<Status> {
        let is_refused = now < self.breaker.until(false)
            || context::queue_version().is_some_and(|version| node.is_refused_by(version));
        if is_refused { node.status(now, &self.store.windows) } else { None }
    }

    /// Counts the answer to a reader who would start a refresh, if a refresh is under way, is refused, or the key is in
    /// back-off. Returns whether the reader may be answered.
    // Out of line: inlined, the code that it has in common with the fast path would slow that down.
    #[cold]
    #[inline(never)]
    fn answered_without_refresh(&self, node: &NodeOf<C>, now: Moment) -> bool {
        let status = match node.status_without_refresh(now) {
            Some(status) => status,
            None => match self.status_if_refused(node, now) {
                Some(status) => status,
                None => return false,
            },
        };
        // Now and then a stale answer checks tokio's cooperative budget, or a caller who polls for the refresh would
        // keep it from running. If the budget is used up, the call takes the long way, and `read` yields.
        if status == Status::Stale && self.counters.is_turn(status) && !tasks::has_budget() {
            return false;
        }
        self.counters.answered(status);
        true
    }
}
