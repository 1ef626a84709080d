//! The end of a fetch, in two steps: it is *committed* under its key's lock, and then its result is *published*.
//!
//! The commit applies the [`Effect`] of the outcome to the key and gives the key back. Publishing needs no lock: the
//! waiting callers are answered, counters and logs are told, and the next fetch of the key is started.

use std::time::Duration;

use super::fetch::{Job, Progress};
use super::record::Record;
use super::{Cacheable, Definition, ErrorOf, Fetched, FlightOf, FlightResult, LaneOf, NodeOf};
use crate::base::clock::Moment;
use crate::base::panics::{Panic, catch};
use crate::base::sync::{Arc, Ordering};
use crate::events;
use crate::executor::Fetch;
use crate::flight::{Purpose, Standing};
use crate::outcome::Outcome;
use crate::outcome::shared_error::Shareable;
use crate::rules::backoff::Backoff;
use crate::rules::effect::{Effect, Ending, Fence, Held, effect};
use crate::rules::freshness::Windows;
use crate::rules::policy::Policy;
use crate::store::{Change, Content, RECORD_WEIGHT};

/// A candidate for the store. It moves there if the [`Effect`] says so.
// A scenario's atomics are larger.
#[cfg_attr(cacheback_shuttle, allow(clippy::large_enum_variant))]
pub(super) enum Candidate<C: Cacheable> {
    /// A value, or a record without one if the value is not to be stored.
    Node {
        node: Option<NodeOf<C>>,
        weight: u32,
        started: Moment,
        origin: Origin,
    },
    /// The key for a record of the back-off, and the error that may be kept.
    Record {
        key: Option<C::OwnedKey>,
        kept: Option<ErrorOf<C>>,
        ending: Ending,
    },
    Nothing,
}

/// Where a value comes from.
#[cfg_attr(not(feature = "shared"), allow(dead_code))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the body.
    Body,
    /// From the body, and the second tier has refused it.
    Refused,
    /// From the second tier.
    Tier,
}

impl<C: Cacheable> Candidate<C> {
    fn ending(&self, now: Moment, windows: &Windows) -> Ending {
        match self {
            Self::Node { origin: Origin::Refused, .. } => Ending::Refused,
            Self::Node { origin: Origin::Tier, .. } => Ending::Found,
            Self::Node { node, started, origin: Origin::Body, .. } => {
                let is_value = node.as_ref().is_some_and(|node| node.has_value(now, windows));
                if is_value {
                    Ending::Value { started: *started }
                } else {
                    Ending::Unstored { started: *started }
                }
            }
            Self::Record { ending, .. } => *ending,
            Self::Nothing => Ending::Lost,
        }
    }
}

/// A fetch that was committed, and is still to be [published](Job::publish).
pub(super) struct Commit<C: Cacheable> {
    /// The outcome had an effect on the key. Otherwise it came too late, and was discarded.
    has_effect: bool,
    /// The key was in back-off already.
    was_in_backoff: bool,
    /// The back-off that the key is in from now on.
    backoff: Option<Backoff>,
    /// The change to the store.
    change: Change,
    /// Earlier fetches whose claims have lapsed: this one answers their callers too.
    lapsed: Vec<Arc<FlightOf<C>>>,
    /// The fetch that was parked until this body ended.
    next: Option<Box<Job<C>>>,
}

/// A value on its way into the store, and its copy for callers who wait.
pub(super) struct Arrival<C: Cacheable> {
    pub(super) candidate: Candidate<C>,
    fetched: Option<Fetched<C::Value>>,
}

impl<C: Cacheable> Job<C> {
    /// Ends the fetch: its body has returned or panicked.
    pub(super) fn complete(&mut self, returned: Result<C::Return, Panic>, policy: &Policy) {
        let ended = catch(|| match self.receive(returned, policy)? {
            Some(arrival) => self.store(arrival, policy),
            None => Ok(()),
        });
        if let Err(panic) = ended.and_then(|ended| ended) {
            self.end_panicked(panic, policy);
        }
    }

