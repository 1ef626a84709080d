//! A slow SQL query behind `#[cacheback]`, with the time that each call took.
//!
//! `cargo run --example quickstart` fills a SQLite file in a temporary directory and reads it through two cached
//! functions: a cold key, hits, a stale value, many callers at once, and a database that is away for two seconds.
//! Every time in the table is measured, and the database itself counts the queries.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use cacheback::{Lookup, Status, cacheback};
use rusqlite::{Connection, OpenFlags, params};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

const POSTS: u32 = 400_000;
const DAYS: u32 = 28;
const AUTHORS: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];

/// One day of an author's timeline: the day, the number of posts, and the likes of the best one.
type Day = (u32, u32, u32);

/// An author's timeline, with a row for each day.
#[cacheback(lifetime = "1s", max_backoff = "1s", skip(db))]
async fn timeline(db: &Arc<Database>, author: &str) -> anyhow::Result<Vec<Day>> {
    let (db, author) = (Arc::clone(db), author.to_owned());
    spawn_blocking(move || db.timeline(&author)).await?
}

/// The most liked authors. An empty answer would be wrong here, so callers wait for the first value.
#[cacheback(lifetime = "1m", fetch_on_miss, skip(db))]
async fn most_liked(db: &Arc<Database>, limit: u32) -> anyhow::Result<Vec<(String, i64)>> {
    let db = Arc::clone(db);
    spawn_blocking(move || db.most_liked(limit)).await?
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("posts.sqlite");
    let started = Instant::now();
    let db = Arc::new(spawn_blocking(move || Database::create(&path)).await??);
    println!("A SQLite file with {} posts, made in {}.", grouped(POSTS), shown(started.elapsed()));

    let table = Table::new(&db);
    table.section("Without a cache, every call pays for the query.");
    let direct = Arc::clone(&db);
    let started = Instant::now();
    let days = spawn_blocking(move || direct.timeline("bob")).await??;
    table.row("the query itself", started.elapsed(), format!("{} days", days.len()));

    cold_key(&table).await?;
    hits(&table).await?;
    stale(&table).await?;
    many_callers(&table).await?;
    dead_database(&table).await?;

    let stats = timeline::cache().stats();
    let calls = stats.calls();
    println!("\n`timeline` answered {} calls with {} fetches.", grouped(calls), stats.fetches);
    Ok(())
}

async fn cold_key(table: &Table<'_>) -> anyhow::Result<()> {
    table.section(
        "Nothing is cached yet: a call returns an empty list at once, and the query runs in the background.",
    );
    table.call("first call, sets up the cache", "carol").await?;
    let started = Instant::now();
    table.call("first call for another author", "alice").await?;
    cacheback::settle().await;
    table.row("until both queries are done", started.elapsed(), "-");
    Ok(())
}

async fn hits(table: &Table<'_>) -> anyhow::Result<()> {
    table.section("Within the lifetime every call is a read from memory.");
    table.call("next call", "alice").await?;
    let before = timeline::cache().stats().hits;
    let mut took = Vec::with_capacity(10_000);
    for _ in 0..10_000 {
        let started = Instant::now();
        timeline(table.db, "alice").await?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    let hits = timeline::cache().stats().hits - before;
    table.row("10,000 calls, the median", took[took.len() / 2], format!("Fresh, {} times", grouped(hits)));
    Ok(())
}

async fn stale(table: &Table<'_>) -> anyhow::Result<()> {
    table.section("Past the lifetime a call returns the old value at once, and starts one refresh.");
    sleep(Duration::from_millis(1_100)).await;
    let started = Instant::now();
    table.call("after 1.1 s", "alice").await?;
    cacheback::settle().await;
    table.row("until the refresh is done", started.elapsed(), "-");
    table.call("next call", "alice").await?;
    Ok(())
}

async fn many_callers(table: &Table<'_>) -> anyhow::Result<()> {
    table.section("With `fetch_on_miss` callers wait for the first value, and all of them share one query.");
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let db = Arc::clone(table.db);
        callers.spawn(async move {
            let started = Instant::now();
            most_liked(&db, 3).await.map(|_| started.elapsed())
        });
    }
    let took: Vec<Duration> = callers.join_all().await.into_iter().collect::<Result<_, _>>()?;
    let slowest = took.into_iter().max().unwrap_or_default();
    let waited = most_liked::cache().stats().waited;
    table.row("100 callers, the slowest", slowest, format!("Fetched, {waited} times"));
    Ok(())
}

