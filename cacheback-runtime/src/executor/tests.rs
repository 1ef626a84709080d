//! Places, the queue, fairness and refusal. The refreshes here only note their ends.

use std::thread;

use tokio::runtime::Builder;
use tokio::task;

use super::*;
use crate::base::process;
use crate::base::sync::AtomicUsize;

const RUNNING: usize = 64;
const WAITING: usize = 1024;

fn executor() -> Arc<Executor> {
    Arc::new(Executor::new(Settings::default(), "a test"))
}

#[derive(Default)]
struct Notes {
    running: Mutex<Vec<(u64, Permit)>>,
    started: Mutex<Vec<u64>>,
    refused: Mutex<Vec<(u64, Refusal)>>,
}

struct Noted {
    function: u64,
    notes: Arc<Notes>,
    /// It gives its place back at once.
    brief: bool,
}

impl Refresh for Noted {
    fn start(self: Box<Self>, permit: Option<Permit>) {
        lock(&self.notes.started).push(self.function);
        if !self.brief {
            lock(&self.notes.running).extend(permit.map(|permit| (self.function, permit)));
        }
    }
    fn refuse(self: Box<Self>, why: Refusal, _: u64) {
        lock(&self.notes.refused).push((self.function, why));
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
        self.refused_as(function, Refusal::QueueFull)
    }

    fn refused_as(&self, function: u64, why: Refusal) -> usize {
        lock(&self.refused).iter().filter(|refused| **refused == (function, why)).count()
    }
}

#[test]
fn places_then_the_queue_then_refusal() {
    let (executor, notes) = (executor(), Arc::new(Notes::default()));
    for _ in 0..RUNNING + WAITING + 5 {
        notes.submit(&executor, 1, None);
    }
    assert_eq!((notes.running(1), notes.refused(1)), (RUNNING, 5));
    for _ in 0..RUNNING + WAITING {
        notes.end(1);
    }
    assert_eq!(lock(&notes.started).len(), RUNNING + WAITING);
    executor.assert_at_rest();
}

#[test]
fn a_functions_own_limit() {
    let (executor, notes) = (executor(), Arc::new(Notes::default()));
    for _ in 0..10 {
        notes.submit(&executor, 1, Some(2));
    }
    assert_eq!(notes.running(1), 2);
    notes.submit(&executor, 2, None);
    assert_eq!(notes.running(2), 1, "it does not hold up other functions");
    notes.end(1);
    assert_eq!(notes.running(1), 2);
}

