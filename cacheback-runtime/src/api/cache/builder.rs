//! [`CacheBuilder`], which makes a cache object from options and closures.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use super::closures::{Fetcher, OverKey, Vary};
use crate::base::sync::Arc;
use crate::engine::ValueOptions;
use crate::outcome::{Empty, Failure, Fallible, Outcome, Value, Whole};
use crate::rules::policy::{Eviction, Policy};

mod build;
mod levels;
mod values;
use build::OfErrors;
use levels::Levels;

/// Builds a [`Cache`]. It has the options of the attribute, with the same names, defaults and checks.
///
/// # Values that are `Result`s
///
/// If the values are `Result`s, an `Err` is never kept and never replaces a value, whether the fetch is that of
/// [`fetcher`](Self::fetcher), of `try_fetcher`, or the closure of a call. All callers who wait for a fetch get its
/// error, as with the attribute. So the error type is `Clone`, `From<Arc<E>>` or
/// `From<`[`FetchError`](crate::FetchError)`>`, or `share_err` says how to copy it. It need not be `Display`. With
/// `fetcher` it has to be `Clone`. In generic code a bare type parameter is never taken for a `Result`.
///
/// # Misses
///
/// While nothing is cached, a caller gets the empty value at once. That is `Default::default()`, unless
/// [`empty`](Self::empty) says another. With [`fetch_on_miss`](Self::fetch_on_miss) callers wait for the fetch instead,
/// and no empty value is needed.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use std::time::Duration;
/// use cacheback::Cache;
///
/// # #[derive(Clone)] struct User;
/// # #[derive(Clone)] struct Database;
/// # impl Database { async fn user(&self, id: u64) -> Result<User, String> { Ok(User) } }
/// struct Repository {
///     users: Cache<u64, Result<User, String>>,
/// }
///
/// impl Repository {
///     fn new(database: Database) -> Result<Self, cacheback::Error> {
///         let users = Cache::builder()
///             .name("repository.users")
///             .lifetime(Duration::from_secs(60))
///             .fetch_on_miss()
///             .try_fetcher(move |id: u64| {
///                 let database = database.clone();
///                 async move { database.user(id).await }
///             })
///             .build()?;
///         Ok(Self { users })
///     }
/// }
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct CacheBuilder<K, V, P = Undecided, N = Closures> {
    levels: Levels<Draft<K, V, P, N>>,
}

/// The options and closures that were given so far.
pub struct Draft<K, V, P, N> {
    name: Option<&'static str>,
    policy: Policy,
    empty: Option<OverKey<K, V>>,
    vary: Option<Vary<K>>,
    parts: P,
    needs: PhantomData<fn() -> N>,
}

/// No option so far says whether fetches can fail.
#[derive(Debug)]
pub struct Undecided(());

/// The closures that depend on the outcome `O`, whose error is shared in the way `S`.
pub struct Parts<K, O: Outcome, S> {
    fetcher: Option<Fetcher<K, O::Return>>,
    values: ValueOptions<O>,
    share: Option<Copies<O::Error>>,
    shares: PhantomData<fn() -> S>,
}

/// Values are kept whole, and each call knows whether they are `Result`s.
#[derive(Debug)]
pub enum ByCall {}
/// The error type, as `build` sees it, says how an error is shared.
#[derive(Debug)]
pub enum BySight {}
/// `share_err` copies the error for each waiting caller.
#[derive(Debug)]
pub enum ByClosure {}

/// Copies an error.
type Copies<E> = fn(&E) -> E;

/// A builder of a cache that keeps whole values.
type OfValues<K, V, N> = CacheBuilder<K, V, Parts<K, Whole<V>, ByCall>, N>;
/// A builder of a cache that keeps the `Ok` of a `Result`.
type OfResults<K, T, E, S, N> = CacheBuilder<K, Result<T, E>, Parts<K, Fallible<T, E>, S>, N>;

