//! Versions of scopes, and the messages of all changes, as rows.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::rows::column;
use crate::base::clock::Moment;
use crate::tier::messages::{Content, News};
use crate::tier::{Bump, Scope, Stamp, WireKey, WriteId};

/// What a message is about, as a number.
const CHANGED: i64 = 0;
const STALE: i64 = 1;
const GONE: i64 = 2;

/// A key was changed.
pub(super) fn changed(db: &Connection, now: Moment, origin: u64, key: &WireKey, id: WriteId) -> Result<()> {
    tell(db, now, origin, &key.scope, (CHANGED, id.0), Some(&key.args))
}

/// All keys of a scope are changed, by a change that was made at this moment.
pub(super) fn bump(
    db: &Connection,
    now: Moment,
    origin: u64,
    scope: &Scope,
    change: Bump,
    made: Moment,
) -> Result<()> {
    let name = &*scope.name;
    let mut select = db.prepare_cached("SELECT stale, gone FROM scopes WHERE name = ?1")?;
    let stamp = select.query_row([name], |row| {
        let [stale, gone] = [row.get::<_, i64>(0)?, row.get::<_, i64>(1)?].map(i64::unsigned_abs);
        Ok(Stamp { stale, gone })
    });
    let Stamp { stale, gone } = stamp.optional()?.unwrap_or_default().bumped(change, made);
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO scopes VALUES (?1, ?2, ?3)")?;
    insert.execute(params![name, column(stale), column(gone)])?;
    let kind = match change {
        Bump::Stale => STALE,
        Bump::Gone => GONE,
    };
    tell(db, now, origin, scope, (kind, 0), None)
}

/// All values of all functions are stale.
pub(super) fn bump_all(db: &Connection, now: Moment) -> Result<()> {
    let mut scopes = Vec::new();
    let mut select = db.prepare_cached("SELECT name FROM scopes")?;
    let mut rows = select.query(())?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        scopes.push(Scope { name: name.into(), instance: None });
    }
    // Of nobody: every process is told.
    scopes.iter().try_for_each(|scope| bump(db, now, 0, scope, Bump::Stale, now))
}

/// A scope by its columns: an instance of no length is none.
pub(super) fn scope(name: &str, instance: &str) -> Scope {
    Scope { name: name.into(), instance: Some(instance).filter(|name| !name.is_empty()).map(Into::into) }
}

fn tell(
    db: &Connection,
    now: Moment,
    origin: u64,
    scope: &Scope,
    (kind, change): (i64, u64),
    args: Option<&[u8]>,
) -> Result<()> {
    let (name, instance) = (&*scope.name, scope.instance.as_deref().unwrap_or_default());
    let mut insert = db.prepare_cached(
        "INSERT INTO messages (at, origin, name, instance, kind, change, args)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let (at, change) = (column(now.to_bits()), column(change));
    insert.execute(params![at, origin as i64, name, instance, kind, change, args]).map(drop)
}

/// What a message says, by its columns.
pub(super) fn content(kind: i64, change: i64, args: Option<Vec<u8>>) -> Option<Content> {
    match kind {
        CHANGED => Some(Content::Changed(News { args: args?.into(), id: WriteId(change.unsigned_abs()) })),
        STALE => Some(Content::Bumped(Bump::Stale)),
        GONE => Some(Content::Bumped(Bump::Gone)),
        _ => None,
    }
}
