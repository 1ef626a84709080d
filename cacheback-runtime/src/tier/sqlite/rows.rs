//! The state of one key as rows: how it is read, and how its changes are written.

use rusqlite::{Connection, Result, Row, params};
use twox_hash::XxHash3_64;

use super::values::Kept;
use crate::base::clock::{Moment, nanos};
use crate::rules::queue::PATIENCE;
use crate::tier::fencing::{self, Entry, Envelope, Held, LEASE, Phase, micros};
use crate::tier::{Stamp, Token, WireKey, WriteId};

/// After damage, a tombstone stands so long: ten minutes.
const HEALING: u64 = 600_000_000_000;

/// No back-off lasts longer: a day.
const LONGEST_BACK_OFF: u64 = 86_400_000_000_000;

/// The seed of sums.
const SEED: u64 = 0x6361_6368_6562_726f;

/// The state of a key, and what its rows are.
pub(super) struct Loaded {
    pub(super) entry: Entry<Kept>,
    pub(super) scope: Stamp,
    /// The least number of the next change.
    pub(super) floor: u64,
    before: Before,
}

struct Before {
    place: Option<i64>,
    /// `None` if the row is to be written anew in any case.
    id: Option<WriteId>,
    lease: Option<Held>,
    mark: u64,
    floor: u64,
    is_scope_known: bool,
}

/// Which envelope is read with the rest.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    No,
    /// Unless it has this number.
    Unless(Option<WriteId>),
}

/// A number as a column. Those past 292 years are endless.
pub(super) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of a column.
fn number(row: &Row<'_>, at: usize) -> Result<u64> {
    row.get::<_, i64>(at).map(|number| number.max(0).unsigned_abs())
}

/// Bits of a column: every one of them counts.
fn bits(row: &Row<'_>, at: usize) -> Result<u64> {
    row.get::<_, i64>(at).map(|bits| bits as u64)
}

fn moment(row: &Row<'_>, at: usize) -> Result<Moment> {
    number(row, at).map(Moment::from_bits)
}

fn stamp(row: &Row<'_>, at: usize) -> Result<Stamp> {
    Ok(Stamp { stale: number(row, at)?, gone: number(row, at + 1)? })
}

const LOAD: &str = "
SELECT e.place, e.number, e.fingerprint, e.born, e.lifetime, e.retention, e.stale, e.gone, e.mark, e.sum,
    CASE WHEN ?3 AND e.number IS NOT ?4 THEN e.envelope END,
    s.stale, s.gone, state.floor,
    l.phase, l.token, l.stale, l.gone, l.failures, l.since, l.until, l.wanted, l.deaths
FROM state
LEFT JOIN entries e ON e.hash = ?1
LEFT JOIN leases l ON l.hash = ?1
LEFT JOIN scopes s ON s.name = ?2";

impl Loaded {
    pub(super) fn load(db: &Connection, key: &WireKey, now: Moment, wanted: Wanted) -> Result<Self> {
        let (is_wanted, unless) = match wanted {
            Wanted::No => (false, None),
            Wanted::Unless(id) => (true, id.map(|WriteId(id)| column(id))),
        };
        let mut load = db.prepare_cached(LOAD)?;
        let of = params![key.hash, &*key.scope.name, is_wanted, unless];
        load.query_row(of, |row| Self::read(row, key, now))
    }

    fn read(row: &Row<'_>, key: &WireKey, now: Moment) -> Result<Self> {
        let place: Option<i64> = row.get(0)?;
        let mut mark = 0;
        let mut envelope = None;
        let mut id = None;
        if place.is_some() {
            let number = number(row, 1)?;
            let fingerprint = row.get::<_, Option<i64>>(2)?.map(|bits| bits as u64);
            let times = [self::number(row, 3)?, self::number(row, 4)?, self::number(row, 5)?];
            let stamp = stamp(row, 6)?;
            mark = self::number(row, 8)?;
            if bits(row, 9)? == sum(&key.hash, number, fingerprint, times, stamp, mark) {
                let [born, lifetime, retention] = times;
                let kept = row.get::<_, Option<Vec<u8>>>(10)?;
                envelope = Some(Envelope {
                    id: WriteId(number),
                    value: fingerprint.map(|fingerprint| Kept { fingerprint, envelope: kept }),
                    born: Moment::from_bits(born),
                    // Numbers are the time of the change.
                    written: fencing::moment(number),
                    lifetime,
                    retention,
                    stamp,
                });
                id = Some(WriteId(number));
            } else {
                // Whatever it was: something has changed, and all that processes have is older.
                let (id, stamp) = (WriteId(micros(now)), Stamp::default());
                envelope = Some(Envelope::tombstone(id, stamp, now, HEALING, now));
                mark = now.plus(HEALING).to_bits();
            }
        }
        let is_scope_known = row.get::<_, Option<i64>>(11)?.is_some();
        let scope = if is_scope_known { stamp(row, 11)? } else { Stamp::default() };
        let floor = number(row, 13)?;
        let lease = lease(row, 14, now)?;
        let before = Before { place, id, lease, mark, floor, is_scope_known };
        Ok(Self { entry: Entry { envelope, lease }, scope, floor, before })
    }

