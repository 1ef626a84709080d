//! The caches that serve stale values while they refresh. Values become stale after a second. `block` makes refreshes
//! that never end.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ::cachekit::{CacheKit, CachekitError, cachekit};
use cacheback::cacheback;
use hitbox::offload::OffloadManager;
use hitbox::policy::{PolicyConfig, StalePolicy};
use hitbox_fn::cached;

use super::{Contender, FIBRE, FULL, HITBOX, Maker, OURS, Setup, UNIT, generic};
use crate::run;

/// The age at which values become stale.
pub(crate) const FRESH: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

static BLOCKED: AtomicBool = AtomicBool::new(false);
static STARTED: AtomicU64 = AtomicU64::new(0);

/// From now on no fetch ends.
pub(crate) fn block() {
    BLOCKED.store(true, Ordering::Relaxed);
}

/// The number of fetches that were started since `block`.
pub(crate) fn started() -> u64 {
    STARTED.load(Ordering::Relaxed)
}

async fn origin(key: u64) -> u64 {
    if BLOCKED.load(Ordering::Relaxed) {
        STARTED.fetch_add(1, Ordering::Relaxed);
        pending::<()>().await;
    }
    key
}

pub(crate) fn makers() -> Vec<Maker<u64>> {
    vec![
        Maker { name: UNIT, make: generic::moka_sync::<u64, u64> },
        Maker { name: OURS, make: ours },
        Maker { name: FIBRE, make: fibre },
        Maker { name: HITBOX, make: hitbox },
        Maker { name: "cacheflight, run, SWR", make: cacheflight },
        Maker { name: "cachekit-rs, #[cachekit]", make: cachekit },
    ]
}

fn ours(setup: Setup<'_, u64>) -> Contender<u64> {
    #[cacheback(lifetime = FRESH, capacity = FULL)]
    async fn read(key: u64) -> u64 {
        origin(key).await
    }

    run::polled(setup.keys, async |key| read::entry(key).set(key).await);
    polled!(&read(0), key => read(key).await)
}

fn fibre(setup: Setup<'_, u64>) -> Contender<u64> {
    let builder = fibre_cache::CacheBuilder::<u64, u64>::default()
        .capacity(setup.capacity)
        .time_to_live(FRESH)
        .stale_while_revalidate(DAY)
        .async_loader(|key: u64| async move { (origin(key).await, 1) });
    let cache = Arc::new(run::drive(async { builder.build_async() }).expect("a cache"));
    run::polled(setup.keys, async |key| cache.insert(key, key, 1).await);
    polled!(&async {}, key => cache.fetch_with(&key).await)
}

#[cached]
async fn stale_number_of(key: u64) -> u64 {
    origin(key).await
}

fn hitbox(setup: Setup<'_, u64>) -> Contender<u64> {
    let policy = PolicyConfig::builder().ttl(DAY).stale(FRESH).stale_policy(StalePolicy::OffloadRevalidate);
    let cache = hitbox_fn::Cache::builder()
        .backend(hitbox_moka::MokaBackend::builder().max_entries(setup.capacity).build())
        .policy(policy.build())
        .offload(OffloadManager::with_defaults())
        .build();
    run::polled(setup.keys, async |key| stale_number_of(key).cache(&cache).await);
    polled!(&async {}, key => stale_number_of(key).cache(&cache).await)
}

fn cacheflight(setup: Setup<'_, u64>) -> Contender<u64> {
    let cache =
        ::cacheflight::CacheFlight::new(::cacheflight::MemoryCache::new()).stale_while_revalidate(FRESH, DAY);
    let fetch = |key: u64| move || async move { Ok(origin(key).await.to_le_bytes().to_vec()) };
    run::polled(setup.keys, async |key| cache.run(key.to_string(), fetch(key)).await.map(drop));
    polled!(&async {}, key => {
        cache.run(key.to_string(), fetch(key)).await.expect("a value")
    })
}

#[cachekit(client = cache, ttl = 3_600, interop = "stale", namespace = "bench")]
async fn stale_kit(cache: &CacheKit, key: u64) -> Result<u64, CachekitError> {
    Ok(origin(key).await)
}

fn cachekit(setup: Setup<'_, u64>) -> Contender<u64> {
    let cache = super::cachekit::client(setup.capacity, FRESH.as_secs_f64() / 3_600.0);
    run::polled(setup.keys, async |key| stale_kit(&cache, key).await.map(drop));
    polled!(&async {}, key => stale_kit(&cache, key).await.expect("a value"))
}
