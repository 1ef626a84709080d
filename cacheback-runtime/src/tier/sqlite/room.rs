//! The room of a file: what is over is dropped, the oldest values make place, and the log stays short.
//!
//! Of the bytes that a file and its log may have, three quarters are the file's. So that it does not grow for ever, its
//! free pages are used anew, and given back if there are more of them than the bound allows.
//!
//! If there is no more room, it goes in this order: messages, all but the last thousand; values, the oldest first, which
//! leave a tombstone if there may be older values in some process; and at last tombstones, the oldest first. As changes
//! are forgotten with those, all values of all functions are stale then.
//!
//! Jobs make no place for anything: they may have a quarter of the file, and no more are taken.
//!
//! The log is carried over into the file when it has a sixteenth of the bytes. A reader that never ends keeps it from
//! being begun anew: values are refused before it has reached its quarter, and when it has, all changes are, until that
//! reader has ended. The log takes whole pages, so that a small change may cost many bytes.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Result};

use super::changes::bump_all;
use super::jobs;
use super::rows::{WORKING, column, entomb};
use super::trouble::Trouble;
use crate::base::clock::{Moment, nanos};
use crate::rules::queue::PATIENCE;
use crate::tier::fencing::micros;

pub(super) const NO_PLACE: &str = "its log has no more room, as a process has been reading for long";

/// Messages are kept for a minute, in nanoseconds.
pub(super) const MESSAGES: u64 = 60_000_000_000;
/// So many messages stay if there is no room.
const FEW: i64 = 1_000;
/// More than so many are never kept.
const MOST: i64 = 50_000;
/// The bytes of the pages that a change of a row touches at the most: those of tables and indexes.
const PAGES: u64 = 16 << 10;
/// A job that nobody has run for a day is forgotten, in nanoseconds.
const FORGOTTEN: u64 = 86_400_000_000_000;
/// A line that no worker has served for a week is forgotten, in nanoseconds.
const ABANDONED: u64 = 7 * FORGOTTEN;
/// The pages of one value, beside those of its bytes.
const SLACK: u64 = 32;

/// What a change costs.
#[derive(Clone, Copy)]
pub(super) struct Size {
    /// The rows that it changes, at the most.
    pub(super) rows: u64,
    /// The bytes of its value.
    pub(super) bytes: u64,
    /// It is to survive a loss of power.
    pub(super) is_lasting: bool,
}

impl Size {
    /// One row, without a value.
    pub(super) const SMALL: Self = Self { rows: 1, bytes: 0, is_lasting: false };
}

/// The bounds of a file, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Room {
    file: u64,
    /// From here on the log is carried over.
    log: u64,
    /// From here on no value is taken.
    longest_log: u64,
    log_path: PathBuf,
    /// Where the oldest values were last found.
    oldest: i64,
    /// How long the log was when it was last carried over.
    carried: u64,
}

impl Room {
    pub(super) fn new(path: &Path, max_bytes: u64) -> Self {
        let mut log_path = path.as_os_str().to_owned();
        log_path.push("-wal");
        let (log, longest_log) = ((max_bytes / 16).min(4 << 20), max_bytes / 4);
        Self {
            file: max_bytes - longest_log,
            log,
            longest_log,
            log_path: log_path.into(),
            oldest: 0,
            carried: 0,
        }
    }

