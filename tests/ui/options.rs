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

fn main() {}
