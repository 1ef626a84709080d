//! The methods of a [`Cache`] that differ if its values are `Result`s, and by the type of their errors.
//!
//! Method resolution chooses between them: a cache derefs from one level to the next, and the first level whose bounds
//! hold has the method that is called. A cache may be built in generic code, and called where its types are known.

use std::borrow::Borrow;
use std::error::Error as StdError;
use std::fmt::Display;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::ops::Deref;
use std::panic::AssertUnwindSafe;

use super::closures::{Once, PerCall};
use super::{Cache, Typed};
use crate::api::entry::Entry;
use crate::base::hash::Seeded;
use crate::base::sync::Arc;
use crate::outcome::Errors;
use crate::outcome::error::Error;

/// The second level: errors that display themselves.
pub struct OfDisplayed<K: 'static, V: 'static>(OfResults<K, V>);
/// The third level: any errors.
pub struct OfResults<K: 'static, V: 'static>(OfValues<K, V>);
/// The last level: values that are no `Result`, or are not known to be one.
pub struct OfValues<K: 'static, V: 'static> {
    pub(super) object: Arc<dyn Typed<K, V>>,
    pub(super) hasher: Seeded,
}

impl<K, V> OfDisplayed<K, V> {
    pub(super) fn new(object: Arc<dyn Typed<K, V>>, hasher: Seeded) -> Self {
        Self(OfResults(OfValues { object, hasher }))
    }
}

#[doc(hidden)]
impl<K, V> Deref for Cache<K, V> {
    type Target = OfDisplayed<K, V>;
    #[inline]
    fn deref(&self) -> &OfDisplayed<K, V> {
        &self.levels
    }
}
impl<K, V> Deref for OfDisplayed<K, V> {
    type Target = OfResults<K, V>;
    #[inline]
    fn deref(&self) -> &OfResults<K, V> {
        &self.0
    }
}
impl<K, V> Deref for OfResults<K, V> {
    type Target = OfValues<K, V>;
    #[inline]
    fn deref(&self) -> &OfValues<K, V> {
        &self.0
    }
}

