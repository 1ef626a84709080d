//! Caches as objects, without the macro: [`Cache`], and [`CacheRef`] for any cache without its types.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::panic::RefUnwindSafe;
use std::sync::Weak;

use crate::api::entry::{Entry, Snapshot};
use crate::api::registry;
use crate::base::hash::Seeded;
use crate::base::panics::caught;
use crate::base::sync::{Arc, Mutex};
use crate::engine::{Engine, ErasedCache, Of};
use crate::events::Stats;
use crate::key::{Argument, Key, Whole};
use crate::outcome::Outcome;
use crate::outcome::error::Error;
use crate::rules::policy::Policy;

mod any;
mod builder;
mod closures;
mod levels;
pub(crate) use any::list_function;
pub use any::{CacheRef, caches};
pub use builder::CacheBuilder;
use closures::{Call, Fetch, Recipe};
use levels::OfDisplayed;

/// A cache as a value: in a static, a field, an application's state. A field of it is a cache per instance.
///
/// What the attribute makes of a function this makes of a closure, with the same options, the same states of an entry
/// and the same rules. `V` is what a call returns; for fetches that can fail it is a `Result<T, E>`, of which the `T` is
/// cached. An `Err` is never kept and never replaces a value, whether it comes from the cache's fetcher or from the
/// closure of a call, unless [`cache_err`](CacheBuilder::cache_err) says so. That `V` is a `Result` is seen where the
/// cache is built and called, behind an alias too; in generic code a bare type parameter is never one.
///
/// A key is looked up by what it borrows as (`&str` for a `String`), and owned for a fetch alone. A hit allocates
/// nothing beyond the value's `Clone`.
///
/// Cloning is cheap, and a clone is the same cache. With the last clone it is dropped with all that it holds: what
/// waits to be fetched is given up, and a fetch that runs goes on to its end for those who wait for it and stores
/// nothing. Entries that were taken from it go on working, on an empty cache.
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
/// Without one, each call brings its own:
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
/// Fetches that may fail, of a cache of `Result`s:
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

/// A cache of a known key and return type; whether that is a `Result` is behind it.
trait Typed<K, V>: Send + Sync + RefUnwindSafe {
    fn look(&self, hash: u64, same: &dyn Fn(&K) -> bool) -> Option<V>;
    fn entry(&self, hash: u64, key: K, call: Call<V>) -> Entry<V>;
    fn engine(&self) -> Arc<dyn ErasedCache>;
    fn erased(&self) -> &dyn ErasedCache;
}

struct Object<K: Argument + Key, O: Outcome> {
    engine: Arc<Engine<Of<Whole<K>, O>>>,
    recipe: Arc<Recipe<K, O>>,
    /// And so it is listed.
    is_named: bool,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static, V: Send + 'static> Cache<K, V> {
    /// A cache to be: options, and where its values come from.
    pub fn builder() -> CacheBuilder<K, V> {
        CacheBuilder::new()
    }

    /// The cached value, where there is one; starts nothing and counts nothing.
    pub fn peek<Q>(&self, key: &Q) -> impl Future<Output = Option<Snapshot<V>>> + Send + use<K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        (*self.bring(key, Call::NOTHING)).peek()
    }

    /// Removes the entry and ends its back-off. A fetch that runs is superseded.
    ///
    /// # Errors
    ///
    /// None on the local tier.
    pub fn remove<Q>(&self, key: &Q) -> impl Future<Output = Result<(), Error>> + Send + use<K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.bring(key, Call::NOTHING).remove()
    }

    /// Removes the entry and returns its value, fresh or stale, in one step: of all who take it at the same time, one gets
    /// it. `None` if nothing is cached. A fetch that runs is superseded.
    pub fn take<Q>(&self, key: &Q) -> impl Future<Output = Option<V>> + Send + use<K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        (*self.bring(key, Call::NOTHING)).take()
    }
}

impl<K, V> Cache<K, V> {
    /// Makes every value stale: as [`CacheRef::invalidate`].
    ///
    /// # Errors
    ///
    /// None on the local tier.
    pub async fn invalidate_all(&self) -> Result<(), Error> {
        self.object.erased().invalidate_all();
        Ok(())
    }

    fn new(object: Arc<dyn Typed<K, V>>, hasher: Seeded) -> Self {
        Self { levels: OfDisplayed::new(object, hasher) }
    }

    /// Removes every entry: as [`CacheRef::clear`].
    ///
    /// # Errors
    ///
    /// None on the local tier.
    pub async fn clear(&self) -> Result<(), Error> {
        self.object.erased().clear();
        Ok(())
    }

    /// A snapshot of the counters. Counts the entries one by one.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.object.erased().stats()
    }

    /// How many values are cached. Counts them one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.object.erased().len()).unwrap_or(usize::MAX)
    }

    /// Whether no value is cached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cache's name; without one that of its type.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.object.erased().name()
    }

    /// The options, as they hold where no key changes them.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.object.erased().policy()
    }

    /// The same cache without its types.
    #[must_use]
    pub fn handle(&self) -> CacheRef {
        CacheRef::of_object(self.object.engine())
    }
}

// As its engine.
impl<K: Argument + Key, O: Outcome> RefUnwindSafe for Object<K, O> {}

impl<K: Argument + Key, O: Outcome> Typed<K, O::Return> for Object<K, O> {
    fn look(&self, hash: u64, same: &dyn Fn(&K) -> bool) -> Option<O::Return> {
        self.engine.look_hashed(hash, same, |hash| self.engine.look_deeper(hash, same))
    }
    fn entry(&self, hash: u64, key: K, call: Call<O::Return>) -> Entry<O::Return> {
        Entry::new(Arc::new(Fetch {
            engine: Arc::clone(&self.engine),
            recipe: Arc::clone(&self.recipe),
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
}

/// What still holds the engine holds no value of it: a fetch that runs, an entry, a handle.
impl<K: Argument + Key, O: Outcome> Drop for Object<K, O> {
    fn drop(&mut self) {
        let engine: Weak<dyn ErasedCache> = Arc::downgrade(&self.engine) as _;
        let delisted = self.is_named.then(|| registry::delist(&engine)).flatten();
        // Who does not hold it by now never will.
        if Arc::strong_count(&self.engine) > 1 {
            // What is put off goes with what the user gave it, whose `Drop` may panic.
            let _ = caught(|| self.engine.clear());
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
