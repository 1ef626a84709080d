//! Caches as objects: [`Cache`], a cache without the attribute, and [`CacheRef`], any cache without its types.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, RefUnwindSafe};
use std::sync::Weak;

use crate::api::entry::{Entry, Snapshot};
use crate::api::registry::{self, AnyCache};
#[cfg(feature = "worker")]
use crate::api::serve::Serve;
use crate::base::hash::Seeded;
use crate::base::panics::catch;
use crate::base::sync::{Arc, Mutex};
use crate::engine::{Bump, Engine, ErasedCache, Of};
use crate::events::Stats;
use crate::key::{Argument, Key, ObjectKey};
use crate::outcome::Outcome;
use crate::outcome::error::Error;
use crate::rules::policy::Policy;

mod any;
mod builder;
mod closures;
mod levels;
#[cfg(feature = "worker")]
mod served;
use any::change_all;
pub(crate) use any::list_function;
pub use any::{CacheRef, caches};
pub use builder::CacheBuilder;
use closures::{Bound, KeyClosures, PerCall};
use levels::OfDisplayed;

/// A concurrent cache as an object, for a static, a field or the state of an application.
///
/// A `Cache` does with a closure what the attribute does with a function: it has the same options, the same states of
/// an entry and the same rules. A struct with a `Cache` as a field has a cache for each instance.
///
/// `V` is the type that a call returns. If fetches can fail, `V` is a `Result<T, E>`, of which the `T` is cached. An
/// `Err` is never kept and never replaces a value, whether it comes from the cache's fetcher or from the closure of a
/// call, unless [`cache_err`](CacheBuilder::cache_err) says so. The compiler sees that `V` is a `Result` at the places
/// that build and call the cache, also behind a type alias. In generic code a bare type parameter is never taken for a
/// `Result`.
///
/// A key is looked up by any type that it borrows as, such as `&str` for a `String`. It is owned only for a fetch. A
/// hit allocates nothing, apart from the value's own `Clone`.
///
/// Cloning a `Cache` is cheap, and the clone is the same cache. When the last clone is dropped, all values are dropped
/// and refreshes that have not started are given up. A fetch that runs goes on for the callers who wait for it, and
/// stores nothing. Entries that were taken from the cache keep working, on an empty cache.
///
/// # Examples
///
/// With a fetcher:
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use std::time::Duration;
/// use cacheback::Cache;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let lengths: Cache<String, usize> = Cache::builder()
///     .lifetime(Duration::from_secs(60))
///     .fetch_on_miss()
///     .fetcher(|word: String| async move { word.len() })
///     .build()?;
///
/// assert_eq!(lengths.get("four").await, 4);
/// assert_eq!(lengths.entry("four").lookup().await.status, cacheback::Status::Fresh);
/// # Ok::<_, cacheback::Error>(()) }).unwrap();
/// ```
///
/// Without a fetcher, each call brings its own:
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use cacheback::Cache;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let squares: Cache<u64, u64> = Cache::builder().build()?;
/// assert_eq!(squares.get_or_fetch(&7, || async { 7 * 7 }).await, 49);
/// assert_eq!(squares.get_or_fetch(&7, || async { unreachable!("it is cached") }).await, 49);
/// # Ok::<_, cacheback::Error>(()) }).unwrap();
/// ```
///
/// With fetches that may fail, in a cache of `Result`s:
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use cacheback::Cache;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let users: Cache<u64, Result<String, String>> = Cache::builder().build()?;
/// let failed = users.try_get_or_fetch(&7, || async { Err("no connection".to_owned()) }).await;
/// assert_eq!(failed, Err("no connection".to_owned()));
/// let user = users.try_get_or_fetch(&7, || async { Ok("Ada".to_owned()) }).await;
/// assert_eq!(user, Ok("Ada".to_owned()), "the error was not kept");
/// # Ok::<_, cacheback::Error>(()) }).unwrap();
/// ```
pub struct Cache<K: 'static, V: 'static> {
    levels: OfDisplayed<K, V>,
}

/// A cache object of known key and return type. Whether the return type is a `Result` is hidden behind it.
trait Typed<K, V>: Send + Sync + RefUnwindSafe {
    fn look(&self, hash: u64, same: &dyn Fn(&K) -> bool) -> Option<V>;
    fn entry(&self, hash: u64, key: K, call: PerCall<V>) -> Entry<V>;
    fn engine(&self) -> Arc<dyn ErasedCache>;
    fn erased(&self) -> &dyn ErasedCache;
    /// Itself, for a worker.
    #[cfg(feature = "worker")]
    fn served(self: Arc<Self>) -> Arc<dyn Serve>;
}

struct Object<K: Argument + Key, O: Outcome> {
    engine: Arc<Engine<Of<ObjectKey<K>, O>>>,
    closures: Arc<KeyClosures<K, O>>,
    /// It was given a name, and so `caches` lists it.
    is_named: bool,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static, V: Send + 'static> Cache<K, V> {
    /// A builder for a cache: it takes the options and the fetcher.
    pub fn builder() -> CacheBuilder<K, V> {
        CacheBuilder::new()
    }

