//! A cluster: a link to each of its masters, and the knowledge which of them has which slots.
//!
//! These links are our own, and not the client's cluster connection. Each of them keeps the promises of a single server: an
//! operation ends within the time-out, fails at once while its master is down, and carries a deadline in the time of the
//! server that it is sent to; the writes of a key keep their order; sockets are closed without a rest. The client's own
//! (1.8) repeats an operation in its own time, sixteen times by default, and knows of neither order nor deadline. A master
//! that is down takes only the keys of its slots with it.
//!
//! - **Layout.** Several servers are asked for it at once (`CLUSTER SLOTS`), and what most of them say holds: one that is
//!   cut off from the others may still take itself for a master. They are asked every few seconds, several times a second
//!   while a master is missing, and at once if an operation was sent away or a link was lost.
//! - **Sent away.** `MOVED` is followed and noted, `ASK` is followed once, `TRYAGAIN` is tried again after a pause, all within
//!   the time of the operation. A write is followed only while it is the last one of its key ([`Writes`](super::writes)).
//!   While a slot moves, the two keys of an entry may be in two places, and then nobody serves it: it counts as
//!   unreachable for that time.
//! - **Suspicion.** Each connection to a master has a number, and echoes go through all of them (`subscription`): a master that
//!   has taken over, has been started again, or was out of reach for a while makes all entries suspect.

use std::sync::Weak;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::link::{AnyTime, Away, Common, Counted, Fault, Link, Loss, Operation, Sent, Server, runtime};
use super::node::{self, Node};
use super::tries::CONNECTING;
use super::writes::Turn;
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicU64, Mutex, Ordering, lock};
use crate::events;
use crate::tier::status::ServerStatus;
use crate::tier::{Down, Reply};

mod slots;
pub(super) use slots::Slot;
use slots::{Layout, Owners};

/// The servers are asked for the layout so often if nothing happens.
const ASK: Duration = Duration::from_secs(5);
/// While a master is missing the pauses between two questions double, from the first to the longest.
const ASK_AGAIN: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];
/// Not more often than this: a burst of operations may be sent away.
const BURST: Duration = Duration::from_millis(25);
/// So many servers are asked at once.
const ASKED: usize = 5;
/// The pause before an operation on a slot that moves is tried again.
const LATER: Duration = Duration::from_millis(10);
/// An operation is sent away so often at most.
const HOPS: usize = 8;
/// A link to a server without slots is closed when nobody was sent there for so long.
const IDLE: Duration = Duration::from_secs(60);

/// Tells how a server is spoken to. `None`: the tier is gone.
pub(super) type Open = Box<dyn Fn(Node, SlotsOf) -> Option<Server> + Send + Sync>;

/// The slots that a master has, whenever it is asked.
pub(super) struct SlotsOf {
    address: String,
    cluster: Weak<Cluster>,
}

impl SlotsOf {
    /// Whether a key is in one of them.
    pub(super) fn have(&self, key: &str) -> bool {
        let cluster = self.cluster.upgrade();
        cluster.is_some_and(|cluster| cluster.owns(&self.address, Slot::of(key)))
    }
}

/// The cluster.
pub(super) struct Cluster {
    /// The servers that the user has named.
    seeds: Vec<Node>,
    open: Open,
    common: Common,
    state: Mutex<State>,
    /// The layout may have changed.
    asks: Arc<Notify>,
    moves: AtomicU64,
}

struct State {
    owners: Owners,
    links: Vec<Member>,
    /// Others that can be asked for the layout.
    replicas: Vec<String>,
    /// What is to be sent as soon as the layout is known for the first time, or is not.
    waiting: Option<Vec<Waiting>>,
    /// Whether there is a connection to any of the masters, and since when.
    connected: (bool, Moment),
}

/// A server with a link to it.
struct Member {
    address: String,
    link: Arc<Link>,
    /// When an operation was last sent there by another server.
    wanted: Option<Instant>,
}

type Waiting = Box<dyn FnOnce(&Arc<Cluster>) + Send>;

impl Cluster {
    /// Begins to look for the masters.
    pub(super) fn open(seeds: Vec<Node>, open: Open, common: Common) -> Arc<Self> {
        let state = State {
            owners: Owners::default(),
            links: Vec::new(),
            replicas: Vec::new(),
            waiting: Some(Vec::new()),
            connected: (false, common.now()),
        };
        let (asks, moves) = Default::default();
        let cluster = Arc::new(Self { seeds, open, common, state: Mutex::new(state), asks, moves });
        runtime().spawn(keep(Arc::downgrade(&cluster)));
        cluster
    }

