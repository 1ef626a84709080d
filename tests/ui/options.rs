use cacheback::cacheback;

#[cacheback(ttl = 60, lifetime = 1.5, fetch_on_mis, skip(db), wait = "5 parsecs", jitter = 2.0)]
async fn several_at_once(id: u64) -> u64 {
    id
}

#[cacheback(600)]
async fn positional(id: u64) -> u64 {
    id
}

#[cacheback(lifetime = 60, lifetime = 70, shared, tags = ["user"], version = 2)]
async fn twice_and_too_early(id: u64) -> u64 {
    id
}

#[cacheback(key = "user:{id}")]
async fn one_for_all(id: u64) -> u64 {
    id
}

#[cacheback(max_bytes = "64M", weigh = 100, eviction = "lfu")]
async fn bounds(id: u64) -> String {
    id.to_string()
}

#[cacheback(weigher = |_, text| text.len(), max_memory = 64MiB, eviction = "fifo")]
async fn other_bounds(id: u64) -> String {
    id.to_string()
}

fn main() {}
