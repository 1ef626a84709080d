//! The queue: a stream with a group of consumers for each line.
//!
//! `cb1:q:{prefix:line}:s` is the stream, and beside it lie `:w`, the workers with their last heartbeats, `:n`, the
//! counters, and `:d`, the dead jobs. `cb1:q:prefix:%lines` has all lines with their last heartbeats. What no worker has
//! served for a week is gone. Jobs are read on a connection of
//! its own, because a read that waits would hold up everything else. A worker waits only if no line has a job, and then
//! for all lines at once.

#![cfg_attr(not(feature = "worker"), allow(dead_code))] // Without it, no process is a worker.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::answer::{bytes, number, number_of, unexpected};
use super::link::{self, AnyTime, Counted};
use super::scripts::{Script, text};
use super::servers::{Servers, down};
use super::tries::CONNECTING;
use super::{Connected, Inner};
use crate::base::process;
use crate::base::sync::Arc;
use crate::base::sync::plain::{Mutex as PlainMutex, lock};
use crate::rules::queue::{BOUND, HEARTBEAT, QueueFacts};
use crate::tier::codec::Encoding;
use crate::tier::queue::{DeadJob, Delivery, Ended, Line, Queue, QueueStatus, Room};
use crate::tier::{Down, Reply};

/// So many dead jobs are kept.
const DEAD: u32 = 100;
/// A consumer without a word and without a job is forgotten after so long.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// A worker that has found no abandoned job looks for one again after so long.
const SEARCH: Duration = Duration::from_secs(1);

/// A line that no worker has served for so long is gone, with all that is in it.
const ABANDONED: Duration = Duration::from_secs(7 * 86_400);

/// The scripts of the queue.
pub(super) struct Scripts {
    enqueue: Script,
    list: Script,
    beat: Script,
    leave: Script,
    claim: Script,
    take: Script,
    done: Script,
    give_back: Script,
    bury: Script,
    status: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            enqueue: Script::new(include_str!("scripts/queue/enqueue.lua")),
            list: Script::new(include_str!("scripts/queue/list.lua")),
            beat: Script::new(include_str!("scripts/queue/beat.lua")),
            leave: Script::new(include_str!("scripts/queue/leave.lua")),
            claim: Script::new(include_str!("scripts/queue/claim.lua")),
            take: Script::new(include_str!("scripts/queue/take.lua")),
            done: Script::new(include_str!("scripts/queue/done.lua")),
            give_back: Script::new(include_str!("scripts/queue/give_back.lua")),
            bury: Script::new(include_str!("scripts/queue/bury.lua")),
            status: Script::new(include_str!("scripts/queue/status.lua")),
        }
    }

    /// The commands that make them known to the server.
    pub(super) fn load(&self) -> Vec<Cmd> {
        let Self { enqueue, list, beat, leave, claim, take, done, give_back, bury, status } = self;
        [enqueue, list, beat, leave, claim, take, done, give_back, bury, status].map(Script::load).into()
    }
}

/// The connection on which a worker reads its jobs, once it has one, and its process.
pub(super) type Reader = Arc<Mutex<Option<(u32, MultiplexedConnection)>>>;

/// Where a worker goes on to take jobs.
#[derive(Default)]
pub(super) struct Turn {
    /// The line that it has served last. The next one is the first to be served again.
    line: PlainMutex<Option<Line>>,
    /// When it has last found no job that was abandoned.
    searched: PlainMutex<Option<Instant>>,
}

impl Turn {
    /// Whether abandoned jobs are to be looked for. The server looks at all jobs that are under way for it.
    fn searches(&self) -> bool {
        lock(&self.searched).is_none_or(|searched| searched.elapsed() >= SEARCH)
    }
}

/// A line as it is written into the set of all lines.
#[derive(Serialize, Deserialize)]
struct Listed {
    queue: String,
    function: String,
    instance: Option<String>,
    version: u64,
}

impl Listed {
    fn of(line: &Line) -> Self {
        let Line { queue, function, instance, version } = line;
        let instance = instance.as_deref().map(str::to_owned);
        Self { queue: queue.to_string(), function: function.to_string(), instance, version: *version }
    }

