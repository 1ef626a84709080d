//! How a fetch comes home: what it does to its key, in one step under the lock, and who is answered with what.

use std::time::Duration;

use super::fetch::{Job, Progress};
use super::record::Record;
use super::{Cacheable, Definition, ErrorOf, Fetched, FlightOf, FlightResult, LaneOf, NodeOf};
use crate::base::clock::Moment;
use crate::base::panics::{Panic, catch};
use crate::base::sync::{Arc, Ordering};
use crate::events;
use crate::executor::Fetch;
use crate::flight::Standing;
use crate::outcome::Outcome;
use crate::outcome::shared_error::Shareable;
use crate::rules::effect::{Effect, Ending, Fence, Held, effect};
use crate::rules::freshness::Windows;
use crate::rules::policy::Policy;
use crate::store::{Change, Content, RECORD_WEIGHT};

/// A candidate for the store: it is put there if the [`Effect`] says so, and taken out of here then.
enum Candidate<C: Cacheable> {
    /// A value, or the record that there is none to be stored.
    Node {
        node: Option<NodeOf<C>>,
        weight: u32,
        started: Moment,
    },
    /// The key of a back-off, and the error that may be kept.
    Failure {
        key: Option<C::OwnedKey>,
        kept: Option<ErrorOf<C>>,
    },
    Nothing,
}

impl<C: Cacheable> Candidate<C> {
    fn ending(&self, now: Moment, windows: &Windows) -> Ending {
        match self {
            Self::Node { node, started, .. } => {
                let is_value = node.as_ref().is_some_and(|node| node.has_value(now, windows));
                if is_value {
                    Ending::Value { started: *started }
                } else {
                    Ending::Unstored { started: *started }
                }
            }
            Self::Failure { kept, .. } => Ending::Failed { is_error: kept.is_some() },
            Self::Nothing => Ending::Lost,
        }
    }
}

/// What happened at the desk when a fetch came home.
pub(super) struct Commit<C: Cacheable> {
    /// It held its key and its outcome counts.
    counts: bool,
    /// The key was in back-off already.
    rested: bool,
    /// What it did to the store.
    change: Change,
    /// Those who wait for a lapsed fetch are answered by this one.
    answers: Vec<Arc<FlightOf<C>>>,
    /// Waited for this body's end.
    next: Option<Box<Job<C>>>,
}

impl<C: Cacheable> Job<C> {
    /// The body is done, or has panicked.
    pub(super) fn land(&mut self, returned: Result<C::Return, Panic>, policy: &Policy) {
        self.warn_if_slow(policy);
        let landed =
            catch(|| match returned.map(|returned| <C::Outcome>::split_by(self.source.errors(), returned)) {
                Err(panic) => Err(panic),
                Ok(Err(error)) => self.commit_failure(error, policy),
                Ok(Ok(value)) => self.commit_value(value, policy),
            });
        let Err(panic) = landed.and_then(|landed| landed) else { return };
        let panic = Arc::new(panic);
        // Where a type of the user's goes on panicking the key is not found by it: it is given back without.
        if self.progress != Progress::Home && catch(|| self.commit_panic(&panic, policy)).is_err() {
            self.give_up(FlightResult::Panicked(panic));
        }
    }

    /// `Err` is a panic in `lifetime_for`.
    fn commit_value(&mut self, value: C::Value, policy: &Policy) -> Result<(), Panic> {
        let started = self.started;
        let lifetime = catch(|| self.engine.definition.values.lifetime_for(&value))?;
        let engine = &self.engine;
        let (record, not_stored) = catch(|| engine.record(&self.target, value, started, policy, lifetime))?;
        let Record { node, weight } = record;
        let mut brought = not_stored.map(|value| Arc::new(Fetched { value, started }));
        let mut candidate: Candidate<C> = Candidate::Node { node: Some(node), weight, started };
        let mut awaited = self.flight.waiting() > 0;
        // Those who wait are given one more of the value. Who waits is certain only under the lock: where someone came
        // meanwhile, it is brought home again.
        loop {
            if let (None, Candidate::Node { node: Some(node), .. }) = (&brought, &candidate) {
                if let (true, Content::Value(value, _)) = (awaited, node.content()) {
                    let value = catch(|| C::Value::clone(value))?;
                    brought = Some(Arc::new(Fetched { value, started }));
                }
            }
            let prepared = brought.is_some();
            let ready = |job: &Self, lane: &LaneOf<C>| {
                prepared || (job.flight.waiting() == 0 && !lane.has_lapsed(Moment::now()))
            };
            let Some(home) = self.commit(&mut candidate, policy, ready) else {
                awaited = true;
                continue;
            };
            self.finish(home, brought.map(FlightResult::Value));
            return Ok(());
        }
    }