    pub(super) fn is_up(&self) -> bool {
        let state = lock(&self.state);
        state.waiting.is_some() || state.links.iter().any(|member| member.link.is_up())
    }

    /// Whether there is a connection to any master, since when, and to which.
    pub(super) fn status(&self) -> (bool, Duration, Vec<ServerStatus>) {
        let state = lock(&self.state);
        let counts = state.owners.counts();
        let masters = state.links.iter().filter(|member| counts.contains_key(&*member.address));
        let mut servers: Vec<_> = masters.map(|member| member.link.status()).collect();
        servers.sort_by(|one, other| one.address.cmp(&other.address));
        let (connected, since) = state.connected;
        let since = Duration::from_nanos(self.common.now().since(since));
        (connected, since, servers)
    }

    /// The links to all servers, whether or not they are up.
    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        lock(&self.state).links.iter().map(|member| Arc::clone(&member.link)).collect()
    }

    /// The link to the owner of a slot.
    pub(super) fn owner(&self, slot: Slot) -> Option<Arc<Link>> {
        let state = lock(&self.state);
        let address = state.owners.of(slot)?;
        let owner = state.links.iter().find(|member| member.address == address);
        owner.map(|member| Arc::clone(&member.link))
    }

    /// How often slots have gone over to another server.
    pub(super) fn moves(&self) -> u64 {
        self.moves.load(Ordering::SeqCst)
    }

    /// Whether this server owns the slot.
    fn owns(&self, address: &str, slot: Slot) -> bool {
        lock(&self.state).owners.of(slot) == Some(address)
    }

    /// Sends an operation on a slot, and follows it to the server that takes it. `turn`: it is a write.
    pub(super) fn send(
        self: &Arc<Self>,
        slot: Slot,
        operation: impl Operation,
        turn: Option<Turn>,
    ) -> Reply<Value> {
        let (answer, answered) = oneshot::channel();
        self.common.meter.begin();
        let deadline = Instant::now() + self.common.limit;
        let sending = move |cluster: &Arc<Self>| {
            let sent = match cluster.owner(slot) {
                Some(owner) if Instant::now() < deadline => owner.send_on(operation.clone(), false, deadline),
                _ => cluster.unsent(),
            };
            let cluster = Arc::clone(cluster);
            runtime().spawn(async move {
                // The operation goes on if nobody waits for its answer.
                let _ = answer.send(cluster.follow(slot, sent, operation, turn, deadline).await);
            });
        };
        let mut state = lock(&self.state);
        match &mut state.waiting {
            // In the order of the calls.
            Some(waiting) => waiting.push(Box::new(sending)),
            None => {
                drop(state);
                sending(self);
            }
        }
        Box::pin(async move { answered.await.unwrap_or(Err(Down::Disconnected)) })
    }

    /// The end of an operation that no server takes.
    fn unsent(&self) -> Sent {
        self.ends(&Down::Disconnected);
        self.asks.notify_one();
        Box::pin(std::future::ready(Err(Fault::Down(Down::Disconnected))))
    }

    /// Counts the end of an operation that no link has counted.
    fn ends(&self, down: &Down) {
        self.common.meter.end(Some(down), self.common.limit, self.common.now());
    }

    /// Follows an operation that was sent.
    async fn follow(
        self: Arc<Self>,
        slot: Slot,
        mut sent: Sent,
        operation: impl Operation,
        turn: Option<Turn>,
        deadline: Instant,
    ) -> Result<Value, Down> {
        let mut hops = 0;
        loop {
            let away = match sent.await {
                Ok(answer) => return Ok(answer),
                Err(Fault::Down(down)) => return Err(down),
                Err(Fault::Away(away)) => away,
            };
            self.asks.notify_one();
            let (link, asking) = match away {
                Away::Moved(address) => {
                    hops += 1;
                    (self.moved(slot, &address), false)
                }
                Away::Ask(address) => {
                    hops += 1;
                    (self.member(&address), true)
                }
                Away::Later => {
                    sleep(LATER).await;
                    hops = 0;
                    (self.owner(slot), false)
                }
                Away::Nowhere => (None, false),
            };
            let again = link.filter(|_| hops <= HOPS && Instant::now() < deadline).and_then(|link| {
                let send = || link.send_on(operation.clone(), asking, deadline);
                match &turn {
                    Some(turn) => turn.again(send),
                    None => Some(send()),
                }
            });
            let Some(again) = again else {
                // Nothing has happened anywhere.
                self.ends(&Down::Disconnected);
                return Err(Down::Disconnected);
            };
            sent = again;
        }
    }

    /// The link to a server that has taken a slot over.
    fn moved(self: &Arc<Self>, slot: Slot, address: &str) -> Option<Arc<Link>> {
        let link = self.member(address)?;
        let mut state = lock(&self.state);
        if state.owners.of(slot) != Some(address) {
            state.owners.set(slot, address);
            self.moves.fetch_add(1, Ordering::SeqCst);
        }
        drop(state);
        Some(link)
    }

    /// The link to a server that another one has named. If there was none, it is made.
    fn member(self: &Arc<Self>, address: &str) -> Option<Arc<Link>> {
        let mut state = lock(&self.state);
        let now = Instant::now();
        if let Some(member) = state.links.iter_mut().find(|member| member.address == address) {
            member.wanted = Some(now);
            return Some(Arc::clone(&member.link));
        }
        let link = self.link_to(address)?;
        state.links.push(Member { address: address.to_owned(), link: Arc::clone(&link), wanted: Some(now) });
        Some(link)
    }

    fn link_to(self: &Arc<Self>, address: &str) -> Option<Arc<Link>> {
        let node = self.node(address)?;
        let slots = SlotsOf { address: node.address.clone(), cluster: Arc::downgrade(self) };
        Some(Link::open((self.open)(node, slots)?))
    }

    /// A server of the cluster, which is spoken to as the first that the user has named.
    fn node(&self, address: &str) -> Option<Node> {
        let (host, port) = node::parts(address)?;
        let first = self.seeds.first()?;
        let host = if host.is_empty() { first.host()? } else { host };
        Some(first.at(host, port))
    }

    /// Asks several servers for the layout: those that are connected, and if none of them knows, all that are known. `hurries`:
    /// within the time of an operation.
    async fn layout(&self, hurries: bool) -> Result<Layout, Loss> {
        let links = self.links();
        let mut linked: Vec<_> = links.into_iter().filter(|link| link.connection().is_some()).collect();
        fastrand::shuffle(&mut linked);
        linked.truncate(ASKED);
        let layouts = gathered(linked.into_iter().map(asked_on), self.common.limit, usize::MAX).await;
        if let Some(layout) = Layout::of_most(layouts.unwrap_or_default()) {
            return Ok(layout);
        }
        let limit = if hurries { self.common.limit } else { CONNECTING };
        let layouts = gathered(self.others().into_iter().map(asked_anew), limit, 1).await?;
        Layout::of_most(layouts).ok_or_else(|| Loss::new("no server of the cluster is known"))
    }

    /// All servers that were ever known to be there.
    fn others(&self) -> Vec<Node> {
        let state = lock(&self.state);
        let members = state.links.iter().map(|member| &member.address);
        let mut known: Vec<_> =
            members.chain(&state.replicas).filter_map(|address| self.node(address)).collect();
        known.extend(self.seeds.iter().cloned());
        known.sort_by(|one, other| one.address.cmp(&other.address));
        known.dedup_by(|one, other| one.address == other.address);
        known
    }

    /// The layout is this one from now on.
    fn follow_layout(self: &Arc<Self>, layout: &Layout) {
        let masters = layout.masters();
        let mut state = lock(&self.state);
        // First of all, so that new links know their slots.
        let owners = layout.slots();
        if state.owners != owners {
            state.owners = owners;
            self.moves.fetch_add(1, Ordering::SeqCst);
        }
        state.replicas.clone_from(&layout.replicas);
        let now = Instant::now();
        let is_member = |member: &Member| {
            masters.contains(&&*member.address)
                || member.wanted.is_some_and(|wanted| now - wanted < IDLE)
                    && !layout.replicas.contains(&member.address)
        };
        let (mut members, closed): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.links).into_iter().partition(is_member);
        for master in masters {
            if !members.iter().any(|member| member.address == master) {
                if let Some(link) = self.link_to(master) {
                    members.push(Member { address: master.to_owned(), link, wanted: None });
                }
            }
        }
        state.links = members;
        drop(state);
        if !closed.is_empty() {
            self.common.changes.send_replace(());
        }
    }

    /// Sends what has waited for the first layout.
    fn begin(self: &Arc<Self>) {
        // What comes meanwhile waits as well, or it would overtake them.
        loop {
            let mut state = lock(&self.state);
            match &mut state.waiting {
                Some(waiting) if waiting.is_empty() => state.waiting = None,
                Some(waiting) => {
                    let waiting = std::mem::take(waiting);
                    drop(state);
                    waiting.into_iter().for_each(|send| send(self));
                    continue;
                }
                None => {}
            }
            return;
        }
    }

    /// Notes whether there is a connection. Returns whether all masters have one.
    fn look_at_links(&self) -> bool {
        let now = self.common.now();
        let mut state = lock(&self.state);
        let up = state.links.iter().filter(|member| member.link.connection().is_some()).count();
        if state.connected.0 != (up > 0) {
            state.connected = (up > 0, now);
        }
        up > 0 && up == state.links.len()
    }
}

