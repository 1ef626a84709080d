//! The state machine of a queue, rule by rule.

use std::time::Duration;

use super::Queues;
use crate::base::clock::{Moment, nanos};
use crate::rules::queue::{BOUND, Kept, hands_over};
use crate::tier::queue::{Delivery, Ended, Line, Room};
use crate::tier::wire_key::Scope;

const IDLE: Duration = Duration::from_secs(75);

fn line(function: &str) -> Line {
    Line::of("default", &Scope { name: function.into(), instance: None }, 0)
}

fn room(function: &str, places: usize) -> Room {
    Room { line: line(function), places, min_idle: IDLE }
}

/// A server with its clock.
struct World {
    queues: Queues,
    now: Moment,
}

impl World {
    /// With a worker that serves these functions.
    fn served(functions: &[&str]) -> Self {
        let mut world = Self { queues: Queues::default(), now: Moment::from_bits(1 << 60) };
        world.beat("w1", functions);
        world
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(nanos(Duration::from_secs(seconds)));
    }

    fn beat(&mut self, worker: &str, functions: &[&str]) {
        let lines: Vec<_> = functions.iter().map(|function| line(function)).collect();
        self.queues.beat(self.now, worker, &lines);
    }

    fn enqueue(&mut self, function: &str, job: &str) -> Result<(), Kept> {
        hands_over(Some(self.queues.enqueue(self.now, &line(function), job.into())))
    }

    /// The jobs that a worker with this room is given, and how often they were delivered.
    fn take(&mut self, rooms: &[Room]) -> Vec<(String, u32)> {
        let taken = self.queues.take(self.now, rooms, usize::MAX);
        taken.into_iter().map(|(_, job)| (String::from_utf8(job.bytes).unwrap(), job.deliveries)).collect()
    }

    fn take_one(&mut self, function: &str) -> Delivery {
        let mut taken = self.queues.take(self.now, &[room(function, 1)], 1);
        taken.pop().expect("a job").1
    }
}

fn jobs(all: &[(&str, u32)]) -> Vec<(String, u32)> {
    all.iter().map(|(job, deliveries)| ((*job).to_owned(), *deliveries)).collect()
}

#[test]
fn jobs_are_taken_in_their_order_and_no_more_than_there_are_places() {
    let mut world = World::served(&["a"]);
    for job in ["1", "2", "3"] {
        assert_eq!(world.enqueue("a", job), Ok(()));
    }
    assert_eq!(world.take(&[room("a", 2)]), jobs(&[("1", 1), ("2", 1)]));
    assert_eq!(world.take(&[room("a", 0)]), jobs(&[]));
    assert_eq!(world.take(&[room("a", 9)]), jobs(&[("3", 1)]));
    assert_eq!(world.take(&[room("a", 9)]), jobs(&[]));
}

#[test]
fn the_functions_of_a_worker_take_turns() {
    let mut world = World::served(&["a", "b"]);
    for job in ["a1", "a2", "a3"] {
        world.enqueue("a", job).unwrap();
    }
    world.enqueue("b", "b1").unwrap();
    world.enqueue("b", "b2").unwrap();
    let rooms = [room("a", 9), room("b", 9)];
    let mut taken = Vec::new();
    while let Some((_, job)) = world.queues.take(world.now, &rooms, 1).pop() {
        taken.push(String::from_utf8(job.bytes).unwrap());
    }
    assert_eq!(taken, ["a1", "b1", "a2", "b2", "a3"]);
}

#[test]
fn a_line_takes_jobs_while_a_worker_lives_and_up_to_its_bound() {
    let mut world = World::served(&["a"]);
    assert_eq!(world.enqueue("b", "1"), Err(Kept::NoWorker), "nobody serves it");
    for _ in 0..BOUND {
        world.enqueue("a", "1").unwrap();
    }
    assert_eq!(world.enqueue("a", "1"), Err(Kept::Full));
    assert_eq!(
        world.queues.facts(world.now, &line("a")).length,
        BOUND,
        "nothing is put in, nothing is trimmed"
    );
    world.pass(15);
    assert_eq!(world.enqueue("a", "1"), Err(Kept::NoWorker));
    world.beat("w2", &["a"]);
    world.take(&[room("a", 1)]);
    assert_eq!(world.enqueue("a", "1"), Ok(()));
    world.queues.leave("w2", &[line("a")]);
    assert_eq!(world.enqueue("a", "1"), Err(Kept::NoWorker), "it has left");
}

#[test]
fn an_abandoned_job_goes_to_another_worker_before_those_that_wait() {
    let mut world = World::served(&["a"]);
    world.enqueue("a", "1").unwrap();
    world.enqueue("a", "2").unwrap();
    world.take_one("a");
    world.pass(74);
    assert_eq!(world.take(&[room("a", 1)]), jobs(&[("2", 1)]), "not abandoned yet");
    world.pass(1);
    assert_eq!(world.take(&[room("a", 1)]), jobs(&[("1", 2)]));
    assert_eq!(world.take(&[room("a", 1)]), jobs(&[]), "its time counts anew");
    world.pass(75);
    world.enqueue("a", "3").unwrap_err();
    assert_eq!(world.take(&[room("a", 9)]), jobs(&[("1", 3)]), "with no other beside it");
    assert_eq!(world.take(&[room("a", 9)]), jobs(&[("2", 2)]));
}

