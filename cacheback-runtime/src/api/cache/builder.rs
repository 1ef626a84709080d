//! [`CacheBuilder`]: a cache to be.

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::marker::PhantomData;
use std::time::Duration;

use super::closures::{Fetcher, Over, Recipe, Vary};
use super::{Cache, Object, any};
use crate::base::sync::Arc;
use crate::engine::{Closure, Definition, Engine, ErasedCache, Of, ValueOptions};
use crate::outcome::error::Error;
use crate::outcome::weight::Weight;
use crate::outcome::{Describe, Empty, Failure, Fallible, Outcome, Sharing, Value, Whole};
use crate::rules::policy::{Eviction, Policy};

mod levels;
use levels::Levels;

/// Makes a [`Cache`]: the options of the attribute, with the same names, defaults and checks.
///
/// If the values are `Result`s, an `Err` is never kept and never replaces a value, whichever way the fetch comes:
/// [`fetcher`](Self::fetcher), `try_fetcher`, or a call's own closure. Errors are shared and described as under the
/// attribute: they are `Clone`, `From<Arc<E>>` or `From<`[`FetchError`](crate::FetchError)`>`, or `share_err` says how, and
/// they need no `Display`. A `fetcher` takes those alone that are `Clone`. In generic code a bare type parameter is never
/// a `Result`.
///
/// While nothing is cached a caller gets the empty value, which is `Default::default()` unless [`empty`](Self::empty)
/// says another; [`fetch_on_miss`](Self::fetch_on_miss) lets callers wait instead, and then none is needed.
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

/// All that was said of a cache.
pub struct Draft<K, V, P, N> {
    name: Option<&'static str>,
    policy: Policy,
    empty: Option<Over<K, V>>,
    vary: Option<Vary<K>>,
    parts: P,
    needs: PhantomData<fn() -> N>,
}

/// Whether what is fetched can fail was not said yet.
#[derive(Debug)]
pub struct Undecided(());

/// What depends on the type of the cached value: for an outcome `O`, whose error is shared in the way `S`.
pub struct Parts<K, O: Outcome, S> {
    fetcher: Option<Fetcher<K, O::Return>>,
    values: ValueOptions<O>,
    share: Option<Copies<O::Error>>,
    shares: PhantomData<fn() -> S>,
}

/// Values are kept whole, and the calls know whether they are `Result`s.
#[derive(Debug)]
pub enum ByCall {}
/// How an error is shared is seen at `build`.
#[derive(Debug)]
pub enum BySight {}
/// `share_err` makes the error for each who waits for it.
#[derive(Debug)]
pub enum ByClosure {}

/// Makes another of an error.
type Copies<E> = fn(&E) -> E;

/// A builder of a cache that keeps whole values.
type OfValues<K, V, N> = CacheBuilder<K, V, Parts<K, Whole<V>, ByCall>, N>;
/// A builder of a cache that keeps the `Ok` of a `Result`.
type OfResults<K, T, E, S, N> = CacheBuilder<K, Result<T, E>, Parts<K, Fallible<T, E>, S>, N>;

/// No fetcher yet: each call brings its own.
#[derive(Debug)]
pub enum Closures {}
/// A caller may be answered with the default value.
#[derive(Debug)]
pub enum NeedsEmpty {}
/// It was said what a caller gets while nothing is cached.
#[derive(Debug)]
pub enum Settled {}

/// What a builder needs that is given a fetcher.
pub trait Fetching {
    /// What it needs then.
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

/// What a caller gets while nothing is cached, where the builder was not told.
pub trait Empties<O: Outcome> {
    /// The default value, where one is needed.
    fn by_default<K>() -> Option<Over<K, O::Return>>;
}
impl<O: Outcome> Empties<O> for Closures {
    fn by_default<K>() -> Option<Over<K, O::Return>> {
        None
    }
}
impl<O: Outcome> Empties<O> for Settled {
    fn by_default<K>() -> Option<Over<K, O::Return>> {
        None
    }
}
impl<O: Outcome> Empties<O> for NeedsEmpty
where
    O::Value: Empty,
{
    fn by_default<K>() -> Option<Over<K, O::Return>> {
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
    /// The cache's name in logs, metrics and errors, and in the list of [`caches`](crate::caches); without one it is called
    /// by its type and not listed.
    pub fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// How long a value is fresh. Default: 600 s.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.policy.lifetime = lifetime;
        self
    }

    /// How long past its lifetime a value is served without waiting. Default: until `retention`.
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.policy.max_stale = Some(max_stale);
        self
    }

