//! The contract, played by one thread without a clock, a runtime or a cache: what every call is answered with, which
//! bodies run, what is stored and what is counted.
//!
//! It is written from what the library promises, not from how it does it. Two things are not promised: by how much
//! chance shortens a back-off, and which entry is dropped where the cache is full. Of the first the oracle knows the
//! bounds, and says while it is in [`doubt`](Oracle::doubt); the second it is [told](Oracle::evicted).

use std::collections::BTreeMap;

use cacheback::Status;

use crate::case::{How, KEYS, Options};

/// Milliseconds since the case began.
pub(crate) type Time = u64;
pub(crate) type CallId = usize;
/// In the order in which keys were claimed.
type FetchId = usize;
/// The number of a body, given by those who saw it begin.
pub(crate) type Body = usize;

/// How many superseded bodies of a key keep the re-run waiting that an invalidation asks for.
const BODIES: usize = 2;
/// How long a key is left alone whose value was not to be stored.
const NOT_STORED_REST: Time = 1_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    /// Zero is the empty value.
    pub(crate) serial: usize,
    /// What `lifetime_for` says of it, where that is not the function's lifetime.
    pub(crate) lasting: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Value(Value),
    Error(usize),
    Panic(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Call { returned: Outcome, status: Status, age: Option<Time> },
    Refresh(Outcome),
    Settled,
    Shutdown { finished: u64, aborted: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peeked {
    pub(crate) serial: usize,
    pub(crate) age: Time,
    pub(crate) fresh: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Stale,
    TooStale,
    Missing,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, Default)]
struct Key {
    value: Option<Stored>,
    /// It is certainly in back-off before the first, and certainly not from the second on.
    rest: Option<(Time, Time)>,
    /// How often it failed in a row, at least and at most.
    failures: (u32, u32),
    error: Option<KeptError>,
    /// The fetch that holds the key: it may be joined, and its outcome counts.
    holder: Option<FetchId>,
}

#[derive(Clone, Copy, Debug)]
struct Stored {
    value: Value,
    started: Time,
    lifetime: Time,
}

#[derive(Clone, Copy, Debug)]
struct KeptError {
    error: usize,
    until: Time,
    /// It may have been dropped for want of room.
    doubtful: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits for a place among the refreshes.
    Queued,
    /// Waits for the end of a superseded body.
    Parked,
    Running,
    /// Runs for those who wait for it alone.
    Lapsed(Cut),
}

/// What ends a fetch that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    TimedOut,
    ShutDown,
}

#[derive(Clone, Copy, Debug)]
struct Fetch {
    key: usize,
    stage: Stage,
    started: Time,
    until: Time,
    /// It has a place among the refreshes.
    placed: bool,
    body: Option<Body>,
}

#[derive(Clone, Copy, Debug)]
enum Waiting {
    Call { fetch: FetchId, limit: Option<Time> },
    Refresh { fetch: FetchId },
    Settle,
    Shutdown { limit: Time, finished: u64, aborted: u64 },
}

/// The library's counters of the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) stale: u64,
    pub(crate) empty: u64,
    pub(crate) waited: u64,
    pub(crate) fetches: u64,
    pub(crate) errors: u64,
    pub(crate) panics: u64,
    pub(crate) timeouts: u64,
    pub(crate) discarded: u64,
    pub(crate) refused: u64,
    pub(crate) skipped: u64,
    pub(crate) entries: u64,
    pub(crate) in_flight: u64,
}

pub(crate) struct Oracle {
    options: Options,
    now: Time,
    keys: [Key; KEYS],
    fetches: BTreeMap<FetchId, Fetch>,
    waiting: BTreeMap<CallId, Waiting>,
    next_fetch: FetchId,
    counts: Counts,
    /// Refreshes are refused.
    shut_down: bool,
    /// Nothing runs any more that nobody waits for.
    limit_reached: bool,
    finished: u64,
    aborted: u64,
    /// Since [`news`](Oracle::news) were asked for.
    answers: BTreeMap<CallId, Answer>,
    stored: Vec<usize>,
}