    /// Takes the outcome of the body. A value is returned, as it is still to be [stored](Job::store); an error ends the
    /// fetch. `Err` is a panic of the body, or of the user's closures. The user's types may panic.
    #[inline]
    pub(super) fn receive(
        &mut self,
        returned: Result<C::Return, Panic>,
        policy: &Policy,
    ) -> Result<Option<Arrival<C>>, Panic> {
        self.warn_if_slow(policy);
        match <C::Outcome>::split_by(self.source.errors(), returned?) {
            Err(error) => self.end_with_error(error, policy).map(|()| None),
            Ok(value) => self.prepare(value, policy).map(Some),
        }
    }

    /// Ends a fetch whose body, or code of the user's after it, has panicked.
    pub(super) fn end_panicked(&mut self, panic: Panic, policy: &Policy) {
        let panic = Arc::new(panic);
        // If the user's types keep panicking, the key cannot be found by its `Eq`: it is given back without a commit.
        if self.progress != Progress::Done && catch(|| self.end_with_panic(&panic, policy)).is_err() {
            self.end_without_commit(FlightResult::Panicked(panic));
        }
    }

    /// `Err` is a panic of `lifetime_for`, or of the key's or the value's own code.
    #[inline]
    fn prepare(&self, value: C::Value, policy: &Policy) -> Result<Arrival<C>, Panic> {
        let started = self.started;
        let (record, not_stored) = catch(|| {
            let lifetime = self.engine.definition.values.lifetime_for(&value);
            self.engine.record(&self.target, value, started, policy, lifetime)
        })?;
        let Record { node, weight } = record;
        let fetched = not_stored.map(|value| Fetched {
            value,
            started,
            #[cfg(feature = "shared")]
            id: None,
        });
        Ok(Arrival {
            candidate: Candidate::Node { node: Some(node), weight, started, origin: Origin::Body },
            fetched,
        })
    }

    /// Stores a value and ends the fetch. `Err` is a panic of the value's own code. The user's types may panic.
    #[inline]
    pub(super) fn store(&mut self, arrival: Arrival<C>, policy: &Policy) -> Result<(), Panic> {
        let Arrival { mut candidate, mut fetched } = arrival;
        let started = self.started;
        let mut awaited = self.flight.waiting() > 0;
        // The waiting callers get a clone of the value. The clone is user code, and so it is made before the lock; but
        // only under the lock is it certain whether anybody waits. If a caller has come meanwhile, the commit is tried
        // again.
        loop {
            if let (None, Candidate::Node { node: Some(node), .. }) = (&fetched, &candidate) {
                if let (true, Content::Value(value, _)) = (awaited, node.content()) {
                    let value = catch(|| C::Value::clone(value))?;
                    fetched = Some(Fetched {
                        value,
                        started,
                        #[cfg(feature = "shared")]
                        id: node.write_id(),
                    });
                }
            }
            let is_cloned = fetched.is_some();
            let may_end = |job: &Self, lane: &LaneOf<C>, now| {
                is_cloned || (job.flight.waiting() == 0 && !lane.has_lapsed(now))
            };
            let Some(commit) = self.commit(&mut candidate, policy, &may_end) else {
                awaited = true;
                continue;
            };
            self.publish(commit, fetched.map(FlightResult::Value));
            return Ok(());
        }
    }

    /// `Err` is a panic of the error's own code.
    fn end_with_error(&mut self, error: C::Error, policy: &Policy) -> Result<(), Panic> {
        let engine = Arc::clone(&self.engine);
        let Definition { name, share, values, .. } = &engine.definition;
        let describe =
            self.source.errors().and_then(<C::Outcome>::described_by).unwrap_or(engine.definition.describe);
        let (kept, text) = catch(|| {
            let text = describe.text(&error);
            self.error_is_answer = !values.is_outage(&error);
            (Shareable::new(name, error, &text, *share, describe), text)
        })?;
        let kept = Arc::new(kept);
        let mut candidate = self.failed_candidate(policy.cache_err.map(|_| &kept))?;
        if let Some(commit) = self.commit(&mut candidate, policy, &|_, _, _| true) {
            events::count(&self.engine.counters.errors);
            let is_logged = commit.has_effect && !commit.was_in_backoff;
            self.publish(commit, Some(FlightResult::Failed(kept)));
            if is_logged {
                events::fetch_failed(name, describe.logged(&text));
            }
        }
        Ok(())
    }

