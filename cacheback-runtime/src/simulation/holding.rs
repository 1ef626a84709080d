//! The key in one process.

use std::time::Duration;

use super::server::{Answer, Ask, News, Question, Told, payload, version};
use crate::base::clock::{Moment, nanos};
use crate::rules::decide::{Decision, Facts, decide};
use crate::rules::effect::{Effect, Ending, Fence, Held, effect};
use crate::rules::freshness::{OwnTimes, State, Times, Windows, freshness};
use crate::rules::policy::Policy;
use crate::tier::{Acquired, Ages, Found, Lease, LeaseFor, Read, Request, Stored, Token, WriteId, is_fresh};

/// A fetch that somebody else has the lease for is looked after again at the latest after this time.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The key as one process holds it: its value, and the flight that is under way.
#[derive(Debug)]
pub struct Holding {
    policy: Policy,
    value: Option<Value>,
    no_refresh_until: Moment,
    flight: Option<Flight>,
    flights: u64,
    /// What this process was told of: how many messages, the greatest number of a change, and how often some were lost.
    told: (u64, Option<WriteId>, u64),
}

#[derive(Debug)]
struct Value {
    version: u64,
    times: Times,
    id: Option<WriteId>,
    /// Another process has changed it, or may have.
    is_marked: bool,
}

/// What the process waits for.
#[derive(Debug)]
struct Flight {
    number: u64,
    step: Step,
    sent: Moment,
    /// `told` before the question.
    before: (u64, Option<WriteId>, u64),
}

#[derive(Debug)]
enum Step {
    Look,
    Acquire(Request),
    Body(Lease),
    Store { version: u64, started: Moment },
}

/// What a caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// A value, and whether it counts as fresh.
    Value {
        /// Its number.
        version: u64,
        /// Whether it is served as a fresh one.
        fresh: bool,
    },
    /// The empty value.
    Empty,
    /// The answer comes with that to the question.
    Later,
}

/// What comes next in a flight.
#[derive(Debug)]
pub enum Next {
    /// Nothing: it has ended.
    Ended,
    /// The body is run now, for the flight of this number.
    Body(u64),
    /// The server is asked.
    Ask(Question),
}

