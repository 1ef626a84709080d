//! Changes on their way to the tier: whatever becomes of one, the queue hears of it.

use super::parts::Parts;
use super::queue::Item;
use super::{Backlog, Bump, Change, Scope, WireKey, WriteId};
use crate::base::clock::Moment;
use crate::base::sync::Arc;

/// A delivery. If it is dropped before its end, what it was to deliver goes on waiting.
pub(super) struct Sending {
    pub(super) backlog: Arc<Backlog>,
    pub(super) item: Item,
    /// The tier has answered, and does not take it.
    pub(super) is_refused: bool,
    pub(super) has_ended: bool,
}

impl Sending {
    pub(super) fn end(mut self, holds: Parts) {
        self.has_ended = true;
        let mut state = self.backlog.state();
        state.queue.delivered(&self.item, holds, Moment::now());
        self.backlog.changed(state);
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.has_ended {
            let mut state = self.backlog.state();
            if self.is_refused {
                state.queue.refused(&self.item);
            }
            state.queue.failed(&self.item);
            self.backlog.changed(state);
        }
    }
}

/// A change that was sent as it was made. If its answer is not waited for, nobody knows whether it has arrived.
pub(super) struct Flight {
    pub(super) backlog: Arc<Backlog>,
    pub(super) key: WireKey,
    pub(super) change: Option<Change>,
    pub(super) turn: u64,
    pub(super) at: Moment,
}

impl Flight {
    pub(super) fn end(&mut self, answer: Option<WriteId>) {
        let Some(change) = self.change.take() else { return };
        let mut state = self.backlog.state();
        state.queue.flown(&self.key, change, self.turn, self.at, answer, Moment::now());
        if answer.is_some() { self.backlog.changed(state) } else { self.backlog.waits(state) }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.end(None);
    }
}

/// The same of a change of all keys.
pub(super) struct BumpFlight {
    pub(super) backlog: Arc<Backlog>,
    pub(super) scope: Arc<Scope>,
    pub(super) change: Bump,
    pub(super) turn: u64,
    pub(super) at: Moment,
    pub(super) has_ended: bool,
}

impl BumpFlight {
    pub(super) fn end(&mut self, is_told: bool) {
        if !std::mem::replace(&mut self.has_ended, true) {
            let mut state = self.backlog.state();
            state.queue.bump_flown(&self.scope, self.change, self.turn, self.at, is_told);
            if is_told { self.backlog.changed(state) } else { self.backlog.waits(state) }
        }
    }
}

impl Drop for BumpFlight {
    fn drop(&mut self) {
        self.end(false);
    }
}
