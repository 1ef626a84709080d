use cacheback::cacheback;

#[derive(Clone)]
struct Query;

#[cacheback(lifetime = 60)]
async fn search(query: Query) -> u64 {
    let _ = query;
    0
}

fn main() {}
