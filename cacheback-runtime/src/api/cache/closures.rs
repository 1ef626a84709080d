//! The closures of a cache object, from its builder and its calls: the source of its values.

use std::panic::RefUnwindSafe;
use std::time::Duration;

use crate::base::sync::{Arc, Mutex, lock};
use crate::base::tasks::BoxFuture;
use crate::engine::source::{BoundSource, Source};
use crate::engine::{Engine, Keyed, Of};
use crate::key::{Argument, Key, ObjectKey};
use crate::outcome::{Errors, Outcome};
use crate::rules::policy::Policy;

/// A closure over a key or a value.
pub(super) type OverKey<T, R> = Arc<dyn Fn(&T) -> R + Send + Sync>;
/// Fetches the value of a key.
pub(super) type Fetcher<K, R> = Arc<dyn Fn(K) -> BoxFuture<R> + Send + Sync>;
/// Changes the options for a key.
pub(super) type Vary<K> = Arc<dyn Fn(&K, &mut Policy) + Send + Sync>;
/// The fetch of one call, which runs at most once.
pub(super) type Once<R> = Box<dyn FnOnce() -> BoxFuture<R> + Send>;

/// The parts of an entry that depend on the call.
pub(super) struct PerCall<R> {
    /// The call's own fetch, in place of the builder's.
    pub(super) once: Option<Once<R>>,
    /// How the call tells errors from values and describes them.
    pub(super) errors: Option<Errors<R>>,
}

impl<R> PerCall<R> {
    pub(super) const NOTHING: Self = Self::knowing(None);

    pub(super) const fn knowing(errors: Option<Errors<R>>) -> Self {
        Self { once: None, errors }
    }
}

/// The closures of a builder that take a key.
pub(super) struct KeyClosures<K, O: Outcome> {
    pub(super) fetcher: Option<Fetcher<K, O::Return>>,
    pub(super) empty: Option<OverKey<K, O::Return>>,
    pub(super) vary: Option<Vary<K>>,
}

/// An entry of a cache object: the key, the closures and the cache.
pub(super) struct Bound<K: Argument + Key, O: Outcome> {
    pub(super) engine: Arc<Engine<Of<ObjectKey<K>, O>>>,
    pub(super) closures: Arc<KeyClosures<K, O>>,
    pub(super) hash: u64,
    /// The number of the key's node, if one was found.
    pub(super) node: Option<u64>,
    pub(super) key: K,
    /// The call's own fetch, in place of the builder's. Its only run takes it.
    pub(super) once: Option<Mutex<Option<Once<O::Return>>>>,
    /// How the call tells errors from values and describes them.
    pub(super) errors: Option<Errors<O::Return>>,
}

// For the same reason as `function::call::Call`.
impl<K: Argument + Key, O: Outcome> RefUnwindSafe for Bound<K, O> {}

impl<K: Argument + Key, O: Outcome> BoundSource for Bound<K, O> {
    type C = Of<ObjectKey<K>, O>;
    fn engine(&self) -> &Arc<Engine<Of<ObjectKey<K>, O>>> {
        &self.engine
    }
    fn located(&self) -> (u64, Option<u64>) {
        (self.hash, self.node)
    }
}

impl<K: Argument + Key, O: Outcome> Keyed<K> for Bound<K, O> {
    fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Argument + Key, O: Outcome> Bound<K, O> {
    /// The options for this key, if they depend on it.
    fn varied(&self) -> Option<Policy> {
        let vary = self.closures.vary.as_ref()?;
        let mut policy = *self.engine.policy();
        vary(&self.key, &mut policy);
        Some(policy)
    }
}

impl<K: Argument + Key, O: Outcome> Source<Of<ObjectKey<K>, O>> for Bound<K, O> {
    fn can_run(&self) -> bool {
        self.closures.fetcher.is_some() || self.once.is_some()
    }
    // The closures are called inside of the future, so that a panic of theirs is a panic of the fetch.
    fn run(self: Arc<Self>) -> BoxFuture<O::Return> {
        Box::pin(async move {
            match (&self.once, &self.closures.fetcher) {
                (Some(once), _) => {
                    let once = lock(once).take();
                    let Some(once) = once else {
                        panic!("the runtime of the fetch was dropped, and it can run only once")
                    };
                    once().await
                }
                (None, Some(fetcher)) => fetcher(self.key.clone()).await,
                (None, None) => unreachable!("a source without a body does not run"),
            }
        })
    }
    // A worker has the builder's fetcher, and no closure of a call.
    #[cfg(feature = "shared")]
    fn carried(&self) -> Option<Result<Vec<Vec<u8>>, String>> {
        self.once.as_ref().map(|_| Err("the call has brought a closure of its own".to_owned()))
    }
    fn errors(&self) -> Option<Errors<O::Return>> {
        self.errors
    }
    fn varies(&self) -> bool {
        self.closures.vary.is_some()
    }
    fn vary(&self, policy: &mut Policy) {
        if let Some(varied) = self.varied() {
            *policy = varied;
        }
    }
    fn waits_on_miss(&self) -> Option<Box<dyn FnOnce() -> bool + Send + '_>> {
        self.closures.vary.as_ref()?;
        // Without an empty value every caller waits.
        let waits =
            || self.closures.empty.is_none() || self.varied().is_some_and(|policy| policy.fetch_on_miss);
        Some(Box::new(waits))
    }
    fn wait(&self) -> Option<Duration> {
        self.closures.empty.as_ref()?;
        self.varied()?.wait
    }
    fn empty(&self) -> Option<O::Return> {
        self.closures.empty.as_ref().map(|empty| empty(&self.key))
    }
}
