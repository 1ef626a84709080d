//! The queue: jobs on their way to the rows of the file, and to the workers of this machine.
//!
//! A worker looks at the file when it was changed, which the ear notices, and takes a job in a transaction. Of two that
//! have seen a job one gets it.

#![cfg_attr(not(feature = "worker"), allow(dead_code))] // Without it, no process is a worker.

use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use super::jobs::{self, Put};
use super::link::{Concerns, Link};
use super::room::Size;
use super::{File, no_place};
use crate::base::clock::{Moment, nanos};
use crate::base::sync::Arc;
use crate::base::sync::plain::lock;
use crate::base::tasks::{first, sleep};
use crate::rules::queue::QueueFacts;
use crate::tier::queue::{Delivery, Ended, Line, Queue, QueueStatus, Room};
use crate::tier::{Down, Reply, Token};

/// Why a job is not taken.
const FULL: &str = "its jobs have all the room that they may have";

impl File {
    /// A change of the queue.
    fn told(
        &self,
        rows: usize,
        step: impl FnOnce(&rusqlite::Connection, Moment) -> rusqlite::Result<()> + Send + 'static,
    ) -> Reply<()> {
        let size = Size { rows: rows.max(1) as u64, ..Size::SMALL };
        self.change(Concerns::Jobs, size, move |store, place| step(&store.db, place.now).map(Ok))
    }

    /// A look at the queue.
    fn asked<T: Send + 'static>(
        &self,
        look: impl FnOnce(&rusqlite::Connection, Moment) -> rusqlite::Result<T> + Send + 'static,
    ) -> Reply<T> {
        match self.link() {
            Some(link) => link.ask(look),
            None => Box::pin(ready(Err(Down::Disconnected))),
        }
    }
}

/// Takes jobs, if there are any now.
async fn take(link: &Link, rooms: &[Room], most: usize) -> Result<Vec<(Line, Delivery)>, Down> {
    let shared = &link.shared;
    let unanswered = shared.takes.take_unanswered();
    let looked = rooms.to_vec();
    if unanswered.is_empty() && !link.ask(move |db, now| jobs::has_any(db, now, &looked)).await? {
        return Ok(Vec::new());
    }
    let most = most.min(usize::try_from(shared.room().step()).unwrap_or(1));
    let size = Size { rows: (most + unanswered.len()) as u64, ..Size::SMALL };
    // One that has got no answer is tried again by the same number: what it has brought is put back first.
    let holder = unanswered.first().copied().unwrap_or_else(|| Token::random().0);
    let (rooms, put_back) = (rooms.to_vec(), unanswered.clone());
    let turns = Arc::clone(shared);
    let taken = link.change(Concerns::Jobs, size, move |store, place| {
        put_back.iter().try_for_each(|holder| jobs::put_back(&store.db, *holder))?;
        let turn = &mut *lock(&turns.takes.turn);
        jobs::take(&store.db, place.now, (&rooms, most), turn, holder).map(Ok)
    });
    let taken = taken.await;
    if taken.is_err() {
        // It may have happened all the same.
        let this = Some(holder).filter(|holder| !unanswered.contains(holder));
        shared.takes.unanswered(unanswered.into_iter().chain(this));
    }
    taken
}

impl Queue for File {
    fn enqueue(&self, line: &Line, job: Vec<u8>) -> Reply<QueueFacts> {
        let Some(link) = self.link() else { return Box::pin(ready(Err(Down::Disconnected))) };
        let (line, shared, room) = (line.clone(), Arc::clone(&link.shared), link.shared.room().for_jobs());
        let size = Size { bytes: job.len() as u64, ..Size::SMALL };
        link.change(Concerns::Jobs, size, move |store, place| {
            if !place.is_there {
                return Ok(Err(no_place()));
            }
            Ok(match jobs::enqueue(&store.db, place.now, &line, &job, room)? {
                Put::As(facts) => {
                    shared.takes.put();
                    Ok(facts)
                }
                Put::NoRoom => {
                    shared.refused(FULL);
                    Err(Down::Full(FULL.to_owned()))
                }
            })
        })
    }

    fn facts(&self, line: &Line) -> Reply<QueueFacts> {
        let line = line.clone();
        self.asked(move |db, now| jobs::facts(db, now, &line))
    }

    fn take(&self, _: &str, rooms: &[Room], most: usize, wait: Duration) -> Reply<Vec<(Line, Delivery)>> {
        let Some(link) = self.link() else { return Box::pin(ready(Err(Down::Disconnected))) };
        let (link, rooms) = (Arc::clone(link), rooms.to_vec());
        Box::pin(async move {
            let takes = &link.shared.takes;
            let _waiting = takes.wait();
            let until = Moment::now().plus(nanos(wait));
            loop {
                let changed = takes.looked();
                let taken = take(&link, &rooms, most).await?;
                let left = until.since(Moment::now());
                if !taken.is_empty() || left == 0 {
                    return Ok(taken);
                }
                let _ = first(pin!(changed), pin!(sleep(Duration::from_nanos(left)))).await;
            }
        })
    }

    fn done(&self, line: &Line, id: &str, ended: Ended) -> Reply<()> {
        let (line, id) = (line.clone(), id.to_owned());
        self.told(1, move |db, now| jobs::done(db, now, &line, &id, ended))
    }

    fn give_back(&self, line: &Line, delivery: &Delivery) -> Reply<()> {
        let (line, delivery) = (line.clone(), delivery.clone());
        self.told(1, move |db, _| jobs::give_back(db, &line, &delivery))
    }

    fn bury(&self, line: &Line, delivery: &Delivery, error: &str) -> Reply<()> {
        let (line, delivery, error) = (line.clone(), delivery.clone(), error.to_owned());
        self.told(1, move |db, now| jobs::bury(db, now, &line, &delivery, &error))
    }

    fn beat(&self, worker: &str, lines: &[Line]) -> Reply<()> {
        let (worker, lines) = (worker.to_owned(), lines.to_vec());
        // They lie side by side.
        self.told(lines.len() / 16, move |db, now| jobs::beat(db, now, &worker, &lines))
    }

    fn leave(&self, worker: &str, lines: &[Line]) -> Reply<()> {
        let (worker, lines) = (worker.to_owned(), lines.to_vec());
        self.told(lines.len() / 16, move |db, _| jobs::leave(db, &worker, &lines))
    }

    fn status(&self) -> Reply<Vec<QueueStatus>> {
        self.asked(jobs::status)
    }
}