macro_rules! calls_that_may_fail {
    ($level:ident<$error:ident: $bound:path>, $errors:expr) => {
        impl<K, T, $error> $level<K, Result<T, $error>>
        where
            K: Hash + Eq + Clone + Send + Sync + 'static,
            T: Send + 'static,
            $error: Send + 'static + $bound,
        {
            /// Returns the value of a key: from the cache, from a fetch, or the empty value, as the options say.
            ///
            /// Without a fetcher it returns the cached value, fresh or stale, or else the empty value.
            ///
            /// # Errors
            ///
            /// Returns the error of a fetch that this call waited for, if no stored value is left to serve. The empty
            /// value may be an error, too.
            ///
            /// # Panics
            ///
            /// If the cache has no fetcher, nothing is cached and there is no [`empty`](crate::CacheBuilder::empty)
            /// value. Otherwise as a cached function does: see [`Entry`](crate::EntryInner).
            ///
            /// # Cancellation
            ///
            /// If the future is dropped, a fetch that was started goes on for the other callers.
            pub async fn get<Q>(&self, key: &Q) -> Result<T, $error>
            where
                K: Borrow<Q>,
                Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
            {
                self.read(key, Some($errors)).await
            }

            /// Returns the value of a key from the cache, or else from `fetch`. Only an `Ok` is cached.
            ///
            /// A stale value is returned at once, and `fetch` refreshes it in the background. Concurrent callers of one
            /// key share one fetch, the one of the first caller. `fetch` runs at most once, as a task of its own. If
            /// the cache has a fetcher, `fetch` runs in its place.
            ///
            /// # Errors
            ///
            /// Returns the error of the fetch, if no stored value is left to serve. All callers who waited for the
            /// fetch get it, and it is not kept.
            ///
            /// # Panics
            ///
            /// If `fetch` panics and no stored value is left to serve, or if the runtime of the fetch was dropped
            /// before the fetch ended.
            ///
            /// # Cancellation
            ///
            /// If the future is dropped, a fetch that was started goes on for the other callers.
            pub async fn try_get_or_fetch<Q, F, R>(&self, key: &Q, fetch: F) -> Result<T, $error>
            where
                K: Borrow<Q>,
                Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
                F: FnOnce() -> R + Send + 'static,
                R: Future<Output = Result<T, $error>> + Send + 'static,
            {
                self.fetch(key, fetch, Some($errors)).await
            }

            /// The same as [`try_get_or_fetch`](Self::try_get_or_fetch).
            ///
            /// # Errors
            ///
            /// The same as there.
            pub async fn get_or_fetch<Q, F, R>(&self, key: &Q, fetch: F) -> Result<T, $error>
            where
                K: Borrow<Q>,
                Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
                F: FnOnce() -> R + Send + 'static,
                R: Future<Output = Result<T, $error>> + Send + 'static,
            {
                self.fetch(key, fetch, Some($errors)).await
            }

            /// Returns the entry of a key, which has all operations on it.
            ///
            /// Without a fetcher, `lookup` and `get_or_fetch` of the entry do the same as [`get`](Self::get), and
            /// `refresh` panics.
            #[must_use]
            pub fn entry<Q>(&self, key: &Q) -> Entry<Result<T, $error>>
            where
                K: Borrow<Q>,
                Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
            {
                self.entry_with(key, PerCall::knowing(Some($errors)))
            }

            /// Makes the value of a key stale, and starts one refresh if the cache has a fetcher. Without a fetcher,
            /// the next call that brings one refreshes the value.
            ///
            /// # Errors
            ///
            /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
            pub fn invalidate<Q>(
                &self,
                key: &Q,
            ) -> impl Future<Output = Result<(), Error>> + Send + use<K, T, $error, Q>
            where
                K: Borrow<Q>,
                Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
            {
                self.entry(key).invalidate()
            }
        }
    };
}

calls_that_may_fail!(Cache<E: StdError>, Errors::with_causes());
calls_that_may_fail!(OfDisplayed<E: Display>, Errors::displayed());
calls_that_may_fail!(OfResults<E: Sized>, Errors::UNSEEN);

impl<K, T, E> OfResults<K, Result<T, E>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    /// Stores a value, which is fresh from now on.
    ///
    /// A fetch that runs is superseded: it answers the callers who wait for it, and stores nothing.
    ///
    /// # Errors
    ///
    /// Returns an error for an `Err`, which is not stored, and [`Unreachable`](crate::ErrorKind::Unreachable), if the
    /// cache is shared and its tier could not be told.
    ///
    /// # Panics
    ///
    /// If `vary`, `lifetime_for` or `retention_for` panics. Nothing is changed then.
    pub fn set<Q>(
        &self,
        key: &Q,
        value: Result<T, E>,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<K, T, E, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let stored = value.map(|value| self.entry_with(key, PerCall::NOTHING).set(value));
        async move {
            match stored {
                Ok(stored) => stored.await,
                Err(_) => Err(Error::new("an `Err` is not stored")),
            }
        }
    }
}

