//! The real thing: a cache on a paused clock, with bodies that end when they are told to, and everything that can be
//! seen of it.

use std::any::Any;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::panic;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use cacheback::{Cache, Entry, Eviction, Lookup};
use tokio::sync::oneshot;
use tokio::task::{self, JoinHandle};
use tokio::time::{Instant, sleep_until};

use crate::case::{How, Options};
use crate::oracle::{Answer, Body, CallId, Counts, Outcome, Peeked, Time, Value};

/// The message of a body that was told to panic.
const SCRIPTED: &str = "scripted panic ";

/// What a call returned: the value, or the whole answer if the call tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Value(Outcome),
    Answer(Answer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    number: usize,
    colliding: bool,
}

/// An error, by its number.
#[derive(Clone, Copy, Debug)]
struct Fault(usize);

type Returned = Result<Value, Fault>;

/// Bodies that run, and their ends.
#[derive(Default)]
struct Bodies {
    began: Vec<(usize, Body)>,
    running: BTreeMap<Body, Option<oneshot::Sender<Outcome>>>,
    next: Body,
}

pub(crate) struct World {
    start: Instant,
    cache: Cache<Key, Returned>,
    keys: Vec<Key>,
    /// Entries that were made before anything else and are used again and again.
    entries: Vec<Entry<Returned>>,
    bodies: Arc<Mutex<Bodies>>,
    calls: BTreeMap<CallId, JoinHandle<Told>>,
}

impl World {
    pub(crate) fn new(options: &Options) -> Self {
        quiet_scripted_panics();
        let bodies: Arc<Mutex<Bodies>> = Arc::default();
        let keys: Vec<_> =
            (0..options.keys).map(|number| Key { number, colliding: options.colliding }).collect();
        let cache = build(options, Arc::clone(&bodies));
        let entries = keys.iter().map(|key| cache.entry(key)).collect();
        Self { start: Instant::now(), cache, keys, entries, bodies, calls: BTreeMap::new() }
    }

    pub(crate) async fn pass_to(&self, moment: Time) {
        sleep_until(self.start + millis(moment)).await;
    }

    pub(crate) fn call(&mut self, id: CallId, key: usize, how: How) {
        let (cache, key) = (self.cache.clone(), self.keys[key]);
        // By turns an old entry and a new one.
        let entry = if id % 2 == 0 { self.entries[key.number].clone() } else { cache.entry(&key) };
        let call = async move {
            match how {
                How::Plain => Told::Value(outcome(cache.get(&key).await)),
                How::GetOrFetch => Told::Value(outcome(entry.get_or_fetch().await)),
                How::Refresh => Told::Answer(Answer::Refresh(outcome(entry.refresh().await))),
                How::Lookup => {
                    let Lookup { value, status, age, .. } = entry.lookup().await;
                    let age = age.map(in_millis);
                    Told::Answer(Answer::Call { returned: outcome(value), status, age })
                }
            }
        };
        self.calls.insert(id, task::spawn(call));
    }

    pub(crate) fn settle(&mut self, id: CallId) {
        let settle = async {
            cacheback::settle().await;
            Told::Answer(Answer::Settled)
        };
        self.calls.insert(id, task::spawn(settle));
    }

    pub(crate) fn shutdown(&mut self, id: CallId, limit: Time) {
        let shutdown = async move {
            let ended = cacheback::shutdown(millis(limit)).await;
            Told::Answer(Answer::Shutdown { finished: ended.finished, aborted: ended.aborted })
        };
        self.calls.insert(id, task::spawn(shutdown));
    }

    pub(crate) fn cancel(&mut self, id: CallId) {
        if let Some(call) = self.calls.remove(&id) {
            call.abort();
        }
    }

    pub(crate) fn end(&self, body: Body, outcome: Outcome) {
        let end = self.bodies.lock().unwrap().running.get_mut(&body).and_then(Option::take);
        if let Some(end) = end {
            let _ = end.send(outcome);
        }
    }

    pub(crate) async fn set(&self, key: usize, value: Value) {
        self.entries[key].set(value).await.unwrap();
    }

    pub(crate) async fn invalidate(&self, key: usize) {
        self.entries[key].invalidate().await.unwrap();
    }

    pub(crate) async fn invalidate_all(&self) {
        self.cache.invalidate_all().await.unwrap();
    }

    /// The number of the value that was taken.
    pub(crate) async fn take(&self, key: usize) -> Option<usize> {
        self.entries[key].take().await.map(|value| value.serial)
    }

    pub(crate) async fn remove(&self, key: usize) {
        self.entries[key].remove().await.unwrap();
    }

    pub(crate) async fn clear(&self) {
        self.cache.clear().await.unwrap();
    }

    /// Lets every task run that can. The clock stands still meanwhile: it moves only when all tasks wait.
    pub(crate) async fn run_ready(&self) {
        for _ in 0..24 {
            task::yield_now().await;
        }
    }

    /// The answers of the calls that have ended since the last time.
    pub(crate) async fn answers(&mut self) -> BTreeMap<CallId, Told> {
        let done: Vec<_> =
            self.calls.iter().filter(|(_, call)| call.is_finished()).map(|(id, _)| *id).collect();
        let mut answers = BTreeMap::new();
        for id in done {
            let Some(call) = self.calls.remove(&id) else { continue };
            let told = call.await.unwrap_or_else(|ended| Told::Value(panicked(ended.into_panic())));
            answers.insert(id, told);
        }
        answers
    }

