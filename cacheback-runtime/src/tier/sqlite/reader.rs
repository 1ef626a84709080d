//! The threads that look at the file: for callers, and for the messages of other processes.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::clock::{Clock, Reading, axis};
use super::file::{self, Identity};
use super::link::{Question, Shared, Thread};
use super::patience::Patience;
use super::trouble::Trouble;
use super::{changes, store};
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::base::sync::plain::Ordering;
use crate::tier::messages::Message;

/// How often the ear listens.
const LISTEN: Duration = Duration::from_millis(50);
/// The same, while a worker waits for a job, or a value is expected from one.
const LISTEN_FOR_JOBS: Duration = Duration::from_millis(10);
/// So many messages are heard at once.
const AT_ONCE: usize = 500;

/// A connection that changes nothing, to the file that the writer has opened.
struct Glass {
    db: Connection,
    clock: Clock,
    identity: Option<Identity>,
    opening: u64,
    patience: Patience,
}

impl Glass {
    /// `None` if the writer has no file open.
    fn open(shared: &Shared) -> Result<Option<Self>, Trouble> {
        let opening = shared.opening.load(Ordering::Acquire);
        if opening == 0 {
            return Ok(None);
        }
        let path = &shared.settings.path;
        let identity = file::identity(path);
        let patience = Patience::default();
        patience.last(shared.settings.timeout);
        let db = file::open_again(path, &patience)?;
        db.execute_batch(
            "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
        )?;
        let clock = Clock::new(&axis(store::noted(&db)?, &Reading::now()).0);
        Ok(Some(Self { db, clock, identity, opening, patience }))
    }

    /// The connection, for one look.
    fn db(&self, shared: &Shared) -> &Connection {
        self.patience.last(shared.for_locks());
        &self.db
    }
}

/// Answers looks, until nobody can send any more.
pub(super) fn read(shared: &Arc<Shared>, questions: &Receiver<Question>) {
    let mut glass: Option<Glass> = None;
    while let Ok(Question { look, caller }) = questions.recv() {
        if caller.is_gone() {
            continue;
        }
        shared.begins(Thread::Reader);
        if glass.as_ref().is_none_or(|glass| glass.opening != shared.opening.load(Ordering::Acquire)) {
            glass = None;
            // At first the writer makes the file.
            while glass.is_none() && shared.is_up() && !caller.is_gone() {
                glass = Glass::open(shared).ok().flatten();
                if glass.is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        let done = match &glass {
            Some(glass) => look(glass.db(shared), glass.clock.now()).map_err(Trouble::from),
            None => Err(Trouble::Failed("it is not open".to_owned())),
        };
        shared.ends(Thread::Reader, done.is_ok());
        if let Err(trouble) = done {
            caller.fail(trouble.down());
            if let Some(glass) = glass.take() {
                shared.report(glass.opening, trouble);
            }
        }
    }
}

/// Tells the caches of this process what others have changed, as long as the tier lives.
pub(super) fn listen(shared: &std::sync::Weak<Shared>) {
    let mut ear: Option<Ear> = None;
    while let Some(shared) = shared.upgrade() {
        if ear.as_ref().is_none_or(|ear| ear.glass.opening != shared.opening.load(Ordering::Acquire)) {
            ear = Glass::open(&shared).ok().flatten().and_then(|glass| Ear::of(glass).ok());
            if ear.is_some() {
                // What was changed before this moment, nobody may have told this process of.
                shared.listeners.untrusted();
            }
        }
        if let Some(heard) = ear.as_mut().map(|ear| ear.hear(&shared)) {
            if let (Err(trouble), Some(ear)) = (heard, &ear) {
                shared.report(ear.glass.opening, trouble);
            }
        }
        let pause = if shared.takes.are_awaited() { LISTEN_FOR_JOBS } else { LISTEN };
        drop(shared);
        std::thread::sleep(pause);
    }
}

struct Ear {
    glass: Glass,
    /// The number of the last message that was heard.
    last: i64,
    /// What SQLite says of the changes of other connections.
    version: i64,
}

impl Ear {
    fn of(glass: Glass) -> rusqlite::Result<Self> {
        let last = last(&glass.db)?;
        Ok(Self { glass, last, version: -1 })
    }

    fn hear(&mut self, shared: &Shared) -> Result<(), Trouble> {
        if file::identity(&shared.settings.path) != self.glass.identity {
            return Err(Trouble::Failed("it was deleted, or another one is in its place".to_owned()));
        }
        let version =
            self.glass.db(shared).prepare_cached("PRAGMA data_version")?.query_row((), |row| row.get(0))?;
        if version == self.version {
            return Ok(());
        }
        shared.takes.look();
        while self.hear_some(shared)? == AT_ONCE {}
        self.version = version;
        Ok(())
    }

    /// Passes on messages, and returns how many there were.
    fn hear_some(&mut self, shared: &Shared) -> Result<usize, Trouble> {
        let mut select = self.glass.db.prepare_cached(
            "SELECT number, origin, name, instance, kind, change, args, at FROM messages
                WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let rows = select.query_map(params![self.last, AT_ONCE as i64], |row| {
            let (name, instance): (String, String) = (row.get(2)?, row.get(3)?);
            let origin = row.get::<_, i64>(1)? as u64;
            let content = changes::content(row.get(4)?, row.get(5)?, row.get(6)?);
            let scope = Arc::new(changes::scope(&name, &instance));
            let made = Moment::from_bits(row.get::<_, i64>(7)?.unsigned_abs());
            Ok((row.get::<_, i64>(0)?, made, content.map(|content| Message { origin, scope, content })))
        })?;
        let heard: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        // They are numbered without a gap. If there is one, the messages in it are forgotten.
        let is_behind = match heard.first() {
            Some((number, ..)) => *number != self.last + 1,
            None => last(&self.glass.db)? != self.last,
        };
        if is_behind {
            self.last = last(&self.glass.db)?;
            shared.listeners.untrusted();
            return Ok(0);
        }
        for (number, made, message) in &heard {
            self.last = *number;
            if let Some(message) = message {
                shared.heard(Duration::from_nanos(self.glass.clock.now().since(*made)));
                shared.listeners.tell(message, shared.origin);
            }
        }
        Ok(heard.len())
    }
}

/// The number of the last message that there was.
fn last(db: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'messages'";
    db.query_row(sql, (), |row| row.get(0))
}
