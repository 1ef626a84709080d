//! The jobs of cacheback's workers in PostgreSQL, for those who have a database and want no other server for them.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! use cacheback::shared::Sqlite;
//! use cacheback_postgres_queue::PostgresQueue;
//!
//! // In web processes and in workers alike, before the first call.
//! let jobs = PostgresQueue::connect("host=/run/postgresql user=shop dbname=shop").await?;
//! cacheback::configure().shared(Sqlite::open("cache.sqlite")?).queue(jobs).apply()?;
//! # Ok(())
//! # }
//! ```
//!
//! `FOR UPDATE SKIP LOCKED` lets each worker take jobs without waiting for the others. All times are those of the
//! database.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cacheback::shared::{Delivery, Ended, Line, LineState, Queue, QueueError, QueueStatus, Room};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

/// How often a worker looks for a job while there is none.
const LOOK: Duration = Duration::from_millis(50);

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS cacheback_jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    line text NOT NULL,
    job bytea NOT NULL,
    deliveries integer NOT NULL DEFAULT 0,
    enqueued timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken timestamptz
);
CREATE INDEX IF NOT EXISTS cacheback_jobs_of_line ON cacheback_jobs (line, taken, id);
CREATE TABLE IF NOT EXISTS cacheback_workers (
    line text NOT NULL,
    worker text NOT NULL,
    queue text NOT NULL,
    function text NOT NULL,
    version bigint NOT NULL,
    seen timestamptz NOT NULL,
    PRIMARY KEY (line, worker)
);";

