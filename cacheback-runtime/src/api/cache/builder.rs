//! [`CacheBuilder`], which makes a cache object from options and closures.
//!
//! One file, though a long one: the compiler names a method by its type alone if both stand in one module, and users read
//! these names in their errors.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::marker::PhantomData;
use std::time::Duration;

use super::closures::{Fetcher, KeyClosures, OverKey, Vary};
use super::{Cache, Object, any};
use crate::base::sync::Arc;
use crate::engine::{Closure, Definition, Engine, ErasedCache, Of, SharedOptions, ValueOptions};
#[cfg(feature = "shared")]
use crate::function::shared::{SharedKey, SharedValue};
use crate::outcome::error::Error;
use crate::outcome::weight::Weight;
use crate::outcome::{Describe, Empty, Failure, Fallible, Outcome, Sharing, Value, Whole};
use crate::rules::policy::{Eviction, Policy};
#[cfg(feature = "shared")]
use crate::tier::codec::Encoding;

mod levels;
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
    alias: Option<&'static str>,
    version: u64,
    queue: Option<&'static str>,
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

/// The values are in the second tier too, so keys and values have to become bytes.
#[cfg(feature = "shared")]
#[derive(Debug)]
pub struct InTier<N>(PhantomData<fn() -> N>);

/// The need for an empty value, and how it changes.
pub trait Fetching {
    /// The need after a fetcher was given.
    type Needs;
    /// The need after `empty` or `fetch_on_miss` was called.
    type Settled;
}
impl Fetching for Closures {
    type Needs = NeedsEmpty;
    type Settled = Settled;
}
impl Fetching for NeedsEmpty {
    type Needs = Self;
    type Settled = Settled;
}
impl Fetching for Settled {
    type Needs = Self;
    type Settled = Self;
}
#[cfg(feature = "shared")]
impl<N: Fetching> Fetching for InTier<N> {
    type Needs = InTier<N::Needs>;
    type Settled = InTier<N::Settled>;
}

/// The things that a builder makes when the types of its cache are known.
pub trait Empties<K, O: Outcome> {
    /// The default value, if one is needed.
    fn by_default() -> Option<OverKey<K, O::Return>> {
        None
    }
    /// How keys and values become bytes, if they are shared.
    fn encodings() -> Option<Encodings<K, O::Value>> {
        None
    }
}
impl<K, O: Outcome> Empties<K, O> for Closures {}
impl<K, O: Outcome> Empties<K, O> for Settled {}
impl<K, O: Outcome> Empties<K, O> for NeedsEmpty
where
    O::Value: Empty,
{
    fn by_default() -> Option<OverKey<K, O::Return>> {
        Some(Arc::new(|_| O::join(Ok(O::Value::empty()))))
    }
}
#[cfg(feature = "shared")]
impl<K: SharedKey, O: Outcome, N: Empties<K, O>> Empties<K, O> for InTier<N>
where
    O::Value: SharedValue,
{
    fn by_default() -> Option<OverKey<K, O::Return>> {
        N::by_default()
    }
    fn encodings() -> Option<Encodings<K, O::Value>> {
        Some(Encodings::new())
    }
}

