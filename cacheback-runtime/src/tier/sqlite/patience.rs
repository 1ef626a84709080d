//! Waiting for the locks of other processes.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::trouble::is_busy;
use crate::base::clock::nanos;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Ordering};

/// How long a connection waits for the lock of another process.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    began: Instant,
    /// In nanoseconds since it began.
    until: Arc<AtomicU64>,
}

impl Default for Patience {
    fn default() -> Self {
        Self { began: Instant::now(), until: Arc::default() }
    }
}

impl Patience {
    /// Lasts so long from now on.
    pub(super) fn last(&self, time: Duration) {
        self.until.store(nanos(self.began.elapsed().saturating_add(time)), Ordering::Relaxed);
    }

    /// Sleeps a little. Returns whether to try again.
    pub(super) fn waits(&self, tries: i32) -> bool {
        // A change takes some 50 microseconds, and many of them a millisecond.
        let pause = Duration::from_micros(if tries < 20 { 50 } else { 1_000 });
        std::thread::sleep(pause);
        nanos(self.began.elapsed()) < self.until.load(Ordering::Relaxed)
    }
}

/// Turns the log on, and returns the kind of log that the file has. SQLite itself does not wait here, as two that turn it on
/// at the same time could wait for each other.
pub(super) fn turn_log_on(db: &Connection, patience: &Patience) -> rusqlite::Result<String> {
    let mut tries = 0;
    loop {
        match db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)) {
            Err(error) if is_busy(&error) && patience.waits(tries) => tries += 1,
            done => return done,
        }
    }
}
