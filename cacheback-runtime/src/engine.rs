//! The one room where decision, store, flights and executor meet: one engine a cache.
//!
//! This file answers reads. `fetch` runs fetches and brings them home, `write` changes entries from outside.

use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, Hasher};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::clock::Moment;
use crate::context::{self, Here};
use crate::decide::{Decision, Facts, decide};
use crate::entry::State;
use crate::error::{FetchError, FetchErrorKind};
use crate::events::{self, Counters, RateLimit, Stats, Status};
use crate::executor::Ticket;
use crate::failed::{Failed, Kept};
use crate::flight::{Boarding, Desk, Flight, Flights, Seat, Start};
use crate::key::{Args, KeyArgs, KeyView};
use crate::known::{Known, Stranger};
use crate::origin::Origin;
use crate::outcome::{Outcome, Sharing};
use crate::policy::Policy;
use crate::store::{Content, Node, Store};
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering};

mod fetch;
mod write;
use fetch::Job;

type KeyOf<A> = <A as Args>::Owned;
type ErrorOf<O> = Arc<Kept<<O as Outcome>::Error>>;
type NodeOf<A, O> = Node<KeyOf<A>, <O as Outcome>::Value, ErrorOf<O>>;
type DeskOf<A, O> = Desk<KeyOf<A>, Landing<A, O>, Box<Job<A, O>>>;
type FlightOf<A, O> = Flight<Landing<A, O>>;
pub(crate) type OriginOf<O> = Arc<dyn Origin<O>>;

/// How many times a call that waits starts anew because its fetch was lost with its runtime.
const LOSSES: u32 = 2;

/// The cache of one function (of one instantiation, where it is generic).
pub(crate) struct Engine<A: KeyArgs, O: Outcome> {
    name: &'static str,
    number: u64,
    policy: Policy,
    hasher: foldhash::fast::RandomState,
    store: Store<KeyOf<A>, O::Value, ErrorOf<O>>,
    flights: Flights<KeyOf<A>, Landing<A, O>, Box<Job<A, O>>>,
    counters: Counters,
    refusals: RateLimit,
    clamps: RateLimit,
    slow_body: AtomicBool,
    swept: AtomicU64,
}

/// A key, hashed and owned.
pub(crate) struct Target<K> {
    pub(crate) hash: u64,
    pub(crate) key: Arc<K>,
}

impl<K> Clone for Target<K> {
    fn clone(&self) -> Self {
        Self { hash: self.hash, key: Arc::clone(&self.key) }
    }
}

/// How a flight came home.
pub(crate) enum Landing<A: KeyArgs, O: Outcome> {
    Value(Arc<NodeOf<A, O>>),
    Failed(Arc<Failed<O::Error>>),
    Panicked(Arc<str>),
    TimedOut,
    Lost,
}

impl<A: KeyArgs, O: Outcome> Clone for Landing<A, O> {
    fn clone(&self) -> Self {
        match self {
            Self::Value(node) => Self::Value(Arc::clone(node)),
            Self::Failed(failed) => Self::Failed(Arc::clone(failed)),
            Self::Panicked(message) => Self::Panicked(Arc::clone(message)),
            Self::TimedOut => Self::TimedOut,
            Self::Lost => Self::Lost,
        }
    }
}

/// What a call is answered with.
pub(crate) struct Answer<R> {
    pub(crate) value: R,
    pub(crate) status: Status,
    pub(crate) age: Option<Duration>,
}

/// A value as it lies in the store.
pub(crate) struct Peeked<V> {
    pub(crate) value: V,
    pub(crate) age: Duration,
    pub(crate) fresh: bool,
}

/// What a caller wants.
#[derive(Clone, Copy)]
enum Want {
    /// Whatever the decision says; `None`: whether this caller waits on a miss is still to be asked.
    Answer { waits_on_miss: Option<bool> },
    /// The outcome of a fetch.
    Outcome,
}

/// What a caller finds.
enum Entered<A: KeyArgs, O: Outcome> {
    Value(Arc<NodeOf<A, O>>, Status),
    Error(ErrorOf<O>),
    Empty,
    /// Nothing is cached: whether this caller waits then is an expression, to be evaluated outside of the lock.
    Ask,
    Wait(Seat<Landing<A, O>>),
}