impl<K, V> CacheBuilder<K, V> {
    pub(super) fn new() -> Self {
        Self::of(Draft {
            name: None,
            policy: Policy::default(),
            empty: None,
            vary: None,
            alias: None,
            version: 0,
            queue: None,
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
    ) -> CacheBuilder<K, V, P, N::Settled>
    where
        N: Fetching,
    {
        self.empty = Some(Arc::new(empty));
        self.with(|parts| parts)
    }

    /// Lets a caller wait for the fetch if nothing is cached. No empty value is needed then.
    pub fn fetch_on_miss(mut self) -> CacheBuilder<K, V, P, N::Settled>
    where
        N: Fetching,
    {
        self.policy.fetch_on_miss = true;
        self.with(|parts| parts)
    }

    /// Shares the values with all processes that have the same second tier
    /// ([`Configure::shared`](crate::Configure::shared)), and in it the same [`name`](Self::name). Default: they stay in
    /// this process.
    ///
    /// Keys and values have to be `Serialize` and `DeserializeOwned`; of a `Result` only the `Ok`.
    #[cfg(feature = "shared")]
    pub fn shared(self) -> CacheBuilder<K, V, P, InTier<N>> {
        self.with(|parts| parts)
    }

    /// The same, in the tier of this alias ([`Configure::shared_as`](crate::Configure::shared_as)).
    #[cfg(feature = "shared")]
    pub fn shared_as(mut self, alias: &'static str) -> CacheBuilder<K, V, P, InTier<N>> {
        self.alias = Some(alias);
        self.with(|parts| parts)
    }

    /// Sets the version of the shared entries: those of another version count as missing. Default: 0.
    #[cfg(feature = "shared")]
    pub fn version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    /// Lets worker processes run the refreshes that nobody waits for, from the queue `default`: those that build a cache
    /// of the same [`name`](Self::name), and [serve](crate::Worker::serve) it. Each fetches with its own fetcher. Needs
    /// `shared` and a fetcher. Default: refreshes run in the process that asks for them.
    #[cfg(feature = "shared")]
    pub fn queue(self) -> Self {
        self.queue_as("default")
    }

    /// The same, from the queue of this name, which is shown beside the cache's own.
    #[cfg(feature = "shared")]
    pub fn queue_as(mut self, queue: &'static str) -> Self {
        self.queue = Some(queue);
        self
    }

    /// Sets whether a refresh runs in the process that asks for it if no worker takes it: none was seen in the last 15
    /// seconds, 10,000 jobs wait, the queue or the second tier gives no answer, the tier has no queue, or the key is too
    /// long for a job. With `false` the value stays stale instead, unless a caller waits. The trial of an open breaker still
    /// runs in the process that asks, and so does each refresh without a second tier, or of a key that cannot be encoded
    /// for it. Default: `true`.
    #[cfg(feature = "shared")]
    pub fn queue_fallback(mut self, queue_fallback: bool) -> Self {
        self.policy.queue_fallback = queue_fallback;
        self
    }

    fn with<Q, M>(self, parts: impl FnOnce(P) -> Q) -> CacheBuilder<K, V, Q, M> {
        let Draft { name, policy, empty, vary, alias, version, queue, parts: old, needs: _ } =
            self.into_draft();
        let parts = parts(old);
        CacheBuilder::of(Draft {
            name,
            policy,
            empty,
            vary,
            alias,
            version,
            queue,
            parts,
            needs: PhantomData,
        })
    }
}

/// Options about whole values.
impl<K, V: Value, N> CacheBuilder<K, V, Undecided, N> {
    /// Sets the fetcher, which makes the value of a key. It gets an owned key, and its future runs as a task of its
    /// own.
    ///
    /// If it returns a `Result`, only an `Ok` is cached, as with [`try_fetcher`](Self::try_fetcher). But the other
    /// options are given the whole `Result`, and the error has to be `Clone`.
    pub fn fetcher<F, R>(self, fetcher: F) -> OfValues<K, V, N::Needs>
    where
        N: Fetching,
        F: Fn(K) -> R + Send + Sync + 'static,
        R: Future<Output = V> + Send + 'static,
    {
        self.decided::<_, ByCall>().fetcher(fetcher)
    }

    /// Gives each value a lifetime of its own. If you use `try_fetcher`, call it before this.
    ///
    /// A value whose lifetime is zero answers the waiting callers and is not stored. Its key is not fetched in the
    /// background for 1 s then.
    pub fn lifetime_for(
        self,
        lifetime_for: impl Fn(&V) -> Duration + Send + Sync + 'static,
    ) -> OfValues<K, V, N> {
        self.decided().lifetime_for(lifetime_for)
    }

    /// Gives each value a retention of its own. No caller gets the value after that time, whatever fails. If you use
    /// `try_fetcher`, call it before this.
    pub fn retention_for(
        self,
        retention_for: impl Fn(&V) -> Duration + Send + Sync + 'static,
    ) -> OfValues<K, V, N> {
        self.decided().retention_for(retention_for)
    }

    /// Gives the number of bytes that a value counts as, as any unsigned integer: see [`max_bytes`](Self::max_bytes).
    /// If you use `try_fetcher`, call it before this.
    pub fn weigh<W: Weight>(self, weigh: impl Fn(&V) -> W + Send + Sync + 'static) -> OfValues<K, V, N> {
        self.decided().weigh(weigh)
    }
}

impl<K, V: Value, N: Fetching> OfValues<K, V, N> {
    /// Sets the fetcher, which makes the value of a key. It gets an owned key, and its future runs as a task of its
    /// own.
    ///
    /// If it returns a `Result`, only an `Ok` is cached.
    pub fn fetcher<F, R>(self, fetcher: F) -> OfValues<K, V, N::Needs>
    where
        F: Fn(K) -> R + Send + Sync + 'static,
        R: Future<Output = V> + Send + 'static,
    {
        self.with(|parts| parts.fetched_by(fetcher))
    }
}

/// Options about fetches that can fail.
impl<K, T: Value, E: Failure, N> CacheBuilder<K, Result<T, E>, Undecided, N> {
    /// Sets the fetcher, which makes the value of a key or fails. It gets an owned key, and its future runs as a task
    /// of its own. An `Err` is not cached.
    ///
    /// All callers who waited get an `Err` in the same form, as with a cached function. It is a clone if the error is
    /// `Clone`, else it is made by `From<Arc<E>>`, else by `From<`[`FetchError`](crate::FetchError)`>`.
    /// [`share_err`](Self::share_err) takes the place of these.
    pub fn try_fetcher<F, R>(self, fetcher: F) -> OfResults<K, T, E, BySight, N::Needs>
    where
        N: Fetching,
        F: Fn(K) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.decided::<_, BySight>().try_fetcher(fetcher)
    }

    /// Sets how an error is copied for each of the callers who wait for it, if it is not `Clone`.
    ///
    /// Without a fetcher, this also says that the values are `Result`s whose `Ok` is cached.
    pub fn share_err(self, share: fn(&E) -> E) -> OfResults<K, T, E, ByClosure, N> {
        self.decided::<_, BySight>().share_err(share)
    }
}

impl<K, T: Value, E: Failure, S, N> OfResults<K, T, E, S, N> {
    /// Sets the fetcher, which makes the value of a key or fails. It gets an owned key, and its future runs as a task
    /// of its own. An `Err` is not cached.
    pub fn try_fetcher<F, R>(self, fetcher: F) -> OfResults<K, T, E, S, N::Needs>
    where
        N: Fetching,
        F: Fn(K) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.with(|parts| parts.fetched_by(fetcher))
    }

