//! What only a file has: it is found again, made place in, damaged, and told from others.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::{State, name};
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::tier::sqlite::Sqlite;
use crate::tier::sqlite::patience::Patience;
use crate::tier::sqlite::room::Room;
use crate::tier::sqlite::store::Store;
use crate::tier::{
    Acquired, Ages, Bump, Change, LeaseFor, Packed, Payload, Read, Request, Scope, Stored, Token, WireKey,
    WriteId,
};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn key(number: u64) -> WireKey {
    let scope = Arc::new(Scope { name: "users".into(), instance: None });
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&number.to_le_bytes());
    WireKey { scope, hash, fingerprint: number, args: number.to_le_bytes().into() }
}

/// Fresh for ten seconds, kept for an hour.
fn value(bytes: usize) -> Payload {
    let ages = Ages { age: Duration::ZERO, lifetime: secs(10), retention: secs(3_600) };
    let packed = Packed { compression: 0, raw_len: bytes as u32, bytes: Arc::new(vec![7; bytes]) };
    Payload { packed, schema: 7, ages, at: Moment::now(), took: Duration::ZERO }
}

fn request(token: u64, seen: Option<WriteId>) -> Request {
    Request { token: Token(token), seen, ahead: None, is_awaited: true, purpose: LeaseFor::Fetch, job: None }
}

/// A file at a time of its own.
struct World {
    state: State,
    now: Moment,
}

impl World {
    fn new() -> Self {
        Self { state: State::default(), now: Moment::from_bits(1 << 62) }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(crate::base::clock::nanos(time));
    }

    fn read(&mut self, key: &WireKey, have: Option<WriteId>) -> Read {
        self.state.read(self.now, key, have)
    }

    fn set(&mut self, key: &WireKey, bytes: usize) -> WriteId {
        self.state.write(self.now, key, Change::Set(value(bytes)))
    }

    /// As a fetch does.
    fn store(&mut self, key: &WireKey, bytes: usize) -> WriteId {
        let Acquired::Ours(lease) = self.state.acquire(self.now, key, request(1, None)) else { panic!() };
        match self.state.store(self.now, key, &lease, value(bytes)) {
            Stored::Yes(id) => id,
            other => panic!("{other:?}"),
        }
    }

    /// Makes place for a value in a file that is as large as it may be.
    fn squeeze(&mut self) {
        let mut room = Room::new(&self.state.settings.path, 0);
        room.make_place(self.state.db(), self.now, 0).unwrap();
    }

    fn number(&self, sql: &str) -> i64 {
        self.state.db().query_row(sql, (), |row| row.get(0)).unwrap()
    }
}

pub(super) fn open(path: &Path) -> Result<Store, String> {
    let (patience, mut room) = (Patience::default(), Room::new(path, 1 << 30));
    Store::open(path, &patience, &mut room, 1, false).map_err(|trouble| trouble.why().to_owned())
}

/// A file of the tests, and no transaction that is open.
pub(super) fn file() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    (folder, path)
}

fn read(store: &Store, key: &WireKey) -> Read {
    let settings = Sqlite::open(store.db.path().unwrap()).unwrap();
    let read = crate::tier::sqlite::store::read(&store.db, store.clock.now(), key, None).unwrap();
    crate::tier::sqlite::values::read(read, &settings, key)
}

#[test]
fn after_a_restart_of_the_machine_everything_is_stale() {
    let (_folder, path) = file();
    let store = open(&path).unwrap();
    let now = store.clock.now();
    store.write(now, &key(1), Change::Set(value(10))).unwrap();
    store.acquire(now, &key(2), request(1, None)).unwrap();
    drop(store);
    let Read::Found(found) = read(&open(&path).unwrap(), &key(1)) else { panic!("a restart of the process") };
    assert!(found.ages.age < found.ages.lifetime);

    let sql = "UPDATE state SET boot = 'another', wall = wall - 5000000000";
    Connection::open(&path).unwrap().execute(sql, ()).unwrap();
    let store = open(&path).unwrap();
    let Read::Found(found) = read(&store, &key(1)) else { panic!("a restart of the machine") };
    let Ages { age, lifetime, retention } = found.ages;
    assert!(age >= secs(5) && age >= lifetime && retention == secs(3_600), "{:?}", found.ages);
    let answer = store.acquire(store.clock.now(), &key(2), request(2, None)).unwrap();
    assert!(matches!(answer, Acquired::Ours(_)), "its holder is gone");
    // What is set from now on is fresh.
    store.write(store.clock.now(), &key(1), Change::Set(value(10))).unwrap();
    let Read::Found(found) = read(&store, &key(1)) else { panic!("it was set") };
    assert!(found.ages.age < found.ages.lifetime);
}