    /// The age at which a value is gone. Default: 30 days.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.policy.retention = retention;
        self
    }

    /// A hit this close to the end of the lifetime starts the refresh. Default: 0.
    pub fn refresh_ahead(mut self, refresh_ahead: Duration) -> Self {
        self.policy.refresh_ahead = refresh_ahead;
        self
    }

    /// The longest that a caller waits for a fetch; then it gets the stale or the empty value. Default: no limit. With
    /// [`fetch_on_miss`](Self::fetch_on_miss), and without a fetcher, [`empty`](Self::empty) says which that is, or
    /// `build` refuses: for a `Result` most often an `Err`.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.policy.wait = Some(wait);
        self
    }

    /// How long a fetch holds its key against another one. Default: 60 s.
    pub fn refresh_timeout(mut self, refresh_timeout: Duration) -> Self {
        self.policy.refresh_timeout = refresh_timeout;
        self
    }

    /// The longest pause after failed fetches of a key. Default: 60 s.
    pub fn max_backoff(mut self, max_backoff: Duration) -> Self {
        self.policy.max_backoff = max_backoff;
        self
    }

    /// Whether ten failed fetches in a row, over any keys, shrink refreshes in the background to one trial a back-off
    /// period until one succeeds. Default: `true`.
    pub fn breaker(mut self, breaker: bool) -> Self {
        self.policy.breaker = breaker;
        self
    }

    /// How many refreshes of this cache may run at once. Default: as many as the executor lets.
    pub fn max_refreshes(mut self, max_refreshes: usize) -> Self {
        self.policy.max_refreshes = Some(max_refreshes);
        self
    }

    /// The largest share by which a lifetime is shortened at random, 0.0 to 1.0. Default: 0.0.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.policy.jitter = jitter;
        self
    }

    /// The most entries that are kept. Default: 10,000.
    pub fn capacity(mut self, capacity: u64) -> Self {
        self.policy.capacity = capacity;
        self
    }

    /// The most bytes that are kept, as `weigh` counts them, in place of `capacity`.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.policy.max_bytes = Some(max_bytes);
        self
    }

    /// Which values are dropped first where the cache is full. Default: [`Eviction::Lru`].
    pub fn eviction(mut self, eviction: Eviction) -> Self {
        self.policy.eviction = eviction;
        self
    }

    /// Options that depend on the key: `vary` changes the others for it, at each fetch, miss and `set`, never at a hit.
    /// Those that contradict each other then are clamped, with a warning. It has no say in what concerns the whole
    /// cache (`capacity`, `max_bytes`, `eviction`, `max_refreshes`), nor in who waits how long where no empty value
    /// exists.
    pub fn vary(mut self, vary: impl Fn(&K, &mut Policy) + Send + Sync + 'static) -> Self {
        self.vary = Some(Arc::new(vary));
        self
    }

    /// What a caller gets while nothing is cached. Default: `Default::default()`, in `Ok` for a `Result`.
    pub fn empty(
        mut self,
        empty: impl Fn(&K) -> V + Send + Sync + 'static,
    ) -> CacheBuilder<K, V, P, Settled> {
        self.empty = Some(Arc::new(empty));
        self.with(|parts| parts)
    }

    /// A caller waits for the fetch where nothing is cached. No empty value is needed then.
    pub fn fetch_on_miss(mut self) -> CacheBuilder<K, V, P, Settled> {
        self.policy.fetch_on_miss = true;
        self.with(|parts| parts)
    }

    fn with<Q, M>(self, parts: impl FnOnce(P) -> Q) -> CacheBuilder<K, V, Q, M> {
        let Draft { name, policy, empty, vary, parts: old, needs: _ } = self.into_draft();
        CacheBuilder::of(Draft { name, policy, empty, vary, parts: parts(old), needs: PhantomData })
    }
}

