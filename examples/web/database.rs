//! The database: a SQLite file, a few connections to it, and a count of its queries.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, params};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How many queries may run at once.
const CONNECTIONS: usize = 4;

/// The newest tweets of the users whom a user follows. It reads and sorts all of their rows.
const TIMELINE: &str = "
    SELECT users.name, tweets.text, datetime(tweets.posted, 'unixepoch')
    FROM follows JOIN tweets ON tweets.author = follows.followed JOIN users ON users.id = tweets.author
    WHERE follows.follower = (SELECT id FROM users WHERE name = ?1)
    ORDER BY tweets.posted DESC, tweets.id DESC LIMIT 20";

/// The size of the database.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) users: u32,
    /// How many others each user follows.
    pub(crate) followed: u32,
    /// How many tweets each user wrote.
    pub(crate) tweets: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Tweet {
    pub(crate) author: String,
    pub(crate) text: String,
    pub(crate) posted: String,
}

/// The reason why a query failed. It is `Clone`, so that all callers who wait for one fetch can share its error.
#[derive(Clone, Debug)]
pub(crate) enum Error {
    Closed,
    Aborted,
    Sqlite(Arc<rusqlite::Error>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the database is closed"),
            Self::Aborted => f.write_str("the query was aborted"),
            Self::Sqlite(error) => write!(f, "the database failed: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sqlite(error) => Some(error),
            Self::Closed | Self::Aborted => None,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

/// A pool of connections. Clones share it.
#[derive(Clone)]
pub(crate) struct Database(Arc<Pool>);

struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    /// One permit for each running query. Closed together with the pool.
    permits: Arc<Semaphore>,
    /// Counted by SQLite's trace hook.
    queries: Arc<AtomicU64>,
    refused: AtomicU64,
}

impl Database {
    /// Makes the file and fills it.
    pub(crate) async fn create(path: &Path, size: Size) -> Result<Self, Error> {
        let pool = Pool {
            path: path.to_owned(),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            queries: Arc::default(),
            refused: AtomicU64::new(0),
        };
        let path = pool.path.clone();
        spawn_blocking(move || fill(&mut Connection::open(path)?, size))
            .await
            .map_err(|_| Error::Aborted)??;
        Ok(Self(Arc::new(pool)))
    }

    /// The newest tweets of the users whom the user follows.
    pub(crate) async fn timeline(&self, user: &str) -> Result<Vec<Tweet>, Error> {
        let user = user.to_owned();
        self.run(move |connection| {
            let mut query = connection.prepare_cached(TIMELINE)?;
            let tweets = query.query_map([user], |row| {
                Ok(Tweet { author: row.get(0)?, text: row.get(1)?, posted: row.get(2)? })
            })?;
            tweets.collect()
        })
        .await
    }

    /// Stores a tweet of the user. Returns `false` if there is no such user.
    pub(crate) async fn insert(&self, user: &str, text: String) -> Result<bool, Error> {
        const INSERT: &str = "
            INSERT INTO tweets (author, posted, text) SELECT id, unixepoch(), ?2 FROM users WHERE name = ?1";
        let user = user.to_owned();
        self.run(move |connection| Ok(connection.prepare_cached(INSERT)?.execute([user, text])? == 1)).await
    }

    /// Runs a query on a thread for blocking work. A query that has begun runs to its end, even if the caller goes
    /// away.
    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let pool = Arc::clone(&self.0);
        let Ok(permit) = Arc::clone(&pool.permits).acquire_owned().await else {
            pool.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Error::Closed);
        };
        spawn_blocking(move || {
            let _permit = permit;
            let connection = pool.connection()?;
            let answer = query(&connection);
            pool.idle().push(connection);
            Ok(answer?)
        })
        .await
        .map_err(|_| Error::Aborted)?
    }

    /// From now on every new query fails. Running queries finish.
    pub(crate) fn close(&self) {
        self.0.permits.close();
        self.0.idle().clear();
    }

    /// How many statements SQLite has executed since the file was filled.
    pub(crate) fn queries(&self) -> u64 {
        self.0.queries.load(Ordering::Relaxed)
    }

    /// How many queries failed because the pool is closed.
    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Pool {
    /// An idle connection, or a new one if none is idle.
    fn connection(&self) -> rusqlite::Result<Connection> {
        if let Some(connection) = self.idle().pop() {
            return Ok(connection);
        }
        let mut connection = Connection::open(&self.path)?;
        let queries = Arc::clone(&self.queries);
        let count = move |_: TraceEvent<'_>| {
            queries.fetch_add(1, Ordering::Relaxed);
        };
        connection.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(count))?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fill(connection: &mut Connection, size: Size) -> rusqlite::Result<()> {
    // With a write-ahead log a reader does not wait for a writer.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
         CREATE TABLE tweets (id INTEGER PRIMARY KEY, author INTEGER, posted INTEGER, text TEXT);
         CREATE TABLE follows (follower INTEGER, followed INTEGER, PRIMARY KEY (follower, followed));",
    )?;
    let transaction = connection.transaction()?;
    {
        let mut user = transaction.prepare("INSERT INTO users VALUES (?1, ?2)")?;
        let mut follow = transaction.prepare("INSERT INTO follows VALUES (?1, ?2)")?;
        let mut tweet = transaction
            .prepare("INSERT INTO tweets (author, posted, text) VALUES (?1, unixepoch() - ?2, ?3)")?;
        for id in 0..size.users {
            user.execute(params![id, format!("user{id}")])?;
            // A user sees their own tweets too.
            for other in 0..=size.followed {
                follow.execute([id, (id + other) % size.users])?;
            }
            for number in 0..size.tweets {
                // A cheap scatter over a month that is the same in each run.
                let age = (id * size.tweets + number).wrapping_mul(2_654_435_761) % (30 * 24 * 60 * 60);
                tweet.execute(params![id, age + 1, format!("This is tweet {number} of mine.")])?;
            }
        }
    }
    transaction.execute_batch("CREATE INDEX tweets_of_author ON tweets (author)")?;
    transaction.commit()
}
