//! The thread that changes the file.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::file::{self, Identity};
use super::link::{Order, Place, Shared, Thread};
use super::patience::Patience;
use super::room::{NO_PLACE, Room};
use super::store::Store;
use super::trouble::{Trouble, is_busy};
use crate::base::sync::Arc;
use crate::base::sync::plain::lock;
use crate::tier::Down;
use crate::tier::fencing::EXTEND;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often the file itself is looked at: whether it is still there.
const LOOK: Duration = Duration::from_millis(100);
/// A damaged file is looked at again so often, if it is not deleted.
const CHECK: Duration = Duration::from_secs(30);
/// How often what is over is dropped.
const SWEEP: Duration = Duration::from_secs(1);
/// How long that may take.
const SWEEPING: Duration = Duration::from_millis(20);
/// How often the time is noted.
const NOTE: Duration = Duration::from_secs(60);
/// No more changes go into one transaction.
const BATCH: usize = 128;
/// The lock of another process is waited for no longer when the log is begun anew.
const BRIEFLY: Duration = Duration::from_millis(20);
/// After so many time-outs in a row another process is taken for one that has stopped.
const TIMEOUTS: u32 = 2;

/// Keeps the file open, and carries out changes, until nobody can send any more.
pub(super) fn write(shared: &Arc<Shared>, orders: &Receiver<Order>) {
    let (mut pause, mut is_full) = (FIRST_PAUSE, false);
    // A file that was found to be damaged, and when.
    let mut damaged: Option<(Option<Identity>, Instant)> = None;
    loop {
        let is_same = |(file, at): &(Option<Identity>, Instant)| {
            *file == file::identity(&shared.settings.path) && at.elapsed() < CHECK
        };
        if damaged.as_ref().is_some_and(is_same) {
            if refuse(shared, orders, LONGEST_PAUSE / 2).is_none() {
                return;
            }
            continue;
        }
        let patience = Patience::default();
        patience.last(shared.for_locks());
        shared.begins(Thread::Writer);
        let mut room = shared.room();
        let opened = Store::open(&shared.settings.path, &patience, &mut room, shared.origin, is_full);
        let opened = if damaged.is_some() { opened.and_then(Store::check) } else { opened };
        shared.ends(Thread::Writer, false);
        let trouble = match opened {
            Ok(store) => {
                damaged = None;
                shared.found();
                pause = FIRST_PAUSE;
                let writer = Writer {
                    store,
                    patience,
                    room,
                    shared,
                    timeouts: 0,
                    is_lasting: false,
                    is_log_long: false,
                };
                let Some(trouble) = writer.serve(orders) else { return };
                trouble
            }
            Err(trouble) => trouble,
        };
        is_full = matches!(trouble, Trouble::Full(_));
        if matches!(trouble, Trouble::Damaged(_)) {
            damaged = Some((file::identity(&shared.settings.path), Instant::now()));
        }
        shared.lost(trouble.why());
        if refuse(shared, orders, pause).is_none() {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Refuses what comes for so long. `None` if nobody can send any more.
fn refuse(shared: &Shared, orders: &Receiver<Order>, pause: Duration) -> Option<()> {
    let until = Instant::now() + pause.mul_f64(0.5 + fastrand::f64() / 2.0);
    loop {
        match orders.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(order) => {
                shared.uncount(order.concerns);
                order.caller.fail(Down::Disconnected);
            }
            Err(RecvTimeoutError::Timeout) => return Some(()),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

struct Writer<'s> {
    store: Store,
    patience: Patience,
    room: Room,
    shared: &'s Arc<Shared>,
    /// Of transactions that could not be begun, one after the other.
    timeouts: u32,
    /// Each commit waits for the disk.
    is_lasting: bool,
    /// The log was too long at last.
    is_log_long: bool,
}

/// What is done every now and then.
struct Due {
    looked: Instant,
    swept: Instant,
    extended: Instant,
    noted: Instant,
}

impl Writer<'_> {
    /// Carries out changes until the file cannot be used any more, and returns why. `None` if nobody can send any more.
    fn serve(mut self, orders: &Receiver<Order>) -> Option<Trouble> {
        let now = Instant::now();
        let mut due = Due { looked: now, swept: now, extended: now, noted: now };
        loop {
            let mut batch = match orders.recv_timeout(LOOK.saturating_sub(due.looked.elapsed())) {
                Ok(order) => vec![order],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return None,
            };
            let mut bytes = batch.iter().map(|order| order.size.bytes).sum::<u64>();
            let mut rows = rows_of(&batch);
            while !batch.is_empty() && batch.len() < BATCH && !self.room.are_many(rows, bytes) {
                let Ok(order) = orders.try_recv() else { break };
                bytes += order.size.bytes;
                rows += order.size.rows;
                batch.push(order);
            }
            self.shared.begins(Thread::Writer);
            let done = self.carry_out(batch, bytes).and_then(|()| self.look_after(&mut due));
            self.shared.ends(Thread::Writer, done.is_ok() && self.timeouts == 0);
            if let Err(trouble) = done {
                return Some(trouble);
            }
        }
    }

    /// Carries out changes in one transaction.
    fn carry_out(&mut self, mut batch: Vec<Order>, bytes: u64) -> Result<(), Trouble> {
        // What comes too late changes nothing.
        let (late, in_time): (Vec<_>, Vec<_>) = batch.drain(..).partition(|order| order.caller.is_gone());
        late.iter().for_each(|order| self.shared.uncount(order.concerns));
        let Some(first) = in_time.first() else { return Ok(()) };
        let left = first.caller.deadline().saturating_duration_since(Instant::now());
        self.patience.last(left.min(self.shared.for_locks()));
        let is_lasting = in_time.iter().any(|order| order.size.is_lasting);
        let callers: Vec<_> =
            in_time.iter().map(|order| (Arc::clone(&order.caller), order.concerns)).collect();
        let mut answers = Vec::with_capacity(callers.len());
        let changes = rows_of(&in_time);
        let until = Instant::now() + self.shared.for_locks();
        let mut orders = Some(in_time);
        let done = loop {
            if !self.room.takes(changes, bytes) {
                if let Err(trouble) = self.make_log_short((changes, bytes)) {
                    for (caller, concerns) in callers {
                        self.shared.uncount(concerns);
                        caller.fail(trouble.down());
                    }
                    return Err(trouble);
                }
                self.patience.last(self.shared.for_locks());
            }
            let done = self.transact(is_lasting, |writer| {
                let is_there = bytes == 0 || writer.room.takes(changes, bytes);
                // Another process may have written to the log meanwhile.
                if !is_there && !writer.is_log_long && Instant::now() < until {
                    return Ok(None);
                }
                if is_there && bytes > 0 {
                    writer.room.make_place(&writer.store.db, writer.store.clock.now(), bytes)?;
                }
                for order in orders.take().into_iter().flatten() {
                    if order.caller.is_gone() {
                        continue;
                    }
                    let place = Place { now: writer.store.clock.now(), is_there };
                    answers.push((order.step)(&writer.store, place)?);
                }
                Ok(Some(is_there))
            });
            if let Some(done) = done.transpose() {
                break done;
            }
        };
        callers.iter().for_each(|(_, concerns)| self.shared.uncount(*concerns));
        match done {
            Ok(is_there) => {
                answers.into_iter().for_each(|answer| answer());
                if !is_there {
                    self.shared.refused(NO_PLACE);
                }
                self.patience.last(BRIEFLY);
                self.room.carry_over(&self.store.db, false).or_else(unless_busy)
            }
            Err(error) => {
                let is_busy = is_busy(&error);
                let trouble = Trouble::from(error);
                let down = || match is_busy {
                    true => Down::TimedOut,
                    false => trouble.down(),
                };
                callers.iter().for_each(|(caller, _)| caller.fail(down()));
                if is_busy && self.timeouts < TIMEOUTS { Ok(()) } else { Err(trouble) }
            }
        }
    }

    /// The log is too long for these changes. It is begun anew, by this process or another, if no reader keeps it from
    /// that. If not, it may take no change at all.
    fn make_log_short(&mut self, (changes, bytes): (u64, u64)) -> Result<(), Trouble> {
        // A log that has been too long for a while is not waited for each time.
        let waits = if self.is_log_long { BRIEFLY } else { self.shared.for_locks() };
        let until = Instant::now() + waits;
        loop {
            self.patience.last(BRIEFLY);
            self.room.carry_over(&self.store.db, true).or_else(unless_busy)?;
            self.is_log_long = !self.room.takes(changes, bytes);
            if !self.is_log_long || Instant::now() >= until {
                return self.room.is_left();
            }
            // Another process may be about to do it.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// One transaction, which happens as a whole or not at all.
    fn transact<T>(
        &mut self,
        is_lasting: bool,
        steps: impl FnOnce(&mut Self) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        if self.is_lasting != is_lasting {
            let synchronous = if is_lasting { "FULL" } else { "NORMAL" };
            self.store.db.execute_batch(&format!("PRAGMA synchronous = {synchronous}"))?;
            self.is_lasting = is_lasting;
        }
        let begun = self.store.db.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute(()));
        match begun {
            Ok(_) => self.timeouts = 0,
            Err(error) => {
                self.timeouts += u32::from(is_busy(&error));
                return Err(error);
            }
        }
        let done = steps(self).and_then(|done| {
            self.store.db.prepare_cached("COMMIT")?.execute(())?;
            Ok(done)
        });
        if done.is_err() && !self.store.db.is_autocommit() {
            let _ = self.store.db.execute_batch("ROLLBACK");
        }
        done
    }

    /// Does what is due.
    fn look_after(&mut self, due: &mut Due) -> Result<(), Trouble> {
        if due.looked.elapsed() < LOOK {
            return Ok(());
        }
        due.looked = Instant::now();
        if let Some(trouble) = self.shared.trouble() {
            return Err(trouble);
        }
        if file::identity(&self.shared.settings.path) != Some(self.store.identity) {
            return Err(Trouble::Failed("it was deleted, or another one is in its place".to_owned()));
        }
        self.patience.last(self.shared.for_locks());
        if due.extended.elapsed() >= EXTEND {
            due.extended = Instant::now();
            self.extend().or_else(unless_busy)?;
        }
        if due.swept.elapsed() >= SWEEP {
            due.swept = Instant::now();
            self.sweep()?;
        }
        if due.noted.elapsed() >= NOTE {
            due.noted = Instant::now();
            self.transact(false, |writer| writer.store.note_time()).or_else(unless_busy)?;
        }
        Ok(())
    }

    /// Drops what is over, in steps, and for no longer than [`SWEEPING`].
    fn sweep(&mut self) -> Result<(), Trouble> {
        let began = Instant::now();
        let mut is_more = true;
        while is_more && began.elapsed() < SWEEPING {
            self.patience.last(BRIEFLY);
            self.room.carry_over(&self.store.db, true).or_else(unless_busy)?;
            if !self.room.takes(1, 0) {
                return self.room.is_left();
            }
            let swept =
                self.transact(false, |writer| writer.room.sweep(&writer.store.db, writer.store.clock.now()));
            is_more = match swept {
                Ok(is_more) => is_more,
                Err(error) => return unless_busy(error),
            };
        }
        Ok(())
    }

    /// Extends the leases of this process, all at once.
    fn extend(&mut self) -> rusqlite::Result<()> {
        let leases: Vec<_> = lock(&self.shared.leases).iter().map(|(token, hash)| (*token, *hash)).collect();
        if leases.is_empty() {
            return Ok(());
        }
        // A lease that could not be extended lapses, and the value of its fetch is stored if nobody else's is newer.
        self.transact(false, |writer| {
            let now = writer.store.clock.now();
            leases.iter().try_for_each(|(token, hash)| writer.store.extend(now, *hash, *token).map(drop))
        })
    }
}

fn rows_of(orders: &[Order]) -> u64 {
    orders.iter().map(|order| order.size.rows).sum()
}

/// What can wait is tried again later.
fn unless_busy(error: rusqlite::Error) -> Result<(), Trouble> {
    if is_busy(&error) { Ok(()) } else { Err(error.into()) }
}
