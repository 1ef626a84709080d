use cacheback::cacheback;

const LIFETIME: u64 = 60;

#[cacheback(lifetime = LIFETIME, empty = "nothing", lifetime_for = |n: &u64| *n)]
async fn load(id: u64) -> u64 {
    id
}

fn main() {}
