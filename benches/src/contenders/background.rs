//! Fetches in the background. An operation is the call, its fetch with a body that is ready at once, and the reads, each
//! after the runtime could work, until one sees the new value.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cacheback::cacheback;
use tokio::task::yield_now;

use super::stale::{self, Work, number, renewed};
use super::{CACHEFLIGHT, Contender, FIBRE, FULL, HITBOX, MOKA_FUTURE, Maker, OURS, Setup, UNIT, generic};
use crate::case::Value;
use crate::run;

const MOKA_SPAWNED: &str = "moka sync, insert in a spawned task";
/// moka's default policy may refuse a new key, which a reader would then wait for in vain.
const MOKA_LRU_SPAWNED: &str = "moka sync with LRU, insert in a spawned task";
const SPAWN: &str = "no cache: a spawned task";

/// The lower bound: a task that sets a flag, and a caller who looks for it.
fn floor() -> Maker<u64> {
    Maker { name: SPAWN, make: |_| spawned() }
}

/// Every key is new, in a full cache.
pub(crate) fn misses() -> Vec<Maker<u64>> {
    vec![
        Maker { name: UNIT, make: generic::moka_sync::<u64, [u8; 16]> },
        Maker { name: MOKA_FUTURE, make: generic::moka_future::<u64, [u8; 16]> },
        Maker { name: MOKA_LRU_SPAWNED, make: moka_spawned_miss },
        Maker { name: OURS, make: miss },
        floor(),
    ]
}

/// Every value is stale.
pub(crate) fn refreshes() -> Vec<Maker<u64>> {
    vec![
        Maker { name: UNIT, make: moka_sync },
        Maker { name: MOKA_SPAWNED, make: moka_spawned },
        Maker { name: OURS, make: |setup| stale::ours(setup, Work::Renew) },
        Maker { name: FIBRE, make: |setup| stale::fibre(setup, Work::Renew) },
        Maker { name: HITBOX, make: |setup| stale::hitbox(setup, Work::Renew) },
        Maker { name: CACHEFLIGHT, make: |setup| stale::cacheflight(setup, Work::Renew) },
        Maker { name: "cachekit-rs, #[cachekit]", make: |setup| stale::cachekit(setup, Work::Renew) },
        floor(),
    ]
}

fn miss(setup: Setup<'_, u64>) -> Contender<u64> {
    #[cacheback(lifetime = 86_400, capacity = FULL)]
    async fn read(key: u64) -> [u8; 16] {
        let _ = key;
        <[u8; 16]>::make()
    }

    run::polled(setup.keys, async |key| read::entry(key).set(<[u8; 16]>::make()).await);
    run::drive(cacheback::settle());
    Contender::awaited(async |key| {
        let empty = read(key).await;
        renewed(&read, key, &empty).await;
    })
}

fn moka_sync(setup: Setup<'_, u64>) -> Contender<u64> {
    let cache = moka_of_numbers(setup);
    Contender::called(move |key| {
        let old = cache.get(&key);
        cache.insert(key, number());
        (old, cache.get(&key))
    })
}

fn moka_of_numbers(setup: Setup<'_, u64>) -> moka::sync::Cache<u64, u64> {
    let cache = moka::sync::Cache::new(setup.capacity);
    for &key in setup.keys {
        cache.insert(key, number());
    }
    cache
}

/// What a user of moka could write: no single flight, no limit, no back-off.
fn moka_spawned(setup: Setup<'_, u64>) -> Contender<u64> {
    let cache = moka_of_numbers(setup);
    Contender::awaited(async move |key| {
        let old = cache.get(&key);
        let writer = cache.clone();
        tokio::spawn(async move { writer.insert(key, number()) });
        renewed(&async |key| cache.get(&key), key, &old).await;
    })
}

fn moka_spawned_miss(setup: Setup<'_, u64>) -> Contender<u64> {
    let cache: moka::sync::Cache<u64, [u8; 16]> = moka::sync::Cache::builder()
        .max_capacity(setup.capacity)
        .eviction_policy(moka::policy::EvictionPolicy::lru())
        .build();
    for &key in setup.keys {
        cache.insert(key, Value::make());
    }
    Contender::awaited(async move |key| {
        let old = cache.get(&key);
        let writer = cache.clone();
        tokio::spawn(async move { writer.insert(key, Value::make()) });
        renewed(&async |key| cache.get(&key), key, &old).await;
    })
}

fn spawned() -> Contender<u64> {
    Contender::awaited(async |_| {
        let answer = Arc::new(AtomicBool::new(false));
        let answered = Arc::clone(&answer);
        tokio::spawn(async move { answered.store(true, Ordering::Release) });
        while !answer.load(Ordering::Acquire) {
            yield_now().await;
        }
    })
}
