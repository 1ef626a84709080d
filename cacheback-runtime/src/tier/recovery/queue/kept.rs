//! What was told, and is kept until its connection has lasted for a while after it.

use std::time::Duration;

use super::super::parts::{Part, Parts, before};
use super::{Name, Queue};
use crate::base::clock::Moment;
use crate::tier::WireKey;

/// How long a connection has to last after a change was told on it.
const KEPT: Duration = Duration::from_secs(10);

/// How a change was told.
#[derive(Clone, Copy)]
pub(in crate::tier::recovery) struct Told<'a> {
    /// The number of the connection. `None` if that is lost, or nobody knows which one it was.
    pub(in crate::tier::recovery) on: Option<u64>,
    pub(in crate::tier::recovery) now: Moment,
    pub(in crate::tier::recovery) losses: Losses<'a>,
}

/// When a connection was lost, or a key went over to another one. `None`: neither.
pub(in crate::tier::recovery) type Losses<'a> = &'a dyn Fn(u64, &WireKey) -> Option<Moment>;

impl Queue {
    /// Keeps a change that was told. If its connection is lost by now, it is to be told again: returns whether it is.
    pub(super) fn keep(
        &mut self,
        name: &Name,
        key: &WireKey,
        part: Part,
        Told { on, now, losses }: Told<'_>,
    ) -> bool {
        if self.is_cleared(&name.0.name, part.turn) {
            return false;
        }
        let part = self.bounded(part);
        let mut is_safe = on.is_some();
        self.change(name, key, |slot| {
            is_safe &= slot.kept.is_empty() || on == Some(slot.kept_on);
            slot.kept.add(part);
            slot.kept_at = now;
            slot.kept_on = on.unwrap_or_default();
        });
        if is_safe {
            self.kept.push_back((now, name.clone()));
        } else {
            self.tell_again(name);
        }
        self.forget_kept(now, losses);
        !is_safe
    }

    /// Drops what has been kept for long enough.
    fn forget_kept(&mut self, now: Moment, losses: Losses<'_>) {
        let since = before(now, KEPT);
        while self.kept.front().is_some_and(|(at, _)| *at < since) {
            let Some((at, name)) = self.kept.pop_front() else { return };
            if self.may_be_lost(&name, at, losses) {
                self.held.push_back((at, name));
            } else {
                self.forget(&name, at);
            }
        }
        while self.held.len() + self.kept.len() > self.bounds.keys {
            let Some((at, name)) = self.held.pop_front().or_else(|| self.kept.pop_front()) else { return };
            self.forget(&name, at);
        }
    }

    /// Drops what was told of a key at this moment. What was told later is kept for longer.
    fn forget(&mut self, name: &Name, at: Moment) {
        self.change_known(name, |slot| {
            if slot.kept_at <= at {
                slot.kept = Parts::default();
            }
        });
    }

    /// Whether what was last told of a key, at this moment, may be lost with its connection.
    fn may_be_lost(&self, name: &Name, at: Moment, losses: Losses<'_>) -> bool {
        let slot = self.slots.get(name).filter(|slot| slot.kept_at == at && !slot.kept.is_empty());
        slot.and_then(|slot| losses(slot.kept_on, &slot.key)).is_some_and(|lost| at >= before(lost, KEPT))
    }

    /// What is kept of a key waits once more.
    fn tell_again(&mut self, name: &Name) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        let (key, kept) = (slot.key.clone(), std::mem::take(&mut slot.kept));
        self.bytes -= kept.weight();
        for part in [kept.whole, kept.stale].into_iter().flatten() {
            self.owe(name, &key, part);
        }
        self.change_known(name, |_| {});
    }

    /// There is another connection. What was told on those that were lost, in the last seconds before that, may have been
    /// lost with their servers, and waits once more.
    pub(in crate::tier::recovery) fn reconnected(&mut self, losses: Losses<'_>) {
        let held = std::mem::take(&mut self.held);
        for (at, name) in held.into_iter().chain(std::mem::take(&mut self.kept)) {
            if self.may_be_lost(&name, at, losses) {
                self.tell_again(&name);
            } else if self.slots.get(&name).is_some_and(|slot| losses(slot.kept_on, &slot.key).is_none()) {
                self.kept.push_back((at, name));
            } else {
                self.forget(&name, at);
            }
        }
    }
}
