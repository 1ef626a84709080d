//! How a cache object makes values: the closures of its builder.

use std::time::Duration;

use crate::origin::{BoxFuture, Origin};
use crate::outcome::{Describe, Outcome, Sharing};
use crate::policy::Policy;
use crate::sync::{Arc, Mutex, lock};

/// Something asked of a key or a value.
pub(super) type Over<T, R> = Box<dyn Fn(&T) -> R + Send + Sync>;
/// Makes the value of a key.
pub(super) type Fetcher<K, R> = Box<dyn Fn(K) -> BoxFuture<R> + Send + Sync>;
/// Changes options for a key.
pub(super) type Vary<K> = Box<dyn Fn(&K, &mut Policy) + Send + Sync>;
/// The fetch that one call brings.
pub(super) type Once<R> = Box<dyn FnOnce() -> BoxFuture<R> + Send>;

pub(super) struct Recipe<K, O: Outcome> {
    pub(super) policy: Policy,
    pub(super) fetcher: Option<Fetcher<K, O::Return>>,
    pub(super) empty: Option<Over<K, O::Return>>,
    pub(super) vary: Option<Vary<K>>,
    pub(super) lifetime_for: Option<Over<O::Value, Duration>>,
    pub(super) weigh: Option<Over<O::Value, u64>>,
    pub(super) share: Sharing<O::Error>,
    pub(super) describe: Describe<O::Error>,
}

/// One key with the recipe for it.
struct Fetch<K, O: Outcome> {
    recipe: Arc<Recipe<K, O>>,
    key: Arc<K>,
    /// In place of the recipe's fetcher; taken by the one run.
    once: Option<Mutex<Option<Once<O::Return>>>>,
}

impl<K: Clone + Send + Sync + 'static, O: Outcome> Recipe<K, O> {
    /// For one key; with the fetch that this call brings, where it does.
    pub(super) fn with(self: &Arc<Self>, key: &Arc<K>, once: Option<Once<O::Return>>) -> Arc<dyn Origin<O>> {
        let once = once.map(|once| Mutex::new(Some(once)));
        Arc::new(Fetch { recipe: Arc::clone(self), key: Arc::clone(key), once })
    }
}

impl<K: Clone + Send + Sync + 'static, O: Outcome> Fetch<K, O> {
    /// The options for this key, where they depend on it.
    fn varied(&self) -> Option<Policy> {
        let vary = self.recipe.vary.as_ref()?;
        let mut policy = self.recipe.policy;
        vary(&self.key, &mut policy);
        Some(policy)
    }
}

impl<K: Clone + Send + Sync + 'static, O: Outcome> Origin<O> for Fetch<K, O> {
    fn can_run(&self) -> bool {
        self.recipe.fetcher.is_some() || self.once.is_some()
    }
    // The closures are called within the future: a panic is that of the fetch then.
    fn run(&self) -> BoxFuture<O::Return> {
        if let Some(once) = &self.once {
            let once = lock(once).take();
            return Box::pin(async move {
                match once {
                    Some(once) => once().await,
                    None => panic!("the runtime of the fetch was dropped, and it can run only once"),
                }
            });
        }
        let (recipe, key) = (Arc::clone(&self.recipe), Arc::clone(&self.key));
        Box::pin(async move {
            match &recipe.fetcher {
                Some(fetcher) => fetcher(K::clone(&key)).await,
                None => unreachable!("nothing runs that has no body"),
            }
        })
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
    fn lifetime_for(&self, value: &O::Value) -> Option<Duration> {
        self.recipe.lifetime_for.as_ref().map(|lifetime_for| lifetime_for(value))
    }
    fn weigh(&self, value: &O::Value) -> Option<u64> {
        self.recipe.weigh.as_ref().map(|weigh| weigh(value))
    }
    fn share(&self) -> Sharing<O::Error> {
        self.recipe.share
    }
    fn describe(&self) -> Describe<O::Error> {
        self.recipe.describe
    }
}
