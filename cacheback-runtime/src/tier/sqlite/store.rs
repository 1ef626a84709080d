//! A file that is open for writing: each operation is one step of a transaction.
//!
//! What an operation makes of a key is decided in [`fencing`](crate::tier::fencing). Here its rows are read and written.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::changes::{bump, bump_all, changed};
use super::clock::{Axis, Clock, Reading, axis};
use super::file::{self, Identity};
use super::jobs;
use super::patience::Patience;
use super::room::Room;
use super::rows::{self, Loaded, Wanted, column};
use super::trouble::Trouble;
use super::values::{Kept, Raw};
use crate::base::clock::{Moment, nanos};
use crate::tier::fencing::{At, Checks, Due, Sighted};
use crate::tier::late::{Delivered, Lateness};
use crate::tier::{
    Acquired, Bump, Change, Lease, Payload, Read, Release, Request, Scope, Stored, Token, WireKey, WriteId,
};

/// A value that was set keeps those of before out for so long at least: ten minutes, in nanoseconds.
const MARK: u64 = 600_000_000_000;

/// A file that is open.
pub(super) struct Store {
    pub(super) db: Connection,
    pub(super) clock: Clock,
    pub(super) identity: Identity,
    /// By which the process knows its own messages.
    origin: u64,
    pub(super) checks: Checks,
}

impl Store {
    /// Opens the file, makes it if there is none, and tries whether it can be written to. `is_full`: the disk was full,
    /// and there has to be room for more than a little.
    pub(super) fn open(
        path: &Path,
        patience: &Patience,
        room: &mut Room,
        origin: u64,
        is_full: bool,
    ) -> Result<Self, Trouble> {
        let (db, identity) = file::open(path, patience)?;
        db.set_prepared_statement_cache_capacity(64);
        db.execute_batch(
            "PRAGMA wal_autocheckpoint = 0; PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON;",
        )?;
        room.set_up(&db)?;
        if !room.takes(1, 0) {
            room.carry_over(&db, true)?;
            room.is_left()?;
        }
        db.execute_batch("BEGIN IMMEDIATE")?;
        let clock = match begin(&db, is_full) {
            Ok(clock) => clock,
            Err(error) => {
                let _ = db.execute_batch("ROLLBACK");
                return Err(error.into());
            }
        };
        db.execute_batch("COMMIT")?;
        if is_full {
            db.execute("UPDATE state SET trial = NULL", ())?;
        }
        Ok(Self { db, clock, identity, origin, checks: Checks::default() })
    }

    /// Whether SQLite finds no fault in the file. It reads all of it.
    pub(super) fn check(self) -> Result<Self, Trouble> {
        let verdict: String = self.db.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
        if verdict == "ok" { Ok(self) } else { Err(Trouble::damaged("it is damaged")) }
    }

    /// Notes the time, by which the file is taken up again when the machine was started anew.
    pub(super) fn note_time(&self) -> Result<()> {
        let now = Reading::now();
        if let Some(noted) = noted(&self.db)? {
            note(&self.db, &axis(Some(noted), &now).0)?;
        }
        Ok(())
    }

