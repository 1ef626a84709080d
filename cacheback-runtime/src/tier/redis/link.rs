//! The link to the server: one connection for all operations, and a task that keeps it alive.
//!
//! As long as there is no connection, every operation fails at once. The connection is dropped on an error after which
//! it cannot be used, and when most operations of a second time out, or all of some seconds: on one connection, a late
//! answer makes all that follow it late. Then the task connects again, after pauses that double up to
//! [`LONGEST_PAUSE`].
//!
//! A new connection is used when the scripts are known to the server, and the user has the rights for them. The first
//! one is also looked at by the [`Advisor`].
//!
//! It all runs on a runtime of its own, which no caller can stop or block. Operations are sent in the order of the
//! calls.

use std::collections::VecDeque;
use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::advisor::Advisor;
use super::rights;
use crate::base::clock::{Moment, nanos};
use crate::base::process::{self, PerProcess};
use crate::base::sync::Arc;
use crate::base::sync::plain::{AtomicBool, AtomicI64, Mutex, Ordering, lock};
use crate::events::{self, RateLimit};
use crate::tier::status::{Meter, TierStatus};
use crate::tier::{Down, Reply};

pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(50);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a connection may take to be made, but for the first one, for which callers wait; and the advisor, too.
pub(super) const CONNECTING: Duration = Duration::from_secs(2);
/// An idle link is tried so often.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// So many time-outs are a dead connection, if they are most of the operations of a second, or all of a longer time: an
/// idle link has one operation a second.
const TIMEOUTS: usize = 3;
const SILENCE: Duration = Duration::from_secs(4);
/// Operations are counted together in spans of this length.
const BUCKET: Duration = Duration::from_millis(250);
/// How many operations may wait for the connection to send them.
const BUFFER: usize = 4096;

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
    pub(super) client: Client,
    /// Each connection begins with these commands.
    pub(super) first: Vec<Cmd>,
    pub(super) address: String,
    /// The time that an operation may take.
    pub(super) limit: Duration,
    /// Until it has been asked.
    pub(super) advisor: Option<Advisor>,
}

/// A command on its way.
struct Order {
    command: Cmd,
    deadline: Instant,
    caller: Caller,
}

/// Who has sent a command.
struct Caller {
    answer: oneshot::Sender<Result<Value, Down>>,
    sent: std::time::Instant,
    /// It is not the link itself.
    is_operation: bool,
}

impl Caller {
    fn end(self, answer: Result<Value, Down>, state: &State) {
        let (took, now) = (self.sent.elapsed(), state.now());
        if self.is_operation {
            state.meter.end(answer.as_ref().err(), took, now);
        } else if answer.is_ok() {
            state.meter.note(took, now);
        }
        let _ = self.answer.send(answer);
    }
}

/// The state of the link, as callers see it.
struct State {
    /// There is a connection, or the first one is just being made.
    is_up: AtomicBool,
    /// The server's clock less ours, in microseconds.
    clock: AtomicI64,
    /// When our clock began.
    began: Instant,
    /// Whether there is a connection, and since when.
    connected: Mutex<(bool, Moment)>,
    opened: std::time::Instant,
    meter: Meter,
    /// The address of the server, without user and password.
    address: String,
    /// Of the log line that the server refuses operations.
    refusals: RateLimit,
}

/// A link to the server. It is closed when it is dropped.
pub(super) struct Link {
    orders: mpsc::UnboundedSender<Order>,
    state: Arc<State>,
    timeout: Duration,
}

impl Link {
    /// Begins to connect.
    pub(super) fn open(server: Server) -> Self {
        let (orders, queue) = mpsc::unbounded_channel();
        let state = Arc::new(State {
            is_up: AtomicBool::new(true),
            clock: AtomicI64::new(0),
            began: Instant::now(),
            connected: Mutex::new((false, Moment::PAST)),
            opened: std::time::Instant::now(),
            meter: Meter::default(),
            address: server.address.clone(),
            refusals: RateLimit::default(),
        });
        let timeout = server.limit;
        runtime().spawn(supervise(server, queue, Arc::clone(&state)));
        Self { orders, state, timeout }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.is_up.load(Ordering::Acquire)
    }

