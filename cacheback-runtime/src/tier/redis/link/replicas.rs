//! Whether replicas have what a server has answered: `WAIT`, on a connection of its own.
//!
//! `WAIT` keeps its connection busy until the replicas have answered, so no operation shares this one. It waits for the
//! last write of its own connection (since Redis 7.2, a command that writes nothing does not count). So a mark is written
//! first, after all that the server has answered before. In a cluster the mark lies in the slot of the changed key: a
//! server that has handed the slot over, or is about to, refuses it. Those who ask meanwhile share the next `WAIT`.
//!
//! The connection is made as soon as the link has one, and must lead to the same server: what is written over one is read
//! over the other.

use std::sync::Weak;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::super::tries::CONNECTING;
use super::keep::{HEARTBEAT, away, said};
use super::{AnyTime, Counted, Link};
use crate::base::clock::Moment;
use crate::events::{self, RateLimit};
use crate::tier::{Down, Reply, Token};

/// A mark lasts for so many milliseconds.
const LASTS: u64 = 1_000;

/// How many replicas are to have a change, and how their server is known.
pub(in super::super) struct Replicas {
    pub(in super::super) count: usize,
    /// A key of the server's own. `None`: it has none, or is gone.
    pub(in super::super) own_key: Box<dyn Fn() -> Option<String> + Send + Sync>,
}

/// One who asks.
struct Question {
    /// The connection that has brought the answer, by its number.
    connection: u64,
    /// The key to be written.
    mark: String,
    answer: oneshot::Sender<Result<(), Down>>,
}

/// Where questions go.
pub(super) struct Questions(mpsc::UnboundedSender<Question>);

impl Questions {
    /// Answers questions as long as there is the link.
    pub(super) fn answered_by(replicas: Replicas, link: Weak<Link>) -> Self {
        let (questions, asked) = mpsc::unbounded_channel();
        super::runtime().spawn(answer(replicas, asked, link));
        Self(questions)
    }

    /// Asks whether the replicas have all that was answered on the connection of this number.
    pub(super) fn ask(&self, connection: u64, mark: String, limit: Duration) -> Reply<()> {
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(Question { connection, mark, answer });
        // The questions of others may have to be answered first.
        let patience = limit.mul_f64(2.5);
        // Where there are timers, whatever runtime the caller has.
        let answered = super::runtime().spawn(async move { timeout(patience, answered).await });
        Box::pin(async move {
            match answered.await {
                Ok(Ok(Ok(answer))) => answer,
                Ok(Err(_)) => Err(Down::TimedOut),
                _ => Err(Down::Disconnected),
            }
        })
    }
}

async fn answer(replicas: Replicas, mut questions: mpsc::UnboundedReceiver<Question>, link: Weak<Link>) {
    let (mut own, mut asked, said) = (None, Vec::new(), RateLimit::default());
    // An idle connection is tried so often, and one that is missing is made.
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            count = questions.recv_many(&mut asked, usize::MAX) => if count == 0 { return },
            _ = heartbeat.tick() => {}
        }
        let Some(link) = link.upgrade() else { return };
        // Nobody waits for the others any more.
        asked.retain(|question| !question.answer.is_closed());
        let mut marks: Vec<_> = asked.iter().map(|question| &*question.mark).collect();
        marks.sort_unstable();
        marks.dedup();
        let (number, answered) = ask(&mut own, &replicas, &link, marks).await;
        // What was answered before the connection was lost may be lost with its server.
        let is_over = number.is_none() || link.connection() != number;
        for Question { connection, mark, answer } in asked.drain(..) {
            let is_its_own = !is_over && number == Some(connection);
            let told = match &answered {
                Ok(answered) if is_its_own => answered.of(&mark, &replicas),
                Err(down) if is_its_own => Err(down.clone()),
                _ => Err(Down::Disconnected),
            };
            if let (Err(why), true) = (&told, said.passes_each_minute(Moment::now())) {
                events::change_unconfirmed(&link.address(), &why.to_string());
            }
            let _ = answer.send(told);
        }
    }
}

