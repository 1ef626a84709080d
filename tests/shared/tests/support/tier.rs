//! A tier of any kind. A file of tests whose name begins with `sqlite` has a SQLite file, and all others have a server.

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::Server;

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
