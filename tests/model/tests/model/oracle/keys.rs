//! The state of a key: its value, its back-off, a kept error.

use super::fetches::{Fetch, FetchId};
use super::{Oracle, Time, Value};
use crate::case::Options;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Fresh,
    Stale,
    TooStale,
    Missing,
}

/// The state of a key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Key {
    pub(super) value: Option<Stored>,
    /// It is certainly in back-off before the first, and certainly not from the second on.
    pub(super) backoff_ends: Option<(Time, Time)>,
    /// How often it failed in a row, at least and at most.
    pub(super) failures: (u32, u32),
    pub(super) error: Option<KeptError>,
    /// The fetch that holds the key: it may be joined, and its outcome counts.
    pub(super) holder: Option<FetchId>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) value: Value,
    pub(super) started: Time,
    pub(super) lifetime: Time,
    pub(super) retention: Time,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct KeptError {
    pub(super) error: usize,
    pub(super) until: Time,
    /// It may have been dropped for want of room.
    pub(super) doubtful: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peeked {
    pub(crate) serial: usize,
    pub(crate) age: Time,
    pub(crate) fresh: bool,
}

impl Oracle {
    /// The value of a key, if it is not past its retention.
    pub(super) fn value(&self, key: usize) -> Option<Stored> {
        self.keys[key].value.filter(|stored| self.now - stored.started < stored.retention)
    }

    /// The stored value, as it was set or fetched.
    pub(crate) fn stored(&self, key: usize) -> Option<Value> {
        self.value(key).map(|stored| stored.value)
    }

    pub(super) fn state(&self, key: usize) -> State {
        let Some(Stored { started, lifetime, .. }) = self.value(key) else { return State::Missing };
        let age = self.now - started;
        if age < lifetime {
            State::Fresh
        } else if self.options.max_stale.is_none_or(|max_stale| age < lifetime + max_stale) {
            State::Stale
        } else {
            State::TooStale
        }
    }

    /// From this age on a fresh value is to be refreshed.
    pub(super) fn due_age(&self, lifetime: Time) -> Time {
        let ahead = self.options.refresh_ahead;
        if ahead < lifetime { lifetime - ahead } else { lifetime - lifetime / 2 }
    }

    pub(super) fn is_due(&self, key: usize) -> bool {
        self.value(key).is_some_and(|stored| {
            // The lifetime that `invalidate` has cut is over: such a value is stale.
            self.now - stored.started >= self.due_age(stored.lifetime)
        })
    }

    pub(super) fn is_in_backoff(&self, key: usize) -> bool {
        self.keys[key].backoff_ends.is_some_and(|(least, _)| self.now < least)
    }

    pub(super) fn kept_error(&self, key: usize) -> Option<usize> {
        self.keys[key].error.filter(|kept| self.now < kept.until).map(|kept| kept.error)
    }

    /// A fetch has failed, which may or may not count for its key.
    pub(super) fn fail(&mut self, Fetch { key, is_trial, .. }: Fetch, counts: bool, error: Option<usize>) {
        self.origin_failed(is_trial);
        if !counts {
            return;
        }
        let now = self.now;
        let Options { max_backoff, cache_err, .. } = self.options;
        let has_value = self.value(key).is_some();
        let known = &mut self.keys[key];
        // If nothing else is kept of a key, its failures are remembered for `max_backoff` past the back-off.
        if !has_value && known.backoff_ends.is_none_or(|(least, _)| now >= least + max_backoff) {
            known.failures.0 = 0;
        }
        let (least, most) = (known.failures.0 + 1, known.failures.1 + 1);
        known.failures = (least, most);
        let backoff_ends = (now + self.backoff(least) / 2, now + self.backoff(most));
        let known = &mut self.keys[key];
        known.backoff_ends = Some(backoff_ends);
        if !has_value {
            known.error = error.zip(cache_err).map(|(error, span)| KeptError {
                error,
                until: now + span,
                doubtful: false,
            });
        }
        self.doubt_records();
    }

    /// The longest back-off after so many failures in a row.
    pub(super) fn backoff(&self, failures: u32) -> Time {
        (1_000 << (failures - 1).min(20)).min(self.options.max_backoff)
    }

    pub(crate) fn peek(&self, key: usize) -> Option<Peeked> {
        let Stored { value, started, .. } = self.value(key)?;
        let fresh = self.state(key) == State::Fresh;
        Some(Peeked { serial: value.serial, age: self.now - started, fresh })
    }

    /// The keys that were given a value since the last time.
    pub(crate) fn just_stored(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.stored)
    }

    /// Values were dropped for want of room, each with its back-off.
    pub(crate) fn evicted(&mut self, values: &[usize]) {
        for key in values {
            self.keys[*key].value = None;
            self.doubt_record(*key);
        }
    }

    /// Records of keys without a value, up to a quarter of the capacity, cannot be seen. If there are more than there
    /// is room for, any of them may have been dropped.
    pub(super) fn doubt_records(&mut self) {
        let is_record = |key: &usize| {
            let known = &self.keys[*key];
            self.value(*key).is_none() && (known.backoff_ends.is_some() || known.error.is_some())
        };
        let records: Vec<_> = (0..self.options.keys).filter(is_record).collect();
        if records.len() > self.options.capacity.div_ceil(4) {
            for key in records {
                self.doubt_record(key);
            }
        }
    }

    fn doubt_record(&mut self, key: usize) {
        let known = &mut self.keys[key];
        known.failures.0 = 0;
        if let Some((least, _)) = &mut known.backoff_ends {
            *least = 0;
        }
        if let Some(kept) = &mut known.error {
            kept.doubtful = true;
        }
    }
}
