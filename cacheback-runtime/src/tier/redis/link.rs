//! The link to a server: one connection for all operations, and a task that keeps it alive (`keep`).
//!
//! As long as there is no connection, every operation fails at once. The connection is dropped on an error after which
//! it cannot be used, and when most operations of a second time out, or all of some seconds: on one connection, a late
//! answer makes all that follow it late (`health`). Looks do not count there, and a heartbeat each second does. Then the
//! task connects again (`tries`).
//!
//! A new connection is used when the scripts are known to the server, and the user has the rights for them. The first
//! one is also looked at by the [`Advisor`]. A replica is not used: it refuses the script that is run once a second.
//!
//! `replicas` waits for those of the server, for whoever wants more than its word.
//!
//! It all runs on a runtime of its own, which no caller can stop or block. Operations are sent in the order of the
//! calls.

use std::sync::Weak;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::advisor::Advisor;
use super::node::Node;
use crate::base::clock::{Moment, nanos};
use crate::base::process::{self, PerProcess};
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicBool, AtomicI64, AtomicU64, Mutex, Ordering, lock};
use crate::base::tasks::BoxFuture;
use crate::events::RateLimit;
use crate::tier::life::Life;
use crate::tier::status::{Meter, ServerStatus};
use crate::tier::{Down, Reply};

mod health;
mod keep;
mod replicas;
pub(super) use keep::Loss;
use replicas::Questions;
pub(super) use replicas::Replicas;

/// The runtime of all links, with a thread of its own: no body of a user's runs there, and could block it.
pub(super) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: PerProcess<tokio::runtime::Runtime> = PerProcess::new();
    RUNTIME.get_or_init(process::id(), || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("cacheback-tier")
            .enable_all()
            .build()
            .expect("cacheback: the system gives no thread to talk to the second tier on")
    })
}

/// A server, and how it is spoken to.
pub(super) struct Server {
    pub(super) way: Way,
    /// Each connection begins with these commands.
    pub(super) first: Box<dyn Fn() -> Vec<Cmd> + Send + Sync>,
    /// The script that tells the time, and that a replica refuses.
    pub(super) beat: Cmd,
    /// Until it has been asked.
    pub(super) advisor: Option<Advisor>,
    /// Those that are to have a change before it counts as made. Until the link asks them.
    pub(super) replicas: Option<Replicas>,
    pub(super) common: Common,
}

/// What all links of a tier have in common.
#[derive(Clone)]
pub(super) struct Common {
    /// The time that an operation may take.
    pub(super) limit: Duration,
    pub(super) meter: Arc<Meter>,
    /// Told of each connection, and of each loss of one.
    pub(super) changes: Arc<watch::Sender<()>>,
    pub(super) life: Arc<Life>,
    opened: std::time::Instant,
}

impl Common {
    pub(super) fn new(limit: Duration) -> Self {
        let changes = Arc::new(watch::Sender::new(()));
        let (meter, life) = (Arc::default(), Arc::default());
        Self { limit, meter, changes, life, opened: std::time::Instant::now() }
    }

    /// The time of the meter, which no test pauses.
    pub(super) fn now(&self) -> Moment {
        Moment::from_bits(nanos(self.opened.elapsed()))
    }
}

/// How a server is found.
pub(super) enum Way {
    /// By its address.
    Only(Node),
    /// It is the master that sentinels name.
    Master {
        /// Who is meant, as long as no server is known.
        description: String,
        find: Find,
    },
    /// By its address, as a master of a cluster: it sends those away who want the keys of others.
    OfCluster(Node),
}

/// Finds the master.
pub(super) type Find = Box<dyn Fn() -> BoxFuture<Result<Node, Loss>> + Send + Sync>;

impl Way {
    fn is_of_cluster(&self) -> bool {
        matches!(self, Self::OfCluster(_))
    }
}

/// Why a link has not carried out an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Down(Down),
    /// The server of a cluster has sent it away. Nothing has happened there.
    Away(Away),
}

/// Where a server of a cluster sends an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Away {
    /// The slot belongs to the server of this address.
    Moved(String),
    /// The slot is on its way to the server of this address, and the key is there.
    Ask(String),
    /// The slot is on its way, and so are the keys.
    Later,
    /// Nobody serves the slot.
    Nowhere,
}

/// The answer of a link.
pub(super) type Sent = BoxFuture<Result<Value, Fault>>;

/// How an operation is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// As one of the tier.
    Operation,
    /// As the end of one that was begun elsewhere.
    Rest,
    /// Not at all: it is the link's own.
    Own,
}

/// Something to be sent.
pub(super) trait Operation: Clone + Send + 'static {
    /// It looks at a value that the caller has, and can do without an answer. The connection is not given up for the
    /// time-outs of such: with another one all values are to be looked at once more.
    const IS_LOOK: bool = false;

    /// Its command, which changes nothing after this moment in the server's time, in microseconds.
    fn command(&self, deadline: i64) -> Cmd;

    /// The same of the last one to send it.
    fn into_command(self, deadline: i64) -> Cmd {
        self.command(deadline)
    }
}