/// Asks the server of the link's connection, whose number is returned. Without marks it is only tried.
async fn ask(
    own: &mut Option<Own>,
    replicas: &Replicas,
    link: &Link,
    marks: Vec<&str>,
) -> (Option<u64>, Result<Answered, Down>) {
    let Some(number) = link.connection() else { return (None, Err(Down::Disconnected)) };
    let limit = link.state.common.limit;
    let asked = async {
        loop {
            let is_new = own.as_ref().is_none_or(|own| own.number != number);
            if is_new {
                let connecting = timeout(CONNECTING, Own::connect(number, replicas, link));
                *own = Some(connecting.await.unwrap_or(Err(Down::TimedOut))?);
            }
            let Own { connection, .. } = own.as_mut().ok_or(Down::Disconnected)?;
            let asked = Answered::ask(connection, &marks, replicas.count, limit);
            // A server that hangs does not answer at all.
            match timeout(limit.saturating_mul(2), asked).await.unwrap_or(Err(Down::TimedOut)) {
                Ok(answered) => return Ok(answered),
                // It is broken. What a server refuses is part of its answer.
                Err(down) => {
                    *own = None;
                    // It may have been closed a while ago.
                    if is_new || down == Down::TimedOut {
                        return Err(down);
                    }
                }
            }
        }
    };
    (Some(number), asked.await)
}

/// The connection for it.
struct Own {
    /// The number of the link's connection to the same server.
    number: u64,
    connection: MultiplexedConnection,
}

impl Own {
    async fn connect(number: u64, replicas: &Replicas, link: &Link) -> Result<Self, Down> {
        let (Some(node), Some(key)) = (link.node(), (replicas.own_key)()) else {
            return Err(Down::Disconnected);
        };
        let mut connection = node.connect().await.map_err(refused)?;
        let token = Token::random();
        mark(&key, token).exec_async(&mut connection).await.map_err(refused)?;
        let mut read = redis::cmd("GET");
        read.arg(&key);
        let is_same = match link.send(AnyTime(read), Counted::Own).await {
            Ok(Value::BulkString(read)) => read == token.0.to_string().as_bytes(),
            _ => false,
        };
        // A name that leads to another server by now, say.
        if is_same { Ok(Self { number, connection }) } else { Err(Down::Disconnected) }
    }
}

/// What a server has said.
struct Answered {
    /// The marks that it has refused, and why.
    refused: Vec<(String, Down)>,
    /// How many replicas have all the others.
    replicas: Result<usize, Down>,
    within: Duration,
}

impl Answered {
    async fn ask(
        connection: &mut MultiplexedConnection,
        marks: &[&str],
        count: usize,
        within: Duration,
    ) -> Result<Self, Down> {
        if marks.is_empty() {
            // A command that the user has the right for.
            redis::cmd("TIME").exec_async(connection).await.map_err(refused)?;
            return Ok(Self { refused: Vec::new(), replicas: Ok(count), within });
        }
        let (token, mut all) = (Token::random(), Pipeline::new());
        for key in marks {
            all.add_command(mark(key, token));
        }
        // For 0 ms it would wait without end.
        let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
        all.cmd("WAIT").arg(count).arg(millis);
        let answers = connection.send_packed_commands(&all, 0, marks.len() + 1).await.map_err(refused)?;
        let mut answers = answers.into_iter().map(|answer| answer.extract_error().map_err(refused_mark));
        let refused = marks.iter().zip(answers.by_ref()).filter_map(|(mark, answer)| {
            let why = answer.err()?;
            Some(((*mark).to_owned(), why))
        });
        let refused = refused.collect();
        let replicas = answers.next().unwrap_or(Err(Down::Disconnected)).and_then(|count| {
            redis::from_redis_value(count).map_err(|error| Down::Refused(said(&error.into())))
        });
        Ok(Self { refused, replicas, within })
    }

    /// The answer to the question of this mark.
    fn of(&self, mark: &str, wanted: &Replicas) -> Result<(), Down> {
        if let Some((_, why)) = self.refused.iter().find(|(refused, _)| refused == mark) {
            return Err(why.clone());
        }
        match self.replicas.clone()? {
            count if count < wanted.count => {
                Err(Down::Refused(format!("{count} of {} have it after {:?}", wanted.count, self.within)))
            }
            _ => Ok(()),
        }
    }
}

fn mark(key: &str, token: Token) -> Cmd {
    let mut mark = redis::cmd("SET");
    mark.arg(key).arg(token.0).arg("PX").arg(LASTS);
    mark
}

fn refused_mark(error: RedisError) -> Down {
    if away(&error).is_some() {
        return Down::Refused("its keys are moving to another server".to_owned());
    }
    refused(error)
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` has it")]
fn refused(error: RedisError) -> Down {
    Down::Refused(said(&error))
}
