//! Redis and Valkey as the second tier.
//!
//! `link` is the connection, `scripts` are the steps that the server takes at once. This file turns the operations of a
//! [`Tier`] into commands, and answers into theirs.
//!
//! Keys, with `h` for the hash of the arguments: `cb1:v:{prefix:name:h}` is the envelope of a value, and
//! `cb1:l:{prefix:name:h}` the lease of its key. The braces let both lie in one slot of a cluster. `cb1:t:prefix:name`
//! holds the versions of a function.

use std::collections::HashMap;
use std::fmt;
use std::sync::Weak;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, IntoConnectionInfo, Pipeline, Value};

use super::compress::{self, Codec};
use super::envelope::{self, Envelope, Header, Kind};
use super::{
    Acquired, Ages, Bump, Change, Down, Found, Lease, Packed, Payload, Read, Release, Reply, Request, Scope,
    Stamp, Stored, Tier, Token, WireKey, WriteId,
};
use crate::base::process::{self, PerProcess};
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};
use crate::outcome::error::Error;

mod link;
mod scripts;
use link::{Command, Link};
use scripts::Scripts;

/// How long a lease lasts if nobody extends it, and how often it is extended.
const LEASE: Duration = Duration::from_secs(5);
const EXTEND: Duration = Duration::from_secs(2);

/// No entry lives longer: the server's numbers of milliseconds are finite.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Redis or Valkey as the second tier, for [`Configure::shared`](crate::Configure::shared).
///
/// It is told of the server by a URL, and begins to connect when it is handed to `configure()`. A server that is down, slow or
/// gone is no outage: functions work as if they were not shared, and the link is made anew in the background.
///
/// # Examples
///
/// ```no_run
/// # mod cacheback { pub use cacheback_runtime::*; }
/// cacheback::configure()
///     .shared(cacheback::shared::Redis::new("redis://127.0.0.1/")?.prefix("shop"))
///     .apply()?;
/// # Ok::<(), cacheback::Error>(())
/// ```
#[must_use = "it is handed to `configure().shared(..)`"]
pub struct Redis {
    client: Client,
    address: String,
    prefix: String,
    timeout: Duration,
    max_value_bytes: usize,
    codec: Option<Box<dyn Codec>>,
}

impl Redis {
    /// A server by its URL: `redis://host:port/database`, `redis+unix:///path/to/socket?db=0`, or, with the feature
    /// `redis-tls`, `rediss://..`. User and password stand before the host: `redis://user:password@host/`. Neither is
    /// ever logged.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL cannot be read, or needs a feature that is off. Nothing is connected yet.
    pub fn new(url: &str) -> Result<Self, Error> {
        // The client's own message may show the URL, with its password.
        let wrong = |why: &str| Error::new(format!("the URL of a Redis server: {why}"));
        if !["redis://", "rediss://", "redis+unix://", "unix://"].iter().any(|scheme| url.starts_with(scheme))
        {
            return Err(wrong("it begins with `redis://`, `rediss://` or `redis+unix://`"));
        }
        let info = url.into_connection_info().map_err(|_| {
            wrong("it is read as `redis://user:password@host:port/database`, and special characters are written as `%40`")
        })?;
        if !info.addr().is_supported() {
            return Err(wrong("`rediss://` needs the feature `redis-tls` of `cacheback`"));
        }
        #[cfg(feature = "redis-tls")]
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. })
            && rustls::crypto::CryptoProvider::get_default().is_none()
        {
            // If another thread is faster, its provider stands.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                format!("{host}:{port}")
            }
            ConnectionAddr::Unix(path) => path.display().to_string(),
            _ => "a server".to_owned(),
        };
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            // What is not delivered when a connection is dropped is not delivered later, after newer writes.
            .set_linger_time(Duration::ZERO);
        let client = Client::open(info.set_tcp_settings(tcp)).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self {
            client,
            address,
            prefix: "cacheback".to_owned(),
            timeout: Duration::from_millis(100),
            max_value_bytes: 1 << 20,
            codec: None,
        })
    }

    /// Sets the beginning of all keys, by which services that use one database keep apart. Default: `cacheback`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long one operation may take. Default: 100 ms.
    ///
    /// No caller waits longer for an operation. An operation that has taken longer may have been carried out or not.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the longest value, in encoded bytes, that is shared. Default: 1 MiB (1,048,576 bytes).
    ///
    /// A longer one stays in the process that has fetched it, and a warning is logged.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Sets the codec of the values, for encryption say. Default: values of more than 4 KiB are compressed if that saves
    /// a fifth.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.codec = Some(Box::new(codec));
        self
    }

    pub(crate) fn open(self) -> Arc<dyn Tier> {
        let inner = Arc::new_cyclic(|me| Inner {
            scripts: Scripts::new(),
            // With a colon in it, the prefix of one service could be that of another with the beginning of a name.
            prefix: escaped(&self.prefix).replace(':', "%3A"),
            links: PerProcess::new(),
            versions: Mutex::default(),
            leases: Mutex::default(),
            writes: AtomicU64::new(0),
            me: Weak::clone(me),
            settings: self,
        });
        // It begins to connect.
        inner.link();
        Arc::new(Connected(inner))
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, prefix, timeout, max_value_bytes, .. } = self;
        f.debug_struct("Redis")
            .field("address", address)
            .field("prefix", prefix)
            .field("timeout", timeout)
            .field("max_value_bytes", max_value_bytes)
            .finish_non_exhaustive()
    }
}