/// A command that may come at any time.
#[derive(Clone)]
pub(super) struct AnyTime(pub(super) Cmd);

impl Operation for AnyTime {
    fn command(&self, _deadline: i64) -> Cmd {
        self.0.clone()
    }

    fn into_command(self, _deadline: i64) -> Cmd {
        self.0
    }
}

/// A look at a value that the caller has.
#[derive(Clone)]
pub(super) struct Look(pub(super) Cmd);

impl Operation for Look {
    const IS_LOOK: bool = true;

    fn command(&self, _deadline: i64) -> Cmd {
        self.0.clone()
    }
}

/// A command that is made when it is sent.
enum Making {
    Made(Cmd),
    /// The server's time is not known yet.
    ToBeMade(Box<dyn FnOnce(i64) -> Cmd + Send>),
}

/// A command on its way.
struct Order {
    command: Making,
    /// For a server of a cluster that is about to take the slot over.
    asking: bool,
    is_look: bool,
    deadline: Instant,
    caller: Caller,
}

/// Who has sent a command.
struct Caller {
    answer: oneshot::Sender<Result<Value, Fault>>,
    sent: std::time::Instant,
    counted: Counted,
}

impl Caller {
    fn end(self, answer: Result<Value, Fault>, state: &State) {
        let (took, now) = (self.sent.elapsed(), state.common.now());
        match &answer {
            Ok(_) | Err(Fault::Away(_)) if self.counted == Counted::Own => state.common.meter.note(took, now),
            Err(Fault::Down(_)) if self.counted == Counted::Own => {}
            // It goes on elsewhere.
            Err(Fault::Away(_)) => state.common.meter.note(took, now),
            Ok(_) => state.common.meter.end(None, took, now),
            Err(Fault::Down(down)) => state.common.meter.end(Some(down), took, now),
        }
        let _ = self.answer.send(answer);
    }
}

/// How old a number is at a time of the server, which is known to within half of a round trip.
fn age(number: u64, now: u64) -> Option<Duration> {
    /// A number that is so much ahead is no time: the clock was set back since the key was changed.
    const AHEAD: u64 = 1_000_000;
    /// Nor is one that is so much behind: no message is on its way for a minute, but for some heartbeats the time of a
    /// clock that was set back is not known here.
    const BEHIND: u64 = 60_000_000;
    let is_time = number < now.saturating_add(AHEAD) && now < number.saturating_add(BEHIND);
    is_time.then(|| Duration::from_micros(now.saturating_sub(number)))
}

/// The clock of a server that was never connected.
const UNKNOWN: i64 = i64::MIN;

/// The state of the link, as callers see it.
struct State {
    /// There is a connection, or the first one is just being made.
    is_up: AtomicBool,
    /// The server's clock less ours, in microseconds, or [`UNKNOWN`].
    clock: AtomicI64,
    /// Half of the round trip by which it was learned, in microseconds: it may be so much ahead of what we know.
    half_trip: AtomicU64,
    /// When our clock began.
    began: Instant,
    connected: Mutex<Connected>,
    common: Common,
    /// The connection is to be given up.
    left: Notify,
    /// Of the log line that the server refuses operations.
    refusals: RateLimit,
}

/// The connection that there is.
struct Connected {
    /// Its number, which no other connection of the tier has. `None`: there is none.
    number: Option<u64>,
    /// Since when there is one, or none.
    since: Moment,
    /// The server of the last one.
    node: Option<Node>,
    address: String,
}

/// A link to the server. It is closed when it is dropped.
pub(super) struct Link {
    orders: mpsc::UnboundedSender<Order>,
    questions: Option<Questions>,
    state: Arc<State>,
}

impl Link {
    /// Begins to connect.
    pub(super) fn open(mut server: Server) -> Arc<Self> {
        let (orders, queue) = mpsc::unbounded_channel();
        let (node, address) = match &server.way {
            Way::Only(node) | Way::OfCluster(node) => (Some(node.clone()), node.address.clone()),
            Way::Master { description, .. } => (None, description.clone()),
        };
        let state = Arc::new(State {
            is_up: AtomicBool::new(true),
            clock: AtomicI64::new(UNKNOWN),
            half_trip: AtomicU64::new(0),
            began: Instant::now(),
            connected: Mutex::new(Connected { number: None, since: server.common.now(), node, address }),
            common: server.common.clone(),
            left: Notify::new(),
            refusals: RateLimit::default(),
        });
        let replicas = server.replicas.take();
        runtime().spawn(keep::supervise(server, queue, Arc::clone(&state)));
        Arc::new_cyclic(|me| {
            let questions = replicas.map(|replicas| Questions::answered_by(replicas, Weak::clone(me)));
            Self { orders, questions, state }
        })
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.is_up.load(Ordering::Acquire)
    }

