use std::sync::Arc;

use cacheback::cacheback;

#[derive(Clone)]
struct Db;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Query;

#[cacheback(queue)]
async fn not_shared(id: u64) -> u64 {
    id
}

#[cacheback(shared, queue = "")]
async fn without_a_name(id: u64) -> u64 {
    id
}

#[cacheback(shared, queue)]
async fn generic<T: Clone + Default + Send + Sync + 'static>(id: u64) -> Vec<T> {
    let _ = id;
    vec![]
}

#[cacheback(shared, queue_fallback = false)]
async fn fallback_of_nothing(id: u64) -> u64 {
    id
}

// Not in the key, and not skipped: it is sent.
#[cacheback(shared, queue, key = id)]
async fn beside_the_key(db: &Arc<Db>, id: u64) -> u64 {
    let _ = db;
    id
}

// Told once.
#[cacheback(shared, queue)]
async fn in_the_key(query: Query, id: u64) -> u64 {
    let _ = query;
    id
}

impl Db {
    fn tenant(&self) -> u64 {
        0
    }

    #[cacheback(shared, queue, key = (self.tenant(), id))]
    async fn of_a_tenant(&self, id: u64) -> u64 {
        id
    }

    // What is skipped need not be sent.
    #[cacheback(shared, queue, skip(self))]
    async fn skipped(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
