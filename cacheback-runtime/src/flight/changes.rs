//! Changes that other processes make while a flight is under way. What it brings may be from before them.
//!
//! Changes and flights of a key meet under the lock of its claims. So a value that is put in is compared with each change
//! that was told of since it was read, and a caller who joins knows those that it must not miss.

use super::{Flight, KeyClaims, Waiter};
use crate::base::sync::Ordering;

impl<T> Flight<T> {
    /// Notes a change that it has perhaps not seen.
    fn note(&self, change: u64) {
        let is_seen = || self.seen_change.load(Ordering::SeqCst) == change;
        if !is_seen() {
            self.unseen.fetch_max(change, Ordering::SeqCst);
            // It may see it at this moment.
            if is_seen() {
                self.forget(change);
            }
        }
    }

    /// From now on it reads what is there: it sees every change that was told of before.
    pub(crate) fn reads_now(&self) {
        self.unseen.store(0, Ordering::SeqCst);
    }

    /// What it has read is from after the change of this number, which it may be told of before or later.
    pub(crate) fn has_seen(&self, change: u64) {
        self.seen_change.store(change, Ordering::SeqCst);
        self.forget(change);
    }

    fn forget(&self, change: u64) {
        let unless_later = |unseen: u64| (unseen <= change).then_some(0);
        let _ = self.unseen.fetch_update(Ordering::SeqCst, Ordering::SeqCst, unless_later);
    }

    /// The number of the latest change that it has perhaps not seen, if a value with this number may be older.
    pub(crate) fn unseen_by(&self, value: Option<u64>) -> Option<u64> {
        Some(self.unseen.load(Ordering::SeqCst)).filter(|change| *change > value.unwrap_or(0))
    }
}

impl<K: ?Sized, T, J> KeyClaims<K, T, J> {
    /// Notes a change in all flights of the key.
    pub(crate) fn note(&self, change: u64) {
        self.flights().for_each(|flight| flight.note(change));
    }
}

impl<T> Waiter<T> {
    /// Whether a value with this number, which the flight has brought, may be older than a change that was told of before
    /// the caller joined it.
    pub(crate) fn has_missed(&self, value: Option<u64>) -> bool {
        self.unseen > 0 && self.flight.unseen_by(value) >= Some(self.unseen)
    }
}
