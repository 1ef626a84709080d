//! The methods of a [`Cache`] that depend on whether its values are `Result`s, and on what their errors are.
//!
//! Method resolution finds that out: a cache derefs from one level to the next, and the first level whose bounds hold
//! answers. A cache may be built before the type of its values is known, and is called when it is.

use std::borrow::Borrow;
use std::error::Error as StdError;
use std::fmt::Display;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::ops::Deref;
use std::panic::AssertUnwindSafe;

use super::closures::{Call, Once};
use super::{Cache, Typed};
use crate::api::entry::Entry;
use crate::base::hash::Seeded;
use crate::base::sync::Arc;
use crate::outcome::Errors;
use crate::outcome::error::Error;

/// The second level: errors that display themselves.
pub struct OfDisplayed<K: 'static, V: 'static>(OfResults<K, V>);
/// The third: any errors.
pub struct OfResults<K: 'static, V: 'static>(OfValues<K, V>);
/// The last: values that are no `Result`, or not known for one.
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
            /// The value: from the cache, from a fetch, or empty, as the options say. Without a fetcher it is the one
            /// that is cached, stale too.
            ///
            /// # Errors
            ///
            /// That of a fetch that was waited for, if no stored value is left to serve; or the empty value is one.
            ///
            /// # Panics
            ///
            /// Without a fetcher, if nothing is cached and [`empty`](crate::CacheBuilder::empty) was not given. Else as
            /// a cached function does: see [`Entry`](crate::EntryInner).
            ///
            /// # Cancellation
            ///
            /// A fetch that was started goes on for the others.
            pub async fn get<Q>(&self, key: &Q) -> Result<T, $error>
            where
                K: Borrow<Q>,
                Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
            {
                self.read(key, Some($errors)).await
            }

            /// The value: from the cache, else from `fetch`. A stale one is given at once, and `fetch` refreshes it in the
            /// background. Callers of one key share one fetch, which is that of the first. The `Ok` is cached alone.
            ///
            /// `fetch` runs at most once, as a task of its own. A cache that has a fetcher runs `fetch` in its place.
            ///
            /// # Errors
            ///
            /// That of the fetch, given to all who waited for it, if no stored value is left to serve. It is not kept.
            ///
            /// # Panics
            ///
            /// If `fetch` does and no stored value is left to serve; and if its runtime was dropped before it ended.
            ///
            /// # Cancellation
            ///
            /// A fetch that was started goes on for the others.
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
            /// As there.
            pub async fn get_or_fetch<Q, F, R>(&self, key: &Q, fetch: F) -> Result<T, $error>
            where
                K: Borrow<Q>,
                Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
                F: FnOnce() -> R + Send + 'static,
                R: Future<Output = Result<T, $error>> + Send + 'static,
            {
                self.fetch(key, fetch, Some($errors)).await
            }

            /// The entry of a key: everything that can be done with it. Without a fetcher its `lookup` and
            /// `get_or_fetch` do as [`get`](Self::get) does, and `refresh` panics.
            #[must_use]
            pub fn entry<Q>(&self, key: &Q) -> Entry<Result<T, $error>>
            where
                K: Borrow<Q>,
                Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
            {
                self.bring(key, Call::knowing(Some($errors)))
            }

            /// Makes the value stale now, and starts one refresh if the cache has a fetcher; else the next caller's is
            /// it.
            ///
            /// # Errors
            ///
            /// None on the local tier.
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
    /// Stores a value, fresh from now. A fetch that runs is superseded: it answers those who wait for it and stores
    /// nothing.
    ///
    /// # Errors
    ///
    /// None on the local tier, but for an `Err`, which is not stored.
    ///
    /// # Panics
    ///
    /// If `vary`, `lifetime_for` or `retention_for` does; nothing is changed then.
    pub fn set<Q>(
        &self,
        key: &Q,
        value: Result<T, E>,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<K, T, E, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let stored = value.map(|value| self.bring(key, Call::NOTHING).set(value));
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
    /// The value: from the cache, from a fetch, or empty, as the options say. Without a fetcher it is the one that is
    /// cached, stale too.
    ///
    /// # Panics
    ///
    /// Without a fetcher, if nothing is cached and [`empty`](crate::CacheBuilder::empty) was not given. Else as a cached
    /// function does: see [`Entry`](crate::EntryInner).
    ///
    /// # Cancellation
    ///
    /// A fetch that was started goes on for the others.
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
            AssertUnwindSafe(self.object.entry(hash, key.to_owned(), Call::NOTHING).call())
        };
        wait.await
    }

    /// The value: from the cache, else from `fetch`. A stale one is given at once, and `fetch` refreshes it in the
    /// background. Callers of one key share one fetch, which is that of the first.
    ///
    /// `fetch` runs at most once, as a task of its own. A cache that has a fetcher runs `fetch` in its place. For fetches
    /// that may fail `V` is a `Result`, and this the same as `try_get_or_fetch`: an `Err` is not kept.
    ///
    /// # Panics
    ///
    /// If `fetch` does and no stored value is left to serve; and if its runtime was dropped before it ended.
    ///
    /// # Cancellation
    ///
    /// A fetch that was started goes on for the others.
    pub async fn get_or_fetch<Q, F, R>(&self, key: &Q, fetch: F) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: FnOnce() -> R + Send + 'static,
        R: Future<Output = V> + Send + 'static,
    {
        self.fetch(key, fetch, None).await
    }

    /// The entry of a key: everything that can be done with it. Without a fetcher its `lookup` and `get_or_fetch` do
    /// as [`get`](Self::get) does, and `refresh` panics.
    #[must_use]
    pub fn entry<Q>(&self, key: &Q) -> Entry<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.bring(key, Call::NOTHING)
    }

    /// Makes the value stale now, and starts one refresh if the cache has a fetcher; else the next caller's is it.
    ///
    /// # Errors
    ///
    /// None on the local tier.
    pub fn invalidate<Q>(&self, key: &Q) -> impl Future<Output = Result<(), Error>> + Send + use<K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.entry(key).invalidate()
    }

    /// Stores a value, fresh from now. A fetch that runs is superseded: it answers those who wait for it and stores
    /// nothing.
    ///
    /// # Errors
    ///
    /// None on the local tier. If `V` is a `Result`, an `Err` is one: it is not stored.
    ///
    /// # Panics
    ///
    /// If `vary`, `lifetime_for` or `retention_for` does; nothing is changed then.
    pub fn set<Q>(&self, key: &Q, value: V) -> impl Future<Output = Result<(), Error>> + Send + use<K, V, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        (*self.bring(key, Call::NOTHING)).set(value)
    }

    pub(super) fn look<Q>(&self, hash: u64, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.object.look(hash, &|stored| stored.borrow() == key)
    }

    /// An entry with what a call brings to it.
    pub(super) fn bring<Q>(&self, key: &Q, call: Call<V>) -> Entry<V>
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
            AssertUnwindSafe(self.object.entry(hash, key.to_owned(), Call::knowing(errors)).call())
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
            self.object.entry(hash, key.to_owned(), Call { once: Some(once), errors }).get_or_fetch()
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