#[test]
fn a_free_place_goes_to_the_function_with_the_fewest_until_they_are_even() {
    let (executor, notes) = (executor(), Arc::new(Notes::default()));
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
fn a_full_queue_displaces_the_newest_refresh_of_the_function_with_the_most() {
    let (executor, notes) = (executor(), Arc::new(Notes::default()));
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

/// A refresh whose number is noted as it starts, or as it is refused.
struct Numbered(u64, Arc<[Mutex<Vec<u64>>; 2]>);

impl Refresh for Numbered {
    fn start(self: Box<Self>, _: Option<Permit>) {
        lock(&self.1[0]).push(self.0);
    }
    fn refuse(self: Box<Self>, _: Refusal, _: u64) {
        lock(&self.1[1]).push(self.0);
    }
}

/// If functions have equally many running refreshes, the one that has waited longest is next. The newest refresh of the
/// longest queue makes room.
#[test]
fn waiting_refreshes_keep_their_order() {
    let settings = Settings { max_refreshes: 1, max_waiting: 5, ..Settings::default() };
    let (executor, notes) = (Arc::new(Executor::new(settings, "a test")), Arc::new(Notes::default()));
    let order: Arc<[Mutex<Vec<u64>>; 2]> = Arc::default();
    notes.submit(&executor, 9, None);
    for (number, function) in (0..).zip([1, 2, 1, 1, 1, 2, 2]) {
        executor.submit(Ticket::new(function), None, Box::new(Numbered(number, Arc::clone(&order))));
    }
    assert_eq!(*lock(&order[1]), [4, 6], "the last one found queues of three and two");
    notes.end(9);
    assert_eq!(*lock(&order[0]), [0, 1, 2, 3, 5]);
    executor.assert_at_rest();
}

#[test]
fn a_waiting_refresh_can_be_withdrawn_once() {
    let (executor, notes) = (executor(), Arc::new(Notes::default()));
    let running = notes.submit(&executor, 1, Some(1));
    let waiting = notes.submit(&executor, 1, Some(1));
    assert!(executor.withdraw(running).is_none());
    assert!(executor.withdraw(waiting).is_some());
    assert!(executor.withdraw(waiting).is_none());
    notes.end(1);
    executor.assert_at_rest();
}

/// A thousand refreshes end as they start, as on a runtime that is gone. They do not nest.
#[test]
fn refreshes_that_end_as_they_start_run_in_a_loop() {
    let (executor, notes) = (executor(), Arc::new(Notes::default()));
    notes.submit(&executor, 1, Some(1));
    for _ in 0..WAITING {
        notes.submit_as(&executor, 1, Some(1), true);
    }
    let deep = thread::Builder::new().stack_size(128 * 1024);
    let ending = Arc::clone(&notes);
    deep.spawn(move || ending.end(1)).unwrap().join().unwrap();
    assert_eq!(lock(&notes.started).len(), WAITING + 1);
    executor.assert_at_rest();
}

#[test]
fn a_start_that_panics_stops_nothing_else() {
    struct Panics;
    impl Refresh for Panics {
        fn start(self: Box<Self>, _: Option<Permit>) {
            panic!("at start");
        }
        fn refuse(self: Box<Self>, _: Refusal, _: u64) {}
    }
    let (executor, notes) = (executor(), Arc::new(Notes::default()));
    notes.submit(&executor, 1, Some(1));
    executor.submit(Ticket::new(1), Some(1), Box::new(Panics));
    notes.submit(&executor, 1, Some(1));
    notes.end(1);
    assert_eq!(notes.running(1), 1, "the next one has the place");
    notes.end(1);
    executor.assert_at_rest();
}

/// A fetch whose state a test sets.
#[derive(Default)]
struct Told {
    waits: AtomicBool,
    exempt: AtomicBool,
}

impl Fetch for Told {
    fn has_begun(&self) -> bool {
        true
    }
    fn is_awaited(&self) -> bool {
        self.waits.load(Ordering::SeqCst)
    }
    fn runs_in(&self, _: task::Id) -> bool {
        false
    }
    fn exempt(&self) {
        self.exempt.store(true, Ordering::SeqCst);
    }
    fn is_exempt(&self) -> bool {
        self.exempt.load(Ordering::SeqCst)
    }
    #[cfg(not(feature = "test-util"))]
    fn tend(&self) {}
}

fn enlist(executor: &Arc<Executor>, runtime: tokio::runtime::Id) -> (Live, Arc<Told>) {
    let told = Arc::new(Told::default());
    (executor.enlist(process::id(), runtime, Ticket::new(1), Arc::clone(&told) as _), told)
}

#[tokio::test]
async fn settle_waits_for_the_fetches_of_its_runtimes() {
    let executor = executor();
    let here = Handle::current().id();
    let other = |_| Builder::new_current_thread().build().unwrap().handle().id();
    let [second, third] =
        thread::scope(|scope| [(); 2].map(|()| scope.spawn(move || other(())).join().unwrap()));
    executor.settle(&[here]).await;
    let live = [enlist(&executor, here), enlist(&executor, here), enlist(&executor, second)];
    let _elsewhere = enlist(&executor, third);
    let waiting = Arc::clone(&executor);
    let settled = tokio::spawn(async move { waiting.settle(&[here, second]).await });
    let [one, two, three] = live;
    for live in [one, two] {
        task::yield_now().await;
        assert!(!settled.is_finished());
        drop(live);
    }
    task::yield_now().await;
    assert!(!settled.is_finished());
    drop(three);
    settled.await.unwrap();
}

/// A forked child forgets its parent's fetches. Its own have their places, and outlive them.
#[tokio::test]
async fn the_fetches_of_a_parent_are_forgotten_and_no_others_with_them() {
    let (executor, here) = (executor(), Handle::current().id());
    let enlist = |process| executor.enlist(process, here, Ticket::new(1), Arc::new(Told::default()) as _);
    let parents = [enlist(1), enlist(1)];
    let own = enlist(2);
    drop(parents);
    assert!(!executor.live.is_empty());
    drop(own);
    executor.assert_at_rest();
}

/// Each end of a fetch is counted once, from the beginning of the shutdown. Fetches that do not notice the limit are
/// counted too.
#[tokio::test]
async fn a_shutdown_reports_the_fetches_that_ended() {
    let executor = executor();
    let here = Handle::current().id();
    let finish = |(mut live, _): (Live, Arc<Told>)| live.finished = true;
    finish(enlist(&executor, here));
    let (finishes, aborts, blocks) =
        (enlist(&executor, here), enlist(&executor, here), enlist(&executor, here));
    let (waits, exempt) = (enlist(&executor, here), enlist(&executor, here));
    waits.1.waits.store(true, Ordering::SeqCst);
    exempt.1.exempt();
    let shutdown = executor.begin_shutdown(None);
    finish(finishes);
    assert_eq!(shutdown.report(), (1, 0));
    shutdown.reach_limit();
    drop(aborts);
    assert_eq!(shutdown.report(), (1, 2), "one that has ended and one that is to end");
    let aborted = async {
        shutdown.all_aborted().await;
        assert_eq!(Arc::strong_count(&blocks.1), 1, "it has ended by then");
    };
    let ends = async {
        task::yield_now().await;
        drop(blocks.0);
    };
    tokio::join!(aborted, ends);
    // Neither the fetch that is awaited nor the exempt one holds it up.
    assert_eq!(shutdown.report(), (1, 2));
}

/// The process has a limit beside those of the functions, and the lower one counts.
#[test]
fn configured_limits() {
    let settings = Settings { max_refreshes: 3, max_waiting: 4, ..Settings::default() };
    let (executor, notes) = (Arc::new(Executor::new(settings, "a test")), Arc::new(Notes::default()));
    for _ in 0..10 {
        notes.submit(&executor, 1, Some(2));
        notes.submit(&executor, 2, Some(50));
    }
    assert_eq!((notes.running(1), notes.running(2)), (2, 1));
    assert_eq!((notes.refused(1), notes.refused(2)), (6, 7), "four wait");
    notes.end(1);
    assert_eq!((notes.running(1), notes.running(2)), (1, 2), "the function with the fewest");
    while notes.running(2) > 0 {
        notes.end(2);
        assert!(notes.running(1) <= 2 && notes.running(1) + notes.running(2) <= 3);
    }
    while notes.running(1) > 0 {
        notes.end(1);
    }
    assert_eq!(lock(&notes.started).len(), 7);
    executor.assert_at_rest();
}

#[test]
fn a_queue_of_length_zero() {
    let settings = Settings { max_refreshes: 1, max_waiting: 0, ..Settings::default() };
    let (executor, notes) = (Arc::new(Executor::new(settings, "a test")), Arc::new(Notes::default()));
    for function in [1, 1, 2, 3] {
        notes.submit(&executor, function, None);
    }
    assert_eq!([1, 2, 3].map(|function| notes.refused(function)), [1, 1, 1]);
    assert_eq!(
        (notes.running(1), lock(&executor.state).functions.len()),
        (1, 1),
        "a function without refreshes is forgotten"
    );
    notes.end(1);
    notes.submit(&executor, 2, None);
    notes.end(2);
    executor.assert_at_rest();
}

/// A running refresh keeps its place. Refreshes that wait or come later are refused. A place that is given back starts
/// nothing.
#[test]
fn a_closed_executor_starts_nothing() {
    let (executor, notes) = (executor(), Arc::new(Notes::default()));
    notes.submit(&executor, 1, Some(1));
    let taken_over = notes.submit(&executor, 1, Some(1));
    for _ in 0..5 {
        notes.submit(&executor, 1, Some(1));
        notes.submit(&executor, 2, None);
    }
    assert!(executor.withdraw(taken_over).is_some(), "for a waiter");
    executor.close();
    assert_eq!((notes.running(1), notes.running(2)), (1, 5));
    assert_eq!(notes.refused_as(1, Refusal::ShutDown), 5);
    let late = notes.submit(&executor, 3, None);
    assert_eq!(notes.refused_as(3, Refusal::ShutDown), 1);
    assert!(executor.withdraw(late).is_none());
    notes.end(1);
    assert_eq!(lock(&notes.started).len(), 6);
    for _ in 0..5 {
        notes.end(2);
    }
    executor.close();
    executor.assert_at_rest();
}

/// A refresh that is refused may panic, or submit another one at once.
#[test]
fn a_refusal_may_panic_and_submit_another_refresh() {
    struct ComesBack(Arc<Executor>, Arc<Notes>);
    impl Refresh for ComesBack {
        fn start(self: Box<Self>, _: Option<Permit>) {}
        fn refuse(self: Box<Self>, _: Refusal, _: u64) {
            self.1.submit(&self.0, 2, None);
            panic!("as it is refused");
        }
    }
    let (executor, notes) = (executor(), Arc::new(Notes::default()));
    notes.submit(&executor, 1, Some(1));
    for _ in 0..3 {
        let comes_back = ComesBack(Arc::clone(&executor), Arc::clone(&notes));
        executor.submit(Ticket::new(1), Some(1), Box::new(comes_back));
    }
    executor.close();
    assert_eq!(notes.refused_as(2, Refusal::ShutDown), 3);
    notes.end(1);
    executor.assert_at_rest();
}

/// While refreshes are submitted, taken over by waiters, and give their places back, the executor is closed. Each
/// refresh is started or refused once, and none is left over.
#[test]
fn closing_while_refreshes_come_and_go() {
    struct Counted(Arc<[AtomicUsize; 2]>);
    impl Refresh for Counted {
        fn start(self: Box<Self>, permit: Option<Permit>) {
            self.0[0].fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            drop(permit);
        }
        fn refuse(self: Box<Self>, _: Refusal, _: u64) {
            self.0[1].fetch_add(1, Ordering::SeqCst);
        }
    }
    const EACH: usize = 40;
    for round in 0..100 {
        let settings = Settings { max_refreshes: 2, max_waiting: 20, ..Settings::default() };
        let executor = Arc::new(Executor::new(settings, "a test"));
        let ends = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let (held, notes) = (Ticket::new(9), Arc::new(Notes::default()));
        // At first the places are taken, so that there is a queue.
        for _ in 0..2 {
            let noted = Noted { function: 9, notes: Arc::clone(&notes), brief: false };
            executor.submit(held, None, Box::new(noted));
        }
        thread::scope(|scope| {
            for function in 0..2 {
                let (executor, ends) = (&executor, &ends);
                scope.spawn(move || {
                    for number in 0..EACH {
                        let ticket = Ticket::new(function);
                        executor.submit(ticket, None, Box::new(Counted(Arc::clone(ends))));
                        if number % 3 == 0 {
                            if let Some(refresh) = executor.withdraw(ticket) {
                                refresh.start(None);
                            }
                        }
                    }
                });
            }
            scope.spawn(|| {
                (0..2).for_each(|_| notes.end(9));
            });
            scope.spawn(|| {
                (0..round % 10).for_each(|_| thread::yield_now());
                executor.close();
            });
        });
        let [started, refused] = [0, 1].map(|end| ends[end].load(Ordering::SeqCst));
        assert_eq!(started + refused, 2 * EACH);
        executor.assert_at_rest();
    }
}

/// A refresh whose runtime is stalled loses its place when its claim has lapsed, and does not give it back again later.
#[test]
fn lapsed_places_are_taken_away() {
    let (executor, notes) = (executor(), Arc::new(Notes::default()));
    for _ in 0..RUNNING {
        notes.submit(&executor, 1, None);
    }
    notes.submit(&executor, 2, None);
    assert_eq!(notes.running(2), 0);
    for (_, permit) in &lock(&notes.running)[..RUNNING / 2] {
        permit.lasts_until(Moment::PAST);
    }
    notes.submit(&executor, 2, None);
    assert_eq!(notes.running(2), 2, "also the one that waited");
    assert_eq!(lock(&executor.state).running, RUNNING / 2 + 2);
    for _ in 0..RUNNING {
        notes.end(1);
    }
    assert_eq!(lock(&executor.state).running, 2);
    notes.end(2);
    notes.end(2);
    executor.assert_at_rest();
}