/// The tier, connected or on the way.
struct Connected(Arc<Inner>);

struct Inner {
    settings: Redis,
    scripts: Scripts,
    /// The escaped prefix.
    prefix: String,
    links: PerProcess<Link>,
    /// The highest versions that were seen of each scope.
    versions: Mutex<HashMap<Arc<Scope>, Stamp>>,
    /// The leases of this process, by their tokens, with their names.
    leases: Mutex<HashMap<Token, String>>,
    /// How many writes were sent.
    writes: AtomicU64,
    me: Weak<Inner>,
}

/// The names of an entry's keys.
struct Names {
    value: String,
    lease: String,
    versions: String,
}

/// The answer of a script.
struct Answer {
    word: String,
    /// The versions of the scope when it ran.
    stamp: Stamp,
    rest: Vec<Value>,
}

impl Answer {
    /// The number of the key, if an envelope was refused because its versions have grown.
    fn refused_for_its_versions(&self) -> Option<u64> {
        match &self.rest[..] {
            [id] if self.word == "versions" => number(id).ok(),
            _ => None,
        }
    }
}

impl Tier for Connected {
    fn is_up(&self) -> bool {
        self.0.link().is_up()
    }

    fn max_value_bytes(&self) -> usize {
        self.0.settings.max_value_bytes
    }

    fn pack(&self, bytes: Vec<u8>) -> Result<Packed, String> {
        compress::pack(self.0.codec(), bytes).map_err(|error| error.to_string())
    }

    fn read(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        let inner = Arc::clone(&self.0);
        let names = inner.names(key);
        let mut pipeline = Pipeline::new();
        pipeline
            .atomic()
            .cmd("PTTL")
            .arg(&names.value)
            .cmd("GET")
            .arg(&names.value)
            .cmd("GET")
            .arg(&names.versions);
        let answered = inner.link().send(Command::Transaction(pipeline));
        let key = key.clone();
        Box::pin(async move {
            let Value::Array(answer) = answered.await? else { return Err(unexpected()) };
            let [left, envelope, versions] = <[Value; 3]>::try_from(answer).map_err(|_| unexpected())?;
            let stamp =
                inner.learn(&key.scope, bytes(versions).as_deref().and_then(stamp_of).unwrap_or_default());
            let Some(envelope) = bytes(envelope) else { return Ok(Read::Missing { tombstone: None }) };
            let number = envelope::write_id(&envelope);
            match inner.found(&key, &envelope, number_of(&left)?, stamp) {
                Some(found) if have == Some(found.id) => Ok(Read::Unchanged(found.ages)),
                Some(found) => Ok(Read::Found(found)),
                None => Ok(Read::Missing { tombstone: number }),
            }
        })
    }

