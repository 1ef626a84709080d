//! Which of two changes stands: writes that come late, answers that are lost, and values and leases that the server has
//! lost.

mod support;

use std::thread::sleep;
use std::time::Duration;

use support::{Fault, Origin, Process, Proxy, Server, envelope, wait_until};

/// A server and two processes, the first of them behind a proxy.
fn fleet() -> Option<(Server, Origin, Proxy, Process, Process)> {
    let server = Server::start(&[])?;
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let one = Process::start(&origin, &proxy.url(), &["timeout=500"]);
    let other = Process::start(&origin, &server.url(), &["timeout=500"]);
    Some((server, origin, proxy, one, other))
}

/// A server, or a cluster, and two processes, which are told of changes.
fn pair() -> Option<(Server, Origin, Process, Process)> {
    let (server, origin) = (Server::start_tier()?, Origin::start());
    let [one, other] = [(); 2].map(|()| Process::start(&origin, &server.url(), &["timeout=500"]));
    [&one, &other].into_iter().for_each(Process::listens);
    Some((server, origin, one, other))
}

/// How many scripts the server has run.
fn scripts(server: &Server) -> usize {
    let stats: String = server.run("INFO commandstats");
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    calls.and_then(|calls| calls.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
}

/// The state of the only lease: `r` while its fetch runs, `b` for a back-off.
fn lease(server: &Server) -> char {
    let lease: Vec<u8> = server.query(redis::cmd("GET").arg(server.only("cb1:l:*")));
    char::from(lease[0])
}

/// A `set` that is still on the way when its connection is dropped does nothing when it arrives, after a newer one.
#[test]
fn a_set_that_comes_late_does_nothing() {
    let Some((server, _origin, proxy, mut one, mut other)) = fleet() else { return };
    assert_eq!(one.ask("set long a first"), "ok");
    proxy.stall();
    let writes = ["set long a late", "set long b late", "remove long c"].map(|write| one.send(write));
    for write in writes {
        assert!(write.answer().words.starts_with("Unreachable "));
    }
    one.logs("second tier lost");
    wait_until("it connects again", || one.logged("second tier connected").len() == 2);
    for key in ["a", "b", "c"] {
        assert_eq!(one.ask(&format!("set long {key} new")), "ok");
    }
    let before = scripts(&server);
    proxy.deliver();
    wait_until("all of them arrive", || scripts(&server) >= before + 3);
    for key in ["a", "b", "c"] {
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared new");
    }
}

/// The time that a value is on its way belongs to its age.
#[test]
fn a_value_is_no_younger_for_a_long_way() {
    const WAY: Duration = Duration::from_millis(700);
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let mut one = Process::start(&origin, &proxy.url(), &["timeout=3000"]);
    assert_eq!(one.ask("peek long a"), "none");
    proxy.stall();
    let sent = one.send("set long a new");
    sleep(WAY);
    proxy.deliver();
    assert_eq!(sent.answer().words, "ok");
    assert!(envelope::age(&server) >= WAY, "set: {:?}", envelope::age(&server));
    assert_eq!(one.ask("remove long a"), "ok");
    origin.hold("a");
    let sent = one.send("get long a");
    origin.began("a", 1);
    proxy.stall();
    origin.release("a");
    sleep(WAY);
    proxy.deliver();
    assert_eq!(sent.answer().words, "Fetched Fetched 1");
    assert!(envelope::age(&server) >= WAY, "fetched: {:?}", envelope::age(&server));
}

/// A lease that nobody knows of keeps nobody off once the fetch has ended, and its value is a value of one process.
#[test]
fn a_lost_answer_to_acquire() {
    let Some((server, origin, proxy, mut one, mut other)) = fleet() else { return };
    one.ask("get long warm");
    origin.hold("a");
    proxy.lose_the_answer_to("acquire");
    let fetching = one.send("get long a");
    origin.began("a", 1);
    assert_eq!(lease(&server), 'r', "it was granted");
    wait_until("it connects again", || one.logged("second tier connected").len() == 2);
    origin.release("a");
    assert_eq!(fetching.answer().words, "Fetched Fetched 1");
    let answer = other.send("get long a").answer();
    assert_eq!(answer.words, "Fetched Fetched 2");
    assert!(answer.took < Duration::from_secs(3), "it waited for the lease: {:?}", answer.took);
    // It may have looked since, as it has connected anew.
    let here = one.ask("get long a");
    assert!(["Fresh Local 1", "Fresh Shared 2"].contains(&&*here), "{here}");
}

/// A time-out means unknown: what was stored is there, although the process never heard of it.
#[test]
fn a_lost_answer_to_store() {
    let Some((_server, origin, proxy, mut one, mut other)) = fleet() else { return };
    one.ask("get long warm");
    proxy.lose_the_answer_to("store");
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(other.ask("get long a"), "Fresh Shared 1");
    assert_eq!(origin.runs("a").len(), 1);
}

/// The server has nothing to compare with what a process has seen: it gives the lease, and takes the value.
#[test]
fn a_refresh_of_a_value_that_the_server_has_lost() {
    let Some((server, origin, mut one, mut other)) = pair() else { return };
    for key in ["flushed", "evicted"] {
        server.run::<()>("FLUSHALL");
        one.ask(&format!("get short {key}"));
        sleep(Duration::from_millis(1_100));
        server.run::<()>(&match key {
            "flushed" => "FLUSHALL".to_owned(),
            _ => format!("DEL {}", server.only("cb1:v:*")),
        });
        assert_eq!(one.ask(&format!("get short {key}")), "Stale Local 1");
        one.ask("settle");
        assert_eq!(other.ask(&format!("get short {key}")), "Fresh Shared 2", "{key}");
        assert_eq!(origin.runs(key).len(), 2);
    }
}

/// With its lease a fetch is stored also if the value of before was evicted. Without it nobody can tell whether there was
/// a change that the server has lost: the value stays in its process.
#[test]
fn a_value_that_is_lost_during_its_refresh() {
    let Some((server, origin, mut one, mut other)) = pair() else { return };
    for (key, there) in [("evicted", "Fresh Shared 1"), ("flushed", "Fetched Fetched 2")] {
        server.run::<()>("FLUSHALL");
        one.ask(&format!("set long {key} old"));
        origin.hold(key);
        assert_eq!(one.ask(&format!("invalidate long {key}")), "ok");
        origin.began(key, 1);
        server.run::<()>(&match key {
            "flushed" => "FLUSHALL".to_owned(),
            _ => format!("DEL {}", server.only("cb1:v:*")),
        });
        origin.release(key);
        one.ask("settle");
        assert_eq!(one.ask(&format!("get long {key}")), "Fresh Local 1");
        assert_eq!(other.ask(&format!("get long {key}")), there, "{key}");
    }
}

/// A lease over a value of another version, of another type of key, or of another format.
#[test]
fn a_value_that_cannot_be_read_is_replaced() {
    let Some((server, origin, mut one, mut other)) = pair() else { return };
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(other.ask("get renewed a"), "Fetched Fetched 2");
    assert_eq!(one.ask("get renewed a"), "Fresh Shared 2");
    assert!(other.logs("cannot be read").contains("its type or version is another"));
    server.run::<()>("FLUSHALL");
    // By a later release.
    one.ask("set long b old");
    envelope::change(&server, |bytes| bytes[envelope::VERSION] += 1);
    assert_eq!(other.ask("get long b"), "Fetched Fetched 1");
    let [mut third, mut fourth] = [(); 2].map(|()| Process::start(&origin, &server.url(), &["timeout=500"]));
    assert_eq!(third.ask("get long b"), "Fresh Shared 1");
    // By somebody else.
    server.run::<()>(&format!("SET {} nothing KEEPTTL", server.only("cb1:v:*")));
    assert_eq!(fourth.ask("get long b"), "Fetched Fetched 2");
    assert_eq!(Process::start(&origin, &server.url(), &[]).ask("peek long b"), "true Shared 2");
}

/// A key of another type cannot be used at all. Writes remove it.
#[test]
fn a_key_that_is_no_string() {
    let Some((server, origin, mut one, mut other)) = pair() else { return };
    one.ask("set long a old");
    let key = server.only("cb1:v:*");
    server.run::<()>(&format!("DEL {key}"));
    server.run::<()>(&format!("LPUSH {key} nothing"));
    assert_eq!(other.ask("get long a"), "Fetched Fetched 1");
    let refused = one.ask("set long a new");
    assert!(refused.contains("WRONGTYPE"), "{refused}");
    assert_eq!(one.ask("set long a new"), "ok");
    assert_eq!(Process::start(&origin, &server.url(), &[]).ask("get long a"), "Fresh Shared new");
}

/// A refresh that has lost its lease is stored, although another one has failed in the meantime.
#[test]
fn a_store_during_the_back_off_of_another_process() {
    let Some((server, origin, mut one, mut other)) = pair() else { return };
    one.ask("get short a");
    other.ask("get short a");
    sleep(Duration::from_millis(1_100));
    origin.hold("a");
    assert_eq!(one.ask("get short a"), "Stale Local 1");
    origin.began("a", 2);
    server.run::<()>(&format!("DEL {}", server.only("cb1:l:*")));
    assert_eq!(other.ask("get short a"), "Stale Local 1");
    origin.began("a", 3);
    origin.end("a", 3, true);
    other.ask("settle");
    wait_until("it has left its back-off", || lease(&server) == 'b');
    origin.end("a", 2, false);
    one.ask("settle");
    assert_eq!(server.run::<Vec<String>>("KEYS cb1:l:*"), [""; 0], "a success ends the back-off");
    let third = Process::start(&origin, &server.url(), &[]).ask("peek short a");
    assert!(third.ends_with(" Shared 2"), "{third}");
}

/// The second value stands, here and there, although the first was still on its way when it was set.
#[test]
fn two_sets_in_a_row() {
    let Some((_server, origin, proxy, mut one, mut other)) = fleet() else { return };
    one.ask("get long warm");
    proxy.set(Fault::Latency(50));
    for round in 0..5 {
        assert_eq!(one.ask(&format!("sets long {round} first second")), "ok ok");
        assert_eq!(one.ask(&format!("get long {round}")), "Fresh Local second");
        assert_eq!(other.ask(&format!("get long {round}")), "Fresh Shared second");
        assert_eq!(origin.runs(&round.to_string()).len(), 0);
    }
}

/// They have a deadline in the server's time, which nobody knows yet.
#[test]
fn writes_that_wait_for_the_first_connection() {
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    proxy.set(Fault::Hold);
    let mut one = Process::start(&origin, &proxy.url(), &["timeout=10000"]);
    let writes: Vec<_> = (0..20).map(|write| one.send(&format!("set long a {write}"))).collect();
    wait_until("all of them wait", || one.ask("status").contains(" operations=20 "));
    proxy.set(Fault::None);
    for write in writes {
        assert_eq!(write.answer().words, "ok");
    }
}

/// The process has not heard of a `clear`, so its `set` is written once more. The `set` of another process that comes between
/// the two is the later one, and stands.
#[test]
fn a_set_between_the_two_tries_of_another() {
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let [one, other] =
        [proxy.url(), server.url()].map(|url| Process::start(&origin, &url, &["timeout=5000"]));
    let (mut one, mut other) = (one, other);
    server.tells(2);
    assert_eq!(one.ask("set long a old"), "ok");
    wait_until("a subscription", || proxy.deafen() == 1);
    assert_eq!(other.ask("clear long"), "ok");
    let kind = || server.query::<Vec<u8>>(redis::cmd("GET").arg(server.only("cb1:v:*")))[envelope::KIND];
    let value = kind();
    proxy.set(Fault::Hold);
    let tries = one.send("set long a early");
    wait_until("the first try", || kind() != value);
    assert_eq!(other.ask("set long a late"), "ok");
    proxy.set(Fault::None);
    assert_eq!(tries.answer().words, "ok");
    let mut third = Process::start(&origin, &server.url(), &[]);
    assert_eq!(third.ask("get long a"), "Fresh Shared late");
    wait_until("it is taken over", || one.ask("get long a").ends_with(" late"));
    assert_eq!(other.ask("get long a"), "Fresh Local late");
    assert_eq!(origin.runs("a").len(), 0);
}