    /// `Err` is a panic of the error's own code.
    fn commit_failure(&mut self, error: C::Error, policy: &Policy) -> Result<(), Panic> {
        let engine = Arc::clone(&self.engine);
        let Definition { name, share, values, .. } = &engine.definition;
        let describe =
            self.source.errors().and_then(<C::Outcome>::described_by).unwrap_or(engine.definition.describe);
        let (kept, text) = catch(|| {
            let text = describe.text(&error);
            self.answers = !values.is_outage(&error);
            (Shareable::new(name, error, &text, *share, describe), text)
        })?;
        let kept = Arc::new(kept);
        let mut candidate = self.failure(policy.cache_err.map(|_| &kept))?;
        if let Some(home) = self.commit(&mut candidate, policy, |_, _| true) {
            events::count(&self.engine.counters.errors);
            let told = home.counts && !home.rested;
            self.finish(home, Some(FlightResult::Failed(kept)));
            if told {
                events::fetch_failed(name, describe.logged(&text));
            }
        }
        Ok(())
    }

    fn commit_panic(&mut self, panic: &Arc<Panic>, policy: &Policy) {
        events::count(&self.engine.counters.panics);
        events::fetch_panicked(self.engine.name(), panic.message());
        // A key that cannot be copied keeps no back-off of its own.
        let mut candidate = self.failure(None).unwrap_or(Candidate::Failure { key: None, kept: None });
        if let Some(home) = self.commit(&mut candidate, policy, |_, _| true) {
            self.finish(home, Some(FlightResult::Panicked(Arc::clone(panic))));
        }
    }

    /// `Err` is a panic of the key's own code.
    fn failure(&self, kept: Option<&ErrorOf<C>>) -> Result<Candidate<C>, Panic> {
        let key = catch(|| C::copy_key(self.target.key()))?;
        Ok(Candidate::Failure { key: Some(key), kept: kept.map(Arc::clone) })
    }

    /// The claim has lapsed: ends the fetch, unless somebody waits for it.
    pub(super) fn time_out(&self, policy: &Policy) -> Option<Commit<C>> {
        let mut candidate = self.failure(None).unwrap_or(Candidate::Failure { key: None, kept: None });
        let home = self.commit(&mut candidate, policy, |job, _| job.flight.waiting() == 0);
        let _ = catch(|| drop(candidate));
        home
    }

    /// After [`time_out`](Job::time_out), when the body is dropped.
    pub(super) fn end_timed_out(&mut self, home: Commit<C>) {
        events::count(&self.engine.counters.timeouts);
        let counts = home.counts;
        self.finish(home, Some(FlightResult::TimedOut));
        if counts {
            events::fetch_timed_out(self.engine.name(), self.took());
        }
    }

    /// The executor is shut down: ends the fetch, unless somebody waits for it or it has asked for that itself.
    pub(super) fn abort(&self, policy: &Policy) -> Option<Commit<C>> {
        let ready = |job: &Self, _: &_| job.flight.waiting() == 0 && !job.flight.is_exempt();
        self.commit(&mut Candidate::Nothing, policy, ready)
    }

    /// After [`abort`](Job::abort), when the body is dropped. No failure: the key does not back off.
    pub(super) fn end_aborted(&mut self, home: Commit<C>) {
        self.finish(home, Some(FlightResult::Lost));
        events::fetch_aborted(self.engine.name());
    }