    fn acquire(&self, key: &WireKey, request: Request) -> Reply<Acquired> {
        let Request { token, seen, ahead, is_awaited, is_running } = request;
        let args = [
            token.0.to_le_bytes().to_vec(),
            text(seen.map_or(0, |WriteId(id)| id)),
            text(u8::from(is_awaited)),
            text(LEASE.as_millis()),
            if is_running { b"r".to_vec() } else { b"q".to_vec() },
            ahead.map_or_else(Vec::new, |ahead| text(millis(ahead))),
        ];
        let inner = Arc::clone(&self.0);
        let asked = inner.call(key, |scripts| &scripts.acquire, args.to_vec());
        let key = key.clone();
        Box::pin(async move {
            let Answer { word, stamp, mut rest } = asked.await?;
            match (&*word, rest.len()) {
                ("ours", 1) => {
                    let seen = Some(number(&rest[0])?).filter(|id| *id > 0).map(WriteId);
                    lock(&inner.leases).insert(token, inner.names(&key).lease);
                    Ok(Acquired::Ours(Lease { token, seen, stamp }))
                }
                ("theirs", 2) => {
                    let left = Duration::from_millis(number(&rest[0]).unwrap_or_default());
                    Ok(Acquired::Theirs { left, is_backoff: number(&rest[1])? == 1 })
                }
                ("newer", 2) => {
                    let envelope = rest.pop().and_then(bytes).ok_or_else(unexpected)?;
                    let left = number_of(&rest[0])?;
                    let id = envelope::write_id(&envelope).ok_or_else(unexpected)?;
                    // One that cannot be read is shown as one of a schema that nobody has.
                    let unreadable = || {
                        let ages =
                            Ages { age: Duration::ZERO, lifetime: Duration::ZERO, retention: Duration::ZERO };
                        Found { id, ages, schema: UNREADABLE, bytes: Vec::new() }
                    };
                    Ok(Acquired::Newer(inner.found(&key, &envelope, left, stamp).unwrap_or_else(unreadable)))
                }
                _ => Err(unexpected()),
            }
        })
    }

    fn store(&self, key: &WireKey, lease: &Lease, value: Payload) -> Reply<Stored> {
        let inner = Arc::clone(&self.0);
        lock(&inner.leases).remove(&lease.token);
        let (envelope, left) = inner.envelope(key, value, lease.stamp);
        let args = [
            lease.token.0.to_le_bytes().to_vec(),
            text(lease.seen.map_or(0, |WriteId(id)| id)),
            text(lease.stamp.stale),
            text(lease.stamp.gone),
            text(left),
            envelope,
        ];
        let asked = inner.call(key, |scripts| &scripts.store, args.to_vec());
        Box::pin(async move {
            let Answer { word, rest, .. } = asked.await?;
            match (&*word, &rest[..]) {
                ("stored", [id]) => Ok(Stored::Yes(WriteId(number(id)?))),
                ("superseded", _) => Ok(Stored::Superseded),
                _ => Err(unexpected()),
            }
        })
    }

    fn release(&self, key: &WireKey, token: Token, ending: Release) {
        lock(&self.0.leases).remove(&token);
        let (left, failures) = match ending {
            Release::Free => (0, 0),
            Release::BackOff { left, failures } => (left.as_millis().max(1), failures),
        };
        let args = [token.0.to_le_bytes().to_vec(), text(left), text(failures)];
        // Sent now, and not waited for.
        drop(self.0.call(key, |scripts| &scripts.release, args.to_vec()));
    }

    fn write(&self, key: &WireKey, change: Change) -> Reply<WriteId> {
        let inner = Arc::clone(&self.0);
        let first = inner.send_write(key, &change, None);
        let key = key.clone();
        Box::pin(async move {
            let mut answered = first.await;
            // The envelope names the versions of its scope. If those have grown, the older value is gone, and this one is
            // written once more, unless somebody else was faster.
            if let Some(id) = answered.as_ref().ok().and_then(Answer::refused_for_its_versions) {
                answered = inner.send_write(&key, &change, Some(id)).await;
            }
            if let Err(Down::Refused(_)) = &answered {
                // The server is out of memory, say. The older value is not to be taken for the present one.
                inner.delete(&key).await;
            }
            match answered? {
                Answer { word, rest, .. } if word == "stored" && rest.len() == 1 => {
                    Ok(WriteId(number(&rest[0])?))
                }
                // Versions that grow all the time: the value is gone there, and that is what it would be.
                answer => answer.refused_for_its_versions().map(WriteId).ok_or_else(unexpected),
            }
        })
    }

