//! Fetches: which of them holds a key, which bodies run, and how they end.

use super::{Body, Oracle, Outcome, Time};

/// In the order in which keys were claimed.
pub(super) type FetchId = usize;

/// The number of superseded bodies of a key that make a re-run after an invalidation wait.
const BODIES: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waits for a place among the refreshes.
    Queued,
    /// Waits for the end of a superseded body.
    Parked,
    Running,
    /// Runs only for the callers who wait for it.
    Lapsed(Cut),
}

/// The reason why a fetch that nobody waits for ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    TimedOut,
    ShutDown,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch {
    pub(super) key: usize,
    pub(super) stage: Stage,
    pub(super) started: Time,
    pub(super) until: Time,
    /// It has a place among the refreshes.
    pub(super) placed: bool,
    pub(super) body: Option<Body>,
    /// The breaker is open, and this is the trial of its period.
    pub(super) is_trial: bool,
    /// It was superseded by an invalidation of the whole cache.
    pub(super) outdated: bool,
}

impl Oracle {
    /// A body ends.
    pub(crate) fn end(&mut self, body: Body, outcome: Outcome) {
        let Some(id) = self.all(|fetch| fetch.body == Some(body)).pop() else { return };
        let (fetch, counts) = self.leave(id);
        let key = fetch.key;
        self.finished += 1;
        if !counts {
            self.counts.discarded += 1;
        }
        if matches!(outcome, Outcome::Value(_)) {
            self.origin_succeeded();
        }
        let mut answers_lapsed = false;
        match outcome {
            Outcome::Value(value) if counts => {
                self.store(key, value, fetch.started);
                answers_lapsed = self.value(key).is_some();
            }
            Outcome::Value(_) => {}
            Outcome::Error(error) => {
                self.counts.errors += 1;
                self.fail(fetch, counts, Some(error));
            }
            Outcome::Panic(_) => {
                self.counts.panics += 1;
                self.fail(fetch, counts, None);
            }
        }
        let mut answered = vec![id];
        if answers_lapsed {
            let now = self.now;
            answered.extend(self.all(|other| other.key == key && now >= other.until && other.body.is_some()));
        }
        for fetch_of in answered {
            for id in self.waiting_for(fetch_of) {
                self.answer_waiter(id, key, outcome, fetch.started);
            }
        }
        self.hand_out_places();
        self.end_the_abandoned();
        self.start_parked(key);
    }

    /// The fetch that a caller or a refresh needs: the live one, or a new one.
    pub(super) fn join_or_claim(&mut self, key: usize) -> FetchId {
        self.live(key).unwrap_or_else(|| {
            self.supersede(key);
            self.claim(key)
        })
    }

    /// The fetch that may be joined, unless its time is over.
    pub(super) fn live(&self, key: usize) -> Option<FetchId> {
        let over = |fetch: &Fetch| fetch.is_running() && self.now >= fetch.until;
        self.keys[key].holder.filter(|holder| !over(&self.fetches[holder]))
    }

    pub(super) fn claim(&mut self, key: usize) -> FetchId {
        let id = self.next_fetch;
        self.next_fetch += 1;
        let fetch = Fetch {
            key,
            stage: Stage::Queued,
            started: 0,
            until: Time::MAX,
            placed: false,
            body: None,
            is_trial: false,
            outdated: false,
        };
        self.fetches.insert(id, fetch);
        self.keys[key].holder = Some(id);
        id
    }

    /// The body runs: claim and age count from here.
    pub(super) fn begin(&mut self, id: FetchId, placed: bool) {
        let (started, until) = (self.now, self.now + self.options.refresh_timeout);
        let stage = if self.limit_reached { Stage::Lapsed(Cut::ShutDown) } else { Stage::Running };
        let fetch = self.fetch(id);
        *fetch = Fetch { stage, started, until, placed, ..*fetch };
        self.counts.fetches += 1;
    }

