//! A queue of the user's own, in the place of the tier's.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheback::shared::{
    Delivery, Ended, Line, LineState, Memory, Queue, QueueError, QueueStatus, Room, queues,
};
use tokio::time::{Instant, sleep};

use super::{Log, report, serves, stale, stale_read, start, worked};
use crate::fleet::{Process, hear, wait};
use crate::support::Source;

/// How the queue fares.
const WORKS: u8 = 0;
const FAILS: u8 = 1;
const PANICS: u8 = 2;
const HANGS: u8 = 3;
/// It does not say how it fares.
const SILENT: u8 = 4;

#[derive(Default)]
struct State {
    waiting: VecDeque<(Line, Delivery)>,
    taken: Vec<(Line, Delivery)>,
    ended: Vec<Ended>,
    seen: Option<Instant>,
    next: u64,
}

/// Jobs in memory, with what the smallest implementation has.
#[derive(Clone, Default)]
struct Jobs {
    state: Arc<Mutex<State>>,
    fares: Arc<AtomicU8>,
    puts: Arc<AtomicU64>,
}

impl Jobs {
    async fn fare(&self) -> Result<(), QueueError> {
        match self.fares.load(Ordering::SeqCst) {
            FAILS => Err(Box::new(std::io::Error::other(std::io::Error::other("the disk is gone")))),
            PANICS => panic!("in the queue"),
            HANGS => pending().await,
            _ => Ok(()),
        }
    }
}