    fn bump(&self, scope: &Arc<Scope>, change: Bump) -> Reply<()> {
        let inner = Arc::clone(&self.0);
        let which = match change {
            Bump::Stale => "stale",
            Bump::Gone => "gone",
        };
        let scope = Arc::clone(scope);
        let send = move |inner: &Inner, scope: &Arc<Scope>| {
            let args = [inner.deadline(), stamp_bytes(inner.known(scope)), which.into()];
            inner.link().send(inner.scripts.bump.call(&[inner.versions_name(scope)], &args))
        };
        let first = send(&inner, &scope);
        Box::pin(async move {
            let mut answer = inner.answer(&scope, first.await?)?;
            if answer.word == "late" {
                // The server's clock has been set forward. To do this twice, or late, does no harm.
                let again = send(&inner, &scope).await?;
                answer = inner.answer(&scope, again)?;
            }
            if answer.word == "bumped" { Ok(()) } else { Err(unexpected()) }
        })
    }
}

/// The schema of a value whose envelope cannot be read.
const UNREADABLE: u64 = 0;

impl Inner {
    /// The link of this process: a forked child makes one of its own.
    fn link(&self) -> &Link {
        self.links.get_or_init(process::id(), || {
            let Redis { client, address, timeout, .. } = &self.settings;
            // A child does not hold the leases of its parent.
            lock(&self.leases).clear();
            link::runtime().spawn(extend(Weak::clone(&self.me)));
            Link::open(client.clone(), self.scripts.load(), address.clone(), *timeout)
        })
    }

    fn codec(&self) -> Option<&dyn Codec> {
        self.settings.codec.as_deref()
    }

    fn versions_name(&self, scope: &Scope) -> String {
        format!("cb1:t:{}:{}", self.prefix, escaped(&scope.name))
    }

    fn names(&self, key: &WireKey) -> Names {
        let name = escaped(&key.scope.name);
        let hash = key.hex();
        Names {
            value: format!("cb1:v:{{{}:{name}:{hash}}}", self.prefix),
            lease: format!("cb1:l:{{{}:{name}:{hash}}}", self.prefix),
            versions: self.versions_name(&key.scope),
        }
    }

    /// The moment, in server time, after which a script that is sent now is not to change anything any more.
    fn deadline(&self) -> Vec<u8> {
        let timeout = i64::try_from(self.link().timeout().as_micros()).unwrap_or(i64::MAX);
        text(self.link().server_time().saturating_add(timeout))
    }

    fn known(&self, scope: &Arc<Scope>) -> Stamp {
        lock(&self.versions).get(scope).copied().unwrap_or_default()
    }

    /// Notes the versions of a scope, which never fall, and returns the highest that were seen.
    fn learn(&self, scope: &Arc<Scope>, seen: Stamp) -> Stamp {
        let mut versions = lock(&self.versions);
        let known = versions.entry(Arc::clone(scope)).or_default();
        known.stale = known.stale.max(seen.stale);
        known.gone = known.gone.max(seen.gone);
        *known
    }

    /// Sends a script that concerns one key.
    fn call(
        self: &Arc<Self>,
        key: &WireKey,
        script: fn(&Scripts) -> &scripts::Script,
        args: Vec<Vec<u8>>,
    ) -> Reply<Answer> {
        self.call_unless(key, script, args, |_| false)
    }

