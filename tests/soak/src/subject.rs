//! A cache under load: which values it may serve, and calls that check this.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use cacheback::{Cache, Eviction, Lookup, Snapshot, Stats, Status};

use crate::origin::{Fault, Key, Made, Maker, Origin, Returned, SCRIPTED, Value};
use crate::watch::{now, violation};

/// The clock of a hit may be late by this much: a tick of the kernel is at most 10 ms.
const TICK: Duration = Duration::from_millis(12);
const LIFETIME: Duration = Duration::from_millis(40);
const MAX_STALE: Duration = Duration::from_millis(80);
const RETENTION: Duration = Duration::from_millis(400);
const TIMEOUT: Duration = Duration::from_millis(150);

/// The message of a call's panic when its own runtime is dropped.
pub(crate) const DROPPED: &str = "its runtime was dropped";

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) cache: Cache<Key, Returned>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) capacity: u64,
    colliding: bool,
    /// Who waits without a limit if nothing is cached.
    waits: Waits,
    keys: Vec<Floor>,
    /// Values that were fetched before this are not served to calls that begin from now on: a `clear` has returned.
    cleared: AtomicU64,
    /// Calls that were answered.
    pub(crate) answered: AtomicU64,
}

/// The callers who are never given the empty value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    Everyone,
    /// Only callers who ask for it.
    WhoAsks,
    /// Nobody: there is a limit.
    Nobody,
}

/// Bounds on the values that calls of a key may be given from now on.
#[derive(Default)]
struct Floor {
    /// Nothing that began before this: a `remove` or `set` has returned.
    written: AtomicU64,
    /// Nothing that began before this is fresh: an `invalidate` has returned.
    invalidated: AtomicU64,
}

/// A call, with the bounds that held when it began.
struct Call {
    key: u64,
    how: How,
    began: u64,
    written: u64,
    invalidated: u64,
    cleared: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Plain,
    Lookup,
    GetOrFetch,
    Refresh,
}

/// Caches of several options, with more keys than they have room for.
pub(crate) fn subjects() -> Vec<Arc<Subject>> {
    let base = |name| {
        Cache::<Key, Returned>::builder()
            .name(name)
            .lifetime(LIFETIME)
            .retention(RETENTION)
            .refresh_timeout(TIMEOUT)
            .max_backoff(Duration::from_millis(50))
            .empty(|_| Ok(None))
    };
    let plain = |origin| base("plain").capacity(128).try_fetcher(fetcher(origin)).build();
    let limited = |origin| {
        let builder =
            base("limited").capacity(64).eviction(Eviction::TinyLfu).fetch_on_miss().max_stale(MAX_STALE);
        let builder = builder.wait(Duration::from_millis(60)).try_fetcher(fetcher(origin));
        builder.cache_err(Duration::from_millis(20)).build()
    };
    let colliding = |origin| {
        let builder = base("colliding").capacity(32).fetch_on_miss().max_stale(MAX_STALE).max_refreshes(4);
        builder.try_fetcher(fetcher(origin)).build()
    };
    let ahead = |origin| {
        let builder = base("ahead").refresh_ahead(LIFETIME / 4).jitter(0.3).max_bytes(256);
        builder.try_fetcher(fetcher(origin)).weigh(|_| 1_u64).build()
    };
    vec![
        Subject::new("plain", 128, Waits::WhoAsks, plain),
        Subject::new("limited", 64, Waits::Nobody, limited),
        Subject::new("colliding", 32, Waits::Everyone, colliding),
        Subject::new("ahead", 256, Waits::WhoAsks, ahead),
    ]
}

fn fetcher(origin: Arc<Origin>) -> impl Fn(Key) -> Body + Send + Sync + 'static {
    move |key| Box::pin(Arc::clone(&origin).run(key.number))
}

type Body = std::pin::Pin<Box<dyn Future<Output = Returned> + Send>>;

impl Subject {
    fn new(
        name: &'static str,
        capacity: u64,
        waits: Waits,
        build: impl FnOnce(Arc<Origin>) -> Result<Cache<Key, Returned>, cacheback::Error>,
    ) -> Arc<Self> {
        // If nobody waits without a limit, a body may hang forever.
        let origin = Origin::new(name, waits == Waits::Nobody);
        let cache = build(Arc::clone(&origin)).unwrap_or_else(|error| panic!("{error}"));
        Arc::new(Self {
            name,
            cache,
            origin,
            capacity,
            colliding: name == "colliding",
            waits,
            keys: (0..4 * capacity).map(|_| Floor::default()).collect(),
            cleared: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        })
    }

    /// Keys are `0..self.keys()`.
    pub(crate) fn keys(&self) -> u64 {
        self.keys.len() as u64
    }

    fn key(&self, number: u64) -> Key {
        Key { number, colliding: self.colliding }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.cache.stats()
    }

    fn begins(&self, key: u64, how: How) -> Call {
        let floor = &self.keys[key as usize];
        let read = |moment: &AtomicU64| moment.load(Ordering::SeqCst);
        let (written, invalidated) = (read(&floor.written), read(&floor.invalidated));
        let cleared = read(&self.cleared);
        Call { key, how, began: now(), written, invalidated, cleared }
    }

