//! A master that sentinels watch, and that another server takes the place of.

mod support;

use std::time::Duration;

use support::{Origin, Process, Sentinels, Server, envelope, wait_until};

fn process(origin: &Origin, url: &str) -> Process {
    Process::start(origin, url, &["timeout=1000"])
}

/// The address of the server that a process is connected to.
fn server(process: &mut Process) -> String {
    let status = process.ask("status");
    status.split_once("servers=").unwrap().1.to_owned()
}

#[test]
fn a_master_is_killed() {
    let Some(mut group) = Sentinels::start(None) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &group.url("")));
    assert_eq!(one.ask("set long a first"), "ok");
    assert_eq!(other.ask("get long a"), "Fresh Shared first");
    assert_eq!(server(&mut one), format!("+127.0.0.1:{}", group.servers[0].port));
    group.servers[0].kill();
    one.logs("second tier lost");
    // As with any tier that is down.
    let told = one.send("set long a here").answer();
    assert!(told.words.starts_with("Unreachable ") && told.took < Duration::from_millis(500), "{told:?}");
    assert_eq!(one.ask("get long a"), "Fresh Local here");
    assert_eq!(one.ask("get long b"), "Fetched Fetched 1");
    let new = group.servers[1].port;
    for process in [&mut one, &mut other] {
        wait_until("it has moved", || server(process) == format!("+127.0.0.1:{new}"));
        assert_eq!(process.logged("second tier lost").len(), 1, "it is said once");
    }
    assert_eq!(group.master(), new);
    group.servers[1].tells(2);
    assert_eq!(one.ask("set long a second"), "ok");
    wait_until("the change", || other.ask("get long a").ends_with(" second"));
    // It comes back as a replica, which nobody talks to.
    group.servers[0].start_again();
    wait_until("it follows", || group.servers[0].has_role("slave"));
    assert_eq!(one.ask("set long a third"), "ok");
    wait_until("the change", || other.ask("get long a").ends_with(" third"));
    assert_eq!(server(&mut one), format!("+127.0.0.1:{new}"));
    assert_eq!(origin.runs("a").len(), 0);
}

/// The old master lives on. What was stored before is looked at once: the new one may not have all of it.
#[test]
fn the_sentinels_name_another_master() {
    let Some(group) = Sentinels::start(Some("secret")) else { return };
    let origin = Origin::start();
    // The sentinels want no password.
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &group.url(":secret@")));
    assert_eq!(one.ask("set long a first"), "ok");
    assert_eq!(other.ask("get long a"), "Fresh Shared first");
    other.listens();
    // A change that nobody is told of, and that is not noticed, once the process trusts what it has.
    wait_until("it is trusted", || {
        envelope::change(&group.servers[0], |bytes| bytes[envelope::WRITE_ID] ^= 1);
        other.ask("get long a") == "Fresh Local first"
    });
    group.sentinels[1].run::<()>("SENTINEL FAILOVER shop");
    let new = group.servers[1].port;
    for process in [&mut one, &mut other] {
        wait_until("it has moved", || server(process) == format!("+127.0.0.1:{new}"));
    }
    wait_until("it is looked at", || other.ask("get long a") == "Fresh Shared first");
    group.servers[1].tells(2);
    assert_eq!(one.ask("set long a second"), "ok");
    wait_until("the change", || other.ask("get long a").ends_with(" second"));
    assert_eq!(origin.runs("a").len(), 0);
    for process in [&one, &other] {
        assert_eq!(process.logged("secret"), [""; 0]);
        // Both connections have moved, and neither is deaf.
        assert_eq!(process.logged("tells of no changes"), [""; 0]);
    }
}

/// Sentinels that are gone are passed over, and each mistake is a sentence.
#[test]
fn sentinels_that_do_not_help() {
    let Some(mut group) = Sentinels::start(None) else { return };
    let origin = Origin::start();
    group.sentinels[0].kill();
    group.sentinels[1].stop();
    let mut one = process(&origin, &group.url(""));
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    wait_until("it is found", || one.ask("set long a b") == "ok");
    group.sentinels[1].go_on();
    let urls = group.url("");
    let (_, last) = urls.rsplit_once(',').unwrap();
    let unknown = process(&origin, &format!("sentinel:another,{last}"));
    let line = unknown.logs("second tier lost");
    assert!(line.contains("knows no master of the name `another`"), "{line}");
    // A replica that would take writes, and that a sentinel names as a master.
    let Some(replica) = Server::start(&["--replica-read-only", "no"]) else { return };
    replica.run::<()>(&format!("REPLICAOF 127.0.0.1 {}", group.servers[0].port));
    let values = || replica.run::<Vec<String>>("KEYS cb1:v:*").len();
    wait_until("it has what its master has", || values() == 1);
    group.sentinels[2].run::<()>(&format!("SENTINEL MONITOR wrong 127.0.0.1 {} 2", replica.port));
    let mut one = process(&origin, &format!("sentinel:wrong,{last}"));
    assert_eq!(one.ask("get long c"), "Fetched Fetched 1");
    let line = one.logs("second tier lost");
    assert!(line.contains("and it is none"), "{line}");
    assert_eq!(values(), 1, "that of its master alone");
}

