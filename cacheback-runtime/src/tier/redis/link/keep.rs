//! The task of a link: it connects, sends, and connects again.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::super::node::{self, Node};
use super::super::rights;
use super::super::tries::{CONNECTING, Tries};
use super::health::Health;
use super::{Away, Caller, Counted, Fault, Making, Order, Server, State, Way};
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::events;
use crate::tier::Down;

/// An idle link is tried so often.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// How many operations may wait for the connection to send them.
const BUFFER: usize = 4096;

/// Why a connection was lost, or could not be made.
pub(in super::super) struct Loss {
    pub(in super::super) why: String,
    /// It is for want of a right, which is named.
    names_right: bool,
}

impl Loss {
    pub(in super::super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), names_right: false }
    }

    pub(in super::super) fn of(error: &RedisError) -> Self {
        Self { why: said(error), names_right: rights::missing(error).is_some() }
    }
}

/// Keeps the link until nobody can send any more.
pub(super) async fn supervise(server: Server, queue: mpsc::UnboundedReceiver<Order>, state: Arc<State>) {
    keep(server, queue, &state).await;
    // Whoever was told something on its connection is to know that this is over.
    state.is_lost();
}

/// Connects, sends, and connects again.
async fn keep(mut server: Server, mut queue: mpsc::UnboundedReceiver<Order>, state: &Arc<State>) {
    let limit = server.common.limit;
    let (mut tries, mut is_first) = (Tries::new(limit), true);
    // What was logged of this outage: anything, and the right that is missing.
    let mut told = (false, false);
    loop {
        let within = if is_first { limit } else { tries.patience() };
        let connecting = timeout(within, connect(&server, state));
        let connected = if is_first {
            // Orders wait for the first connection, within their own time.
            Some(connecting.await)
        } else {
            refuse_while(&mut queue, state, connecting).await
        };
        let Some(connected) = connected else { return };
        is_first = false;
        let loss = match connected {
            Ok(Ok((connection, node))) => {
                let address = node.address.clone();
                state.is_connected_to(node);
                events::tier_connected(&address);
                if let Some(advisor) = server.advisor.take() {
                    tokio::spawn(advisor.advise(address, connection.clone(), CONNECTING));
                }
                tries.succeeded();
                told = (false, false);
                let Some(loss) = serve(&server, &connection, &mut queue, state).await else { return };
                loss
            }
            Ok(Err(loss)) => loss,
            Err(_) => {
                tries.timed_out();
                Loss::new("no answer in time")
            }
        };
        let was_connected = state.is_lost();
        // An outage is told of once, but a right that is missing is not kept back because of an error before.
        if !told.0 || loss.names_right && !told.1 {
            events::tier_lost(&state.address(), server.way.is_of_cluster(), &loss.why);
            told = (true, loss.names_right);
        }
        let pause = async {
            if was_connected {
                // What it has sent is past its deadline then.
                sleep(limit).await;
            }
            tries.pause(&server.common.life).await;
        };
        if refuse_while(&mut queue, state, pause).await.is_none() {
            return;
        }
    }
}

/// Finds the server and connects, learns its clock, and sends the first commands. An error among their answers is one of
/// the connection if it would be of no use, and else no matter: a server without memory can be read, for example.
async fn connect(server: &Server, state: &State) -> Result<(MultiplexedConnection, Node), Loss> {
    let Server { way, first, .. } = server;
    let node = match way {
        Way::Only(node) | Way::OfCluster(node) => node.clone(),
        Way::Master { find, .. } => find().await?,
    };
    let connected = |error: RedisError| Loss::of(&error);
    let client = node.client().map_err(connected)?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(BUFFER);
    let mut connection =
        client.get_multiplexed_async_connection_with_config(&config).await.map_err(connected)?;
    // In one burst, so that a connection over a long way is soon made.
    let first = first();
    let mut pipeline = Pipeline::new();
    pipeline.cmd("TIME");
    // Who may not ask for the role has the word of the script below.
    let asks_role = matches!(way, Way::Master { .. });
    if asks_role {
        pipeline.cmd("ROLE");
    }
    for command in &first {
        pipeline.add_command(command.clone());
    }
    pipeline.add_command(server.beat.clone());
    let count = first.len() + 2 + usize::from(asks_role);
    let mut answers = match connection.send_packed_commands(&pipeline, 0, count).await {
        Ok(answers) => answers.into_iter(),
        Err(error) => {
            // A server that wants a password closes the connection at a long command, and says so at a short one.
            let mut another =
                client.get_multiplexed_async_connection_with_config(&config).await.map_err(connected)?;
            redis::cmd("TIME").exec_async(&mut another).await.map_err(connected)?;
            return Err(connected(error));
        }
    };
    let time = answers.next().unwrap_or(Value::Nil);
    if asks_role {
        if let Some(Value::Array(role)) = answers.next() {
            if role.first().is_none_or(|role| *role != Value::BulkString(b"master".to_vec())) {
                return Err(Loss::new("the sentinels name it as the master, and it is none"));
            }
        }
    }
    let time = time.extract_error().map_err(connected)?;
    for answer in answers {
        if let Err(error) = answer.extract_error() {
            if is_lost(&error) && !(way.is_of_cluster() && away(&error).is_some()) {
                return Err(connected(error));
            }
        }
    }
    let (seconds, micros): (i64, i64) =
        redis::from_redis_value(time).map_err(|error| connected(error.into()))?;
    state.correct_clock(seconds * 1_000_000 + micros);
    Ok((connection, node))
}

