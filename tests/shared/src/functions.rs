//! The cached functions of a process. Each asks the origin, and each run of a body is a connection to it.

use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use cacheback::{CacheRef, Entry, Source, Status, cacheback};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::jobs::{heavy, misread, only_there, queued, queued_anew, skipping, steady, timed};

pub(crate) static ORIGIN: OnceLock<String> = OnceLock::new();

/// Asks the origin for the value of a key, and tells it when the body began, and where.
pub(crate) async fn ask(key: &str) -> Result<String, String> {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let origin = ORIGIN.get().ok_or("there is no origin")?;
    let mut stream = TcpStream::connect(origin).await.map_err(|error| error.to_string())?;
    let process = std::process::id();
    stream
        .write_all(format!("{key} {began} {process}\n").as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.map_err(|error| error.to_string())?;
    match answer.trim_end().split_once(' ') {
        Some(("ok", value)) => Ok(value.to_owned()),
        _ => Err(format!("the origin said {answer:?}")),
    }
}

/// Fresh for a second; callers wait on a miss.
#[cacheback(shared, lifetime = 1, fetch_on_miss)]
async fn short(key: &str) -> Result<String, String> {
    ask(key).await
}

/// Fresh for ten minutes; callers wait on a miss.
#[cacheback(shared, lifetime = 600, fetch_on_miss)]
async fn long(key: &str) -> Result<String, String> {
    ask(key).await
}

/// Fresh for ten minutes; callers are answered at once.
#[cacheback(shared, lifetime = 600)]
async fn empty(key: &str) -> Result<String, String> {
    ask(key).await
}

/// Its bodies may take two minutes.
#[cacheback(shared, lifetime = 600, refresh_timeout = 120, fetch_on_miss)]
async fn patient(key: &str) -> Result<String, String> {
    ask(key).await
}

/// Fresh for less time than a slow round trip takes.
#[cacheback(shared, lifetime = "10ms", fetch_on_miss)]
async fn brief(key: &str) -> Result<String, String> {
    ask(key).await
}

/// Shares the values of `long`, and has less patience.
#[cacheback(
    shared,
    name = "cacheback_shared_tests::functions::long",
    refresh_timeout = "50ms",
    fetch_on_miss
)]
async fn hasty(key: &str) -> Result<String, String> {
    ask(key).await
}

/// A newer version of `long`, under its name.
#[cacheback(
    shared,
    name = "cacheback_shared_tests::functions::long",
    version = 2,
    lifetime = 600,
    fetch_on_miss
)]
async fn renewed(key: &str) -> Result<String, String> {
    ask(key).await
}

/// A value that nests as deep as the key says.
#[cacheback(shared, fetch_on_miss)]
async fn nested(levels: &str) -> Nested {
    let _ = ask(levels).await;
    (0..levels.parse().unwrap_or(0)).fold(Nested(None), |inner, _| Nested(Some(Arc::new(inner))))
}

/// A value whose `Serialize` fails for some keys.
#[cacheback(shared, fetch_on_miss)]
async fn unsendable(key: &str) -> Unsendable {
    let _ = ask(key).await;
    Unsendable(key.to_owned())
}

#[cacheback(shared, fetch_on_miss)]
async fn by_set(keys: Keys) -> usize {
    let _ = ask("set").await;
    keys.0.len()
}

/// A key that is encoded to other bytes each time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Keys(HashSet<u32>);

impl Hash for Keys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.0.iter().sum());
    }
}

/// A list in a list, and so on.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "Vec<Nested>")]
struct Nested(Option<Arc<Nested>>);

impl From<Vec<Self>> for Nested {
    fn from(inner: Vec<Self>) -> Self {
        Self(inner.into_iter().next().map(Arc::new))
    }
}

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(usize::from(self.0.is_some())))?;
        if let Some(inner) = &self.0 {
            list.serialize_element(&**inner)?;
        }
        list.end()
    }
}

impl Drop for Nested {
    /// Without recursion.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut inner) = next.and_then(|inner| Arc::try_unwrap(inner).ok()) {
            next = inner.0.take();
        }
    }
}

#[derive(Clone, Default, Deserialize)]
struct Unsendable(String);

impl Serialize for Unsendable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            "panics" => panic!("in `Serialize`"),
            "fails" => Err(serde::ser::Error::custom("it is not to be sent")),
            text => serializer.serialize_newtype_struct("Unsendable", text),
        }
    }
}

macro_rules! functions {
    ($($name:ident)*; $($other:ident)*) => {
        pub(crate) fn entry(function: &str, key: &str) -> Entry<Result<String, String>> {
            match function {
                $(stringify!($name) => $name::entry(key),)*
                _ => panic!("there is no function {function}"),
            }
        }

        pub(crate) fn cache(function: &str) -> CacheRef {
            match function {
                $(stringify!($name) => $name::cache(),)*
                $(stringify!($other) => $other::cache(),)*
                _ => panic!("there is no function {function}"),
            }
        }
    };
}

functions! {
    short long empty patient brief hasty renewed queued queued_anew only_there steady heavy timed;
    nested unsendable by_set misread skipping
}

/// Calls a function whose value is no text.
pub(crate) async fn look_up(function: &str, key: &str) -> (Status, Source) {
    match function {
        "nested" => {
            let lookup = nested::entry(key).lookup().await;
            (lookup.status, lookup.source)
        }
        "unsendable" => {
            let lookup = unsendable::entry(key).lookup().await;
            (lookup.status, lookup.source)
        }
        "by_set" => {
            let lookup = by_set::entry(Keys((0..key.parse().unwrap_or(0)).collect())).lookup().await;
            (lookup.status, lookup.source)
        }
        _ => panic!("there is no function {function}"),
    }
}

/// Callers of one entry, as many as they are.
pub(crate) struct Herd {
    callers: tokio::task::JoinSet<String>,
}

impl Herd {
    /// Calls that are all under way when this returns.
    pub(crate) async fn gather(function: &str, key: &str, callers: usize) -> Self {
        let (called, mut calls) = tokio::sync::mpsc::unbounded_channel();
        let mut herd = Self { callers: tokio::task::JoinSet::new() };
        for _ in 0..callers {
            let (entry, called) = (entry(function, key), called.clone());
            herd.callers.spawn(async move {
                let mut looking = Box::pin(entry.lookup());
                let lookup = std::future::poll_fn(|context| {
                    let polled = looking.as_mut().poll(context);
                    let _ = called.send(());
                    polled.map(std::task::Poll::Ready)
                });
                let lookup = match lookup.await {
                    std::task::Poll::Ready(lookup) => lookup,
                    std::task::Poll::Pending => looking.await,
                };
                format!("{:?} {:?}", lookup.status, lookup.source)
            });
        }
        for _ in 0..callers {
            calls.recv().await;
        }
        herd
    }

    /// The answers, and how many got each.
    pub(crate) async fn answers(self) -> BTreeMap<String, usize> {
        let mut answers = BTreeMap::new();
        for answer in self.callers.join_all().await {
            *answers.entry(answer).or_insert(0) += 1;
        }
        answers
    }
}
