//! Changes on their way to the tier: whatever becomes of one, the queue hears of it.

use super::super::parts::{Part, Parts};
use super::super::queue::{Item, Told};
use super::super::{Bump, Change, Scope, Tier, WireKey, WriteId};
use super::Backlog;
use crate::base::clock::Moment;
use crate::base::sync::Arc;

/// A delivery. If it is dropped before its end, what it was to deliver goes on waiting.
pub(in super::super) struct Sending {
    pub(in super::super) backlog: Arc<Backlog>,
    pub(in super::super) item: Item,
    /// Of a single key.
    pub(in super::super) over: Option<Over>,
    /// The tier has answered, and does not take it.
    pub(in super::super) is_refused: bool,
    pub(in super::super) has_ended: bool,
}

impl Sending {
    pub(in super::super) fn end(mut self, holds: Parts) {
        self.has_ended = true;
        let mut state = self.backlog.state();
        // Under the lock, so that a loss after this is noticed after it.
        let on = match (&self.item, self.over) {
            (Item::Key { key, .. }, Some(over)) => over.answered(&*self.backlog.tier, key),
            _ => None,
        };
        let told = Told { on, now: Moment::now(), losses: &|contact, key| self.backlog.lost(contact, key) };
        let waits = state.queue.delivered(&self.item, holds, told);
        if waits { self.backlog.waits_again(state) } else { self.backlog.changed(state) }
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

/// The connection that something is sent over, by its number. `None`: there is none as it is sent.
#[derive(Clone, Copy)]
pub(in super::super) struct Over(Option<u64>);

impl Over {
    /// The one to the key's server at this moment.
    pub(in super::super) fn now(tier: &dyn Tier, key: &WireKey) -> Self {
        Self(tier.contact_of(key))
    }

    /// The number of the connection that has brought the answer. `None` if that may have been lost since, or have been
    /// another one.
    pub(in super::super) fn answered(self, tier: &dyn Tier, key: &WireKey) -> Option<u64> {
        let now = tier.contact_of(key)?;
        let is_same = match self.0 {
            Some(own) => own == now,
            // It has waited for the first one, if none was ever lost.
            None => (0..now).all(|earlier| tier.lost(earlier).is_none()),
        };
        is_same.then_some(now)
    }
}

/// A change that was sent as it was made. If its answer is not waited for, nobody knows whether it has arrived.
pub(in super::super) struct Flight {
    pub(in super::super) backlog: Arc<Backlog>,
    pub(in super::super) key: WireKey,
    pub(in super::super) change: Option<Change>,
    pub(in super::super) turn: u64,
    pub(in super::super) at: Moment,
    pub(in super::super) over: Over,
}

impl Flight {
    pub(in super::super) fn end(&mut self, answer: Option<WriteId>) {
        let Some(change) = self.change.take() else { return };
        let mut state = self.backlog.state();
        // Under the lock, so that a loss after this is noticed after it.
        let on = self.over.answered(&*self.backlog.tier, &self.key);
        let told = Told { on, now: Moment::now(), losses: &|contact, key| self.backlog.lost(contact, key) };
        let part = Part { change, turn: self.turn, at: self.at, known: answer };
        match (state.queue.flown(&self.key, part, told), answer) {
            (false, _) => self.backlog.changed(state),
            (true, Some(_)) => self.backlog.waits_again(state),
            (true, None) => self.backlog.waits(state),
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.end(None);
    }
}

/// The same of a change of all keys.
pub(in super::super) struct BumpFlight {
    pub(in super::super) backlog: Arc<Backlog>,
    pub(in super::super) scope: Arc<Scope>,
    pub(in super::super) change: Bump,
    pub(in super::super) turn: u64,
    pub(in super::super) at: Moment,
    pub(in super::super) has_ended: bool,
}

impl BumpFlight {
    pub(in super::super) fn end(&mut self, is_told: bool) {
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