fn slots_of() -> Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    command
}

/// Asks a server for the layout, on the connection that there is.
async fn asked_on(link: Arc<Link>) -> Result<Layout, Loss> {
    let said = link.send(AnyTime(slots_of()), Counted::Own).await.map_err(|fault| match fault {
        Fault::Down(down) => Loss::new(format!("{}: {down}", link.address())),
        Fault::Away(_) => Loss::new(format!("{}: it serves nobody", link.address())),
    });
    let host = link.node().and_then(|node| node.host().map(str::to_owned));
    read(said?, host.as_deref(), &link.address())
}

/// Asks a server for the layout, on a connection of its own.
async fn asked_anew(node: Node) -> Result<Layout, Loss> {
    let lost = |error| Loss::new(format!("{}: {}", node.address, Loss::of(&error).why));
    let mut connection =
        node.client().map_err(lost)?.get_multiplexed_async_connection().await.map_err(lost)?;
    let said = slots_of().query_async(&mut connection).await.map_err(lost)?;
    read(said, node.host(), &node.address)
}

fn read(said: Value, host: Option<&str>, address: &str) -> Result<Layout, Loss> {
    let layout = Layout::read(said, host.unwrap_or_default());
    layout.ok_or_else(|| Loss::new(format!("{address}: it knows no master with slots")))
}

