//! The real store under many threads: no removed value comes back, no newer one is overwritten, no invalidated one is
//! called fresh, and counters add up.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheback::{Cache, Status, cacheback, settle};
use tokio::runtime::Builder;

#[macro_use]
#[path = "../../support/assert_stats.rs"]
mod assert_stats;

/// The version that the origin would answer with now. It only grows.
static VERSION: AtomicU64 = AtomicU64::new(1);

const TASKS: u64 = 8;
const KEYS: u64 = 8;

/// A key like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Plain(u64);

/// Keys that all have one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Colliding(u64);

impl Hash for Colliding {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(7);
    }
}

/// Each task owns some keys: after it has removed or replaced a value at version `n`, it must never read an older
/// version.
macro_rules! stress {
    ($($test:ident: $key:ident, $rounds:expr, $most:expr, ($($options:tt)*);)*) => {$(
        #[test]
        fn $test() {
            /// Values are the version that was current when the body started, so an older one that comes back shows.
            #[cacheback(lifetime = "5ms", fetch_on_miss, $($options)*)]
            async fn version(key: $key) -> Arc<(u64, u64)> {
                let version = VERSION.load(Ordering::SeqCst);
                tokio::task::yield_now().await;
                Arc::new((key.0, version))
            }

            async fn task(task: u64) -> u64 {
                let mut calls = 0;
                for round in 0..$rounds {
                    let key = task * KEYS + round % KEYS;
                    let entry = version::entry($key(key));
                    let floor = VERSION.fetch_add(1, Ordering::SeqCst) + 1;
                    match round % 6 {
                        0 => entry.remove().await.unwrap(),
                        1 => entry.set(Arc::new((key, floor))).await.unwrap(),
                        2 if task == 0 && round % 60 == 2 => version::cache().clear().await.unwrap(),
                        3 => {
                            entry.invalidate().await.unwrap();
                            let lookup = entry.lookup().await;
                            calls += 1;
                            let newer = lookup.value.1 >= floor;
                            assert!(newer || lookup.status != Status::Fresh, "key {key}: {lookup:?} after {floor}");
                            continue;
                        }
                        // Foreign keys are read only, so that each key has one writer.
                        _ => {
                            let other = (key + 3) % (TASKS * KEYS);
                            assert_eq!(version($key(other)).await.0, other);
                            calls += 1;
                            continue;
                        }
                    }
                    let read = version($key(key)).await;
                    calls += 1;
                    assert_eq!(read.0, key);
                    assert!(read.1 >= floor, "key {key}: read {} after a write at {floor}", read.1);
                }
                calls
            }

            let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
            let calls = runtime.block_on(async {
                let tasks: Vec<_> = (0..TASKS).map(|number| tokio::spawn(task(number))).collect();
                let mut calls = 0;
                for task in tasks {
                    calls += task.await.unwrap();
                }
                settle().await;
                calls
            });
            let stats = version::cache().stats();
            assert_eq!(stats.calls(), calls);
            assert_stats!(version::cache(), in_flight: 0, errors: 0, panics: 0);
            assert!(stats.evicted > 0, "{stats:?}");
            assert!(stats.entries <= $most, "{stats:?}");
        }
    )*};
}

stress! {
    promise_4_many_threads_on_an_lru_cache: Plain, 4_000, 32, (capacity = 32);
    promise_4_many_threads_on_a_tiny_lfu_cache: Plain, 4_000, 32, (capacity = 32, eviction = "tiny_lfu");
    promise_4_many_threads_on_a_cache_of_one_entry: Plain, 2_000, 1, (capacity = 1);
    promise_4_many_threads_on_a_cache_bounded_in_bytes: Plain, 4_000, 32, (max_bytes = 320, weigh = |_| 10_u64);
    promise_4_many_threads_on_colliding_keys: Colliding, 1_500, 32, (capacity = 32);
    promise_4_many_threads_on_colliding_keys_under_tiny_lfu: Colliding, 1_500, 32, (capacity = 32, eviction = "tiny_lfu");
}

/// Writers, and callers who each bring a fetch of their own: no removed value comes back, no newer one is overwritten,
/// no invalidated one is called fresh, and each fetch runs once at most.
#[test]
fn promise_4_many_threads_with_calls_that_bring_their_own_fetch() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    type Versions = Cache<u64, u64>;

    async fn fetched(cache: &Versions, key: u64) -> u64 {
        let fetch = || async {
            RUNS.fetch_add(1, Ordering::SeqCst);
            let version = VERSION.load(Ordering::SeqCst);
            tokio::task::yield_now().await;
            version
        };
        cache.get_or_fetch(&key, fetch).await
    }

    async fn task(cache: Versions, task: u64) {
        for round in 0..4_000 {
            let key = task * KEYS + round % KEYS;
            let floor = VERSION.fetch_add(1, Ordering::SeqCst) + 1;
            match round % 5 {
                0 => cache.remove(&key).await.unwrap(),
                1 => cache.set(&key, floor).await.unwrap(),
                2 => {
                    cache.invalidate(&key).await.unwrap();
                    let snapshot = cache.peek(&key).await;
                    assert!(
                        snapshot.is_none_or(|seen| seen.value >= floor || !seen.fresh),
                        "{key}: {snapshot:?}"
                    );
                    continue;
                }
                3 if task == 0 && round % 50 == 3 => cache.clear().await.unwrap(),
                // Foreign keys are read only, so that each key has one writer.
                _ => {
                    fetched(&cache, (key + 3) % (TASKS * KEYS)).await;
                    continue;
                }
            }
            let read = fetched(&cache, key).await;
            assert!(read >= floor, "key {key}: read {read} after a write at {floor}");
        }
    }

    let cache: Versions = Cache::builder().lifetime(Duration::from_millis(2)).build().unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS).map(|number| tokio::spawn(task(cache.clone(), number))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        settle().await;
    });
    assert_stats!(cache, fetches: RUNS.load(Ordering::SeqCst), panics: 0, in_flight: 0);
}
