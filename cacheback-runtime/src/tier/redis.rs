//! Redis and Valkey as the second tier.
//!
//! `settings` are the user's, `link` is the connection to a server, and `scripts` are the steps that the server takes at
//! once. `names` are the keys, `values` is what lies under them, and `answer` what the server says. `servers` are all
//! links of a tier: one, to a server or to the master that its `sentinel`s name, or those of a `cluster`. `calls` sends
//! what is asked of them. This file turns the operations of a [`Tier`] into commands, and answers into theirs.

use std::collections::HashMap;
use std::sync::Weak;
use std::time::{Duration, Instant};

use redis::Value;

use super::compress::{self, Codec};
use super::envelope;
use super::late::{Delivered, Late};
use super::messages::{Coherence, Listeners};
use super::queue::Queue;
use super::status::TierStatus;
use super::{
    Acquired, Ages, Bump, Change, Down, Found, Lease, LeaseFor, Packed, Payload, Read, Release, Reply,
    Request, Scope, Stored, Tier, Token, Tombstone, UNREADABLE, WireKey, WriteId,
};
use crate::base::clock::Moment;
use crate::base::process::{self, PerProcess};
use crate::base::sync::Arc;
use crate::base::sync::plain::{Mutex, lock};
use crate::base::tasks::{BoxFuture, Handle};
use crate::rules::queue::PATIENCE;

mod advisor;
mod answer;
mod calls;
mod cluster;
mod link;
pub(crate) mod messages;
mod names;
mod node;
mod queue;
mod rights;
mod scripts;
mod sentinel;
mod servers;
mod settings;
mod subscription;
#[cfg(all(test, unix, not(cacheback_shuttle)))]
mod tests;
mod tries;
mod values;
mod versions;
mod writes;
use advisor::Advisor;
use answer::{Answer, bytes, number, number_of, stamp_of, unexpected};
use calls::Times;
use cluster::{Cluster, SlotsOf};
use link::{AnyTime, Common, Link, Look, Replicas, Server, Way};
use names::Prefix;
use node::Node;
use scripts::{Scripts, text};
use sentinel::Sentinels;
use servers::Servers;
use settings::Place;
pub use settings::Redis;
use values::{Same, millis};
use versions::Versions;
use writes::Writes;

/// How long a lease lasts if nobody extends it.
const LEASE: Duration = Duration::from_secs(5);

impl Redis {
    pub(crate) fn open(self) -> Arc<dyn Tier> {
        Arc::new(self.connect())
    }

    fn connect(self) -> Connected {
        let inner = Arc::new_cyclic(|me| Inner {
            scripts: Scripts::new(),
            queue_scripts: queue::Scripts::new(),
            reader: queue::Reader::default(),
            turn: queue::Turn::default(),
            prefix: Prefix::new(self.prefix_or_default()),
            processes: PerProcess::new(),
            versions: Versions::default(),
            leases: Mutex::default(),
            writes: Writes::new(),
            listeners: Arc::default(),
            me: Weak::clone(me),
            settings: self,
        });
        // It begins to connect.
        inner.of_this_process();
        Connected(inner)
    }
}

/// The tier, connected or on the way.
struct Connected(Arc<Inner>);

struct Inner {
    settings: Redis,
    scripts: Scripts,
    queue_scripts: queue::Scripts,
    reader: queue::Reader,
    turn: queue::Turn,
    prefix: Prefix,
    processes: PerProcess<OfProcess>,
    /// The caches that are told of messages.
    listeners: Arc<Listeners>,
    versions: Versions,
    /// The leases of this process, by their tokens, with their names.
    leases: Mutex<HashMap<Token, String>>,
    writes: Writes,
    me: Weak<Inner>,
}

/// What belongs to one process: a forked child makes its own.
struct OfProcess {
    servers: Servers,
    common: Common,
    /// The number by which this process knows its own messages.
    origin: u64,
}

