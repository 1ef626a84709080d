//! A queue as a state machine: what each operation makes of its lines.
//!
//! Nothing here reads a clock, takes a lock or waits.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use super::rate::Rate;
use super::turns::{Beside, Next, take_turns};
use super::{DeadJob, Delivery, Ended, Line, QueueStatus, Room};
use crate::base::clock::{Moment, nanos};
use crate::rules::queue::{HEARTBEAT, QueueFacts, hands_over};

/// So many jobs are kept that are not run any more.
const DEAD: usize = 100;

/// All lines of one queue server.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    lines: BTreeMap<Line, Jobs>,
    /// The number of the next job.
    next: u64,
    /// The line that was served last.
    turn: Option<Line>,
}

/// The jobs of one line.
#[derive(Debug, Default)]
struct Jobs {
    waiting: VecDeque<Waiting>,
    taken: BTreeMap<u64, Taken>,
    /// When each worker was last seen.
    workers: HashMap<Box<str>, Moment>,
    dead: VecDeque<Dead>,
    ended: [u64; 3],
    rate: Rate,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    bytes: Vec<u8>,
    /// Earlier deliveries that count.
    deliveries: u32,
    since: Moment,
}

#[derive(Debug)]
struct Taken {
    bytes: Vec<u8>,
    deliveries: u32,
    since: Moment,
    enqueued: Moment,
}

#[derive(Debug)]
struct Dead {
    deliveries: u32,
    error: Box<str>,
    at: Moment,
}

impl Jobs {
    fn facts(&self, now: Moment) -> QueueFacts {
        let seen = self.workers.values().max();
        QueueFacts {
            worker_seen: seen.map(|seen| Duration::from_nanos(now.since(*seen))),
            length: self.waiting.len() as u64,
        }
    }

    fn count(&mut self, ended: Ended, now: Moment) {
        self.ended[ended as usize] += 1;
        self.rate = self.rate.ended(now);
    }

    /// The next job that its worker has abandoned, else the next that waits. `beside` others, none that was delivered before.
    fn next(&mut self, now: Moment, min_idle: Duration, beside: Beside) -> Next {
        let is_abandoned = |taken: &Taken| now.since(taken.since) >= nanos(min_idle);
        if let Some((id, taken)) = self.taken.iter_mut().find(|(_, taken)| is_abandoned(taken)) {
            if beside == Beside::Others {
                return Next::Redelivered;
            }
            taken.since = now;
            taken.deliveries += 1;
            let Taken { bytes, deliveries, .. } = &*taken;
            return Next::Job(Delivery {
                id: id.to_string().into(),
                bytes: bytes.clone(),
                deliveries: *deliveries,
            });
        }
        if beside == Beside::Others && self.waiting.front().is_some_and(|job| job.deliveries > 0) {
            return Next::Redelivered;
        }
        let Some(job) = self.waiting.pop_front() else { return Next::Nothing };
        let Waiting { id, bytes, deliveries, since } = job;
        let deliveries = deliveries + 1;
        self.taken.insert(id, Taken { bytes: bytes.clone(), deliveries, since: now, enqueued: since });
        Next::Job(Delivery { id: id.to_string().into(), bytes, deliveries })
    }
}

impl Queues {
    fn jobs(&mut self, line: &Line) -> &mut Jobs {
        self.lines.entry(line.clone()).or_default()
    }

    pub(crate) fn facts(&self, now: Moment, line: &Line) -> QueueFacts {
        let nothing = QueueFacts { worker_seen: None, length: 0 };
        self.lines.get(line).map_or(nothing, |jobs| jobs.facts(now))
    }

    /// Puts a job at the end of its line, if it may be handed over. The facts are those from before.
    pub(crate) fn enqueue(&mut self, now: Moment, line: &Line, bytes: Vec<u8>) -> QueueFacts {
        let facts = self.facts(now, line);
        if hands_over(Some(facts)).is_ok() {
            self.next += 1;
            let id = self.next;
            self.jobs(line).waiting.push_back(Waiting { id, bytes, deliveries: 0, since: now });
        }
        facts
    }

    /// Jobs for a worker, as many as it has places at most.
    pub(crate) fn take(&mut self, now: Moment, rooms: &[Room], most: usize) -> Vec<(Line, Delivery)> {
        let Self { lines, turn, .. } = self;
        let next = |room: &Room, beside| {
            let jobs = lines.get_mut(&room.line);
            Ok::<_, Infallible>(jobs.map_or(Next::Nothing, |jobs| jobs.next(now, room.min_idle, beside)))
        };
        take_turns(rooms, most, turn, next).unwrap_or_else(|never| match never {})
    }

    pub(crate) fn done(&mut self, now: Moment, line: &Line, id: &str, ended: Ended) {
        let jobs = self.jobs(line);
        // One that was given to another worker meanwhile has ended, too: its key says so.
        if id.parse().is_ok_and(|id: u64| jobs.taken.remove(&id).is_some()) {
            jobs.count(ended, now);
        }
    }

    pub(crate) fn give_back(&mut self, line: &Line, delivery: &Delivery) {
        let jobs = self.jobs(line);
        let Ok(id) = delivery.id.parse() else { return };
        let Some(Taken { bytes, deliveries, enqueued, .. }) = jobs.taken.remove(&id) else { return };
        let deliveries = deliveries.saturating_sub(1);
        jobs.waiting.push_front(Waiting { id, bytes, deliveries, since: enqueued });
    }

    pub(crate) fn bury(&mut self, now: Moment, line: &Line, delivery: &Delivery, error: &str) {
        let jobs = self.jobs(line);
        let is_ours = delivery.id.parse().is_ok_and(|id: u64| jobs.taken.remove(&id).is_some());
        if !is_ours {
            return;
        }
        jobs.count(Ended::Dropped, now);
        if jobs.dead.len() == DEAD {
            jobs.dead.pop_front();
        }
        jobs.dead.push_back(Dead { deliveries: delivery.deliveries, error: error.into(), at: now });
    }

    pub(crate) fn beat(&mut self, now: Moment, worker: &str, lines: &[Line]) {
        for line in lines {
            let workers = &mut self.jobs(line).workers;
            workers.retain(|_, seen| now.since(*seen) < nanos(HEARTBEAT));
            workers.insert(worker.into(), now);
        }
    }

    pub(crate) fn leave(&mut self, worker: &str, lines: &[Line]) {
        for line in lines {
            self.jobs(line).workers.remove(worker);
        }
    }

    pub(crate) fn status(&self, now: Moment) -> Vec<QueueStatus> {
        let since = |moment: Moment| Duration::from_nanos(now.since(moment));
        let status = |(line, jobs): (&Line, &Jobs)| {
            let lives = |seen: &&Moment| now.since(**seen) < nanos(HEARTBEAT);
            let [done, failed, dropped] = jobs.ended;
            let dead = |Dead { deliveries, error, at }: &Dead| DeadJob {
                age: since(*at),
                deliveries: *deliveries,
                error: error.to_string(),
            };
            QueueStatus {
                tier: None,
                queue: line.queue.to_string(),
                function: line.function.to_string(),
                version: line.version,
                length: jobs.waiting.len() as u64,
                under_way: jobs.taken.len() as u64,
                oldest: jobs.waiting.iter().map(|job| since(job.since)).max(),
                workers: jobs.workers.values().filter(lives).count() as u64,
                ended_last_minute: jobs.rate.count(now),
                done,
                failed,
                dropped,
                dead: jobs.dead.iter().map(dead).collect(),
            }
        };
        self.lines.iter().map(status).collect()
    }
}

#[cfg(all(test, not(cacheback_shuttle)))]
mod tests;
