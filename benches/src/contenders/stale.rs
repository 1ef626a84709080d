//! The caches that serve stale values while they refresh, and for stale reads of ours whose refresh does not start, each
//! state that it can be in. `block` makes refreshes that never end.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::cachekit::{CacheKit, CachekitError, cachekit};
use cacheback::cacheback;
use hitbox::offload::OffloadManager;
use hitbox::policy::{PolicyConfig, StalePolicy};
use hitbox_fn::cached;
use tokio::task::yield_now;

use super::{CACHEFLIGHT, Contender, FIBRE, HITBOX, Maker, OURS, ROOMY, Setup, UNIT, generic};
use crate::run;

/// The age at which values become stale.
pub(crate) const FRESH: Duration = Duration::from_millis(100);
const DAY: Duration = Duration::from_secs(86_400);
/// A new value that does not come within this time never will.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// A number that is new at each call.
pub(crate) fn number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

async fn origin(_: u64) -> u64 {
    if BLOCKED.load(Ordering::Relaxed) {
        STARTED.fetch_add(1, Ordering::Relaxed);
        pending::<()>().await;
    }
    number()
}

/// What a contender does with a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Reads it.
    Read,
    /// Reads it, and lets the runtime work until a read sees a new value.
    Renew,
}

impl Work {
    fn with<V: PartialEq>(self, read: impl AsyncFn(u64) -> V + Send + Sync + 'static) -> Contender<u64> {
        match self {
            Self::Read => Contender::awaited(read),
            Self::Renew => Contender::awaited(async move |key| {
                let old = read(key).await;
                renewed(&read, key, &old).await;
            }),
        }
    }
}

/// Lets the runtime work until a read of the key sees another value than the old one.
pub(super) async fn renewed<V: PartialEq>(read: &impl AsyncFn(u64) -> V, key: u64, old: &V) {
    let mut since = None;
    for turn in 1u64.. {
        yield_now().await;
        if read(key).await != *old {
            return;
        }
        if turn % 1_024 == 0 {
            let since: &Instant = since.get_or_insert_with(Instant::now);
            assert!(since.elapsed() < PATIENCE, "no new value of key {key}");
        }
    }
}

/// For the load `stale`.
pub(crate) fn makers() -> Vec<Maker<u64>> {
    vec![
        Maker { name: UNIT, make: generic::moka_sync::<u64, u64> },
        Maker { name: OURS, make: |setup| ours(setup, Work::Read) },
        Maker { name: FIBRE, make: |setup| fibre(setup, Work::Read) },
        Maker { name: HITBOX, make: |setup| hitbox(setup, Work::Read) },
        Maker { name: CACHEFLIGHT, make: |setup| cacheflight(setup, Work::Read) },
        Maker { name: "cachekit-rs, #[cachekit]", make: |setup| cachekit(setup, Work::Read) },
    ]
}

pub(super) fn ours(setup: Setup<'_, u64>, work: Work) -> Contender<u64> {
    #[cacheback(lifetime = FRESH, capacity = ROOMY)]
    async fn read(key: u64) -> u64 {
        origin(key).await
    }

    run::polled(setup.keys, async |key| read::entry(key).set(number()).await);
    work.with(read)
}

pub(super) fn fibre(setup: Setup<'_, u64>, work: Work) -> Contender<u64> {
    let builder = fibre_cache::CacheBuilder::<u64, u64>::default()
        .capacity(setup.capacity)
        .time_to_live(FRESH)
        .stale_while_revalidate(DAY)
        .async_loader(|key: u64| async move { (origin(key).await, 1) });
    let cache = Arc::new(run::drive(async { builder.build_async() }).expect("a cache"));
    run::polled(setup.keys, async |key| cache.insert(key, number(), 1).await);
    work.with(async move |key| cache.fetch_with(&key).await)
}

#[cached]
async fn stale_number_of(key: u64) -> u64 {
    origin(key).await
}

