//! What a Redis server keeps of the queues.

mod support;

use std::time::Duration;

use support::workers::{first, reads, staffed, web, worker};
use support::{Origin, Server, wait_until};

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
