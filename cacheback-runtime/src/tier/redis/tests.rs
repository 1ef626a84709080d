//! The rules one by one, on the scripts of a real server, whose clock stands still between two steps.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::scripts::text;
use super::servers::Servers;
use super::{Connected, LEASE, Redis};
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::rules::queue::PATIENCE;
use crate::tier::{
    Acquired, Ages, Bump, Change, Found, Lease, Payload, Read, Release, Reply, Request, Scope, Stored, Tier,
    Token, WireKey, WriteId,
};

// One file for every store of keys, each with a `State` of its own.
#[allow(clippy::duplicate_mod)]
#[path = "../fencing/tests/rules.rs"]
mod rules;

/// The shortest time that makes a difference. Redis counts in milliseconds, a key is over one after its end, and an age is
/// rounded up.
const TICK: Duration = Duration::from_millis(100);

/// Without what that makes of it.
fn rounded(time: Duration) -> Duration {
    let ticks = (time + TICK / 2).as_millis() / TICK.as_millis();
    TICK * u32::try_from(ticks).unwrap()
}

fn rounded_ages(Ages { age, lifetime, retention }: Ages) -> Ages {
    Ages { age: rounded(age), lifetime: rounded(lifetime), retention: rounded(retention) }
}

/// What a key is found by.
fn name(key: &WireKey) -> WireKey {
    key.clone()
}

/// The clock as a library, which is loaded into the servers. `None` without a C compiler.
fn clock() -> Option<&'static PathBuf> {
    static CLOCK: OnceLock<Option<(TempDir, PathBuf)>> = OnceLock::new();
    let clock = CLOCK.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let [source, library] = ["clock.c", "clock.so"].map(|file| folder.path().join(file));
        fs::write(&source, include_str!("../../../../tests/support/clock.c")).unwrap();
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
        compiled.is_ok_and(|status| status.success()).then_some((folder, library))
    });
    clock.as_ref().map(|(_, library)| library)
}

