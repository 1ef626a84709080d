//! A queue as rows: what each operation makes of its lines.
//!
//! The id of a delivery is the number of its job, with that of the take which has brought it.

#![cfg_attr(not(feature = "worker"), allow(dead_code))] // Without it, no process is a worker.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use twox_hash::XxHash3_64;

use super::rows::column;
use crate::base::clock::{Moment, nanos};
use crate::rules::queue::{HEARTBEAT, QueueFacts, hands_over};
use crate::tier::queue::rate::Rate;
use crate::tier::queue::turns::{Beside, Next, take_turns};
use crate::tier::queue::{DeadJob, Delivery, Ended, Line, QueueStatus, Room};

/// So many jobs are kept that are not run any more.
const DEAD: u32 = 100;
/// The seed of sums.
const SEED: u64 = 0x6361_6368_6562_6a6f;

/// A job that was put on a queue, or was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// As the facts say.
    As(QueueFacts),
    /// It is longer than the room that is left for jobs.
    NoRoom,
}

/// The columns by which a line is found.
fn columns(line: &Line) -> (&str, &str, &str, i64) {
    (&line.queue, &line.function, line.instance.as_deref().unwrap_or_default(), line.version as i64)
}

const FIND: &str =
    "SELECT line FROM lines WHERE queue = ?1 AND function = ?2 AND instance = ?3 AND version = ?4";

/// The number of a line, if a worker has ever served it.
fn find(db: &Connection, line: &Line) -> Result<Option<i64>> {
    db.prepare_cached(FIND)?.query_row(columns(line), |row| row.get(0)).optional()
}

fn moment(row: &Row<'_>, at: usize) -> Result<Option<Moment>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(|bits| Moment::from_bits(bits.max(0).unsigned_abs())))
}

fn count(row: &Row<'_>, at: usize) -> Result<u64> {
    row.get::<_, i64>(at).map(|count| count.max(0).unsigned_abs())
}

fn since(now: Moment, moment: Moment) -> Duration {
    Duration::from_nanos(now.since(moment))
}

pub(super) fn facts(db: &Connection, now: Moment, line: &Line) -> Result<QueueFacts> {
    let mut select = db.prepare_cached(
        "SELECT waiting, (SELECT max(seen) FROM workers WHERE workers.line = lines.line) FROM lines
            WHERE queue = ?1 AND function = ?2 AND instance = ?3 AND version = ?4",
    )?;
    let facts = select.query_row(columns(line), |row| {
        let worker_seen = moment(row, 1)?.map(|seen| since(now, seen));
        Ok(QueueFacts { worker_seen, length: count(row, 0)? })
    });
    Ok(facts.optional()?.unwrap_or(QueueFacts { worker_seen: None, length: 0 }))
}

/// Puts a job at the end of its line, if it may be handed over, and all jobs together have no more than so many bytes. The
/// facts are those from before.
pub(super) fn enqueue(db: &Connection, now: Moment, line: &Line, job: &[u8], room: u64) -> Result<Put> {
    let facts = facts(db, now, line)?;
    let (Ok(()), Some(line)) = (hands_over(Some(facts)), find(db, line)?) else { return Ok(Put::As(facts)) };
    let mut sum = db.prepare_cached("SELECT coalesce(sum(bytes), 0) FROM lines")?;
    // A job with a few bytes has rows and an entry of an index, too.
    let bytes = job.len() as u64 + 200;
    let all = sum.query_row((), |row| count(row, 0))?;
    if all.saturating_add(bytes) > room {
        return Ok(Put::NoRoom);
    }
    let mut insert =
        db.prepare_cached("INSERT INTO jobs (line, enqueued, deliveries, bytes) VALUES (?1, ?2, 0, ?3)")?;
    let number = insert.insert(params![line, column(now.to_bits()), column(bytes)])?;
    let mut insert = db.prepare_cached("INSERT INTO loads VALUES (?1, ?2, ?3)")?;
    insert.execute(params![number, sum_of(job), job])?;
    Ok(Put::As(facts))
}

fn sum_of(job: &[u8]) -> i64 {
    XxHash3_64::oneshot_with_seed(SEED, job) as i64
}