#[test]
fn files_that_are_not_ours_are_left_as_they_are() {
    let foreign = |sql: &str| {
        let (folder, path) = file();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        (folder, path)
    };
    let text = file();
    fs::write(
        &text.1,
        "a letter to a friend, which is long enough to be one of a hundred bytes and more, I hope so",
    )
    .unwrap();
    let newer = file();
    drop(open(&newer.1).unwrap());
    Connection::open(&newer.1).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    for ((_folder, path), why) in [
        (text, "no database of cacheback"),
        (foreign("CREATE TABLE users (name TEXT)"), "no database of cacheback"),
        (foreign("PRAGMA application_id = 77; CREATE TABLE users (name TEXT)"), "no database of cacheback"),
        (newer, "newer version of cacheback"),
    ] {
        let before = fs::read(&path).unwrap();
        for error in
            [Sqlite::open(&path).map(drop).unwrap_err().to_string(), open(&path).map(drop).unwrap_err()]
        {
            assert!(error.contains(why), "{error}");
        }
        assert!(fs::read(&path).unwrap() == before, "{why}");
    }
    // An empty one is nobody's.
    let (_folder, path) = file();
    fs::write(&path, "").unwrap();
    open(&path).unwrap();
    assert!(open(Path::new("/nowhere/cache.sqlite")).map(drop).unwrap_err().contains("cannot be made"));
}

