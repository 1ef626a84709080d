//! Writes: the values that they store, and the fetches that they supersede.

use super::breaker::Admission;
use super::fetches::Stage;
use super::keys::{Key, Stored};
use super::{Oracle, Time, Value};
use crate::case::Options;

/// How long a key is left alone after a value that was not to be stored.
const NOT_STORED_PAUSE: Time = 1_000;

impl Oracle {
    pub(crate) fn set(&mut self, key: usize, value: Value) {
        self.store(key, value, self.now);
        self.supersede(key);
    }

    pub(crate) fn invalidate(&mut self, key: usize) {
        self.keys[key].error = None;
        let has_value = self.value(key).is_some();
        if !has_value && self.keys[key].holder.is_none() {
            return;
        }
        let now = self.now;
        if let Some(stored) = &mut self.keys[key].value {
            stored.lifetime = stored.lifetime.min(now - stored.started);
        }
        if has_value && self.is_in_backoff(key) {
            return self.supersede(key);
        }
        // A queued or parked fetch will see the change.
        if self.holder(key).is_some_and(|fetch| matches!(fetch.stage, Stage::Queued | Stage::Parked)) {
            return self.start_parked(key);
        }
        self.supersede(key);
        let admission = self.admit(key);
        if admission == Admission::Refused {
            return;
        }
        let fetch = self.claim(key);
        self.fetch(fetch).is_trial = admission == Admission::Trial;
        self.fetch(fetch).stage = Stage::Parked;
        self.start_parked(key);
    }

    /// Starts nothing: later readers do.
    pub(crate) fn invalidate_all(&mut self) {
        let now = self.now;
        for key in 0..self.options.keys {
            self.keys[key].error = None;
            if let Some(stored) = &mut self.keys[key].value {
                stored.lifetime = stored.lifetime.min(now - stored.started);
            }
            if let Some(holder) = self.keys[key].holder.filter(|holder| self.fetches[holder].is_running()) {
                self.fetch(holder).outdated = true;
                self.supersede(key);
            }
        }
    }

    /// Removes the value, and returns it.
    pub(crate) fn take(&mut self, key: usize) -> Option<Value> {
        let taken = self.stored(key);
        self.remove(key);
        taken
    }

    pub(crate) fn remove(&mut self, key: usize) {
        let holder = self.keys[key].holder;
        self.keys[key] = Key { holder, ..Key::default() };
        self.supersede(key);
    }

    pub(crate) fn clear(&mut self) {
        for key in 0..self.options.keys {
            self.remove(key);
        }
    }

    /// A value is stored for a key, or is not to be stored. Everything else about the key is forgotten.
    pub(super) fn store(&mut self, key: usize, value: Value, started: Time) {
        let Options { lifetime, retention, .. } = self.options;
        let retention = value.kept.map_or(retention, |kept| kept.min(retention));
        let lifetime = value.lasting.unwrap_or(lifetime).min(retention);
        let holder = self.keys[key].holder;
        self.keys[key] = Key { holder, ..Key::default() };
        if value.lasting == Some(0) || value.kept == Some(0) {
            let until = self.now + NOT_STORED_PAUSE;
            self.keys[key].backoff_ends = Some((until, until));
            self.doubt_records();
        } else {
            self.keys[key].value = Some(Stored { value, started, lifetime, retention });
            self.stored.push(key);
        }
    }

    /// The fetch that holds the key no longer holds it. If it was queued or parked, it never runs.
    pub(super) fn supersede(&mut self, key: usize) {
        let Some(holder) = self.keys[key].holder.take() else { return };
        if matches!(self.fetch(holder).stage, Stage::Queued | Stage::Parked) {
            self.fetches.remove(&holder);
            self.counts.skipped += 1;
        }
    }
}
