//! What a Redis server keeps of the queues.

mod support;

use std::time::Duration;

use support::workers::{done, fetches, first, reads, serves, staffed, stale, web, worker};
use support::{Origin, Process, Server, wait_until};

/// Nobody else would ever delete the queue of a function that was renamed, or of a version that is gone.
#[test]
fn a_queue_that_no_worker_serves_is_gone_after_a_week() {
    const WEEK: u64 = 7 * 86_400_000;
    const SECOND: u64 = 1_000;
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &server.url());
    first(&mut web, "key");
    let mut worker = worker(&origin, &server.url(), 4);
    staffed(&mut web, 1);
    reads(&mut web, "key", 2);
    wait_until("no job is done", || web.ask("queues").contains("done=1 "));
    let mut keys: Vec<String> = server.run("KEYS cb1:q:*");
    keys.sort();
    let ends: Vec<_> = keys.iter().map(|key| key.rsplit(':').next().unwrap()).collect();
    assert_eq!(ends, ["%lines", "n", "s", "w"]);
    let left = |key: &String| server.run::<i64>(&format!("PTTL {key}")).unsigned_abs();
    // From the first moment on: the next heartbeat may never come.
    for key in &keys {
        assert!((WEEK - 60 * SECOND..=WEEK).contains(&left(key)), "{key}: {}", left(key));
    }
    // There are dead jobs, too, and somebody else's line is old.
    let dead = keys[1].replace(":n", ":d");
    server.run::<()>(&format!("RPUSH {dead} dead"));
    server.run::<()>(&format!("ZADD {} 1 old", keys[0]));
    keys.push(dead);
    for key in &keys {
        server.run::<()>(&format!("PEXPIRE {key} {}", 600 * SECOND));
    }
    wait_until("a heartbeat puts it off", || keys.iter().all(|key| left(key) > WEEK - 60 * SECOND));
    assert_eq!(server.run::<i64>(&format!("ZCARD {}", keys[0])), 1, "the old line is not listed");
    // Without a worker nothing does.
    worker.kill();
    for key in &keys {
        server.run::<()>(&format!("PEXPIRE {key} {}", 600 * SECOND));
    }
    web.ask("get queued key");
    assert!(web.ask("queues").contains("done="));
    std::thread::sleep(Duration::from_secs(6));
    assert!(keys.iter().all(|key| left(key) <= 600 * SECOND), "{keys:?}");
    for key in &keys {
        server.run::<()>(&format!("DEL {key}"));
    }
    assert_eq!(web.ask("queues"), "");
}

/// A web process and a worker of two functions, which is killed and counts as a worker for 15 s more.
fn with_a_worker_that_takes_nothing(server: &Server, origin: &Origin) -> Process {
    let mut web = web(origin, &server.url());
    let mut killed = serves(origin, &server.url(), 1, "queued,steady");
    wait_until("not both have a worker", || web.ask("queues").matches("workers=1 ").count() == 2);
    killed.kill();
    web
}

/// The worker would wait for two seconds in each line without a job, and do one job a second at most.
#[test]
fn a_line_without_jobs_holds_up_no_other() {
    const JOBS: usize = 40;
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut web = with_a_worker_that_takes_nothing(&server, &origin);
    for job in 0..JOBS {
        web.ask(&format!("get queued key{job}"));
    }
    wait_until("the jobs do not wait", || web.ask("queues").contains(&format!("length={JOBS} ")));
    let _worker = serves(&origin, &server.url(), 1, "queued,steady");
    wait_until("jobs wait for the other line", || {
        web.ask("queues").contains(&format!(" done={JOBS} failed=0 dropped=0 "))
    });
}

/// Both have jobs, and places for one at a time.
#[test]
fn lines_with_jobs_take_turns() {
    const JOBS: usize = 10;
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut web = with_a_worker_that_takes_nothing(&server, &origin);
    for function in ["queued", "steady"] {
        for job in 0..JOBS {
            web.ask(&format!("get {function} {function}{job}"));
        }
    }
    wait_until("the jobs do not wait", || web.ask("queues").matches(&format!("length={JOBS} ")).count() == 2);
    let _worker = serves(&origin, &server.url(), 1, "queued,steady");
    wait_until("they are not done", || {
        web.ask("queues").matches(&format!(" done={JOBS} failed=0 dropped=0 ")).count() == 2
    });
    let mut began: Vec<_> = ["queued", "steady"]
        .iter()
        .flat_map(|function| (0..JOBS).map(move |job| (function, format!("{function}{job}"))))
        .map(|(function, key)| (origin.runs(&key)[0], function))
        .collect();
    began.sort_unstable();
    for pair in began.windows(2) {
        assert_ne!(pair[0].1, pair[1].1, "{began:?}");
    }
}

