//! The fetcher, and the options that look at a value or an error.

use std::future::Future;
use std::time::Duration;

use super::{ByCall, ByClosure, BySight, CacheBuilder, Fetching, OfResults, OfValues, Parts, Undecided};
use crate::engine::Closure;
use crate::outcome::weight::Weight;
use crate::outcome::{Failure, Outcome, Value};

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
        self.with(|parts| Parts { share: Some(share), ..parts.shared() })
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
