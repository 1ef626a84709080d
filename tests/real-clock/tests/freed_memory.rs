//! The end of a `Cache`, by its allocations: all of its memory is free as soon as it is dropped, not at the next round
//! of the housekeeper.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cacheback::{Cache, settle};
use tokio::runtime::Builder;

/// The system's allocator, with the number of bytes that each thread has allocated and not freed.
struct Counting;

thread_local! {
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

fn count(sign: i64, layout: Layout) {
    let size = i64::try_from(layout.size()).unwrap_or(i64::MAX);
    let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + sign * size));
}

// SAFETY: every call is handed on to the system's allocator as it is.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-1, layout);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Some use of a cache, after which it is dropped.
type Life = (&'static str, fn());

const LIVES: &[Life] = &[
    ("unused", || drop(builder().build().unwrap())),
    ("listed", || drop(builder().name("listed").build().unwrap())),
    ("filled", || {
        let cache = builder().build().unwrap();
        run(async {
            for key in 0..100 {
                cache.set(&key, vec![7; 100]).await.unwrap();
            }
            cache.remove(&1).await.unwrap();
            assert!(cache.take(&2).await.is_some());
            cache.invalidate_all().await.unwrap();
        });
    }),
    ("overflowing", || {
        let cache = builder().capacity(10).build().unwrap();
        run(async {
            for key in 0..1_000 {
                cache.set(&key, vec![7; 100]).await.unwrap();
                assert!(cache.peek(&key).await.is_some());
            }
        });
    }),
    ("fetching", || {
        let cache = builder().fetcher(|key| async move { vec![7; key] }).build().unwrap();
        run(async {
            for key in 0..100 {
                assert_eq!(cache.entry(&key).get_or_fetch().await.len(), key);
                cache.invalidate(&key).await.unwrap();
            }
            settle().await;
        });
    }),
    ("outlived by an entry", || {
        let cache = builder().build().unwrap();
        let (entry, handle) = (cache.entry(&1), cache.handle());
        run(entry.set(vec![7; 100])).unwrap();
        drop(cache);
        assert!(handle.is_empty());
    }),
];

fn builder() -> cacheback::CacheBuilder<usize, Vec<u8>> {
    Cache::builder()
}

/// Runs `work` on a runtime of its own, so that the memory of tokio is free afterwards, too.
fn run<T>(work: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn a_dropped_cache_leaves_no_memory_behind() {
    for (name, life) in LIVES {
        // For statics of the process and of the thread, and for lists that grow.
        for _ in 0..3 {
            life();
        }
        let before = BYTES.get();
        for _ in 0..10 {
            life();
        }
        assert_eq!(BYTES.get() - before, 0, "bytes of ten caches: {name}");
    }
}
