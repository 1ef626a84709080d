//! Places, the queue, fairness and refusal, with refreshes that only note what became of them.

use super::*;
use crate::sync::Mutex;

#[derive(Default)]
struct Notes {
    running: Mutex<Vec<(u64, Permit)>>,
    started: Mutex<Vec<u64>>,
    refused: Mutex<Vec<u64>>,
}

struct Noted {
    function: u64,
    notes: Arc<Notes>,
    /// Gives its place back at once.
    brief: bool,
}

impl Refresh for Noted {
    fn start(self: Box<Self>, permit: Option<Permit>) {
        lock(&self.notes.started).push(self.function);
        if !self.brief {
            lock(&self.notes.running).extend(permit.map(|permit| (self.function, permit)));
        }
    }
    fn refuse(self: Box<Self>) {
        lock(&self.notes.refused).push(self.function);
    }
}

impl Notes {
    fn submit(self: &Arc<Self>, executor: &Arc<Executor>, function: u64, limit: Option<usize>) -> Ticket {
        self.submit_as(executor, function, limit, false)
    }

    fn submit_as(
        self: &Arc<Self>,
        executor: &Arc<Executor>,
        function: u64,
        limit: Option<usize>,
        brief: bool,
    ) -> Ticket {
        let ticket = Ticket::new(function);
        executor.submit(ticket, limit, Box::new(Noted { function, notes: Arc::clone(self), brief }));
        ticket
    }

    fn running(&self, function: u64) -> usize {
        lock(&self.running).iter().filter(|(of, _)| *of == function).count()
    }

    /// Ends one running refresh of a function.
    fn end(&self, function: u64) {
        let ended = {
            let mut running = lock(&self.running);
            let at = running.iter().position(|(of, _)| *of == function).unwrap();
            running.swap_remove(at)
        };
        drop(ended);
    }

    fn refused(&self, function: u64) -> usize {
        lock(&self.refused).iter().filter(|of| **of == function).count()
    }
}

fn idle(executor: &Executor) -> bool {
    let state = lock(&executor.state);
    state.running == 0 && state.waiting == 0 && state.functions.is_empty() && !state.dispatching
}

#[test]
fn places_then_the_queue_then_refusal() {
    let (executor, notes) = (Arc::new(Executor::new()), Arc::new(Notes::default()));
    for _ in 0..RUNNING + WAITING + 5 {
        notes.submit(&executor, 1, None);
    }
    assert_eq!((notes.running(1), notes.refused(1)), (RUNNING, 5));
    for _ in 0..RUNNING + WAITING {
        notes.end(1);
    }
    assert_eq!(lock(&notes.started).len(), RUNNING + WAITING);
    assert!(idle(&executor));
}

#[test]
fn a_functions_own_limit() {
    let (executor, notes) = (Arc::new(Executor::new()), Arc::new(Notes::default()));
    for _ in 0..10 {
        notes.submit(&executor, 1, Some(2));
    }
    assert_eq!(notes.running(1), 2);
    notes.submit(&executor, 2, None);
    assert_eq!(notes.running(2), 1, "others are not held up by it");
    notes.end(1);
    assert_eq!(notes.running(1), 2);
}

#[test]
fn a_free_place_goes_to_the_function_with_the_fewest_until_they_are_even() {
    let (executor, notes) = (Arc::new(Executor::new()), Arc::new(Notes::default()));
    for _ in 0..RUNNING * 2 {
        notes.submit(&executor, 1, None);
    }
    for _ in 0..RUNNING * 2 {
        notes.submit(&executor, 2, None);
    }
    for _ in 0..RUNNING / 2 {
        notes.end(1);
    }
    assert_eq!((notes.running(1), notes.running(2)), (RUNNING / 2, RUNNING / 2));
    notes.end(2);
    assert_eq!((notes.running(1), notes.running(2)), (RUNNING / 2, RUNNING / 2));
}