pub(super) fn hitbox(setup: Setup<'_, u64>, work: Work) -> Contender<u64> {
    let policy = PolicyConfig::builder().ttl(DAY).stale(FRESH).stale_policy(StalePolicy::OffloadRevalidate);
    let cache = hitbox_fn::Cache::builder()
        .backend(hitbox_moka::MokaBackend::builder().max_entries(setup.capacity).build())
        .policy(policy.build())
        .offload(OffloadManager::with_defaults())
        .build();
    run::polled(setup.keys, async |key| stale_number_of(key).cache(&cache).await);
    work.with(async move |key| stale_number_of(key).cache(&cache).await)
}

pub(super) fn cacheflight(setup: Setup<'_, u64>, work: Work) -> Contender<u64> {
    let cache =
        ::cacheflight::CacheFlight::new(::cacheflight::MemoryCache::new()).stale_while_revalidate(FRESH, DAY);
    let fetch = |key: u64| move || async move { Ok(origin(key).await.to_le_bytes().to_vec()) };
    run::polled(setup.keys, async |key| cache.run(key.to_string(), fetch(key)).await.map(drop));
    work.with(async move |key| cache.run(key.to_string(), fetch(key)).await.expect("a value").into_value())
}

#[cachekit(client = cache, ttl = 3_600, interop = "stale", namespace = "bench")]
async fn stale_kit(cache: &CacheKit, key: u64) -> Result<u64, CachekitError> {
    Ok(origin(key).await)
}

pub(super) fn cachekit(setup: Setup<'_, u64>, work: Work) -> Contender<u64> {
    let cache = super::cachekit::client(setup.capacity, FRESH.as_secs_f64() / 3_600.0);
    run::polled(setup.keys, async |key| stale_kit(&cache, key).await.map(drop));
    work.with(async move |key| stale_kit(&cache, key).await.expect("a value"))
}

/// Why a stale read of ours starts no refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Running,
    Queued,
    Refused,
    BackOff,
}

impl Why {
    pub(crate) const ALL: [Self; 4] = [Self::Running, Self::Queued, Self::Refused, Self::BackOff];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Refused => "refused",
            Self::BackOff => "in back-off",
        }
    }

    /// How many refreshes are asked for before those of the keys that are read: 64 run, and 1,024 wait.
    fn before(self) -> u64 {
        match self {
            Self::Running | Self::BackOff => 0,
            Self::Queued => 64,
            Self::Refused => 64 + 1_024,
        }
    }
}

/// Ours, with stale values of these keys whose refresh does not start. The second part is the number of calls that were
/// answered stale, and of bodies that were started.
pub(crate) fn held_up(keys: &[u64], why: Why) -> (Contender<u64>, impl Fn() -> (u64, u64) + use<>) {
    #[cacheback(lifetime = FRESH, capacity = ROOMY, breaker = false)]
    async fn read(key: u64) -> Result<u64, Arc<str>> {
        if WHY_IS_BACK_OFF.load(Ordering::Relaxed) {
            return Err("down".into());
        }
        Ok(origin(key).await)
    }
    static WHY_IS_BACK_OFF: AtomicBool = AtomicBool::new(false);

    WHY_IS_BACK_OFF.store(why == Why::BackOff, Ordering::Relaxed);
    let others: Vec<u64> = (0..why.before()).map(|number| u64::MAX - number).collect();
    for keys in [&others, keys] {
        run::polled(keys, async |key| read::entry(key).set(number()).await);
    }
    std::thread::sleep(FRESH.mul_f64(1.5));
    block();
    if why == Why::BackOff {
        // Each failure doubles the back-off, up to a minute.
        for _ in 0..8 {
            run::polled(keys, async |key| read::entry(key).refresh().await);
        }
    }
    for keys in [&others, keys] {
        run::polled(keys, read);
        run::drive(async { tokio::time::sleep(Duration::from_millis(20)).await });
    }
    let counts = || (read::cache().stats().stale, read::cache().stats().fetches);
    (Work::Read.with(read), counts)
}
