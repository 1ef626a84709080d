//! The origin of a scenario: its version, and the body that reads it.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shuttle::future::{block_on, yield_now};
use tokio::sync::Semaphore;

use super::ON_PURPOSE;
use crate::base::shims::sync::step;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};
use crate::base::tasks::BoxFuture;
use crate::engine::Of;
use crate::engine::source::Source;
use crate::key::Val;
use crate::outcome::Fallible;
use crate::rules::policy::Policy;

/// The empty value, which is no version of the origin.
pub(super) const EMPTY: u64 = 0;

pub(super) type Outcome = Fallible<u64, &'static str>;
pub(super) type Returned = Result<u64, &'static str>;
pub(super) type Types = Of<(Val<Number>,), Outcome>;

/// A key. 3 and 4 have the same hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub(super) u64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self)
    }
}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.min(3));
    }
}

/// How a run of the body goes on when it has read the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Returns the version.
    Bring,
    /// Waits until the scenario lets it go on, then returns the version.
    Hold,
    Fail,
    /// Waits until the scenario lets it go on, then fails.
    HoldAndFail,
    Panic,
}

/// The origin: one number, its version, which only grows. If a body reads it before a write and returns it after that
/// write, its value must not be stored.
pub(super) struct Versions {
    version: AtomicU64,
    /// The acts of the next runs, the last one first. After them all runs bring.
    acts: Mutex<Vec<Act>>,
    /// How often the body was run, by key.
    runs: [AtomicU64; KEYS],
    /// How many bodies live, by key.
    live: [AtomicU64; KEYS],
    /// How many bodies have lived at the same time, by key.
    most: [AtomicU64; KEYS],
    begun: Semaphore,
    gate: Semaphore,
}

pub(super) const KEYS: usize = 5;

/// The body of a cached function: it does as the origin says.
pub(super) struct Scripted {
    pub(super) versions: Arc<Versions>,
    pub(super) key: u64,
}

/// Counts a body as live, until this is dropped.
struct Life(Arc<Scripted>);

impl Life {
    fn begin(of: &Arc<Scripted>) -> Self {
        let (versions, key) = (&of.versions, of.key as usize);
        let live = versions.live[key].fetch_add(1, Ordering::SeqCst) + 1;
        versions.most[key].fetch_max(live, Ordering::SeqCst);
        versions.runs[key].fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(of))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.versions.live[self.0.key as usize].fetch_sub(1, Ordering::SeqCst);
    }
}

impl Source<Types> for Scripted {
    fn run(self: Arc<Self>) -> BoxFuture<Returned> {
        Box::pin(async move {
            let _life = Life::begin(&self);
            let act = lock(&self.versions.acts).pop().unwrap_or(Act::Bring);
            let version = self.versions.version();
            self.versions.begun.add_permits(1);
            match act {
                Act::Bring => yield_now().await,
                Act::Hold => self.versions.held().await,
                Act::HoldAndFail => {
                    self.versions.held().await;
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
    fn varies(&self) -> bool {
        false
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

impl Versions {
    /// The origin has version 1.
    pub(super) fn new() -> Self {
        Self {
            version: AtomicU64::new(1),
            acts: Mutex::default(),
            runs: Default::default(),
            live: Default::default(),
            most: Default::default(),
            begun: Semaphore::new(0),
            gate: Semaphore::new(0),
        }
    }

    pub(super) fn version(&self) -> u64 {
        step();
        self.version.load(Ordering::SeqCst)
    }

    /// Writes to the origin: from now on it has this version.
    pub(super) fn write(&self, version: u64) {
        step();
        self.version.store(version, Ordering::SeqCst);
    }

    /// Sets the acts of the next runs.
    pub(super) fn act(&self, acts: &[Act]) {
        *lock(&self.acts) = acts.iter().rev().copied().collect();
    }

    /// Waits until this many more bodies have begun and read their version.
    pub(super) fn await_begun(&self, bodies: u32) {
        block_on(self.begun.acquire_many(bodies)).expect("open").forget();
    }

    async fn held(&self) {
        self.gate.acquire().await.expect("open").forget();
    }

    /// Lets one held body go on.
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