    fn line(self) -> Line {
        let Self { queue, function, instance, version } = self;
        Line { queue: queue.into(), function: function.into(), instance: instance.map(Into::into), version }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What a stream's entry holds: the job, and how many workers it had ended when it was given back.
fn fields(value: Value) -> Option<(Vec<u8>, u32)> {
    let Value::Array(fields) = value else { return None };
    let (mut job, mut ended) = (None, 0);
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        match &*bytes(name)? {
            b"job" => job = bytes(value),
            b"ended" => ended = String::from_utf8(bytes(value)?).ok()?.parse().unwrap_or(0),
            _ => {}
        }
    }
    Some((job.unwrap_or_default(), ended))
}

/// An entry of a stream, which was delivered so often since it came in. Whoever may write to the stream may write anything:
/// what has no job is a job without bytes, which nobody can run.
fn delivery(id: Value, entry: Value, deliveries: u32) -> Option<Delivery> {
    let id = String::from_utf8(bytes(id)?).ok()?;
    let (bytes, ended) = fields(entry).unwrap_or_default();
    Some(Delivery { id: id.into(), bytes, deliveries: deliveries.saturating_add(ended) })
}

impl Inner {
    fn asked(self: &Arc<Self>, command: Cmd) -> Reply<Value> {
        let Servers::One(link) = self.servers() else { return Box::pin(async { Err(Down::Disconnected) }) };
        // Not one of those after which the connection is given up: a user may have no right to streams.
        let sent = link.send(AnyTime(command), Counted::Own);
        Box::pin(async move { sent.await.map_err(down) })
    }

    fn told(self: &Arc<Self>, command: Cmd) -> Reply<()> {
        let answer = self.asked(command);
        Box::pin(async move { answer.await.map(drop) })
    }

    fn key(&self, line: &Line, what: char) -> String {
        let Line { queue, function, instance, version } = line;
        self.prefix.line(queue, function, instance.as_deref(), *version, what)
    }

    fn put(self: &Arc<Self>, line: &Line, job: Vec<u8>) -> Reply<QueueFacts> {
        let keys = [self.key(line, 's'), self.key(line, 'w')];
        let args = [text(millis(HEARTBEAT)), text(BOUND), job];
        let answer = self.asked(self.queue_scripts.enqueue.call(&keys, &args));
        Box::pin(async move {
            let Value::Array(facts) = answer.await? else { return Err(unexpected()) };
            let [seen, length] = &facts[..] else { return Err(unexpected()) };
            let worker_seen = u64::try_from(number_of(seen)?).ok().map(Duration::from_millis);
            Ok(QueueFacts { worker_seen, length: number(length)? })
        })
    }

    /// A job of a line that its worker has abandoned.
    async fn abandoned(self: &Arc<Self>, worker: &str, room: &Room) -> Result<Option<Delivery>, Down> {
        let keys = [self.key(&room.line, 's')];
        let args = [worker.as_bytes().to_vec(), text(millis(room.min_idle))];
        let Value::Array(job) = self.asked(self.queue_scripts.claim.call(&keys, &args)).await? else {
            return Err(unexpected());
        };
        let Ok([id, entry, deliveries]) = <[Value; 3]>::try_from(job) else { return Ok(None) };
        Ok(delivery(id, entry, u32::try_from(number(&deliveries)?).unwrap_or(u32::MAX)))
    }

    /// Takes jobs that nobody has had, from one line after the other, without waiting for any.
    async fn waiting(
        self: &Arc<Self>,
        worker: &str,
        rooms: &[Room],
        most: usize,
    ) -> Result<Vec<(Line, Delivery)>, Down> {
        let keys: Vec<_> = rooms.iter().map(|room| self.key(&room.line, 's')).collect();
        let mut args = vec![worker.into(), text(most)];
        args.extend(rooms.iter().map(|room| text(room.places)));
        let take = self.queue_scripts.take.call(&keys, &args);
        let Value::Array(jobs) = self.read(take, Duration::ZERO).await? else { return Err(unexpected()) };
        let job = |job| {
            let Value::Array(parts) = job else { return None };
            let [line, id, entry] = <[Value; 3]>::try_from(parts).ok()?;
            let room = rooms.get(usize::try_from(number(&line).ok()?).ok()?)?;
            Some((room.line.clone(), delivery(id, entry, 1)?))
        };
        Ok(jobs.into_iter().filter_map(job).collect())
    }

    /// Waits until a line has a job that nobody has had, and takes it. If several lines have one at once, it may take one
    /// of each.
    async fn next(
        self: &Arc<Self>,
        worker: &str,
        rooms: &[Room],
        wait: Duration,
    ) -> Result<Vec<(Line, Delivery)>, Down> {
        let keys: Vec<_> = rooms.iter().map(|room| self.key(&room.line, 's')).collect();
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg("workers").arg(worker).arg("COUNT").arg(1);
        // Zero would be for ever.
        read.arg("BLOCK").arg(millis(wait).max(1)).arg("STREAMS").arg(&keys);
        keys.iter().for_each(|_| {
            read.arg(">");
        });
        let answer = self.read(read, wait).await?;
        let streams = match answer {
            Value::Nil => return Ok(Vec::new()),
            Value::Array(streams) => streams,
            Value::Map(streams) => {
                streams.into_iter().map(|(name, entries)| Value::Array(vec![name, entries])).collect()
            }
            _ => return Err(unexpected()),
        };
        let mut taken = Vec::new();
        for stream in streams {
            let Value::Array(stream) = stream else { return Err(unexpected()) };
            let Ok([name, Value::Array(entries)]) = <[Value; 2]>::try_from(stream) else {
                return Err(unexpected());
            };
            let name = bytes(name).unwrap_or_default();
            let Some(at) = keys.iter().position(|key| key.as_bytes() == name) else { continue };
            for entry in entries {
                let Value::Array(entry) = entry else { return Err(unexpected()) };
                let Ok([id, fields]) = <[Value; 2]>::try_from(entry) else { return Err(unexpected()) };
                taken.extend(delivery(id, fields, 1).map(|job| (rooms[at].line.clone(), job)));
            }
        }
        Ok(taken)
    }

