//! Caches whose values are shared through a Redis server, for the load `shared`. Each has a part of the server of its
//! own, a database or a prefix.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ::cachekit::{CacheKit, CachekitError, cachekit};
use cacheback::cacheback;
use cached::AsyncRedisCache;
use cached::macros::concurrent_cached;
use futures_util::future::BoxFuture;
use hdrhistogram::Histogram;
use hitbox::offload::OffloadManager;
use hitbox::policy::{PolicyConfig, StalePolicy};
use hitbox_backend::composition::Compose as _;
use hitbox_fn::CacheableResponse;
use hitbox_moka::MokaBackend;
use hitbox_redis::{ConnectionMode, RedisBackend};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};

use super::OURS;
use crate::process;
use crate::server::Server;

/// Written by hand with the client that most of them use. Ratios are relative to it.
pub(crate) const PLAIN: &str = "no cache: GET, SET by hand";
const CACHED: &str = "cached, #[concurrent_cached] redis";
const CACHED_TRACKING: &str = "cached, #[concurrent_cached] redis, client_side_caching";
const HITBOX: &str = "hitbox-fn + hitbox-redis";
const HITBOX_COMPOSED: &str = "hitbox-fn + hitbox-moka over hitbox-redis";
const CACHEKIT: &str = "cachekit-rs, #[cachekit] redis";

/// How long values are fresh in the part in which they are refreshed: a second, the unit in which some count.
pub(crate) const FRESH: Duration = Duration::from_secs(1);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
/// How many values an in-process level in front of the server has room for: fewer than there are keys, but for those of
/// [`Case::Local`].
pub(crate) const ROOM: u64 = 1_000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// The value is in the process.
    Local,
    /// The value is in the server, and not in the process.
    Shared,
    /// The value is stale, or has expired in caches that serve no stale ones. Up to the new value in the server.
    Refresh,
    /// There is no value.
    Cold,
}

impl Case {
    pub(crate) const ALL: [Self; 4] = [Self::Local, Self::Shared, Self::Refresh, Self::Cold];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local hit",
            Self::Shared => "shared hit",
            Self::Refresh => "refresh",
            Self::Cold => "cold miss",
        }
    }
}

/// A value of some 1,050 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, CacheableResponse)]
pub(crate) struct Page {
    pub(super) number: u64,
    title: String,
    body: String,
}

/// The body of every function.
pub(super) async fn page(number: u64) -> Page {
    Page { number, title: format!("page {number}"), body: "b".repeat(1_000) }
}

/// Calls it with each of the keys, one after another, and returns the nanoseconds of each call.
pub(crate) type Calls = Box<dyn Fn(Vec<u64>) -> BoxFuture<'static, Histogram<u64>>>;

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) calls: Calls,
    /// Prepares a slice.
    pub(crate) before: Option<Box<dyn Fn() -> BoxFuture<'static, ()>>>,
    /// What went wrong so far, if the cache hides it from its callers.
    pub(crate) errors: Option<fn() -> u64>,
}

/// The contenders of a case. Call it on the runtime on which they work.
pub(crate) async fn subjects(case: Case, server: &Server) -> Vec<Subject> {
    let mut all = Vec::new();
    let takes_part = |name| {
        process::works(name);
        process::takes_part(name)
    };
    if case != Case::Local {
        all.push(Subject::of(PLAIN, plain(case, &server.url(0)).await));
    }
    if takes_part(OURS) {
        all.push(ours(case, &server.url(1)));
    }
    if takes_part(CACHED) && case != Case::Local {
        all.push(Subject::of(CACHED, cached(case, server.url(2))));
    }
    if takes_part(CACHED_TRACKING) && case == Case::Local {
        all.push(Subject::of(CACHED_TRACKING, cached_tracking(server.url(3))));
    }
    if takes_part(HITBOX) && case != Case::Local {
        all.push(Subject::of(HITBOX, hitbox(case, &server.url(4))));
    }
    if takes_part(HITBOX_COMPOSED) && case == Case::Local {
        all.push(Subject::of(HITBOX_COMPOSED, hitbox_composed(&server.url(5))));
    }
    if takes_part(CACHEKIT) {
        all.push(cachekit_rs(case, server.url(6)).await);
    }
    process::nobody_works();
    all
}

