use std::hash::Hash;

use cacheback::cacheback;
use serde::Serialize;

#[cacheback(version = 2)]
async fn version_of_nothing(id: u64) -> u64 {
    id
}

#[cacheback(shared = "")]
async fn tier_without_a_name(id: u64) -> u64 {
    id
}

#[cacheback(shared, lifetime = 60, shared = "sessions")]
async fn twice(id: u64) -> u64 {
    id
}

#[cacheback(shared, version = id)]
async fn version_of_an_argument(id: u64) -> u64 {
    id
}

#[cacheback(shared)]
async fn key_parameter<K: Hash + Eq + Clone + Send + Sync + 'static>(key: K) -> u64 {
    let _ = key;
    0
}

#[cacheback(shared, fetch_on_miss)]
async fn value_parameter<T: Serialize + Default + Clone + Send + Sync + 'static>(id: u64) -> T {
    let _ = id;
    T::default()
}

fn main() {}
