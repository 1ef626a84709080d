//! What a scenario plays on: one cache, its origin, and callers.

use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use shuttle::future::{block_on, yield_now};
use shuttle::thread::{self, JoinHandle};
use tokio::sync::Semaphore;

use super::ON_PURPOSE;
use crate::base::clock::Moment;
use crate::base::panics::caught;
use crate::base::shims::sync::step;
use crate::base::shims::tasks;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};
use crate::engine::source::{BoxFuture, Origin};
use crate::engine::{Answer, Call, Definition, Engine, ErasedCache, Keyed, Of, Target, ValueOptions};
use crate::events::{Stats, Status};
use crate::executor::Settings;
use crate::executor::context::settle;
use crate::executor::housekeeper::Sweep;
use crate::key::Val;
use crate::outcome::{Describe, Fallible, Sharing};
use crate::rules::policy::{Eviction, Policy};

pub(super) const LIFETIME: Duration = Duration::from_secs(10);
pub(super) const RETENTION: Duration = Duration::from_secs(100_000);
pub(super) const TIMEOUT: Duration = Duration::from_secs(1_000);

/// Answered while nothing is cached: no version of the origin's.
pub(super) const EMPTY: u64 = 0;

type Outcome = Fallible<u64, &'static str>;
type Returned = Result<u64, &'static str>;
type Types = Of<(Val<Number>,), Outcome>;

/// A key: 3 and 4 have one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number(u64);

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.min(3));
    }
}

struct Owned((Number,));

impl Keyed<(Number,)> for Owned {
    fn key(&self) -> &(Number,) {
        &self.0
    }
}

/// What a run of the body does with the version that it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Brings it.
    Bring,
    /// The same, once the scenario lets it go on.
    Hold,
    Fail,
    /// The same, once the scenario lets it go on.
    HoldAndFail,
    Panic,
}

/// An origin: one number, its version, which only grows. A body that reads it before a write and brings it after that is
/// what must not be stored.
pub(super) struct Source {
    version: AtomicU64,
    /// What the next runs do; then all of them bring.
    acts: Mutex<Vec<Act>>,
    /// How often the body was run, by key.
    runs: [AtomicU64; KEYS],
    /// How many bodies live, and how many did at most, by key.
    live: [AtomicU64; KEYS],
    most: [AtomicU64; KEYS],
    begun: Semaphore,
    gate: Semaphore,
}

const KEYS: usize = 5;

struct Scripted {
    source: Arc<Source>,
    key: u64,
}

/// A body that lives.
struct Life(Arc<Scripted>);

impl Life {
    fn begin(of: &Arc<Scripted>) -> Self {
        let (source, key) = (&of.source, of.key as usize);
        let live = source.live[key].fetch_add(1, Ordering::SeqCst) + 1;
        source.most[key].fetch_max(live, Ordering::SeqCst);
        source.runs[key].fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(of))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.source.live[self.0.key as usize].fetch_sub(1, Ordering::SeqCst);
    }
}

impl Origin<Types> for Scripted {
    fn run(self: Arc<Self>) -> BoxFuture<Returned> {
        Box::pin(async move {
            let _life = Life::begin(&self);
            let act = lock(&self.source.acts).pop().unwrap_or(Act::Bring);
            let version = self.source.version();
            self.source.begun.add_permits(1);
            match act {
                Act::Bring => yield_now().await,
                Act::Hold => self.source.held().await,
                Act::HoldAndFail => {
                    self.source.held().await;
                    return Err("failed");
                }
                Act::Fail => {
                    yield_now().await;
                    return Err("failed");
                }
                Act::Panic => {
                    yield_now().await;
                    panic!("{}", ON_PURPOSE.to_owned());
                }
            }
            Ok(version)
        })
    }
    fn vary(&self, _: &mut Policy) {}
    fn waits_on_miss(&self) -> Option<Box<dyn FnOnce() -> bool + Send + '_>> {
        None
    }
    fn wait(&self) -> Option<Duration> {
        None
    }
    fn empty(&self) -> Option<Returned> {
        Some(Ok(EMPTY))
    }
}

