//! Caches that are values, for any key and value.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Contender, Setup};
use crate::case::{Key, Value};
use crate::run;

const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn std_map<K: Key, V: Value>(setup: Setup<'_, K>) -> Contender<K> {
    let mut map: HashMap<K::Owned, V, foldhash::fast::RandomState> = HashMap::default();
    map.extend(setup.keys.iter().map(|key| (key.own(), V::make())));
    Contender::called(move |key: K| map.get(key.look()).cloned())
}

pub(super) fn papaya<K: Key, V: Value>(setup: Setup<'_, K>) -> Contender<K> {
    let map: ::papaya::HashMap<K::Owned, V, foldhash::fast::RandomState> = ::papaya::HashMap::default();
    for key in setup.keys {
        map.pin().insert(key.own(), V::make());
    }
    Contender::called(move |key: K| map.pin().get(key.look()).cloned())
}

pub(super) fn moka_sync<K: Key, V: Value>(setup: Setup<'_, K>) -> Contender<K> {
    let cache: moka::sync::Cache<K::Owned, V> = moka::sync::Cache::new(setup.capacity);
    for key in setup.keys {
        cache.insert(key.own(), V::make());
    }
    while cache.entry_count() < setup.keys.len() as u64 {
        cache.run_pending_tasks();
    }
    Contender::called(move |key: K| {
        cache.get(key.look()).unwrap_or_else(|| {
            let value = V::make();
            cache.insert(key.own(), value.clone());
            value
        })
    })
}

pub(super) fn moka_future<K: Key, V: Value>(setup: Setup<'_, K>) -> Contender<K> {
    let cache: moka::future::Cache<K::Owned, V> = moka::future::Cache::new(setup.capacity);
    run::drive(async {
        for key in setup.keys {
            cache.insert(key.own(), V::make()).await;
        }
        while cache.entry_count() < setup.keys.len() as u64 {
            cache.run_pending_tasks().await;
        }
    });
    let handle = cache.clone();
    polled!(&handle.get_with(K::of(0).own(), async { V::make() }), key => {
        cache.get_with_by_ref(key.look(), async { V::make() }).await
    })
}

pub(super) fn quick_get<K: Key, V: Value>(setup: Setup<'_, K>) -> Contender<K> {
    let cache = quick::<K, V>(setup);
    Contender::called(move |key: K| {
        cache.get(key.look()).unwrap_or_else(|| {
            let value = V::make();
            cache.insert(key.own(), value.clone());
            value
        })
    })
}

pub(super) fn quick_async<K: Key, V: Value>(setup: Setup<'_, K>) -> Contender<K> {
    let cache = Arc::new(quick::<K, V>(setup));
    let handle = Arc::clone(&cache);
    let key = K::of(0);
    let fetch = async { Ok::<_, Infallible>(V::make()) };
    polled!(&handle.get_or_insert_async(key.look(), fetch), key => {
        cache.get_or_insert_async(key.look(), async { Ok::<_, Infallible>(V::make()) }).await
    })
}

fn quick<K: Key, V: Value>(setup: Setup<'_, K>) -> quick_cache::sync::Cache<K::Owned, V> {
    let cache = quick_cache::sync::Cache::new(setup.capacity as usize);
    for key in setup.keys {
        cache.insert(key.own(), V::make());
    }
    cache
}

pub(super) fn fibre<K: Key, V: Value>(setup: Setup<'_, K>) -> Contender<K> {
    let builder = fibre_cache::CacheBuilder::<K::Owned, V>::default()
        .capacity(setup.capacity)
        .time_to_live(DAY)
        .stale_while_revalidate(DAY)
        .async_loader(|_: K::Owned| async { (V::make(), 1) });
    // The builder looks for the current runtime.
    let cache = run::drive(async { builder.build_async() }).expect("a cache");
    let cache = Arc::new(cache);
    run::polled(setup.keys, async |key| cache.insert(key.own(), V::make(), 1).await);
    let handle = Arc::clone(&cache);
    let key = K::of(0).own();
    polled!(&handle.fetch_with(&key), key => cache.fetch_with(&key.own()).await)
}

pub(super) fn foyer<K: Key, V: Value>(setup: Setup<'_, K>) -> Contender<K> {
    let cache: ::foyer::Cache<K::Owned, V> = ::foyer::CacheBuilder::new(setup.capacity as usize).build();
    for key in setup.keys {
        cache.insert(key.own(), V::make());
    }
    // The call spawns a miss, so it needs a runtime even if its future is never polled.
    let size = run::drive(async {
        let key = K::of(0);
        size_of_val(&cache.get_or_fetch(key.look(), || async { Ok::<V, Infallible>(V::make()) }))
    });
    let contender: Contender<K> = polled!(&async {}, key => {
        let entry = cache.get_or_fetch(key.look(), || async { Ok::<V, Infallible>(V::make()) }).await;
        entry.expect("a value").value().clone()
    });
    Contender { future: Some(size), ..contender }
}

/// Its keys are strings and its values are bytes, so the user converts other types.
pub(super) fn cacheflight(setup: Setup<'_, u64>) -> Contender<u64> {
    let cache =
        ::cacheflight::CacheFlight::new(::cacheflight::MemoryCache::new()).stale_while_revalidate(DAY, DAY);
    run::polled(setup.keys, async |key| {
        cache.run(key.to_string(), || async { Ok(vec![7; 16]) }).await.map(drop)
    });
    let handle = cache.clone();
    let future = handle.run("0", || async { Ok(vec![7; 16]) }).into_future();
    polled!(&future, key => {
        cache.run(key.to_string(), || async { Ok(vec![7; 16]) }).await.expect("a value")
    })
}

/// Waits while caches do maintenance that they postpone.
pub(crate) fn settle() {
    run::drive(cacheback::settle());
    thread::sleep(Duration::from_millis(500));
}

/// No cache, just an async function that returns at once: the cost of the loop around a contender, of any call in it,
/// and of the value that the caller drops.
pub(crate) fn at_once_awaited() -> Contender<u64> {
    async fn at_once(key: u64) -> [u8; 16] {
        body(key)
    }

    polled!(&at_once(0), key => at_once(key).await)
}

/// The same for contenders that are not awaited.
pub(crate) fn at_once_called() -> Contender<u64> {
    Contender::called(body)
}

/// The same with a key and a value of other types.
pub(crate) fn at_once_shared() -> Contender<&'static str> {
    async fn at_once(key: &str, value: &Arc<String>) -> Arc<String> {
        body(key.len() as u64);
        Arc::clone(value)
    }

    let value = <Arc<String>>::make();
    let other = Arc::clone(&value);
    polled!(&at_once("", &other), key => at_once(key, &value).await)
}

/// The same with three arguments.
pub(crate) fn at_once_three() -> Contender<&'static str> {
    async fn at_once(id: u32, name: &str, flag: bool) -> [u8; 16] {
        body(u64::from(id) + name.len() as u64 + u64::from(flag))
    }

    polled!(&at_once(3, "", true), key => at_once(black_box(3), key, black_box(true)).await)
}

/// Not inlined, like any larger function.
#[inline(never)]
fn body(key: u64) -> [u8; 16] {
    black_box([key as u8; 16])
}