/// What the calls say.
impl Oracle {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            now: 0,
            keys: [Key::default(); KEYS],
            fetches: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_fetch: 0,
            counts: Counts::default(),
            shut_down: false,
            limit_reached: false,
            finished: 0,
            aborted: 0,
            answers: BTreeMap::new(),
            stored: Vec::new(),
        }
    }

    pub(crate) fn call(&mut self, id: CallId, key: usize, how: How) {
        if how == How::Refresh {
            let fetch = self.board(key);
            self.waiting.insert(id, Waiting::Refresh { fetch });
            return self.start_for_a_caller(fetch);
        }
        let waits_on_miss = how == How::GetOrFetch || self.options.fetch_on_miss;
        let rests = self.rests(key);
        let error = self.kept_error(key);
        match self.state(key) {
            State::Fresh => {
                let due = self.is_due(key);
                self.serve(id, key);
                if due && !rests {
                    self.refresh_behind(key);
                }
            }
            State::Stale => {
                self.serve(id, key);
                if !rests {
                    self.refresh_behind(key);
                }
            }
            State::TooStale if rests => self.serve(id, key),
            State::Missing if waits_on_miss && error.is_some() => {
                let returned = Outcome::Error(error.unwrap_or_default());
                self.answer(id, returned, Status::Fresh, None);
            }
            State::Missing if !waits_on_miss => {
                self.serve(id, key);
                if !rests && error.is_none() {
                    self.refresh_behind(key);
                }
            }
            State::TooStale | State::Missing => {
                let fetch = self.board(key);
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
}

/// What writes do.
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
        if has_value && self.rests(key) {
            return self.supersede(key);
        }
        // One that was put off will see the change.
        if self.holder(key).is_some_and(|fetch| matches!(fetch.stage, Stage::Queued | Stage::Parked)) {
            return self.start_parked(key);
        }
        self.supersede(key);
        let fetch = self.claim(key);
        self.fetch(fetch).stage = Stage::Parked;
        self.start_parked(key);
    }

    pub(crate) fn remove(&mut self, key: usize) {
        let holder = self.keys[key].holder;
        self.keys[key] = Key { holder, ..Key::default() };
        self.supersede(key);
    }

    pub(crate) fn clear(&mut self) {
        for key in 0..KEYS {
            self.remove(key);
        }
    }

    /// A value is stored for a key, or not to be stored; what was known of it before is forgotten.
    fn store(&mut self, key: usize, value: Value, started: Time) {
        let lifetime = value.lasting.unwrap_or(self.options.lifetime).min(self.options.retention);
        let holder = self.keys[key].holder;
        self.keys[key] = Key { holder, ..Key::default() };
        if value.lasting == Some(0) {
            let until = self.now + NOT_STORED_REST;
            self.keys[key].rest = Some((until, until));
        } else {
            self.keys[key].value = Some(Stored { value, started, lifetime });
            self.stored.push(key);
        }
    }

    /// Whoever holds the key holds it no more. What was only put off never runs.
    fn supersede(&mut self, key: usize) {
        let Some(holder) = self.keys[key].holder.take() else { return };
        if matches!(self.fetch(holder).stage, Stage::Queued | Stage::Parked) {
            self.fetches.remove(&holder);
            self.counts.skipped += 1;
        }
    }
}

