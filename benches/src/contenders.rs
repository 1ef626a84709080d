//! The caches that are compared, each used the way its own documentation tells.

use crate::case::Key;
use crate::run;

/// A contender that awaits one read a key, in a loop of its own, as a user's function would: nothing is between the loop
/// and the call. The first future is never polled: it is that of the call itself, to be measured.
macro_rules! polled {
    ($future:expr, $key:ident => $read:expr) => {
        $crate::contenders::Contender {
            read: Box::new(move |keys| {
                $crate::run::drive(async {
                    for &$key in keys {
                        let $key = std::hint::black_box($key);
                        let _ = std::hint::black_box($read);
                    }
                })
            }),
            future: Some(size_of_val($future)),
            misses: None,
        }
    };
}

mod cachekit;
mod functions;
mod generic;
mod hitbox;
mod lists;
mod ours;
pub(crate) mod stale;
pub(crate) mod waiters;

pub(crate) use generic::{at_once_awaited, at_once_called, settle};
pub(crate) use lists::{hits, memory, misses, str_arc, str_bytes, three_arguments, u64_arc, u64_string};
pub(crate) use ours::{lru_hits, tiny_lfu_hits};

pub(crate) const OURS: &str = "cacheback";
pub(crate) const OURS_TINY_LFU: &str = "cacheback, eviction = \"tiny_lfu\"";
/// The unit of the ratios.
pub(crate) const UNIT: &str = "moka sync, get";
pub(crate) const MOKA_FUTURE: &str = "moka future, get_with";
pub(crate) const QUICK: &str = "quick_cache, get";
pub(crate) const CONCURRENT_CACHED: &str = "cached, #[concurrent_cached] ttl";
pub(crate) const FIBRE: &str = "fibre_cache, fetch_with, SWR";
pub(crate) const HITBOX: &str = "hitbox-fn + hitbox-moka";

/// Entries of every bounded cache where all reads hit: none is near its bound.
pub(crate) const ROOMY: u64 = 2_000_000;
/// Entries of every bounded cache where all reads miss: all are full.
pub(crate) const FULL: u64 = 100_000;

/// What a cache is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a, K> {
    pub(crate) keys: &'a [K],
    pub(crate) capacity: u64,
}

/// A cache that can be made.
pub(crate) struct Maker<K> {
    pub(crate) name: &'static str,
    pub(crate) make: fn(Setup<'_, K>) -> Contender<K>,
}

/// Reads keys, one after the other.
pub(crate) type Read<K> = Box<dyn Fn(&[K]) + Send + Sync>;

/// A cache, filled.
pub(crate) struct Contender<K> {
    /// Reads all of the keys, in order. What is missing is fetched.
    pub(crate) read: Read<K>,
    /// Bytes of the future of one read.
    pub(crate) future: Option<usize>,
    /// Fetches so far, where that is counted.
    pub(crate) misses: Option<fn() -> u64>,
}

impl<K: Key> Contender<K> {
    fn called<V>(read: impl Fn(K) -> V + Send + Sync + 'static) -> Self {
        Self { read: Box::new(move |keys| run::called(keys, &read)), future: None, misses: None }
    }
}
