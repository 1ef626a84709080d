//! Web processes and workers over one queue: workers that are killed, stopped and interrupted, and jobs that none
//! can run. `sqlite_workers` is the same on a file.

mod support;

use std::thread::sleep;
use std::time::{Duration, Instant};

use support::workers::{fetches, first, reads, serves, staffed, stale, web, worker};
use support::{Origin, Process, Tier, is_long, wait_until};

/// A web process that has fetched a value.
fn fetched(key: &str) -> Option<(Tier, Origin, Process)> {
    let tier = Tier::start_with_queue()?;
    let origin = Origin::start();
    let mut web = web(&origin, &tier.url());
    first(&mut web, key);
    Some((tier, origin, web))
}

/// The same with a worker in the midst of its refresh.
fn in_the_midst_of_a_job() -> Option<(Tier, Origin, Process, Process)> {
    let (tier, origin, mut web) = fetched("key")?;
    let worker = worker(&origin, &tier.url(), 4);
    staffed(&mut web, 1);
    origin.hold("key");
    stale(&mut web, "key", 1);
    origin.began("key", 2);
    Some((tier, origin, web, worker))
}

/// The same with the job of its refresh, which waits: its worker was killed, counts as one for 15 s, and takes nothing.
fn with_a_job_that_waits() -> Option<(Tier, Origin, Process)> {
    let (tier, origin, mut web) = fetched("key")?;
    let mut killed = worker(&origin, &tier.url(), 4);
    staffed(&mut web, 1);
    killed.kill();
    stale(&mut web, "key", 1);
    wait_until("the job does not wait", || web.ask("queues").starts_with("length=1 under_way=0 "));
    Some((tier, origin, web))
}

#[test]
fn a_worker_fetches_what_the_others_serve() {
    let Some((tier, origin, mut one)) = fetched("key") else { return };
    let mut other = web(&origin, &tier.url());
    let worker = worker(&origin, &tier.url(), 4);
    staffed(&mut one, 1);
    let before = fetches(&mut one);
    reads(&mut one, "key", 2);
    reads(&mut other, "key", 3);
    assert_eq!(fetches(&mut one), before);
    assert_eq!(fetches(&mut other), "fetches=0");
    assert_eq!(worker.logged("WARN"), Vec::<String>::new());
    wait_until("the jobs are not done", || one.ask("queues").starts_with("length=0 under_way=0 workers=1 "));
}

#[test]
fn two_workers_run_a_job_once() {
    let Some((tier, origin, mut one)) = fetched("key") else { return };
    let mut other = web(&origin, &tier.url());
    let _workers = [(); 2].map(|()| worker(&origin, &tier.url(), 4));
    staffed(&mut one, 2);
    origin.hold("key");
    stale(&mut one, "key", 1);
    origin.began("key", 2);
    for _ in 0..20 {
        assert_eq!(one.ask("get queued key"), "Stale Local 1");
        assert!(other.ask("get queued key").ends_with(" 1"));
        sleep(Duration::from_millis(50));
    }
    assert_eq!(origin.runs("key").len(), 2);
    // It was given to one of them alone.
    assert_eq!(one.ask("queues"), "length=0 under_way=1 workers=2 done=0 failed=0 dropped=0 dead=0");
    origin.release("key");
    reads(&mut other, "key", 2);
}

/// The lease of its job lapses, and the next reader enqueues another. What it has left is claimed, and dropped.
#[test]
fn a_worker_that_is_killed_in_the_midst_of_a_job_loses_nothing() {
    let Some((tier, origin, mut web, mut killed)) = in_the_midst_of_a_job() else { return };
    killed.kill();
    let at = Instant::now();
    let _next = worker(&origin, &tier.url(), 4);
    origin.release("key");
    reads(&mut web, "key", 3);
    assert!(at.elapsed() < Duration::from_secs(10), "{:?}", at.elapsed());
    if is_long() {
        sleep(Duration::from_secs(10));
        wait_until("its job is not claimed", || web.ask("queues").contains("under_way=0"));
    }
}

