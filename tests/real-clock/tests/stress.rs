//! The real store under many threads: nothing removed comes back, nothing newer is overwritten, counters add up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheback::{cacheback, settle};
use tokio::runtime::Builder;

/// What the origin would answer now; it only grows.
static VERSION: AtomicU64 = AtomicU64::new(1);

/// Values are the version that was current when the body started, so an older one that comes back shows.
#[cacheback(lifetime = "5ms", capacity = 32, fetch_on_miss)]
async fn version(key: u64) -> Arc<(u64, u64)> {
    let version = VERSION.load(Ordering::SeqCst);
    tokio::task::yield_now().await;
    Arc::new((key, version))
}

/// Each task owns some keys: what it has removed at version `n` must never be read again with an older version.
#[test]
fn removed_values_do_not_come_back() {
    const TASKS: u64 = 8;
    const KEYS: u64 = 8;
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let calls = runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                tokio::spawn(async move {
                    let mut calls = 0_u64;
                    for round in 0..4_000_u64 {
                        let key = task * KEYS + round % KEYS;
                        let entry = version::entry(key);
                        let floor = VERSION.fetch_add(1, Ordering::SeqCst) + 1;
                        match round % 5 {
                            0 => entry.remove().await.unwrap(),
                            1 => entry.set(Arc::new((key, floor))).await.unwrap(),
                            2 if task == 0 && round % 50 == 2 => version::cache().clear().await.unwrap(),
                            // Foreign keys are read only, so that each key has one writer.
                            _ => {
                                let other = (key + 3) % (TASKS * KEYS);
                                assert_eq!(version(other).await.0, other);
                                calls += 1;
                                continue;
                            }
                        }
                        let read = version(key).await;
                        calls += 1;
                        assert_eq!(read.0, key);
                        assert!(read.1 >= floor, "key {key}: read {} after a write at {floor}", read.1);
                    }
                    calls
                })
            })
            .collect();
        let mut calls = 0;
        for task in tasks {
            calls += task.await.unwrap();
        }
        settle().await;
        calls
    });
    let stats = version::cache().stats();
    assert_eq!(stats.hits + stats.stale + stats.empty + stats.waited, calls);
    assert_eq!((stats.in_flight, stats.errors, stats.panics), (0, 0, 0));
    assert!(stats.evicted > 0, "{stats:?}");
    assert!(stats.entries <= 32, "{stats:?}");
}