    /// Sets how an error is copied for each of the callers who wait for it, if it is not `Clone`.
    pub fn share_err(self, share: fn(&E) -> E) -> OfResults<K, T, E, ByClosure, N> {
        self.with(|parts| Parts { share: Some(share), ..parts.sharing() })
    }

    /// Tells whether an error says that the origin is down. Default: every error does.
    ///
    /// An error for which `is_outage` is false, such as "not found", is the answer of a healthy origin. Its key backs
    /// off all the same, but the error does not count as a failure for the [`breaker`](CacheBuilder::breaker), and
    /// closes it if it is open.
    pub fn is_outage(mut self, is_outage: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        self.parts.values.is_outage = Some(Closure::shared(is_outage));
        self
    }

    /// Keeps an `Err` for this long, if its key has no value. Until then it answers the callers who would wait for a
    /// fetch. Default: an `Err` is not kept.
    pub fn cache_err(mut self, cache_err: Duration) -> Self {
        self.policy.cache_err = Some(cache_err);
        self
    }
}

impl<K, T, E, N> OfValues<K, Result<T, E>, N>
where
    Result<T, E>: Value,
{
    /// Keeps an `Err` for this long, if its key has no value. Until then it answers the callers who would wait for a
    /// fetch. Default: an `Err` is not kept.
    pub fn cache_err(mut self, cache_err: Duration) -> Self {
        self.policy.cache_err = Some(cache_err);
        self
    }
}

/// Options about values.
impl<K, O: Outcome, S, N> CacheBuilder<K, O::Return, Parts<K, O, S>, N> {
    /// Gives each value a lifetime of its own.
    ///
    /// A value whose lifetime is zero answers the waiting callers and is not stored. Its key is not fetched in the
    /// background for 1 s then.
    pub fn lifetime_for(
        mut self,
        lifetime_for: impl Fn(&O::Value) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.parts.values.lifetime_for = Some(Closure::shared(lifetime_for));
        self
    }

