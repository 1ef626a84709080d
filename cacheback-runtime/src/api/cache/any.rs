//! Any cache, without its types.

use std::fmt;
use std::panic::AssertUnwindSafe;

use crate::api::entry::told;
#[cfg(feature = "metrics")]
use crate::api::metrics;
use crate::api::registry::{self, AnyCache};
#[cfg(feature = "shared")]
use crate::api::serve::Serve;
use crate::base::sync::Arc;
use crate::engine::{Bump, ErasedCache};
use crate::events::Stats;
use crate::function::slot::Slot;
use crate::outcome::error::Error;
use crate::rules::policy::Policy;

/// A cache without its types: the cache of a function, or a [`Cache`](crate::Cache).
///
/// `NAME::cache()` returns the `CacheRef` of a cached function, which stands for all instantiations of the function.
/// [`Cache::handle`](crate::Cache::handle) returns that of an object, and [`caches`] those of the whole process. A
/// `CacheRef` keeps the counters of an object alive, but not its values.
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
#[cfg_attr(not(feature = "worker"), allow(dead_code))] // Nobody asks what can be served.
pub struct CacheRef(AnyCache, Served);

/// What a worker can serve, if it is queued.
#[cfg(feature = "shared")]
type Served = Option<Arc<dyn Serve>>;
/// Without a second tier there are no workers.
#[cfg(not(feature = "shared"))]
type Served = Option<std::convert::Infallible>;

impl CacheRef {
    pub(crate) fn of_function(slot: &'static Slot) -> Self {
        Self(AnyCache::Function(slot), None)
    }

    #[cfg(feature = "shared")]
    pub(crate) fn of_queued_function(slot: &'static Slot, served: Arc<dyn Serve>) -> Self {
        Self(AnyCache::Function(slot), Some(served))
    }

    pub(crate) fn of_object(object: Arc<dyn ErasedCache>) -> Self {
        Self(AnyCache::Object(object), None)
    }

    /// What a worker can serve.
    #[cfg(feature = "worker")]
    pub(crate) fn served(&self) -> Option<Arc<dyn Serve>> {
        self.1.clone()
    }

    /// Returns the name that the function or object was given, or else the path of the function or the name of the
    /// object's type.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// Returns the options, as they are if no argument or key changes them.
    ///
    /// # Panics
    ///
    /// If the options of the function contradict each other. The message names the function and the option.
    #[must_use]
    pub fn policy(&self) -> Policy {
        match &self.0 {
            AnyCache::Function(slot) => *slot.policy(),
            AnyCache::Object(object) => object.policy(),
        }
    }

    /// Returns a snapshot of the counters. It counts the entries one by one.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// Returns the number of cached values. It counts them one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        let len: u64 = self.0.all().iter().map(|cache| cache.len()).sum();
        usize::try_from(len).unwrap_or(usize::MAX)
    }

    /// Returns whether no value is cached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes every value stale. Each is still served, and refreshed the next time that it is asked for.
    ///
    /// This starts no refresh itself, so that a large cache causes no storm of refreshes. A fetch that runs is
    /// superseded: it answers the callers who wait for it, and stores nothing. So no value of a fetch that began before
    /// is fresh afterwards. Keys in back-off stay in back-off, and the ages of values and their `retention` do not
    /// change.
    ///
    /// It visits the values one by one, which takes some tens of nanoseconds each.
    ///
    /// # Errors
    ///
    /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
    ///
    /// # Cancellation
    ///
    /// All the work is done at the first poll.
    pub async fn invalidate(&self) -> Result<(), Error> {
        AssertUnwindSafe(change_all(self.0.clone(), Bump::Stale)).await
    }

    /// Removes every entry and ends every back-off.
    ///
    /// A fetch that runs is superseded: it answers the callers who wait for it, and stores nothing. Readers see no
    /// older value as soon as this has begun. It then drops the values one by one, which takes some microseconds each.
    ///
    /// # Errors
    ///
    /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
    ///
    /// # Cancellation
    ///
    /// All the work is done at the first poll.
    pub async fn clear(&self) -> Result<(), Error> {
        AssertUnwindSafe(change_all(self.0.clone(), Bump::Gone)).await
    }
}

/// Changes all values of a cache, here and in the second tier.
pub(super) async fn change_all(cache: AnyCache, change: Bump) -> Result<(), Error> {
    // The second tier first, so that nobody brings a value back from there that has not changed.
    let telling = cache.tell(change);
    for cache in cache.all() {
        match change {
            Bump::Stale => cache.invalidate_all(),
            Bump::Gone => cache.clear(),
        }
    }
    told(telling).await
}

impl fmt::Debug for CacheRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheRef").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Returns every cache of the process, sorted by name: for dashboards, metrics and operations.
///
/// The list has the caches of all cached functions that were used at least once, and each [`Cache`](crate::Cache) that
/// was given a name, until its last clone is dropped. A function is used when it is called, or when an entry of it is
/// made; a call of its `cache()` does not count. Several caches may have the same name.
///
/// The list itself keeps no cache alive. A returned [`CacheRef`] keeps the counters of an object alive, but not its
/// values.
///
/// With `test-util`, a runtime with caches of its own (`testing::isolate`) sees the functions that it has used, with
/// its own counters, and the objects that it has made.
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
/// // A deployment has changed the data behind all of them.
/// for cache in cacheback::caches() {
///     cache.clear().await?;
/// }
/// # Ok::<(), cacheback::Error>(())
/// # }).unwrap();
/// ```
#[must_use]
pub fn caches() -> Vec<CacheRef> {
    let mut caches: Vec<_> = registry::all().into_iter().map(|cache| CacheRef(cache, None)).collect();
    caches.sort_by(|one, other| one.name().cmp(other.name()));
    caches
}

/// Lists a function at its first use.
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