impl Source {
    pub(super) fn version(&self) -> u64 {
        step();
        self.version.load(Ordering::SeqCst)
    }

    /// Somebody writes to the origin: from here on its version is this one.
    pub(super) fn write(&self, version: u64) {
        step();
        self.version.store(version, Ordering::SeqCst);
    }

    /// What the next runs of bodies do.
    pub(super) fn act(&self, acts: &[Act]) {
        *lock(&self.acts) = acts.iter().rev().copied().collect();
    }

    /// Until so many bodies more have begun and read their version.
    pub(super) fn await_begun(&self, bodies: u32) {
        block_on(self.begun.acquire_many(bodies)).expect("open").forget();
    }

    async fn held(&self) {
        self.gate.acquire().await.expect("open").forget();
    }

    /// Lets one body go on that is held.
    pub(super) fn let_go(&self) {
        step();
        self.gate.add_permits(1);
    }

    pub(super) fn runs(&self, key: u64) -> u64 {
        self.runs[key as usize].load(Ordering::SeqCst)
    }

    pub(super) fn live(&self, key: u64) -> u64 {
        self.live[key as usize].load(Ordering::SeqCst)
    }

    /// How many bodies of a key have lived at the same time.
    pub(super) fn most(&self, key: u64) -> u64 {
        self.most[key as usize].load(Ordering::SeqCst)
    }
}

/// Waits for all of them.
pub(super) fn join<T, const N: usize>(tasks: [JoinHandle<T>; N]) -> [T; N] {
    tasks.map(|task| task.join().unwrap_or_else(|_| panic!("a task has panicked")))
}

#[derive(Clone)]
pub(super) struct Stage {
    engine: Arc<Engine<Types>>,
    pub(super) source: Arc<Source>,
    /// How many calls were answered.
    calls: Arc<AtomicU64>,
}

/// A value as it lies in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) version: u64,
    pub(super) fresh: bool,
}

impl Stage {
    /// A cache whose callers wait on a miss. The origin has version 1.
    pub(super) fn new() -> Self {
        Self::with(|_| {}, Settings::default())
    }

    pub(super) fn with(options: impl FnOnce(&mut Policy), settings: Settings) -> Self {
        tasks::begin(settings);
        let mut policy = Policy {
            lifetime: LIFETIME,
            retention: RETENTION,
            refresh_timeout: TIMEOUT,
            fetch_on_miss: true,
            eviction: Eviction::Lru,
            ..Policy::default()
        };
        options(&mut policy);
        let source = Source {
            version: AtomicU64::new(1),
            acts: Mutex::default(),
            runs: Default::default(),
            live: Default::default(),
            most: Default::default(),
            begun: Semaphore::new(0),
            gate: Semaphore::new(0),
        };
        let definition = Definition {
            name: "scenario",
            policy,
            values: ValueOptions::NONE,
            share: Sharing::Copied(|error: &&str| *error),
            describe: Describe::UNSEEN,
        };
        Self { engine: Engine::new(definition), source: Arc::new(source), calls: Arc::default() }
    }

    /// The same, with a stale value of version 1 for each of some keys.
    pub(super) fn stale(self, keys: &[u64]) -> Self {
        for key in keys {
            self.set(*key, 1);
        }
        tasks::advance(LIFETIME);
        self
    }

