//! The stage of a scenario: one cache and its callers.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};

use super::origin::{EMPTY, KEYS, Number, Returned, Scripted, Types, Versions};
use crate::base::clock::Moment;
use crate::base::panics::catch;
use crate::base::shims::tasks;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Ordering};
use crate::engine::source::Source;
use crate::engine::{
    Answer, Bump, CallKind, Definition, Engine, ErasedCache, Keyed, SharedOptions, Target, Telling,
    ValueOptions,
};
use crate::events::{Stats, Status};
use crate::executor::Settings;
use crate::executor::context::{scenario, settle};
use crate::executor::housekeeper::Sweep;
use crate::outcome::{Describe, Sharing};
use crate::rules::policy::{Eviction, Policy};

pub(super) const LIFETIME: Duration = Duration::from_secs(10);
pub(super) const RETENTION: Duration = Duration::from_secs(100_000);
pub(super) const TIMEOUT: Duration = Duration::from_secs(1_000);

struct Owned((Number,));

impl Keyed<(Number,)> for Owned {
    fn key(&self) -> &(Number,) {
        &self.0
    }
}

/// Waits until the second tier was told of a write, or could not be.
fn told(telling: Telling) {
    if let Some(telling) = telling {
        let _ = block_on(telling);
    }
}

/// Waits for all tasks.
pub(super) fn join<T, const N: usize>(tasks: [JoinHandle<T>; N]) -> [T; N] {
    tasks.map(|task| task.join().unwrap_or_else(|_| panic!("a task has panicked")))
}

#[derive(Clone)]
pub(super) struct Stage {
    pub(super) engine: Arc<Engine<Types>>,
    pub(super) versions: Arc<Versions>,
    /// How many calls were answered.
    calls: Arc<AtomicU64>,
}

/// Begins a scenario, with a new clock, runtime and executor.
pub(super) fn begin(settings: Settings) {
    tasks::reset();
    scenario::begin(settings);
}

/// Ends it.
pub(super) fn end() {
    scenario::end();
    tasks::reset();
}

