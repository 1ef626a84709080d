//! Reads: the answer to a call that is no plain hit.

use std::time::Duration;

use super::fetch::{Demand, Job};
use super::result::SharedValue;
use super::shared::Look;
use super::wait::Fallback;
use super::{
    Admission, Answer, Cacheable, CallKind, Engine, ErrorOf, Fetched, FlightResult, SourceOf, Target,
};
use crate::base::clock::{Moment, nanos};
use crate::base::sync::Arc;
use crate::base::tasks;
use crate::events::{Source, Status};
use crate::executor::context::{self, Here};
use crate::flight::{JoinOrClaim, NOTICE, Need, Purpose, Start, Waiter};
use crate::rules::decide::{Decision, Facts, decide};
use crate::rules::freshness::State;
use crate::store::Content;

/// The kind of answer that a caller wants.
#[derive(Clone, Copy)]
enum Want {
    /// The answer that the decision gives. `waits_on_miss` is `None` as long as the option's expression was not
    /// evaluated.
    Answer { waits_on_miss: Option<bool> },
    /// The outcome of a fetch.
    Outcome,
    /// A look into the second tier, if nothing is stored here.
    Look,
}

/// What a call knows of the second tier.
pub(super) enum Consulted<V> {
    /// Nothing yet.
    NotYet,
    /// Nothing: what it has waited for may be older than a change that was told of before.
    Again,
    /// It is not asked, or not once more.
    Done,
    /// It has confirmed the value that was stored here.
    Confirmed,
    /// It had this value. (Boxed, because few calls have one, and each call that waits has room for it.)
    Found(Box<SharedValue<V>>),
}

/// The state of a key as a caller finds it, under the key's lock.
enum Found<'g, N> {
    Node(&'g N, Status),
    /// The value that the call has found in the second tier.
    Shared(Status),
    Nothing,
    Ask,
}

/// The facts about a flight that is to be started.
struct With {
    /// It is the trial of the breaker's period.
    is_trial: bool,
    demand: Demand,
    started: Moment,
}

/// The result of a caller's decision.
enum Entered<C: Cacheable> {
    /// A stored value, not counted yet.
    Value(Answer<C::Return>),
    /// The kept error.
    Error(ErrorOf<C>),
    /// The empty value.
    Empty,
    /// Nothing is cached, and an expression says whether the caller waits: it is to be evaluated outside of the lock.
    Ask,
    /// The caller waits for a fetch.
    Wait(Waiter<FlightResult<C>>),
}

impl<C: Cacheable> Entered<C> {
    /// Whether the caller, who is answered at once, may be polling for a better answer.
    fn is_makeshift(&self) -> bool {
        match self {
            Self::Value(answer) => answer.status != Status::Fresh,
            Self::Error(_) | Self::Empty => true,
            Self::Ask | Self::Wait(_) => false,
        }
    }
}

