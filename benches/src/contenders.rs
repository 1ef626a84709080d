//! The caches that are compared. Each is used as its own documentation says.

use crate::case::Key;
use crate::{process, run};

/// A contender that awaits one read for each key. It has a loop of its own, as a user's function would, so nothing
/// stands between the loop and the call. The first future is the future of one call. It is never polled; only its size
/// is measured.
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
            before: None,
            misses: None,
        }
    };
}

pub(crate) mod background;
mod cachekit;
pub(crate) mod disk;
mod functions;
mod generic;
mod hitbox;
mod lists;
mod ours;
pub(crate) mod shared;
pub(crate) mod stale;
pub(crate) mod tail;
pub(crate) mod waiters;
pub(crate) mod writes;

pub(crate) use generic::{at_once_awaited, at_once_called, at_once_shared, at_once_three, settle};
pub(crate) use lists::{hits, memory, misses, str_arc, str_bytes, three_arguments, u64_arc, u64_string};
pub(crate) use ours::{lru_hits, tiny_lfu_hits};

pub(crate) const OURS: &str = "cacheback";
pub(crate) const OURS_TINY_LFU: &str = "cacheback, eviction = \"tiny_lfu\"";
/// Ratios are relative to this contender.
pub(crate) const UNIT: &str = "moka sync, get";
pub(crate) const MOKA_FUTURE: &str = "moka future, get_with";
pub(crate) const QUICK: &str = "quick_cache, get";
pub(crate) const CACHEFLIGHT: &str = "cacheflight, run, SWR";
pub(crate) const FOYER: &str = "foyer, get_or_fetch";
pub(crate) const CACHED: &str = "cached, #[cached] ttl";
pub(crate) const CONCURRENT_CACHED: &str = "cached, #[concurrent_cached] ttl";
pub(crate) const FIBRE: &str = "fibre_cache, fetch_with, SWR";
pub(crate) const HITBOX: &str = "hitbox-fn + hitbox-moka";

/// The capacity of bounded caches if all reads hit: no cache is near its bound.
pub(crate) const ROOMY: u64 = 2_000_000;
/// The capacity of bounded caches if all reads miss: every cache is full.
pub(crate) const FULL: u64 = 100_000;

/// The parameters of a cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a, K> {
    pub(crate) keys: &'a [K],
    pub(crate) capacity: u64,
}

/// A cache by name, and the function that makes it.
pub(crate) struct Maker<K> {
    pub(crate) name: &'static str,
    pub(crate) make: fn(Setup<'_, K>) -> Contender<K>,
}

/// Makes and fills the caches that take part, one after another.
pub(crate) fn filled<K: Key>(makers: &[Maker<K>], setup: Setup<'_, K>) -> Vec<(&'static str, Contender<K>)> {
    let make = |one: &Maker<K>| {
        process::works(one.name);
        (one.name, (one.make)(setup))
    };
    let filled = makers.iter().filter(|one| process::takes_part(one.name)).map(make).collect();
    process::nobody_works();
    filled
}

/// Reads keys, one after another.
pub(crate) type Read<K> = Box<dyn Fn(&[K]) + Send + Sync>;

/// A filled cache.
pub(crate) struct Contender<K> {
    /// Reads all of the keys, in order. Missing values are fetched.
    pub(crate) read: Read<K>,
    /// Prepares these keys for the reads, before the clock starts.
    pub(crate) before: Option<Read<K>>,
    /// Size of the future of one read, in bytes.
    pub(crate) future: Option<usize>,
    /// Fetches so far, if the cache counts them.
    pub(crate) misses: Option<fn() -> u64>,
}

impl<K: Key> Contender<K> {
    fn called<V>(read: impl Fn(K) -> V + Send + Sync + 'static) -> Self {
        Self::of(Box::new(move |keys| run::called(keys, &read)))
    }

    fn awaited<V>(read: impl AsyncFn(K) -> V + Send + Sync + 'static) -> Self {
        Self::of(Box::new(move |keys| run::polled(keys, &read)))
    }

    pub(crate) fn of(read: Read<K>) -> Self {
        Self { read, before: None, future: None, misses: None }
    }
}