    /// Does something at the same time as others.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let stage = self.clone();
        thread::spawn(move || work(&stage))
    }

    fn target(&self, key: u64) -> Target<(Number,)> {
        let key = Number(key);
        let (hash, node) = self.engine.locate((&key,));
        Target::new(hash, Arc::new(Owned((key,))), node)
    }

    fn origin(&self, key: u64) -> Arc<dyn Origin<Types>> {
        Arc::new(Scripted { source: Arc::clone(&self.source), key })
    }

    /// A call, as generated code makes it.
    pub(super) fn get(&self, key: u64) -> Returned {
        block_on(self.getting(key))
    }

    pub(super) async fn getting(&self, key: u64) -> Returned {
        if let Some(hit) = self.engine.look((&Number(key),)) {
            self.calls.fetch_add(1, Ordering::SeqCst);
            return hit;
        }
        let Answer { value, status, .. } =
            self.engine.answer(&self.target(key), &self.origin(key), Call::Lookup).await;
        assert!(status != Status::Empty || value == Ok(EMPTY), "{value:?} is not empty");
        self.calls.fetch_add(1, Ordering::SeqCst);
        value
    }

    /// A call that may panic; `Err` is its message.
    pub(super) fn try_get(&self, key: u64) -> Result<Returned, String> {
        let called = caught(|| self.get(key));
        if called.is_err() {
            self.calls.fetch_add(1, Ordering::SeqCst);
        }
        called.map_err(|panic| panic.message().to_owned())
    }

    /// A caller who goes away when it has waited once.
    pub(super) fn get_and_leave(&self, key: u64) {
        block_on(async {
            let mut call = pin!(self.getting(key));
            std::future::poll_fn(|context: &mut Context<'_>| {
                let _ = call.as_mut().poll(context);
                Poll::Ready(())
            })
            .await;
        });
    }

    pub(super) fn refresh(&self, key: u64) -> Returned {
        block_on(self.engine.refresh(&self.target(key), &self.origin(key)))
    }

    pub(super) fn peek(&self, key: u64) -> Option<Stored> {
        let peeked = self.engine.peek(&self.target(key))?;
        Some(Stored { version: peeked.value, fresh: peeked.fresh })
    }

    pub(super) fn version(&self, key: u64) -> Option<u64> {
        self.peek(key).map(|stored| stored.version)
    }

    pub(super) fn set(&self, key: u64, version: u64) {
        self.engine.set(&self.target(key), &self.origin(key), version);
    }

    pub(super) fn invalidate(&self, key: u64) {
        self.engine.invalidate(&self.target(key), &self.origin(key));
    }

    /// All keys.
    pub(super) fn invalidate_all(&self) {
        self.engine.invalidate_all();
    }

    pub(super) fn take(&self, key: u64) -> Option<u64> {
        self.engine.take(&self.target(key))
    }

    pub(super) fn remove(&self, key: u64) {
        self.engine.remove(&self.target(key));
    }

    pub(super) fn clear(&self) {
        self.engine.clear();
    }

    /// So many fetches have failed that the breaker is open; its first trial is due within a second.
    pub(super) fn open_breaker(&self) {
        self.engine.open_breaker();
    }

    /// What the janitor does.
    pub(super) fn sweep(&self) {
        self.engine.sweep(Moment::now());
    }

    pub(super) fn stats(&self) -> Stats {
        ErasedCache::stats(&*self.engine)
    }

    /// Waits for all fetches, and asserts what holds then in any case: every call was answered and counted once, no body
    /// lives, no key, place or seat is held, and store and bound know of the same entries.
    pub(super) fn rest(&self) {
        block_on(settle());
        assert!((0..KEYS).all(|key| self.source.live[key].load(Ordering::SeqCst) == 0), "a body lives");
        assert_eq!(self.stats().calls(), self.calls.load(Ordering::SeqCst), "a call was not counted once");
        self.engine.assert_at_rest();
        tasks::executor().assert_at_rest();
    }

    /// At the end of a scenario: [at rest](Stage::rest), and these keys can be fetched anew. Nothing that was left
    /// behind keeps them from it, though no claim has lapsed.
    pub(super) fn end(self, keys: &[u64]) {
        self.rest();
        // Past every lifetime and every back-off.
        tasks::advance(TIMEOUT / 2);
        self.source.act(&[]);
        let newer = self.source.version() + 100;
        self.source.write(newer);
        for key in keys {
            let _ = self.get(*key);
            block_on(settle());
            let stored = self.peek(*key);
            assert_eq!(stored, Some(Stored { version: newer, fresh: true }), "{key} is stuck");
        }
        self.rest();
        drop(self);
        tasks::end();
    }
}
