//! The queue: the rules of its state machine one by one, on rows; and what only a file has.

use std::time::Duration;

use rusqlite::Connection;

use super::State;
use super::file::{file, open};
use crate::base::clock::Moment;
use crate::rules::queue::QueueFacts;
use crate::tier::queue::{Delivery, Ended, Line, QueueStatus, Room};
use crate::tier::sqlite::jobs::{self, Put};
use crate::tier::sqlite::room;
use crate::tier::sqlite::store::Store;
use crate::tier::wire_key::Scope;

// Once for the state machine in memory, and once here.
#[allow(clippy::duplicate_mod)]
#[path = "../../queue/state/tests.rs"]
mod rules;

/// A file with the operations of the state machine.
#[derive(Default)]
struct Queues {
    state: State,
    turn: Option<Line>,
    takes: u64,
}

impl Queues {
    fn facts(&self, now: Moment, line: &Line) -> QueueFacts {
        jobs::facts(self.state.db(), now, line).unwrap()
    }

    fn put(&mut self, now: Moment, line: &Line, job: &[u8], room: u64) -> Put {
        jobs::enqueue(self.state.db(), now, line, job, room).unwrap()
    }

    fn enqueue(&mut self, now: Moment, line: &Line, job: Vec<u8>) -> QueueFacts {
        match self.put(now, line, &job, u64::MAX) {
            Put::As(facts) => facts,
            Put::NoRoom => panic!("there is room"),
        }
    }

    fn take(&mut self, now: Moment, rooms: &[Room], most: usize) -> Vec<(Line, Delivery)> {
        self.takes += 1;
        let has_any = jobs::has_any(self.state.db(), now, rooms).unwrap();
        let taken = jobs::take(self.state.db(), now, (rooms, most), &mut self.turn, self.takes).unwrap();
        assert_eq!(has_any && most > 0, !taken.is_empty());
        self.check();
        taken
    }

    fn done(&mut self, now: Moment, line: &Line, id: &str, ended: Ended) {
        jobs::done(self.state.db(), now, line, id, ended).unwrap();
        self.check();
    }

    fn give_back(&mut self, line: &Line, delivery: &Delivery) {
        jobs::give_back(self.state.db(), line, delivery).unwrap();
        self.check();
    }

    fn bury(&mut self, now: Moment, line: &Line, delivery: &Delivery, error: &str) {
        jobs::bury(self.state.db(), now, line, delivery, error).unwrap();
        self.check();
    }

    fn beat(&mut self, now: Moment, worker: &str, lines: &[Line]) {
        jobs::beat(self.state.db(), now, worker, lines).unwrap();
    }

    fn leave(&mut self, worker: &str, lines: &[Line]) {
        jobs::leave(self.state.db(), worker, lines).unwrap();
    }

    fn status(&self, now: Moment) -> Vec<QueueStatus> {
        jobs::status(self.state.db(), now).unwrap()
    }

    fn number(&self, sql: &str) -> i64 {
        self.state.db().query_row(sql, (), |row| row.get(0)).unwrap()
    }

    /// The sums of the lines are those of their jobs, and each job has its bytes.
    fn check(&self) {
        for (sums, jobs) in [
            ("SELECT coalesce(sum(waiting), 0) FROM lines", "SELECT count(*) FROM jobs WHERE taken ISNULL"),
            ("SELECT coalesce(sum(bytes), 0) FROM lines", "SELECT coalesce(sum(bytes), 0) FROM jobs"),
            ("SELECT count(*) FROM loads", "SELECT count(*) FROM jobs JOIN loads USING (number)"),
            ("SELECT count(*) FROM loads", "SELECT count(*) FROM jobs"),
        ] {
            assert_eq!(self.number(sums), self.number(jobs), "{jobs}");
        }
    }
}

fn line() -> Line {
    Line::of("default", &Scope { name: "a".into(), instance: None }, 0)
}

fn room(places: usize) -> Room {
    Room { line: line(), places, min_idle: Duration::from_secs(75) }
}

/// A file whose line has a worker and these jobs.
fn with(jobs: &[&str]) -> (Queues, Moment) {
    let (mut queues, now) = (Queues::default(), Moment::from_bits(1 << 60));
    queues.beat(now, "w", &[line()]);
    for job in jobs {
        queues.enqueue(now, &line(), job.as_bytes().to_vec());
    }
    (queues, now)
}

fn take_one(queues: &mut Queues, now: Moment) -> Delivery {
    queues.take(now, &[room(1)], 1).pop().expect("a job").1
}

/// A worker that was stopped, and goes on, does not take the job out of another's hands.
#[test]
fn a_job_that_another_worker_has_is_not_given_back() {
    let (mut queues, now) = with(&["1"]);
    let first = take_one(&mut queues, now);
    let later = now.plus(75_000_000_000);
    let second = take_one(&mut queues, later);
    queues.give_back(&line(), &first);
    assert_eq!(queues.status(later)[0].under_way, 1);
    queues.give_back(&line(), &second);
    assert_eq!((queues.status(later)[0].length, take_one(&mut queues, later).deliveries), (1, 2));
}

/// Its answer came too late, or never.
#[test]
fn what_a_take_has_brought_and_nobody_was_told_of_is_put_back() {
    let (mut queues, now) = with(&["1", "2", "3"]);
    queues.take(now, &[room(2)], 2);
    let told = queues.take(now, &[room(1)], 1);
    assert_eq!(told.len(), 1);
    jobs::put_back(queues.state.db(), 1).unwrap();
    queues.check();
    let again = queues.take(now, &[room(9)], 9);
    let again: Vec<_> = again.iter().map(|(_, job)| (&job.bytes[..], job.deliveries)).collect();
    assert_eq!(again, [(&b"1"[..], 1), (b"2", 1)]);
}

