//! Whether replicas have what a server has answered: `WAIT`, on a connection of its own.
//!
//! `WAIT` keeps its connection busy until the replicas have answered, so no operation shares this one. It waits for the last
//! write of its own connection, which the server has done after all that was answered before. So a write of no meaning
//! goes first: a `PING` is none to a server since 7.2. Those who ask meanwhile share the next one.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::State;
use super::keep::said;
use crate::base::sync::Arc;
use crate::tier::{Down, Reply};

/// How many replicas are to have a change, and how that is found out.
pub(in super::super) struct Replicas {
    pub(in super::super) count: usize,
    /// A write of no meaning. `None`: no key of the server's own is known.
    pub(in super::super) mark: Box<dyn Fn() -> Option<Cmd> + Send + Sync>,
}

/// One who asks.
struct Question {
    /// The connection that has brought the answer, by its number.
    connection: u64,
    answer: oneshot::Sender<Result<(), Down>>,
}

/// Where questions go.
#[derive(Clone)]
pub(super) struct Questions(mpsc::UnboundedSender<Question>);

impl Questions {
    /// Answers questions until nobody can ask any more.
    pub(super) fn answered_by(replicas: Replicas, state: Arc<State>) -> Self {
        let (questions, asked) = mpsc::unbounded_channel();
        super::runtime().spawn(answer(replicas, asked, state));
        Self(questions)
    }

    /// Asks whether the replicas have all that was answered on the connection of this number.
    pub(super) fn ask(&self, connection: u64, limit: Duration) -> Reply<()> {
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(Question { connection, answer });
        // Where there are timers, whatever runtime the caller has. Another question may have to be answered first.
        let answered = super::runtime().spawn(timeout(limit.saturating_mul(2), answered));
        Box::pin(async move {
            match answered.await {
                Ok(Ok(Ok(answer))) => answer,
                Ok(Err(_)) => Err(Down::TimedOut),
                _ => Err(Down::Disconnected),
            }
        })
    }
}

/// The connection for it.
struct Own {
    /// The number of the link's connection to the same server.
    number: u64,
    connection: MultiplexedConnection,
    mark: Cmd,
}

async fn answer(replicas: Replicas, mut questions: mpsc::UnboundedReceiver<Question>, state: Arc<State>) {
    let (mut own, mut asked) = (None, Vec::new());
    while questions.recv_many(&mut asked, usize::MAX).await > 0 {
        let number = state.connection();
        let count = match number {
            Some(number) => count(&mut own, number, &replicas, &state).await,
            None => Err(Down::Disconnected),
        };
        if count.is_err() {
            // It may be of no use.
            own = None;
        }
        let answer = count.and_then(|count| replicas.enough(count, state.common.limit));
        let is_over = state.connection() != number;
        for Question { connection, answer: to } in asked.drain(..) {
            let is_another = is_over || number != Some(connection);
            let _ = to.send(if is_another { Err(Down::Disconnected) } else { answer.clone() });
        }
    }
}

impl Replicas {
    fn enough(&self, count: usize, within: Duration) -> Result<(), Down> {
        if count < self.count {
            return Err(Down::Refused(format!("{count} of {} have it after {within:?}", self.count)));
        }
        Ok(())
    }
}

/// How many replicas have all that the server has done until now. It waits for as many as are wanted.
async fn count(
    own: &mut Option<Own>,
    number: u64,
    replicas: &Replicas,
    state: &State,
) -> Result<usize, Down> {
    let limit = state.common.limit;
    let counted = async {
        if own.as_ref().is_none_or(|own| own.number != number) {
            *own = Some(connect(number, replicas, state).await?);
        }
        let Own { connection, mark, .. } = own.as_mut().ok_or(Down::Disconnected)?;
        let mut wait = redis::cmd("WAIT");
        // For 0 ms it would wait without end.
        wait.arg(replicas.count).arg(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1));
        let mut both = Pipeline::new();
        both.add_command(mark.clone()).add_command(wait);
        let answers = connection.send_packed_commands(&both, 0, 2).await.map_err(refused)?;
        let mut count = Value::Nil;
        for answer in answers {
            count = answer.extract_error().map_err(refused)?;
        }
        redis::from_redis_value(count).map_err(|error| refused(error.into()))
    };
    // A server that hangs does not answer at all.
    timeout(limit.saturating_mul(2), counted).await.unwrap_or(Err(Down::TimedOut))
}

async fn connect(number: u64, replicas: &Replicas, state: &State) -> Result<Own, Down> {
    let (Some(node), Some(mark)) = (state.node(), (replicas.mark)()) else { return Err(Down::Disconnected) };
    let connection = node.connect().await.map_err(refused)?;
    Ok(Own { number, connection, mark })
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` has it")]
fn refused(error: RedisError) -> Down {
    Down::Refused(said(&error))
}
