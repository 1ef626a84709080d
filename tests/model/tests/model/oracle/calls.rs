//! Calls: their answers, and the fetches that they wait for.

use std::collections::BTreeMap;

use cacheback::Status;

use super::fetches::FetchId;
use super::keys::{State, Stored};
use super::{CallId, Oracle, Outcome, Time, Value};
use crate::case::How;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Call { returned: Outcome, status: Status, age: Option<Time> },
    Refresh(Outcome),
    Settled,
    Shutdown { finished: u64, aborted: u64 },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    Call { fetch: FetchId, limit: Option<Time> },
    Refresh { fetch: FetchId },
    Settle,
    Shutdown { limit: Time, finished: u64, aborted: u64 },
}

impl Oracle {
    pub(crate) fn call(&mut self, id: CallId, key: usize, how: How) {
        if how == How::Refresh {
            let fetch = self.join_or_claim(key);
            self.waiting.insert(id, Waiting::Refresh { fetch });
            return self.start_for_a_caller(fetch);
        }
        let waits_on_miss = how == How::GetOrFetch || self.options.fetch_on_miss;
        let in_backoff = self.is_in_backoff(key);
        let error = self.kept_error(key);
        match self.state(key) {
            State::Fresh => {
                let due = self.is_due(key);
                self.serve(id, key);
                if due && !in_backoff {
                    self.refresh_behind(key);
                }
            }
            State::Stale => {
                self.serve(id, key);
                if !in_backoff {
                    self.refresh_behind(key);
                }
            }
            State::TooStale if in_backoff => self.serve(id, key),
            State::Missing if waits_on_miss && error.is_some() => {
                let returned = Outcome::Error(error.unwrap_or_default());
                self.answer(id, returned, Status::Fresh, None);
            }
            State::Missing if !waits_on_miss => {
                self.serve(id, key);
                if !in_backoff && error.is_none() {
                    self.refresh_behind(key);
                }
            }
            State::TooStale | State::Missing => {
                let fetch = self.join_or_claim(key);
                let limit = self.options.wait.map(|wait| self.now + wait);
                self.waiting.insert(id, Waiting::Call { fetch, limit });
                self.start_for_a_caller(fetch);
            }
        }
    }

    pub(crate) fn cancel(&mut self, id: CallId) {
        self.waiting.remove(&id);
        self.end_the_abandoned();
    }

    /// A caller who waited for a fetch is answered.
    pub(super) fn answer_waiter(&mut self, id: CallId, key: usize, outcome: Outcome, started: Time) {
        match self.waiting.remove(&id) {
            Some(Waiting::Refresh { .. }) => {
                self.answers.insert(id, Answer::Refresh(outcome));
            }
            _ if matches!(outcome, Outcome::Value(_)) => {
                self.answer(id, outcome, Status::Fetched, Some(self.now - started));
            }
            _ if self.value(key).is_some() => self.serve(id, key),
            _ => self.answer(id, outcome, Status::Fetched, None),
        }
    }

    /// Answers with the stored value, else with the empty one.
    pub(super) fn serve(&mut self, id: CallId, key: usize) {
        match self.value(key) {
            None => self.answer(id, Outcome::Value(Value::default()), Status::Empty, None),
            Some(Stored { value, started, .. }) => {
                let status = if self.state(key) == State::Fresh { Status::Fresh } else { Status::Stale };
                self.answer(id, Outcome::Value(value), status, Some(self.now - started));
            }
        }
    }

    fn answer(&mut self, id: CallId, returned: Outcome, status: Status, age: Option<Time>) {
        self.answers.insert(id, Answer::Call { returned, status, age });
        *match status {
            Status::Fresh => &mut self.counts.hits,
            Status::Stale => &mut self.counts.stale,
            Status::Empty => &mut self.counts.empty,
            _ => &mut self.counts.waited,
        } += 1;
    }

    pub(super) fn waiting_for(&self, wanted: FetchId) -> Vec<CallId> {
        let waits = |waiting: &Waiting| match waiting {
            Waiting::Call { fetch, .. } | Waiting::Refresh { fetch } => *fetch == wanted,
            Waiting::Settle | Waiting::Shutdown { .. } => false,
        };
        self.waiting.iter().filter(|(_, waiting)| waits(waiting)).map(|(id, _)| *id).collect()
    }

    /// The calls that wait.
    pub(crate) fn waiting(&self) -> Vec<CallId> {
        self.waiting.keys().copied().collect()
    }

    /// The calls that were answered since the last time.
    pub(crate) fn answers(&mut self) -> BTreeMap<CallId, Answer> {
        for (id, waiting) in self.waiting.clone() {
            let answer = match waiting {
                Waiting::Settle => Answer::Settled,
                Waiting::Shutdown { limit, finished, aborted } => {
                    if !self.fetches.is_empty() && self.now < limit {
                        continue;
                    }
                    Answer::Shutdown { finished: self.finished - finished, aborted: self.aborted - aborted }
                }
                Waiting::Call { .. } | Waiting::Refresh { .. } => continue,
            };
            if self.fetches.is_empty() || matches!(answer, Answer::Shutdown { .. }) {
                self.waiting.remove(&id);
                self.answers.insert(id, answer);
            }
        }
        std::mem::take(&mut self.answers)
    }
}