/// It may have ended its worker, and those that are taken with it would count as if they had.
#[test]
fn a_job_that_was_delivered_before_is_taken_with_no_other() {
    let mut world = World::served(&["a", "b"]);
    for (function, job) in [("a", "1"), ("b", "2"), ("b", "3"), ("a", "4")] {
        world.enqueue(function, job).unwrap();
    }
    world.take_one("a");
    world.pass(75);
    let again = world.take_one("a");
    assert_eq!((&*again.bytes, again.deliveries), (&b"1"[..], 2));
    world.queues.give_back(&line("a"), &again);
    // Its turn is that of its line, and then it is the first of the next take.
    let rooms = [room("a", 9), room("b", 9)];
    assert_eq!(world.take(&rooms), jobs(&[("2", 1), ("3", 1)]));
    world.enqueue("b", "5").unwrap_err();
    world.beat("w1", &["a", "b"]);
    world.enqueue("b", "5").unwrap();
    assert_eq!(world.take(&rooms), jobs(&[("1", 2)]));
    assert_eq!(world.take(&rooms), jobs(&[("5", 1), ("4", 1)]));
}

#[test]
fn a_job_that_has_ended_is_gone_and_counted() {
    let mut world = World::served(&["a"]);
    for (job, ended) in [("1", Ended::Done), ("2", Ended::Failed), ("3", Ended::Dropped), ("4", Ended::Done)]
    {
        world.enqueue("a", job).unwrap();
        let delivery = world.take_one("a");
        world.queues.done(world.now, &line("a"), &delivery.id, ended);
        world.queues.done(world.now, &line("a"), &delivery.id, ended);
    }
    world.queues.done(world.now, &line("a"), "no number", Ended::Done);
    world.pass(100);
    assert_eq!(world.take(&[room("a", 9)]), jobs(&[]));
    let status = &world.queues.status(world.now)[0];
    assert_eq!((status.done, status.failed, status.dropped), (2, 1, 1));
}

#[test]
fn a_job_that_is_given_back_is_the_next_and_was_not_delivered() {
    let mut world = World::served(&["a"]);
    world.enqueue("a", "1").unwrap();
    world.enqueue("a", "2").unwrap();
    let delivery = world.take_one("a");
    world.pass(5);
    world.queues.give_back(&line("a"), &delivery);
    world.queues.give_back(&line("a"), &delivery);
    let status = &world.queues.status(world.now)[0];
    assert_eq!((status.length, status.under_way, status.oldest), (2, 0, Some(Duration::from_secs(5))));
    assert_eq!(world.take(&[room("a", 9)]), jobs(&[("1", 1), ("2", 1)]));
}

#[test]
fn the_last_hundred_dead_jobs_are_kept_with_their_errors() {
    let mut world = World::served(&["a"]);
    for number in 0..105 {
        world.enqueue("a", "1").unwrap();
        let delivery = world.take_one("a");
        world.queues.bury(world.now, &line("a"), &delivery, &format!("error {number}"));
        world.queues.bury(world.now, &line("a"), &delivery, "twice");
    }
    world.pass(9);
    let status = &world.queues.status(world.now)[0];
    assert_eq!((status.dead.len(), status.dropped, status.length), (100, 105, 0));
    assert_eq!(status.dead[0].error, "error 5");
    assert_eq!(status.dead[99].error, "error 104");
    assert_eq!((status.dead[99].age, status.dead[99].deliveries), (Duration::from_secs(9), 1));
}

#[test]
fn workers_count_as_long_as_they_are_seen() {
    let mut world = World::served(&["a"]);
    world.beat("w2", &["a", "b"]);
    let workers = |world: &World| -> Vec<_> {
        world.queues.status(world.now).into_iter().map(|line| (line.function, line.workers)).collect()
    };
    assert_eq!(workers(&world), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    world.pass(14);
    world.beat("w2", &["a"]);
    world.pass(1);
    assert_eq!(workers(&world), [("a".to_owned(), 1), ("b".to_owned(), 0)]);
}

#[test]
fn the_rate_is_that_of_the_last_minute() {
    let mut world = World::served(&["a"]);
    world.now = Moment::from_bits(60_000_000_000 << 20);
    let end = |world: &mut World, jobs: u64| {
        for _ in 0..jobs {
            world.beat("w1", &["a"]);
            world.enqueue("a", "1").unwrap();
            let delivery = world.take_one("a");
            world.queues.done(world.now, &line("a"), &delivery.id, Ended::Done);
        }
    };
    let rate = |world: &World| world.queues.status(world.now)[0].ended_last_minute;
    end(&mut world, 40);
    assert_eq!(rate(&world), 40);
    world.pass(90);
    assert_eq!(rate(&world), 20, "half of that minute is over");
    world.pass(60);
    assert_eq!(rate(&world), 0);
}