/// There is no fetcher: each call brings its own closure, and needs no empty value.
#[derive(Debug)]
pub enum Closures {}
/// There is a fetcher, and the empty value is the default value.
#[derive(Debug)]
pub enum NeedsEmpty {}
/// `empty` or `fetch_on_miss` was called: no default value is needed.
#[derive(Debug)]
pub enum Settled {}

/// The need for an empty value, before a fetcher is given.
pub trait Fetching {
    /// The need after a fetcher was given.
    type Needs;
}
impl Fetching for Closures {
    type Needs = NeedsEmpty;
}
impl Fetching for NeedsEmpty {
    type Needs = Self;
}
impl Fetching for Settled {
    type Needs = Self;
}

/// The empty value of a builder that was given none.
pub trait Empties<O: Outcome> {
    /// The default value, if one is needed.
    fn by_default<K>() -> Option<OverKey<K, O::Return>>;
}
impl<O: Outcome> Empties<O> for Closures {
    fn by_default<K>() -> Option<OverKey<K, O::Return>> {
        None
    }
}
impl<O: Outcome> Empties<O> for Settled {
    fn by_default<K>() -> Option<OverKey<K, O::Return>> {
        None
    }
}
impl<O: Outcome> Empties<O> for NeedsEmpty
where
    O::Value: Empty,
{
    fn by_default<K>() -> Option<OverKey<K, O::Return>> {
        Some(Arc::new(|_| O::join(Ok(O::Value::empty()))))
    }
}

impl<K, V> CacheBuilder<K, V> {
    pub(super) fn new() -> Self {
        Self::of(Draft {
            name: None,
            policy: Policy::default(),
            empty: None,
            vary: None,
            parts: Undecided(()),
            needs: PhantomData,
        })
    }
}