/// A stored value.
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
        begin(settings);
        Self::of(options, None, Arc::new(Versions::new()))
    }

    /// A cache of this origin. `shared`: its values are in the second tier of the settings.
    pub(super) fn of(
        options: impl FnOnce(&mut Policy),
        shared: Option<SharedOptions<(Number,), u64>>,
        versions: Arc<Versions>,
    ) -> Self {
        let mut policy = Policy {
            lifetime: LIFETIME,
            retention: RETENTION,
            refresh_timeout: TIMEOUT,
            fetch_on_miss: true,
            eviction: Eviction::Lru,
            ..Policy::default()
        };
        options(&mut policy);
        let definition = Definition {
            name: "scenario",
            policy,
            values: ValueOptions::NONE,
            share: Sharing::Copied(|error: &&str| *error),
            describe: Describe::UNSEEN,
            shared,
        };
        Self { engine: Engine::new(definition), versions, calls: Arc::default() }
    }

    /// The same, with a stale value of version 1 for each of these keys.
    pub(super) fn stale(self, keys: &[u64]) -> Self {
        for key in keys {
            self.set(*key, 1);
        }
        tasks::advance(LIFETIME);
        self
    }

    /// Does `work` in a new task.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let stage = self.clone();
        thread::spawn(move || work(&stage))
    }

    pub(super) fn target(&self, key: u64) -> Target<(Number,)> {
        let key = Number(key);
        let (hash, node) = self.engine.locate((&key,));
        Target::new(hash, Arc::new(Owned((key,))), node)
    }

    pub(super) fn source(&self, key: u64) -> Arc<dyn Source<Types>> {
        Arc::new(Scripted { versions: Arc::clone(&self.versions), key })
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
        self.answered(key).await.0
    }

    /// A call of the method that tells the status.
    pub(super) fn lookup(&self, key: u64) -> (Returned, Status) {
        block_on(self.answered(key))
    }

    async fn answered(&self, key: u64) -> (Returned, Status) {
        let Answer { value, status, .. } =
            self.engine.answer(&self.target(key), &self.source(key), CallKind::Lookup).await;
        assert!(status != Status::Empty || value == Ok(EMPTY), "{value:?} is not empty");
        self.calls.fetch_add(1, Ordering::SeqCst);
        (value, status)
    }

    /// A call that may panic; `Err` is its message.
    pub(super) fn try_get(&self, key: u64) -> Result<Returned, String> {
        let called = catch(|| self.get(key));
        if called.is_err() {
            self.calls.fetch_add(1, Ordering::SeqCst);
        }
        called.map_err(|panic| panic.message().to_owned())
    }

    /// A call that is dropped after its first poll.
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
        block_on(self.engine.refresh(&self.target(key), &self.source(key)))
    }

    pub(super) fn peek(&self, key: u64) -> Option<Stored> {
        let peeked = self.engine.peek(&self.target(key))?;
        Some(Stored { version: peeked.value, fresh: peeked.fresh })
    }

    pub(super) fn version(&self, key: u64) -> Option<u64> {
        self.peek(key).map(|stored| stored.version)
    }

    pub(super) fn set(&self, key: u64, version: u64) {
        told(self.engine.set(&self.target(key), &self.source(key), version));
    }

    pub(super) fn invalidate(&self, key: u64) {
        told(self.engine.invalidate(&self.target(key), &self.source(key)));
    }

    pub(super) fn invalidate_all(&self) {
        let telling = Arc::clone(&self.engine).tell_all(Bump::Stale);
        self.engine.invalidate_all();
        told(telling);
    }

    pub(super) fn take(&self, key: u64) -> Option<u64> {
        let (taken, telling) = self.engine.take(&self.target(key));
        told(telling);
        taken
    }

    pub(super) fn remove(&self, key: u64) {
        told(self.engine.remove(&self.target(key)));
    }

    pub(super) fn clear(&self) {
        let telling = Arc::clone(&self.engine).tell_all(Bump::Gone);
        self.engine.clear();
        told(telling);
    }

    /// The value in the second tier. Nothing is stored here.
    pub(super) fn peek_there(&self, key: u64) -> Option<Stored> {
        let peeking = self.engine.peek_there(self.target(key), self.source(key))?;
        let peeked = block_on(peeking)?;
        Some(Stored { version: peeked.value, fresh: peeked.fresh })
    }

    /// Opens the breaker, as a series of failed fetches would. Its first trial is due within a second.
    pub(super) fn open_breaker(&self) {
        self.engine.open_breaker();
    }

    /// Sweeps the cache, as the housekeeper does.
    pub(super) fn sweep(&self) {
        self.engine.sweep(Moment::now());
    }

    pub(super) fn stats(&self) -> Stats {
        ErasedCache::stats(&*self.engine)
    }

    /// Waits for all fetches, and asserts the invariants: every call was answered and counted once, no body lives, no
    /// key and no place is held, no caller waits, and store and bound have the same entries.
    pub(super) fn settle(&self) {
        block_on(settle());
        assert!((0..KEYS as u64).all(|key| self.versions.live(key) == 0), "a body lives");
        assert_eq!(self.stats().calls(), self.calls.load(Ordering::SeqCst), "a call was not counted once");
        self.engine.assert_at_rest();
        scenario::executor().unwrap().assert_at_rest();
    }

    /// Ends a scenario: [settles](Stage::settle), and asserts that these keys can be fetched again.
    pub(super) fn end(self, keys: &[u64]) {
        self.settle();
        self.assert_not_stuck(keys);
        drop(self);
        end();
    }

    /// Asserts that these keys can be fetched again. No remainder may prevent that, and no claim lapses meanwhile.
    pub(super) fn assert_not_stuck(&self, keys: &[u64]) {
        // Past every lifetime and every back-off.
        tasks::advance(TIMEOUT / 2);
        self.versions.act(&[]);
        let newer = self.versions.version() + 100;
        self.versions.write(newer);
        for key in keys {
            let _ = self.get(*key);
            block_on(settle());
            let stored = self.peek(*key);
            assert_eq!(stored, Some(Stored { version: newer, fresh: true }), "{key} is stuck");
        }
        self.settle();
    }
}