/// Sends the orders until the connection is broken, and returns why. `None` if nobody can send any more.
async fn serve(
    server: &Server,
    connection: &MultiplexedConnection,
    queue: &mut mpsc::UnboundedReceiver<Order>,
    state: &Arc<State>,
) -> Option<Loss> {
    let (limit, is_of_cluster) = (server.common.limit, server.way.is_of_cluster());
    let (broken, mut losses) = mpsc::unbounded_channel();
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let health = Arc::new(Health::default());
    loop {
        let order = tokio::select! {
            biased;
            () = health.dead.notified() => return Some(Loss::new("most operations timed out")),
            Some(loss) = losses.recv() => return Some(loss),
            () = state.left.notified() => return Some(Loss::new("another server is the master now")),
            order = queue.recv() => order?,
            _ = heartbeat.tick() => {
                let (answer, said) = oneshot::channel();
                let sent = std::time::Instant::now();
                tokio::spawn(note_time(Arc::clone(state), sent, said));
                let caller = Caller { answer, sent, counted: Counted::Own };
                let (command, deadline) = (Making::Made(server.beat.clone()), Instant::now() + limit);
                Order { command, asking: false, is_look: false, deadline, caller }
            }
        };
        let Order { command, asking, is_look, deadline, caller } = order;
        let command = match command {
            Making::Made(command) => command,
            Making::ToBeMade(make) => make(state.server_time(deadline).unwrap_or(i64::MAX)),
        };
        // Without tokio's budget, which could keep the command from being handed over.
        let mut running = Box::pin(tokio::task::unconstrained(run(connection.clone(), command, asking)));
        // The first poll hands the command to the connection. So the commands keep their order, although the answers
        // are waited for in tasks of their own.
        if let std::task::Poll::Ready(done) = running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            end(done, caller, is_of_cluster, state, &health, &broken);
            continue;
        }
        let (state, health, broken) = (Arc::clone(state), Arc::clone(&health), broken.clone());
        tokio::spawn(async move {
            match timeout_at(deadline, running).await {
                Ok(done) => end(done, caller, is_of_cluster, &state, &health, &broken),
                Err(_) => {
                    if !is_look {
                        health.note(true);
                    }
                    caller.end(Err(Fault::Down(Down::TimedOut)), &state);
                }
            }
        });
    }
}

/// Runs a command on the connection.
async fn run(mut connection: MultiplexedConnection, command: Cmd, asking: bool) -> RedisResult<Value> {
    if !asking {
        return command.query_async(&mut connection).await;
    }
    // Both in one burst: it holds for the next command.
    let mut pipeline = Pipeline::new();
    pipeline.cmd("ASKING").add_command(command);
    let answers = connection.send_packed_commands(&pipeline, 0, 2).await?;
    answers.into_iter().nth(1).unwrap_or(Value::Nil).extract_error()
}

/// Sets the server's clock by its own answer.
async fn note_time(
    state: Arc<State>,
    sent: std::time::Instant,
    said: oneshot::Receiver<Result<Value, Fault>>,
) {
    if let Ok(Ok(Value::Array(time))) = said.await {
        let part = |at: usize| match time.get(at) {
            Some(Value::BulkString(digits)) => std::str::from_utf8(digits).ok()?.parse::<i64>().ok(),
            _ => None,
        };
        if let (Some(seconds), Some(micros)) = (part(0), part(1)) {
            state.learn_clock(seconds * 1_000_000 + micros, sent.elapsed());
        }
    }
}

/// Ends an operation.
fn end(
    done: RedisResult<Value>,
    caller: Caller,
    is_of_cluster: bool,
    state: &State,
    health: &Health,
    broken: &mpsc::UnboundedSender<Loss>,
) {
    health.note(false);
    let answered = done.map_err(|error| {
        if let Some(away) = away(&error).filter(|_| is_of_cluster) {
            return Fault::Away(away);
        }
        // Without the rights for messages, or for a look at the cluster, all operations go on.
        if caller.counted == Counted::Own && rights::missing(&error).is_some() {
            return Fault::Down(Down::Refused(said(&error)));
        }
        if is_lost(&error) {
            let _ = broken.send(Loss::of(&error));
            return Fault::Down(Down::Disconnected);
        }
        let why = said(&error);
        if state.refusals.passes(Moment::now()) {
            events::tier_refuses(&state.address(), &why);
        }
        let is_full = error.code() == Some("OOM");
        Fault::Down(if is_full { Down::Full(why) } else { Down::Refused(why) })
    });
    caller.end(answered, state);
}

/// Where a server of a cluster sends an operation with this answer.
pub(super) fn away(error: &RedisError) -> Option<Away> {
    let ErrorKind::Server(kind) = error.kind() else { return None };
    let to = || error.redirect_node().filter(|(address, _)| node::parts(address).is_some());
    match kind {
        ServerErrorKind::Moved => to().map(|(address, _)| Away::Moved(address.to_owned())),
        ServerErrorKind::Ask => to().map(|(address, _)| Away::Ask(address.to_owned())),
        ServerErrorKind::TryAgain => Some(Away::Later),
        ServerErrorKind::ClusterDown => Some(Away::Nowhere),
        _ => None,
    }
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
pub(in super::super) fn said(error: &RedisError) -> String {
    if matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::CrossSlot)) {
        return format!("{error}: it is one of a cluster, for which there is `Redis::cluster`");
    }
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
                order?.caller.end(Err(Fault::Down(Down::Disconnected)), state);
            }
        }
    }
}