impl<A: KeyArgs, O: Outcome> Engine<A, O> {
    pub(crate) fn new(name: &'static str, policy: Policy) -> Arc<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let engine = Arc::new(Self {
            name,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            policy,
            hasher: foldhash::fast::RandomState::default(),
            store: Store::new(policy.capacity),
            flights: Flights::new(),
            counters: Counters::default(),
            refusals: RateLimit::default(),
            clamps: RateLimit::default(),
            slow_body: AtomicBool::new(false),
            swept: AtomicU64::new(Moment::now().to_bits()),
        });
        #[cfg(not(feature = "test-util"))]
        crate::janitor::watch(&engine);
        engine
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    #[inline]
    pub(crate) fn hash<W: KeyView<A>>(&self, view: W) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        view.hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats { evicted: self.store.evicted(), entries: self.len(), ..self.counters.snapshot() }
    }

    pub(crate) fn len(&self) -> u64 {
        let now = Moment::now();
        self.tidy(now);
        self.store.len(now)
    }

    /// The hit path: the answer where there is one at once and nothing is to be started.
    #[inline]
    pub(crate) fn look<W: KeyView<A>>(&self, view: W) -> Option<O::Return> {
        let hash = self.hash(view);
        let found = self.store.read(
            hash,
            |key| view.same(key),
            |node| {
                let Content::Value(value) = &node.content else { return None };
                let now = Moment::now();
                let times = node.times();
                let status = if times.age(now) < times.quiet_age() {
                    Status::Fresh
                } else if now < node.quiet_until() {
                    match times.state(now) {
                        State::Fresh => Status::Fresh,
                        State::Stale => Status::Stale,
                        State::TooStale | State::Missing => return None,
                    }
                } else {
                    return None;
                };
                let record = self.store.wants_record(node).then(|| node.residency());
                Some((value.clone(), status, record))
            },
        );
        let (value, status, record) = found??;
        if let Some(residency) = record {
            self.store.record(residency);
        }
        self.counters.answered(status);
        Some(O::join(Ok(value)))
    }

    /// Answers a call. Where `force_wait`, it waits on a miss whatever the function's options say.
    pub(crate) async fn answer(
        self: Arc<Self>,
        target: Target<KeyOf<A>>,
        origin: OriginOf<O>,
        force_wait: bool,
    ) -> Answer<O::Return> {
        let mut waits_on_miss = match (force_wait, origin.waits_on_miss()) {
            (true, _) => Some(true),
            (false, None) => Some(self.policy.fetch_on_miss),
            (false, Some(_)) => None,
        };
        let mut losses = 0;
        loop {
            let here = Here::find();
            let seat = match self.enter(&here, &target, &origin, Want::Answer { waits_on_miss }) {
                Entered::Value(node, status) => {
                    if let Some(answer) = self.serve(&node, status) {
                        return answer;
                    }
                    continue;
                }
                Entered::Error(kept) => return self.answered(O::join(Err(kept.hand())), Status::Fresh, None),
                Entered::Empty => return self.empty(&origin),
                Entered::Ask => {
                    let waits = origin.waits_on_miss().is_some_and(|waits| waits());
                    waits_on_miss = Some(waits);
                    continue;
                }
                Entered::Wait(seat) => seat,
            };
            let limit = origin.wait().or(self.policy.wait);
            let Some(landing) = wait_for(&seat, limit, &here.handle).await else {
                return self.stored(&target).unwrap_or_else(|| self.empty(&origin));
            };
            if let Landing::Value(node) = landing {
                if let Content::Value(value) = &node.content {
                    let age = Duration::from_nanos(node.times().age(Moment::now()));
                    return self.answered(O::join(Ok(value.clone())), Status::Fetched, Some(age));
                }
            }
            if let Some(answer) = self.stored(&target) {
                return answer;
            }
            if let Some(result) = self.failure(landing, &seat, &origin, &mut losses) {
                return self.answered(O::join(Err(result)), Status::Fetched, None);
            }
        }
    }

    /// The outcome of a fetch: of the live one, or of a new one.
    pub(crate) async fn refresh(self: Arc<Self>, target: Target<KeyOf<A>>, origin: OriginOf<O>) -> O::Return {
        let mut losses = 0;
        loop {
            let here = Here::find();
            let Entered::Wait(seat) = self.enter(&here, &target, &origin, Want::Outcome) else { continue };
            let landing = seat.landed().await;
            if let Landing::Value(node) = landing {
                if let Content::Value(value) = &node.content {
                    return O::join(Ok(value.clone()));
                }
            }
            if let Some(error) = self.failure(landing, &seat, &origin, &mut losses) {
                return O::join(Err(error));
            }
        }
    }

    pub(crate) fn peek(&self, target: &Target<KeyOf<A>>) -> Option<Peeked<O::Value>> {
        self.store.read(
            target.hash,
            |key| A::equal(key, &target.key),
            |node| {
                let now = Moment::now();
                let value = node.value(now)?.clone();
                let times = node.times();
                let age = Duration::from_nanos(times.age(now));
                Some(Peeked { value, age, fresh: times.state(now) == State::Fresh })
            },
        )?
    }

    /// Decides for a caller, under the key's lock, and sets off what is to be started.
    fn enter(
        self: &Arc<Self>,
        here: &Here,
        target: &Target<KeyOf<A>>,
        origin: &OriginOf<O>,
        want: Want,
    ) -> Entered<A, O> {
        let now = Moment::now();
        self.tidy(now);
        let mut given_back = Vec::new();
        let guard = self.store.guard();
        let (entered, boarding) = self.at(target, |desk, known| {
            let node = self.store.resident(target.hash, known, &guard)?;
            let facts = node.as_ref().map_or(Facts::NONE, |node| node.facts());
            let decision = match want {
                Want::Outcome => Decision::FetchNow,
                Want::Answer { waits_on_miss: Some(waits) } => decide(&facts, now, waits),
                Want::Answer { waits_on_miss: None } if facts.is_missing(now) => {
                    return Ok((Entered::Ask, None));
                }
                Want::Answer { waits_on_miss: None } => decide(&facts, now, false),
            };
            let waits = decision == Decision::FetchNow;
            let fetches = matches!(
                decision,
                Decision::FetchNow
                    | Decision::ServeAndRefresh
                    | Decision::ServeStaleAndRefresh
                    | Decision::ServeEmptyAndFetch
            );
            let boarding = fetches.then(|| {
                let ticket = || Ticket::new(self.number);
                desk.lane(here.lane).board(now, self.store.epoch(), waits, ticket, &mut given_back)
            });
            if let (Some(node), Some(Boarding::Claimed { .. })) = (&node, &boarding) {
                node.hint(now.plus(crate::clock::nanos(self.policy.refresh_timeout)));
            }
            let entered = match (decision, node) {
                (Decision::Serve | Decision::ServeAndRefresh, Some(node)) => {
                    Entered::Value(node, Status::Fresh)
                }
                (Decision::ServeStale | Decision::ServeStaleAndRefresh, Some(node)) => {
                    Entered::Value(node, Status::Stale)
                }
                (Decision::ServeError, Some(node)) => match &node.content {
                    Content::Error { shared, .. } => Entered::Error(Arc::clone(shared)),
                    Content::Value(_) | Content::Nothing => Entered::Empty,
                },
                _ => Entered::Empty,
            };
            Ok((entered, boarding))
        });
        drop(guard);
        self.give_up(here, given_back);
        let seat = boarding.and_then(|boarding| self.depart(boarding, here, target, origin));
        seat.map_or(entered, Entered::Wait)
    }

    /// Does what a boarding asks for, outside of the lock. The caller's seat, where it waits.
    fn depart(
        self: &Arc<Self>,
        boarding: Boarding<Landing<A, O>, Box<Job<A, O>>>,
        here: &Here,
        target: &Target<KeyOf<A>>,
        origin: &OriginOf<O>,
    ) -> Option<Seat<Landing<A, O>>> {
        match boarding {
            Boarding::Busy => None,
            Boarding::Joined { seat, start } => {
                match start {
                    Some(Start::Withdraw(ticket)) => {
                        if let Some(refresh) = here.executor.withdraw(ticket) {
                            refresh.start(None);
                        }
                    }
                    Some(Start::Now(job)) => job.begin(None),
                    None => {}
                }
                Some(seat)
            }
            Boarding::Claimed { flight, seat } => {
                let job = Job::new(self, here, target, origin, flight);
                match seat {
                    Some(seat) => {
                        job.begin(None);
                        Some(seat)
                    }
                    None => {
                        job.submit();
                        None
                    }
                }
            }
            Boarding::Unparked(job) => {
                job.submit();
                None
            }
        }
    }

    /// Work at the desk of a key, under its lock.
    fn at<R>(
        &self,
        target: &Target<KeyOf<A>>,
        work: impl FnMut(&mut DeskOf<A, O>, &Known<KeyOf<A>>) -> Result<R, Stranger<KeyOf<A>>>,
    ) -> R {
        self.flights.at(target.hash, &mut Known::new(Arc::clone(&target.key)), A::equal, work)
    }

    /// Drops refreshes that were put off and are not wanted any more.
    fn give_up(&self, here: &Here, put_off: Vec<Start<Box<Job<A, O>>>>) {
        for start in put_off {
            let gone = match start {
                // Where it is gone from the queue it is being started, and is counted there.
                Start::Withdraw(ticket) => here.executor.withdraw(ticket).is_some(),
                Start::Now(job) => {
                    drop(job);
                    true
                }
            };
            if gone {
                events::count(&self.counters.skipped);
            }
        }
    }

    /// The answer from a node.
    fn serve(&self, node: &NodeOf<A, O>, status: Status) -> Option<Answer<O::Return>> {
        let now = Moment::now();
        let value = node.value(now)?.clone();
        let age = Duration::from_nanos(node.times().age(now));
        Some(self.answered(O::join(Ok(value)), status, Some(age)))
    }

    /// The answer from what is stored now, whatever its age within the retention.
    fn stored(&self, target: &Target<KeyOf<A>>) -> Option<Answer<O::Return>> {
        let Peeked { value, age, fresh } = self.peek(target)?;
        let status = if fresh { Status::Fresh } else { Status::Stale };
        Some(self.answered(O::join(Ok(value)), status, Some(age)))
    }

    fn empty(&self, origin: &OriginOf<O>) -> Answer<O::Return> {
        let Some(value) = origin.empty() else {
            unreachable!("`{}` has an empty value wherever a caller can be answered with one", self.name)
        };
        self.answered(value, Status::Empty, None)
    }

    fn answered(&self, value: O::Return, status: Status, age: Option<Duration>) -> Answer<O::Return> {
        self.counters.answered(status);
        Answer { value, status, age }
    }

    /// What a failed fetch means to one who waited for it: an error; a panic; `None` where it is to be tried again.
    fn failure(
        &self,
        landing: &Landing<A, O>,
        seat: &Seat<Landing<A, O>>,
        origin: &OriginOf<O>,
        losses: &mut u32,
    ) -> Option<O::Error> {
        match landing {
            Landing::Failed(failed) => failed.hand(seat.leads()),
            Landing::Panicked(message) => {
                self.counters.answered(Status::Fetched);
                panic!("`{}` panicked: {message}", self.name)
            }
            // Kept errors and empty records do not land; a flight that others wait for does not time out.
            Landing::Value(_) | Landing::TimedOut => None,
            Landing::Lost => {
                *losses += 1;
                if *losses < LOSSES {
                    return None;
                }
                let error = FetchError::new(self.name, FetchErrorKind::Lost, "its runtime was dropped");
                match origin.share() {
                    Sharing::Wrapped(from) => Some(from(error)),
                    _ => panic!("{error}"),
                }
            }
        }
    }

    /// Drops what is past its retention: on a test's clock nobody else can, elsewhere the janitor does.
    fn tidy(&self, now: Moment) {
        let due = cfg!(feature = "test-util")
            && now >= self.store.next_gone()
            && now.since(Moment::from_bits(self.swept.load(Ordering::Relaxed))) >= 10_000_000_000;
        if due {
            self.swept.store(now.to_bits(), Ordering::Relaxed);
            self.store.sweep(now);
        }
    }
}

#[cfg(not(feature = "test-util"))]
impl<A: KeyArgs, O: Outcome> crate::janitor::Sweep for Engine<A, O> {
    fn sweep(&self, now: Moment) {
        if now >= self.store.next_gone() {
            self.store.sweep(now);
        }
    }
}

/// Waits for a flight, no longer than `limit`.
async fn wait_for<'s, T>(seat: &'s Seat<T>, limit: Option<Duration>, handle: &Handle) -> Option<&'s T> {
    match limit {
        None => Some(seat.landed().await),
        Some(limit) => first(seat.landed(), context::timer(handle, limit)).await.ok(),
    }
}

/// Whichever future is ready first; the former where both are.
async fn first<T, U>(one: impl Future<Output = T>, other: impl Future<Output = U>) -> Result<T, U> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => other.as_mut().poll(context).map(Err),
    })
    .await
}