    fn end_with_panic(&mut self, panic: &Arc<Panic>, policy: &Policy) {
        events::count(&self.engine.counters.panics);
        events::fetch_panicked(self.engine.name(), panic.message());
        let mut candidate = self.failed_without_error();
        if let Some(commit) = self.commit(&mut candidate, policy, &|_, _, _| true) {
            self.publish(commit, Some(FlightResult::Panicked(Arc::clone(panic))));
        }
    }

    /// `Err` is a panic of the key's own code.
    fn failed_candidate(&self, kept: Option<&ErrorOf<C>>) -> Result<Candidate<C>, Panic> {
        let key = catch(|| C::copy_key(self.target.key()))?;
        let ending = Ending::Failed { is_error: kept.is_some() };
        Ok(Candidate::Record { key: Some(key), kept: kept.map(Arc::clone), ending })
    }

    /// If the key's `Clone` panics, no record can be stored.
    fn failed_without_error(&self) -> Candidate<C> {
        let ending = Ending::Failed { is_error: false };
        self.failed_candidate(None).unwrap_or(Candidate::Record { key: None, kept: None, ending })
    }

    /// The claim has lapsed: commits the time-out. `None` if somebody waits for the fetch, which goes on then.
    pub(super) fn commit_timeout(&self, policy: &Policy) -> Option<Commit<C>> {
        let mut candidate = self.failed_without_error();
        let commit = self.commit(&mut candidate, policy, &|job, _, _| job.flight.waiting() == 0);
        let _ = catch(|| drop(candidate));
        commit
    }

    /// Publishes the time-out that [`commit_timeout`](Job::commit_timeout) has committed. The body is dropped by now.
    pub(super) fn end_timed_out(&mut self, commit: Commit<C>) {
        events::count(&self.engine.counters.timeouts);
        let has_effect = commit.has_effect;
        self.publish(commit, Some(FlightResult::TimedOut));
        if has_effect {
            events::fetch_timed_out(self.engine.name(), self.took());
        }
    }

    /// The shutdown has reached its limit: commits the abort. `None` if somebody waits for the fetch, or if its own
    /// body has asked for the shutdown; it goes on then.
    pub(super) fn commit_abort(&self, policy: &Policy) -> Option<Commit<C>> {
        let may_end = |job: &Self, _: &_, _| job.flight.waiting() == 0 && !job.flight.is_exempt();
        self.commit(&mut Candidate::Nothing, policy, &may_end)
    }

    /// Publishes the abort that [`commit_abort`](Job::commit_abort) has committed. The body is dropped by now. An abort
    /// is no failure: the key does not back off.
    pub(super) fn end_aborted(&mut self, commit: Commit<C>) {
        self.publish(commit, Some(FlightResult::Lost));
        events::fetch_aborted(self.engine.name());
    }

    /// Starts the fetch that is parked behind this body, whose claim has lapsed: it holds nothing up any more.
    pub(super) fn start_parked(&self) {
        let Self { engine, target, here, .. } = self;
        let now = Moment::now();
        if let Some(next) = engine.with_claims(target, |claims, _| Ok(claims.lane(here.lane).unpark(now))) {
            next.submit();
        }
    }

    /// Ends a fetch that never came to its own end. Whatever panics on the way, the waiting callers are told.
    pub(super) fn end_lost(&mut self) {
        let policy = *self.engine.policy();
        match catch(|| self.commit(&mut Candidate::Nothing, &policy, &|_, _, _| true)) {
            Ok(Some(commit)) => self.publish(commit, Some(FlightResult::Lost)),
            Ok(None) | Err(_) => self.end_without_commit(FlightResult::Lost),
        }
        if self.flight.purpose == Purpose::Fetch {
            let _ = catch(|| events::fetch_lost(self.engine.name()));
        }
    }

    /// Gives the key back without the user's `Eq`, by the flight alone, and answers the waiting callers.
    pub(super) fn end_without_commit(&mut self, result: FlightResult<C>) {
        #[cfg(feature = "metrics")]
        let ended = self.ended(Some(&result));
        let failed = self.has_failed(Some(&result));
        self.judge(Some(&result), false);
        self.engine.flights.evict(self.target.hash, &self.flight);
        self.mark_done(!matches!(result, FlightResult::Lost));
        self.flight.complete(result);
        #[cfg(feature = "metrics")]
        let _ = catch(|| ended.record());
        if let Some(failed) = failed {
            self.engine.tell_breaker(failed, self.is_trial);
        }
    }