    pub(crate) fn waiting(&self) -> Vec<CallId> {
        self.calls.keys().copied().collect()
    }

    /// The bodies that have begun since the last time, by key.
    pub(crate) fn began(&self) -> Vec<(usize, Body)> {
        std::mem::take(&mut self.bodies.lock().unwrap().began)
    }

    pub(crate) fn running(&self) -> Vec<Body> {
        self.bodies.lock().unwrap().running.keys().copied().collect()
    }

    pub(crate) async fn peek(&self, key: usize) -> Option<Peeked> {
        let snapshot = self.entries[key].peek().await?;
        let age = in_millis(snapshot.age);
        Some(Peeked { serial: snapshot.value.serial, age, fresh: snapshot.fresh })
    }

    /// The number of values that are kept.
    pub(crate) async fn kept(&self) -> usize {
        let mut kept = 0;
        for key in 0..self.keys.len() {
            kept += usize::from(self.peek(key).await.is_some());
        }
        kept
    }

    /// The counters, and how many entries were evicted.
    pub(crate) fn counts(&self) -> (Counts, u64) {
        let stats = self.cache.stats();
        let counts = Counts {
            hits: stats.hits,
            stale: stats.stale,
            empty: stats.empty,
            waited: stats.waited,
            fetches: stats.fetches,
            errors: stats.errors,
            panics: stats.panics,
            timeouts: stats.timeouts,
            discarded: stats.discarded,
            refused: stats.refused,
            skipped: stats.skipped,
            breaker_trips: stats.breaker_trips,
            breakers_open: stats.breakers_open,
            entries: stats.entries,
            in_flight: stats.in_flight,
        };
        (counts, stats.evicted)
    }
}

fn build(options: &Options, bodies: Arc<Mutex<Bodies>>) -> Cache<Key, Returned> {
    cacheback::configure()
        .max_refreshes(options.max_refreshes)
        .max_waiting(options.max_waiting)
        .apply()
        .unwrap();
    let lifetime = options.lifetime;
    let fetcher = move |key: Key| body(key.number, Arc::clone(&bodies));
    let mut builder = Cache::builder()
        .breaker(options.breaker)
        .lifetime(millis(lifetime))
        .retention(millis(options.retention))
        .refresh_ahead(millis(options.refresh_ahead))
        .refresh_timeout(millis(options.refresh_timeout))
        .max_backoff(millis(options.max_backoff))
        .capacity(options.capacity as u64)
        .eviction(if options.tiny_lfu { Eviction::TinyLfu } else { Eviction::Lru })
        .empty(|_| Ok(Value::default()))
        .try_fetcher(fetcher)
        .retention_for(|value: &Value| value.kept.map_or(Duration::MAX, millis))
        .share_err(|fault: &Fault| *fault);
    if options.has_lifetime_for() {
        builder = builder.lifetime_for(move |value| millis(value.lasting.unwrap_or(lifetime)));
    }
    if let Some(max_stale) = options.max_stale {
        builder = builder.max_stale(millis(max_stale));
    }
    if let Some(wait) = options.wait {
        builder = builder.wait(millis(wait));
    }
    if let Some(cache_err) = options.cache_err {
        builder = builder.cache_err(millis(cache_err));
    }
    if options.fetch_on_miss {
        builder = builder.fetch_on_miss();
    }
    builder.build().unwrap()
}

async fn body(key: usize, bodies: Arc<Mutex<Bodies>>) -> Returned {
    let (end, ended) = oneshot::channel();
    let body = {
        let mut bodies = bodies.lock().unwrap();
        let body = bodies.next;
        bodies.next += 1;
        bodies.began.push((key, body));
        bodies.running.insert(body, Some(end));
        body
    };
    let _runs = Runs { body, bodies };
    match ended.await {
        Ok(Outcome::Value(value)) => Ok(value),
        Ok(Outcome::Error(error)) => Err(Fault(error)),
        Ok(Outcome::Panic(number)) => panic!("{SCRIPTED}{number}"),
        Err(_) => unreachable!("its end is kept as long as it runs"),
    }
}

/// A body runs until this is dropped.
struct Runs {
    body: Body,
    bodies: Arc<Mutex<Bodies>>,
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.bodies.lock().unwrap().running.remove(&self.body);
    }
}

fn outcome(returned: Returned) -> Outcome {
    match returned {
        Ok(value) => Outcome::Value(value),
        Err(Fault(error)) => Outcome::Error(error),
    }
}

/// The outcome of a caller's panic that a body was told to have. Any other panic goes on.
fn panicked(payload: Box<dyn Any + Send>) -> Outcome {
    match scripted(&*payload) {
        Some(number) => Outcome::Panic(number),
        None => panic::resume_unwind(payload),
    }
}

/// The number of a panic that was meant.
fn scripted(payload: &(dyn Any + Send)) -> Option<usize> {
    let (_, number) = payload.downcast_ref::<String>()?.split_once(SCRIPTED)?;
    number.parse().ok()
}

fn quiet_scripted_panics() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if scripted(info.payload()).is_none() {
                loud(info);
            }
        }));
    });
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Every time in a case is whole milliseconds.
fn in_millis(span: Duration) -> Time {
    assert_eq!(span.subsec_nanos() % 1_000_000, 0, "{span:?}");
    u64::try_from(span.as_millis()).unwrap()
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(if self.colliding { 7 } else { self.number });
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "fault {}", self.0)
    }
}
