//! Workers over a Redis server that is killed, or forgets, and over a cluster, which has no queue.

mod support;

use std::thread::sleep;
use std::time::Duration;

use support::workers::{done, fetches, first, reads, staffed, stale, web, worker};
use support::{Cluster, Fault, Origin, Process, Proxy, Sentinels, Server, wait_until};

/// Waits until a worker has done more jobs than these.
fn works(web: &mut Process, jobs: u64) {
    wait_until("the worker has no jobs", || {
        web.ask("get queued key");
        sleep(Duration::from_millis(100));
        done(web) > Some(jobs)
    });
}

/// The streams are made anew.
#[test]
fn a_server_that_has_lost_its_queues() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &server.url());
    first(&mut web, "key");
    let _worker = worker(&origin, &server.url(), 4);
    staffed(&mut web, 1);
    reads(&mut web, "key", 2);
    server.run::<()>("FLUSHALL");
    staffed(&mut web, 1);
    let (before, runs) = (fetches(&mut web), origin.runs("key").len());
    works(&mut web, 0);
    assert!(origin.runs("key").len() > runs);
    assert_eq!(fetches(&mut web), before, "the worker has fetched it");
}

#[test]
fn a_server_that_was_killed_and_is_back() {
    let Some(mut server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &server.url());
    first(&mut web, "key");
    let worker = worker(&origin, &server.url(), 4);
    staffed(&mut web, 1);
    server.kill();
    worker.logs("the queue gives no answer: the worker tries again");
    // Nothing is stale for ever.
    let runs = origin.runs("key").len();
    wait_until("nobody fetches", || {
        web.ask("get queued key");
        origin.runs("key").len() > runs
    });
    server.start_again();
    staffed(&mut web, 1);
    works(&mut web, 0);
}

/// With a log of its changes it has jobs and leases again, and each job is run.
#[test]
fn a_server_that_is_killed_while_jobs_wait() {
    const JOBS: usize = 20;
    let Some(mut server) = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &server.url());
    for key in 0..JOBS {
        first(&mut web, &format!("key{key}"));
    }
    let mut killed = worker(&origin, &server.url(), 4);
    staffed(&mut web, 1);
    // It counts as a worker for 15 s, and takes no job.
    killed.kill();
    for key in 0..JOBS {
        stale(&mut web, &format!("key{key}"), 1);
    }
    wait_until("the jobs do not wait", || web.ask("queues").contains(&format!("length={JOBS} ")));
    let before = fetches(&mut web);
    server.kill();
    server.start_again();
    let _worker = worker(&origin, &server.url(), 4);
    wait_until("they are not done", || {
        web.ask("queues").starts_with("length=0 under_way=0 ") && done(&mut web) == Some(JOBS as u64)
    });
    for key in 0..JOBS {
        assert_eq!(origin.runs(&format!("key{key}")).len(), 2, "{key}");
    }
    assert_eq!(fetches(&mut web), before, "the worker has fetched them");
}

/// Its connections stay open, and the answers for which it waits are lost.
#[test]
fn a_worker_that_was_in_a_black_hole_takes_jobs_again() {
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let mut web = web(&origin, &server.url());
    first(&mut web, "key");
    let worker = worker(&origin, &proxy.url(), 4);
    staffed(&mut web, 1);
    works(&mut web, 0);
    proxy.set(Fault::BlackHole);
    worker.logs("the queue gives no answer: the worker tries again");
    proxy.set(Fault::None);
    let before = done(&mut web).unwrap();
    works(&mut web, before + 1);
}

/// One that gives no answer keeps nobody from ending, and its job is another worker's when it is back.
#[test]
fn a_worker_is_stopped_while_its_server_hangs() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &server.url());
    first(&mut web, "key");
    let mut stopped = worker(&origin, &server.url(), 4);
    staffed(&mut web, 1);
    origin.hold("key");
    stale(&mut web, "key", 1);
    origin.began("key", 2);
    server.stop();
    stopped.interrupt();
    assert_eq!(stopped.ended().1, Some(0));
    server.go_on();
    origin.release("key");
    let _next = worker(&origin, &server.url(), 4);
    staffed(&mut web, 1);
    reads(&mut web, "key", 3);
    wait_until("the job does not end", || web.ask("queues").starts_with("length=0 under_way=0 "));
}

/// The queue has moved with the values.
#[test]
fn a_failover_to_a_replica() {
    let Some(mut group) = Sentinels::start(None) else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &group.url(""));
    first(&mut web, "key");
    let _worker = worker(&origin, &group.url(""), 4);
    staffed(&mut web, 1);
    works(&mut web, 0);
    group.servers[0].kill();
    let new = group.servers[1].port;
    wait_until("there is no new master", || group.master() == new);
    staffed(&mut web, 1);
    let runs = done(&mut web).unwrap();
    works(&mut web, runs);
}

#[test]
fn a_tier_without_a_queue_says_so() {
    let Some(cluster) = Cluster::start(0) else { return };
    let origin = Origin::start();
    let mut worker = Process::start(&origin, &cluster.url(), &["jobs=1"]);
    let told = "the worker cannot start: the second tier of `shared::queued` has no queue";
    assert_eq!(worker.ended(), (told.to_owned(), Some(1)));
    let mut web = Process::start(&origin, &cluster.url(), &[]);
    reads(&mut web, "key", 3);
    assert!(origin.runs("key").len() >= 3, "refreshes run where they are asked for");
    let said = "the second tier has no queue for workers: refreshes run in this process";
    assert_eq!(web.logged(said).len(), 1);
    // Without the fallback they run nowhere.
    web.ask("get only_there other");
    let told = web.logs("refreshes are not handed to workers, and values stay stale");
    assert!(told.contains("the second tier has no queue for workers"), "{told}");
    web.ask("settle");
    assert_eq!(origin.runs("other").len(), 0);
}