/// The words of the answer to a change that no replica has confirmed.
#[track_caller]
fn is_unconfirmed(process: &mut Process, change: &str) {
    let told = process.send(change).answer();
    assert!(told.words.starts_with("Unreachable the second tier has not confirmed"), "{told:?}");
    assert!(told.words.ends_with("0 of 1 have it after 300ms"), "{told:?}");
    let limit = Duration::from_millis(300);
    assert!((limit..3 * limit).contains(&told.took), "{told:?}");
}

/// The word of the master is not enough where replicas are to have a change, and it holds all the same.
#[test]
fn a_change_that_a_replica_has_to_confirm() {
    let Some(mut group) = Sentinels::start(None) else { return };
    let origin = Origin::start();
    let options = ["timeout=300", "replicas=1"];
    let mut one = Process::start(&origin, &group.url(""), &options);
    let mut other = process(&origin, &group.url(""));
    let changes = ["set long a first", "invalidate long b", "remove long c", "clear short x"];
    for change in changes {
        assert_eq!(one.ask(change), "ok");
    }
    assert_eq!(one.ask("alone long a alone"), "ok");
    // One that is idle is closed: a change makes another.
    let clients: String = group.servers[0].run("CLIENT LIST");
    let is_its = |client: &&str| [" cmd=wait ", " cmd=time "].iter().any(|last| client.contains(last));
    let waits = clients.lines().find(is_its).unwrap();
    let id = waits.split_once("id=").unwrap().1.split(' ').next().unwrap();
    group.servers[0].run::<()>(&format!("CLIENT KILL ID {id}"));
    assert_eq!(one.ask("set long a first"), "ok");
    group.servers[1].stop();
    for change in changes.map(|change| change.replace("first", "second")) {
        is_unconfirmed(&mut one, &change);
    }
    wait_until("the change", || other.ask("get long a").ends_with(" second"));
    assert_eq!(other.ask("set long d unasked"), "ok", "another process, which does not ask");
    let fetched = one.send("get long e").answer();
    assert_eq!(fetched.words, "Fetched Fetched 1");
    assert!(fetched.took < Duration::from_millis(300), "no read waits: {fetched:?}");
    group.servers[1].go_on();
    wait_until("it follows", || one.ask("set long a third") == "ok");
    // It is there, whatever becomes of the master and of the process.
    group.servers[0].kill();
    one.kill();
    let new = group.servers[1].port;
    wait_until("it has moved", || server(&mut other) == format!("+127.0.0.1:{new}"));
    wait_until("it is looked at", || other.ask("get long a").ends_with(" third"));
    let mut third = Process::start(&origin, &group.url(""), &options);
    assert_eq!(third.ask("get long a"), "Fresh Shared third");
    // The old master follows, and has to confirm.
    is_unconfirmed(&mut third, "set long a fourth");
    group.servers[0].start_again();
    wait_until("it follows", || third.ask("set long a fifth") == "ok");
    assert_eq!(origin.runs("a").len(), 0);
}

/// Those who wait at the same time share the questions.
#[test]
fn many_changes_that_a_replica_has_to_confirm() {
    let Some(group) = Sentinels::start(None) else { return };
    let origin = Origin::start();
    let mut one = Process::start(&origin, &group.url(""), &["timeout=20000", "replicas=1"]);
    assert_eq!(one.ask("set long a first"), "ok");
    let [master, replica] = &group.servers;
    let waits = || {
        let stats: String = master.run("INFO commandstats");
        let waits = stats.lines().find_map(|line| line.strip_prefix("cmdstat_wait:calls=")).unwrap();
        waits.split(',').next().unwrap().parse::<u64>().unwrap()
    };
    let before = waits();
    replica.stop();
    let sent: Vec<_> = (0..100).map(|key| one.send(&format!("set long k{key} value"))).collect();
    let made = || master.run::<Vec<String>>("KEYS cb1:v:{cacheback:cacheback_shared_tests*").len();
    wait_until("they are made", || made() == 101);
    replica.go_on();
    for told in sent {
        assert_eq!(told.answer().words, "ok");
    }
    let count = waits() - before;
    assert!((1..=50).contains(&count), "{count}");
}