async fn dead_database(table: &Table<'_>) -> anyhow::Result<()> {
    table.section(
        "The database is away: stale values are served, and a refresh is tried about once a second.",
    );
    let (here, away) = (&table.db.path, table.db.path.with_extension("away"));
    sleep(Duration::from_millis(1_100)).await;
    std::fs::rename(here, &away)?;
    let before = timeline::cache().stats().stale;
    let (mut calls, mut slowest) = (0_u32, Duration::ZERO);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        let call = Instant::now();
        timeline(table.db, "alice").await.context("no stale value was served")?;
        slowest = slowest.max(call.elapsed());
        calls += 1;
        sleep(Duration::from_millis(2)).await;
    }
    let stale = timeline::cache().stats().stale - before;
    let label = format!("{} calls in 2 s, the slowest", grouped(calls));
    table.row(label, slowest, format!("Stale, {} times", grouped(stale)));

    std::fs::rename(&away, here)?;
    let started = Instant::now();
    while timeline::entry(table.db, "alice").lookup().await.status != Status::Fresh {
        anyhow::ensure!(started.elapsed() < Duration::from_secs(5), "the value stays stale");
        sleep(Duration::from_millis(2)).await;
    }
    table.row("it is back: until a fresh value", started.elapsed(), "-");
    table.call("next call", "alice").await
}

/// The database, with a count of its queries.
struct Database {
    path: PathBuf,
    queries: AtomicU32,
}

impl Database {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.execute_batch("CREATE TABLE posts (author TEXT, day INTEGER, likes INTEGER)")?;
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare("INSERT INTO posts VALUES (?1, ?2, ?3)")?;
            for post in 0..POSTS {
                // A cheap scatter that is the same in each run.
                let number = post.wrapping_mul(2_654_435_761) >> 8;
                let author = AUTHORS[number as usize % AUTHORS.len()];
                insert.execute(params![author, number / 8 % DAYS, number / 224 % 500])?;
            }
        }
        transaction.commit()?;
        Ok(Self { path: path.to_owned(), queries: AtomicU32::new(0) })
    }

    fn timeline(&self, author: &str) -> anyhow::Result<Vec<Day>> {
        let sql = "SELECT day, COUNT(*), MAX(likes) FROM posts WHERE author = ?1 GROUP BY day ORDER BY day";
        let connection = self.open()?;
        let mut query = connection.prepare(sql)?;
        let days = query.query_map([author], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(days.collect::<Result<_, _>>()?)
    }

    fn most_liked(&self, limit: u32) -> anyhow::Result<Vec<(String, i64)>> {
        let sql = "SELECT author, SUM(likes) FROM posts GROUP BY author ORDER BY 2 DESC LIMIT ?1";
        let connection = self.open()?;
        let mut query = connection.prepare(sql)?;
        let authors = query.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(authors.collect::<Result<_, _>>()?)
    }

    /// Opens a connection for one query. The query is counted even if the file is gone.
    fn open(&self) -> anyhow::Result<Connection> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .context("the database is away")
    }
}

/// Prints the table, row by row.
struct Table<'db> {
    db: &'db Arc<Database>,
}

impl<'db> Table<'db> {
    fn new(db: &'db Arc<Database>) -> Self {
        println!("\n  {:<34}{:>10}   {:<30}{:>7}", "CALL", "TOOK", "SERVED", "QUERIES");
        Self { db }
    }

    fn section(&self, sentence: &str) {
        println!("\n{sentence}");
    }

    /// Calls `timeline` once and prints the answer.
    async fn call(&self, call: &str, author: &str) -> anyhow::Result<()> {
        let started = Instant::now();
        let Lookup { value, status, age, .. } = timeline::entry(self.db, author).lookup().await;
        let took = started.elapsed();
        let age = age.map(|age| format!(", {} old", shown(age))).unwrap_or_default();
        self.row(call, took, format!("{status:?}: {} days{age}", value?.len()));
        Ok(())
    }

    fn row(&self, call: impl Display, took: Duration, served: impl Display) {
        let (call, took, served) = (call.to_string(), shown(took), served.to_string());
        println!("  {call:<34}{took:>10}   {served:<30}{:>7}", self.db.queries.load(Ordering::Relaxed));
    }
}

/// A time, in a unit that suits its size.
fn shown(time: Duration) -> String {
    match time.as_nanos() {
        0..1_000 => format!("{} ns", time.as_nanos()),
        1_000..1_000_000 => format!("{:.1} µs", time.as_secs_f64() * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// A number with thousands separators.
fn grouped(number: impl Into<u64>) -> String {
    let number = number.into();
    if number < 1_000 {
        number.to_string()
    } else {
        format!("{},{:03}", grouped(number / 1_000), number % 1_000)
    }
}
