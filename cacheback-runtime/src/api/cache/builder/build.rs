//! `build`: the options are checked together, and the cache is made.

use std::hash::Hash;

use super::{ByCall, BySight, CacheBuilder, Draft, Empties, OfValues, Parts, Undecided};
use crate::api::cache::closures::KeyClosures;
use crate::api::cache::{Cache, Object, any};
use crate::base::sync::Arc;
use crate::engine::{Definition, Engine, ErasedCache, Of};
use crate::outcome::error::Error;
use crate::outcome::{Describe, Failure, Fallible, Outcome, Sharing, Value, Whole};

impl<K, V: Value, N> CacheBuilder<K, V, Undecided, N>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
{
    /// Builds the cache.
    ///
    /// Without a fetcher, this takes values that are `Clone`, and `Result`s whose errors are `Clone` too. If the error
    /// is not `Clone`, write its type where you call `builder`: `Cache::<u64, Result<User, Failure>>::builder()`.
    ///
    /// # Errors
    ///
    /// Returns an error if options contradict each other. It names all of them.
    pub fn build(self) -> Result<Cache<K, V>, Error>
    where
        N: Empties<Whole<V>>,
    {
        self.decided::<Whole<V>, ByCall>().build()
    }
}

impl<K, V: Value, N> OfValues<K, V, N>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
{
    /// Builds the cache.
    ///
    /// # Errors
    ///
    /// Returns an error if options contradict each other. It names all of them.
    pub fn build(self) -> Result<Cache<K, V>, Error>
    where
        N: Empties<Whole<V>>,
    {
        self.cache::<Whole<V>, _>(&self.parts, Sharing::Copied(V::clone), Describe::UNSEEN)
    }
}

impl<K, T: Value, E: Failure, P, N> Draft<K, Result<T, E>, P, N>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
{
    /// Builds a cache of `Result`s whose `Ok` is cached. Errors are shared and described in these ways, unless
    /// `share_err` was called.
    pub(super) fn built_of_results<S>(
        &self,
        sharing: Option<Sharing<E>>,
        describe: Describe<E>,
    ) -> Result<Cache<K, Result<T, E>>, Error>
    where
        P: OfErrors<K, T, E, S>,
        N: Empties<Fallible<T, E>>,
    {
        let parts = self.parts.of_errors();
        let sharing = parts.share.map(Sharing::Copied).or(sharing).unwrap_or(Sharing::Never);
        self.cache::<Fallible<T, E>, _>(&parts, sharing, describe)
    }
}

/// The closures of a cache of `Result`s, whose errors are shared in the way `S`.
pub trait OfErrors<K, T: Value, E: Failure, S> {
    /// The closures, for a cache that keeps the `Ok`.
    fn of_errors(&self) -> Parts<K, Fallible<T, E>, S>;
}
impl<K, T: Value, E: Failure> OfErrors<K, T, E, BySight> for Undecided {
    fn of_errors(&self) -> Parts<K, Fallible<T, E>, BySight> {
        Parts::NONE
    }
}
impl<K, T: Value, E: Failure, S> OfErrors<K, T, E, S> for Parts<K, Fallible<T, E>, S> {
    fn of_errors(&self) -> Parts<K, Fallible<T, E>, S> {
        let Self { fetcher, values, share, shares } = self;
        Parts { fetcher: fetcher.clone(), values: values.clone(), share: *share, shares: *shares }
    }
}
impl<K, V, P, N> Draft<K, V, P, N>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
{
    fn cache<O: Outcome<Return = V>, S>(
        &self,
        parts: &Parts<K, O, S>,
        share: Sharing<O::Error>,
        describe: Describe<O::Error>,
    ) -> Result<Cache<K, V>, Error>
    where
        N: Empties<O>,
    {
        let mut policy = self.policy;
        let empty = self.empty.clone().or_else(N::by_default);
        let mut contradictions: Vec<String> = policy.clamp().iter().map(ToString::to_string).collect();
        let mut contradiction = |text: &str| contradictions.push(text.to_owned());
        if policy.wait.is_some() && empty.is_none() {
            contradiction(
                "option `wait`: a caller who has waited that long gets the empty value, and there is none: say which with \
                 `.empty(|key| ..)`, for a `Result` most often an `Err`",
            );
        }
        match (policy.max_bytes, &parts.values.weigh) {
            (Some(_), None) => {
                contradiction("option `max_bytes`: `weigh` has to say how many bytes a value counts");
            }
            (None, Some(_)) => contradiction("option `weigh`: it counts for `max_bytes`, and there is none"),
            _ => {}
        }
        let is_named = self.name.is_some();
        let name = self.name.unwrap_or_else(std::any::type_name::<Cache<K, V>>);
        if !contradictions.is_empty() {
            return Err(Error::new(format!("cacheback: cache `{name}`: {}", contradictions.join("; "))));
        }
        if self.vary.is_some() {
            policy.varies = VARIES;
        }
        let closures = KeyClosures { fetcher: parts.fetcher.clone(), empty, vary: self.vary.clone() };
        let values = parts.values.clone();
        let engine = Engine::<Of<_, O>>::new(Definition { name, policy, values, share, describe });
        if is_named {
            any::list_object(&(Arc::clone(&engine) as Arc<dyn ErasedCache>));
        }
        let hasher = engine.hasher();
        Ok(Cache::new(Arc::new(Object { engine, closures: Arc::new(closures), is_named }), hasher))
    }
}

/// The options that `vary` may change.
const VARIES: &[&str] = &[
    "lifetime",
    "max_stale",
    "retention",
    "refresh_ahead",
    "fetch_on_miss",
    "wait",
    "refresh_timeout",
    "max_backoff",
    "cache_err",
    "jitter",
];