impl Connected {
    /// What was read, by an answer to the script.
    fn read_by(&self, answered: Reply<Value>, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        let inner = Arc::clone(&self.0);
        // In a cluster, beside it.
        let confirmed = inner.confirmed(&key.scope.name);
        let key = key.clone();
        Box::pin(async move {
            let Value::Array(answer) = answered.await? else { return Err(unexpected()) };
            if let Some(confirmed) = confirmed {
                confirmed.await?;
            }
            let [left, envelope, versions, now] = <[Value; 4]>::try_from(answer).map_err(|_| unexpected())?;
            let read = bytes(versions).as_deref().and_then(stamp_of).unwrap_or_default();
            let stamp = inner.versions.learn(&key.scope.name, read);
            let now = number(&now)?;
            let ago = |micros: u64| now.checked_sub(micros).map(Duration::from_micros);
            let bumped = values::bumped(stamp, now);
            let Some(envelope) = bytes(envelope) else {
                return Ok(Read::Missing { tombstone: None, bumped });
            };
            let (id, left) = (envelope::write_id(&envelope), number_of(&left)?);
            // By a clock that was set back, it may have been written later than now.
            let written = id.and_then(|WriteId(id)| ago(id.max(stamp.stale).max(stamp.gone)));
            let tombstone = id.map(|id| Tombstone { id, written });
            if let Some(id) = have.filter(|have| id == Some(*have)) {
                return Ok(match values::same(&key, &envelope, left, stamp) {
                    Same::Value(ages) => Read::Unchanged(ages),
                    Same::Cleared => Read::Cleared(id),
                    Same::Tombstone => Read::Missing { tombstone, bumped },
                });
            }
            let found = values::found(&inner.settings, &key, &envelope, left, stamp);
            let found = found.map(|found| Read::Found(Found { written, ..found }));
            Ok(found.unwrap_or(Read::Missing { tombstone, bumped }))
        })
    }
}

impl Tier for Connected {
    fn is_up(&self) -> bool {
        self.0.servers().is_up()
    }

    fn contact(&self) -> u64 {
        self.0.of_this_process().common.life.contact()
    }

    fn contact_of(&self, key: &WireKey) -> Option<u64> {
        self.0.servers().connection(|| self.0.prefix.names(key).value)
    }

    fn moves(&self) -> u64 {
        self.0.servers().moves()
    }

    fn lost(&self, contact: u64) -> Option<Duration> {
        self.0.of_this_process().common.life.lost_for(contact)
    }

    fn reconnected(&self, since: u64) -> BoxFuture<()> {
        self.0.of_this_process().common.life.reconnected(since)
    }

    fn runtime(&self) -> Handle {
        link::runtime().handle().clone()
    }

    fn timeout(&self) -> Duration {
        self.0.settings.timeout
    }

    fn status(&self) -> TierStatus {
        let OfProcess { servers, common, .. } = self.0.of_this_process();
        TierStatus { losses: self.0.listeners.losses(), ..servers.status(common) }
    }

    /// Not of a cluster, yet: a worker reads several streams at once, which lie on several masters.
    fn queue(&self) -> Option<&dyn Queue> {
        (!self.0.servers().is_cluster()).then_some(self)
    }

    fn max_value_bytes(&self) -> usize {
        self.0.settings.max_value_bytes
    }

    fn max_age(&self) -> Duration {
        self.0.settings.max_age
    }

    fn pack(&self, bytes: Vec<u8>) -> Result<Packed, String> {
        compress::pack(self.0.codec(), bytes).map_err(|error| error.to_string())
    }

    fn read(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        self.read_by(self.0.send_read(key, have, AnyTime), key, have)
    }

    fn look(&self, key: &WireKey, have: Option<WriteId>) -> Reply<Read> {
        self.read_by(self.0.send_read(key, have, Look), key, have)
    }