    /// Tells SQLite of the bounds. They are the last ones: those here are kept before.
    pub(super) fn set_up(&self, db: &Connection) -> Result<()> {
        let pages = self.pages(db)?;
        let _: i64 = db.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |row| row.get(0))?;
        let log = self.log;
        let _: i64 = db.query_row(&format!("PRAGMA journal_size_limit = {log}"), (), |row| row.get(0))?;
        Ok(())
    }

    fn pages(&self, db: &Connection) -> Result<u64> {
        Ok(self.file / number(db, "PRAGMA page_size")?.max(512))
    }

    /// The bytes of the log.
    fn log(&self) -> u64 {
        std::fs::metadata(&self.log_path).map_or(0, |metadata| metadata.len())
    }

    /// Whether the log takes so many changes, which have so many bytes of values.
    pub(super) fn takes(&self, changes: u64, bytes: u64) -> bool {
        let longest = if bytes > 0 { self.longest_log / 4 * 3 } else { self.longest_log };
        self.log().saturating_add(cost(changes, bytes)) <= longest
    }

    /// Whether so many changes are enough for one transaction.
    pub(super) fn are_many(&self, changes: u64, bytes: u64) -> bool {
        cost(changes, bytes) >= self.longest_log / 4
    }

    /// That the log takes a change at all.
    pub(super) fn is_left(&self) -> std::result::Result<(), Trouble> {
        if self.takes(1, 0) { Ok(()) } else { Err(Trouble::Failed(NO_PLACE.to_owned())) }
    }

    /// The bytes that all jobs may have.
    pub(super) fn for_jobs(&self) -> u64 {
        self.file / 4
    }

    /// So many rows are changed in one step.
    pub(super) fn step(&self) -> i64 {
        column((self.longest_log / 16 / PAGES).clamp(4, 500))
    }

    /// Makes place for so many bytes, in a transaction.
    pub(super) fn make_place(&mut self, db: &Connection, now: Moment, bytes: u64) -> Result<()> {
        let size = number(db, "PRAGMA page_size")?.max(512);
        let most = (self.file / size).saturating_sub(SLACK + bytes / size * 5 / 4);
        let used = || -> Result<u64> {
            Ok(number(db, "PRAGMA page_count")?.saturating_sub(number(db, "PRAGMA freelist_count")?))
        };
        if used()? <= most {
            return Ok(());
        }
        forget_messages(db, FEW)?;
        while used()? > most && self.drop_values(db, now)? {}
        let mut has_forgotten = false;
        while used()? > most {
            let mut drop = db.prepare_cached(
                "DELETE FROM entries WHERE place IN (SELECT place FROM entries ORDER BY place LIMIT ?1)",
            )?;
            if drop.execute([self.step()])? == 0 {
                break;
            }
            has_forgotten = true;
        }
        if has_forgotten {
            bump_all(db, now)?;
        }
        Ok(())
    }

    /// Drops some of the oldest values. Returns whether there were any.
    pub(super) fn drop_values(&mut self, db: &Connection, now: Moment) -> Result<bool> {
        let sql = "SELECT place, mark FROM entries WHERE place > ?1 AND fingerprint IS NOT NULL ORDER BY place LIMIT ?2";
        let mut select = db.prepare_cached(sql)?;
        let rows = select.query_map([self.oldest, self.step()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        let values: Vec<_> = rows.collect::<Result<_>>()?;
        let Some((last, _)) = values.last().copied() else {
            // Those that another process has left behind may lie before.
            return Ok(std::mem::replace(&mut self.oldest, 0) > 0);
        };
        for (place, mark) in values {
            if mark > column(now.to_bits()) {
                entomb(db, place, now)?;
            } else {
                db.prepare_cached("DELETE FROM entries WHERE place = ?1")?.execute([place])?;
            }
        }
        self.oldest = last;
        Ok(true)
    }

    /// Drops what is over, some of it at a time, in a transaction. Returns whether there may be more.
    pub(super) fn sweep(&self, db: &Connection, now: Moment) -> Result<bool> {
        let at = column(now.to_bits());
        let mut over = db.prepare_cached(
            "SELECT max(number) FROM (SELECT number FROM entries WHERE until <= ?1 ORDER BY until LIMIT ?2)",
        )?;
        if let Some(number) = over.query_row([at, self.step()], |row| row.get::<_, Option<i64>>(0))? {
            // The next change of any key has a greater one.
            if number.unsigned_abs() >= micros(now) {
                db.execute("UPDATE state SET floor = max(floor, ?1)", [number + 1])?;
            }
        }
        let mut drop = db.prepare_cached(
            "DELETE FROM entries WHERE place IN
                (SELECT place FROM entries WHERE until <= ?1 ORDER BY until LIMIT ?2)",
        )?;
        let dropped = drop.execute([at, self.step()])?;
        // What is left of the lease of a worker that has ended with it is kept longer.
        let mut forget = db.prepare_cached("DELETE FROM leases WHERE until + (phase = ?2) * ?3 <= ?1")?;
        forget.execute([at, WORKING, column(nanos(PATIENCE))])?;
        db.prepare_cached("DELETE FROM messages WHERE at <= ?1")?
            .execute([at.saturating_sub(column(MESSAGES))])?;
        forget_messages(db, MOST)?;
        let mut forget = db.prepare_cached(
            "DELETE FROM jobs WHERE enqueued <= ?1 AND number IN (SELECT number FROM jobs ORDER BY number LIMIT ?2)",
        )?;
        forget.execute([at.saturating_sub(column(FORGOTTEN)), self.step()])?;
        jobs::forget_lines(db, at.saturating_sub(column(ABANDONED)))?;
        let free = number(db, "PRAGMA page_count")?.saturating_sub(self.pages(db)?);
        if free > 0 {
            // It was given more room before.
            let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({})", free.min(256)))?;
            let mut rows = vacuum.query(())?;
            while rows.next()?.is_some() {}
        }
        Ok(column(dropped as u64) == self.step())
    }

    /// Carries the log over into the file if it is long, or `is_due`. To begin it anew, readers have to have ended: they
    /// are waited for if it is too long.
    pub(super) fn carry_over(&mut self, db: &Connection, is_due: bool) -> Result<()> {
        let log = self.log();
        // What readers have kept from being carried over is not tried again for each change.
        let again = self.carried.saturating_add(self.log / 4);
        if log <= self.log || log < again && !is_due {
            self.carried = self.carried.min(log);
            return Ok(());
        }
        let is_too_long = log > self.log.saturating_mul(2).min(self.longest_log / 2);
        let mode = if is_too_long { "TRUNCATE" } else { "PASSIVE" };
        db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |_| Ok(()))?;
        self.carried = self.log();
        Ok(())
    }
}

/// The bytes that changes cost in the log, at the most. A value takes the place of another.
fn cost(changes: u64, bytes: u64) -> u64 {
    let rows = if bytes > 0 { 3 } else { 2 };
    (changes * rows * PAGES).saturating_add(bytes.saturating_mul(3))
}

fn number(db: &Connection, sql: &str) -> Result<u64> {
    db.prepare_cached(sql)?.query_row((), |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

/// Forgets all messages but the last ones.
fn forget_messages(db: &Connection, kept: i64) -> Result<()> {
    let mut forget =
        db.prepare_cached("DELETE FROM messages WHERE number <= (SELECT max(number) FROM messages) - ?1")?;
    forget.execute([kept]).map(drop)
}