    /// The envelope of a value that was not read with the rest.
    pub(super) fn envelope(&self, db: &Connection) -> Result<Vec<u8>> {
        let mut select = db.prepare_cached("SELECT envelope FROM entries WHERE place = ?1")?;
        select.query_row([self.before.place], |row| row.get(0))
    }

    /// Writes what has changed. Until `mark`, a value is not dropped without a trace.
    pub(super) fn save(self, db: &Connection, key: &WireKey, mark: Moment) -> Result<()> {
        let Self { entry: Entry { envelope, lease }, floor, before, .. } = self;
        if floor != before.floor {
            db.prepare_cached("UPDATE state SET floor = ?1")?.execute([column(floor)])?;
        }
        match envelope {
            Some(envelope) if before.id != Some(envelope.id) => {
                let mark = before.mark.max(mark.to_bits());
                put(db, key.hash, before.place, envelope, mark)?;
                if !before.is_scope_known {
                    know(db, key)?;
                }
            }
            Some(_) => {}
            None => {
                if let Some(place) = before.place {
                    db.prepare_cached("DELETE FROM entries WHERE place = ?1")?.execute([place])?;
                }
            }
        }
        if lease != before.lease {
            put_lease(db, key.hash, lease)?;
        }
        Ok(())
    }
}