/// Abandoned jobs first, then those that wait, the oldest first.
const TAKE: &str = "
UPDATE cacheback_jobs SET taken = clock_timestamp(), deliveries = deliveries + 1
WHERE id IN (
    SELECT id FROM cacheback_jobs
    WHERE line = $1 AND (taken IS NULL OR taken <= clock_timestamp() - make_interval(secs => $2))
    ORDER BY taken IS NULL, id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING id, job, deliveries";

/// A queue in a database.
#[derive(Clone, Debug)]
pub struct PostgresQueue {
    pool: Pool,
    /// Each take begins with the next line, so that a long one keeps no other from being served.
    turn: Arc<AtomicUsize>,
}

impl PostgresQueue {
    /// Connects to a database, and makes the two tables in it if they are not there.
    ///
    /// # Errors
    ///
    /// If the settings make no sense, the server cannot be reached, or the user may not make tables.
    pub async fn connect(settings: &str) -> Result<Self, QueueError> {
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(settings.parse()?, NoTls, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager).max_size(4).build()?;
        let client = pool.get().await?;
        // Of several processes that begin, one makes them.
        client.batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock(4342); {TABLES} COMMIT")).await?;
        Ok(Self { pool, turn: Arc::default() })
    }

    /// Takes jobs, if there are any now.
    async fn take_now(&self, rooms: &[Room], most: usize) -> Result<Vec<(Line, Delivery)>, QueueError> {
        let client = self.pool.get().await?;
        let take = client.prepare_cached(TAKE).await?;
        let mut taken = Vec::new();
        for room in rooms {
            let places = i64::try_from(room.places.min(most - taken.len()))?;
            if places == 0 {
                continue;
            }
            let line = room.line.to_string();
            let mut rows = client.query(&take, &[&line, &room.min_idle.as_secs_f64(), &places]).await?;
            rows.sort_by_key(|row| row.get::<_, i64>(0));
            for row in rows {
                let id = row.get::<_, i64>(0).to_string().into();
                let deliveries = u32::try_from(row.get::<_, i32>(2))?;
                taken.push((room.line.clone(), Delivery { id, bytes: row.get(1), deliveries }));
            }
        }
        Ok(taken)
    }
}

impl Queue for PostgresQueue {
    async fn put(&self, line: &Line, job: Vec<u8>) -> Result<(), QueueError> {
        let client = self.pool.get().await?;
        let put = client.prepare_cached("INSERT INTO cacheback_jobs (line, job) VALUES ($1, $2)").await?;
        client.execute(&put, &[&line.to_string(), &job]).await?;
        Ok(())
    }

    async fn state(&self, line: &Line) -> Result<LineState, QueueError> {
        let client = self.pool.get().await?;
        let state = client
            .prepare_cached(
                "SELECT
                    (SELECT count(*) FROM cacheback_jobs WHERE line = $1 AND taken IS NULL),
                    (SELECT extract(epoch FROM clock_timestamp() - max(seen))::float8 FROM cacheback_workers
                        WHERE line = $1)",
            )
            .await?;
        let row = client.query_one(&state, &[&line.to_string()]).await?;
        let worker_seen = row.get::<_, Option<f64>>(1).map(|seen| Duration::from_secs_f64(seen.max(0.0)));
        Ok(LineState { length: row.get::<_, i64>(0).unsigned_abs(), worker_seen })
    }

    async fn take(
        &self,
        _worker: &str,
        rooms: &[Room],
        most: usize,
        wait: Duration,
    ) -> Result<Vec<(Line, Delivery)>, QueueError> {
        let until = Instant::now() + wait;
        let mut rooms = rooms.to_vec();
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % rooms.len().max(1);
        rooms.rotate_left(first);
        loop {
            let taken = self.take_now(&rooms, most).await?;
            if !taken.is_empty() || Instant::now() >= until {
                return Ok(taken);
            }
            sleep(LOOK).await;
        }
    }

    async fn done(&self, line: &Line, id: &str, _ended: Ended) -> Result<(), QueueError> {
        let client = self.pool.get().await?;
        let done = client.prepare_cached("DELETE FROM cacheback_jobs WHERE line = $1 AND id = $2").await?;
        client.execute(&done, &[&line.to_string(), &id.parse::<i64>()?]).await?;
        Ok(())
    }

    async fn give_back(&self, line: &Line, delivery: &Delivery) -> Result<(), QueueError> {
        let client = self.pool.get().await?;
        // Another worker may have it meanwhile: then it was delivered more often.
        let give_back = client
            .prepare_cached(
                "UPDATE cacheback_jobs SET taken = NULL, deliveries = deliveries - 1
                    WHERE line = $1 AND id = $2 AND taken IS NOT NULL AND deliveries = $3",
            )
            .await?;
        let (id, deliveries) = (delivery.id.parse::<i64>()?, i32::try_from(delivery.deliveries)?);
        client.execute(&give_back, &[&line.to_string(), &id, &deliveries]).await?;
        Ok(())
    }

    async fn beat(&self, worker: &str, lines: &[Line]) -> Result<(), QueueError> {
        let client = self.pool.get().await?;
        let gone = "DELETE FROM cacheback_workers WHERE seen < clock_timestamp() - interval '15 s'";
        client.execute(gone, &[]).await?;
        let beat = client
            .prepare_cached(
                "INSERT INTO cacheback_workers VALUES ($1, $2, $3, $4, $5, clock_timestamp())
                    ON CONFLICT (line, worker) DO UPDATE SET seen = clock_timestamp()",
            )
            .await?;
        for line in lines {
            let version = i64::try_from(line.version())?;
            let (queue, function) = (line.queue(), line.function());
            client.execute(&beat, &[&line.to_string(), &worker, &queue, &function, &version]).await?;
        }
        Ok(())
    }

    async fn leave(&self, worker: &str, _lines: &[Line]) -> Result<(), QueueError> {
        let client = self.pool.get().await?;
        client.execute("DELETE FROM cacheback_workers WHERE worker = $1", &[&worker]).await?;
        Ok(())
    }

    async fn status(&self) -> Result<Vec<QueueStatus>, QueueError> {
        let client = self.pool.get().await?;
        let lines = client
            .query(
                "SELECT queue, function, version, count(*),
                    (SELECT count(*) FROM cacheback_jobs jobs WHERE jobs.line = workers.line AND taken IS NULL),
                    (SELECT count(*) FROM cacheback_jobs jobs WHERE jobs.line = workers.line AND taken IS NOT NULL)
                    FROM cacheback_workers workers GROUP BY line, queue, function, version ORDER BY line",
                &[],
            )
            .await?;
        let status = lines.iter().map(|row| {
            let number = |at| row.get::<_, i64>(at).unsigned_abs();
            let mut status = QueueStatus::default();
            (status.queue, status.function, status.version) = (row.get(0), row.get(1), number(2));
            (status.workers, status.length, status.under_way) = (number(3), number(4), number(5));
            status
        });
        Ok(status.collect())
    }
}