    pub(super) fn status(&self) -> ServerStatus {
        let now = self.state.common.now();
        let connected = lock(&self.state.connected);
        ServerStatus {
            address: connected.address.clone(),
            connected: connected.number.is_some(),
            since: Duration::from_nanos(now.since(connected.since)),
        }
    }

    /// The number of the present connection.
    pub(super) fn connection(&self) -> Option<u64> {
        self.state.connection()
    }

    /// The server of the present connection, or of the last one.
    pub(super) fn node(&self) -> Option<Node> {
        self.state.node()
    }

    pub(super) fn address(&self) -> String {
        lock(&self.state.connected).address.clone()
    }

    /// Gives up the connection, and makes another one.
    pub(super) fn leave(&self) {
        self.state.left.notify_one();
    }

    /// Corrects the server's clock, which said `now` just now.
    pub(super) fn correct_clock(&self, now: i64) {
        self.state.correct_clock(now);
    }

    /// How long ago the server made a change of this number, as far as its clock is known here. `None`: nobody can
    /// tell.
    pub(super) fn age_of(&self, number: u64) -> Option<Duration> {
        let half_trip = self.state.half_trip.load(Ordering::Relaxed);
        let now = u64::try_from(self.state.server_time(Instant::now())?).ok()?.saturating_add(half_trip);
        age(number, now)
    }

    /// Completes when as many replicas as are wanted have all that was answered on the connection of this number.
    pub(super) fn replicated(&self, connection: u64, mark: String) -> Reply<()> {
        match &self.questions {
            Some(questions) => questions.ask(connection, mark, self.state.common.limit),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }

    /// Sends something. It is sent even if the answer is not waited for.
    pub(super) fn send(&self, operation: impl Operation, counted: Counted) -> Sent {
        self.hand_over(operation, counted, false, Instant::now() + self.state.common.limit)
    }

    /// Sends something that was begun elsewhere in the cluster, and that has this time left.
    pub(super) fn send_on(&self, operation: impl Operation, asking: bool, deadline: Instant) -> Sent {
        self.hand_over(operation, Counted::Rest, asking, deadline)
    }

    fn hand_over<O: Operation>(
        &self,
        operation: O,
        counted: Counted,
        asking: bool,
        deadline: Instant,
    ) -> Sent {
        if counted == Counted::Operation {
            self.state.common.meter.begin();
        }
        let (answer, answered) = oneshot::channel();
        let caller = Caller { answer, sent: std::time::Instant::now(), counted };
        if self.is_up() {
            let command = match self.state.server_time(deadline) {
                Some(deadline) => Making::Made(operation.into_command(deadline)),
                None => Making::ToBeMade(Box::new(move |deadline| operation.into_command(deadline))),
            };
            if let Err(unsent) =
                self.orders.send(Order { command, asking, is_look: O::IS_LOOK, deadline, caller })
            {
                unsent.0.caller.end(Err(Fault::Down(Down::Disconnected)), &self.state);
            }
        } else {
            caller.end(Err(Fault::Down(Down::Disconnected)), &self.state);
        }
        Box::pin(async move { answered.await.unwrap_or(Err(Fault::Down(Down::Disconnected))) })
    }
}

impl State {
    /// There is a connection to this server.
    fn is_connected_to(&self, node: Node) {
        let address = node.address.clone();
        let mut connected = lock(&self.connected);
        let number = self.common.life.connected();
        *connected = Connected { number: Some(number), since: self.common.now(), node: Some(node), address };
        drop(connected);
        self.is_up.store(true, Ordering::Release);
        self.common.changes.send_replace(());
    }

    /// There is no connection. Returns whether there was one.
    fn is_lost(&self) -> bool {
        self.is_up.store(false, Ordering::Release);
        let mut connected = lock(&self.connected);
        let Some(number) = connected.number.take() else { return false };
        connected.since = self.common.now();
        drop(connected);
        self.common.life.lost(number);
        self.common.changes.send_replace(());
        true
    }

    fn connection(&self) -> Option<u64> {
        lock(&self.connected).number
    }

    fn node(&self) -> Option<Node> {
        lock(&self.connected).node.clone()
    }

    fn address(&self) -> String {
        lock(&self.connected).address.clone()
    }

    /// A moment by the server's clock, in microseconds.
    fn server_time(&self, at: Instant) -> Option<i64> {
        let clock = self.clock.load(Ordering::Relaxed);
        (clock != UNKNOWN).then(|| self.ours(at).saturating_add(clock))
    }

    fn ours(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(i64::MAX)
    }

    /// Learns the server's clock by an answer for which so long a round trip was waited.
    fn learn_clock(&self, now: i64, trip: Duration) {
        self.correct_clock(now);
        let half_trip = u64::try_from(trip.as_micros() / 2).unwrap_or_default();
        self.half_trip.store(half_trip, Ordering::Relaxed);
    }

    fn correct_clock(&self, now: i64) {
        self.clock.store(now.saturating_sub(self.ours(Instant::now())), Ordering::Relaxed);
    }
}