#[test]
fn jobs_have_no_more_than_their_room() {
    let (mut queues, now) = with(&[]);
    let job = vec![7; 800];
    for _ in 0..3 {
        assert!(matches!(queues.put(now, &line(), &job, 3_000), Put::As(_)));
    }
    assert_eq!(queues.put(now, &line(), &job, 3_000), Put::NoRoom);
    let taken = take_one(&mut queues, now);
    assert_eq!(queues.put(now, &line(), &job, 3_000), Put::NoRoom, "it is still there");
    queues.done(now, &line(), &taken.id, Ended::Done);
    assert!(matches!(queues.put(now, &line(), &job, 3_000), Put::As(_)));
}

/// With its dead jobs. One that still has a job is kept until that is gone, too.
#[test]
fn a_line_that_no_worker_has_served_for_a_week_is_forgotten() {
    const DAY: u64 = 86_400_000_000_000;
    let (mut queues, now) = with(&["1"]);
    let taken = take_one(&mut queues, now);
    queues.bury(now, &line(), &taken, "why");
    queues.state.sweep(now.plus(7 * DAY - 1));
    assert_eq!(queues.status(now)[0].dead.len(), 1);
    let later = now.plus(5 * DAY);
    queues.beat(later, "w", &[line()]);
    queues.state.sweep(now.plus(8 * DAY));
    assert_eq!(queues.status(now).len(), 1, "it was served meanwhile");
    queues.enqueue(later, &line(), b"2".to_vec());
    jobs::forget_lines(queues.state.db(), i64::MAX).unwrap();
    assert_eq!(queues.status(now).len(), 1, "a job waits");
    queues.state.sweep(later.plus(7 * DAY));
    assert_eq!((queues.status(now).len(), queues.number("SELECT count(*) FROM dead")), (0, 0));
}

/// Its number of deliveries is beyond any, and so it is not run.
#[test]
fn a_job_with_damaged_numbers_keeps_no_other_from_being_taken() {
    for (damage, deliveries) in [("5000000000", u32::MAX), ("-7", 1)] {
        let (mut queues, now) = with(&["1", "2"]);
        queues
            .state
            .db()
            .execute(&format!("UPDATE jobs SET deliveries = {damage} WHERE number = 1"), ())
            .unwrap();
        let taken = take_one(&mut queues, now);
        assert_eq!(taken.deliveries, deliveries, "{damage}");
        queues.bury(now, &line(), &taken, "it is no job");
        assert_eq!(queues.status(now)[0].dead.len(), 1);
        assert_eq!(&*take_one(&mut queues, now).bytes, b"2");
    }
}

/// Nobody can run it: it is buried, and told of.
#[test]
fn a_damaged_job_has_no_bytes() {
    for damage in [
        "UPDATE loads SET job = 'other'",
        "UPDATE loads SET job = 7",
        "UPDATE loads SET sum = sum + 1",
        "DELETE FROM loads",
    ] {
        let (mut queues, now) = with(&["1"]);
        queues.state.db().execute(damage, ()).unwrap();
        let mut turn = None;
        let taken = jobs::take(queues.state.db(), now, (&[room(1)], 1), &mut turn, 1).unwrap();
        assert_eq!((taken.len(), taken[0].1.bytes.len()), (1, 0), "{damage}");
        queues.bury(now, &line(), &taken[0].1, "it is no job");
        assert_eq!(queues.status(now)[0].dead.len(), 1);
    }
}

#[test]
fn after_a_restart_of_the_machine_jobs_wait_for_new_workers() {
    let (_folder, path) = file();
    let store = open(&path).unwrap();
    let now = store.clock.now();
    jobs::beat(&store.db, now, "w", &[line()]).unwrap();
    for job in [b"1", b"2"] {
        jobs::enqueue(&store.db, now, &line(), job, u64::MAX).unwrap();
    }
    let take = |store: &Store| {
        jobs::take(&store.db, store.clock.now(), (&[room(1)], 1), &mut None, 1).unwrap().pop().unwrap().1
    };
    assert_eq!(take(&store).deliveries, 1);
    drop(store);
    let store = open(&path).unwrap();
    assert_eq!(jobs::status(&store.db, store.clock.now()).unwrap()[0].workers, 1, "a restart of the process");
    drop(store);
    let sql = "UPDATE state SET boot = 'another', wall = wall - 5000000000";
    Connection::open(&path).unwrap().execute(sql, ()).unwrap();
    let store = open(&path).unwrap();
    let status = &jobs::status(&store.db, store.clock.now()).unwrap()[0];
    assert_eq!((status.length, status.under_way, status.workers), (2, 0, 0));
    assert_eq!(jobs::facts(&store.db, store.clock.now(), &line()).unwrap().worker_seen, None);
    assert_eq!(take(&store).deliveries, 2, "it may have been the one that has ended it");
}

#[test]
fn a_job_that_nobody_runs_is_forgotten_after_a_day() {
    let (mut queues, now) = with(&["1", "2"]);
    take_one(&mut queues, now);
    let hours = |hours: u64| now.plus(hours * 3_600_000_000_000);
    queues.state.sweep(hours(23));
    assert_eq!(queues.number("SELECT count(*) FROM jobs"), 2);
    queues.state.sweep(hours(24));
    assert_eq!(queues.number("SELECT count(*) FROM jobs"), 0);
    queues.check();
}

/// Values make place for others, and jobs do not.
#[test]
fn a_job_makes_no_place() {
    let (mut queues, now) = with(&["1"]);
    let mut squeezed = room::Room::new(&queues.state.settings.path, 0);
    squeezed.make_place(queues.state.db(), now, 0).unwrap();
    assert_eq!(take_one(&mut queues, now).bytes, b"1");
}