/// The answers of servers that are asked at once, until so many have come or the time is up. If there is none: why.
async fn gathered<F: Future<Output = Result<Layout, Loss>> + Send + 'static>(
    questions: impl Iterator<Item = F>,
    limit: Duration,
    enough: usize,
) -> Result<Vec<Layout>, Loss> {
    let mut asked: JoinSet<_> = questions.collect();
    let until = Instant::now() + limit;
    let (mut layouts, mut why) = (Vec::new(), Loss::new("no server of the cluster has answered in time"));
    while layouts.len() < enough {
        match timeout_at(until, asked.join_next()).await {
            Ok(Some(Ok(Ok(layout)))) => layouts.push(layout),
            Ok(Some(Ok(Err(loss)))) => why = loss,
            Ok(Some(Err(_))) => {}
            Ok(None) | Err(_) => break,
        }
    }
    if layouts.is_empty() { Err(why) } else { Ok(layouts) }
}

/// Keeps the layout, as long as the cluster lives.
async fn keep(cluster: Weak<Cluster>) {
    let [first, longest] = ASK_AGAIN;
    let (mut is_told, mut is_first, mut pause) = (false, true, first);
    let Some(mut changes) = cluster.upgrade().map(|cluster| cluster.common.changes.subscribe()) else {
        return;
    };
    loop {
        let Some(of) = cluster.upgrade() else { return };
        changes.mark_unchanged();
        match of.layout(is_first).await {
            Ok(layout) => {
                of.follow_layout(&layout);
                is_told = false;
            }
            Err(loss) => {
                // Links that are up go on. If there is none, this is the outage.
                if !of.links().iter().any(|link| link.is_up()) && !std::mem::replace(&mut is_told, true) {
                    let seeds: Vec<_> = of.seeds.iter().map(|seed| &*seed.address).collect();
                    events::tier_lost(&seeds.join(", "), false, &loss.why);
                }
            }
        }
        if std::mem::take(&mut is_first) {
            of.begin();
        }
        // Several times a second while a server is missing.
        let are_all_there = of.look_at_links();
        pause = if are_all_there { first } else { (pause * 2).min(longest) };
        let until = Instant::now() + if are_all_there { ASK } else { pause };
        let asks = Arc::clone(&of.asks);
        drop(of);
        sleep(BURST).await;
        loop {
            let is_asked = tokio::select! {
                () = asks.notified() => true,
                () = sleep_until(until) => true,
                // A link has come, or is lost: then another server may have its slots.
                changed = changes.changed() => {
                    changed.is_err() || !cluster.upgrade().is_some_and(|cluster| cluster.look_at_links())
                }
            };
            if is_asked {
                break;
            }
        }
    }
}
