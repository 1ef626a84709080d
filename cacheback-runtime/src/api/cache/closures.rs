//! How a cache object makes values: the closures of its builder.

use std::panic::RefUnwindSafe;
use std::time::Duration;

use crate::api::entry::Bound;
use crate::base::sync::{Arc, Mutex, lock};
use crate::engine::source::{BoxFuture, Origin};
use crate::engine::{Engine, Keyed, Of};
use crate::key::{Argument, Key, Whole};
use crate::outcome::{Errors, Outcome};
use crate::rules::policy::Policy;

/// Something asked of a key or a value.
pub(super) type Over<T, R> = Arc<dyn Fn(&T) -> R + Send + Sync>;
/// Makes the value of a key.
pub(super) type Fetcher<K, R> = Arc<dyn Fn(K) -> BoxFuture<R> + Send + Sync>;
/// Changes options for a key.
pub(super) type Vary<K> = Arc<dyn Fn(&K, &mut Policy) + Send + Sync>;
/// The fetch that one call brings.
pub(super) type Once<R> = Box<dyn FnOnce() -> BoxFuture<R> + Send>;

/// What a call brings to an entry.
pub(super) struct Call<R> {
    /// Its own fetch, in place of the recipe's.
    pub(super) once: Option<Once<R>>,
    /// What it knows of errors.
    pub(super) errors: Option<Errors<R>>,
}

impl<R> Call<R> {
    pub(super) const NOTHING: Self = Self::knowing(None);

    pub(super) const fn knowing(errors: Option<Errors<R>>) -> Self {
        Self { once: None, errors }
    }
}

/// What the closures of a builder make of a key.
pub(super) struct Recipe<K, O: Outcome> {
    pub(super) fetcher: Option<Fetcher<K, O::Return>>,
    pub(super) empty: Option<Over<K, O::Return>>,
    pub(super) vary: Option<Vary<K>>,
}

/// One key with the recipe for it, and the cache.
pub(super) struct Fetch<K: Argument + Key, O: Outcome> {
    pub(super) engine: Arc<Engine<Of<Whole<K>, O>>>,
    pub(super) recipe: Arc<Recipe<K, O>>,
    pub(super) hash: u64,
    /// The number of the key's node, where one was seen.
    pub(super) node: Option<u64>,
    pub(super) key: K,
    /// The fetch that this call brings, in place of the recipe's; taken by the one run.
    pub(super) once: Option<Mutex<Option<Once<O::Return>>>>,
    /// What this call knows of errors.
    pub(super) errors: Option<Errors<O::Return>>,
}

// As `Applied`.
impl<K: Argument + Key, O: Outcome> RefUnwindSafe for Fetch<K, O> {}

impl<K: Argument + Key, O: Outcome> Bound for Fetch<K, O> {
    type C = Of<Whole<K>, O>;
    fn engine(&self) -> &Arc<Engine<Of<Whole<K>, O>>> {
        &self.engine
    }
    fn located(&self) -> (u64, Option<u64>) {
        (self.hash, self.node)
    }
}

impl<K: Argument + Key, O: Outcome> Keyed<K> for Fetch<K, O> {
    fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Argument + Key, O: Outcome> Fetch<K, O> {
    /// The options for this key, where they depend on it.
    fn varied(&self) -> Option<Policy> {
        let vary = self.recipe.vary.as_ref()?;
        let mut policy = *self.engine.policy();
        vary(&self.key, &mut policy);
        Some(policy)
    }
}

impl<K: Argument + Key, O: Outcome> Origin<Of<Whole<K>, O>> for Fetch<K, O> {
    fn can_run(&self) -> bool {
        self.recipe.fetcher.is_some() || self.once.is_some()
    }
    // The closures are called within the future: a panic is that of the fetch then.
    fn run(self: Arc<Self>) -> BoxFuture<O::Return> {
        Box::pin(async move {
            match (&self.once, &self.recipe.fetcher) {
                (Some(once), _) => {
                    let once = lock(once).take();
                    let Some(once) = once else {
                        panic!("the runtime of the fetch was dropped, and it can run only once")
                    };
                    once().await
                }
                (None, Some(fetcher)) => fetcher(self.key.clone()).await,
                (None, None) => unreachable!("nothing runs that has no body"),
            }
        })
    }
    fn errors(&self) -> Option<Errors<O::Return>> {
        self.errors
    }
    fn vary(&self, policy: &mut Policy) {
        if let Some(varied) = self.varied() {
            *policy = varied;
        }
    }
    fn waits_on_miss(&self) -> Option<Box<dyn FnOnce() -> bool + Send + '_>> {
        self.recipe.vary.as_ref()?;
        // Where no empty value exists every caller waits.
        let waits =
            || self.recipe.empty.is_none() || self.varied().is_some_and(|policy| policy.fetch_on_miss);
        Some(Box::new(waits))
    }
    fn wait(&self) -> Option<Duration> {
        self.recipe.empty.as_ref()?;
        self.varied()?.wait
    }
    fn empty(&self) -> Option<O::Return> {
        self.recipe.empty.as_ref().map(|empty| empty(&self.key))
    }
}
