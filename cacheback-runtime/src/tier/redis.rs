//! Redis and Valkey as the second tier.
//!
//! `settings` are the user's, `link` is the connection, and `scripts` are the steps that the server takes at once.
//! `names` are the keys, `values` is what lies under them, and `answer` what the server says. This file turns the
//! operations of a [`Tier`] into commands, and answers into theirs.

use std::collections::HashMap;
use std::sync::Weak;
use std::time::Duration;

use redis::Value;

use super::compress::{self, Codec};
use super::envelope;
use super::messages::{Coherence, Listeners};
use super::status::TierStatus;
use super::{
    Acquired, Ages, Bump, Change, Down, Found, Lease, Packed, Payload, Read, Release, Reply, Request, Scope,
    Stamp, Stored, Tier, Token, UNREADABLE, WireKey, WriteId,
};
use crate::base::process::{self, PerProcess};
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};

mod advisor;
mod answer;
mod link;
mod messages;
mod names;
mod rights;
mod scripts;
mod settings;
mod subscription;
mod values;
use advisor::Advisor;
use answer::{Answer, bytes, number, number_of, stamp_of, unexpected};
use link::{Link, Server};
use names::{Names, Prefix};
use scripts::{Scripts, stamp_bytes, text};
pub use settings::Redis;
use values::millis;

/// How long a lease lasts if nobody extends it, and how often it is extended.
const LEASE: Duration = Duration::from_secs(5);
const EXTEND: Duration = Duration::from_secs(2);

impl Redis {
    pub(crate) fn open(self) -> Arc<dyn Tier> {
        let inner = Arc::new_cyclic(|me| Inner {
            scripts: Scripts::new(),
            prefix: Prefix::new(self.prefix_or_default()),
            links: PerProcess::new(),
            versions: Mutex::default(),
            leases: Mutex::default(),
            writes: AtomicU64::new(0),
            listeners: Arc::default(),
            me: Weak::clone(me),
            settings: self,
        });
        // It begins to connect.
        inner.link();
        Arc::new(Connected(inner))
    }
}

/// The tier, connected or on the way.
struct Connected(Arc<Inner>);

struct Inner {
    settings: Redis,
    scripts: Scripts,
    prefix: Prefix,
    links: PerProcess<(Link, u64)>,
    /// The caches that are told of messages.
    listeners: Arc<Listeners>,
    /// The highest versions that were seen of each scope.
    versions: Mutex<HashMap<Arc<Scope>, Stamp>>,
    /// The leases of this process, by their tokens, with their names.
    leases: Mutex<HashMap<Token, String>>,
    /// How many writes were sent.
    writes: AtomicU64,
    me: Weak<Inner>,
}

impl Tier for Connected {
    fn is_up(&self) -> bool {
        self.0.link().is_up()
    }

    fn status(&self) -> TierStatus {
        self.0.link().status()
    }

    fn max_value_bytes(&self) -> usize {
        self.0.settings.max_value_bytes
    }

    fn pack(&self, bytes: Vec<u8>) -> Result<Packed, String> {
        compress::pack(self.0.codec(), bytes).map_err(|error| error.to_string())
    }

    fn read(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        let inner = Arc::clone(&self.0);
        let Names { value, versions, .. } = inner.prefix.names(key);
        let known = text(have.map_or(0, |WriteId(id)| id));
        let answered = inner.link().send(inner.scripts.read.call(&[value, versions], &[known]));
        let key = key.clone();
        Box::pin(async move {
            let Value::Array(answer) = answered.await? else { return Err(unexpected()) };
            let [left, envelope, versions] = <[Value; 3]>::try_from(answer).map_err(|_| unexpected())?;
            let stamp =
                inner.learn(&key.scope, bytes(versions).as_deref().and_then(stamp_of).unwrap_or_default());
            let Some(envelope) = bytes(envelope) else { return Ok(Read::Missing { tombstone: None }) };
            let (number, left) = (envelope::write_id(&envelope), number_of(&left)?);
            if have.is_some() && number == have {
                // The header alone.
                let ages = values::unchanged(&key, &envelope, left, stamp);
                return Ok(match (ages, number) {
                    (Some(ages), _) => Read::Unchanged(ages),
                    (None, Some(id)) => Read::Cleared(id),
                    (None, None) => Read::Missing { tombstone: None },
                });
            }
            let found = values::found(&inner.settings, &key, &envelope, left, stamp);
            Ok(found.map_or(Read::Missing { tombstone: number }, Read::Found))
        })
    }