impl Queue for Jobs {
    async fn put(&self, line: &Line, job: Vec<u8>) -> Result<(), QueueError> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.lock().unwrap();
        state.next += 1;
        let delivery = Delivery { id: state.next.to_string().into(), bytes: job, deliveries: 0 };
        state.waiting.push_back((line.clone(), delivery));
        Ok(())
    }

    async fn state(&self, line: &Line) -> Result<LineState, QueueError> {
        self.fare().await?;
        let state = self.state.lock().unwrap();
        let length = state.waiting.iter().filter(|(own, _)| own == line).count() as u64;
        Ok(LineState { length, worker_seen: state.seen.map(|seen| seen.elapsed()) })
    }

    async fn take(
        &self,
        _worker: &str,
        rooms: &[Room],
        most: usize,
        wait: Duration,
    ) -> Result<Vec<(Line, Delivery)>, QueueError> {
        let until = Instant::now() + wait;
        loop {
            self.fare().await?;
            let mut taken = Vec::new();
            for room in rooms {
                let mut state = self.state.lock().unwrap();
                while taken.len() < most.min(room.places) {
                    let Some(at) = state.waiting.iter().position(|(line, _)| *line == room.line) else {
                        break;
                    };
                    let (line, mut delivery) = state.waiting.remove(at).unwrap();
                    delivery.deliveries += 1;
                    state.taken.push((line.clone(), delivery.clone()));
                    taken.push((line, delivery));
                }
            }
            if !taken.is_empty() || Instant::now() >= until {
                return Ok(taken);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn done(&self, _line: &Line, id: &str, ended: Ended) -> Result<(), QueueError> {
        let mut state = self.state.lock().unwrap();
        state.taken.retain(|(_, delivery)| *delivery.id != *id);
        state.ended.push(ended);
        Ok(())
    }

    async fn give_back(&self, line: &Line, delivery: &Delivery) -> Result<(), QueueError> {
        let mut state = self.state.lock().unwrap();
        state.taken.retain(|(_, own)| own.id != delivery.id);
        let delivery = Delivery { deliveries: delivery.deliveries - 1, ..delivery.clone() };
        state.waiting.push_front((line.clone(), delivery));
        Ok(())
    }

    async fn beat(&self, _worker: &str, _lines: &[Line]) -> Result<(), QueueError> {
        self.state.lock().unwrap().seen = Some(Instant::now());
        Ok(())
    }

    async fn status(&self) -> Result<Vec<QueueStatus>, QueueError> {
        self.fare().await?;
        if self.fares.load(Ordering::SeqCst) == SILENT {
            pending::<()>().await;
        }
        let mut status = QueueStatus::default();
        status.length = self.state.lock().unwrap().waiting.len() as u64;
        Ok(vec![status])
    }
}

/// Two processes with one tier and one queue of their own. The order in which they are set does not matter.
fn fleet(jobs: &Jobs) -> [Process; 2] {
    let memory = Memory::new();
    [
        Process::new(|configure| configure.shared(memory.clone()).queue(jobs.clone())),
        Process::new(|configure| configure.queue(jobs.clone()).shared(memory.clone())),
    ]
}

#[test]
fn a_queue_of_ones_own_takes_the_place_of_the_tiers() {
    let jobs = Jobs::default();
    let processes = fleet(&jobs);
    let [web, back] = &processes;
    let (here, there) = (Source::open(), Source::open());
    let running = start(back, serves(report::cache(), &there));
    stale(&processes, &here, 1);
    wait(&processes, 1);
    stale_read(web, &here, 1);
    assert_eq!(jobs.state.lock().unwrap().waiting.len(), 1);
    let [line] = web.run(queues).unwrap().try_into().unwrap();
    assert_eq!((line.tier, line.length), (None, 1));
    for _ in 0..3 {
        wait(&processes, 1);
        hear(&processes);
    }
    assert_eq!((here.runs(), there.runs()), (1, 1));
    assert_eq!(jobs.state.lock().unwrap().ended, [Ended::Done]);
    assert_eq!(web.run(|| async { report::cache().stats().queued }), 1);
    assert_eq!(running.stop(back), worked(1, 0, 0));
}

/// What is longest in doubt is given up after five seconds. Nobody waits for that.
#[test]
fn a_queue_that_fails_is_no_outage() {
    for fares in [FAILS, PANICS, HANGS] {
        let (log, _guard) = Log::capture();
        let jobs = Jobs::default();
        let processes = fleet(&jobs);
        let [web, back] = &processes;
        let (here, there) = (Source::open(), Source::open());
        let running = start(back, serves(report::cache(), &there));
        stale(&processes, &here, 1);
        jobs.fares.store(fares, Ordering::SeqCst);
        stale_read(web, &here, 1);
        wait(&processes, 6);
        assert_eq!((here.runs(), there.runs(), jobs.puts.load(Ordering::SeqCst)), (2, 0, 0), "{fares}");
        let told = ["", "the disk is gone", "it has panicked: in the queue", "it did not answer in time"];
        let told = format!(" why=\"{}\"", told[usize::from(fares)]);
        assert_eq!(log.count("refreshes are not handed to workers, and run in this process"), 1);
        wait(&processes, 6);
        assert_eq!(log.count("the queue gives no answer: the worker tries again"), 1, "{}", log.text());
        assert!(log.count(&told) >= 1, "{told}: {}", log.text());
        assert!(web.run(queues).is_err());
        // And it goes on as soon as there is one.
        jobs.fares.store(WORKS, Ordering::SeqCst);
        wait(&processes, 8);
        stale_read(web, &here, 1);
        for _ in 0..3 {
            wait(&processes, 1);
            hear(&processes);
        }
        assert_eq!((here.runs(), there.runs()), (2, 1), "{fares}");
        assert_eq!(running.stop(back), worked(1, 0, 0));
    }
}

/// What is said of it in the log is not worth more than a second.
#[test]
fn a_queue_that_does_not_say_what_is_served_delays_no_refresh_for_long() {
    let jobs = Jobs::default();
    jobs.fares.store(SILENT, Ordering::SeqCst);
    let processes = fleet(&jobs);
    let [web, _] = &processes;
    let here = Source::open();
    assert_eq!(web.run(|| report(&here, 1)), Ok(0));
    assert_eq!(here.runs(), 0);
    wait(&processes, 1);
    assert_eq!(here.runs(), 1);
}
