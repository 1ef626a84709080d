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
    group.servers[0].tells(2);
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
    group.sentinels[2].run::<()>(&format!("SENTINEL MONITOR wrong 127.0.0.1 {} 2", replica.port));
    let mut one = process(&origin, &format!("sentinel:wrong,{last}"));
    assert_eq!(one.ask("get long c"), "Fetched Fetched 1");
    let line = one.logs("second tier lost");
    assert!(line.contains("and it is none"), "{line}");
    assert_eq!(replica.run::<Vec<String>>("KEYS cb1:v:*").len(), 1, "that of its master alone");
}
