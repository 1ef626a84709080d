//! The contenders of each load.

use std::sync::Arc;

use super::{
    CACHED, CACHEFLIGHT, CONCURRENT_CACHED, FIBRE, FOYER, HITBOX, MOKA_FUTURE, Maker, OURS, QUICK, UNIT,
    cachekit, functions, generic, hitbox, ours,
};
use crate::case::{Key, Value};

/// The caches for any key and any value. The unit comes first.
fn generic<K: Key, V: Value>() -> Vec<Maker<K>> {
    vec![
        Maker { name: UNIT, make: generic::moka_sync::<K, V> },
        Maker { name: MOKA_FUTURE, make: generic::moka_future::<K, V> },
        Maker { name: QUICK, make: generic::quick_get::<K, V> },
        Maker { name: "quick_cache, get_or_insert_async", make: generic::quick_async::<K, V> },
        Maker { name: FIBRE, make: generic::fibre::<K, V> },
        Maker { name: FOYER, make: generic::foyer::<K, V> },
    ]
}

/// The minimum that any cache does: find a key and clone its value.
fn floor<K: Key, V: Value>() -> Vec<Maker<K>> {
    vec![
        Maker { name: "papaya::HashMap, foldhash", make: generic::papaya::<K, V> },
        Maker { name: "std HashMap, foldhash, no lock", make: generic::std_map::<K, V> },
    ]
}

fn macros<K>(
    ours: fn(super::Setup<'_, K>) -> super::Contender<K>,
    cached: fn(super::Setup<'_, K>) -> super::Contender<K>,
    concurrent: fn(super::Setup<'_, K>) -> super::Contender<K>,
) -> Vec<Maker<K>> {
    vec![
        Maker { name: OURS, make: ours },
        Maker { name: CACHED, make: cached },
        Maker { name: CONCURRENT_CACHED, make: concurrent },
    ]
}

fn together<K>(lists: [Vec<Maker<K>>; 4]) -> Vec<Maker<K>> {
    lists.into_iter().flatten().collect()
}

/// All contenders, u64 -> [u8; 16].
pub(crate) fn hits() -> Vec<Maker<u64>> {
    together([
        generic::<u64, [u8; 16]>(),
        macros(ours::u64_bytes, functions::cached_u64_bytes, functions::concurrent_u64_bytes),
        vec![
            Maker { name: HITBOX, make: hitbox::u64_bytes },
            Maker { name: CACHEFLIGHT, make: generic::cacheflight },
            Maker { name: "cachekit-rs, #[cachekit]", make: cachekit::u64_bytes },
        ],
        floor::<u64, [u8; 16]>(),
    ])
}

/// The contenders of `hits`, for a load in which every key is new.
pub(crate) fn misses() -> Vec<Maker<u64>> {
    together([
        generic::<u64, [u8; 16]>(),
        macros(ours::misses, functions::cached_u64_bytes, functions::concurrent_u64_bytes),
        vec![
            Maker { name: HITBOX, make: hitbox::u64_bytes },
            Maker { name: CACHEFLIGHT, make: generic::cacheflight },
            Maker { name: "cachekit-rs, #[cachekit]", make: cachekit::u64_bytes },
        ],
        Vec::new(),
    ])
}

/// u64 -> u64.
pub(crate) fn memory() -> Vec<Maker<u64>> {
    together([
        generic::<u64, u64>(),
        macros(ours::memory, functions::cached_u64_u64, functions::concurrent_u64_u64),
        vec![
            Maker { name: HITBOX, make: hitbox::u64_u64 },
            Maker { name: "cacheflight, run, SWR (16 bytes)", make: generic::cacheflight },
            Maker { name: "cachekit-rs, #[cachekit]", make: cachekit::u64_u64 },
        ],
        floor::<u64, u64>(),
    ])
}

pub(crate) fn u64_arc() -> Vec<Maker<u64>> {
    together([
        generic::<u64, Arc<String>>(),
        macros(ours::u64_arc, functions::cached_u64_arc, functions::concurrent_u64_arc),
        Vec::new(),
        floor::<u64, Arc<String>>(),
    ])
}

pub(crate) fn u64_string() -> Vec<Maker<u64>> {
    together([
        generic::<u64, String>(),
        macros(ours::u64_string, functions::cached_u64_string, functions::concurrent_u64_string),
        vec![Maker { name: HITBOX, make: hitbox::u64_string }],
        floor::<u64, String>(),
    ])
}

pub(crate) fn str_bytes() -> Vec<Maker<&'static str>> {
    together([
        generic::<&'static str, [u8; 16]>(),
        macros(ours::str_bytes, functions::cached_str_bytes, functions::concurrent_str_bytes),
        Vec::new(),
        floor::<&'static str, [u8; 16]>(),
    ])
}

pub(crate) fn str_arc() -> Vec<Maker<&'static str>> {
    together([
        generic::<&'static str, Arc<String>>(),
        macros(ours::str_arc, functions::cached_str_arc, functions::concurrent_str_arc),
        Vec::new(),
        floor::<&'static str, Arc<String>>(),
    ])
}

pub(crate) fn three_arguments() -> Maker<&'static str> {
    Maker { name: OURS, make: ours::three_arguments }
}