impl<C: Cacheable> Engine<C> {
    /// Answers a call.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
        call: CallKind,
    ) -> Answer<C::Return> {
        if !source.can_run() {
            return self.without_a_fetch(target, source).await;
        }
        let mut waits_on_miss = match (call, source.waits_on_miss()) {
            (CallKind::GetOrFetch, _) => Some(true),
            (_, None) => Some(self.policy().fetch_on_miss),
            (_, Some(_)) => None,
        };
        let mut called = None;
        let mut losses = 0;
        let mut consulted = Consulted::NotYet;
        loop {
            // A block, so that a call has room for nothing else while it waits.
            let (waiter, limit, caller) = {
                let here = self.here(losses);
                let now = Moment::now();
                let called = *called.get_or_insert(now);
                let want = Want::Answer { waits_on_miss };
                let entered = self.enter(&here, target, source, want, &consulted, now);
                if entered.is_makeshift() && !tasks::has_budget() {
                    tasks::give_way().await;
                }
                let waiter = match entered {
                    Entered::Value(answer) => return self.answered(answer),
                    Entered::Error(error) => {
                        let (value, status) = (C::join(Err(error.hand())), Status::Fresh);
                        return self.answered(Answer { value, status, age: None, source: Source::Local });
                    }
                    Entered::Empty => return self.empty(source),
                    Entered::Ask => {
                        let waits = source.waits_on_miss().is_some_and(|waits| waits());
                        waits_on_miss = Some(waits);
                        continue;
                    }
                    Entered::Wait(waiter) => waiter,
                };
                if waiter.is_within() {
                    return self.stored(target).unwrap_or_else(|| self.waits_for_itself());
                }
                // The limit is that of the whole call, even if its first fetch was lost.
                let left =
                    |limit: Duration| limit.saturating_sub(Duration::from_nanos(Moment::now().since(called)));
                (waiter, source.wait().or(self.policy().wait).map(left), here.caller)
            };
            let Some(result) = self.wait_for(&waiter, limit, &caller).await else {
                return self.stored(target).unwrap_or_else(|| self.empty(source));
            };
            // A flight that it joins after that has begun after the change.
            if matches!(consulted, Consulted::NotYet) && self.has_missed(&waiter, result) {
                consulted = Consulted::Again;
                continue;
            }
            if let FlightResult::Value(fetched) = result {
                let Fetched { value, started, .. } = fetched;
                let tells_age = call != CallKind::Plain;
                let age = tells_age.then(|| Duration::from_nanos(Moment::now().since(*started)));
                return self.fetched(Ok(value.clone()), age);
            }
            if let FlightResult::Confirmed = result {
                consulted = Consulted::Confirmed;
                continue;
            }
            if let FlightResult::Consulted(found) = result {
                let found = found.clone().map(Box::new);
                consulted = found.map_or(Consulted::Done, Consulted::Found);
                continue;
            }
            if let Some(answer) = self.stored(target) {
                return answer;
            }
            if matches!(result, FlightResult::TimedOut) {
                if let Some(value) = source.empty() {
                    return self.answered(Answer::empty(value));
                }
            }
            match self.fallback(result, &waiter, &mut losses) {
                Fallback::Again => {}
                Fallback::Gone => Box::pin(context::pause(NOTICE)).await,
                Fallback::Error(error) => return self.fetched(Err(error), None),
                Fallback::Panic(panic) => {
                    self.counters.answered(Status::Fetched);
                    panic.panic();
                }
            }
        }
    }

    /// The outcome of a fetch: of the one that is under way, or of a new one.
    pub(crate) async fn refresh(
        self: &Arc<Self>,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
    ) -> C::Return {
        if !source.can_run() {
            self.cannot_fetch();
        }
        let mut losses = 0;
        let mut has_joined = false;
        loop {
            let here = self.here(losses);
            let entered = self.enter(&here, target, source, Want::Outcome, &Consulted::Done, Moment::now());
            let Entered::Wait(waiter) = entered else { continue };
            if waiter.is_within() {
                self.waits_for_itself();
            }
            let Some(result) = self.wait_for(&waiter, None, &here.caller).await else { continue };
            if !std::mem::replace(&mut has_joined, true) && self.has_missed(&waiter, result) {
                continue;
            }
            match result {
                FlightResult::Value(fetched) => return C::join(Ok(fetched.value.clone())),
                // Another process has just fetched it. (What is merely found may be old.)
                FlightResult::Consulted(Some(found)) if found.is_just_fetched => {
                    return C::join(Ok(found.value.clone()));
                }
                FlightResult::Consulted(_) | FlightResult::Confirmed => continue,
                _ => {}
            }
            match self.fallback(result, &waiter, &mut losses) {
                Fallback::Again => {}
                Fallback::Gone => Box::pin(context::pause(NOTICE)).await,
                Fallback::Error(error) => return C::join(Err(error)),
                Fallback::Panic(panic) => panic.panic(),
            }
        }
    }

    /// Decides for a caller under the key's lock, and starts the fetch that the decision asks for.
    fn enter(
        self: &Arc<Self>,
        here: &Here,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
        want: Want,
        consulted: &Consulted<C::Value>,
        now: Moment,
    ) -> Entered<C> {
        self.tidy(now);
        let mut unstarted = Vec::new();
        let mut look = None;
        let windows = &self.store.windows;
        let can_consult = self.can_consult(here);
        let may_consult = can_consult && matches!(consulted, Consulted::NotYet | Consulted::Again);
        let pins = self.store.pins();
        let demand = if let Want::Outcome = want { Demand::Fetched } else { Demand::Newer };
        let (found, joined) = self.with_claims(target, |claims, known| {
            let node = self.store.resident(target.hash, known, &pins)?;
            if let Some(node) = node.filter(|node| !can_consult && Self::is_doubted(node)) {
                // It was changed elsewhere, and nobody can say what it is now.
                node.cut_lifetime(Moment::recent().min(now), windows);
            }
            let mut facts = node.map_or(Facts::NONE, |node| node.facts(windows));
            // Found by this call, and here no more, or never: it is served all the same.
            let shared = match consulted {
                Consulted::Found(found) if facts.is_missing(now) => {
                    Some(found.times).filter(|times| times.state(now) != State::Missing)
                }
                _ => None,
            };
            facts.times = shared.or(facts.times);
            let is_missing = facts.is_missing(now);
            facts.broken_until = self.breaker.until(is_missing);
            // A fetch asks the second tier itself.
            facts.is_unsure = may_consult && !claims.lane(here.lane).is_for(Purpose::Fetch);
            // A call that has just seen the value there need not look once more, even if a message has come meanwhile, or
            // was lost.
            let has_looked = matches!(consulted, Consulted::Found(_) | Consulted::Confirmed);
            facts.is_suspect = can_consult && !has_looked && node.is_some_and(|node| self.is_marked(node));
            if facts.is_suspect && facts.is_unsure && !is_missing {
                look = look.take().or_else(|| self.begin_look());
                facts.is_unsure = look.is_some();
            }
            let mut decision = match want {
                Want::Outcome => Decision::FetchNow,
                Want::Look if (is_missing || facts.is_suspect) && facts.is_unsure => Decision::Consult,
                Want::Look => return Ok((Found::Nothing, None)),
                Want::Answer { waits_on_miss: Some(waits) } => decide(&facts, now, waits),
                Want::Answer { waits_on_miss: None } if is_missing => {
                    return Ok((Found::Ask, None));
                }
                Want::Answer { waits_on_miss: None } => decide(&facts, now, false),
            };
            // If a fetch is under way, none is started: the trial of the breaker's period is left to another key.
            let starts_behind =
                decision.also_fetches() && claims.lane(here.lane).lets_start(now, self.store.epoch());
            let admission = if starts_behind {
                self.breaker.admit(now, is_missing, self.policy())
            } else {
                Admission::Free
            };
            if admission == Admission::Refused {
                facts.broken_until = Moment::NEVER;
                decision = decide(&facts, now, false);
            }
            let purpose = match decision {
                Decision::Consult => Purpose::Consultation,
                _ => Purpose::Fetch,
            };
            let waits = matches!(decision, Decision::FetchNow | Decision::Consult);
            // The node may have come in after `now` was read. Its fetch began before this one.
            let started = node.map_or(now, |node| now.max(node.started));
            let until = started.plus(nanos(self.policy().refresh_timeout));
            let need = match waits {
                // A time-out that depends on the arguments is user code.
                true => {
                    let is_known = purpose == Purpose::Consultation || !source.varies();
                    Some(Need::Awaited { runs_until: is_known.then_some(until) })
                }
                false => decision.also_fetches().then_some(Need::Behind),
            };
            let joined = need.map(|need| {
                let (epoch, new) = (self.store.epoch(), || self.new_flight(here).with_purpose(purpose));
                claims.lane(here.lane).join_or_claim(now, epoch, need, new, &mut unstarted)
            });
            let no_refresh_until = match &joined {
                Some(JoinOrClaim::Claimed { .. }) => Some(until),
                // A flight that is put off may be so for long. A call looks after it once in a while.
                Some(JoinOrClaim::Busy { until }) => Some(until.unwrap_or(now.plus(nanos(NOTICE)))),
                _ => None,
            };
            if let (Some(node), Some(until)) = (node, no_refresh_until) {
                node.set_no_refresh_until(until, windows);
            }
            let status = match decision {
                Decision::Serve | Decision::ServeAndRefresh | Decision::ServeError => Some(Status::Fresh),
                Decision::ServeStale | Decision::ServeStaleAndRefresh => Some(Status::Stale),
                _ => None,
            };
            let found = match (status, node) {
                (Some(status), _) if shared.is_some() => Found::Shared(status),
                (Some(status), Some(node)) => Found::Node(node, status),
                _ => Found::Nothing,
            };
            let with = With { is_trial: admission == Admission::Trial, demand, started };
            Ok((found, joined.map(|joined| (joined, with))))
        });
        let waiter =
            joined.and_then(|(joined, with)| self.dispatch(joined, here, target, source, with, look));
        self.drop_unstarted(here, unstarted);
        if let Some(waiter) = waiter {
            return Entered::Wait(waiter);
        }
        let origin = match consulted {
            Consulted::Found(_) => Source::Shared,
            Consulted::NotYet | Consulted::Again | Consulted::Done | Consulted::Confirmed => Source::Local,
        };
        let answer = |value: &C::Value, status, started| {
            let (value, age) = (C::join(Ok(value.clone())), Duration::from_nanos(now.since(started)));
            Entered::Value(Answer { value, status, age: Some(age), source: origin })
        };
        match (found, consulted) {
            (Found::Ask, _) => Entered::Ask,
            (Found::Node(node, status), _) => match node.content() {
                Content::Value(value, _) => answer(value, status, node.started),
                Content::Error(shared) => Entered::Error(Arc::clone(shared)),
                Content::Nothing => Entered::Empty,
            },
            (Found::Shared(status), Consulted::Found(found)) => {
                answer(&found.value, status, found.times.started)
            }
            (Found::Nothing | Found::Shared(_), _) => Entered::Empty,
        }
    }

    /// Starts the flight that `joined` asks for, outside of the lock. Returns the caller's waiter, if it waits.
    fn dispatch(
        self: &Arc<Self>,
        joined: JoinOrClaim<FlightResult<C>, Box<Job<C>>>,
        here: &Here,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
        with: With,
        look: Option<Look>,
    ) -> Option<Waiter<FlightResult<C>>> {
        match joined {
            JoinOrClaim::Busy { .. } | JoinOrClaim::Crowded => {
                // The fetch may be queued behind one whose runtime nobody drives.
                here.executor.reclaim(Moment::now());
                None
            }
            JoinOrClaim::Joined { waiter, start } => {
                waiter.give_place_back();
                match start {
                    Some(Start::Withdraw(ticket)) => {
                        if let Some(refresh) = here.executor.withdraw(ticket) {
                            refresh.start(None);
                        }
                    }
                    Some(Start::Now(job)) => job.begin(None),
                    None => {}
                }
                Some(waiter)
            }
            JoinOrClaim::Claimed { flight, waiter } => {
                let purpose = flight.purpose;
                let mut job = Job::new(self, here, target, source, flight);
                (job.is_trial, job.demand, job.started) = (with.is_trial, with.demand, with.started);
                match waiter {
                    Some(waiter) if purpose == Purpose::Consultation => {
                        job.look = look;
                        job.begin_consultation();
                        Some(waiter)
                    }
                    Some(waiter) => {
                        job.begin(None);
                        Some(waiter)
                    }
                    None => {
                        Box::new(job).submit();
                        None
                    }
                }
            }
            JoinOrClaim::Unparked(job) => {
                job.submit();
                None
            }
        }
    }

    /// The surroundings of a caller. If it has lost fetches of its own, the next one runs on its own runtime.
    fn here(&self, losses: u32) -> Here {
        let here = Here::find(self.name());
        if losses == 0 { here } else { here.at_the_callers() }
    }

    /// The value of the second tier as the answer, or the value here if it is the same.
    pub(super) async fn looked_up(
        self: &Arc<Self>,
        target: &Target<C::OwnedKey>,
        source: &SourceOf<C>,
    ) -> Option<Answer<C::Return>> {
        let here = self.here(0);
        let look = || self.enter(&here, target, source, Want::Look, &Consulted::NotYet, Moment::now());
        let Entered::Wait(mut waiter) = look() else { return None };
        let mut result = self.wait_for(&waiter, None, &here.caller).await?;
        if self.has_missed(&waiter, result) {
            let Entered::Wait(next) = look() else { return None };
            waiter = next;
            result = self.wait_for(&waiter, None, &here.caller).await?;
        }
        if let FlightResult::Confirmed = result {
            return self.peeked(target, true).map(Self::of_stored);
        }
        let FlightResult::Consulted(Some(found)) = result else { return None };
        let now = Moment::now();
        let status = match found.times.state(now) {
            State::Fresh => Status::Fresh,
            State::Stale | State::TooStale => Status::Stale,
            State::Missing => return None,
        };
        let age = Some(Duration::from_nanos(found.times.age(now)));
        let value = C::join(Ok(found.value.clone()));
        Some(Answer { value, status, age, source: Source::Shared })
    }

    /// Panics: a body that awaits its own fetch would wait for ever.
    fn waits_for_itself(&self) -> ! {
        panic!("`{}` awaits itself with the same arguments: it would never end", self.name())
    }

    pub(super) fn empty(&self, source: &SourceOf<C>) -> Answer<C::Return> {
        let Some(value) = source.empty() else {
            unreachable!("`{}` has an empty value wherever a caller can be answered with one", self.name())
        };
        self.answered(Answer::empty(value))
    }

    /// The outcome of a fetch that the call waited for, as the answer.
    fn fetched(&self, result: Result<C::Value, C::Error>, age: Option<Duration>) -> Answer<C::Return> {
        let value = C::join(result);
        self.answered(Answer { value, status: Status::Fetched, age, source: Source::Fetched })
    }

    pub(super) fn answered(&self, answer: Answer<C::Return>) -> Answer<C::Return> {
        self.counters.answered(answer.status);
        answer
    }
}