/// A worker is stopped in the midst of its job until its lease has lapsed, and another one fetches in its place. It goes on
/// while that one fetches, or after. What it brings is not stored.
fn goes_on_too_late(while_the_other_one_fetches: bool) {
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &tier.url());
    let get = |web: &mut Process| web.ask("get steady key");
    wait_until("there is no value", || get(&mut web).ends_with(" 1"));
    let mut stopped = serves(&origin, &tier.url(), 4, "steady");
    staffed(&mut web, 1);
    origin.hold("key");
    assert_eq!(web.ask("stale steady"), "ok");
    wait_until("it is not stale", || get(&mut web) == "Stale Local 1");
    origin.began("key", 2);
    // One that is stopped in the midst of a transaction keeps the lock of its file, and everybody waits.
    wait_until("the tier takes no write", || {
        stopped.stop();
        let stands = web.ask("set long other 1") == "ok";
        if !stands {
            stopped.go_on();
        }
        stands
    });
    let _next = serves(&origin, &tier.url(), 4, "steady");
    wait_until("nobody fetches in its place", || {
        get(&mut web);
        origin.runs("key").len() >= 3
    });
    let other_one_ends = |web: &mut Process| {
        origin.end("key", 3, false);
        wait_until("its value is not stored", || get(web).ends_with(" 3"));
    };
    if !while_the_other_one_fetches {
        other_one_ends(&mut web);
    }
    origin.end("key", 2, false);
    // It ends what it has begun, and takes no other job.
    stopped.interrupt();
    stopped.go_on();
    assert_eq!(stopped.ended(), ("done=0 failed=0 dropped=1".to_owned(), Some(0)));
    if while_the_other_one_fetches {
        assert_eq!(get(&mut web), "Stale Local 1");
        other_one_ends(&mut web);
    }
    assert!(get(&mut web).ends_with(" 3"));
    origin.release("key");
}

#[test]
fn a_worker_that_was_stopped_finds_itself_out_while_another_one_fetches() {
    goes_on_too_late(true);
}

#[test]
fn a_worker_that_was_stopped_finds_itself_out_when_another_one_has_fetched() {
    goes_on_too_late(false);
}

/// Nobody has asked for it since.
#[test]
fn a_job_whose_key_was_removed_is_not_run() {
    let Some((tier, origin, mut web)) = with_a_job_that_waits() else { return };
    assert_eq!(web.ask("remove queued key"), "ok");
    let _next = worker(&origin, &tier.url(), 4);
    wait_until("the job does not end", || web.ask("queues").starts_with("length=0 under_way=0 "));
    assert!(web.ask("queues").contains(" done=0 failed=0 dropped=1 "), "{}", web.ask("queues"));
    assert_eq!(origin.runs("key").len(), 1);
}

#[test]
fn an_interrupted_worker_ends_its_jobs_and_exits_with_code_zero() {
    let Some((_tier, origin, mut web, mut interrupted)) = in_the_midst_of_a_job() else { return };
    interrupted.interrupt();
    wait_until("it still counts as a worker", || web.ask("queues").contains("workers=0 "));
    origin.release("key");
    assert_eq!(interrupted.ended(), ("done=1 failed=0 dropped=0".to_owned(), Some(0)));
    reads(&mut web, "key", 2);
    assert!(web.ask("queues").starts_with("length=0 under_way=0 workers=0 done=1 "));
}

/// As systemd and containers stop it.
#[test]
fn a_terminated_worker_ends_its_jobs_and_exits_with_code_zero() {
    let Some((_tier, origin, mut web, mut terminated)) = in_the_midst_of_a_job() else { return };
    terminated.terminate();
    wait_until("it still counts as a worker", || web.ask("queues").contains("workers=0 "));
    origin.release("key");
    assert_eq!(terminated.ended(), ("done=1 failed=0 dropped=0".to_owned(), Some(0)));
    reads(&mut web, "key", 2);
}

/// At its limit, which is 3 s here, the job goes back. The next worker has it.
#[test]
fn an_interrupted_worker_gives_back_what_takes_too_long() {
    let Some((tier, origin, mut web, mut interrupted)) = in_the_midst_of_a_job() else { return };
    interrupted.interrupt();
    assert_eq!(interrupted.ended(), ("done=0 failed=0 dropped=0".to_owned(), Some(0)));
    assert!(web.ask("queues").starts_with("length=1 under_way=0 workers=0 "), "{}", web.ask("queues"));
    let _next = worker(&origin, &tier.url(), 4);
    origin.began("key", 3);
    origin.release("key");
    reads(&mut web, "key", 3);
}

/// Nothing is stale for ever. It is said once a minute.
#[test]
fn without_a_worker_the_web_refreshes_for_itself() {
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &tier.url());
    reads(&mut web, "key", 4);
    assert_eq!(fetches(&mut web), format!("fetches={}", origin.runs("key").len()));
    let said = web.logged("refreshes are not handed to workers, and run in this process");
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("no worker that serves it was seen in the last 15 s"), "{said:?}");
}

