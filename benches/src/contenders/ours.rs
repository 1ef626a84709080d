//! Our library, through the macro, as a user calls it.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheback::cacheback;

use super::{Contender, FULL, ROOMY, Setup};
use crate::case::{Key, Value};
use crate::run;

/// A cached function with one argument, and the contender that calls it.
macro_rules! function {
    ($name:ident, $key:ty, $static_key:ty, $value:ty, $capacity:expr $(, $option:ident)?) => {
        pub(super) fn $name(setup: Setup<'_, $static_key>) -> Contender<$static_key> {
            #[cacheback(lifetime = 86_400, capacity = $capacity $(, $option)?)]
            async fn read(key: $key) -> $value {
                let _ = key;
                <$value>::make()
            }

            run::polled(setup.keys, async |key| read::entry(key).set(<$value>::make()).await);
            run::drive(cacheback::settle());
            let contender = polled!(&read(Key::of(0)), key => read(key).await);
            Contender { misses: Some(|| read::cache().stats().fetches), ..contender }
        }
    };
}

function!(u64_bytes, u64, u64, [u8; 16], ROOMY);
function!(u64_arc, u64, u64, Arc<String>, ROOMY);
function!(u64_string, u64, u64, String, ROOMY);
function!(str_bytes, &str, &'static str, [u8; 16], ROOMY);
function!(str_arc, &str, &'static str, Arc<String>, ROOMY);
function!(misses, u64, u64, [u8; 16], FULL, fetch_on_miss);
function!(memory, u64, u64, u64, ROOMY);

/// Three arguments.
pub(super) fn three_arguments(setup: Setup<'_, &'static str>) -> Contender<&'static str> {
    #[cacheback(lifetime = 86_400, capacity = ROOMY)]
    async fn read(id: u32, name: &str, flag: bool) -> [u8; 16] {
        let _ = (id, name, flag);
        <[u8; 16]>::make()
    }

    run::polled(setup.keys, async |key| read::entry(3, key, true).set(<[u8; 16]>::make()).await);
    run::drive(cacheback::settle());
    polled!(&read(3, Key::of(0), true), key => read(black_box(3), key, black_box(true)).await)
}

/// How many reads of a trace are hits in a cache with this capacity and this eviction policy.
macro_rules! hit_count {
    ($name:ident, $eviction:literal) => {
        /// Call it once in a process: the capacity cannot change later.
        pub(crate) fn $name(trace: &[u64], capacity: u64) -> u64 {
            static ROOM: AtomicU64 = AtomicU64::new(0);
            static FETCHES: AtomicU64 = AtomicU64::new(0);

            #[cacheback(lifetime = 86_400, capacity = ROOM.load(Ordering::Relaxed), eviction = $eviction, fetch_on_miss)]
            async fn read(key: u64) -> u64 {
                FETCHES.fetch_add(1, Ordering::Relaxed);
                key
            }

            ROOM.store(capacity, Ordering::Relaxed);
            run::polled(trace, read);
            let fetches = FETCHES.load(Ordering::Relaxed);
            let stats = read::cache().stats();
            assert_eq!(
                (stats.hits, stats.fetches),
                (trace.len() as u64 - fetches, fetches),
                "the counters of the cache and of the body agree"
            );
            trace.len() as u64 - fetches
        }
    };
}

hit_count!(lru_hits, "lru");
hit_count!(tiny_lfu_hits, "tiny_lfu");
