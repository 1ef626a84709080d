//! Writes from outside of a fetch. Every cache has room for 100,000 entries.

use std::sync::Arc;

use cacheback::cacheback;
use cached::macros::{cached, concurrent_cached};
use cached::{Cached as _, ConcurrentCachedAsync as _};

use super::stale::{number, renewed};
use super::{
    CACHED, CONCURRENT_CACHED, Contender, FIBRE, FOYER, FULL, MOKA_FUTURE, Maker, OURS, QUICK, Setup, UNIT,
};
use crate::run;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Of a value for a new key, in a full cache.
    SetNew,
    /// Of a value over another.
    SetOver,
    /// Of a value, up to the read that sees a new one.
    Invalidate,
    /// Of a value.
    Remove,
}

impl Write {
    pub(crate) const ALL: [Self; 4] = [Self::SetNew, Self::SetOver, Self::Invalidate, Self::Remove];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SetNew => "set of a new key",
            Self::SetOver => "set over a value",
            Self::Invalidate => "invalidate, with its refresh",
            Self::Remove => "remove",
        }
    }

    /// The keys that the cache holds. If none of them is to be evicted, it is not full.
    pub(crate) fn filled(self) -> u64 {
        if self == Self::SetNew { FULL } else { FULL / 2 }
    }

    /// A contender that fills its cache and does this write. `invalidate` is awaited up to the new value.
    fn with<S, I, R>(
        self,
        setup: Setup<'_, u64>,
        set: impl AsyncFn(u64) -> S + Send + Sync + 'static,
        invalidate: impl AsyncFn(u64) -> I + Send + Sync + 'static,
        remove: impl AsyncFn(u64) -> R + Send + Sync + 'static,
    ) -> Contender<u64> {
        run::polled(setup.keys, &set);
        match self {
            Self::SetNew | Self::SetOver => Contender::awaited(set),
            Self::Invalidate => Contender::awaited(invalidate),
            // The keys that are removed are there.
            Self::Remove => {
                Contender { before: Contender::awaited(set).read.into(), ..Contender::awaited(remove) }
            }
        }
    }
}

/// The contenders of a write.
pub(crate) fn makers(write: Write) -> Vec<Maker<u64>> {
    macro_rules! of {
        ($make:ident) => {
            match write {
                Write::SetNew => |setup| $make(setup, Write::SetNew),
                Write::SetOver => |setup| $make(setup, Write::SetOver),
                Write::Invalidate => |setup| $make(setup, Write::Invalidate),
                Write::Remove => |setup| $make(setup, Write::Remove),
            }
        };
    }
    vec![
        Maker { name: UNIT, make: of!(moka_sync) },
        Maker { name: MOKA_FUTURE, make: of!(moka_future) },
        Maker { name: QUICK, make: of!(quick) },
        Maker { name: FIBRE, make: of!(fibre) },
        Maker { name: FOYER, make: of!(foyer) },
        Maker { name: OURS, make: of!(ours) },
        Maker { name: CACHED, make: of!(cached_function) },
        Maker { name: CONCURRENT_CACHED, make: of!(concurrent_cached_function) },
    ]
}

fn ours(setup: Setup<'_, u64>, write: Write) -> Contender<u64> {
    #[cacheback(lifetime = 86_400, capacity = FULL)]
    async fn read(key: u64) -> u64 {
        let _ = key;
        number()
    }

    let invalidate = async |key| {
        let old = read(key).await;
        read::entry(key).invalidate().await.expect("a local write");
        renewed(&read, key, &old).await;
    };
    write.with(
        setup,
        async |key| read::entry(key).set(number()).await.expect("a local write"),
        invalidate,
        async |key| read::entry(key).remove().await.expect("a local write"),
    )
}

fn moka_sync(setup: Setup<'_, u64>, write: Write) -> Contender<u64> {
    let cache = moka::sync::Cache::<u64, u64>::new(setup.capacity);
    let [set, invalidate, remove] = [(); 3].map(|()| cache.clone());
    write.with(
        setup,
        async move |key| set.insert(key, number()),
        async move |key| {
            invalidate.invalidate(&key);
            invalidate.get_with(key, number)
        },
        async move |key| remove.invalidate(&key),
    )
}

