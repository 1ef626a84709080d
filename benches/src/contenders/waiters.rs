//! Many callers of one missing key with a slow fetch.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::cachekit::{CacheKit, CachekitError, cachekit};
use cacheback::cacheback;
use cached::macros::cached;
use futures_util::FutureExt as _;
use hitbox::concurrency::BroadcastConcurrencyManager;
use hitbox::policy::{ConcurrencyLimit, PolicyConfig};
use tokio::runtime::Runtime;

use super::{CACHEFLIGHT, FIBRE, FULL, HITBOX, MOKA_FUTURE, OURS};

/// How long the fetch takes.
pub(crate) const FETCH: Duration = Duration::from_millis(200);

/// Lets this number of tasks wait for one key, and returns when all have its value.
type Herd = Box<dyn Fn(&Runtime, u64, usize)>;

async fn origin(key: u64) -> u64 {
    tokio::time::sleep(FETCH).await;
    key
}

fn herd<F: Future<Output: Send> + Send + 'static>(call: impl Fn(u64) -> F + 'static) -> Herd {
    Box::new(move |runtime, key, tasks| {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..tasks).map(|_| tokio::spawn(call(key))).collect();
            for task in tasks {
                task.await.expect("a task that ends");
            }
        });
    })
}

/// The lower bound: no cache, the tasks await one shared future.
pub(crate) const SHARED: &str = "no cache: futures::Shared";

/// Call it on the runtime on which the tasks run.
pub(crate) fn herds() -> Vec<(&'static str, Herd)> {
    vec![
        (MOKA_FUTURE, moka()),
        (OURS, herd(ours)),
        ("quick_cache, get_or_insert_async", quick()),
        ("cached, #[cached] by_key", herd(by_key)),
        (FIBRE, fibre()),
        ("foyer, get_or_fetch", foyer()),
        (HITBOX, hitbox()),
        (CACHEFLIGHT, cacheflight()),
        ("cachekit-rs, #[cachekit]", cachekit_rs()),
        (SHARED, shared()),
    ]
}

#[cacheback(lifetime = 86_400, capacity = FULL, fetch_on_miss)]
async fn ours(key: u64) -> u64 {
    origin(key).await
}

#[cached(ttl_secs = 86_400, sync_writes = "by_key")]
async fn by_key(key: u64) -> u64 {
    origin(key).await
}

fn moka() -> Herd {
    let cache: moka::future::Cache<u64, u64> = moka::future::Cache::new(FULL);
    herd(move |key| {
        let cache = cache.clone();
        async move { cache.get_with(key, origin(key)).await }
    })
}

fn quick() -> Herd {
    let cache = Arc::new(quick_cache::sync::Cache::<u64, u64>::new(FULL as usize));
    herd(move |key| {
        let cache = Arc::clone(&cache);
        async move { cache.get_or_insert_async(&key, async { Ok::<_, Infallible>(origin(key).await) }).await }
    })
}

fn fibre() -> Herd {
    let cache = fibre_cache::CacheBuilder::<u64, u64>::default()
        .capacity(FULL)
        .time_to_live(Duration::from_secs(86_400))
        .stale_while_revalidate(Duration::from_secs(86_400))
        .async_loader(|key: u64| async move { (origin(key).await, 1) })
        .build_async()
        .expect("a cache");
    let cache = Arc::new(cache);
    herd(move |key| {
        let cache = Arc::clone(&cache);
        async move { cache.fetch_with(&key).await }
    })
}

fn foyer() -> Herd {
    let cache: ::foyer::Cache<u64, u64> = ::foyer::CacheBuilder::new(FULL as usize).build();
    herd(move |key| {
        let cache = cache.clone();
        async move {
            let fetch = move || async move { Ok::<_, Infallible>(origin(key).await) };
            *cache.get_or_fetch(&key, fetch).await.expect("a value").value()
        }
    })
}

#[hitbox_fn::cached]
async fn waited_number_of(key: u64) -> u64 {
    origin(key).await
}

fn hitbox() -> Herd {
    let one = ConcurrencyLimit::new(1).expect("one is not zero");
    let policy = PolicyConfig::builder().ttl(Duration::from_secs(86_400)).concurrency(one).build();
    let cache = hitbox_fn::Cache::builder()
        .backend(hitbox_moka::MokaBackend::builder().max_entries(FULL).build())
        .policy(policy)
        .concurrency_manager(BroadcastConcurrencyManager::<u64>::new())
        .build();
    let cache = Arc::new(cache);
    herd(move |key| {
        let cache = Arc::clone(&cache);
        async move { waited_number_of(key).cache(&*cache).await }
    })
}

fn cacheflight() -> Herd {
    let day = Duration::from_secs(86_400);
    let cache =
        ::cacheflight::CacheFlight::new(::cacheflight::MemoryCache::new()).stale_while_revalidate(day, day);
    herd(move |key| {
        let cache = cache.clone();
        async move {
            let fetch = move || async move { Ok(origin(key).await.to_le_bytes().to_vec()) };
            cache.run(key.to_string(), fetch).await.map(drop)
        }
    })
}

#[cachekit(client = cache, ttl = 86_400, interop = "waited", namespace = "bench")]
async fn waited_kit(cache: &CacheKit, key: u64) -> Result<u64, CachekitError> {
    Ok(origin(key).await)
}

fn cachekit_rs() -> Herd {
    let cache = super::cachekit::client(FULL, 0.9);
    herd(move |key| {
        let cache = cache.clone();
        async move { waited_kit(&cache, key).await.map(drop) }
    })
}

fn shared() -> Herd {
    Box::new(|runtime, key, tasks| {
        runtime.block_on(async {
            let fetch = origin(key).boxed().shared();
            let tasks: Vec<_> = (0..tasks).map(|_| tokio::spawn(fetch.clone())).collect();
            for task in tasks {
                task.await.expect("a task that ends");
            }
        });
    })
}
