//! A server that is killed, stopped, cut off or lies: a slower cache, and never an outage.

mod support;

use std::time::Duration;

use support::outage::{back, is_no_outage, process};
use support::{Cluster, Fault, Origin, Process, Proxy, Server, rights, wait_until};

#[test]
fn a_killed_server() {
    let Some(mut server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &server.url()));
    is_no_outage("killed", &origin, &mut one, || server.kill());
    assert!(one.ask("set long a b").starts_with("Unreachable the second tier of "));
    assert_eq!(one.ask("get long a"), "Fresh Local b", "the change holds here");
    server.start_again();
    let took = back(&mut one, &mut other);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_stopped_server() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &server.url()));
    is_no_outage("stopped", &origin, &mut one, || server.stop());
    server.go_on();
    let took = back(&mut one, &mut other);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_network_that_fails() {
    let Some(server) = Server::start(&[]) else { return };
    // Of the second drip, short answers come in time, and those to operations do not.
    for (name, fault) in [
        ("cut", Fault::Cut),
        ("hole", Fault::BlackHole),
        ("garbage", Fault::Garbage),
        ("drip", Fault::Drip(20)),
        ("trickle", Fault::Drip(2)),
    ] {
        let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
        let [mut one, mut other] = [(); 2].map(|()| process(&origin, &proxy.url()));
        is_no_outage(name, &origin, &mut one, || proxy.set(fault));
        proxy.set(Fault::None);
        if fault == Fault::BlackHole {
            // What the black hole has swallowed is lost, and so is the connection.
            proxy.set(Fault::Cut);
            proxy.set(Fault::None);
        }
        server.run::<()>("FLUSHALL");
        let took = back(&mut one, &mut other);
        assert!(took < Duration::from_secs(5), "{name}: {took:?}");
    }
}

/// A server that is slow, but within the time-out, is used.
#[test]
fn a_slow_server() {
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &proxy.url()));
    // Both are connected.
    for process in [&mut one, &mut other] {
        process.ask("set long first value");
    }
    proxy.set(Fault::Latency(20));
    assert_eq!(one.ask("get long slow"), "Fetched Fetched 1");
    assert_eq!(other.ask("get long slow"), "Fresh Shared 1");
}

/// A process that starts without a server works, and uses it when it is there.
#[test]
fn a_server_that_comes_later() {
    let Some(mut server) = Server::start(&[]) else { return };
    server.kill();
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &server.url()));
    assert_eq!(one.ask("get long early"), "Fetched Fetched 1");
    server.start_again();
    back(&mut one, &mut other);
}

/// After `FLUSHALL` local values answer, and what is fetched then is shared again.
#[test]
fn a_server_that_has_lost_all() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &server.url()));
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    redis::cmd("FLUSHALL").exec(&mut server.connection()).unwrap();
    assert_eq!(one.ask("get long a"), "Fresh Local 1");
    assert_eq!(other.ask("get long a"), "Fetched Fetched 2");
    assert_eq!(origin.runs("a").len(), 2);
}

/// Whoever is told so connects again, and tells it the scripts anew.
#[test]
fn a_server_that_has_lost_its_scripts() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &server.url()));
    assert_eq!(one.ask("set long a old"), "ok");
    server.run::<()>("SCRIPT FLUSH");
    let told = one.ask("set long a new");
    assert!(told.contains("Unreachable"), "{told}");
    back(&mut one, &mut other);
    assert_eq!(one.ask("set long a newer"), "ok");
    assert!(one.logs("second tier lost").contains("NoScript"));
}

/// A server that was made a replica takes no writes: it is no longer the one to talk to, also for a process that only
/// reads.
#[test]
fn a_server_that_is_a_replica_now() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &server.url()));
    assert_eq!(one.ask("set long a old"), "ok");
    server.run::<()>("REPLICAOF 127.0.0.1 1");
    assert!(one.ask("set long a new").contains("Unreachable"));
    assert_eq!(one.ask("get long a"), "Fresh Local new");
    for process in [&one, &other] {
        assert!(process.logs("second tier lost").contains("ReadOnly"));
    }
    assert_eq!(one.ask("get long b"), "Fetched Fetched 1");
    assert_eq!(other.ask("peek long a"), "none", "a replica is not read");
    server.run::<()>("REPLICAOF NO ONE");
    back(&mut one, &mut other);
    for process in [&one, &other] {
        assert_eq!(process.logged("second tier lost").len(), 1, "it is said once");
    }
}