fn moka_future(setup: Setup<'_, u64>, write: Write) -> Contender<u64> {
    let cache = moka::future::Cache::<u64, u64>::new(setup.capacity);
    let [set, invalidate, remove] = [(); 3].map(|()| cache.clone());
    write.with(
        setup,
        async move |key| set.insert(key, number()).await,
        async move |key| {
            invalidate.invalidate(&key).await;
            invalidate.get_with(key, async { number() }).await
        },
        async move |key| remove.invalidate(&key).await,
    )
}

fn quick(setup: Setup<'_, u64>, write: Write) -> Contender<u64> {
    let cache = Arc::new(quick_cache::sync::Cache::<u64, u64>::new(setup.capacity as usize));
    let [set, invalidate, remove] = [(); 3].map(|()| Arc::clone(&cache));
    write.with(
        setup,
        async move |key| set.insert(key, number()),
        async move |key| {
            invalidate.remove(&key);
            let fetch = async { Ok::<_, std::convert::Infallible>(number()) };
            invalidate.get_or_insert_async(&key, fetch).await
        },
        async move |key| remove.remove(&key),
    )
}

fn fibre(setup: Setup<'_, u64>, write: Write) -> Contender<u64> {
    let day = std::time::Duration::from_secs(86_400);
    let builder = fibre_cache::CacheBuilder::<u64, u64>::default()
        .capacity(setup.capacity)
        .time_to_live(day)
        .stale_while_revalidate(day)
        .async_loader(|_: u64| async { (number(), 1) });
    let cache = Arc::new(run::drive(async { builder.build_async() }).expect("a cache"));
    let [set, invalidate, remove] = [(); 3].map(|()| Arc::clone(&cache));
    write.with(
        setup,
        async move |key| set.insert(key, number(), 1).await,
        async move |key| {
            invalidate.invalidate(&key).await;
            invalidate.fetch_with(&key).await
        },
        async move |key| remove.remove(&key).await,
    )
}

fn foyer(setup: Setup<'_, u64>, write: Write) -> Contender<u64> {
    let cache: ::foyer::Cache<u64, u64> = ::foyer::CacheBuilder::new(setup.capacity as usize).build();
    let [set, invalidate, remove] = [(); 3].map(|()| cache.clone());
    write.with(
        setup,
        async move |key| set.insert(key, number()),
        async move |key| {
            invalidate.remove(&key);
            let fetch = || async { Ok::<_, std::convert::Infallible>(number()) };
            invalidate.get_or_fetch(&key, fetch).await
        },
        async move |key| remove.remove(&key),
    )
}

/// Through the store of the function, as the documentation of `cached` does it.
fn cached_function(setup: Setup<'_, u64>, write: Write) -> Contender<u64> {
    #[cached(max_size = 100_000, ttl_secs = 86_400)]
    async fn read(key: u64) -> u64 {
        let _ = key;
        number()
    }

    write.with(
        setup,
        async |key| READ.write().await.cache_set(key, number()),
        async |key| {
            let _ = READ.write().await.cache_remove(&key);
            read(key).await
        },
        async |key| READ.write().await.cache_remove(&key),
    )
}

fn concurrent_cached_function(setup: Setup<'_, u64>, write: Write) -> Contender<u64> {
    #[concurrent_cached(max_size = 100_000, ttl_secs = 86_400)]
    async fn read(key: u64) -> u64 {
        let _ = key;
        number()
    }

    // The first call makes the store.
    run::polled(&setup.keys[..1], read);
    write.with(
        setup,
        async |key| READ.get().expect("a store").async_cache_set(key, number()).await,
        async |key| {
            let _ = READ.get().expect("a store").async_cache_remove(&key).await;
            read(key).await
        },
        async |key| READ.get().expect("a store").async_cache_remove(&key).await,
    )
}