    fn acquire(&self, key: &WireKey, request: Request) -> Reply<Acquired> {
        let Request { token, seen, ahead, is_awaited, purpose, job } = request;
        let had = seen;
        let args = [
            token.0.to_le_bytes().to_vec(),
            text(seen.map_or(0, |WriteId(id)| id)),
            text(u8::from(is_awaited)),
            text(LEASE.as_millis()),
            match purpose {
                LeaseFor::Fetch => b"r".to_vec(),
                LeaseFor::Job => b"w".to_vec(),
                LeaseFor::Queue => b"q".to_vec(),
            },
            ahead.map_or_else(Vec::new, |ahead| text(millis(ahead))),
            job.map_or_else(Vec::new, |Token(job)| job.to_le_bytes().to_vec()),
            text(PATIENCE.as_millis()),
        ];
        let inner = Arc::clone(&self.0);
        // In a cluster after it: what the body brings gets these versions.
        let asked = match inner.confirmed(&key.scope.name) {
            None => inner.call(key, |scripts| &scripts.acquire, args.to_vec()),
            Some(confirmed) => inner.call_after(confirmed, key, |scripts| &scripts.acquire, args.to_vec()),
        };
        let key = key.clone();
        Box::pin(async move {
            let Answer { word, stamp, mut rest } = asked.await?;
            match (&*word, rest.len()) {
                ("ours", 2) => {
                    let seen = Some(number(&rest[0])?).filter(|id| *id > 0).map(WriteId);
                    // A queued one waits for a worker, and nobody extends it.
                    if purpose != LeaseFor::Queue {
                        lock(&inner.leases).insert(token, inner.prefix.names(&key).lease);
                    }
                    let deaths = u32::try_from(number(&rest[1])?).unwrap_or(u32::MAX);
                    Ok(Acquired::Ours(Lease { token, seen, stamp, renews: had.is_some(), deaths }))
                }
                ("theirs", 3) => {
                    let left = Duration::from_millis(number(&rest[0]).unwrap_or_default());
                    let queued = rest.pop().and_then(bytes).and_then(|token| token.try_into().ok());
                    let queued = queued.map(|token| Token(u64::from_le_bytes(token)));
                    Ok(Acquired::Theirs { left, is_backoff: number(&rest[1])? == 1, queued })
                }
                ("newer", 2) => {
                    let envelope = rest.pop().and_then(bytes).ok_or_else(unexpected)?;
                    let left = number_of(&rest[0])?;
                    let id = envelope::write_id(&envelope).ok_or_else(unexpected)?;
                    // One that cannot be read is shown as one of a schema that nobody has.
                    let unreadable = || {
                        let ages =
                            Ages { age: Duration::ZERO, lifetime: Duration::ZERO, retention: Duration::ZERO };
                        let (written, took) = (None, Duration::ZERO);
                        Found { id, written, ages, schema: UNREADABLE, took, bytes: Vec::new() }
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
        let times = Times::of(&value);
        let (envelope, kept) = values::envelope(key, value, lease.stamp);
        let args = [
            lease.token.0.to_le_bytes().to_vec(),
            text(lease.seen.map_or(0, |WriteId(id)| id)),
            text(lease.stamp.stale),
            text(lease.stamp.gone),
            text(kept),
            envelope,
            inner.message(key),
            text(u8::from(lease.renews)),
        ];
        let asked = inner.call_at(key, |scripts| &scripts.store, args.to_vec(), times);
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
            Release::BackOff { left, failures } if !left.is_zero() => (left.as_millis().max(1), failures),
            Release::Free | Release::BackOff { .. } => (0, 0),
        };
        let args = [token.0.to_le_bytes().to_vec(), text(left), text(failures)];
        // Sent now, and not waited for.
        drop(self.0.call(key, |scripts| &scripts.release, args.to_vec()));
    }

    fn write(&self, key: &WireKey, change: Change) -> Reply<WriteId> {
        let changed = self.0.change(key, change, None);
        Box::pin(async move {
            match changed.await? {
                Delivered::Done(id) | Delivered::Unsure(id) => Ok(id),
                // The number is that of another's change.
                Delivered::Yielded(_) => Ok(WriteId(0)),
            }
        })
    }

    fn deliver(&self, key: &WireKey, change: Change, late: Late) -> Reply<Delivered> {
        self.0.change(key, change, Some(late))
    }

    fn listen(&self, scope: &Arc<Scope>, listener: Weak<dyn Coherence>) {
        self.0.listeners.add(scope, listener);
    }

    fn bump(&self, scope: &Arc<Scope>, change: Bump, at: Moment) -> Reply<()> {
        let inner = Arc::clone(&self.0);
        let scope = Arc::clone(scope);
        let question = inner.servers().is_cluster().then(|| inner.versions.change(&scope.name));
        let first = inner.send_bump(&scope, change, at);
        let bumped = async move {
            let versions = inner.prefix.versions(&scope);
            let mut answer = inner.answer(&scope, &versions, first.await?)?;
            if answer.word == "late" {
                // The server's clock has been set forward. To do this twice, or late, does no harm.
                let again = inner.send_bump(&scope, change, at).await?;
                answer = inner.answer(&scope, &versions, again)?;
            }
            if answer.word == "bumped" { Ok(()) } else { Err(unexpected()) }
        };
        let Some(question) = question else { return Box::pin(bumped) };
        let inner = Arc::clone(&self.0);
        // Others wait for the answer, whoever else does.
        let bumped = link::runtime().spawn(async move {
            let answer = bumped.await;
            inner.versions.answered(&question, answer.clone(), Instant::now());
            answer
        });
        Box::pin(async move { bumped.await.unwrap_or(Err(Down::Disconnected)) })
    }

    fn confirms(&self) -> bool {
        self.0.settings.replicas > 0
    }

    fn confirm(&self, key: &WireKey) -> Reply<()> {
        self.0.replicated(&self.0.prefix.names(key).value, self.contact_of(key))
    }

    fn confirm_all(&self, scope: &Arc<Scope>) -> Reply<()> {
        let (inner, versions) = (Arc::clone(&self.0), self.0.prefix.versions(scope));
        let connection = inner.servers().connection(|| versions.clone());
        // A server that has taken over since may not have them.
        let raised = inner.raise_versions(&scope.name);
        Box::pin(async move {
            raised.await?;
            inner.replicated(&versions, connection).await
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
    fn servers(&self) -> &Servers {
        &self.of_this_process().servers
    }

    fn origin(&self) -> u64 {
        self.of_this_process().origin
    }

    /// What this process has. A child of another one begins with nothing.
    fn of_this_process(&self) -> &OfProcess {
        self.processes.get_or_init(process::id(), || {
            // A child does not hold the leases of its parent.
            lock(&self.leases).clear();
            self.versions.suspect();
            link::runtime().spawn(calls::extend(Weak::clone(&self.me)));
            link::runtime().spawn(subscription::subscribe(Weak::clone(&self.me), process::id()));
            let common = Common::new(self.settings.timeout);
            let servers = match self.settings.place.clone() {
                Place::One(node) => {
                    Servers::One(Link::open(self.server(Way::Only(*node), None, common.clone())))
                }
                Place::Sentinel(master, nodes) => {
                    let sentinels = Arc::new(Sentinels::new(&master, nodes));
                    let description = format!("the master `{master}`");
                    let asked = Arc::clone(&sentinels);
                    let find = Box::new(move || Sentinels::find(Arc::clone(&asked)));
                    let way = Way::Master { description, find };
                    let link = Link::open(self.server(way, None, common.clone()));
                    link::runtime()
                        .spawn(sentinel::follow(Arc::downgrade(&sentinels), Arc::downgrade(&link)));
                    Servers::One(link)
                }
                Place::Cluster(seeds) => {
                    let (me, of_all) = (Weak::clone(&self.me), common.clone());
                    let open = move |node: Node, slots: SlotsOf| {
                        let inner = me.upgrade()?;
                        Some(inner.server(Way::OfCluster(node), Some(slots), of_all.clone()))
                    };
                    Servers::Cluster(Cluster::open(seeds, Box::new(open), common.clone()))
                }
            };
            OfProcess { servers, common, origin: Token::random().0 }
        })
    }

    /// A server, and how this tier speaks to it.
    ///
    /// `slots`: those of a master of a cluster.
    fn server(&self, way: Way, slots: Option<SlotsOf>, common: Common) -> Server {
        let unchosen = self.settings.prefix.is_none().then(|| self.prefix.clone());
        let advisor = Some(Advisor::new(unchosen));
        let (me, are_together) = (Weak::clone(&self.me), slots.is_none());
        let names = Arc::new(move |inner: &Self| match &slots {
            None => Some(inner.prefix.trial(Token::random())),
            Some(slots) => inner.prefix.trial_in(|name| slots.have(name)),
        });
        let replicas = (self.settings.replicas > 0).then(|| {
            let (me, names) = (Weak::clone(&me), Arc::clone(&names));
            let own_key = move || Some(names(&*me.upgrade()?)?.value);
            Replicas { count: self.settings.replicas, own_key: Box::new(own_key) }
        });
        let first = move || {
            let Some(inner) = me.upgrade() else { return Vec::new() };
            let mut first = inner.scripts.load();
            first.extend(inner.queue_scripts.load());
            let trial = |names| rights::trial(&inner.scripts, &names, are_together);
            first.extend(names(&inner).into_iter().flat_map(trial));
            first
        };
        let beat = self.scripts.beat.call(&[""; 0], &[]);
        Server { way, first: Box::new(first), beat, advisor, replicas, common }
    }

    /// Completes when as many replicas as are wanted have what the server of a key has answered on this connection.
    fn replicated(&self, key: &str, connection: Option<u64>) -> Reply<()> {
        self.servers().replicated(key, connection, &self.prefix)
    }

    fn codec(&self) -> Option<&dyn Codec> {
        self.settings.codec.as_deref()
    }

    /// Messages may have been lost: versions are asked for again, and then the entries of all caches are looked at.
    fn suspect(&self) {
        self.versions.suspect();
        self.listeners.untrusted();
    }
}
