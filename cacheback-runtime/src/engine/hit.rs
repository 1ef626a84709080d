//! The hit path. It answers a call if a value can be served at once and no fetch is to be started.

use super::{Cacheable, Engine, NodeOf};
use crate::base::clock::Moment;
use crate::base::tasks;
use crate::events::{self, Status};
use crate::executor::context;
use crate::key::KeyOver;

impl<C: Cacheable> Engine<C> {
    /// The answer to a hit; `None` if the call is to take the long way, as an entry.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn look<W: Copy>(&self, view: W) -> Option<C::Return>
    where
        C::Key: KeyOver<W>,
    {
        let same = move |key: &C::OwnedKey| <C::Key>::same(view, key);
        self.look_hashed(self.hash(view), same, move |hash| self.look_deeper(hash, same))
    }

    /// The same for a key that was hashed already. If the first node at its hash is of another key, `deeper` is called.
    // `deeper` is a parameter for the sake of the optimiser: it saves 20 instructions of each hit.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn look_hashed(
        &self,
        hash: u64,
        same: impl Fn(&C::OwnedKey) -> bool + Copy,
        deeper: impl FnOnce(u64) -> Option<C::Value>,
    ) -> Option<C::Return> {
        let pin = self.store.pin();
        let Some(node) = self.store.find_first(hash, same, &pin) else {
            drop(pin);
            return deeper(hash).map(|value| C::join(Ok(value)));
        };
        self.fast_path_value(node).map(|value| C::join(Ok(value)))
    }

    /// The value of a hit whose node is not the first at its hash.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_deeper(
        &self,
        hash: u64,
        same: impl Fn(&C::OwnedKey) -> bool + Copy,
    ) -> Option<C::Value> {
        if self.store.has_only_first() {
            return None;
        }
        let pin = self.store.pin();
        let node = self.store.find(hash, same, &pin)?;
        self.fast_path_value(node)
    }

    /// The value of a node, counted, if its reader has no fetch to start.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn fast_path_value(&self, node: &NodeOf<C>) -> Option<C::Value> {
        let (value, last_touch) = node.cached()?;
        if !self.store.admits(node, last_touch) {
            return None;
        }
        let now = Moment::recent();
        if node.is_on_fast_path(now) {
            self.counters.answered(Status::Fresh);
        } else if !self.answered_without_refresh(node, now) {
            return None;
        }
        Some(value.clone())
    }

    /// The status of the value for a reader whose refresh would be refused: by an open breaker, or by the queue, which
    /// is as full as when it refused the last refresh of this key.
    #[inline(never)]
    fn status_if_refused(&self, node: &NodeOf<C>, now: Moment) -> Option<Status> {
        if Self::has_mark(node) {
            return None;
        }
        if now < self.breaker.until(false) {
            return node.status(now, &self.store.windows);
        }
        if !context::queue_version().is_some_and(|version| node.is_refused_by(version)) {
            return None;
        }
        let status = node.status(now, &self.store.windows)?;
        events::count(&self.counters.refused);
        Some(status)
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