/// It sends its operations away: for a cluster there are other settings.
#[test]
fn a_server_that_is_one_of_a_cluster() {
    let Some(cluster) = Cluster::start(0) else { return };
    let origin = Origin::start();
    let mut one = Process::start(&origin, &cluster.masters[0].url(), &["timeout=2000"]);
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    let line = one.logs("second tier lost");
    assert!(line.contains("`Redis::cluster`"), "{line}");
    assert!(one.ask("set long a b").starts_with("Unreachable "));
    assert_eq!(one.logged("second tier lost").len(), 1, "it is said once");
}

/// What cannot be written there is at least not the older value any more.
#[test]
fn a_server_without_memory_takes_no_write() {
    let Some(server) = Server::start(&["--maxmemory-policy", "noeviction"]) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &server.url()));
    assert_eq!(one.ask("set long a old"), "ok");
    assert_eq!(one.ask("set long kept there"), "ok");
    server.run::<()>("CONFIG SET maxmemory 1");
    assert_eq!(other.ask("peek long kept"), "true Shared there", "what is there can be read");
    let told = one.ask("set long a new");
    assert!(told.starts_with("Unreachable ") && told.contains("OOM"), "{told}");
    assert_eq!(one.ask("get long a"), "Fresh Local new");
    assert_eq!(other.ask("get long b"), "Fetched Fetched 1");
    assert_eq!(one.ask("homeless long"), "1");
    // It cannot ask for a lease, either, and has nothing to store.
    assert_eq!(other.ask("homeless long"), "0");
    // What brings no value needs no room for one.
    assert!(one.ask("invalidate long kept").starts_with("Unreachable "));
    assert_eq!(one.ask("homeless long"), "1");
    server.run::<()>("CONFIG SET maxmemory 0");
    assert_eq!(other.ask("peek long a"), "none", "the older value is not taken for the new one");
    wait_until("what waits is not told", || one.ask("status").contains(" pending=0 "));
    assert_eq!(one.ask("get long a"), "Fresh Local new", "the process keeps what it has set");
    assert_eq!(one.ask("set long a new"), "ok");
    assert_eq!(other.ask("peek long a"), "true Shared new");
}

/// The rights that the guide names are enough. Without one of them the functions go on, and it is logged. (Those to the
/// messages: `coherence.rs`.)
#[test]
fn a_user_with_few_rights() {
    let Some(server) = Server::start(&[]) else { return };
    // One more for another database.
    let database = |url: String| url + "3";
    let (origin, url) = (Origin::start(), database(server.user("elsewhere", rights())));
    let told = process(&origin, &url).logs("second tier lost");
    assert!(told.contains("may not run `SELECT`: grant it `~cb1:*") && told.contains(" +select`"), "{told}");
    let url = database(server.user("elsewhere", &format!("{} +select", rights())));
    assert_eq!(process(&origin, &url).ask("set long a b"), "ok");
    let rights: Vec<_> = rights().split_whitespace().collect();
    // All of them, and without one of them each.
    for (number, lacking) in std::iter::once(None).chain(rights.iter().map(Some)).enumerate() {
        let name = format!("user{number}");
        let granted: Vec<_> = rights.iter().filter(|right| Some(*right) != lacking).copied().collect();
        let url = server.user(&name, &granted.join(" "));
        let origin = Origin::start();
        let [mut one, mut other] = [(); 2].map(|()| process(&origin, &url));
        assert!(one.ask(&format!("get long {name}")).starts_with("Fetched Fetched"));
        let (answer, told) = (other.ask(&format!("get long {name}")), one.ask("clear long"));
        let is_for_messages =
            lacking.is_some_and(|lacking| ["&cb1:*", "+publish", "+subscribe"].contains(lacking));
        match lacking {
            Some(_) if is_for_messages => {
                assert_eq!((&*answer, &*told), ("Fresh Shared 1", "ok"), "without {lacking:?}");
                continue;
            }
            None => assert_eq!((&*answer, &*told), ("Fresh Shared 1", "ok")),
            Some(_) => {
                assert_eq!(answer, "Fetched Fetched 2", "without {lacking:?}");
                assert!(told.starts_with("Unreachable "), "without {lacking:?}: {told}");
            }
        }
        let lines = [one.logged("WARN"), other.logged("WARN")].concat();
        assert_eq!(lines.is_empty(), lacking.is_none(), "without {lacking:?}: {lines:?}");
        assert!(!format!("{told} {lines:?}").contains("secret"));
    }
}