impl Holding {
    /// A process that has just been started.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            value: None,
            no_refresh_until: Moment::PAST,
            flight: None,
            flights: 0,
            told: (0, None, 0),
        }
    }

    /// From this moment on a read does more than serve what is here. `None`: not before the flight has ended.
    #[must_use]
    pub fn acts_from(&self, now: u64) -> Option<u64> {
        if self.flight.is_some() {
            return None;
        }
        let now = Moment::from_bits(now);
        let due = match &self.value {
            None => now,
            Some(value) if value.is_marked && value.times.state(now) == State::Fresh => {
                return Some(now.to_bits());
            }
            Some(value) => value.times.fast_path_until(),
        };
        Some(due.max(self.no_refresh_until).max(now).to_bits())
    }

    /// What a read gets `now` that changes nothing.
    #[must_use]
    pub fn peek(&self, now: u64) -> Served {
        let now = Moment::from_bits(now);
        self.serve(decide(&self.facts(true), now, false))
    }

    /// A caller comes `now`. `random` tells its lease from all others.
    pub fn read(&mut self, now: u64, random: u64) -> (Served, Option<Question>) {
        let now = Moment::from_bits(now);
        let decision = decide(&self.facts(true), now, false);
        if decision != Decision::Consult {
            return (self.serve(decision), self.fetch_if(decision, now, random));
        }
        if self.flight.is_some() {
            // Joined, or served as if the tier could not be asked.
            return (Served::Later, None);
        }
        let have = self.value.as_ref().and_then(|value| value.id);
        (Served::Later, Some(self.ask(Step::Look, Ask::Read { have }, now)))
    }

    /// An answer comes `now`. Tells what comes next, and what callers get who have waited.
    pub fn answered(&mut self, now: u64, answer: Answer, random: u64) -> (Next, Option<Served>) {
        let now = Moment::from_bits(now);
        // A flight that was superseded brings nothing any more.
        let Some(flight) = self.flight.take_if(|flight| Some(flight.number) == answer.flight) else {
            return (Next::Ended, None);
        };
        match (flight.step, answer.told) {
            (Step::Look, Told::Read(read)) => {
                self.looked(read, flight.sent, flight.before);
                let decision = decide(&self.facts(false), now, false);
                let question = self.fetch_if(decision, now, random);
                (question.map_or(Next::Ended, Next::Ask), Some(self.serve(decision)))
            }
            (Step::Acquire(request), Told::Acquired(acquired)) => {
                (self.acquired(acquired, request, flight.sent, flight.before, now), None)
            }
            (Step::Store { version, started }, Told::Stored(stored)) => {
                self.stored(stored, version, started, flight.before, now);
                (Next::Ended, None)
            }
            _ => (Next::Ended, None),
        }
    }

    /// The body of this flight returns `now`, with a value of this number.
    pub fn fetched(&mut self, now: u64, flight: u64, version: u64) -> Option<Question> {
        let now = Moment::from_bits(now);
        let is_current = |flying: &mut Flight| flying.number == flight;
        let Some(Flight { step: Step::Body(lease), sent: started, before, .. }) =
            self.flight.take_if(is_current)
        else {
            return None;
        };
        let age = Duration::from_nanos(now.since(started));
        let value = payload(version, age, self.policy.lifetime, self.policy.retention);
        let step = Step::Store { version, started };
        self.flight = Some(Flight { number: flight, step, sent: now, before });
        Some(Question { flight: Some(flight), ask: Ask::Store { lease, value } })
    }

    /// Invalidates the key `now`, here and in the tier. If there is a value, a refresh begins.
    pub fn invalidate(&mut self, now: u64, random: u64) -> (Question, Option<Question>) {
        let now = Moment::from_bits(now);
        self.flight = None;
        let tombstone = self.policy.lifetime.max(Duration::from_secs(600));
        let change = Question { flight: None, ask: Ask::Invalidate { tombstone } };
        let Some(value) = &mut self.value else { return (change, None) };
        value.times.lifetime = value.times.lifetime.min(value.times.age(now));
        self.no_refresh_until = Moment::PAST;
        // It takes no value that was there before.
        let (seen, ahead) = (Some(WriteId(u64::MAX)), None);
        let request = Request {
            token: Token(random),
            seen,
            ahead,
            is_awaited: false,
            purpose: LeaseFor::Fetch,
            job: None,
        };
        (change, Some(self.ask(Step::Acquire(request), Ask::Acquire(request), now)))
    }

    /// A message arrives.
    pub fn told(&mut self, News(id): News) {
        let (messages, latest, lost) = self.told;
        self.told = (messages + 1, latest.max(Some(id)), lost);
        if let Some(value) = self.value.as_mut().filter(|value| value.id != Some(id)) {
            value.is_marked = true;
        }
    }

    /// Messages may have been lost.
    pub fn lost_messages(&mut self) {
        self.told.2 += 1;
        if let Some(value) = &mut self.value {
            value.is_marked = true;
        }
    }

    /// Whether the value here was marked, and was not looked at since.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.value.as_ref().is_some_and(|value| value.is_marked)
    }

    fn facts(&self, is_unsure: bool) -> Facts {
        Facts {
            times: self.value.as_ref().map(|value| value.times),
            backoff_until: self.no_refresh_until,
            is_unsure,
            is_suspect: self.is_suspect(),
            ..Facts::NONE
        }
    }

    fn serve(&self, decision: Decision) -> Served {
        let value = |fresh| {
            let version = self.value.as_ref().map(|value| value.version);
            version.map_or(Served::Empty, |version| Served::Value { version, fresh })
        };
        match decision {
            Decision::Serve | Decision::ServeAndRefresh => value(true),
            Decision::ServeStale | Decision::ServeStaleAndRefresh | Decision::FetchNow => value(false),
            Decision::ServeError | Decision::ServeEmpty | Decision::ServeEmptyAndFetch => Served::Empty,
            Decision::Consult => Served::Later,
        }
    }

    /// Begins the fetch of a decision, with a question for the lease.
    fn fetch_if(&mut self, decision: Decision, now: Moment, random: u64) -> Option<Question> {
        if !decision.also_fetches() || self.flight.is_some() {
            return None;
        }
        let request = Request {
            token: Token(random),
            seen: self.value.as_ref().and_then(|value| value.id),
            ahead: Some(self.policy.refresh_ahead),
            is_awaited: false,
            purpose: LeaseFor::Fetch,
            job: None,
        };
        Some(self.ask(Step::Acquire(request), Ask::Acquire(request), now))
    }

    /// Begins a flight with a question.
    fn ask(&mut self, step: Step, ask: Ask, sent: Moment) -> Question {
        self.flights += 1;
        self.flight = Some(Flight { number: self.flights, step, sent, before: self.told });
        Question { flight: Some(self.flights), ask }
    }

    fn looked(&mut self, read: Read, sent: Moment, before: (u64, Option<WriteId>, u64)) {
        let have = self.value.as_ref().and_then(|value| value.id);
        match read {
            Read::Found(found) => self.take_over(&found, sent, before),
            Read::Unchanged(Ages { age, lifetime, .. }) => {
                if let Some(value) = &mut self.value {
                    if age >= lifetime {
                        value.times.lifetime = value.times.lifetime.min(value.times.age(sent));
                    }
                    value.is_marked = false;
                }
                self.mark_if_outdated(before);
            }
            // What is held here is no older than what the tier has lost.
            Read::Missing { tombstone, .. }
                if tombstone.is_none_or(|tombstone| Some(tombstone.id) == have) =>
            {
                if let Some(value) = &mut self.value {
                    value.is_marked = false;
                }
                self.mark_if_outdated(before);
            }
            Read::Missing { .. } | Read::Cleared(_) => self.value = None,
        }
    }

    fn take_over(&mut self, found: &Found, sent: Moment, before: (u64, Option<WriteId>, u64)) {
        if self.end(Ending::Found, sent) != Effect::Store {
            return;
        }
        let Ages { age, lifetime, retention } = found.ages;
        let [age, lifetime, retention] = [age, lifetime, retention].map(nanos);
        let times = Times::of_shared(sent, age, lifetime, retention, Windows::of(&self.policy));
        self.keep(
            Value { version: version(&found.bytes), times, id: Some(found.id), is_marked: false },
            before,
        );
    }

    fn keep(&mut self, value: Value, before: (u64, Option<WriteId>, u64)) {
        self.value = Some(value);
        self.no_refresh_until = Moment::PAST;
        self.mark_if_outdated(before);
    }

    /// Messages that came between a question and its answer.
    fn mark_if_outdated(&mut self, before: (u64, Option<WriteId>, u64)) {
        let (messages, latest, lost) = self.told;
        if let Some(value) = &mut self.value {
            value.is_marked |= lost != before.2 || messages != before.0 && latest > value.id;
        }
    }

    fn acquired(
        &mut self,
        acquired: Acquired,
        request: Request,
        sent: Moment,
        before: (u64, Option<WriteId>, u64),
        now: Moment,
    ) -> Next {
        match acquired {
            Acquired::Ours(lease) => {
                self.flights += 1;
                let number = self.flights;
                self.flight = Some(Flight { number, step: Step::Body(lease), sent: now, before });
                Next::Body(number)
            }
            Acquired::Theirs { left, is_backoff, .. } => {
                let left = if is_backoff { left } else { left.min(LOOK_AGAIN) };
                self.end(Ending::LeftToOthers { until: now.plus(nanos(left)), is_backoff }, now);
                Next::Ended
            }
            Acquired::Newer(found) => {
                let Ages { age, lifetime, .. } = found.ages;
                if request.ahead.is_some_and(|ahead| is_fresh(age, lifetime, ahead)) {
                    self.take_over(&found, sent, before);
                    return Next::Ended;
                }
                // A newer one that is due as well.
                let request = Request { seen: Some(found.id), ..request };
                Next::Ask(self.ask(Step::Acquire(request), Ask::Acquire(request), now))
            }
        }
    }

    fn stored(
        &mut self,
        stored: Stored,
        version: u64,
        started: Moment,
        before: (u64, Option<WriteId>, u64),
        now: Moment,
    ) {
        let id = match stored {
            Stored::Yes(id) => Some(id),
            Stored::Unfenced => None,
            Stored::Superseded => {
                self.end(Ending::Refused, now);
                return;
            }
        };
        if self.end(Ending::Value { started }, now) != Effect::Store {
            return;
        }
        if let Some(times) = freshness(&self.policy, OwnTimes::default(), started, 0.0) {
            self.keep(Value { version, times, id, is_marked: false }, before);
        }
    }

    /// The effect of a flight's end. Carries out all but the storing of a value.
    fn end(&mut self, ending: Ending, now: Moment) -> Effect {
        let value = self.value.as_ref().filter(|value| value.times.state(now) != State::Missing);
        let held = Held { value: value.map(|value| value.times.started), failures: 0 };
        let fence = Fence { holds_the_key: true, is_in_its_epoch: true };
        let effect = effect(ending, held, fence, &self.policy, now, 0.0);
        match effect {
            Effect::KeepOff { until } => self.no_refresh_until = until,
            Effect::Record { backoff, .. } | Effect::BackOff(backoff) => {
                self.no_refresh_until = backoff.until;
            }
            Effect::DropOlder => self.value = None,
            Effect::Discard | Effect::Store | Effect::Release => {}
        }
        effect
    }
}