    /// Runs a command on the connection of its own. A connection on which anything fails, or that gives no answer in
    /// time, is not used again: the next command makes another one.
    async fn read(self: &Arc<Self>, command: Cmd, wait: Duration) -> Result<Value, Down> {
        let limit = wait + self.settings.timeout + CONNECTING;
        let node = match self.servers() {
            Servers::One(link) => link.node().ok_or(Down::Disconnected)?,
            Servers::Cluster(_) => return Err(Down::Disconnected),
        };
        let reader = Arc::clone(&self.reader);
        // On the runtime of links, and not given up with the answer: what is read there is to be run.
        let reading = link::runtime().spawn(async move {
            let mut held = reader.lock().await;
            let kept = held.take().filter(|(process, _)| *process == process::id());
            let asked = async {
                let connection = match kept {
                    Some((_, connection)) => connection,
                    None => node.connect().await?,
                };
                let answer: Value = command.query_async(&mut connection.clone()).await?;
                Ok::<_, RedisError>((connection, answer))
            };
            // The others wait for the lock, which a read that hangs is not to hold for ever.
            let (connection, answer) = match timeout(limit, asked).await {
                Ok(asked) => asked?,
                Err(_) => return Ok(None),
            };
            *held = Some((process::id(), connection));
            Ok::<_, RedisError>(Some(answer))
        });
        match reading.await {
            Ok(Ok(answer)) => answer.ok_or(Down::TimedOut),
            // The stream is made with the next heartbeat.
            Ok(Err(error)) if error.code() == Some("NOGROUP") => {
                tokio::time::sleep(wait).await;
                Ok(Value::Nil)
            }
            Ok(Err(error)) if error.is_io_error() => Err(Down::Disconnected),
            Ok(Err(error)) => Err(Down::Refused(error.to_string())),
            Err(_) => Err(Down::Disconnected),
        }
    }

    async fn line_status(self: &Arc<Self>, line: &Line) -> Result<QueueStatus, Down> {
        let keys = ['s', 'n', 'd', 'w'].map(|what| self.key(line, what));
        let args = [text(millis(HEARTBEAT))];
        let Value::Array(parts) = self.asked(self.queue_scripts.status.call(&keys, &args)).await? else {
            return Err(unexpected());
        };
        let [length, under_way, oldest, workers, rate, done, failed, dropped, now, Value::Array(dead)] =
            &parts[..]
        else {
            return Err(unexpected());
        };
        let now = number(now)?;
        let dead_job = |value: &Value| {
            let text = String::from_utf8(bytes(value.clone())?).ok()?;
            let (at, rest) = text.split_once(' ')?;
            let (deliveries, error) = rest.split_once(' ')?;
            let age = Duration::from_millis(now.saturating_sub(at.parse().ok()?));
            Some(DeadJob { age, deliveries: deliveries.parse().ok()?, error: error.to_owned() })
        };
        Ok(QueueStatus {
            tier: None,
            queue: line.queue.to_string(),
            function: line.function.to_string(),
            version: line.version,
            length: number(length)?,
            under_way: number(under_way)?,
            oldest: u64::try_from(number_of(oldest)?).ok().map(Duration::from_millis),
            workers: number(workers)?,
            ended_last_minute: number(rate)?,
            done: number(done)?,
            failed: number(failed)?,
            dropped: number(dropped)?,
            dead: dead.iter().filter_map(dead_job).collect(),
        })
    }
}

impl Queue for Connected {
    fn enqueue(&self, line: &Line, job: Vec<u8>) -> Reply<QueueFacts> {
        self.0.put(line, job)
    }

    fn facts(&self, line: &Line) -> Reply<QueueFacts> {
        self.0.put(line, Vec::new())
    }

