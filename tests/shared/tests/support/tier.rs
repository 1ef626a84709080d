//! A tier of any kind. A file of tests whose name begins with `sqlite` has a SQLite file, and all others have a server.

use std::path::PathBuf;
use std::time::Duration;

use redis::Value;
use rusqlite::Connection;
use tempfile::TempDir;

use super::Server;

/// An entry of a stream: its id, and its fields.
pub(crate) type Entry = (String, Vec<(String, Vec<u8>)>);

pub(crate) enum Tier {
    Server(Server),
    File(File),
}

impl Tier {
    /// `None` if there is no server to run.
    pub(crate) fn start() -> Option<Self> {
        if env!("CARGO_CRATE_NAME").starts_with("sqlite") {
            return Some(Self::File(File::new()));
        }
        Server::start_tier().map(Self::Server)
    }

    /// One with a queue, which a cluster does not have.
    pub(crate) fn start_with_queue() -> Option<Self> {
        if env!("CARGO_CRATE_NAME").starts_with("sqlite") {
            return Some(Self::File(File::new()));
        }
        Server::start(&[]).map(Self::Server)
    }

    /// As if all jobs under way had been taken a minute ago by workers that were killed: they count as abandoned, and their
    /// leases have lapsed.
    pub(crate) fn abandon_jobs(&self) {
        match self {
            Self::Server(server) => {
                let stream = server.only("cb1:q:*:s");
                let lease = server.only("cb1:l:*");
                server.run::<()>(&format!("DEL {lease}"));
                let pending: Vec<(String, String, u64, u64)> =
                    server.run(&format!("XPENDING {stream} workers - + 100"));
                for (id, worker, ..) in pending {
                    server
                        .run::<Value>(&format!("XCLAIM {stream} workers {worker} 0 {id} IDLE 60000 JUSTID"));
                }
            }
            Self::File(file) => {
                file.run(
                    "DELETE FROM leases; UPDATE jobs SET taken = taken - 60000000000 WHERE taken NOTNULL;",
                );
            }
        }
    }

    /// Puts each job on its queue once more.
    pub(crate) fn copy_jobs(&self) {
        match self {
            Self::Server(server) => {
                let stream = server.only("cb1:q:*:s");
                let jobs: Vec<Entry> = server.run(&format!("XRANGE {stream} - +"));
                for (_, fields) in jobs {
                    server.query::<String>(redis::cmd("XADD").arg(&stream).arg("*").arg(fields));
                }
            }
            Self::File(file) => file.run(
                "INSERT INTO jobs (line, enqueued, deliveries, bytes) SELECT line, enqueued, deliveries, bytes FROM jobs;
                 INSERT INTO loads SELECT number + (SELECT count(*) FROM loads), sum, job FROM loads;",
            ),
        }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self, Self::Server(server) if server.is_cluster())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Server(server) => server.url(),
            Self::File(file) => file.url(),
        }
    }
}

/// A file in a temporary folder.
pub(crate) struct File {
    folder: TempDir,
}

impl File {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("cache.sqlite")
    }

    /// One of the files beside it.
    pub(crate) fn beside(&self, end: &str) -> PathBuf {
        self.folder.path().join(format!("cache.sqlite{end}"))
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    /// A connection of the test's own.
    pub(crate) fn connection(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// Executes statements.
    pub(crate) fn run(&self, sql: &str) {
        let db = self.connection();
        db.busy_timeout(Duration::from_secs(5)).unwrap();
        db.execute_batch(sql).unwrap();
    }

    /// The bytes of the file and its log.
    pub(crate) fn bytes(&self) -> u64 {
        let of = |end| std::fs::metadata(self.beside(end)).map_or(0, |metadata| metadata.len());
        of("") + of("-wal")
    }

    /// Whether SQLite finds no fault.
    pub(crate) fn is_whole(&self) -> bool {
        let check =
            |db: &Connection| db.query_row("PRAGMA integrity_check", (), |row| row.get::<_, String>(0));
        check(&self.connection()).is_ok_and(|verdict| verdict == "ok")
    }
}