#[test]
fn a_full_queue_displaces_the_newest_of_the_longest_line() {
    let (executor, notes) = (Arc::new(Executor::new()), Arc::new(Notes::default()));
    for _ in 0..RUNNING + WAITING {
        notes.submit(&executor, 1, None);
    }
    for _ in 0..WAITING {
        notes.submit(&executor, 2, None);
    }
    assert_eq!(notes.refused(1), WAITING / 2, "half of the queue each");
    assert_eq!(notes.refused(2), WAITING / 2);
    assert_eq!(lock(&executor.state).waiting, WAITING);
}

#[test]
fn a_waiting_refresh_can_be_withdrawn_once() {
    let (executor, notes) = (Arc::new(Executor::new()), Arc::new(Notes::default()));
    let running = notes.submit(&executor, 1, Some(1));
    let waiting = notes.submit(&executor, 1, Some(1));
    assert!(executor.withdraw(running).is_none());
    assert!(executor.withdraw(waiting).is_some());
    assert!(executor.withdraw(waiting).is_none());
    notes.end(1);
    assert!(idle(&executor));
}

/// A thousand refreshes that end as they start: on a runtime that is gone, say. They do not nest.
#[test]
fn refreshes_that_end_as_they_start_run_in_a_loop() {
    let (executor, notes) = (Arc::new(Executor::new()), Arc::new(Notes::default()));
    notes.submit(&executor, 1, Some(1));
    for _ in 0..WAITING {
        notes.submit_as(&executor, 1, Some(1), true);
    }
    let deep = std::thread::Builder::new().stack_size(128 * 1024);
    let ending = Arc::clone(&notes);
    deep.spawn(move || ending.end(1)).unwrap().join().unwrap();
    assert_eq!(lock(&notes.started).len(), WAITING + 1);
    assert!(idle(&executor));
}

#[test]
fn a_start_that_panics_stops_nothing_else() {
    struct Panics;
    impl Refresh for Panics {
        fn start(self: Box<Self>, _: Option<Permit>) {
            panic!("at start");
        }
        fn refuse(self: Box<Self>) {}
    }
    let (executor, notes) = (Arc::new(Executor::new()), Arc::new(Notes::default()));
    notes.submit(&executor, 1, Some(1));
    executor.submit(Ticket::new(1), Some(1), Box::new(Panics));
    notes.submit(&executor, 1, Some(1));
    notes.end(1);
    assert_eq!(notes.running(1), 1, "the next one has the place");
    notes.end(1);
    assert!(idle(&executor));
}

#[tokio::test]
async fn settle_waits_for_the_flights_of_its_runtime() {
    let executor = Arc::new(Executor::new());
    let here = tokio::runtime::Handle::current().id();
    executor.settle(here).await;
    let live = [executor.enlist(here), executor.enlist(here)];
    let other =
        std::thread::spawn(|| tokio::runtime::Builder::new_current_thread().build().unwrap().handle().id());
    let _elsewhere = executor.enlist(other.join().unwrap());
    let waiting = Arc::clone(&executor);
    let settled = tokio::spawn(async move { waiting.settle(here).await });
    tokio::task::yield_now().await;
    assert!(!settled.is_finished());
    drop(live);
    settled.await.unwrap();
}

/// A refresh whose runtime stands still gives its place back when its claim has lapsed, and not twice.
#[test]
fn lapsed_places_are_taken_away() {
    let (executor, notes) = (Arc::new(Executor::new()), Arc::new(Notes::default()));
    for _ in 0..RUNNING {
        notes.submit(&executor, 1, None);
    }
    notes.submit(&executor, 2, None);
    assert_eq!(notes.running(2), 0);
    for (_, permit) in &lock(&notes.running)[..RUNNING / 2] {
        permit.lasts_until(Moment::PAST);
    }
    notes.submit(&executor, 2, None);
    assert_eq!(notes.running(2), 2, "the one that waited, too");
    assert_eq!(lock(&executor.state).running, RUNNING / 2 + 2);
    for _ in 0..RUNNING {
        notes.end(1);
    }
    assert_eq!(lock(&executor.state).running, 2);
    notes.end(2);
    notes.end(2);
    assert!(idle(&executor));
}
