//! The executor: which refreshes run, which wait for a place, and which are refused.

use super::Oracle;
use super::breaker::Admission;
use super::fetches::{FetchId, Stage};

impl Oracle {
    /// Starts a refresh that nobody waits for, if no fetch is under way.
    pub(super) fn refresh_behind(&mut self, key: usize) {
        if self.live(key).is_some() {
            self.start_parked(key);
        } else if !self.is_crowded(key) {
            let admission = self.admit(key);
            if admission != Admission::Refused {
                let id = self.join_or_claim(key);
                self.fetch(id).is_trial = admission == Admission::Trial;
                self.submit(id);
            }
        }
    }

    /// A caller waits for the fetch: it no longer takes a place, and does not wait for one.
    pub(super) fn start_for_a_caller(&mut self, id: FetchId) {
        if self.fetch(id).is_running() {
            self.fetch(id).placed = false;
            self.hand_out_places();
        } else {
            self.begin(id, false);
        }
    }

    /// A refresh begins, waits for a place, or is refused.
    pub(super) fn submit(&mut self, id: FetchId) {
        let queued =
            self.all(|fetch| fetch.stage == Stage::Queued).iter().filter(|other| **other != id).count();
        if self.shut_down {
            self.refuse(id);
        } else if queued == 0 && self.has_place() {
            self.begin(id, true);
        } else if queued < self.options.max_waiting {
            self.fetch(id).stage = Stage::Queued;
        } else {
            self.refuse(id);
        }
    }

    pub(super) fn refuse(&mut self, id: FetchId) {
        self.leave(id);
        self.counts.refused += 1;
    }

    /// Free places go to queued refreshes.
    pub(super) fn hand_out_places(&mut self) {
        while self.has_place() {
            let Some(next) = self.all(|fetch| fetch.stage == Stage::Queued).first().copied() else { return };
            self.begin(next, true);
        }
    }

    fn has_place(&self) -> bool {
        self.all(|fetch| fetch.placed).len() < self.options.max_refreshes
    }
}