impl Subject {
    fn of(name: &'static str, calls: Calls) -> Self {
        Self { name, calls, before: None, errors: None }
    }
}

pub(super) fn calls<F: Future<Output = Page> + Send + 'static>(
    call: impl Fn(u64) -> F + Clone + Send + Sync + 'static,
) -> Calls {
    Box::new(move |keys| Box::pin(timed(keys, call.clone())))
}

async fn timed<F: Future<Output = Page>>(keys: Vec<u64>, call: impl Fn(u64) -> F) -> Histogram<u64> {
    // Up to a minute, to within one in a hundred.
    let mut times = Histogram::new_with_bounds(1, 60_000_000_000, 2).expect("bounds");
    for key in keys {
        let start = Instant::now();
        let page = call(key).await;
        times.saturating_record(start.elapsed().as_nanos() as u64);
        assert_eq!(page.number, key, "the value of the key");
    }
    times
}

async fn plain(case: Case, url: &str) -> Calls {
    let client = redis::Client::open(url).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let lifetime = if case == Case::Refresh { FRESH } else { DAY };
    calls(move |key| by_hand(connection.clone(), key, lifetime))
}

async fn by_hand(mut connection: MultiplexedConnection, key: u64, lifetime: Duration) -> Page {
    let found: Option<Vec<u8>> =
        redis::cmd("GET").arg(key).query_async(&mut connection).await.expect("an answer");
    if let Some(bytes) = found {
        return rmp_serde::from_slice(&bytes).expect("a page");
    }
    let page = page(key).await;
    let bytes = rmp_serde::to_vec(&page).expect("bytes");
    let mut set = redis::cmd("SET");
    set.arg(key).arg(bytes).arg("PX").arg(lifetime.as_millis() as u64);
    set.query_async::<()>(&mut connection).await.expect("an answer");
    page
}

#[cacheback(lifetime = DAY, capacity = ROOM, fetch_on_miss, shared)]
async fn ours_kept(key: u64) -> Page {
    page(key).await
}

#[cacheback(lifetime = FRESH, retention = DAY, capacity = 100_000, fetch_on_miss, shared)]
async fn ours_renewed(key: u64) -> Page {
    page(key).await
}

pub(crate) fn ours(case: Case, url: &str) -> Subject {
    let redis = cacheback::shared::Redis::new(url).expect("a URL");
    cacheback::configure().shared(redis).apply().expect("the first configuration");
    // A stale value is answered at once, and its refresh is joined.
    let renewed = |key| async move {
        ours_renewed(key).await;
        ours_renewed::entry(key).refresh().await
    };
    let calls = if case == Case::Refresh { calls(renewed) } else { calls(ours_kept) };
    let errors = || {
        let (kept, renewed) = (ours_kept::cache().stats(), ours_renewed::cache().stats());
        kept.shared_errors + renewed.shared_errors + kept.leases_lost + renewed.leases_lost
    };
    Subject { errors: Some(errors), ..Subject::of(OURS, calls) }
}

/// The database of the functions of `cached`.
static CACHED_URL: OnceLock<String> = OnceLock::new();

async fn store(name: &str, lifetime: Duration, tracking: bool) -> AsyncRedisCache<u64, Page> {
    let url = CACHED_URL.get().expect("a URL");
    let builder = AsyncRedisCache::builder(name).ttl(lifetime).connection_string(url);
    builder.client_side_caching(tracking).build().await.expect("a cache")
}

#[concurrent_cached(
    map_error = |error| format!("{error:?}"),
    ty = "AsyncRedisCache<u64, Page>",
    create = r#"{ store("kept", DAY, false).await }"#
)]
async fn cached_kept(key: u64) -> Result<Page, String> {
    Ok(page(key).await)
}

#[concurrent_cached(
    map_error = |error| format!("{error:?}"),
    ty = "AsyncRedisCache<u64, Page>",
    create = r#"{ store("renewed", FRESH, false).await }"#
)]
async fn cached_renewed(key: u64) -> Result<Page, String> {
    Ok(page(key).await)
}

