//! The fetch of a shared key: the lease before its body, and the store after it.

use std::fmt::Display;
use std::time::Duration;

use super::super::commit::{Arrival, Candidate, Origin};
use super::super::fetch::{Demand, Job};
use super::super::{Cacheable, FlightResult};
use super::SharedValue;
use super::held::{Asked, HeldLease};
use super::queued::{HandedOver, QueuedJob};
use super::work::{HeldOrder, Verdict};
use crate::base::clock::{Moment, nanos};
use crate::base::panics::{catch, catch_future};
use crate::base::sync::Arc;
use crate::base::tasks::first;
use crate::events;
use crate::executor::context;
use crate::flight::Standing;
use crate::rules::backoff::Backoff;
use crate::rules::effect::Ending;
use crate::rules::freshness::State;
use crate::rules::policy::Policy;
use crate::rules::queue::{DEATHS, FAILED, PATIENCE};
use crate::tier::{Acquired, Ages, Change, LeaseFor, Release, Stored, WriteId, is_fresh};

/// The pauses between two looks after another process' fetch: from the first to the longest.
const LOOKS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];

/// The task of a fetch of a shared key.
pub(in crate::engine) async fn run<C: Cacheable>(mut job: Job<C>, varied: Option<Box<Policy>>) {
    let policy = *varied.as_deref().unwrap_or(job.engine.policy());
    // The key's `Eq` and `Clone` run in here, and may panic.
    match catch_future(Box::pin(job.acquire(&policy))).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(panic) => return job.end_panicked(panic, &policy),
    }
    let Some(returned) = job.run_body(varied.as_deref()).await else { return };
    let received = catch(|| job.receive(returned, &policy)).and_then(|received| received);
    let ended = match received {
        Ok(Some(mut arrival)) => match catch_future(Box::pin(job.store_there(&mut arrival, &policy))).await {
            Ok(()) => catch(|| job.store(arrival, &policy)).and_then(|stored| stored),
            Err(panic) => Err(panic),
        },
        Ok(None) => Ok(()),
        Err(panic) => Err(panic),
    };
    if let Err(panic) = ended {
        job.end_panicked(panic, &policy);
    }
}