    /// The same. If it is late, because the server's clock has been set forward, it is sent once more, unless it
    /// `is_outdated` by then.
    fn call_unless(
        self: &Arc<Self>,
        key: &WireKey,
        script: fn(&Scripts) -> &scripts::Script,
        args: Vec<Vec<u8>>,
        is_outdated: impl FnOnce(&Self) -> bool + Send + 'static,
    ) -> Reply<Answer> {
        let first = self.send_call(key, script, &args);
        let (inner, key) = (Arc::clone(self), key.clone());
        Box::pin(async move {
            let answer = inner.answer(&key.scope, first.await?)?;
            if answer.word != "late" {
                return Ok(answer);
            }
            if is_outdated(&inner) {
                return Err(Down::TimedOut);
            }
            let again = inner.send_call(&key, script, &args).await?;
            inner.answer(&key.scope, again)
        })
    }

    fn send_call(
        &self,
        key: &WireKey,
        script: fn(&Scripts) -> &scripts::Script,
        args: &[Vec<u8>],
    ) -> Reply<Value> {
        let names = self.names(key);
        let mut all = vec![self.deadline(), stamp_bytes(self.known(&key.scope))];
        all.extend_from_slice(args);
        let keys = [names.value, names.lease, names.versions];
        self.link().send(script(&self.scripts).call(&keys, &all))
    }

    async fn delete(&self, key: &WireKey) {
        let Names { value, lease, .. } = self.names(key);
        let mut pipeline = Pipeline::new();
        pipeline.atomic().cmd("DEL").arg(value).arg(lease);
        let _ = self.link().send(Command::Transaction(pipeline)).await;
    }

    /// Sends a write. `again`: it was refused before, and left the key with this number.
    fn send_write(self: &Arc<Self>, key: &WireKey, change: &Change, again: Option<u64>) -> Reply<Answer> {
        let stamp = self.known(&key.scope);
        let (envelope, left) = match change {
            Change::Set(value) => self.envelope(key, value.clone(), stamp),
            Change::Invalidate { tombstone } | Change::Remove { tombstone } => {
                (self.tombstone(key, stamp), millis(*tombstone))
            }
        };
        let written = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let (script, args): (fn(&Scripts) -> &scripts::Script, _) = match change {
            Change::Invalidate { .. } => (|scripts| &scripts.invalidate, vec![text(left), envelope]),
            Change::Set(_) | Change::Remove { .. } => {
                let again = again.map_or_else(Vec::new, text);
                (
                    |scripts| &scripts.set,
                    vec![text(stamp.stale), text(stamp.gone), text(left), envelope, again],
                )
            }
        };
        // It is not to overtake a later write.
        self.call_unless(key, script, args, move |inner| inner.writes.load(Ordering::SeqCst) != written)
    }

    /// The answer of a script. Its second and third items are the versions of the scope.
    fn answer(&self, scope: &Arc<Scope>, value: Value) -> Result<Answer, Down> {
        let Value::Array(items) = value else { return Err(unexpected()) };
        let mut items = items.into_iter();
        let word = items
            .next()
            .and_then(bytes)
            .and_then(|word| String::from_utf8(word).ok())
            .ok_or_else(unexpected)?;
        if word == "late" {
            let now = items.next().as_ref().map(number).transpose()?.unwrap_or_default();
            self.link().correct_clock(i64::try_from(now).unwrap_or(i64::MAX));
            return Ok(Answer { word, stamp: Stamp::default(), rest: Vec::new() });
        }
        let (Some(stale), Some(gone)) = (items.next(), items.next()) else { return Err(unexpected()) };
        let stamp = Stamp { stale: number(&stale)?, gone: number(&gone)? };
        self.learn(scope, stamp);
        Ok(Answer { word, stamp, rest: items.collect() })
    }

    /// The envelope of a value, and its time to live in milliseconds.
    fn envelope(&self, key: &WireKey, value: Payload, stamp: Stamp) -> (Vec<u8>, u64) {
        let Payload { packed, schema, ages, took } = value;
        let retention = millis(ages.retention);
        let header = Header {
            kind: Kind::Value,
            encoding: envelope::MESSAGE_PACK,
            compression: packed.compression,
            write_id: WriteId(0),
            key: key.fingerprint,
            schema,
            created_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
            lifetime_ms: millis(ages.lifetime),
            retention_ms: retention,
            tags_stale: stamp.stale,
            tags_gone: stamp.gone,
            raw_len: packed.raw_len,
            compute_ms: u32::try_from(millis(took)).unwrap_or(u32::MAX),
        };
        let left = retention.saturating_sub(millis(ages.age)).max(1);
        (envelope::encode(&header, &packed.bytes), left)
    }