    /// One operation on a key. Until the mark that it returns, what it leaves is not dropped without a trace.
    fn at<T>(
        &self,
        now: Moment,
        key: &WireKey,
        operation: impl FnOnce(At<'_, Kept>) -> (T, Moment),
    ) -> Result<T> {
        let mut loaded = Loaded::load(&self.db, key, now, Wanted::No)?;
        let (scope, entry, floor) = (loaded.scope, &mut loaded.entry, &mut loaded.floor);
        let (answer, mark) = operation(At::new(entry, key, scope, now, floor));
        loaded.save(&self.db, key, mark)?;
        Ok(answer)
    }

    pub(super) fn acquire(&self, now: Moment, key: &WireKey, request: Request) -> Result<Acquired<Raw>> {
        let mut loaded = Loaded::load(&self.db, key, now, Wanted::No)?;
        let (scope, entry, floor) = (loaded.scope, &mut loaded.entry, &mut loaded.floor);
        let answer = At::new(entry, key, scope, now, floor).acquire(request);
        let answer = answer.map(unread);
        if let Acquired::Newer(raw) = answer {
            return Ok(Acquired::Newer(Raw { envelope: loaded.envelope(&self.db)?, ..raw }));
        }
        loaded.save(&self.db, key, Moment::PAST)?;
        Ok(answer)
    }

    pub(super) fn store(&self, now: Moment, key: &WireKey, lease: &Lease, value: Payload) -> Result<Stored> {
        let (stored, is_news) =
            self.at(now, key, |at| (at.store(lease, value, self.checks), Moment::PAST))?;
        if let (Stored::Yes(id), true) = (stored, is_news) {
            self.publish(now, key, id)?;
        }
        Ok(stored)
    }

    pub(super) fn release(&self, now: Moment, key: &WireKey, token: Token, ending: Release) -> Result<()> {
        self.at(now, key, |at| (at.release(token, ending), Moment::PAST))
    }

    pub(super) fn write(&self, now: Moment, key: &WireKey, change: Change) -> Result<WriteId> {
        self.change(now, key, change, now, self.origin)
    }

    /// A change that was made at `born`, or later.
    fn change(
        &self,
        now: Moment,
        key: &WireKey,
        change: Change,
        born: Moment,
        origin: u64,
    ) -> Result<WriteId> {
        let mark = mark(now, &change);
        let id = self.at(now, key, |at| (at.write(change, born), mark))?;
        changed(&self.db, now, origin, key, id)?;
        Ok(id)
    }

    /// A change that was made a while ago. `doubt`: it may have been on its way for so long.
    pub(super) fn deliver(
        &self,
        now: Moment,
        key: &WireKey,
        change: Change,
        late: Lateness,
        doubt: Duration,
    ) -> Result<Delivered> {
        // With the value that is there, which may be the very one.
        let mut loaded = Loaded::load(&self.db, key, now, Wanted::Unless(None))?;
        let (scope, entry, floor) = (loaded.scope, &mut loaded.entry, &mut loaded.floor);
        let change = At::new(entry, key, scope, now, floor).late(change, late, doubt, self.checks);
        Ok(match change {
            Ok(Due { change, is_unsure }) => {
                // Of no process.
                let origin = if is_unsure { 0 } else { self.origin };
                Delivered::made(is_unsure, self.change(now, key, change, late.since(now, doubt), origin)?)
            }
            Err(delivered) => delivered,
        })
    }

    pub(super) fn bump(&self, now: Moment, scope: &Scope, change: Bump, age: Duration) -> Result<()> {
        let made = Moment::from_bits(now.to_bits().saturating_sub(nanos(age)));
        bump(&self.db, now, self.origin, scope, change, made)
    }

    pub(super) fn extend(&self, now: Moment, hash: [u8; 16], token: Token) -> Result<bool> {
        rows::extend(&self.db, hash, token, now)
    }

    fn publish(&self, now: Moment, key: &WireKey, id: WriteId) -> Result<()> {
        changed(&self.db, now, self.origin, key, id)
    }
}

/// Until then, what a change leaves is not dropped without a trace.
fn mark(now: Moment, change: &Change) -> Moment {
    now.plus(match change {
        Change::Set(value) => nanos(value.ages.lifetime).max(MARK),
        Change::Invalidate { tombstone } | Change::Remove { tombstone } => nanos(*tombstone),
    })
}

/// A value whose envelope is still to be read.
fn unread(sighted: Sighted<'_, Kept>) -> Raw {
    let Sighted { id, written, ages, .. } = sighted;
    Raw { id, written, ages, envelope: Vec::new() }
}

/// Looks at a key. If its envelope was dropped, and the scope was changed since the value that the caller has, that one is
/// not to be trusted: the envelope would have said so.
pub(super) fn read(db: &Connection, now: Moment, key: &WireKey, have: Option<WriteId>) -> Result<Read<Raw>> {
    let mut loaded = Loaded::load(db, key, now, Wanted::Unless(have))?;
    let (scope, entry, floor) = (loaded.scope, &mut loaded.entry, &mut loaded.floor);
    let answer = At::new(entry, key, scope, now, floor).read(have);
    Ok(match answer.map(unread) {
        Read::Found(raw) => {
            let value = loaded.entry.envelope.and_then(|envelope| envelope.value);
            let envelope = value.and_then(|value| value.envelope).unwrap_or_default();
            Read::Found(Raw { envelope, ..raw })
        }
        // Numbers and versions are of one clock.
        Read::Missing { tombstone: None, .. }
            if have.is_some_and(|id| id.0 <= scope.stale.max(scope.gone)) =>
        {
            Read::Cleared(WriteId(scope.stale.max(scope.gone)))
        }
        answer => answer,
    })
}

/// Begins with a file: its time goes on, and if the machine was started anew, all of it is stale.
fn begin(db: &Connection, is_full: bool) -> Result<Clock> {
    let (axis, is_anew) = axis(noted(db)?, &Reading::now());
    note(db, &axis)?;
    let clock = Clock::new(&axis);
    if is_anew {
        bump_all(db, clock.now())?;
        // Nobody holds them any more.
        db.execute("DELETE FROM leases", ())?;
        jobs::begin_anew(db)?;
    }
    if is_full {
        db.execute("UPDATE state SET trial = zeroblob(262144)", ())?;
    }
    Ok(clock)
}

pub(super) fn noted(db: &Connection) -> Result<Option<Axis>> {
    let noted =
        db.query_row("SELECT boot, offset, noted, wall FROM state WHERE boot IS NOT NULL", (), |row| {
            let (boot, offset) = (row.get(0)?, row.get(1)?);
            let [noted, wall] = [row.get::<_, i64>(2)?, row.get::<_, i64>(3)?].map(i64::unsigned_abs);
            Ok(Axis { boot, offset, noted, wall })
        });
    noted.optional()
}

fn note(db: &Connection, axis: &Axis) -> Result<()> {
    let Axis { boot, offset, noted, wall } = axis;
    let mut update = db.prepare_cached("UPDATE state SET boot = ?1, offset = ?2, noted = ?3, wall = ?4")?;
    update.execute(params![boot, offset, column(*noted), column(*wall)]).map(drop)
}