/// What fetches do.
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
        let mut answers_lapsed = false;
        match outcome {
            Outcome::Value(value) if counts => {
                self.store(key, value, fetch.started);
                answers_lapsed = self.value(key).is_some();
            }
            Outcome::Value(_) => {}
            Outcome::Error(error) => {
                self.counts.errors += 1;
                self.fail(key, counts, Some(error));
            }
            Outcome::Panic(_) => {
                self.counts.panics += 1;
                self.fail(key, counts, None);
            }
        }
        let mut answered = vec![id];
        if answers_lapsed {
            let now = self.now;
            answered.extend(self.all(|other| other.key == key && now >= other.until && other.body.is_some()));
        }
        for fetch_of in answered {
            for id in self.waiting_for(fetch_of) {
                self.land(id, key, outcome, fetch.started);
            }
        }
        self.hand_out_places();
        self.end_the_abandoned();
        self.start_parked(key);
    }

    /// Someone who waited for a fetch is answered.
    fn land(&mut self, id: CallId, key: usize, outcome: Outcome, started: Time) {
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

    /// A failed fetch of a key, where it `counts` for it.
    fn fail(&mut self, key: usize, counts: bool, error: Option<usize>) {
        if !counts {
            return;
        }
        let now = self.now;
        let Options { max_backoff, cache_err, .. } = self.options;
        let has_value = self.value(key).is_some();
        let known = &mut self.keys[key];
        // Where nothing else is kept of a key, its failures are remembered for `max_backoff` past the back-off.
        if !has_value && known.rest.is_none_or(|(least, _)| now >= least + max_backoff) {
            known.failures.0 = 0;
        }
        let (least, most) = (known.failures.0 + 1, known.failures.1 + 1);
        let backoff = |failures: u32| (1_000 << (failures - 1).min(20)).min(max_backoff);
        known.failures = (least, most);
        known.rest = Some((now + backoff(least) / 2, now + backoff(most)));
        if !has_value {
            known.error = error.zip(cache_err).map(|(error, span)| KeptError {
                error,
                until: now + span,
                doubtful: false,
            });
        }
    }

    /// The fetch that a caller or a refresh needs: the live one, or a new one. One whose time is over may not be
    /// joined any more.
    fn board(&mut self, key: usize) -> FetchId {
        let now = self.now;
        if self.holder(key).is_some_and(|fetch| fetch.is_running() && now >= fetch.until) {
            self.supersede(key);
        }
        self.keys[key].holder.unwrap_or_else(|| self.claim(key))
    }

    fn claim(&mut self, key: usize) -> FetchId {
        let id = self.next_fetch;
        self.next_fetch += 1;
        let fetch =
            Fetch { key, stage: Stage::Queued, started: 0, until: Time::MAX, placed: false, body: None };
        self.fetches.insert(id, fetch);
        self.keys[key].holder = Some(id);
        id
    }

    fn refresh_behind(&mut self, key: usize) {
        let new = self.next_fetch;
        let id = self.board(key);
        if id == new {
            self.submit(id);
        } else {
            self.start_parked(key);
        }
    }

    /// A caller waits for it: it takes no place any more, and waits for nothing.
    fn start_for_a_caller(&mut self, id: FetchId) {
        if self.fetch(id).is_running() {
            self.fetch(id).placed = false;
            self.hand_out_places();
        } else {
            self.begin(id, false);
        }
    }

    /// A refresh: it begins, waits for a place, or is refused.
    fn submit(&mut self, id: FetchId) {
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

    fn refuse(&mut self, id: FetchId) {
        self.leave(id);
        self.counts.refused += 1;
    }

    /// The body runs: claim and age count from here.
    fn begin(&mut self, id: FetchId, placed: bool) {
        let (started, until) = (self.now, self.now + self.options.refresh_timeout);
        let stage = if self.limit_reached { Stage::Lapsed(Cut::ShutDown) } else { Stage::Running };
        let fetch = self.fetch(id);
        *fetch = Fetch { stage, started, until, placed, ..*fetch };
        self.counts.fetches += 1;
    }

    /// A fetch is over. Whether it held its key.
    fn leave(&mut self, id: FetchId) -> (Fetch, bool) {
        let fetch = *self.fetch(id);
        self.fetches.remove(&id);
        let counts = self.keys[fetch.key].holder == Some(id);
        if counts {
            self.keys[fetch.key].holder = None;
        }
        (fetch, counts)
    }

    /// From here on these run for those who wait for them alone.
    fn lapse(&mut self, ids: &[FetchId], cut: Cut) {
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

    /// Ends what runs for those who wait for it alone, where nobody does.
    fn end_the_abandoned(&mut self) {
        for id in self.all(|fetch| matches!(fetch.stage, Stage::Lapsed(_))) {
            if !self.waiting_for(id).is_empty() {
                continue;
            }
            let (fetch, counts) = self.leave(id);
            if fetch.stage == Stage::Lapsed(Cut::TimedOut) {
                self.finished += 1;
                self.counts.timeouts += 1;
                self.fail(fetch.key, counts, None);
            } else {
                self.aborted += 1;
            }
            self.start_parked(fetch.key);
        }
    }

    /// The re-run of a key that waits for superseded bodies, where they let it.
    fn start_parked(&mut self, key: usize) {
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

    /// Places that are free go to those who wait for one.
    fn hand_out_places(&mut self) {
        while self.has_place() {
            let Some(next) = self.all(|fetch| fetch.stage == Stage::Queued).first().copied() else { return };
            self.begin(next, true);
        }
    }

    fn has_place(&self) -> bool {
        self.all(|fetch| fetch.placed).len() < self.options.max_refreshes
    }

    fn reach_limit(&mut self) {
        self.limit_reached = true;
        let running = self.all(|fetch| fetch.stage == Stage::Running);
        self.lapse(&running, Cut::ShutDown);
    }
}

/// What time does.
impl Oracle {
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// When something happens by itself.
    pub(crate) fn next_event(&self) -> Option<Time> {
        let fetches = self.fetches.values().filter(|fetch| fetch.times_out()).map(|fetch| fetch.until);
        let limits = self.waiting.values().filter_map(|waiting| match waiting {
            Waiting::Call { limit, .. } => *limit,
            Waiting::Shutdown { limit, .. } => Some(*limit),
            Waiting::Refresh { .. } | Waiting::Settle => None,
        });
        fetches.chain(limits).min()
    }

    /// It is later now, and nothing happened by itself in between.
    pub(crate) fn pass_to(&mut self, now: Time) {
        self.now = now;
        let over = self.all(|fetch| fetch.stage == Stage::Running && now >= fetch.until);
        let late = self.all(|fetch| fetch.times_out() && now >= fetch.until);
        self.lapse(&over, Cut::TimedOut);
        // After the limit of a shutdown it ran for those alone who wait already.
        for id in late {
            if let Some(fetch) = self.fetches.get_mut(&id) {
                fetch.stage = Stage::Lapsed(Cut::TimedOut);
            }
        }
        for (id, waiting) in self.waiting.clone() {
            match waiting {
                Waiting::Call { fetch, limit: Some(limit) } if now >= limit => {
                    let key = self.fetch(fetch).key;
                    self.waiting.remove(&id);
                    self.serve(id, key);
                }
                Waiting::Shutdown { limit, .. } if now >= limit && !self.limit_reached => self.reach_limit(),
                _ => {}
            }
        }
        self.end_the_abandoned();
    }

    /// When things change for a key from now on.
    pub(crate) fn edges(&self, key: usize) -> Vec<Time> {
        let known = &self.keys[key];
        let mut edges = Vec::new();
        if let Some(Stored { started, lifetime, .. }) = known.value {
            let stale = self.options.max_stale.map(|max_stale| started + lifetime + max_stale);
            edges.extend([started + self.due_age(lifetime), started + lifetime]);
            edges.extend(stale);
            edges.push(started + self.options.retention);
        }
        edges.extend(known.rest.iter().flat_map(|(least, most)| [*least, *most]));
        edges.extend(known.error.map(|kept| kept.until));
        edges.extend(
            self.fetches.values().filter(|fetch| fetch.key == key && fetch.is_running()).map(|f| f.until),
        );
        edges.retain(|edge| *edge > self.now && *edge < Time::MAX);
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    /// Until when it is uncertain what a call of this key would be answered with.
    pub(crate) fn doubt(&self, key: usize) -> Option<Time> {
        let known = &self.keys[key];
        let rest =
            known.rest.filter(|(least, most)| *least <= self.now && self.now < *most).map(|(_, most)| most);
        let error = known.error.filter(|kept| kept.doubtful && self.now < kept.until).map(|kept| kept.until);
        rest.max(error)
    }
}

/// What is known.
impl Oracle {
    /// The value of a key, where it is not past its retention.
    fn value(&self, key: usize) -> Option<Stored> {
        self.keys[key].value.filter(|stored| self.now - stored.started < self.options.retention)
    }

    /// What is stored, as it was set or fetched.
    pub(crate) fn stored(&self, key: usize) -> Option<Value> {
        self.value(key).map(|stored| stored.value)
    }

    fn state(&self, key: usize) -> State {
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
    fn due_age(&self, lifetime: Time) -> Time {
        let ahead = self.options.refresh_ahead;
        if ahead < lifetime { lifetime - ahead } else { lifetime - lifetime / 2 }
    }

    fn is_due(&self, key: usize) -> bool {
        self.value(key).is_some_and(|stored| {
            // The lifetime that `invalidate` has cut is over: such a value is stale.
            self.now - stored.started >= self.due_age(stored.lifetime)
        })
    }

    fn rests(&self, key: usize) -> bool {
        self.keys[key].rest.is_some_and(|(least, _)| self.now < least)
    }

    fn kept_error(&self, key: usize) -> Option<usize> {
        self.keys[key].error.filter(|kept| self.now < kept.until).map(|kept| kept.error)
    }

    fn fetch(&mut self, id: FetchId) -> &mut Fetch {
        self.fetches.get_mut(&id).expect("the fetch lives")
    }

    fn holder(&self, key: usize) -> Option<Fetch> {
        self.keys[key].holder.map(|id| self.fetches[&id])
    }

    fn all(&self, which: impl Fn(&Fetch) -> bool) -> Vec<FetchId> {
        self.fetches.iter().filter(|(_, fetch)| which(fetch)).map(|(id, _)| *id).collect()
    }

    fn waiting_for(&self, wanted: FetchId) -> Vec<CallId> {
        let waits = |waiting: &Waiting| match waiting {
            Waiting::Call { fetch, .. } | Waiting::Refresh { fetch } => *fetch == wanted,
            Waiting::Settle | Waiting::Shutdown { .. } => false,
        };
        self.waiting.iter().filter(|(_, waiting)| waits(waiting)).map(|(id, _)| *id).collect()
    }

    /// What is stored, else the empty value.
    fn serve(&mut self, id: CallId, key: usize) {
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
}

/// What others are told, and tell.
impl Oracle {
    /// The calls that were answered since this was asked.
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

    /// The calls that wait.
    pub(crate) fn waiting(&self) -> Vec<CallId> {
        self.waiting.keys().copied().collect()
    }

    pub(crate) fn peek(&self, key: usize) -> Option<Peeked> {
        let Stored { value, started, .. } = self.value(key)?;
        let fresh = self.state(key) == State::Fresh;
        Some(Peeked { serial: value.serial, age: self.now - started, fresh })
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            entries: (0..KEYS).filter(|key| self.value(*key).is_some()).count() as u64,
            in_flight: self.all(Fetch::is_running).len() as u64,
            ..self.counts
        }
    }

    /// Which keys were given a value since this was asked.
    pub(crate) fn just_stored(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.stored)
    }

    /// Something was dropped for want of room: these values, or what cannot be seen, the back-off of a key without a
    /// value.
    pub(crate) fn evicted(&mut self, values: &[usize]) {
        for key in values {
            self.keys[*key].value = None;
        }
        for key in 0..KEYS {
            if self.value(key).is_some() {
                continue;
            }
            let known = &mut self.keys[key];
            known.failures.0 = 0;
            if let Some((least, _)) = &mut known.rest {
                *least = 0;
            }
            if let Some(kept) = &mut known.error {
                kept.doubtful = true;
            }
        }
    }
}

impl Fetch {
    fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Lapsed(_))
    }

    /// Its `refresh_timeout` is still to come, also after the limit of a shutdown.
    fn times_out(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Lapsed(Cut::ShutDown))
    }
}