    /// A fetch is over. Returns it, and whether it held its key.
    pub(super) fn leave(&mut self, id: FetchId) -> (Fetch, bool) {
        let fetch = *self.fetch(id);
        self.fetches.remove(&id);
        let counts = self.keys[fetch.key].holder == Some(id);
        if counts {
            self.keys[fetch.key].holder = None;
        }
        (fetch, counts)
    }

    /// From now on these run only for their waiters.
    pub(super) fn lapse(&mut self, ids: &[FetchId], cut: Cut) {
        for id in ids {
            let fetch = self.fetch(*id);
            *fetch = Fetch { stage: Stage::Lapsed(cut), placed: false, ..*fetch };
        }
        self.hand_out_places();
        for key in ids.iter().map(|id| self.fetches[id].key).collect::<Vec<_>>() {
            self.start_parked(key);
        }
        self.end_the_abandoned();
    }

    /// Ends the fetches that run only for their waiters and have none.
    pub(super) fn end_the_abandoned(&mut self) {
        for id in self.all(|fetch| matches!(fetch.stage, Stage::Lapsed(_))) {
            if !self.waiting_for(id).is_empty() {
                continue;
            }
            let (fetch, counts) = self.leave(id);
            if fetch.stage == Stage::Lapsed(Cut::TimedOut) {
                self.finished += 1;
                self.counts.timeouts += 1;
                self.fail(fetch, counts, None);
            } else {
                self.aborted += 1;
            }
            self.start_parked(fetch.key);
        }
    }

    /// As many bodies of a key run as invalidations allow: a caller who does not wait starts no other.
    pub(super) fn is_crowded(&self, key: usize) -> bool {
        let outdated = |fetch: &Fetch| fetch.key == key && fetch.outdated && self.now < fetch.until;
        self.all(outdated).len() >= BODIES
    }

    /// Starts the re-run of a key that waits for superseded bodies, if they allow it.
    pub(super) fn start_parked(&mut self, key: usize) {
        let Some(id) = self.keys[key].holder.filter(|id| self.fetches[id].stage == Stage::Parked) else {
            return;
        };
        let behind = |(other, fetch): (&FetchId, &Fetch)| {
            *other != id && fetch.key == key && fetch.is_running() && self.now < fetch.until
        };
        if self.fetches.iter().filter(|fetch| behind(*fetch)).count() < BODIES {
            self.submit(id);
        }
    }

    pub(super) fn fetch(&mut self, id: FetchId) -> &mut Fetch {
        self.fetches.get_mut(&id).expect("the fetch lives")
    }

    pub(super) fn holder(&self, key: usize) -> Option<Fetch> {
        self.keys[key].holder.map(|id| self.fetches[&id])
    }

    pub(super) fn all(&self, which: impl Fn(&Fetch) -> bool) -> Vec<FetchId> {
        self.fetches.iter().filter(|(_, fetch)| which(fetch)).map(|(id, _)| *id).collect()
    }

    /// Keys whose bodies began and have no number yet, in the order of their fetches.
    pub(crate) fn begun(&self) -> Vec<usize> {
        let new = |fetch: &&Fetch| fetch.is_running() && fetch.body.is_none();
        self.fetches.values().filter(new).map(|fetch| fetch.key).collect()
    }

    /// The body of a key that began is this one.
    pub(crate) fn number(&mut self, key: usize, body: Body) {
        let new = |fetch: &&mut Fetch| fetch.key == key && fetch.is_running() && fetch.body.is_none();
        if let Some(fetch) = self.fetches.values_mut().find(new) {
            fetch.body = Some(body);
        }
    }

    /// The bodies that run.
    pub(crate) fn running(&self) -> Vec<Body> {
        self.fetches.values().filter_map(|fetch| fetch.body).collect()
    }
}

impl Fetch {
    pub(super) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Lapsed(_))
    }

    /// Its `refresh_timeout` is still to come, also after the limit of a shutdown.
    pub(super) fn times_out(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Lapsed(Cut::ShutDown))
    }
}