impl<C: Cacheable> Job<C> {
    /// Gets the lease of the key, and begins the body. `false` if the fetch has ended instead: the tier has a fresh
    /// value, or another process fetches one and nobody waits for it here.
    async fn acquire(&mut self, policy: &Policy) -> bool {
        let Some(shared) = self.engine.shared_key(&self.here, &self.target) else {
            return self.begin_renewed(policy);
        };
        let known = self.engine.write_id(&self.target).map(WriteId);
        // What it would not take need not be shown.
        let mut seen = if self.demand == Demand::Newer { known } else { Some(WriteId(u64::MAX)) };
        let mut line = self.line(&shared, policy);
        let mut lease = HeldLease::of(shared);
        let mut job = self.order.as_ref().map(HeldOrder::token);
        if let Some(order) = &self.order {
            seen = order.seen();
        }
        let [mut pause, longest] = LOOKS;
        let mut has_waited = false;
        let mut ahead = (self.demand != Demand::Fetched).then_some(policy.refresh_ahead);
        let engine = Arc::clone(&self.engine);
        let Some(shared) = &engine.shared else { return self.begin_renewed(policy) };
        let hash = self.target.hash;
        loop {
            // Before the request: a message that comes meanwhile is not slept through.
            let news = Box::pin(shared.told.news(hash));
            self.reads_now(shared);
            let (sent, is_awaited) = (Moment::now(), self.flight.waiting() > 0);
            // Whoever waits takes over what is queued.
            let (handed, job_asked) = if is_awaited { (None, None) } else { (line.clone(), job) };
            let purpose = match (&handed, &self.order) {
                (Some(_), _) => LeaseFor::Queue,
                (None, Some(_)) => LeaseFor::Job,
                (None, None) => LeaseFor::Fetch,
            };
            match lease.ask(Asked { seen, ahead, is_awaited, purpose, job: job_asked }).await {
                Ok(Acquired::Ours(granted)) => match handed {
                    // What is there now, as an invalidation has changed it, say.
                    Some(handed) => match self.hand_over(&mut lease, &handed, granted.seen, policy).await {
                        HandedOver::Ended => return false,
                        HandedOver::Kept => line = None,
                    },
                    None => {
                        // Its own invalidation, say, whose message comes after this answer.
                        if let Some(WriteId(id)) = granted.seen {
                            self.flight.has_seen(id);
                        }
                        if self.ends_condemned(granted.deaths, policy) {
                            lease.end(Release::BackOff { left: PATIENCE, failures: DEATHS });
                            return false;
                        }
                        break;
                    }
                },
                Ok(Acquired::Newer(found)) => {
                    seen = Some(found.id);
                    let Ages { age, lifetime, .. } = found.ages;
                    // By the tier's clock: here it may count as older by the time of the way.
                    let is_fresh = ahead.is_some_and(|ahead| is_fresh(age, lifetime, ahead));
                    let is_there =
                        |found: &SharedValue<_>| found.times.state(Moment::now()) != State::Missing;
                    let tier = &*lease.shared.tier;
                    match self.engine.decoded(&found, sent, policy, tier).filter(is_there) {
                        Some(mut found) if is_fresh => {
                            found.is_just_fetched = has_waited;
                            self.is_unneeded();
                            if let Some(token) = job {
                                lease.give_up(token);
                            }
                            events::count(&self.engine.counters.shared_hits);
                            self.land(Some(found), policy);
                            return false;
                        }
                        Some(found) => self.take_over(&found, policy),
                        // It is to be replaced, however fresh it is there. If this process may fetch for itself, the
                        // workers are not asked once more: they may store what cannot be read here.
                        None => {
                            ahead = None;
                            line = line.filter(|_| !policy.queue_fallback);
                        }
                    }
                }
                Ok(Acquired::Theirs { left, is_backoff, queued }) => {
                    if let (Some(token), Some(asked)) = (queued, &handed) {
                        match self.queued_job(&lease, asked, left, policy).await {
                            QueuedJob::Waits => {}
                            QueuedJob::Unserved => {
                                (job, line) = (Some(token), None);
                                continue;
                            }
                            QueuedJob::Lost => {
                                job = Some(token);
                                continue;
                            }
                        }
                    }
                    self.is_unneeded();
                    if self.leave_to_others(left, is_backoff, policy) {
                        return false;
                    }
                    if ahead.is_none() {
                        seen = known;
                    }
                    (has_waited, ahead) = (true, Some(policy.refresh_ahead));
                    let look = pause.min(left).max(Duration::from_millis(1));
                    let _ = first(Box::pin(context::timer(&self.here.handle, look)), news).await;
                    pause = (pause * 2).min(longest);
                    if self.renew(policy).is_none() {
                        self.land(None, policy);
                        return false;
                    }
                }
                Err(_) => {
                    self.engine.tier_failed();
                    if self.is_left_alone(policy) {
                        return false;
                    }
                    if let Some(asked) = &handed {
                        if self.is_left_stale(&lease, asked, policy).await {
                            return false;
                        }
                    }
                    // The body begins after all that this process was told of.
                    self.reads_now(shared);
                    break;
                }
            }
        }
        self.lease = Some(lease);
        self.begin_renewed(policy)
    }

    /// Other jobs for the key have ended their workers, since this one was put on the queue. Returns whether the fetch has
    /// ended with that.
    fn ends_condemned(&mut self, deaths: u32, policy: &Policy) -> bool {
        let Some(order) = self.order.as_mut().filter(|_| deaths >= DEATHS) else { return false };
        order.condemn();
        self.leave_to_others(PATIENCE, true, policy)
    }

    /// The tier has given no answer. A worker's job is not run then, as nobody knows whether it is needed, unless a
    /// caller waits for it. Returns whether the fetch has ended.
    fn is_left_alone(&mut self, policy: &Policy) -> bool {
        let Some(order) = &mut self.order else { return false };
        order.is_unanswered();
        self.leave_to_others(LOOKS[1], false, policy)
    }

    /// Begins the body: its claim and its age count from here. `false` if it is not to run, as it was superseded and
    /// nobody waits.
    fn begin_renewed(&mut self, policy: &Policy) -> bool {
        let now = Moment::now();
        self.started = self.started.max(now);
        let is_wanted = match self.renew(policy) {
            Some(Standing::Current) => true,
            Some(Standing::Superseded) => self.flight.waiting() > 0,
            None => false,
        };
        if is_wanted {
            self.begin_body();
        } else {
            self.land(None, policy);
        }
        is_wanted
    }

    /// Lets the claim of the fetch last for a whole time-out from now on. `None` if the flight is over.
    fn renew(&self, policy: &Policy) -> Option<Standing> {
        let until = Moment::now().max(self.started).plus(nanos(policy.refresh_timeout));
        let Self { engine, target, flight, here, .. } = self;
        flight.postpone(policy.refresh_timeout);
        let pins = engine.store.pins();
        engine.with_claims(target, |claims, known| {
            let node = engine.store.resident(target.hash, known, &pins)?;
            let standing = claims.lane(here.lane).renew(flight, until);
            if let (Some(Standing::Current), Some(node)) = (standing, node) {
                node.set_no_refresh_until(until, &engine.store.windows);
            }
            Ok(standing)
        })
    }