fn program() -> String {
    std::env::var("CACHEBACK_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// Whether there is what these tests need. If not, it is said once, and is an error with `CACHEBACK_NEEDS_SERVERS`.
fn is_there() -> bool {
    static IS_THERE: OnceLock<bool> = OnceLock::new();
    *IS_THERE.get_or_init(|| {
        let answers = Command::new(program()).arg("--version").stdout(Stdio::null()).status();
        let is_there = answers.is_ok_and(|status| status.success()) && clock().is_some();
        if !is_there {
            let missing =
                "no `redis-server`, or no C compiler, on this machine: the rules are not tried on a server";
            assert!(std::env::var_os("CACHEBACK_NEEDS_SERVERS").is_none(), "{missing}");
            eprintln!("{missing}");
        }
        is_there
    })
}

/// A server of its own on a socket, with the operations of a `Memory`'s state.
struct State {
    child: Child,
    clock: File,
    now: Moment,
    /// How often the clock was moved. It gains a millisecond each time.
    moved: u64,
    raw: redis::Connection,
    tier: Connected,
    runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

impl State {
    /// `None` if there is no server.
    fn new(now: Moment) -> Option<Self> {
        if !is_there() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let [socket, nanos] = ["redis.sock", "nanos"].map(|file| folder.path().join(file));
        fs::write(&nanos, [0, now.to_bits()].map(u64::to_ne_bytes).concat()).unwrap();
        let child = Command::new(program())
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .env("LD_PRELOAD", clock()?)
            .env("CACHEBACK_CLOCK", &nanos)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("redis+unix://{}", socket.display());
        let until = Instant::now() + Duration::from_secs(20);
        let raw = loop {
            match redis::Client::open(&*url).unwrap().get_connection() {
                Ok(raw) => break raw,
                Err(error) => assert!(Instant::now() < until, "the server does not start: {error}"),
            }
            sleep(Duration::from_millis(2));
        };
        let tier = Redis::new(&url).unwrap().timeout(Duration::from_secs(20)).connect();
        while !tier.is_up() {
            sleep(Duration::from_millis(1));
        }
        let clock = File::options().write(true).open(&nanos).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Some(Self { child, clock, now, moved: 0, raw, tier, runtime, _folder: folder })
    }

    /// Sets the clock, and tells the process of it, which would find it out by the first operation that comes too late.
    fn set(&mut self, now: Moment) {
        if now > self.now {
            (self.now, self.moved) = (now, self.moved + 1);
        }
        let there = self.now.plus(self.moved * 1_000_000).to_bits();
        // Behind the seconds that are added to it.
        self.clock.write_all_at(&there.to_ne_bytes(), 8).unwrap();
        let Servers::One(link) = self.tier.0.servers() else { panic!("it is one server") };
        link.correct_clock(i64::try_from(there / 1_000).unwrap());
    }

    fn answer<T>(&self, reply: Reply<T>) -> T {
        self.runtime.block_on(reply).unwrap()
    }

    fn run<T: redis::FromRedisValue>(&mut self, command: &str) -> T {
        let words: Vec<_> = command.split(' ').collect();
        redis::cmd(words[0]).arg(&words[1..]).query(&mut self.raw).unwrap()
    }

    fn read(&mut self, now: Moment, key: &WireKey, have: Option<WriteId>) -> Read {
        self.set(now);
        match self.answer(self.tier.read(key, have)) {
            Read::Found(found) => Read::Found(Found { ages: rounded_ages(found.ages), ..found }),
            Read::Unchanged(ages) => Read::Unchanged(rounded_ages(ages)),
            read => read,
        }
    }

    fn acquire(&mut self, now: Moment, key: &WireKey, request: Request) -> Acquired {
        self.set(now);
        match self.answer(self.tier.acquire(key, request)) {
            Acquired::Theirs { left, is_backoff, queued } => {
                Acquired::Theirs { left: rounded(left), is_backoff, queued }
            }
            acquired => acquired,
        }
    }

    fn store(&mut self, now: Moment, key: &WireKey, lease: &Lease, value: Payload) -> Stored {
        self.set(now);
        self.answer(self.tier.store(key, lease, value))
    }

    fn release(&mut self, now: Moment, key: &WireKey, token: Token, ending: Release) {
        self.set(now);
        self.tier.release(key, token, ending);
        // What is sent after it is carried out after it.
        self.answer(self.tier.read(key, None));
    }

    fn write(&mut self, now: Moment, key: &WireKey, change: Change) -> WriteId {
        self.set(now);
        self.answer(self.tier.write(key, change))
    }

    fn bump(&mut self, now: Moment, scope: &Arc<Scope>, change: Bump, _: Duration) {
        self.set(now);
        self.answer(self.tier.bump(scope, change, Moment::now()));
    }

    fn extend(&mut self, now: Moment, key: &WireKey, token: Token) -> bool {
        self.set(now);
        let lease = self.tier.0.prefix.names(key).lease;
        let args = [text(LEASE.as_millis()), token.0.to_le_bytes().to_vec()];
        let extend = self.tier.0.scripts.extend.call(&[&lease], &args);
        assert_eq!(extend.query::<String>(&mut self.raw).unwrap(), "extended");
        let held: Vec<u8> = self.run(&format!("GET {lease}"));
        let left: i64 = self.run(&format!("PTTL {lease}"));
        let is_fetch = matches!(held.first(), Some(b'r' | b'q'))
            || held.first() == Some(&b'w') && left > i64::try_from(PATIENCE.as_millis()).unwrap();
        is_fetch && held[1..9] == token.0.to_le_bytes()
    }

    /// The server does so when it likes, and shows nothing that is over.
    fn sweep(&mut self, now: Moment) {
        self.set(now);
    }

    /// Loses all keys.
    fn flush(&mut self) {
        self.run::<()>("FLUSHALL");
    }

    fn len(&mut self) -> usize {
        let keys: Vec<String> = self.run("KEYS cb1:*");
        let mut names: Vec<_> = keys
            .iter()
            .filter_map(|key| key.strip_prefix("cb1:v:").or_else(|| key.strip_prefix("cb1:l:")))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
