use cacheback::cacheback;

#[cacheback(lifetime = "1h", retention = "30m")]
async fn retention(id: u64) -> u64 {
    id
}

#[cacheback(lifetime = 60, refresh_ahead = 60)]
async fn ahead(id: u64) -> u64 {
    id
}

#[cacheback(fetch_on_miss, empty = 0)]
async fn never_empty(id: u64) -> u64 {
    id
}

#[cacheback(fetch_on_miss, wait = "2s")]
async fn not_found_or_late(id: u64) -> Result<Option<u64>, String> {
    Ok(Some(id))
}

#[cacheback(capacity = id)]
async fn per_entry(id: u64) -> u64 {
    id
}

#[cacheback(capacity = 100, max_bytes = "1MiB", eviction = "tiny_lfu")]
async fn two_bounds(id: u64) -> String {
    id.to_string()
}

#[cacheback(weigh = |text| text.len())]
async fn no_bound(id: u64) -> String {
    id.to_string()
}

fn main() {}