    /// Gives each value a retention of its own. No caller gets the value after that time, whatever fails, and it is
    /// fresh no longer. If `retention` is shorter, it counts instead.
    ///
    /// A value whose retention is zero answers the waiting callers and is not stored. Its key is not fetched in the
    /// background for 1 s then.
    pub fn retention_for(
        mut self,
        retention_for: impl Fn(&O::Value) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.parts.values.retention_for = Some(Closure::shared(retention_for));
        self
    }

    /// Gives the number of bytes that a value counts as, as any unsigned integer: see [`max_bytes`](Self::max_bytes).
    pub fn weigh<W: Weight>(mut self, weigh: impl Fn(&O::Value) -> W + Send + Sync + 'static) -> Self {
        self.parts.values.weigh = Some(Closure::shared(move |value| weigh(value).bytes()));
        self
    }
}

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
        N: Empties<K, Whole<V>>,
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
        N: Empties<K, Whole<V>>,
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
        N: Empties<K, Fallible<T, E>>,
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
        N: Empties<K, O>,
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
        let encodings = N::encodings();
        if encodings.is_some() && !is_named {
            contradiction(
                "option `shared`: by its `name` the other processes know the cache, and it has none",
            );
        }
        if self.queue.is_some() && encodings.is_none() {
            contradiction("option `queue`: the queue is in the second tier: say `shared` too");
        }
        if self.queue.is_some() && parts.fetcher.is_none() {
            contradiction(
                "option `queue`: a worker fetches with the fetcher of its cache, and this one has none",
            );
        }
        let name = self.name.unwrap_or_else(std::any::type_name::<Cache<K, V>>);
        if !contradictions.is_empty() {
            return Err(Error::new(format!("cacheback: cache `{name}`: {}", contradictions.join("; "))));
        }
        if self.vary.is_some() {
            policy.varies = VARIES;
        }
        let closures = KeyClosures { fetcher: parts.fetcher.clone(), empty, vary: self.vary.clone() };
        let values = parts.values.clone();
        let shared = encodings.map(|encodings| encodings.options(self.alias, self.version, self.queue));
        let engine = Engine::<Of<_, O>>::new(Definition { name, policy, values, share, describe, shared });
        if is_named {
            any::list_object(&(Arc::clone(&engine) as Arc<dyn ErasedCache>));
        }
        let hasher = engine.hasher();
        Ok(Cache::new(Arc::new(Object { engine, closures: Arc::new(closures), is_named }), hasher))
    }
}

/// How keys and values of a shared cache become bytes.
#[cfg(feature = "shared")]
#[derive(Debug)]
pub struct Encodings<K, V> {
    key: Encoding<K>,
    value: Encoding<V>,
}
/// Without the feature no cache is shared.
#[cfg(not(feature = "shared"))]
#[derive(Debug)]
pub struct Encodings<K, V>(std::convert::Infallible, PhantomData<fn() -> (K, V)>);

#[cfg(feature = "shared")]
impl<K, V> Encodings<K, V> {
    fn new() -> Self
    where
        K: SharedKey,
        V: SharedValue,
    {
        Self { key: Encoding::of(), value: Encoding::of() }
    }

    fn options(
        self,
        alias: Option<&'static str>,
        version: u64,
        queue: Option<&'static str>,
    ) -> SharedOptions<K, V> {
        let Self { key, value } = self;
        SharedOptions { alias, version, instance: None, queue, key, value }
    }
}
#[cfg(not(feature = "shared"))]
impl<K, V> Encodings<K, V> {
    fn options(self, _: Option<&'static str>, _: u64, _: Option<&'static str>) -> SharedOptions<K, V> {
        match self.0 {}
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

impl<K, V, N> CacheBuilder<K, V, Undecided, N> {
    fn decided<O: Outcome<Return = V>, S>(self) -> CacheBuilder<K, V, Parts<K, O, S>, N> {
        self.with(|_| Parts::NONE)
    }
}

impl<K, O: Outcome, S> Parts<K, O, S> {
    const NONE: Self = Self { fetcher: None, values: ValueOptions::NONE, share: None, shares: PhantomData };

    /// The same closures, with errors shared in another way.
    fn sharing<Q>(self) -> Parts<K, O, Q> {
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