    /// The claim has lapsed, and holds nothing up any more: what waits for the end of this body need not.
    pub(super) fn start_parked(&self) {
        let Self { engine, target, here, .. } = self;
        let now = Moment::now();
        if let Some(next) = engine.at(target, |claims, _| Ok(claims.lane(here.lane).unpark(now))) {
            next.submit();
        }
    }

    /// It has no end. Whatever happens on the way, those who wait are told.
    pub(super) fn end_lost(&mut self) {
        let policy = *self.engine.policy();
        match catch(|| self.commit(&mut Candidate::Nothing, &policy, |_, _| true)) {
            Ok(Some(home)) => self.finish(home, Some(FlightResult::Lost)),
            Ok(None) | Err(_) => self.give_up(FlightResult::Lost),
        }
        let _ = catch(|| events::fetch_lost(self.engine.name()));
    }

    /// Gives the key back by the flight alone, and answers those who wait.
    fn give_up(&mut self, landing: FlightResult<C>) {
        #[cfg(feature = "metrics")]
        let ended = self.ended(Some(&landing));
        let failed = self.has_failed(Some(&landing));
        self.engine.flights.evict(self.target.hash, &self.flight);
        self.close(!matches!(landing, FlightResult::Lost));
        self.flight.complete(landing);
        #[cfg(feature = "metrics")]
        let _ = catch(|| ended.record());
        if let Some(failed) = failed {
            self.engine.tell_breaker(failed, self.is_trial);
        }
    }

    /// Gives the key back without a fetch, where it is not `ready` to be one. Whether it did.
    pub(super) fn leave(&self, ready: impl Fn(&Self) -> bool) -> bool {
        let Self { engine, target, flight, here, .. } = self;
        let now = Moment::now();
        let pins = engine.store.pins();
        let left = engine.at(target, |claims, known| {
            let node = engine.store.resident(target.hash, known, &pins)?;
            if !ready(self) {
                return Ok(None);
            }
            let lane = claims.lane(here.lane);
            if let (Some(Standing::Current), Some(node)) = (lane.end(flight), node) {
                node.reset_no_refresh();
            }
            Ok(Some(lane.unpark(now)))
        });
        drop(pins);
        if let Some(Some(next)) = left {
            next.submit();
            return true;
        }
        left.is_some()
    }