    /// Makes a call, and checks its answer.
    pub(crate) async fn call(&self, key: u64, how: How) {
        let call = self.begins(key, how);
        let answer = async {
            let key = self.key(key);
            match how {
                How::Plain => (self.cache.get(&key).await, None),
                How::GetOrFetch => (self.cache.entry(&key).get_or_fetch().await, None),
                How::Refresh => (self.cache.entry(&key).refresh().await, None),
                How::Lookup => {
                    let Lookup { value, status, age, .. } = self.cache.entry(&key).lookup().await;
                    (value, Some((status, age)))
                }
            }
        };
        let answer = caught(answer).await;
        if how != How::Refresh {
            // In one poll with the answer: a call is counted by both or by none.
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        match answer {
            Err(message) if message.contains(SCRIPTED) || message.contains(DROPPED) => {}
            Err(message) => self.violated(&call, &format!("panicked: {message}")),
            Ok((Err(Fault { cache, key }), _)) if cache == self.name && key == call.key => {}
            Ok((Err(fault), _)) => self.violated(&call, &format!("was given the error of another: {fault}")),
            Ok((Ok(None), told)) => self.check_empty(&call, told.map(|(status, _)| status)),
            Ok((Ok(Some(made)), told)) => {
                let (status, age) = told.map_or((None, None), |(status, age)| (Some(status), age));
                let limit = match (how, status) {
                    (_, Some(Status::Fresh)) => LIFETIME,
                    // Joined only while it held its key.
                    (How::Refresh, _) | (_, Some(Status::Fetched)) => TIMEOUT,
                    _ => RETENTION,
                };
                self.check(&call, &made, limit, age, status == Some(Status::Fresh));
            }
        }
    }

    pub(crate) async fn peek(&self, key: u64) {
        let call = self.begins(key, How::Lookup);
        let Some(snapshot) = self.cache.entry(&self.key(key)).peek().await else { return };
        let Snapshot { value: Some(made), age, fresh, .. } = snapshot else {
            self.violated(&call, "peek shows the empty value");
        };
        self.check(&call, &made, if fresh { LIFETIME } else { RETENTION }, Some(age), fresh);
    }

    fn check_empty(&self, call: &Call, status: Option<Status>) {
        let waits = match self.waits {
            Waits::Everyone => true,
            Waits::WhoAsks => call.how == How::GetOrFetch,
            Waits::Nobody => false,
        };
        if waits || call.how == How::Refresh || status.is_some_and(|status| status != Status::Empty) {
            self.violated(call, &format!("was given the empty value ({status:?})"));
        }
    }

    fn check(&self, call: &Call, made: &Made, limit: Duration, told: Option<Duration>, fresh: bool) {
        let wrong = |what: &str| self.violated(call, &format!("{what}: {made:?}"));
        if made.cache != self.name || made.key != call.key || !made.is_whole() {
            wrong("was given a value that was not made for it");
        }
        if made.began < call.written {
            wrong(&format!("was given a value that was removed or replaced at {}", call.written));
        }
        if made.maker == Maker::Fetch && made.began < call.cleared {
            wrong(&format!("was given a value that was cleared at {}", call.cleared));
        }
        if fresh && made.began < call.invalidated {
            wrong(&format!("was given as fresh a value that was invalidated at {}", call.invalidated));
        }
        let from = made.counts_from.load(Ordering::SeqCst);
        if from == 0 {
            return;
        }
        // At least: it was served later than the call began.
        let age = Duration::from_nanos(call.began.saturating_sub(from));
        if age > limit + TICK {
            wrong(&format!("was given a value at least {age:?} old, and {limit:?} is the limit"));
        }
        if told.is_some_and(|told| told + TICK < age) {
            wrong(&format!("was told an age of {told:?} for a value at least {age:?} old"));
        }
    }

    fn violated(&self, call: &Call, what: &str) -> ! {
        let Call { key, how, began, .. } = call;
        violation(&format!("cache {}, key {key}, {how:?} at {began}: it {what}", self.name));
    }

    /// Writes: each key has one task that does them, so that their order is known.
    pub(crate) async fn set(&self, key: u64) {
        let made: Value = Arc::new(Made::new(self.name, key, Maker::Set));
        let set = self.cache.entry(&self.key(key)).set(Some(Arc::clone(&made)));
        set.await.unwrap_or_else(|error| violation(&error.to_string()));
        made.counts_from.store(now(), Ordering::SeqCst);
        self.keys[key as usize].written.fetch_max(made.began, Ordering::SeqCst);
    }

    pub(crate) async fn remove(&self, key: u64) {
        let began = now();
        let removed = self.cache.remove(&self.key(key)).await;
        removed.unwrap_or_else(|error| violation(&error.to_string()));
        self.keys[key as usize].written.fetch_max(began, Ordering::SeqCst);
    }

    pub(crate) async fn invalidate(&self, key: u64) {
        let began = now();
        let invalidated = self.cache.invalidate(&self.key(key)).await;
        invalidated.unwrap_or_else(|error| violation(&error.to_string()));
        self.keys[key as usize].invalidated.fetch_max(began, Ordering::SeqCst);
    }

    /// Every task may clear. Values that others set meanwhile are not checked against this.
    pub(crate) async fn clear(&self) {
        let began = now();
        let cleared = self.cache.clear().await;
        cleared.unwrap_or_else(|error| violation(&error.to_string()));
        self.cleared.fetch_max(began, Ordering::SeqCst);
    }
}

/// The output of a future. `Err` is the message of its panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
        Err(payload) => Poll::Ready(Err(message(&*payload))),
    })
    .await
}

/// The message of a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or_default().to_owned()
}