/// Its jobs are not those of the others, and are not taken.
#[test]
fn a_worker_of_another_version_takes_no_job() {
    let Some((tier, origin, mut web)) = fetched("key") else { return };
    let mut next = serves(&origin, &tier.url(), 4, "queued_anew");
    staffed(&mut web, 1);
    reads(&mut web, "key", 3);
    assert_eq!(fetches(&mut web), format!("fetches={}", origin.runs("key").len()));
    wait_until("the next version has no worker", || {
        web.ask("get queued_anew other");
        web.ask("queues").contains("done=1 ")
    });
    next.interrupt();
    assert_eq!(next.ended(), ("done=1 failed=0 dropped=0".to_owned(), Some(0)));
}

#[test]
fn a_worker_that_lacks_a_thing_says_which() {
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let mut worker = Process::start(&origin, &tier.url(), &["jobs=1", "serves=queued,skipping,long"]);
    let (told, code) = worker.ended();
    assert_eq!(code, Some(1));
    for words in [
        "skipping` skips `thing`, and nobody provides it: call `.provide(..)` with a `alloc::sync::Arc<core::time::Duration>`",
        "long` has no queue: it needs the option `queue`",
    ] {
        assert!(told.contains(words), "{told}");
    }
}

/// It is fetched where it is asked for.
#[test]
fn an_argument_that_is_too_long_is_not_sent() {
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &tier.url());
    let worker = worker(&origin, &tier.url(), 4);
    staffed(&mut web, 1);
    let key = "x".repeat((1 << 20) + 1);
    web.ask(&format!("get queued {key}"));
    web.ask("settle");
    let told = web.logs("a refresh is not put on its queue, and runs in this process");
    assert!(told.contains("and the tier takes 1048576 at most"), "{told}");
    assert_eq!((fetches(&mut web), origin.runs(&key).len()), ("fetches=1".to_owned(), 1));
    assert!(web.ask("queues").contains("done=0 "));
    assert_eq!(worker.logged("WARN"), Vec::<String>::new());
}

#[test]
fn an_argument_that_does_not_decode_stops_no_worker() {
    let Some((tier, origin, mut web)) = fetched("secret") else { return };
    let mut worker = serves(&origin, &tier.url(), 4, "misread,queued_anew");
    staffed(&mut web, 1);
    web.ask("get queued secret");
    wait_until("it is not told of", || {
        web.ask("get queued secret");
        !worker.logged("its argument `key` does not decode").is_empty()
    });
    assert_eq!(worker.logged("secret"), Vec::<String>::new());
    web.ask("get queued_anew other");
    wait_until("it does not go on", || web.ask("queues").contains("done=1 "));
    worker.interrupt();
    assert_eq!(worker.ended().1, Some(0));
}

#[test]
fn a_job_that_kills_its_worker_three_times_is_buried() {
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &tier.url());
    let mut next = worker(&origin, &tier.url(), 4);
    staffed(&mut web, 1);
    web.ask("get queued poison");
    for run in 1..=3 {
        assert_eq!(next.ended().1, None, "it was killed by a signal");
        assert_eq!(origin.runs("poison").len(), run);
        tier.abandon_jobs();
        next = worker(&origin, &tier.url(), 4);
    }
    next.logs("a key has ended three workers, and its job was dropped");
    // The log says so first.
    wait_until("it is not buried", || web.ask("queues").ends_with("dead=1"));
    assert_eq!(origin.runs("poison").len(), 3);
    assert_eq!(next.logged("poison"), [""; 0], "an argument is in no log");
}

/// It is read all the time: for each worker that ends there is another job, long before the last one is abandoned.
#[test]
fn a_key_that_kills_three_workers_is_left_alone() {
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &tier.url());
    let mut next = worker(&origin, &tier.url(), 4);
    staffed(&mut web, 1);
    for run in 1..=3 {
        wait_until("it is not run", || {
            web.ask("get queued poison");
            origin.runs("poison").len() == run
        });
        assert_eq!(next.ended().1, None, "it was killed by a signal");
        next = worker(&origin, &tier.url(), 4);
    }
    wait_until("it is not buried", || {
        web.ask("get queued poison");
        web.ask("queues").ends_with("dead=1")
    });
    next.logs("a key has ended three workers, and its job was dropped");
    let until = Instant::now() + Duration::from_secs(7);
    while Instant::now() < until {
        web.ask("get queued poison");
        sleep(Duration::from_millis(50));
    }
    assert_eq!(origin.runs("poison").len(), 3);
    // The worker goes on.
    web.ask("get queued other");
    reads(&mut web, "other", 1);
    next.interrupt();
    assert_eq!(next.ended().1, Some(0));
}

