//! A repository whose reads are cached and whose writes keep the cache up to date.
//!
//! `cargo run --example repository` creates a SQLite file and reads it through the methods of a struct that holds a
//! pool of connections. The pool counts the queries.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use cacheback::cacheback;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};

#[derive(Clone, Debug)]
struct User {
    name: String,
    posts: u32,
}

/// The users of one database. A fetch owns a clone, and all clones share the pool.
#[derive(Clone)]
struct Users {
    pool: Arc<Pool>,
}

impl Users {
    /// This program has one database, so `self` is not needed in the key and is skipped. A program with a database for
    /// each tenant would write `key = (self.tenant, id)`.
    #[cacheback(lifetime = "5m", fetch_on_miss, skip(self))]
    async fn find(&self, id: u32) -> anyhow::Result<Option<User>> {
        self.pool
            .query(move |connection| {
                let user = |row: &rusqlite::Row| Ok(User { name: row.get(0)?, posts: row.get(1)? });
                let sql = "SELECT name, (SELECT count(*) FROM posts WHERE author = users.id) FROM users WHERE id = ?1";
                connection.query_row(sql, [id], user).optional()
            })
            .await
    }

    /// The busiest authors. A list that is a few seconds old is good enough, but an empty list is not.
    #[cacheback(lifetime = "10s", fetch_on_miss, skip(self))]
    async fn busiest(&self, limit: u32) -> anyhow::Result<Vec<String>> {
        self.pool
            .query(move |connection| {
                let sql = "SELECT name FROM users JOIN posts ON author = users.id
                           GROUP BY users.id ORDER BY count(*) DESC, name LIMIT ?1";
                connection.prepare_cached(sql)?.query_map([limit], |row| row.get(0))?.collect()
            })
            .await
    }

    /// Writes, then drops the cached values that are now wrong. `find_entry` belongs to `find` and takes the same
    /// arguments.
    async fn rename(&self, id: u32, name: &str) -> anyhow::Result<()> {
        let name = name.to_owned();
        self.pool
            .query(move |connection| {
                connection.execute("UPDATE users SET name = ?2 WHERE id = ?1", params![id, name])
            })
            .await?;
        self.find_entry(id).remove().await?;
        Self::busiest_cache().clear().await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("users.sqlite");
    let pool = Arc::new(spawn_blocking(move || Pool::create(&path, 4)).await??);
    let users = Users { pool: Arc::clone(&pool) };
    let queries = || pool.queries.load(Ordering::Relaxed);

    let mut readers = JoinSet::new();
    for reader in 0..1_000 {
        let users = users.clone();
        readers.spawn(async move { users.find(1 + reader % 10).await });
    }
    for found in readers.join_all().await {
        found?.context("a user")?;
    }
    println!("1,000 calls for 10 users: {} queries", queries());

    let user = users.find(3).await?.context("user 3")?;
    println!(
        "user 3 is {} with {} posts; the busiest: {}",
        user.name,
        user.posts,
        users.busiest(3).await?.join(", ")
    );

    users.rename(3, "charlotte").await?;
    let before = queries();
    let user = users.find(3).await?.context("user 3")?;
    println!("after the rename, user 3 is {}, read again with {} query", user.name, queries() - before);
    println!("the busiest: {}", users.busiest(3).await?.join(", "));

    let absent = users.find(99).await?;
    println!("user 99: {}", absent.map_or("not found, and that is cached too".to_owned(), |user| user.name));

    for cache in cacheback::caches() {
        let stats = cache.stats();
        println!("{}: {} cached, {} hits, {} fetches", cache.name(), cache.len(), stats.hits, stats.fetches);
    }
    cacheback::shutdown(Duration::from_secs(1)).await;
    Ok(())
}

/// A few connections to one SQLite file.
struct Pool {
    idle: Mutex<Vec<Connection>>,
    /// One permit for each connection.
    permits: Semaphore,
    queries: AtomicU32,
}

impl Pool {
    /// Creates the file, with ten users. Each user has one post more than the one before.
    fn create(path: &Path, connections: usize) -> anyhow::Result<Self> {
        let first = Connection::open(path)?;
        first.execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
             CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL);
             CREATE INDEX by_author ON posts (author);",
        )?;
        let names = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];
        for (id, name) in (1_u32..).zip(names) {
            first.execute("INSERT INTO users VALUES (?1, ?2)", params![id, name])?;
            for _ in 0..id {
                first.execute("INSERT INTO posts (author) VALUES (?1)", [id])?;
            }
        }
        let mut idle = vec![first];
        while idle.len() < connections {
            idle.push(Connection::open(path)?);
        }
        Ok(Self { permits: Semaphore::new(idle.len()), idle: Mutex::new(idle), queries: AtomicU32::new(0) })
    }

    /// Runs a query on an idle connection, on a thread for blocking work.
    async fn query<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let pool = Arc::clone(self);
        let permit = self.permits.acquire().await?;
        let found = spawn_blocking(move || {
            let idle = || pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = idle().pop().context("a permit stands for a connection")?;
            pool.queries.fetch_add(1, Ordering::Relaxed);
            let found = query(&connection);
            idle().push(connection);
            Ok(found?)
        });
        let found = found.await?;
        drop(permit);
        found
    }
}