    pub(super) fn status(&self) -> TierStatus {
        let (now, (connected, since)) = (self.state.now(), *lock(&self.state.connected));
        self.state.meter.status(connected, Duration::from_nanos(now.since(since)), now)
    }

    pub(super) fn is_connected(&self) -> bool {
        lock(&self.state.connected).0
    }

    /// The time by the server's clock, in microseconds.
    pub(super) fn server_time(&self) -> i64 {
        let ours = i64::try_from(self.state.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        ours.saturating_add(self.state.clock.load(Ordering::Relaxed))
    }

    /// Corrects the server's clock, which said `now` just now.
    pub(super) fn correct_clock(&self, now: i64) {
        self.state.correct_clock(now);
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a command. It is sent even if the answer is not waited for.
    pub(super) fn send(&self, command: Cmd) -> Reply<Value> {
        self.state.meter.begin();
        self.hand_over(command, true)
    }

    /// Sends a command that is no operation of the tier.
    pub(super) fn send_own(&self, command: Cmd) -> Reply<Value> {
        self.hand_over(command, false)
    }

    fn hand_over(&self, command: Cmd, is_operation: bool) -> Reply<Value> {
        let (answer, answered) = oneshot::channel();
        let deadline = Instant::now() + self.timeout;
        let caller = Caller { answer, sent: std::time::Instant::now(), is_operation };
        if !self.is_up() {
            caller.end(Err(Down::Disconnected), &self.state);
        } else if let Err(unsent) = self.orders.send(Order { command, deadline, caller }) {
            unsent.0.caller.end(Err(Down::Disconnected), &self.state);
        }
        Box::pin(async move { answered.await.unwrap_or(Err(Down::Disconnected)) })
    }
}

impl State {
    /// The time of the meter, which no test pauses.
    fn now(&self) -> Moment {
        Moment::from_bits(nanos(self.opened.elapsed()))
    }

    fn set_connected(&self, connected: bool) {
        self.is_up.store(connected, Ordering::Release);
        let mut state = lock(&self.connected);
        if state.0 != connected {
            *state = (connected, self.now());
        }
    }

    fn correct_clock(&self, now: i64) {
        let ours = i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.clock.store(now.saturating_sub(ours), Ordering::Relaxed);
    }
}

/// How the operations of one connection have ended of late.
#[derive(Default)]
struct Health {
    /// Operations that ended, and those of them that timed out, in each [`BUCKET`] of time.
    recent: Mutex<VecDeque<(Instant, usize, usize)>>,
    dead: Notify,
}

impl Health {
    /// Notes how an operation has ended, and whether the connection can still be used.
    fn note(&self, timed_out: bool) {
        let now = Instant::now();
        let mut recent = lock(&self.recent);
        match recent.back_mut() {
            Some((began, all, late)) if now - *began < BUCKET => {
                *all += 1;
                *late += usize::from(timed_out);
            }
            _ => recent.push_back((now, 1, usize::from(timed_out))),
        }
        while recent.front().is_some_and(|(began, ..)| now - *began > SILENCE) {
            recent.pop_front();
        }
        if !timed_out {
            return;
        }
        let of = |span: Duration| {
            let ended = recent.iter().filter(move |(began, ..)| now - *began <= span);
            ended.fold((0, 0), |(all, late), bucket| (all + bucket.1, late + bucket.2))
        };
        let ((all, late), (all_of_silence, late_of_silence)) = (of(Duration::from_secs(1)), of(SILENCE));
        let is_dead = late >= TIMEOUTS && late * 2 > all
            || late_of_silence >= TIMEOUTS && late_of_silence == all_of_silence;
        drop(recent);
        if is_dead {
            self.dead.notify_one();
        }
    }
}

/// Why a connection was lost, or could not be made.
struct Loss {
    why: String,
    /// It is for want of a right, which is named.
    names_right: bool,
}

impl Loss {
    fn new(why: &str) -> Self {
        Self { why: why.to_owned(), names_right: false }
    }

    fn of(error: &RedisError) -> Self {
        Self { why: said(error), names_right: rights::missing(error).is_some() }
    }
}

/// Keeps the link: connects, sends, and connects again.
async fn supervise(mut server: Server, mut queue: mpsc::UnboundedReceiver<Order>, state: Arc<State>) {
    let limit = server.limit;
    let (mut pause, mut is_first) = (FIRST_PAUSE, true);
    // What was logged of this outage: anything, and the right that is missing.
    let mut told = (false, false);
    loop {
        let within = if is_first { limit } else { CONNECTING };
        let connecting = timeout(within, connect(&server, &state));
        let connected = if is_first {
            // Orders wait for the first connection, within their own time.
            Some(connecting.await)
        } else {
            refuse_while(&mut queue, &state, connecting).await
        };
        let Some(connected) = connected else { return };
        is_first = false;
        let loss = match connected {
            Ok(Ok(connection)) => {
                state.set_connected(true);
                events::tier_connected(&state.address);
                if let Some(advisor) = server.advisor.take() {
                    tokio::spawn(advisor.advise(connection.clone(), CONNECTING));
                }
                (pause, told) = (FIRST_PAUSE, (false, false));
                let Some(loss) = serve(&connection, &mut queue, &state, limit).await else { return };
                loss
            }
            Ok(Err(error)) => Loss::of(&error),
            Err(_) => Loss::new("no answer in time"),
        };
        state.set_connected(false);
        // An outage is told of once, but a right that is missing is not kept back because of an error before.
        if !told.0 || loss.names_right && !told.1 {
            events::tier_lost(&state.address, &loss.why);
            told = (true, loss.names_right);
        }
        // Half of the pause is left to chance, so that a fleet does not come back in one moment. The pause is no shorter
        // than the time-out: what the old connection has sent is past its deadline then.
        let until = pause.mul_f64(0.5 + fastrand::f64() / 2.0).max(limit);
        if refuse_while(&mut queue, &state, sleep(until)).await.is_none() {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Connects, learns the server's clock, and sends the first commands. An error among their answers is one of the
/// connection if it would be of no use, and else no matter: a server without memory can be read, for example.
async fn connect(server: &Server, state: &State) -> RedisResult<MultiplexedConnection> {
    let Server { client, first, .. } = server;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(BUFFER);
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    // In one burst, so that a connection over a long way is soon made.
    let mut pipeline = Pipeline::new();
    pipeline.cmd("TIME");
    for command in first {
        pipeline.add_command(command.clone());
    }
    let answers = match connection.send_packed_commands(&pipeline, 0, 1 + first.len()).await {
        Ok(answers) => answers,
        Err(error) => {
            // A server that wants a password closes the connection at a long command, and says so at a short one.
            let mut another = client.get_multiplexed_async_connection_with_config(&config).await?;
            redis::cmd("TIME").exec_async(&mut another).await?;
            return Err(error);
        }
    };
    let mut time = None;
    for answer in answers {
        match answer.extract_error() {
            Err(error) if is_lost(&error) => return Err(error),
            answer => time = time.or(Some(answer)),
        }
    }
    let (seconds, micros): (i64, i64) = redis::from_redis_value(time.unwrap_or(Ok(Value::Nil))?)?;
    state.correct_clock(seconds * 1_000_000 + micros);
    Ok(connection)
}

/// Sends the orders until the connection is broken, and returns why. `None` if nobody can send any more.
async fn serve(
    connection: &MultiplexedConnection,
    queue: &mut mpsc::UnboundedReceiver<Order>,
    state: &Arc<State>,
    limit: Duration,
) -> Option<Loss> {
    let (broken, mut losses) = mpsc::unbounded_channel();
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let health = Arc::new(Health::default());
    loop {
        let order = tokio::select! {
            biased;
            () = health.dead.notified() => return Some(Loss::new("most operations timed out")),
            Some(loss) = losses.recv() => return Some(loss),
            order = queue.recv() => order?,
            _ = heartbeat.tick() => {
                let (answer, said) = oneshot::channel();
                tokio::spawn(note_time(Arc::clone(state), said));
                let caller = Caller { answer, sent: std::time::Instant::now(), is_operation: false };
                Order { command: redis::cmd("TIME"), deadline: Instant::now() + limit, caller }
            }
        };
        let Order { command, deadline, caller } = order;
        // Without tokio's budget, which could keep the command from being handed over.
        let mut running = Box::pin(tokio::task::unconstrained(run(connection.clone(), command)));
        // The first poll hands the command to the connection. So the commands keep their order, although the answers
        // are waited for in tasks of their own.
        if let std::task::Poll::Ready(done) = running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            end(done, caller, state, &health, &broken);
            continue;
        }
        let (state, health, broken) = (Arc::clone(state), Arc::clone(&health), broken.clone());
        tokio::spawn(async move {
            match timeout_at(deadline, running).await {
                Ok(done) => end(done, caller, &state, &health, &broken),
                Err(_) => {
                    health.note(true);
                    caller.end(Err(Down::TimedOut), &state);
                }
            }
        });
    }
}

/// Runs a command on the connection.
async fn run(mut connection: MultiplexedConnection, command: Cmd) -> RedisResult<Value> {
    command.query_async(&mut connection).await
}

/// Sets the server's clock by its own answer.
async fn note_time(state: Arc<State>, said: oneshot::Receiver<Result<Value, Down>>) {
    if let Ok(Ok(Value::Array(time))) = said.await {
        let part = |at: usize| match time.get(at) {
            Some(Value::BulkString(digits)) => std::str::from_utf8(digits).ok()?.parse::<i64>().ok(),
            _ => None,
        };
        if let (Some(seconds), Some(micros)) = (part(0), part(1)) {
            state.correct_clock(seconds * 1_000_000 + micros);
        }
    }
}

/// Ends an operation.
fn end(
    done: RedisResult<Value>,
    caller: Caller,
    state: &State,
    health: &Health,
    broken: &mpsc::UnboundedSender<Loss>,
) {
    health.note(false);
    let answered = done.map_err(|error| {
        // Without the rights for messages all operations go on.
        if !caller.is_operation && rights::missing(&error).is_some() {
            return Down::Refused(said(&error));
        }
        if is_lost(&error) {
            let _ = broken.send(Loss::of(&error));
            return Down::Disconnected;
        }
        let why = said(&error);
        if state.refusals.passes(Moment::now()) {
            events::tier_refuses(&state.address, &why);
        }
        Down::Refused(why)
    });
    caller.end(answered, state);
}

/// Whether the connection is of no use after this error: it is broken, or leads to a server that does not serve.
fn is_lost(error: &RedisError) -> bool {
    let serves_not = matches!(
        error.kind(),
        ErrorKind::Server(
            // The scripts are loaded with each connection: sent in another way, one would be overtaken.
            ServerErrorKind::NoScript
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
        )
    );
    serves_not
        || rights::missing(error).is_some()
        || error.kind() == ErrorKind::Parse
        || error.is_io_error()
        || error.is_unrecoverable_error()
}

/// The text of an error. The client's errors do not show the address with its password.
fn said(error: &RedisError) -> String {
    rights::missing(error).unwrap_or_else(|| error.to_string())
}

/// Refuses the orders that come as long as a future runs. `None` if nobody can send any more.
async fn refuse_while<F: Future>(
    queue: &mut mpsc::UnboundedReceiver<Order>,
    state: &State,
    future: F,
) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    loop {
        tokio::select! {
            biased;
            done = future.as_mut() => return Some(done),
            order = queue.recv() => {
                order?.caller.end(Err(Down::Disconnected), state);
            }
        }
    }
}