/// A cache whose values are given to the options whole.
impl<K, V: Value, N> CacheBuilder<K, V, Undecided, N> {
    /// Where values come from: run as a task of its own, with a key of its own. If that is a `Result`, its `Ok` is cached
    /// alone, as with [`try_fetcher`](Self::try_fetcher); the other options see it whole, and its error is `Clone`.
    pub fn fetcher<F, R>(self, fetcher: F) -> OfValues<K, V, N::Needs>
    where
        N: Fetching,
        F: Fn(K) -> R + Send + Sync + 'static,
        R: Future<Output = V> + Send + 'static,
    {
        self.decided::<_, ByCall>().fetcher(fetcher)
    }

    /// This value's own lifetime. Zero: it answers those who wait, is not stored, and nothing is fetched in the
    /// background for 1 s. With a `try_fetcher`, call that first.
    pub fn lifetime_for(
        self,
        lifetime_for: impl Fn(&V) -> Duration + Send + Sync + 'static,
    ) -> OfValues<K, V, N> {
        self.decided().lifetime_for(lifetime_for)
    }

    /// This value's own retention: nobody is given it after that, whatever fails. With a `try_fetcher`, call that first.
    pub fn retention_for(
        self,
        retention_for: impl Fn(&V) -> Duration + Send + Sync + 'static,
    ) -> OfValues<K, V, N> {
        self.decided().retention_for(retention_for)
    }

    /// How many bytes a value counts, as any unsigned integer. With a `try_fetcher`, call that first.
    pub fn weigh<W: Weight>(self, weigh: impl Fn(&V) -> W + Send + Sync + 'static) -> OfValues<K, V, N> {
        self.decided().weigh(weigh)
    }
}

impl<K, V: Value, N: Fetching> OfValues<K, V, N> {
    /// Where values come from: run as a task of its own, with a key of its own. If that is a `Result`, its `Ok` is cached
    /// alone.
    pub fn fetcher<F, R>(self, fetcher: F) -> OfValues<K, V, N::Needs>
    where
        F: Fn(K) -> R + Send + Sync + 'static,
        R: Future<Output = V> + Send + 'static,
    {
        self.with(|parts| parts.fetched_by(fetcher))
    }
}

/// A cache of the `Ok` of a `Result`.
impl<K, T: Value, E: Failure, N> CacheBuilder<K, Result<T, E>, Undecided, N> {
    /// Where values come from: run as a task of its own, with a key of its own. An `Err` is not cached. All who waited
    /// for it get it in one form, as those of a cached function do: a clone, else `From<Arc<E>>`, else
    /// `From<`[`FetchError`](crate::FetchError)`>`; or what [`share_err`](Self::share_err) makes of it.
    pub fn try_fetcher<F, R>(self, fetcher: F) -> OfResults<K, T, E, BySight, N::Needs>
    where
        N: Fetching,
        F: Fn(K) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.decided::<_, BySight>().try_fetcher(fetcher)
    }

    /// How to hand one error to many waiting callers, if it is not `Clone`; and, without a fetcher, that the `Err`
    /// of a `Result` is not cached.
    pub fn share_err(self, share: fn(&E) -> E) -> OfResults<K, T, E, ByClosure, N> {
        self.decided::<_, BySight>().share_err(share)
    }
}