    fn tombstone(&self, key: &WireKey, stamp: Stamp) -> Vec<u8> {
        let header = Header {
            kind: Kind::Tombstone,
            encoding: envelope::MESSAGE_PACK,
            compression: 0,
            write_id: WriteId(0),
            key: key.fingerprint,
            schema: 0,
            created_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
            lifetime_ms: 0,
            retention_ms: 0,
            tags_stale: stamp.stale,
            tags_gone: stamp.gone,
            raw_len: 0,
            compute_ms: 0,
        };
        envelope::encode(&header, &[])
    }

    /// The value in an envelope that has so many milliseconds left to live. `None` if there is none, or it cannot be
    /// read.
    fn found(&self, key: &WireKey, envelope: &[u8], left: i64, stamp: Stamp) -> Option<Found> {
        let Envelope { header, payload } =
            envelope::decode(envelope, key.fingerprint, self.settings.max_value_bytes).ok()?;
        if header.kind == Kind::Tombstone || header.tags_gone < stamp.gone {
            return None;
        }
        let bytes = compress::unpack(self.codec(), header.compression, header.raw_len, payload).ok()?;
        // A time to live that cannot be is a sign of damage, or of a server that has lost it: the value is stale.
        let age = u64::try_from(left).ok().and_then(|left| header.retention_ms.checked_sub(left));
        let is_outdated = header.tags_stale < stamp.stale;
        let age_ms = age.unwrap_or(header.lifetime_ms);
        let lifetime_ms = if is_outdated { header.lifetime_ms.min(age_ms) } else { header.lifetime_ms };
        let ages = Ages {
            age: envelope::from_ms(age_ms),
            lifetime: envelope::from_ms(lifetime_ms),
            retention: envelope::from_ms(header.retention_ms),
        };
        Some(Found { id: header.write_id, ages, schema: header.schema, bytes })
    }
}

/// Extends the leases of this process, all in one command, as long as the tier lives.
async fn extend(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(EXTEND).await;
        let Some(inner) = inner.upgrade() else { return };
        let leases: Vec<(Token, String)> =
            lock(&inner.leases).iter().map(|(token, name)| (*token, name.clone())).collect();
        if leases.is_empty() {
            continue;
        }
        let mut args = vec![text(LEASE.as_millis())];
        args.extend(leases.iter().map(|(token, _)| token.0.to_le_bytes().to_vec()));
        let names: Vec<_> = leases.into_iter().map(|(_, name)| name).collect();
        // A lease that could not be extended lapses, and the value of its fetch is stored if nobody else's is newer.
        let _ = inner.link().send(inner.scripts.extend.call(&names, &args)).await;
    }
}

/// A name without braces of its own, which have a meaning in keys.
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            '%' => escaped.push_str("%25"),
            '{' => escaped.push_str("%7B"),
            '}' => escaped.push_str("%7D"),
            char => escaped.push(char),
        }
    }
    escaped
}

fn text(number: impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn millis(time: Duration) -> u64 {
    envelope::to_ms(time.min(LONGEST))
}

fn stamp_bytes(stamp: Stamp) -> Vec<u8> {
    [stamp.stale.to_le_bytes(), stamp.gone.to_le_bytes()].concat()
}

fn stamp_of(bytes: &[u8]) -> Option<Stamp> {
    let (stale, gone) = bytes.split_first_chunk::<8>()?;
    let gone = <[u8; 8]>::try_from(gone).ok()?;
    Some(Stamp { stale: u64::from_le_bytes(*stale), gone: u64::from_le_bytes(gone) })
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

fn number_of(value: &Value) -> Result<i64, Down> {
    match value {
        Value::Int(number) => Ok(*number),
        _ => Err(unexpected()),
    }
}

fn number(value: &Value) -> Result<u64, Down> {
    u64::try_from(number_of(value)?).map_err(|_| unexpected())
}

fn unexpected() -> Down {
    Down::Refused("the server has given an answer that is none".to_owned())
}
