use std::hash::Hash;
use std::sync::Arc;

use cacheback::cacheback;

#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Query;

#[derive(Clone)]
struct Db;

#[derive(Clone)]
struct DbError;

trait Row: Clone + Default + Send + Sync + 'static {}

trait Id: Clone + Hash + Eq + Send + Sync + 'static {}

#[cacheback(shared)]
async fn value(id: u64) -> Vec<Query> {
    let _ = id;
    vec![]
}

#[cacheback(shared, fetch_on_miss)]
async fn value_of_a_result(id: u64) -> Result<Query, DbError> {
    let _ = id;
    Err(DbError)
}

#[cacheback(shared)]
async fn part_of_the_key(name: &str, query: Query, page: u32) -> u64 {
    let _ = (name, query);
    page.into()
}

#[cacheback(shared)]
async fn borrowed_part_of_the_key(name: &str, query: Option<&Query>) -> u64 {
    let _ = (name, query);
    0
}

#[cacheback(shared, key = (name, Query))]
async fn computed_part_of_the_key(name: &str) -> u64 {
    let _ = name;
    0
}

// What is skipped need not be sent.
#[cacheback(shared, skip(db, query))]
async fn skipped(db: &Arc<Db>, query: Query, id: u64) -> u64 {
    let _ = (db, query);
    id
}

impl Db {
    #[cacheback(shared, skip(self))]
    async fn method(&self, query: &Query) -> u64 {
        let _ = query;
        0
    }
}

#[cacheback(shared)]
async fn generic<I: Id, R: Row>(id: I) -> Vec<R> {
    let _ = id;
    vec![]
}

fn main() {}
