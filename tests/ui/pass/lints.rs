//! No lint fires in a user's code because of the expansion.
#![deny(warnings, missing_docs, unreachable_pub, unused, clippy::all, clippy::pedantic)]
#![forbid(unsafe_code)]

use cacheback::cacheback;

/// Documented.
///
/// # Errors
///
/// Never.
#[cacheback(lifetime = 60, fetch_on_miss = id > 3, wait = "1s", skip(_pool), empty = Ok(vec![id]))]
pub async fn public(id: u64, name: &str, _pool: &std::sync::Arc<u8>) -> Result<Vec<u64>, String> {
    Ok(vec![id, name.len() as u64])
}

#[cacheback]
async fn private(columns: &[&str], maybe: Option<&str>) -> usize {
    columns.len() + usize::from(maybe.is_some())
}

#[cacheback]
async fn by_entry_only(id: u64) -> u64 {
    id
}

/// Old.
#[deprecated]
#[cacheback]
pub async fn old(old: u64) -> u64 {
    old
}

#[cacheback(max_bytes = "1MiB", weigh = |text| text.len() + 24, eviction = "lru")]
async fn weighed(id: u64) -> String {
    id.to_string()
}

#[cacheback(handle = false)]
async fn alone(id: u64) -> u64 {
    id
}

fn main() {
    let _ = (private(&["a"], None), alone(1), weighed(1), by_entry_only::entry(1));
}
