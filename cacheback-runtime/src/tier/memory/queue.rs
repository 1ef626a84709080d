//! The queue of a [`Memory`]: the way to its state machine.

#![cfg_attr(not(feature = "worker"), allow(dead_code))] // Without it, no process is a worker.

use std::time::Duration;

use super::faults::Operation;
use super::{Memory, Server};
use crate::base::clock::Moment;
use crate::base::sync::Arc;
use crate::base::tasks::{first, sleep};
use crate::rules::queue::{QueueFacts, hands_over};
use crate::tier::Reply;
use crate::tier::queue::{Delivery, Ended, Line, Queue, QueueStatus, Room};

impl Memory {
    /// A change of the queues, which takes effect at once.
    fn change(&self, work: impl FnOnce(&mut Server, Moment) + Send + 'static) -> Reply<()> {
        self.send(Operation::Queue, work)
    }
}

impl Queue for Memory {
    fn enqueue(&self, line: &Line, job: Vec<u8>) -> Reply<QueueFacts> {
        let (line, jobs) = (line.clone(), Arc::clone(&self.jobs));
        self.send(Operation::Enqueue, move |server, now| {
            let facts = server.queues.enqueue(now, &line, job);
            if hands_over(Some(facts)).is_ok() {
                jobs.notify_waiters();
            }
            facts
        })
    }

    fn facts(&self, line: &Line) -> Reply<QueueFacts> {
        let line = line.clone();
        self.send(Operation::Queue, move |server, now| server.queues.facts(now, &line))
    }

    fn take(&self, _: &str, rooms: &[Room], most: usize, wait: Duration) -> Reply<Vec<(Line, Delivery)>> {
        let (memory, rooms) = (self.clone(), rooms.to_vec());
        Box::pin(async move {
            let notified = memory.jobs.notified();
            let look = |rooms: Vec<Room>| {
                memory.send(Operation::Queue, move |server, now| server.queues.take(now, &rooms, most))
            };
            let taken = look(rooms.clone()).await?;
            if !taken.is_empty() || wait.is_zero() {
                return Ok(taken);
            }
            let _ = first(Box::pin(notified), Box::pin(sleep(wait))).await;
            look(rooms).await
        })
    }

    fn done(&self, line: &Line, id: &str, ended: Ended) -> Reply<()> {
        let (line, id) = (line.clone(), id.to_owned());
        self.change(move |server, now| server.queues.done(now, &line, &id, ended))
    }

    fn give_back(&self, line: &Line, delivery: &Delivery) -> Reply<()> {
        let (line, delivery, jobs) = (line.clone(), delivery.clone(), Arc::clone(&self.jobs));
        self.change(move |server, _| {
            server.queues.give_back(&line, &delivery);
            jobs.notify_waiters();
        })
    }

    fn bury(&self, line: &Line, delivery: &Delivery, error: &str) -> Reply<()> {
        let (line, delivery, error) = (line.clone(), delivery.clone(), error.to_owned());
        self.change(move |server, now| server.queues.bury(now, &line, &delivery, &error))
    }

    fn beat(&self, worker: &str, lines: &[Line]) -> Reply<()> {
        let (worker, lines) = (worker.to_owned(), lines.to_vec());
        self.change(move |server, now| server.queues.beat(now, &worker, &lines))
    }

    fn leave(&self, worker: &str, lines: &[Line]) -> Reply<()> {
        let (worker, lines) = (worker.to_owned(), lines.to_vec());
        self.change(move |server, _| server.queues.leave(&worker, &lines))
    }

    fn status(&self) -> Reply<Vec<QueueStatus>> {
        self.send(Operation::Queue, |server, now| server.queues.status(now))
    }
}