/// It gets what it lacks, and keeps what it has.
#[test]
fn a_file_of_an_older_version_is_used() {
    for older in [
        "ALTER TABLE leases DROP COLUMN deaths;
         DROP TABLE lines; DROP TABLE jobs; DROP TABLE loads; DROP TABLE workers; DROP TABLE dead;
         PRAGMA user_version = 1",
        "ALTER TABLE leases DROP COLUMN deaths; ALTER TABLE lines DROP COLUMN seen; PRAGMA user_version = 2",
    ] {
        let (_folder, path) = file();
        let store = open(&path).unwrap();
        let now = store.clock.now();
        store.write(now, &key(1), Change::Set(value(10))).unwrap();
        drop(store);
        Connection::open(&path).unwrap().execute_batch(older).unwrap();
        drop(Sqlite::open(&path).unwrap());
        let store = open(&path).unwrap();
        assert!(matches!(read(&store, &key(1)), Read::Found(_)));
        let columns = "SELECT (SELECT count(*) FROM lines WHERE seen > 0), (SELECT count(*) FROM leases WHERE deaths > 0)";
        let counts =
            store.db.query_row(columns, (), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        assert_eq!(counts.unwrap(), (0, 0));
        drop(store);
        drop(open(&path).unwrap());
    }
}

/// The number of the tombstone, if there is no value.
fn missing(read: &Read) -> Option<Option<WriteId>> {
    match read {
        Read::Missing { tombstone, .. } => Some(tombstone.map(|tombstone| tombstone.id)),
        _ => None,
    }
}

/// A change leaves a trace as long as there may be older values in other processes.
#[test]
fn a_value_that_makes_place_leaves_a_tombstone_if_it_was_changed() {
    let mut world = World::new();
    let ids = [world.set(&key(1), 9_000), world.store(&key(2), 9_000)];
    world.pass(secs(20));
    let mut room = Room::new(&world.state.settings.path, 1 << 20);
    while room.drop_values(world.state.db(), world.now).unwrap() {}
    // Whoever has the value of before looks, and sees that it is not the last one.
    let Some(Some(left)) = missing(&world.read(&key(1), None)) else { panic!("a trace") };
    assert!(left > ids[0]);
    assert_eq!(missing(&world.read(&key(2), Some(ids[1]))), Some(None));
    // Nothing is stored over it that began before.
    let Acquired::Ours(lease) = world.state.acquire(world.now, &key(1), request(2, Some(ids[0]))) else {
        panic!("it is free")
    };
    assert_eq!(lease.seen, Some(left));
    world.pass(secs(600));
    assert_eq!(missing(&world.read(&key(1), None)), Some(None));
}

#[test]
fn the_oldest_values_make_place() {
    let mut world = World::new();
    for number in 0..50 {
        world.store(&key(number), 20_000);
    }
    // One of them is younger than it was.
    let Acquired::Newer(found) = world.state.acquire(world.now, &key(0), request(1, None)) else { panic!() };
    let Acquired::Ours(lease) = world.state.acquire(world.now, &key(0), request(1, Some(found.id))) else {
        panic!("it is free")
    };
    assert!(matches!(world.state.store(world.now, &key(0), &lease, value(20_000)), Stored::Yes(_)));
    let mut room = Room::new(&world.state.settings.path, 1 << 20);
    room.make_place(world.state.db(), world.now, 20_000).unwrap();
    let there: Vec<_> =
        (0..50).filter(|number| matches!(world.read(&key(*number), None), Read::Found(_))).collect();
    assert!((10..49).contains(&there.len()), "{there:?}");
    assert_eq!((there[0], there[there.len() - 1]), (0, 49));
    assert!(there[1..].windows(2).all(|pair| pair[0] + 1 == pair[1]), "{there:?}");
}

/// If there is no room even for traces, they are forgotten: nobody may trust what he has from before.
#[test]
fn traces_that_are_forgotten_leave_nothing_fresh() {
    let mut world = World::new();
    let ids = [world.store(&key(1), 10), world.set(&key(2), 10)];
    world.state.write(world.now, &key(2), Change::Remove { tombstone: secs(600) });
    world.pass(secs(1));
    world.squeeze();
    assert_eq!(world.number("SELECT count(*) FROM entries"), 0);
    for (number, id) in [1, 2].into_iter().zip(ids) {
        assert!(matches!(world.read(&key(number), Some(id)), Read::Cleared(_)));
        assert_eq!(missing(&world.read(&key(number), None)), Some(None));
    }
    assert_eq!(world.number("SELECT count(*) FROM messages WHERE kind = 1 AND origin = 0"), 1);
}

/// The trace of a `clear` is in the values: one that has made place has none.
#[test]
fn a_value_of_before_a_clear_is_not_trusted() {
    for change in [Bump::Stale, Bump::Gone] {
        let mut world = World::new();
        let id = world.store(&key(1), 10);
        world.pass(secs(1));
        let scope = Arc::clone(&key(1).scope);
        world.state.bump(world.now, &scope, change, Duration::ZERO);
        world.state.db().execute("DELETE FROM entries", ()).unwrap();
        assert!(matches!(world.read(&key(1), Some(id)), Read::Cleared(_)), "{change:?}");
        assert_eq!(missing(&world.read(&key(1), Some(WriteId(id.0 + 2_000_000)))), Some(None));
    }
}

/// Every number of a row is in its sum. What is left of a damaged one is a change that nobody has heard of.
#[test]
fn a_damaged_row_is_a_change() {
    for column in ["number", "fingerprint", "born", "lifetime", "retention", "stale", "gone", "mark"] {
        let mut world = World::new();
        let id = world.store(&key(1), 10);
        world.pass(secs(1));
        world.state.db().execute(&format!("UPDATE entries SET {column} = {column} + 8"), ()).unwrap();
        let Some(Some(left)) = missing(&world.read(&key(1), Some(id))) else {
            panic!("{column}: it is damaged")
        };
        assert!(left > id, "{column}");
        let Acquired::Ours(lease) = world.state.acquire(world.now, &key(1), request(2, Some(left))) else {
            panic!("{column}: it can be fetched")
        };
        assert!(
            matches!(world.state.store(world.now, &key(1), &lease, value(10)), Stored::Yes(_)),
            "{column}"
        );
        assert!(matches!(world.read(&key(1), None), Read::Found(_)), "{column}");
    }
}

#[test]
fn no_damage_holds_a_key_for_ever() {
    let mut world = World::new();
    assert!(matches!(world.state.acquire(world.now, &key(1), request(1, None)), Acquired::Ours(_)));
    world.state.db().execute("UPDATE leases SET until = until + 1000000000000000", ()).unwrap();
    let answer = world.state.acquire(world.now, &key(1), request(2, None));
    assert_eq!(answer, Acquired::Theirs { left: secs(5), is_backoff: false, queued: None });
    assert!(!world.state.extend(world.now, &name(&key(1)), Token(2)));
}

/// A file that was given less room becomes smaller.
#[test]
fn a_file_becomes_smaller() {
    let (_folder, path) = file();
    let store = open(&path).unwrap();
    let now = store.clock.now();
    for number in 0..200 {
        store.write(now, &key(number), Change::Set(value(20_000))).unwrap();
    }
    let pages = || store.db.query_row("PRAGMA page_count", (), |row| row.get::<_, i64>(0)).unwrap();
    assert!(pages() > 900);
    let mut room = Room::new(&path, 2 << 20);
    store.db.execute_batch("BEGIN IMMEDIATE").unwrap();
    room.make_place(&store.db, now, 0).unwrap();
    while pages() * 4096 > (2 << 20) * 3 / 4 {
        let before = pages();
        room.sweep(&store.db, now).unwrap();
        assert!(pages() < before);
    }
    store.db.execute_batch("COMMIT").unwrap();
}
