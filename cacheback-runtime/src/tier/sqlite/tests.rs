//! The rules one by one and the model, on rows in place of a map; and what only a file has.

use std::time::Duration;

use rusqlite::Connection;

use super::patience::Patience;
use super::room::Room;
use super::settings::Sqlite;
use super::store::{self, Store};
use super::values;
use crate::base::clock::Moment;
use crate::tier::fencing::Checks;
use crate::tier::late::{Delivered, Lateness};
use crate::tier::{
    Acquired, Bump, Change, Lease, Payload, Read, Release, Request, Scope, Stored, Token, WireKey, WriteId,
};

mod file;
mod queue;
mod tier;
// One file for every store of keys, each with a `State` of its own.
#[allow(clippy::duplicate_mod)]
#[path = "../fencing/tests/embedded.rs"]
mod embedded;
#[allow(clippy::duplicate_mod)]
#[path = "../fencing/tests/model.rs"]
mod model;
#[allow(clippy::duplicate_mod)]
#[path = "../fencing/tests/rules.rs"]
mod rules;

/// The shortest time that makes a difference.
const TICK: Duration = Duration::from_nanos(1);
/// So many fleets are played: a row costs more than an entry of a map.
const FLEETS: u64 = 150;

/// What a key is found by.
fn name(key: &WireKey) -> [u8; 16] {
    key.hash
}

/// A file with the operations of a `Memory`'s state.
struct State {
    store: Store,
    settings: Sqlite,
    clock: Moment,
    _folder: tempfile::TempDir,
}

impl Default for State {
    fn default() -> Self {
        Self::with(Checks::default())
    }
}

impl State {
    /// At any time.
    #[allow(clippy::unnecessary_wraps)] // Others need a server.
    fn new(_: Moment) -> Option<Self> {
        Some(Self::default())
    }

    fn with(checks: Checks) -> Self {
        // In memory, if there is such a place: they are about steps, and not about the disk.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let settings = Sqlite::open(folder.path().join("cache.sqlite")).unwrap();
        let mut room = Room::new(&settings.path, settings.max_bytes);
        let mut store = Store::open(&settings.path, &Patience::default(), &mut room, 1, false).unwrap();
        store.checks = checks;
        store.db.execute_batch("BEGIN").unwrap();
        Self { store, settings, clock: Moment::PAST, _folder: folder }
    }

    fn time(&mut self, now: Moment) -> Moment {
        self.clock = self.clock.max(now);
        self.clock
    }

    fn db(&self) -> &Connection {
        &self.store.db
    }

    fn read(&mut self, now: Moment, key: &WireKey, have: Option<WriteId>) -> Read {
        let now = self.time(now);
        values::read(store::read(self.db(), now, key, have).unwrap(), &self.settings, key)
    }

    fn acquire(&mut self, now: Moment, key: &WireKey, request: Request) -> Acquired {
        let now = self.time(now);
        values::acquired(self.store.acquire(now, key, request).unwrap(), &self.settings, key)
    }

    fn store(&mut self, now: Moment, key: &WireKey, lease: &Lease, value: Payload) -> Stored {
        let now = self.time(now);
        self.store.store(now, key, lease, value).unwrap()
    }

    fn release(&mut self, now: Moment, key: &WireKey, token: Token, ending: Release) {
        let now = self.time(now);
        self.store.release(now, key, token, ending).unwrap();
    }

    fn write(&mut self, now: Moment, key: &WireKey, change: Change) -> WriteId {
        let now = self.time(now);
        self.store.write(now, key, change).unwrap()
    }

    fn deliver(
        &mut self,
        now: Moment,
        key: &WireKey,
        change: Change,
        late: Lateness,
        doubt: Duration,
    ) -> Delivered {
        let now = self.time(now);
        self.store.deliver(now, key, change, late, doubt).unwrap()
    }

    fn bump(&mut self, now: Moment, scope: &Scope, change: Bump, age: Duration) {
        let now = self.time(now);
        self.store.bump(now, scope, change, age).unwrap();
    }

    fn extend(&mut self, now: Moment, hash: &[u8; 16], token: Token) -> bool {
        let now = self.time(now);
        self.store.extend(now, *hash, token).unwrap()
    }

    fn sweep(&mut self, now: Moment) {
        let now = self.time(now);
        Room::new(&self.settings.path, 1 << 30).sweep(self.db(), now).unwrap();
    }

    /// Loses all keys.
    fn flush(&mut self) {
        self.db()
            .execute_batch(
                "UPDATE state SET floor = max(floor, (SELECT coalesce(max(number), 0) + 1 FROM entries));
                 DELETE FROM entries; DELETE FROM leases;",
            )
            .unwrap();
    }

    fn len(&self) -> usize {
        let sql = "SELECT count(*) FROM (SELECT hash FROM entries UNION SELECT hash FROM leases)";
        self.db().query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap() as usize
    }
}