/// Writes an envelope. A value that was there already, and is not read, stays where it is.
pub(super) fn put(
    db: &Connection,
    hash: [u8; 16],
    place: Option<i64>,
    envelope: Envelope<Kept>,
    mark: u64,
) -> Result<()> {
    let until = column(envelope.until().to_bits());
    let Envelope { id, value, born, lifetime, retention, stamp, .. } = envelope;
    let fingerprint = value.as_ref().map(|value| value.fingerprint);
    // As they are read again.
    let [number, born, lifetime, retention, mark] =
        [id.0, born.to_bits(), lifetime, retention, mark].map(column);
    let [stale, gone] = [stamp.stale, stamp.gone].map(column);
    let of = |column: i64| column.unsigned_abs();
    let times = [of(born), of(lifetime), of(retention)];
    let stamp = Stamp { stale: of(stale), gone: of(gone) };
    let sum = sum(&hash, of(number), fingerprint, times, stamp, of(mark)) as i64;
    let fingerprint = fingerprint.map(|fingerprint| fingerprint as i64);
    let patched = value.as_ref().is_some_and(|value| value.envelope.is_none());
    if patched {
        let mut update = db.prepare_cached(
            "UPDATE entries SET number = ?2, lifetime = ?3, mark = ?4, sum = ?5 WHERE place = ?1",
        )?;
        update.execute(params![place, number, lifetime, mark, sum])?;
        return Ok(());
    }
    let mut insert = db.prepare_cached(
        "INSERT OR REPLACE INTO entries
            (hash, number, fingerprint, born, lifetime, retention, stale, gone, until, mark, sum, envelope)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    let envelope = value.and_then(|value| value.envelope);
    insert.execute(params![
        hash,
        number,
        fingerprint,
        born,
        lifetime,
        retention,
        stale,
        gone,
        until,
        mark,
        sum,
        envelope
    ])?;
    Ok(())
}

/// Notes that there is such a function.
fn know(db: &Connection, key: &WireKey) -> Result<()> {
    let mut insert = db.prepare_cached("INSERT OR IGNORE INTO scopes VALUES (?1, 0, 0)")?;
    insert.execute([&*key.scope.name]).map(drop)
}

/// The phase of a lease that a worker has for a job.
pub(super) const WORKING: i64 = 3;

fn lease(row: &Row<'_>, at: usize, now: Moment) -> Result<Option<Held>> {
    let phase = match row.get::<_, Option<i64>>(at)? {
        None => return Ok(None),
        Some(0) => Phase::Running,
        Some(1) => Phase::Queued,
        Some(WORKING) => Phase::Working,
        Some(4) => Phase::Lapsed,
        Some(_) => Phase::BackOff,
    };
    // No lease lasts longer, and no key is held by one that is damaged.
    let longest = match phase {
        Phase::Running | Phase::Working => nanos(LEASE),
        Phase::Queued | Phase::Lapsed => nanos(PATIENCE),
        Phase::BackOff => LONGEST_BACK_OFF,
    };
    Ok(Some(Held {
        phase,
        token: Token(bits(row, at + 1)?),
        stamp: stamp(row, at + 2)?,
        failures: u32::try_from(number(row, at + 4)?).unwrap_or(u32::MAX),
        since: moment(row, at + 5)?,
        until: moment(row, at + 6)?.min(now.plus(longest)),
        is_wanted: row.get(at + 7)?,
        deaths: u32::try_from(number(row, at + 8)?).unwrap_or(u32::MAX),
    }))
}

fn put_lease(db: &Connection, hash: [u8; 16], lease: Option<Held>) -> Result<()> {
    let Some(Held { phase, token, stamp, failures, since, until, is_wanted, deaths }) = lease else {
        return db.prepare_cached("DELETE FROM leases WHERE hash = ?1")?.execute([hash]).map(drop);
    };
    let phase = match phase {
        Phase::Running => 0,
        Phase::Queued => 1,
        Phase::BackOff => 2,
        Phase::Working => WORKING,
        Phase::Lapsed => 4,
    };
    let mut insert = db.prepare_cached(
        "INSERT OR REPLACE INTO leases (hash, phase, token, stale, gone, failures, since, until, wanted, deaths)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let [stale, gone, since, until] = [stamp.stale, stamp.gone, since.to_bits(), until.to_bits()].map(column);
    let token = token.0 as i64;
    insert
        .execute(params![hash, phase, token, stale, gone, failures, since, until, is_wanted, deaths])
        .map(drop)
}

/// Extends a lease. Returns whether there is one.
pub(super) fn extend(db: &Connection, hash: [u8; 16], token: Token, now: Moment) -> Result<bool> {
    let sql = "SELECT phase, token, stale, gone, failures, since, until, wanted, deaths FROM leases WHERE hash = ?1";
    let mut select = db.prepare_cached(sql)?;
    let mut rows = select.query([hash])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    let held = lease(row, 0, now)?.filter(|held| held.is_fetch() && held.token == token);
    let Some(mut held) = held else { return Ok(false) };
    held.extend(now);
    put_lease(db, hash, Some(held))?;
    Ok(true)
}

/// The sum of a row.
fn sum(
    hash: &[u8; 16],
    number: u64,
    fingerprint: Option<u64>,
    [born, lifetime, retention]: [u64; 3],
    stamp: Stamp,
    mark: u64,
) -> u64 {
    let (is_value, fingerprint) = (u64::from(fingerprint.is_some()), fingerprint.unwrap_or_default());
    let numbers = [number, is_value, fingerprint, born, lifetime, retention, stamp.stale, stamp.gone, mark];
    let mut bytes = [0; 16 + 9 * 8];
    bytes[..16].copy_from_slice(hash);
    for (place, number) in bytes[16..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    XxHash3_64::oneshot_with_seed(SEED, &bytes)
}

/// Turns a value into a tombstone until its mark, so that its bytes are free. The tombstone has a number of its own: whoever
/// has the value is not to take it for a trace of that.
pub(super) fn entomb(db: &Connection, place: i64, now: Moment) -> Result<()> {
    let sql = "SELECT hash, number, stale, gone, mark FROM entries WHERE place = ?1";
    let found = db.prepare_cached(sql)?.query_row([place], |row| {
        Ok((row.get::<_, [u8; 16]>(0)?, number(row, 1)?, stamp(row, 2)?, number(row, 4)?))
    });
    let (hash, number, stamp, mark) = found?;
    let left = Moment::from_bits(mark).since(now);
    put(db, hash, Some(place), Envelope::tombstone(WriteId(number + 1), stamp, now, left, now), mark)
}