#[concurrent_cached(
    map_error = |error| format!("{error:?}"),
    ty = "AsyncRedisCache<u64, Page>",
    create = r#"{ store("tracked", DAY, true).await }"#
)]
async fn cached_tracked(key: u64) -> Result<Page, String> {
    Ok(page(key).await)
}

fn cached(case: Case, url: String) -> Calls {
    CACHED_URL.set(url).expect("the only URL");
    if case == Case::Refresh {
        calls(|key| async move { cached_renewed(key).await.expect("a value") })
    } else {
        calls(|key| async move { cached_kept(key).await.expect("a value") })
    }
}

fn cached_tracking(url: String) -> Calls {
    CACHED_URL.set(url).expect("the only URL");
    calls(|key| async move { cached_tracked(key).await.expect("a value") })
}

#[hitbox_fn::cached]
async fn hitbox_page(key: u64) -> Page {
    page(key).await
}

fn hitbox(case: Case, url: &str) -> Calls {
    let backend = RedisBackend::builder().connection(ConnectionMode::single(url)).build().expect("a backend");
    let policy = PolicyConfig::builder().ttl(DAY);
    let policy = if case == Case::Refresh {
        policy.stale(FRESH).stale_policy(StalePolicy::Revalidate).build()
    } else {
        policy.build()
    };
    let cache = Arc::new(hitbox_fn::Cache::builder().backend(backend).policy(policy).build());
    calls(move |key| {
        let cache = Arc::clone(&cache);
        async move { hitbox_page(key).cache(&*cache).await }
    })
}

fn hitbox_composed(url: &str) -> Calls {
    let there = RedisBackend::builder().connection(ConnectionMode::single(url)).build().expect("a backend");
    let here = MokaBackend::builder().max_entries(ROOM).build();
    let cache = hitbox_fn::Cache::builder()
        .backend(here.compose(there, OffloadManager::with_defaults()))
        .policy(PolicyConfig::builder().ttl(DAY).build())
        .build();
    let cache = Arc::new(cache);
    calls(move |key| {
        let cache = Arc::clone(&cache);
        async move { hitbox_page(key).cache(&*cache).await }
    })
}

#[cachekit(client = cache, ttl = 86_400, interop = "kept", namespace = "bench")]
async fn kit_kept(cache: &CacheKit, key: u64) -> Result<Page, CachekitError> {
    Ok(page(key).await)
}

#[cachekit(client = cache, ttl = 1, interop = "renewed", namespace = "bench")]
async fn kit_renewed(cache: &CacheKit, key: u64) -> Result<Page, CachekitError> {
    Ok(page(key).await)
}

async fn client(url: &str) -> CacheKit {
    let builder = CacheKit::production(url).await.expect("a connection");
    builder.l1_capacity(ROOM as usize).build().expect("a client")
}

async fn cachekit_rs(case: Case, url: String) -> Subject {
    let current = Arc::new(Mutex::new(client(&url).await));
    let get = move |current: &Mutex<CacheKit>| current.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let cache = Arc::clone(&current);
    let calls: Calls = Box::new(move |keys| {
        let cache = get(&cache);
        if case == Case::Refresh {
            Box::pin(timed(keys, move |key| {
                let cache = cache.clone();
                async move { kit_renewed(&cache, key).await.expect("a value") }
            }))
        } else {
            Box::pin(timed(keys, move |key| {
                let cache = cache.clone();
                async move { kit_kept(&cache, key).await.expect("a value") }
            }))
        }
    });
    let mut subject = Subject::of(CACHEKIT, calls);
    if case == Case::Shared {
        // Its in-process level keeps some values however many others are read: each slice has an empty one.
        subject.before = Some(Box::new(move || {
            let (current, url) = (Arc::clone(&current), url.clone());
            Box::pin(async move {
                let new = client(&url).await;
                *current.lock().unwrap_or_else(PoisonError::into_inner) = new;
            })
        }));
    }
    subject
}