/// As a job that is claimed although its worker lives. One of the two has the lease, and the other finds itself out.
#[test]
fn a_job_that_is_there_twice_is_run_once() {
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &tier.url());
    wait_until("there is no value", || web.ask("get steady key").ends_with(" 1"));
    let mut killed = serves(&origin, &tier.url(), 4, "steady");
    staffed(&mut web, 1);
    // It counts as a worker for 15 s, and takes no job.
    killed.kill();
    assert_eq!(web.ask("stale steady"), "ok");
    wait_until("it is not stale", || web.ask("get steady key") == "Stale Local 1");
    wait_until("the job does not wait", || web.ask("queues").starts_with("length=1 under_way=0 "));
    tier.copy_jobs();
    origin.hold("key");
    // One alone would keep the other job until the first has ended.
    let _workers = [(); 2].map(|()| serves(&origin, &tier.url(), 4, "steady"));
    origin.began("key", 2);
    wait_until("the other one is not dropped", || {
        let queues = web.ask("queues");
        queues.starts_with("length=0 under_way=1 ") && queues.contains(" done=0 failed=0 dropped=1 ")
    });
    origin.release("key");
    wait_until("the first is not done", || web.ask("queues").contains(" done=1 failed=0 dropped=1 "));
    assert_eq!(origin.runs("key").len(), 2);
}

/// Its worker is gone, or is one of another version by now, as in a rolling upgrade. Nothing is stale for ever.
#[test]
fn a_job_that_nobody_takes_is_run_where_it_is_asked_for() {
    let Some((tier, origin, mut web)) = with_a_job_that_waits() else { return };
    let at = Instant::now();
    let mut next = serves(&origin, &tier.url(), 4, "queued_anew");
    let before = fetches(&mut web);
    // So long after its last heartbeat it is no worker any more.
    wait_until("it is not refreshed", || {
        sleep(Duration::from_millis(50));
        !web.ask("get queued key").ends_with(" 1")
    });
    assert!(at.elapsed() > Duration::from_secs(8), "{:?}", at.elapsed());
    assert_ne!(fetches(&mut web), before);
    assert_eq!(origin.runs("key").len(), 2);
    web.logs("refreshes are not handed to workers, and run in this process");
    next.interrupt();
    assert_eq!(next.ended(), ("done=0 failed=0 dropped=0".to_owned(), Some(0)));
    // Its turn comes, and it is not needed any more.
    let _last = worker(&origin, &tier.url(), 4);
    wait_until("the job does not end", || web.ask("queues").starts_with("length=0 under_way=0 "));
}

/// Of a refresh that is done, one that fails, one that nobody takes, one that is dropped, and one that is given back.
#[test]
fn no_argument_and_no_value_is_logged() {
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let mut web = web(&origin, &tier.url());
    let mut other = worker(&origin, &tier.url(), 4);
    staffed(&mut web, 1);
    assert_eq!(web.ask("set queued secret_key secret_value"), "ok");
    wait_until("it is not refreshed", || web.ask("get queued secret_key").ends_with(" 1"));
    origin.fail(true);
    wait_until("no refresh fails", || {
        web.ask("get queued secret_key");
        web.ask("queues").contains(" failed=1 ")
    });
    origin.fail(false);
    origin.hold("secret_other_key");
    assert_eq!(web.ask("set queued secret_other_key secret_value"), "ok");
    wait_until("it is not stale", || web.ask("get queued secret_other_key") == "Stale Local secret_value");
    origin.began("secret_other_key", 1);
    other.interrupt();
    assert_eq!(other.ended().1, Some(0));
    wait_until("it is not given back", || web.ask("queues").starts_with("length=1 under_way=0 workers=0 "));
    assert_eq!(web.ask("remove queued secret_other_key"), "ok");
    let next = worker(&origin, &tier.url(), 4);
    wait_until("it is not dropped", || web.ask("queues").contains(" dropped=1 "));
    for process in [&web, &other, &next] {
        assert!(!process.logged("").is_empty());
        assert_eq!(process.logged("secret"), [""; 0]);
    }
}
