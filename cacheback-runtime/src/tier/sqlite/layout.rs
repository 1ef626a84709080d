//! The tables of a file.
//!
//! | table | holds |
//! |---|---|
//! | `entries` | the envelope of each key, a value or a tombstone |
//! | `leases` | the lease of each key that is fetched, or that is in back-off |
//! | `scopes` | the versions of each function: all instantiations of a generic one have the same |
//! | `messages` | what the processes tell each other, for a minute |
//! | `lines` | the queue of each function and version that a worker has served, with its counters |
//! | `jobs`, `loads` | the jobs of a queue, and their bytes |
//! | `workers` | when each worker was last seen, for each of its lines |
//! | `dead` | jobs that are not run any more |
//! | `state` | one row: the time of the file, and the least number of the next change |
//!
//! Moments are nanoseconds on the file's axis. `place` grows with each value that is stored, so that the first places are
//! the oldest values. After `mark` a value may be dropped to make room and leave nothing; before that it leaves a
//! tombstone, because there may be older values in processes that have not heard of a change. `sum` covers the row, and the
//! envelope has its own.
//!
//! A job waits if nobody has `taken` it, and `holder` is the take that has brought it to a worker. Triggers keep the sums
//! of a line: how many of its jobs wait, and how many bytes all of them have.

use rusqlite::Connection;

use super::patience::{Patience, turn_log_on};
use super::trouble::Trouble;

/// `CBK1`, by which a file is known.
const APPLICATION: i64 = 0x4342_4b31;
/// The version of the tables. A file of a newer one is not touched.
const VERSION: i64 = 3;
/// It has no queue yet.
const WITHOUT_QUEUE: i64 = 1;
/// Its leases do not count the workers that have ended with them, and its lines are never forgotten.
const WITHOUT_DEATHS: i64 = 2;

const TABLES: &str = "
CREATE TABLE entries (
    place INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    number INTEGER NOT NULL,
    fingerprint INTEGER,
    born INTEGER NOT NULL,
    lifetime INTEGER NOT NULL,
    retention INTEGER NOT NULL,
    stale INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    until INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    envelope BLOB
);
CREATE INDEX ends ON entries (until);
CREATE TABLE leases (
    hash BLOB PRIMARY KEY,
    phase INTEGER NOT NULL,
    token INTEGER NOT NULL,
    stale INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    deaths INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE scopes (
    name TEXT PRIMARY KEY,
    stale INTEGER NOT NULL,
    gone INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    name TEXT NOT NULL,
    instance TEXT NOT NULL,
    kind INTEGER NOT NULL,
    change INTEGER NOT NULL,
    args BLOB
);
CREATE TABLE state (
    row INTEGER PRIMARY KEY CHECK (row = 1),
    boot TEXT,
    offset INTEGER,
    noted INTEGER,
    wall INTEGER,
    floor INTEGER NOT NULL,
    trial BLOB
);
INSERT INTO state (row, floor) VALUES (1, 1);
";

const QUEUE: &str = "
CREATE TABLE lines (
    line INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    function TEXT NOT NULL,
    instance TEXT NOT NULL,
    version INTEGER NOT NULL,
    waiting INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    minute INTEGER NOT NULL DEFAULT 0,
    this INTEGER NOT NULL DEFAULT 0,
    last INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL DEFAULT 0,
    UNIQUE (queue, function, instance, version)
);
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    line INTEGER NOT NULL,
    enqueued INTEGER NOT NULL,
    taken INTEGER,
    holder INTEGER,
    deliveries INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE INDEX turns ON jobs (line, taken);
CREATE TABLE loads (
    number INTEGER PRIMARY KEY,
    sum INTEGER NOT NULL,
    job BLOB NOT NULL
);
CREATE TABLE workers (
    line INTEGER NOT NULL,
    worker TEXT NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (line, worker)
) WITHOUT ROWID;
CREATE TABLE dead (
    number INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    at INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    error TEXT NOT NULL
);
CREATE INDEX graves ON dead (line);
CREATE TRIGGER enters AFTER INSERT ON jobs BEGIN
    UPDATE lines SET waiting = waiting + 1, bytes = bytes + NEW.bytes WHERE line = NEW.line;
END;
CREATE TRIGGER moves AFTER UPDATE OF taken ON jobs BEGIN
    UPDATE lines SET waiting = waiting + (NEW.taken ISNULL) - (OLD.taken ISNULL) WHERE line = NEW.line;
END;
CREATE TRIGGER leaves AFTER DELETE ON jobs BEGIN
    UPDATE lines SET waiting = waiting - (OLD.taken ISNULL), bytes = bytes - OLD.bytes WHERE line = OLD.line;
    DELETE FROM loads WHERE number = OLD.number;
END;
";

/// What a file of an older version lacks.
const DEATHS: &str = "ALTER TABLE leases ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;";
const SEEN: &str = "ALTER TABLE lines ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;";

/// What is to be written to a file before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lacks {
    Nothing,
    /// It is one of an older version.
    Columns,
    /// It is one of a still older version.
    Queue,
    /// Nothing was ever written to it.
    Everything,
}

/// What a file lacks. If it is not ours, that is an error.
pub(super) fn lacks(db: &Connection) -> Result<Lacks, Trouble> {
    let number = |sql: &str| db.query_row(sql, (), |row| row.get::<_, i64>(0));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    match (application, version, number("SELECT count(*) FROM sqlite_schema")?) {
        (0, 0, 0) => Ok(Lacks::Everything),
        (APPLICATION, WITHOUT_QUEUE, 1..) => Ok(Lacks::Queue),
        (APPLICATION, WITHOUT_DEATHS, 1..) => Ok(Lacks::Columns),
        (APPLICATION, VERSION, 1..) => Ok(Lacks::Nothing),
        (APPLICATION, VERSION.., _) => Err(Trouble::newer()),
        _ => Err(Trouble::foreign()),
    }
}

/// Lays out a new file, or one of an older version, unless another process is faster.
pub(super) fn lay_out(db: &Connection, patience: &Patience) -> Result<(), Trouble> {
    // Before there is any table.
    db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    turn_log_on(db, patience)?;
    db.execute_batch("BEGIN IMMEDIATE")?;
    let laid_out = lay_out_once(db);
    db.execute_batch(if laid_out.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    laid_out
}

fn lay_out_once(db: &Connection) -> Result<(), Trouble> {
    let steps: &[&str] = match lacks(db)? {
        Lacks::Nothing => return Ok(()),
        Lacks::Columns => &[DEATHS, SEEN],
        Lacks::Queue => &[DEATHS, QUEUE],
        Lacks::Everything => &[TABLES, QUEUE],
    };
    steps.iter().try_for_each(|step| db.execute_batch(step))?;
    db.pragma_update(None, "application_id", APPLICATION)?;
    Ok(db.pragma_update(None, "user_version", VERSION)?)
}