    /// It is home: counted no more, but for those that `finished`.
    fn close(&mut self, finished: bool) {
        self.live.finished = finished;
        self.flight.give_place_back();
        if self.progress == Progress::Begun {
            self.engine.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        self.progress = Progress::Home;
    }

    /// Gives the key back and does to it what the fetch brought, in one step. `None` where it is not `ready` yet.
    fn commit(
        &self,
        candidate: &mut Candidate<C>,
        policy: &Policy,
        ready: impl Fn(&Self, &LaneOf<C>) -> bool,
    ) -> Option<Commit<C>> {
        let Self { engine, target, flight, here, .. } = self;
        let store = &engine.store;
        let windows = &store.windows;
        let now = Moment::now();
        // Where it is not put in: dropped after the lock.
        let mut record = None;
        let chance = fastrand::f64();
        let pins = store.pins();
        engine.at(target, |claims, known| {
            let node = store.resident(target.hash, known, &pins)?;
            let lane = claims.lane(here.lane);
            if !ready(self, lane) {
                return Ok(None);
            }
            let held = node.map_or(Held::NOTHING, |node| node.held(now, windows));
            let fence =
                Fence { holds_the_key: lane.holds(flight), is_in_its_epoch: store.epoch() == flight.epoch() };
            let effect = effect(candidate.ending(now, windows), held, fence, policy, now, chance);
            let rested = node.is_some_and(|node| now < node.backoff_until());
            let mut change = Change::default();
            match (effect, &mut *candidate) {
                (Effect::Store | Effect::DropOlder, Candidate::Node { node: own, weight, .. }) => {
                    change = store.put(own, *weight, flight.epoch(), node, &pins);
                }
                (Effect::BackOff(backoff), _) => {
                    if let Some(node) = node {
                        node.set_backoff(backoff, windows);
                    }
                }
                (Effect::Record { backoff, error_until }, Candidate::Failure { key, kept }) => {
                    if let Some(key) = key.take() {
                        let kept = kept.take().zip(error_until);
                        record = Some(engine.backoff_record(key, target.hash, backoff, kept, now));
                        change = store.put(&mut record, RECORD_WEIGHT, flight.epoch(), node, &pins);
                    }
                }
                (Effect::Release, _) => {
                    if let Some(node) = node {
                        node.reset_no_refresh();
                    }
                }
                (Effect::Discard | Effect::Store | Effect::DropOlder | Effect::Record { .. }, _) => {}
            }
            let counts = effect != Effect::Discard;
            let brings_value = effect == Effect::Store;
            let _ = lane.end(flight);
            let answers = if brings_value { lane.lapsed(now) } else { Vec::new() };
            let next = lane.unpark(now);
            Ok(Some(Commit { counts, rested, change, answers, next }))
        })
    }

    /// After the lock: counts, answers those who wait, and starts what waited for this body's end.
    /// `None`: a value, and nobody waits.
    fn finish(&mut self, home: Commit<C>, landing: Option<FlightResult<C>>) {
        #[cfg(feature = "metrics")]
        let ended = self.ended(landing.as_ref());
        let Commit { counts, change, answers, next, .. } = home;
        let has_outcome = !matches!(landing, Some(FlightResult::Lost | FlightResult::TimedOut));
        if has_outcome && !counts {
            events::count(&self.engine.counters.discarded);
        }
        let failed = self.has_failed(landing.as_ref());
        self.close(!matches!(landing, Some(FlightResult::Lost)));
        if let Some(landing) = landing {
            for lapsed in answers {
                lapsed.complete(landing.clone());
            }
            self.flight.complete(landing);
        }
        self.engine.store.carry_out(change);
        if let Some(next) = next {
            next.submit();
        }
        // Last: a recorder or subscriber is the user's code too.
        #[cfg(feature = "metrics")]
        ended.record();
        if has_outcome && !counts {
            events::fetch_discarded(self.engine.name());
        }
        if let Some(failed) = failed {
            self.engine.tell_breaker(failed, self.is_trial);
        }
    }

    /// Whether the origin has failed; `None`: it was not asked to the end. An error that is no outage is its answer.
    fn has_failed(&self, landing: Option<&FlightResult<C>>) -> Option<bool> {
        match landing {
            None | Some(FlightResult::Value(_)) => Some(false),
            Some(FlightResult::Failed(_)) => Some(!self.answers),
            Some(FlightResult::Panicked(_) | FlightResult::TimedOut) => Some(true),
            Some(FlightResult::Lost) => None,
        }
    }

    /// What the histogram of fetches is to tell of this one; `None`: a value, and nobody waits.
    #[cfg(feature = "metrics")]
    fn ended(&self, landing: Option<&FlightResult<C>>) -> events::durations::Ended {
        let outcome = match landing {
            None | Some(FlightResult::Value(_)) => "value",
            Some(FlightResult::Failed(_)) => "error",
            Some(FlightResult::Panicked(_)) => "panic",
            Some(FlightResult::TimedOut) => "timeout",
            Some(FlightResult::Lost) => "lost",
        };
        let took = (self.progress == Progress::Begun).then(|| self.took());
        events::durations::Ended { cache: self.engine.name(), outcome, took }
    }

    /// How long the body runs, or ran.
    fn took(&self) -> Duration {
        Duration::from_nanos(Moment::now().since(self.started))
    }

    fn warn_if_slow(&self, policy: &Policy) {
        let took = self.took();
        if took > policy.lifetime && !self.engine.slow_body.swap(true, Ordering::Relaxed) {
            events::slower_than_lifetime(self.engine.name(), took);
        }
    }
}