    fn acquire(&self, key: &WireKey, request: Request) -> Reply<Acquired> {
        let Request { token, seen, ahead, is_awaited, is_running } = request;
        let had = seen;
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
                    lock(&inner.leases).insert(token, inner.prefix.names(&key).lease);
                    Ok(Acquired::Ours(Lease { token, seen, stamp, renews: had.is_some() }))
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
                        Found { id, ages, schema: UNREADABLE, took: Duration::ZERO, bytes: Vec::new() }
                    };
                    Ok(Acquired::Newer(
                        values::found(&inner.settings, &key, &envelope, left, stamp)
                            .unwrap_or_else(unreadable),
                    ))
                }
                _ => Err(unexpected()),
            }
        })
    }

    fn store(&self, key: &WireKey, lease: &Lease, value: Payload) -> Reply<Stored> {
        let inner = Arc::clone(&self.0);
        lock(&inner.leases).remove(&lease.token);
        let (envelope, left) = values::envelope(key, value, lease.stamp);
        let args = [
            lease.token.0.to_le_bytes().to_vec(),
            text(lease.seen.map_or(0, |WriteId(id)| id)),
            text(lease.stamp.stale),
            text(lease.stamp.gone),
            text(left),
            envelope,
            inner.message(key),
            text(u8::from(lease.renews)),
        ];
        let asked = inner.call(key, |scripts| &scripts.store, args.to_vec());
        Box::pin(async move {
            let Answer { word, rest, .. } = asked.await?;
            match (&*word, &rest[..]) {
                ("stored", [id]) => Ok(Stored::Yes(WriteId(number(id)?))),
                ("superseded", _) => Ok(Stored::Superseded),
                ("unfenced", _) => Ok(Stored::Unfenced),
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

    fn listen(&self, scope: &Arc<Scope>, listener: Weak<dyn Coherence>) {
        self.0.listeners.add(scope, listener);
    }

    fn bump(&self, scope: &Arc<Scope>, change: Bump) -> Reply<()> {
        let inner = Arc::clone(&self.0);
        let which = match change {
            Bump::Stale => "stale",
            Bump::Gone => "gone",
        };
        let scope = Arc::clone(scope);
        let send = move |inner: &Inner, scope: &Arc<Scope>| {
            let channel = inner.prefix.channel().into_bytes();
            let message = messages::bumped(inner.origin(), scope, change);
            let args = [inner.deadline(), stamp_bytes(inner.known(scope)), channel, which.into(), message];
            inner.link().send(inner.scripts.bump.call(&[inner.prefix.versions(scope)], &args))
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

/// The tier, as a task of one process sees it.
struct Connection {
    inner: Arc<Inner>,
    origin: u64,
}

impl Connection {
    /// `None` if the tier is gone, or this is a child of that process.
    fn of(inner: &Weak<Inner>, process: u32) -> Option<Self> {
        let inner = inner.upgrade().filter(|_| process::id() == process)?;
        let origin = inner.origin();
        Some(Self { inner, origin })
    }
}

impl Inner {
    fn link(&self) -> &Link {
        &self.of_this_process().0
    }

    /// The number by which this process knows its own messages.
    fn origin(&self) -> u64 {
        self.of_this_process().1
    }

    /// The link of this process, and its number: a forked child makes its own.
    fn of_this_process(&self) -> &(Link, u64) {
        self.links.get_or_init(process::id(), || {
            let Redis { client, address, timeout, .. } = &self.settings;
            // A child does not hold the leases of its parent.
            lock(&self.leases).clear();
            link::runtime().spawn(extend(Weak::clone(&self.me)));
            link::runtime().spawn(subscription::subscribe(Weak::clone(&self.me), process::id()));
            let mut first = self.scripts.load();
            first.extend(rights::trial(&self.scripts, &self.prefix));
            let prefix = self.settings.prefix.is_none().then(|| self.prefix.clone());
            let advisor = Advisor::new(address.clone(), prefix);
            let link = Link::open(Server {
                client: client.clone(),
                first,
                address: address.clone(),
                limit: *timeout,
                advisor: Some(advisor),
            });
            (link, Token::random().0)
        })
    }

    fn codec(&self) -> Option<&dyn Codec> {
        self.settings.codec.as_deref()
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
        let names = self.prefix.names(key);
        let channel = self.prefix.channel().into_bytes();
        let mut all = vec![self.deadline(), stamp_bytes(self.known(&key.scope)), channel];
        all.extend_from_slice(args);
        let keys = [names.value, names.lease, names.versions];
        self.link().send(script(&self.scripts).call(&keys, &all))
    }

    /// The message of a change of a key.
    fn message(&self, key: &WireKey) -> Vec<u8> {
        messages::changed(self.origin(), &key.scope, &key.args)
    }

    async fn delete(&self, key: &WireKey) {
        let Names { value, lease, .. } = self.prefix.names(key);
        let mut delete = redis::cmd("DEL");
        // No transaction: a server without memory refuses those.
        delete.arg(value).arg(lease);
        let _ = self.link().send(delete).await;
    }

    /// Sends a write. `again`: it was refused before, and left the key with this number.
    fn send_write(self: &Arc<Self>, key: &WireKey, change: &Change, again: Option<u64>) -> Reply<Answer> {
        let stamp = self.known(&key.scope);
        let (envelope, left) = match change {
            Change::Set(value) => values::envelope(key, value.clone(), stamp),
            Change::Invalidate { tombstone } | Change::Remove { tombstone } => {
                (values::tombstone(key, stamp), millis(*tombstone))
            }
        };
        let written = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let (script, args): (fn(&Scripts) -> &scripts::Script, _) = match change {
            Change::Invalidate { .. } => {
                (|scripts| &scripts.invalidate, vec![text(left), envelope, self.message(key)])
            }
            Change::Set(_) | Change::Remove { .. } => {
                let again = again.map_or_else(Vec::new, text);
                (
                    |scripts| &scripts.set,
                    vec![text(stamp.stale), text(stamp.gone), text(left), envelope, again, self.message(key)],
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