/// Whether a worker with these places would be given a job.
pub(super) fn has_any(db: &Connection, now: Moment, rooms: &[Room]) -> Result<bool> {
    for room in rooms.iter().filter(|room| room.places > 0) {
        if let Some(line) = find(db, &room.line)? {
            if next(db, line, abandoned(now, room))?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Jobs that were taken until then are abandoned.
fn abandoned(now: Moment, room: &Room) -> i64 {
    column(now.to_bits().saturating_sub(nanos(room.min_idle)))
}

/// The next job that its worker has abandoned, else the next that waits, with its earlier deliveries.
fn next(db: &Connection, line: i64, abandoned: i64) -> Result<Option<(i64, u32)>> {
    for sql in [
        "SELECT number, deliveries FROM jobs WHERE line = ?1 AND taken <= ?2 ORDER BY number LIMIT 1",
        "SELECT number, deliveries FROM jobs WHERE line = ?1 AND taken IS NULL AND ?2 NOTNULL ORDER BY number LIMIT 1",
    ] {
        let job = db.prepare_cached(sql)?.query_row((line, abandoned), |row| {
            // A damaged one is no reason to stop at it for ever.
            Ok((row.get(0)?, u32::try_from(count(row, 1)?).unwrap_or(u32::MAX)))
        });
        if let Some(job) = job.optional()? {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// Jobs for a worker, as many as it has places at most. `turn` is the line that was served last.
pub(super) fn take(
    db: &Connection,
    now: Moment,
    (rooms, most): (&[Room], usize),
    turn: &mut Option<Line>,
    holder: u64,
) -> Result<Vec<(Line, Delivery)>> {
    take_turns(rooms, most, turn, |room, beside| {
        let Some(line) = find(db, &room.line)? else { return Ok(Next::Nothing) };
        let (number, deliveries) = match next(db, line, abandoned(now, room))? {
            None => return Ok(Next::Nothing),
            Some((_, 1..)) if beside == Beside::Others => return Ok(Next::Redelivered),
            Some(job) => job,
        };
        let deliveries = deliveries.saturating_add(1);
        let mut update =
            db.prepare_cached("UPDATE jobs SET taken = ?2, holder = ?3, deliveries = ?4 WHERE number = ?1")?;
        update.execute(params![number, column(now.to_bits()), holder as i64, deliveries])?;
        let mut select = db.prepare_cached("SELECT sum, job FROM loads WHERE number = ?1")?;
        let load = select.query_row([number], |row| {
            let (sum, job) = (row.get_ref(0)?.as_i64(), row.get_ref(1)?.as_bytes());
            Ok(job.ok().filter(|job| sum == Ok(sum_of(job))).map(<[u8]>::to_owned))
        });
        // A damaged one is a job without bytes, which nobody can run.
        let bytes = load.optional()?.flatten();
        let id = format!("{number}-{holder}").into();
        Ok(Next::Job(Delivery { id, bytes: bytes.unwrap_or_default(), deliveries }))
    })
}

/// Puts back what a take has brought, of which nobody was told.
pub(super) fn put_back(db: &Connection, holder: u64) -> Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE jobs SET taken = NULL, holder = NULL, deliveries = max(deliveries - 1, 0)
            WHERE taken NOTNULL AND holder = ?1",
    )?;
    update.execute([holder as i64]).map(drop)
}

/// The number of a job, and that of the take.
fn ids(id: &str) -> Option<(i64, u64)> {
    let (number, holder) = id.split_once('-')?;
    Some((number.parse().ok()?, holder.parse().ok()?))
}

/// Forgets a job that was taken. Returns its line, if there was one: somebody else may have been faster.
fn forget(db: &Connection, line: &Line, id: &str) -> Result<Option<i64>> {
    let (Some((number, _)), Some(line)) = (ids(id), find(db, line)?) else { return Ok(None) };
    let mut delete =
        db.prepare_cached("DELETE FROM jobs WHERE number = ?1 AND line = ?2 AND taken NOTNULL")?;
    Ok((delete.execute((number, line))? == 1).then_some(line))
}

pub(super) fn done(db: &Connection, now: Moment, line: &Line, id: &str, ended: Ended) -> Result<()> {
    // One that was given to another worker meanwhile has ended, too: its key says so.
    match forget(db, line, id)? {
        Some(line) => count_ended(db, now, line, ended),
        None => Ok(()),
    }
}

fn count_ended(db: &Connection, now: Moment, line: i64, ended: Ended) -> Result<()> {
    let mut select = db.prepare_cached("SELECT minute, this, last FROM lines WHERE line = ?1")?;
    let rate = select.query_row([line], |row| rate(row, 0))?;
    let Rate { minute, counts: [this, last] } = rate.ended(now);
    let [done, failed, dropped] =
        [Ended::Done, Ended::Failed, Ended::Dropped].map(|other| i64::from(ended == other));
    let mut update = db.prepare_cached(
        "UPDATE lines SET done = done + ?2, failed = failed + ?3, dropped = dropped + ?4,
            minute = ?5, this = ?6, last = ?7 WHERE line = ?1",
    )?;
    let rate = [minute, this, last].map(column);
    update.execute(params![line, done, failed, dropped, rate[0], rate[1], rate[2]]).map(drop)
}

fn rate(row: &Row<'_>, at: usize) -> Result<Rate> {
    Ok(Rate { minute: count(row, at)?, counts: [count(row, at + 1)?, count(row, at + 2)?] })
}

pub(super) fn give_back(db: &Connection, line: &Line, delivery: &Delivery) -> Result<()> {
    let (Some((number, holder)), Some(line)) = (ids(&delivery.id), find(db, line)?) else { return Ok(()) };
    // Another worker may have it meanwhile.
    let mut update = db.prepare_cached(
        "UPDATE jobs SET taken = NULL, holder = NULL, deliveries = max(deliveries - 1, 0)
            WHERE number = ?1 AND line = ?2 AND taken NOTNULL AND holder = ?3",
    )?;
    update.execute((number, line, holder as i64)).map(drop)
}

pub(super) fn bury(
    db: &Connection,
    now: Moment,
    line: &Line,
    delivery: &Delivery,
    error: &str,
) -> Result<()> {
    let Some(line) = forget(db, line, &delivery.id)? else { return Ok(()) };
    count_ended(db, now, line, Ended::Dropped)?;
    let mut insert =
        db.prepare_cached("INSERT INTO dead (line, at, deliveries, error) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![line, column(now.to_bits()), delivery.deliveries, error])?;
    let mut trim = db.prepare_cached(
        "DELETE FROM dead WHERE line = ?1 AND number <=
            (SELECT number FROM dead WHERE line = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
    )?;
    trim.execute((line, DEAD)).map(drop)
}

pub(super) fn beat(db: &Connection, now: Moment, worker: &str, lines: &[Line]) -> Result<()> {
    let gone = column(now.to_bits().saturating_sub(nanos(HEARTBEAT)));
    db.prepare_cached("DELETE FROM workers WHERE seen <= ?1")?.execute([gone])?;
    for line in lines {
        let mut insert = db.prepare_cached(
            "INSERT INTO lines (queue, function, instance, version, seen) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT (queue, function, instance, version) DO UPDATE SET seen = ?5",
        )?;
        let (queue, function, instance, version) = columns(line);
        insert.execute(params![queue, function, instance, version, column(now.to_bits())])?;
        let number = find(db, line)?;
        let mut insert = db.prepare_cached("INSERT OR REPLACE INTO workers VALUES (?1, ?2, ?3)")?;
        insert.execute(params![number, worker, column(now.to_bits())])?;
    }
    Ok(())
}

pub(super) fn leave(db: &Connection, worker: &str, lines: &[Line]) -> Result<()> {
    for line in lines {
        let mut delete = db.prepare_cached("DELETE FROM workers WHERE line = ?1 AND worker = ?2")?;
        delete.execute((find(db, line)?, worker))?;
    }
    Ok(())
}

/// Forgets the lines that no worker has served since then, with their dead jobs.
pub(super) fn forget_lines(db: &Connection, then: i64) -> Result<()> {
    let mut forget = db.prepare_cached(
        "DELETE FROM lines WHERE seen <= ?1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.line = lines.line)",
    )?;
    if forget.execute([then])? > 0 {
        db.execute("DELETE FROM dead WHERE line NOT IN (SELECT line FROM lines)", ())?;
    }
    Ok(())
}

/// After a restart of the machine no worker lives, and none has a job.
pub(super) fn begin_anew(db: &Connection) -> Result<()> {
    db.execute_batch("DELETE FROM workers; UPDATE jobs SET taken = NULL, holder = NULL WHERE taken NOTNULL")
}

pub(super) fn status(db: &Connection, now: Moment) -> Result<Vec<QueueStatus>> {
    let mut select = db.prepare_cached(
        "SELECT line, queue, function, version, waiting, done, failed, dropped, minute, this, last,
            (SELECT count(*) FROM jobs WHERE jobs.line = lines.line AND taken NOTNULL),
            (SELECT enqueued FROM jobs WHERE jobs.line = lines.line AND taken IS NULL ORDER BY number LIMIT 1),
            (SELECT count(*) FROM workers WHERE workers.line = lines.line AND seen > ?1)
            FROM lines ORDER BY queue, function, instance, version",
    )?;
    let gone = column(now.to_bits().saturating_sub(nanos(HEARTBEAT)));
    let rows = select.query_map([gone], |row| {
        let oldest = moment(row, 12)?.map(|enqueued| since(now, enqueued));
        Ok((
            row.get::<_, i64>(0)?,
            QueueStatus {
                tier: None,
                queue: row.get(1)?,
                function: row.get(2)?,
                version: row.get::<_, i64>(3)? as u64,
                length: count(row, 4)?,
                under_way: count(row, 11)?,
                oldest,
                workers: count(row, 13)?,
                ended_last_minute: rate(row, 8)?.count(now),
                done: count(row, 5)?,
                failed: count(row, 6)?,
                dropped: count(row, 7)?,
                dead: Vec::new(),
            },
        ))
    })?;
    let lines: Vec<_> = rows.collect::<Result<_>>()?;
    lines.into_iter().map(|(line, status)| Ok(QueueStatus { dead: dead(db, now, line)?, ..status })).collect()
}

fn dead(db: &Connection, now: Moment, line: i64) -> Result<Vec<DeadJob>> {
    let mut select =
        db.prepare_cached("SELECT at, deliveries, error FROM dead WHERE line = ?1 ORDER BY number")?;
    let rows = select.query_map([line], |row| {
        let age = moment(row, 0)?.map(|at| since(now, at)).unwrap_or_default();
        let deliveries = u32::try_from(count(row, 1)?).unwrap_or(u32::MAX);
        Ok(DeadJob { age, deliveries, error: row.get(2)? })
    })?;
    rows.collect()
}