    fn take(
        &self,
        worker: &str,
        rooms: &[Room],
        most: usize,
        wait: Duration,
    ) -> Reply<Vec<(Line, Delivery)>> {
        let (connected, worker, mut rooms) = (Self(Arc::clone(&self.0)), worker.to_owned(), rooms.to_vec());
        Box::pin(async move {
            let inner = &connected.0;
            let last = lock(&inner.turn.line).clone();
            let last = rooms.iter().position(|room| Some(&room.line) == last.as_ref());
            let first = last.map_or_else(|| fastrand::usize(..rooms.len().max(1)), |last| last + 1);
            rooms.rotate_left(first);
            rooms.retain(|room| room.places > 0);
            if rooms.is_empty() || most == 0 {
                return Ok(Vec::new());
            }
            if inner.turn.searches() {
                for room in &rooms {
                    // With no other: it may have ended its worker.
                    if let Some(job) = inner.abandoned(&worker, room).await? {
                        *lock(&inner.turn.line) = Some(room.line.clone());
                        return Ok(vec![(room.line.clone(), job)]);
                    }
                }
                *lock(&inner.turn.searched) = Some(Instant::now());
            }
            let mut taken = inner.waiting(&worker, &rooms, most).await?;
            if taken.is_empty() {
                taken = inner.next(&worker, &rooms, wait).await?;
            }
            let beyond = taken.split_off(taken.len().min(most));
            if let Some((line, _)) = taken.last() {
                *lock(&inner.turn.line) = Some(line.clone());
            }
            for (line, delivery) in beyond {
                // If that fails, it counts as abandoned after a while.
                let _ = connected.give_back(&line, &delivery).await;
            }
            Ok(taken)
        })
    }

    fn done(&self, line: &Line, id: &str, ended: Ended) -> Reply<()> {
        let keys = [self.0.key(line, 's'), self.0.key(line, 'n')];
        let lasts = text(millis(ABANDONED));
        let how = match ended {
            Ended::Done => "done",
            Ended::Failed => "failed",
            Ended::Dropped => "dropped",
        };
        self.0.told(self.0.queue_scripts.done.call(&keys, &[id.into(), how.into(), lasts]))
    }

    fn give_back(&self, line: &Line, delivery: &Delivery) -> Reply<()> {
        let Delivery { id, bytes, deliveries } = delivery;
        let args = [id.as_bytes().to_vec(), bytes.clone(), text(deliveries.saturating_sub(1))];
        self.0.told(self.0.queue_scripts.give_back.call(&[self.0.key(line, 's')], &args))
    }

    fn bury(&self, line: &Line, delivery: &Delivery, error: &str) -> Reply<()> {
        let keys = ['s', 'n', 'd'].map(|what| self.0.key(line, what));
        let Delivery { id, deliveries, .. } = delivery;
        let args =
            [id.as_bytes().to_vec(), text(DEAD), text(deliveries), error.into(), text(millis(ABANDONED))];
        self.0.told(self.0.queue_scripts.bury.call(&keys, &args))
    }

    fn beat(&self, worker: &str, lines: &[Line]) -> Reply<()> {
        let listed = |line| (Encoding::<Listed>::of().encode)(&Listed::of(line)).unwrap_or_default();
        let mut list = vec![text(millis(ABANDONED))];
        list.extend(lines.iter().map(listed));
        let mut answers = vec![self.0.told(self.0.queue_scripts.list.call(&[self.0.prefix.lines()], &list))];
        for line in lines {
            let keys = ['s', 'w', 'n', 'd'].map(|what| self.0.key(line, what));
            let args = [HEARTBEAT, FORGOTTEN, ABANDONED].map(|time| text(millis(time)));
            let args = [&[worker.into()], &args[..]].concat();
            answers.push(self.0.told(self.0.queue_scripts.beat.call(&keys, &args)));
        }
        all(answers)
    }

    fn leave(&self, worker: &str, lines: &[Line]) -> Reply<()> {
        let leave = |line: &Line| {
            let keys = [self.0.key(line, 's'), self.0.key(line, 'w')];
            self.0.told(self.0.queue_scripts.leave.call(&keys, &[worker.into()]))
        };
        all(lines.iter().map(leave).collect())
    }

    fn status(&self) -> Reply<Vec<QueueStatus>> {
        let inner = Arc::clone(&self.0);
        let mut members = redis::cmd("ZRANGE");
        members.arg(inner.prefix.lines()).arg(0).arg(-1);
        Box::pin(async move {
            let Value::Array(members) = inner.asked(members).await? else { return Err(unexpected()) };
            let line = |member| Some((Encoding::<Listed>::of().decode)(&bytes(member)?).ok()?.line());
            let mut lines: Vec<_> = members.into_iter().filter_map(line).collect();
            lines.sort();
            let mut status = Vec::new();
            for line in lines {
                status.push(inner.line_status(&line).await?);
            }
            Ok(status)
        })
    }
}

/// Waits for all of these, and returns the first error.
fn all(answers: Vec<Reply<()>>) -> Reply<()> {
    Box::pin(async move {
        for answer in answers {
            answer.await?;
        }
        Ok(())
    })
}
