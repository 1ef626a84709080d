//! `settle`, and the end of a process.

use super::calls::Waiting;
use super::fetches::{Cut, Stage};
use super::{CallId, Oracle, Time};

impl Oracle {
    pub(crate) fn settle(&mut self, id: CallId) {
        self.waiting.insert(id, Waiting::Settle);
    }

    pub(crate) fn shutdown(&mut self, id: CallId, limit: Time) {
        let Self { finished, aborted, .. } = *self;
        self.waiting.insert(id, Waiting::Shutdown { limit: self.now + limit, finished, aborted });
        self.shut_down = true;
        for fetch in self.all(|fetch| fetch.stage == Stage::Queued) {
            self.refuse(fetch);
        }
        if limit == 0 && !self.fetches.is_empty() {
            self.reach_limit();
        }
    }

    pub(super) fn reach_limit(&mut self) {
        self.limit_reached = true;
        let running = self.all(|fetch| fetch.stage == Stage::Running);
        self.lapse(&running, Cut::ShutDown);
    }
}