/// Jobs that a worker has are none of those that wait.
#[test]
fn jobs_under_way_do_not_count_for_the_bound() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &server.url());
    first(&mut web, "key");
    first(&mut web, "other");
    let mut killed = worker(&origin, &server.url(), 4);
    staffed(&mut web, 1);
    killed.kill();
    let stream = server.only("cb1:q:*:s");
    let mut fill = redis::cmd("EVAL");
    fill.arg("for _ = 1, 10000 do redis.call('XADD', KEYS[1], '*', 'job', 'x', 'ended', '0') end").arg(1);
    server.query::<()>(fill.arg(&stream));
    server.run::<redis::Value>(&format!("XREADGROUP GROUP workers another COUNT 1 STREAMS {stream} >"));
    // One more may wait, and no other.
    let before = fetches(&mut web);
    stale(&mut web, "key", 1);
    wait_until("it is not handed over", || web.ask("queues").starts_with("length=10000 under_way=1 "));
    assert_eq!((fetches(&mut web), origin.runs("key").len()), (before, 1));
    reads(&mut web, "other", 2);
    // Not for want of a worker.
    let queues = web.ask("queues");
    assert!(queues.starts_with("length=10000 under_way=1 workers=1 "), "{queues}");
}

/// Whoever may write to the server may put anything on a queue. Each is dropped, with its sentence, and the worker goes on.
#[test]
fn jobs_that_nobody_can_run() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &server.url());
    let mut killed = serves(&origin, &server.url(), 4, "queued,queued_anew,steady");
    wait_until("not all have a worker", || web.ask("queues").matches("workers=1 ").count() == 3);
    // It counts as a worker for 15 s, and takes no job.
    killed.kill();
    let streams: Vec<String> = server.run("KEYS cb1:q:*:s");
    // The stream of a function, and the job that is there.
    let mut put = |function: &str, key: &str| {
        web.ask(&format!("get {function} {key}"));
        let mut found = None;
        wait_until("the job does not wait", || {
            let has_jobs = |stream: &&String| server.run::<u64>(&format!("XLEN {stream}")) == 1;
            found = streams.iter().find(has_jobs).cloned();
            found.is_some()
        });
        let stream = found.unwrap();
        let jobs: Vec<support::tier::Entry> = server.run(&format!("XRANGE {stream} - +"));
        server.run::<u64>(&format!("XTRIM {stream} MAXLEN 0"));
        (stream, jobs[0].1.clone())
    };
    let (own, job) = put("queued", "own");
    let (_, of_another_version) = put("queued_anew", "anew");
    let (_, of_another_function) = put("steady", "steady");
    let cut = vec![("job".to_owned(), job[0].1[..20].to_vec())];
    for job in [of_another_version, of_another_function, cut, job] {
        server.query::<String>(redis::cmd("XADD").arg(&own).arg("*").arg(job));
    }
    let worker = worker(&origin, &server.url(), 4);
    worker.logs("it is of another version of the function");
    worker.logs("it is of another function");
    worker.logs("it is no job: its bytes end too early");
    origin.began("own", 1);
    assert_eq!((origin.runs("anew").len(), origin.runs("steady").len()), (0, 0));
}

/// As those that end otherwise.
#[test]
fn a_buried_job_counts_as_one_that_has_ended() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &server.url());
    let _worker = worker(&origin, &server.url(), 4);
    staffed(&mut web, 1);
    let stream = server.only("cb1:q:*:s");
    server.run::<String>(&format!("XADD {stream} * job nobody-can-run-this ended 0"));
    wait_until("it is not buried", || web.ask("queues").ends_with(" dropped=1 dead=1"));
    let counters = server.only("cb1:q:*:n");
    assert_eq!(server.run::<i64>(&format!("HGET {counters} this")), 1);
    assert_eq!(done(&mut web), Some(0));
}