impl<K, T: Value, E: Failure, S, N> OfResults<K, T, E, S, N> {
    /// Where values come from: run as a task of its own, with a key of its own. An `Err` is not cached.
    pub fn try_fetcher<F, R>(self, fetcher: F) -> OfResults<K, T, E, S, N::Needs>
    where
        N: Fetching,
        F: Fn(K) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.with(|parts| parts.fetched_by(fetcher))
    }

    /// How to hand one error to many waiting callers, if it is not `Clone`.
    pub fn share_err(self, share: fn(&E) -> E) -> OfResults<K, T, E, ByClosure, N> {
        self.with(|parts| Parts { share: Some(share), ..parts.shared() })
    }

    /// Whether an error says that the origin is down. An error for which it is false, such as "not found", is an answer
    /// of a healthy origin: its key backs off, but it never opens the [`breaker`](CacheBuilder::breaker), and closes an
    /// open one. Default: every error is an outage.
    pub fn is_outage(mut self, is_outage: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        self.parts.values.is_outage = Some(Closure::shared(is_outage));
        self
    }

    /// Where no value exists, an `Err` answers waiting callers that long. Default: not at all.
    pub fn cache_err(mut self, cache_err: Duration) -> Self {
        self.policy.cache_err = Some(cache_err);
        self
    }
}

impl<K, T, E, N> OfValues<K, Result<T, E>, N>
where
    Result<T, E>: Value,
{
    /// Where no value exists, an `Err` answers waiting callers that long. Default: not at all.
    pub fn cache_err(mut self, cache_err: Duration) -> Self {
        self.policy.cache_err = Some(cache_err);
        self
    }
}

/// Options about values.
impl<K, O: Outcome, S, N> CacheBuilder<K, O::Return, Parts<K, O, S>, N> {
    /// This value's own lifetime. Zero: it answers those who wait, is not stored, and nothing is fetched in the
    /// background for 1 s.
    pub fn lifetime_for(
        mut self,
        lifetime_for: impl Fn(&O::Value) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.parts.values.lifetime_for = Some(Closure::shared(lifetime_for));
        self
    }

    /// This value's own retention: nobody is given it after that, whatever fails, and it is not fresh any longer than that.
    /// `retention` holds as well: the shorter one counts. Zero: it answers those who wait, is not stored, and nothing is
    /// fetched in the background for 1 s.
    pub fn retention_for(
        mut self,
        retention_for: impl Fn(&O::Value) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.parts.values.retention_for = Some(Closure::shared(retention_for));
        self
    }

    /// How many bytes a value counts, as any unsigned integer.
    pub fn weigh<W: Weight>(mut self, weigh: impl Fn(&O::Value) -> W + Send + Sync + 'static) -> Self {
        self.parts.values.weigh = Some(Closure::shared(move |value| weigh(value).bytes()));
        self
    }
}

impl<K, V: Value, N> CacheBuilder<K, V, Undecided, N>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
{
    /// The cache. One without a fetcher is built for any values that are `Clone`, and so are their errors if they are
    /// `Result`s. For other errors their type is written where the builder is made:
    /// `Cache::<u64, Result<User, Failure>>::builder()`.
    ///
    /// # Errors
    ///
    /// If options contradict each other: all of them, with their names.
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
    /// The cache.
    ///
    /// # Errors
    ///
    /// If options contradict each other: all of them, with their names.
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
    /// A cache of the `Ok` of a `Result`, whose errors are shared and described so, unless the options say otherwise.
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
        let told = parts.share.map(Sharing::Copied);
        self.cache::<Fallible<T, E>, _>(&parts, told.or(sharing).unwrap_or(Sharing::Never), describe)
    }
}

/// Parts of a cache of `Result`s. How their errors are shared is known by `S`.
pub trait OfErrors<K, T: Value, E: Failure, S> {
    /// The parts as those of the `Ok`.
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
        let recipe = Recipe { fetcher: parts.fetcher.clone(), empty, vary: self.vary.clone() };
        let values = parts.values.clone();
        let engine = Engine::<Of<_, O>>::new(Definition { name, policy, values, share, describe });
        if is_named {
            any::list_object(&(Arc::clone(&engine) as Arc<dyn ErasedCache>));
        }
        let hasher = engine.hasher();
        Ok(Cache::new(Arc::new(Object { engine, recipe: Arc::new(recipe), is_named }), hasher))
    }
}

/// What `vary` may change.
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

    /// The same, with errors shared in another way.
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