impl<K, V> OfValues<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + 'static,
{
    /// Returns the value of a key: from the cache, from a fetch, or the empty value, as the options say.
    ///
    /// Without a fetcher it returns the cached value, fresh or stale, or else the empty value.
    ///
    /// # Panics
    ///
    /// If the cache has no fetcher, nothing is cached and there is no [`empty`](crate::CacheBuilder::empty) value.
    /// Otherwise as a cached function does: see [`Entry`](crate::EntryInner).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped, a fetch that was started goes on for the other callers.
    pub async fn get<Q>(&self, key: &Q) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let wait = {
            let hash = self.hasher.hash_one(key);
            if let Some(value) = self.look(hash, key) {
                return value;
            }
            AssertUnwindSafe(self.object.entry(hash, key.to_owned(), PerCall::NOTHING).call())
        };
        wait.await
    }

    /// Returns the value of a key from the cache, or else from `fetch`.
    ///
    /// A stale value is returned at once, and `fetch` refreshes it in the background. Concurrent callers of one key
    /// share one fetch, the one of the first caller. `fetch` runs at most once, as a task of its own. If the cache has
    /// a fetcher, `fetch` runs in its place.
    ///
    /// If fetches may fail, `V` is a `Result`, and this is the same as `try_get_or_fetch`: an `Err` is not kept.
    ///
    /// # Panics
    ///
    /// If `fetch` panics and no stored value is left to serve, or if the runtime of the fetch was dropped before the
    /// fetch ended.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped, a fetch that was started goes on for the other callers.
    pub async fn get_or_fetch<Q, F, R>(&self, key: &Q, fetch: F) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: FnOnce() -> R + Send + 'static,
        R: Future<Output = V> + Send + 'static,
    {
        self.fetch(key, fetch, None).await
    }

    /// Returns the entry of a key, which has all operations on it.
    ///
    /// Without a fetcher, `lookup` and `get_or_fetch` of the entry do the same as [`get`](Self::get), and `refresh`
    /// panics.
    #[must_use]
    pub fn entry<Q>(&self, key: &Q) -> Entry<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.entry_with(key, PerCall::NOTHING)
    }

    /// Makes the value of a key stale, and starts one refresh if the cache has a fetcher. Without a fetcher, the next
    /// call that brings one refreshes the value.
    ///
    /// # Errors
    ///
    /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
    pub fn invalidate<Q>(&self, key: &Q) -> impl Future<Output = Result<(), Error>> + Send + use<K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.entry(key).invalidate()
    }

    /// Stores a value, which is fresh from now on.
    ///
    /// A fetch that runs is superseded: it answers the callers who wait for it, and stores nothing.
    ///
    /// # Errors
    ///
    /// If `V` is a `Result`, returns an error for an `Err`, which is not stored; and
    /// [`Unreachable`](crate::ErrorKind::Unreachable), if the cache is shared and its tier could not be told.
    ///
    /// # Panics
    ///
    /// If `vary`, `lifetime_for` or `retention_for` panics. Nothing is changed then.
    pub fn set<Q>(&self, key: &Q, value: V) -> impl Future<Output = Result<(), Error>> + Send + use<K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        (*self.entry_with(key, PerCall::NOTHING)).set(value)
    }

    pub(super) fn look<Q>(&self, hash: u64, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.object.look(hash, &|stored| stored.borrow() == key)
    }

    /// The entry of a key, with the parts that depend on the call.
    pub(super) fn entry_with<Q>(&self, key: &Q, call: PerCall<V>) -> Entry<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.object.entry(self.hasher.hash_one(key), key.to_owned(), call)
    }

    async fn read<Q>(&self, key: &Q, errors: Option<Errors<V>>) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let wait = {
            let hash = self.hasher.hash_one(key);
            if let Some(value) = self.look(hash, key) {
                return value;
            }
            AssertUnwindSafe(self.object.entry(hash, key.to_owned(), PerCall::knowing(errors)).call())
        };
        wait.await
    }

    async fn fetch<Q, F, R>(&self, key: &Q, fetch: F, errors: Option<Errors<V>>) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: FnOnce() -> R + Send + 'static,
        R: Future<Output = V> + Send + 'static,
    {
        let wait = {
            let hash = self.hasher.hash_one(key);
            if let Some(value) = self.look(hash, key) {
                return value;
            }
            let once: Once<V> = Box::new(move || Box::pin(fetch()));
            self.object.entry(hash, key.to_owned(), PerCall { once: Some(once), errors }).get_or_fetch()
        };
        wait.await
    }
}

macro_rules! opaque_debug {
    ($($level:ident)+) => {$(
        impl<K, V> std::fmt::Debug for $level<K, V> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct("Cache").finish_non_exhaustive()
            }
        }
    )+};
}
opaque_debug!(OfDisplayed OfResults OfValues);