    /// Returns the cached value, fresh or stale, or `None` if nothing is cached.
    ///
    /// It starts no fetch and changes no counter.
    pub fn peek<Q>(&self, key: &Q) -> impl Future<Output = Option<Snapshot<V>>> + Send + use<K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        (*self.entry_with(key, PerCall::NOTHING)).peek()
    }

    /// Removes the entry and ends its back-off.
    ///
    /// A fetch that runs is superseded: it answers the callers who wait for it, and stores nothing.
    ///
    /// # Errors
    ///
    /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
    pub fn remove<Q>(&self, key: &Q) -> impl Future<Output = Result<(), Error>> + Send + use<K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.entry_with(key, PerCall::NOTHING).remove()
    }

    /// Removes the entry and returns its value, fresh or stale, or `None` if nothing is cached.
    ///
    /// This is one step: of several callers who take the value at the same time, one gets it. A fetch that runs is
    /// superseded: it answers the callers who wait for it, and stores nothing.
    pub fn take<Q>(&self, key: &Q) -> impl Future<Output = Option<V>> + Send + use<K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        (*self.entry_with(key, PerCall::NOTHING)).take()
    }
}

impl<K, V> Cache<K, V> {
    fn new(object: Arc<dyn Typed<K, V>>, hasher: Seeded) -> Self {
        Self { levels: OfDisplayed::new(object, hasher) }
    }

    /// Makes every value stale, like [`CacheRef::invalidate`].
    ///
    /// # Errors
    ///
    /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
    pub async fn invalidate_all(&self) -> Result<(), Error> {
        AssertUnwindSafe(change_all(AnyCache::Object(self.object.engine()), Bump::Stale)).await
    }

    /// Removes every entry, like [`CacheRef::clear`].
    ///
    /// # Errors
    ///
    /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
    pub async fn clear(&self) -> Result<(), Error> {
        AssertUnwindSafe(change_all(AnyCache::Object(self.object.engine()), Bump::Gone)).await
    }

    /// Returns a snapshot of the counters. It counts the entries one by one.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.object.erased().stats()
    }

    /// Returns the number of cached values. It counts them one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.object.erased().len()).unwrap_or(usize::MAX)
    }

    /// Returns whether no value is cached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the name of the cache, or that of its type if it was given none.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.object.erased().name()
    }

    /// Returns the options. They hold for every key for which [`vary`](CacheBuilder::vary) does not change them.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.object.erased().policy()
    }

    /// The cache, for a worker.
    #[cfg(feature = "worker")]
    pub(crate) fn served(&self) -> Arc<dyn Serve> {
        Arc::clone(&self.object).served()
    }

    /// Returns a reference to the same cache without its types.
    #[must_use]
    pub fn handle(&self) -> CacheRef {
        CacheRef::of_object(self.object.engine())
    }
}

// The engine is, and a closure that panics leaves nothing half done.
impl<K: Argument + Key, O: Outcome> RefUnwindSafe for Object<K, O> {}

impl<K: Argument + Key, O: Outcome> Typed<K, O::Return> for Object<K, O> {
    fn look(&self, hash: u64, same: &dyn Fn(&K) -> bool) -> Option<O::Return> {
        self.engine.look_hashed(hash, same, |hash| self.engine.look_deeper(hash, same))
    }
    fn entry(&self, hash: u64, key: K, call: PerCall<O::Return>) -> Entry<O::Return> {
        Entry::new(Arc::new(Bound {
            engine: Arc::clone(&self.engine),
            closures: Arc::clone(&self.closures),
            hash,
            node: self.engine.node_of(hash, |stored| *stored == key),
            key,
            once: call.once.map(|once| Mutex::new(Some(once))),
            errors: call.errors,
        }))
    }
    fn engine(&self) -> Arc<dyn ErasedCache> {
        Arc::clone(&self.engine) as _
    }
    fn erased(&self) -> &dyn ErasedCache {
        &*self.engine
    }
    #[cfg(feature = "worker")]
    fn served(self: Arc<Self>) -> Arc<dyn Serve> {
        self
    }
}

/// Drops the values with the last clone, even if a fetch that runs, an entry or a handle still holds the engine.
impl<K: Argument + Key, O: Outcome> Drop for Object<K, O> {
    fn drop(&mut self) {
        let engine: Weak<dyn ErasedCache> = Arc::downgrade(&self.engine) as _;
        let delisted = self.is_named.then(|| registry::delist(&engine)).flatten();
        // The count cannot grow any more if nobody else holds the engine by now.
        if Arc::strong_count(&self.engine) > 1 {
            // Drops unstarted refreshes and the user's closures in them, whose `Drop` may panic.
            let _ = catch(|| self.engine.clear());
        }
        if let Some(made_in) = delisted {
            registry::retire(&*self.engine, made_in);
        }
    }
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.object), self.hasher.clone())
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("name", &self.name()).finish_non_exhaustive()
    }
}