    /// Ends the fetch, unless somebody waits for it: another process fetches the key or is in back-off, for so long at
    /// least. Returns whether it has ended.
    pub(super) fn leave_to_others(&mut self, left: Duration, is_backoff: bool, policy: &Policy) -> bool {
        // A fetch that ends early is to be noticed.
        let left = if is_backoff { left } else { left.min(LOOKS[1]) };
        let until = Moment::now().plus(nanos(left));
        let ending = Ending::LeftToOthers { until, is_backoff };
        let key = catch(|| C::copy_key(self.target.key())).ok();
        let mut candidate = Candidate::Record { key, kept: None, ending };
        let Some(commit) = self.commit(&mut candidate, policy, &|job, _, _| job.flight.waiting() == 0) else {
            return false;
        };
        self.publish(commit, Some(FlightResult::Consulted(None)));
        true
    }

    /// Stores the value of the body in the tier, before it is stored here. If the tier refuses it, it is not stored
    /// here either.
    async fn store_there(&mut self, arrival: &mut Arrival<C>, policy: &Policy) {
        // Without an answer to the request there is nothing to compare the value with.
        let Some(mut lease) = self.lease.take() else { return };
        let Some(granted) = lease.granted else { return };
        let Candidate::Node { node: Some(node), origin, .. } = &mut arrival.candidate else { return };
        let windows = &self.engine.store.windows;
        let now = Moment::now();
        if !node.has_value(now, windows) {
            // The value is not to be stored, and an older one is to go. That ends the lease, too.
            let removed = Change::Remove { tombstone: self.engine.tombstone() };
            if lease.shared.tier.write(&lease.shared.key, removed).await.is_err() {
                self.engine.tier_failed();
            }
            return;
        }
        if !self.holds_the_key() {
            return;
        }
        let payload = match self.engine.payload(node, &*lease.shared.tier) {
            Ok(payload) => payload,
            Err(why) => {
                self.engine.value_not_shared(&why);
                return self.back_off_unshared(lease, &why, policy);
            }
        };
        match lease.store(granted, payload).await {
            Ok(Stored::Yes(WriteId(id))) => node.set_write_id(id, windows),
            Ok(Stored::Superseded) => {
                events::count(&self.engine.counters.leases_lost);
                *origin = Origin::Refused;
            }
            // It is a value of this process alone, as it would be without a tier.
            Ok(Stored::Unfenced) => events::count(&self.engine.counters.leases_lost),
            Err(down) => {
                self.engine.value_not_stored(&down);
                if down.is_refusal() {
                    self.back_off_unshared(lease, &down, policy);
                } else if let Some(order) = &mut self.order {
                    order.has_not_stored(Verdict::Failed);
                    lease.end(Release::BackOff { left: FAILED, failures: 1 });
                }
            }
        }
    }

    /// The tier does not take the value. A worker's job has been run for nothing then, and the next one would be, too:
    /// the key backs off in all processes.
    fn back_off_unshared(&mut self, lease: HeldLease, why: &impl Display, policy: &Policy) {
        if let Some(order) = &mut self.order {
            let why = format!("its value does not go into the second tier: {why}");
            order.has_not_stored(Verdict::Unshared(why.into()));
            lease.end(Release::BackOff { left: policy.max_backoff, failures: 1 });
        }
    }

    /// Whether nothing has superseded the fetch.
    fn holds_the_key(&self) -> bool {
        let Self { engine, target, flight, here, .. } = self;
        let epoch = engine.store.epoch();
        engine.with_claims(target, |claims, _| {
            Ok(claims.lane(here.lane).holds(flight) && flight.epoch() == epoch)
        })
    }

    /// The claim of the fetch has lapsed, and another one may begin. The value of this one is still stored if nobody
    /// else's is newer.
    pub(in crate::engine) fn lapse_lease(&self) {
        if let Some(HeldLease { shared, token, .. }) = &self.lease {
            shared.tier.release(&shared.key, *token, Release::Free);
        }
    }

    /// Tells the tier that the fetch has ended without a value that is stored there.
    pub(in crate::engine) fn end_lease(&mut self, backoff: Option<Backoff>) {
        let Some(lease) = self.lease.take() else { return };
        lease.end(match backoff {
            Some(Backoff { until, failures, .. }) => {
                Release::BackOff { left: Duration::from_nanos(until.since(Moment::now())), failures }
            }
            None => Release::Free,
        });
    }
}
