//! The queue on a PostgreSQL of the test's own: on a free port of this machine, in a temporary folder, and ended by it.

mod server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cacheback::shared::{Delivery, Ended, Line, Memory, Queue, Room};
use cacheback::{Status, cacheback, worker};
use cacheback_postgres_queue::PostgresQueue;
use server::Server;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn line(function: &str) -> Line {
    Line::new("reports", function, 1)
}

fn room(function: &str, places: usize, min_idle: Duration) -> Room {
    Room::new(line(function), places, min_idle)
}

const LONG: Duration = Duration::from_secs(60);

async fn take(queue: &PostgresQueue, rooms: &[Room], most: usize) -> Vec<(String, Delivery)> {
    let taken = queue.take("worker", rooms, most, Duration::ZERO).await.unwrap();
    taken.into_iter().map(|(line, job)| (line.function().to_owned(), job)).collect()
}

fn jobs(taken: &[(String, Delivery)]) -> Vec<(&str, &[u8], u32)> {
    taken.iter().map(|(line, job)| (&**line, &*job.bytes, job.deliveries)).collect()
}

/// Jobs come in their order, once, and no more than there are places.
#[test]
fn jobs_are_taken_once() {
    let Some(server) = Server::start() else { return };
    runtime().block_on(async {
        let queue = PostgresQueue::connect(&server.settings()).await.unwrap();
        for job in [b"1", b"2", b"3"] {
            queue.put(&line("sales"), job.to_vec()).await.unwrap();
        }
        queue.put(&line("stock"), b"4".to_vec()).await.unwrap();
        assert_eq!(queue.state(&line("sales")).await.unwrap().length, 3);
        let [one, other] = [room("sales", 2, LONG), room("stock", 9, LONG)];
        let first = take(&queue, &[one.clone(), other.clone()], 9).await;
        assert_eq!(jobs(&first), [("sales", &b"1"[..], 1), ("sales", b"2", 1), ("stock", b"4", 1)]);
        assert_eq!(jobs(&take(&queue, &[one, other], 9).await), [("sales", &b"3"[..], 1)]);
        for (line_of, job) in &first {
            queue.done(&line(line_of), &job.id, Ended::Done).await.unwrap();
            queue.done(&line(line_of), &job.id, Ended::Done).await.unwrap();
        }
        // All are abandoned at once.
        let left = take(&queue, &[room("sales", 9, Duration::ZERO)], 9).await;
        assert_eq!(jobs(&left), [("sales", &b"3"[..], 2)]);
    });
}

/// A long line keeps no other from being served.
#[test]
fn lines_take_turns() {
    let Some(server) = Server::start() else { return };
    runtime().block_on(async {
        let queue = PostgresQueue::connect(&server.settings()).await.unwrap();
        for job in [b"1", b"2", b"3", b"4"] {
            queue.put(&line("sales"), job.to_vec()).await.unwrap();
        }
        for job in [b"5", b"6"] {
            queue.put(&line("stock"), job.to_vec()).await.unwrap();
        }
        let rooms = [room("sales", 9, LONG), room("stock", 9, LONG)];
        let mut served = Vec::new();
        for _ in 0..4 {
            served.extend(take(&queue, &rooms, 1).await.into_iter().map(|(function, _)| function));
        }
        assert_eq!(served, ["sales", "stock", "sales", "stock"]);
    });
}

/// A worker that comes back does not take it out of another's hands.
#[test]
fn an_abandoned_job_is_delivered_again() {
    let Some(server) = Server::start() else { return };
    runtime().block_on(async {
        let queue = PostgresQueue::connect(&server.settings()).await.unwrap();
        queue.put(&line("sales"), b"1".to_vec()).await.unwrap();
        let first = take(&queue, &[room("sales", 9, LONG)], 9).await;
        assert_eq!(jobs(&take(&queue, &[room("sales", 9, LONG)], 9).await), []);
        let second = take(&queue, &[room("sales", 9, Duration::ZERO)], 9).await;
        queue.give_back(&line("sales"), &first[0].1).await.unwrap();
        assert_eq!(jobs(&take(&queue, &[room("sales", 9, LONG)], 9).await), [], "the second has it");
        queue.give_back(&line("sales"), &second[0].1).await.unwrap();
        let third = take(&queue, &[room("sales", 9, LONG)], 9).await;
        assert_eq!(jobs(&third), [("sales", &b"1"[..], 2)], "what is given back was no delivery");
    });
}

#[test]
fn workers_are_seen() {
    let Some(server) = Server::start() else { return };
    runtime().block_on(async {
        let queue = PostgresQueue::connect(&server.settings()).await.unwrap();
        assert_eq!(queue.state(&line("sales")).await.unwrap().worker_seen, None);
        queue.beat("one", &[line("sales"), line("stock")]).await.unwrap();
        queue.beat("other", &[line("sales")]).await.unwrap();
        assert!(queue.state(&line("sales")).await.unwrap().worker_seen.unwrap() < Duration::from_secs(15));
        let workers = queue.status().await.unwrap();
        let workers: Vec<_> =
            workers.iter().map(|line| (&*line.function, line.version, line.workers)).collect();
        assert_eq!(workers, [("sales", 1, 2), ("stock", 1, 1)]);
        queue.leave("one", &[]).await.unwrap();
        assert_eq!(queue.status().await.unwrap().len(), 1);
    });
}

static BODIES: AtomicUsize = AtomicUsize::new(0);

#[cacheback(shared, queue, lifetime = 60)]
async fn square(number: u64) -> u64 {
    BODIES.fetch_add(1, Ordering::SeqCst);
    number * number
}

/// Two workers and a process that asks, each with a connection of its own.
#[test]
fn workers_refresh_what_others_serve() {
    let Some(server) = Server::start() else { return };
    let memory = Memory::new();
    let processes = [(); 3].map(|()| {
        let runtime = runtime();
        let own = runtime.block_on(async {
            let own = cacheback::testing::isolate();
            let jobs = PostgresQueue::connect(&server.settings()).await.unwrap();
            cacheback::configure().shared(memory.clone()).queue(jobs).apply().unwrap();
            own
        });
        (runtime, own)
    });
    let [(web, _), workers @ ..] = &processes;
    let running = workers.each_ref().map(|(runtime, _)| {
        let (stop, stopped) = oneshot::channel::<()>();
        let run = worker().serve(square::cache()).run(async move { drop(stopped.await) });
        (stop, runtime.spawn(run))
    });
    web.block_on(async {
        let state = || async { cacheback::shared::queues().await.unwrap() };
        while state().await.first().is_none_or(|line| line.workers < 2) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for number in 0..40 {
            assert_eq!(square::entry(number).lookup().await.status, Status::Empty);
        }
        for number in 0..40 {
            while square::entry(number).peek().await.is_none_or(|found| found.value != number * number) {
                square(number).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        assert_eq!((square::cache().stats().fetches, BODIES.load(Ordering::SeqCst)), (0, 40));
    });
    let mut done = 0;
    for ((stop, task), (runtime, _)) in running.into_iter().zip(workers) {
        drop(stop);
        done += runtime.block_on(task).unwrap().unwrap().done;
    }
    assert_eq!(done, 40);
}