    /// Gives back the key of a fetch that has not begun, unless a caller waits for it. Returns whether it did. If the
    /// fetch was refused, the node remembers by which version of the queue.
    pub(super) fn release_if_unawaited(&self, refused_by: Option<u64>) -> bool {
        let Self { engine, target, flight, here, .. } = self;
        let now = Moment::now();
        let pins = engine.store.pins();
        let released = engine.with_claims(target, |claims, known| {
            let node = engine.store.resident(target.hash, known, &pins)?;
            if flight.waiting() > 0 {
                return Ok(None);
            }
            let lane = claims.lane(here.lane);
            if let (Some(Standing::Current), Some(node)) = (lane.end(flight), node) {
                node.reset_no_refresh();
                if let Some(version) = refused_by {
                    node.set_refused_by(version, &engine.store.windows);
                }
            }
            Ok(Some(lane.unpark(now)))
        });
        drop(pins);
        let is_released = released.is_some();
        if let Some(next) = released.flatten() {
            next.submit();
        }
        is_released
    }

    /// The fetch is over: its place is free, and it does not count as in flight any more. `finished`: it came to its
    /// own end, which `shutdown` reports.
    fn mark_done(&mut self, finished: bool) {
        self.live.finished = finished;
        self.flight.give_place_back();
        if self.progress == Progress::Begun {
            self.engine.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        self.progress = Progress::Done;
    }

    /// Gives the key back and applies the effect of the fetch to it, in one step under the key's lock. `None` if the
    /// fetch may not end yet, as `may_end` says: nothing has changed then. Runs no user code under the lock.
    pub(super) fn commit(
        &self,
        candidate: &mut Candidate<C>,
        policy: &Policy,
        may_end: &dyn Fn(&Self, &LaneOf<C>, Moment) -> bool,
    ) -> Option<Commit<C>> {
        let Self { engine, target, flight, here, .. } = self;
        let store = &engine.store;
        let windows = &store.windows;
        let now = Moment::now();
        // Out here, so that a record that is not put in is dropped after the lock.
        let mut record = None;
        // Only a failure needs it.
        let chance = if matches!(candidate, Candidate::Record { .. }) { fastrand::f64() } else { 0.0 };
        let pins = store.pins();
        let commit = engine.with_claims(target, |claims, known| {
            let node = store.resident(target.hash, known, &pins)?;
            let lane = claims.lane(here.lane);
            if !may_end(self, lane, now) {
                return Ok(None);
            }
            let held = node.map_or(Held::NOTHING, |node| node.held(now, windows));
            let fence =
                Fence { holds_the_key: lane.holds(flight), is_in_its_epoch: store.epoch() == flight.epoch() };
            let effect = effect(candidate.ending(now, windows), held, fence, policy, now, chance);
            let was_in_backoff = node.is_some_and(|node| now < node.backoff_until());
            let mut change = Change::default();
            match (effect, &mut *candidate) {
                (Effect::Store | Effect::DropOlder, Candidate::Node { node: own, weight, .. }) => {
                    if let Some(own) = own {
                        engine.doubt_if_changed(own, flight);
                    }
                    change = store.put(own, *weight, flight.epoch(), node, &pins);
                }
                (Effect::BackOff(backoff), _) => {
                    if let Some(node) = node {
                        node.set_backoff(backoff, windows);
                    }
                }
                (Effect::Record { backoff, error_until }, Candidate::Record { key, kept, .. }) => {
                    if let Some(key) = key.take() {
                        // An error from before a change is not the answer to those who call after it.
                        let kept = kept.take().zip(error_until).filter(|_| !engine.was_changed(flight));
                        record = Some(engine.backoff_record(key, target.hash, backoff, kept, now));
                        change = store.put(&mut record, RECORD_WEIGHT, flight.epoch(), node, &pins);
                    }
                }
                (Effect::Release, _) => {
                    if let Some(node) = node {
                        node.reset_no_refresh();
                    }
                }
                (Effect::KeepOff { until }, _) => {
                    if let Some(node) = node {
                        node.set_no_refresh_until(until, windows);
                    }
                }
                (Effect::Discard | Effect::Store | Effect::DropOlder | Effect::Record { .. }, _) => {}
            }
            let is_refused = matches!(candidate, Candidate::Node { origin: Origin::Refused, .. });
            let has_effect = effect != Effect::Discard && !is_refused;
            let backoff = match effect {
                Effect::BackOff(backoff) | Effect::Record { backoff, .. } => Some(backoff),
                _ => None,
            };
            let brings_value = effect == Effect::Store;
            let _ = lane.end(flight);
            let lapsed = if brings_value { lane.lapsed(now) } else { Vec::new() };
            let next = lane.unpark(now);
            Ok(Some(Commit { has_effect, was_in_backoff, backoff, change, lapsed, next }))
        });
        if let Some(node) = commit.as_ref().and_then(|commit| commit.change.added()) {
            engine.suspect_if_untold(target, node, self.epoch);
        }
        commit
    }

    /// Publishes a commit, outside of the lock: answers the waiting callers, tells the eviction policy of the change,
    /// starts the next fetch of the key, counts and logs. Without a `result` the fetch brought a value that nobody
    /// waits for.
    pub(super) fn publish(&mut self, commit: Commit<C>, result: Option<FlightResult<C>>) {
        #[cfg(feature = "metrics")]
        let ended = self.ended(result.as_ref());
        let Commit { has_effect, backoff, change, lapsed, next, .. } = commit;
        let has_outcome = result.as_ref().is_none_or(FlightResult::is_outcome);
        self.end_lease(backoff);
        if has_outcome && !has_effect {
            events::count(&self.engine.counters.discarded);
        }
        let failed = self.has_failed(result.as_ref());
        self.judge(result.as_ref(), has_effect);
        self.mark_done(!matches!(result, Some(FlightResult::Lost)));
        if let Some(result) = result {
            for flight in lapsed.iter().filter(|flight| flight.result().is_none()) {
                // A flight whose copy panics answers its callers when it ends by itself.
                let _ = catch(|| flight.complete(result.copy()));
            }
            // If it was answered already, this drops a value.
            let _ = catch(|| self.flight.complete(result));
        }
        self.engine.store.carry_out(change);
        if let Some(next) = next {
            next.submit();
        }
        // Last, because a recorder or a subscriber is user code too.
        #[cfg(feature = "metrics")]
        ended.record();
        if has_outcome && !has_effect {
            events::fetch_discarded(self.engine.name());
        }
        if let Some(failed) = failed {
            self.engine.tell_breaker(failed, self.is_trial);
        }
    }

    /// Whether the origin has failed. `None` if it was not asked to the end. An error that is no outage is its answer,
    /// and no failure. Without a `result` the fetch brought a value that nobody waits for.
    fn has_failed(&self, result: Option<&FlightResult<C>>) -> Option<bool> {
        match result {
            None | Some(FlightResult::Value(_)) => Some(false),
            Some(FlightResult::Failed(_)) => Some(!self.error_is_answer),
            Some(FlightResult::Panicked(_) | FlightResult::TimedOut) => Some(true),
            Some(FlightResult::Lost | FlightResult::Consulted(_) | FlightResult::Confirmed) => None,
        }
    }

    /// The observation of this fetch for the histogram. Without a `result` the fetch brought a value that nobody waits
    /// for.
    #[cfg(feature = "metrics")]
    fn ended(&self, result: Option<&FlightResult<C>>) -> events::durations::FetchEnd {
        let outcome = match result {
            None | Some(FlightResult::Value(_)) => "value",
            Some(FlightResult::Failed(_)) => "error",
            Some(FlightResult::Panicked(_)) => "panic",
            Some(FlightResult::TimedOut) => "timeout",
            Some(FlightResult::Lost) => "lost",
            // Not recorded: no body has run.
            Some(FlightResult::Consulted(_) | FlightResult::Confirmed) => "shared",
        };
        let took = (self.progress == Progress::Begun).then(|| self.took());
        events::durations::FetchEnd { cache: self.engine.name(), outcome, took }
    }

    /// How long the body has run.
    fn took(&self) -> Duration {
        Duration::from_nanos(Moment::now().since(self.started))
    }

    fn warn_if_slow(&self, policy: &Policy) {
        // The recent time is exact enough for a hint.
        let took = Duration::from_nanos(Moment::recent().since(self.started));
        if took > policy.lifetime && !self.engine.slow_body.swap(true, Ordering::Relaxed) {
            events::slower_than_lifetime(self.engine.name(), took);
        }
    }
}
