//! Any cache, without its types.

use std::fmt;

#[cfg(feature = "metrics")]
use crate::api::metrics;
use crate::api::registry::{self, Untyped};
use crate::base::sync::Arc;
use crate::engine::ErasedCache;
use crate::events::Stats;
use crate::function::slot::Slot;
use crate::outcome::error::Error;
use crate::rules::policy::Policy;

/// A cache without its types: that of a function, over all its instantiations, as `NAME::cache()` returns it, or a
/// [`Cache`](crate::Cache). It keeps an object's counters alive, but not its values.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// # async fn show(cache: cacheback::CacheRef) -> Result<(), cacheback::Error> {
/// println!("{}: {} values, {:?}", cache.name(), cache.len(), cache.stats());
/// cache.clear().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CacheRef(Untyped);

impl CacheRef {
    pub(crate) fn of_function(slot: &'static Slot) -> Self {
        Self(Untyped::Function(slot))
    }

    pub(crate) fn of_object(object: Arc<dyn ErasedCache>) -> Self {
        Self(Untyped::Object(object))
    }

    /// The function's path, or the name that it, or the object, was given.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// The options, as they hold where no argument or key changes them.
    ///
    /// # Panics
    ///
    /// Where options contradict each other, naming the function and the option.
    #[must_use]
    pub fn policy(&self) -> Policy {
        match &self.0 {
            Untyped::Function(slot) => *slot.policy(),
            Untyped::Object(object) => object.policy(),
        }
    }

    /// A snapshot of the counters. Counts the entries one by one.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// How many values are cached. Counts them one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        let len: u64 = self.0.all().iter().map(|cache| cache.len()).sum();
        usize::try_from(len).unwrap_or(usize::MAX)
    }

    /// Whether no value is cached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes every value stale, and none missing: each is served as it is, and refreshed when it is asked for. Starts
    /// nothing itself, so a large cache causes no storm of refreshes.
    ///
    /// No value of a fetch that began before is fresh after it: a fetch that runs is superseded, which is to say that it
    /// answers those who wait for it and stores nothing. Back-off goes on; ages and `retention` stay as they are. It visits
    /// the values one by one, some tens of nanoseconds each.
    ///
    /// # Errors
    ///
    /// None on the local tier.
    ///
    /// # Cancellation
    ///
    /// All of it happens at the first poll.
    pub async fn invalidate(&self) -> Result<(), Error> {
        for cache in self.0.all() {
            cache.invalidate_all();
        }
        Ok(())
    }

    /// Removes every entry. Fetches that run answer those who wait for them and store nothing; back-off ends. No reader
    /// sees an older value from its start on; it then drops the values one by one, some microseconds each.
    ///
    /// # Errors
    ///
    /// None on the local tier.
    ///
    /// # Cancellation
    ///
    /// The cache is cleared at the first poll.
    pub async fn clear(&self) -> Result<(), Error> {
        for cache in self.0.all() {
            cache.clear();
        }
        Ok(())
    }
}

impl fmt::Debug for CacheRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheRef").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Every cache of the process, without its types and by name: those of all cached functions that were used at least
/// once, and the [`Cache`](crate::Cache)s that were given a name, until their last clone is dropped. For dashboards,
/// metrics and operations.
///
/// A function is used when it is called, or when an entry of it is made; its `cache()` alone does not list it. Two
/// caches may have one name. What is listed is not kept alive; what is returned is, without its values. With
/// `test-util`, a runtime with caches of its own (`testing::isolate`) sees those functions that it has used, with their
/// figures, and the objects that it has made.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// for cache in cacheback::caches() {
///     let stats = cache.stats();
///     println!("{}: {} values, {} hits, {} refused", cache.name(), cache.len(), stats.hits, stats.refused);
/// }
/// // A deploy changed what all of them were made from.
/// for cache in cacheback::caches() {
///     cache.clear().await?;
/// }
/// # Ok::<(), cacheback::Error>(())
/// # }).unwrap();
/// ```
#[must_use]
pub fn caches() -> Vec<CacheRef> {
    let mut caches: Vec<_> = registry::all().into_iter().map(CacheRef).collect();
    caches.sort_by(|one, other| one.name().cmp(other.name()));
    caches
}

/// Lists a function, at its first use.
#[inline]
pub(crate) fn list_function(slot: &'static Slot) {
    if slot.is_first_use() {
        registry::list_function(slot);
        #[cfg(feature = "metrics")]
        metrics::record_regularly();
    }
}

/// Lists an object that has a name.
pub(super) fn list_object(object: &Arc<dyn ErasedCache>) {
    registry::list_object(object);
    #[cfg(feature = "metrics")]
    metrics::record_regularly();
}