/// Options of every cache.
impl<K, V, P, N> CacheBuilder<K, V, P, N> {
    /// Names the cache for logs, metrics and errors, and lists it in [`caches`](crate::caches). Default: the name of
    /// its type, and the cache is not listed.
    pub fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// Sets how long a value is fresh. Default: 600 s.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.policy.lifetime = lifetime;
        self
    }

    /// Sets how long past its lifetime a value is served without waiting. Default: until `retention`.
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.policy.max_stale = Some(max_stale);
        self
    }

    /// Sets the age at which a value is dropped. Default: 30 days.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.policy.retention = retention;
        self
    }

    /// Lets a hit start the refresh when no more than this is left of the lifetime. Default: 0.
    pub fn refresh_ahead(mut self, refresh_ahead: Duration) -> Self {
        self.policy.refresh_ahead = refresh_ahead;
        self
    }

    /// Sets the longest time that a caller waits for a fetch, before it gets the stale or the empty value. Default: no
    /// limit.
    ///
    /// With [`fetch_on_miss`](Self::fetch_on_miss), and without a fetcher, the empty value has to be given by
    /// [`empty`](Self::empty), or `build` returns an error. For a `Result` it is most often an `Err`.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.policy.wait = Some(wait);
        self
    }

    /// Sets how long a fetch holds its key, so that no other fetch of it starts. Default: 60 s.
    pub fn refresh_timeout(mut self, refresh_timeout: Duration) -> Self {
        self.policy.refresh_timeout = refresh_timeout;
        self
    }

    /// Sets the longest pause after failed fetches of a key. Default: 60 s.
    pub fn max_backoff(mut self, max_backoff: Duration) -> Self {
        self.policy.max_backoff = max_backoff;
        self
    }

    /// Turns the circuit breaker on or off. Default: `true`, on.
    ///
    /// The breaker opens after ten failed fetches in a row, over any keys. While it is open, there is one fetch in the
    /// background for each back-off period, as a trial. It closes when a fetch succeeds.
    pub fn breaker(mut self, breaker: bool) -> Self {
        self.policy.breaker = breaker;
        self
    }

    /// Sets how many refreshes of this cache may run at once. Default: as many as the executor allows.
    pub fn max_refreshes(mut self, max_refreshes: usize) -> Self {
        self.policy.max_refreshes = Some(max_refreshes);
        self
    }

    /// Sets the largest share, from 0.0 to 1.0, by which a lifetime is shortened at random. Default: 0.0.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.policy.jitter = jitter;
        self
    }

    /// Sets the largest number of entries that are kept. Default: 10,000.
    pub fn capacity(mut self, capacity: u64) -> Self {
        self.policy.capacity = capacity;
        self
    }

    /// Sets the largest number of bytes that are kept, as `weigh` counts them. It takes the place of `capacity`.
    /// Default: entries are counted.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.policy.max_bytes = Some(max_bytes);
        self
    }

    /// Sets which values are evicted first when the cache is full. Default: [`Eviction::Lru`].
    pub fn eviction(mut self, eviction: Eviction) -> Self {
        self.policy.eviction = eviction;
        self
    }

    /// Changes options for a key. `vary` is called with the key and the options of the cache, at each fetch, miss and
    /// `set`, and never at a hit.
    ///
    /// If the changed options contradict each other, they are clamped, and a warning is logged. `vary` cannot change
    /// the options that concern the whole cache: `capacity`, `max_bytes`, `eviction` and `max_refreshes`. If there is
    /// no empty value, it cannot change `fetch_on_miss` and `wait` either.
    pub fn vary(mut self, vary: impl Fn(&K, &mut Policy) + Send + Sync + 'static) -> Self {
        self.vary = Some(Arc::new(vary));
        self
    }

    /// Sets the empty value, which a caller gets while nothing is cached. Default: `Default::default()`, for a `Result`
    /// in an `Ok`.
    pub fn empty(
        mut self,
        empty: impl Fn(&K) -> V + Send + Sync + 'static,
    ) -> CacheBuilder<K, V, P, Settled> {
        self.empty = Some(Arc::new(empty));
        self.with(|parts| parts)
    }

    /// Lets a caller wait for the fetch if nothing is cached. No empty value is needed then.
    pub fn fetch_on_miss(mut self) -> CacheBuilder<K, V, P, Settled> {
        self.policy.fetch_on_miss = true;
        self.with(|parts| parts)
    }

    fn with<Q, M>(self, parts: impl FnOnce(P) -> Q) -> CacheBuilder<K, V, Q, M> {
        let Draft { name, policy, empty, vary, parts: old, needs: _ } = self.into_draft();
        CacheBuilder::of(Draft { name, policy, empty, vary, parts: parts(old), needs: PhantomData })
    }
}

impl<K, V, N> CacheBuilder<K, V, Undecided, N> {
    fn decided<O: Outcome<Return = V>, S>(self) -> CacheBuilder<K, V, Parts<K, O, S>, N> {
        self.with(|_| Parts::NONE)
    }
}

impl<K, O: Outcome, S> Parts<K, O, S> {
    const NONE: Self = Self { fetcher: None, values: ValueOptions::NONE, share: None, shares: PhantomData };

    /// The same closures, with errors shared in another way.
    fn shared<Q>(self) -> Parts<K, O, Q> {
        let Self { fetcher, values, share, shares: _ } = self;
        Parts { fetcher, values, share, shares: PhantomData }
    }

    fn fetched_by<F, R>(mut self, fetcher: F) -> Self
    where
        F: Fn(K) -> R + Send + Sync + 'static,
        R: Future<Output = O::Return> + Send + 'static,
    {
        self.fetcher = Some(Arc::new(move |key| Box::pin(fetcher(key))));
        self
    }
}

impl<K, O: Outcome, S> fmt::Debug for Parts<K, O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl<K, V, P, N> fmt::Debug for CacheBuilder<K, V, P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Draft::fmt(self, f)
    }
}

impl<K, V, P, N> fmt::Debug for Draft<K, V, P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, policy, .. } = self;
        f.debug_struct("CacheBuilder").field("name", name).field("policy", policy).finish_non_exhaustive()
    }
}
