//! What the log says of a server whose settings are not good for a second tier, of a user who lacks a right, and of
//! options that do not fit what is in the tier.

mod support;

use std::time::Duration;

use support::{Fault, Origin, Process, Proxy, Server, rights, wait_until};

/// A process that waits for the answers of a slow machine, too.
fn start(origin: &Origin, server: &str, options: &[&str]) -> Process {
    Process::start(origin, server, &[&["timeout=1500"], options].concat())
}

/// The warnings of a process that has just connected.
fn warnings(server: &str, options: &[&str]) -> Vec<String> {
    start(&Origin::start(), server, options).warnings()
}

/// Asserts that there is one line, with these words in it.
#[track_caller]
fn assert_one(lines: &[String], words: &[&str]) {
    assert_eq!(lines.len(), 1, "{lines:?}");
    for word in words {
        assert!(lines[0].contains(word), "{word:?} is not in {lines:?}");
    }
}

#[test]
fn nothing_is_said_of_a_server_in_order() {
    let Some(server) = Server::start(&["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]) else {
        return;
    };
    assert_eq!(warnings(&server.url(), &[]), [""; 0]);
    // Its own keys, by now.
    let origin = Origin::start();
    let mut process = start(&origin, &server.url(), &[]);
    assert_eq!(process.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(warnings(&server.url(), &[]), [""; 0]);
    assert!(process.logs("second tier examined").contains("shows_settings=true"));
}

#[test]
fn policies_that_drop_what_is_needed() {
    for (policy, words) in [
        (
            "allkeys-lru",
            "drops any key when its memory is full, so that keys are fetched twice, and cleared values",
        ),
        ("volatile-ttl", "drops leases when its memory is full, so that keys are fetched twice: set it to"),
    ] {
        let Some(server) = Server::start(&["--maxmemory", "100mb", "--maxmemory-policy", policy]) else {
            return;
        };
        let warnings = warnings(&server.url(), &[]);
        assert_one(&warnings, &[words, "`noeviction`", &format!("policy=\"{policy}\"")]);
    }
    // Without a limit nothing is dropped.
    let Some(server) = Server::start(&["--maxmemory-policy", "allkeys-lru"]) else { return };
    assert_eq!(warnings(&server.url(), &[]), [""; 0]);
}

#[test]
fn snapshots_alone() {
    let Some(server) = Server::start(&["--save", "3600 1"]) else { return };
    assert_one(
        &warnings(&server.url(), &[]),
        &["the second tier is kept in snapshots alone", "turn `appendonly` on"],
    );
    server.run::<()>("CONFIG SET appendonly yes");
    assert_eq!(warnings(&server.url(), &[]), [""; 0]);
}

#[test]
fn keys_of_others_and_no_prefix() {
    let Some(server) = Server::start(&[]) else { return };
    server.run::<()>("SET session:1 alice");
    let told = warnings(&server.url(), &[]);
    assert_one(&told, &["there are keys of others", "write `.prefix("]);
    assert!(!told[0].contains("alice") && !told[0].contains("session"), "{told:?}");
    assert_eq!(warnings(&server.url(), &["prefix=shop"]), [""; 0]);
}

/// Once a process, and not with each connection.
#[test]
fn advice_is_given_once() {
    let Some(mut server) = Server::start(&["--save", "3600 1"]) else { return };
    let origin = Origin::start();
    let mut process = start(&origin, &server.url(), &[]);
    assert_one(&process.warnings(), &["snapshots"]);
    server.start_again();
    wait_until("it connects again", || process.logged("second tier connected").len() == 2);
    // One operation more, so that whatever was asked before it has been answered.
    process.ask("get long a");
    assert_eq!(process.logged("snapshots").len(), 1);
    assert_eq!(process.logged("second tier examined").len(), 1);
}

/// The guide's rights do not include a look at the settings: that is no error, and no warning.
#[test]
fn a_server_that_shows_no_settings() {
    let Some(server) =
        Server::start(&["--save", "3600 1", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lfu"])
    else {
        return;
    };
    let origin = Origin::start();
    let mut process = start(&origin, &server.user("few", rights()), &[]);
    assert_eq!(process.warnings(), [""; 0]);
    assert!(process.logs("second tier examined").contains("shows_settings=false"));
    assert!(process.ask("status").starts_with("connected=true"));
    // `INFO` shows the policy.
    let url = server.user("more", &format!("{} +info", rights()));
    assert_one(&warnings(&url, &[]), &["allkeys-lfu"]);
}

/// Each right is missed, in one sentence; nobody waits, and the user is not named.
#[test]
fn the_right_that_a_user_lacks() {
    let Some(server) = Server::start(&[]) else { return };
    let all = rights();
    for (rights, lacks) in [
        (all.replace("~cb1:*", "~other:*"), "use the keys `cb1:*`"),
        (format!("{all} -evalsha"), "run `EVALSHA`"),
        (format!("{all} -script|load"), "run `SCRIPT LOAD`"),
        (format!("{all} -time"), "run `TIME`"),
        (format!("{all} -get"), "run `GET`"),
        (format!("{all} -getrange"), "run `GETRANGE`"),
        (format!("{all} -pttl"), "run `PTTL`"),
        (format!("{all} -set"), "run `SET`"),
        (format!("{all} -setrange"), "run `SETRANGE`"),
        (format!("{all} -del"), "run `DEL`"),
        (format!("{all} -pexpire"), "run `PEXPIRE`"),
        (all.replace("+@write", ""), "run `DEL`"),
        (all.replace("+@read", ""), "run `PTTL`"),
    ] {
        let origin = Origin::start();
        let mut process = start(&origin, &server.user("alice", &rights), &[]);
        assert_eq!(process.ask("get long a"), "Fetched Fetched 1", "{lacks}");
        process.logs("second tier lost");
        let told = process.logged("WARN");
        assert_one(&told, &[&format!("why=\"its user may not {lacks}: grant it `{all}`\"")]);
        assert_eq!([process.logged("alice"), process.logged("secret")].concat(), [""; 0]);
        assert!(process.ask("status").starts_with("connected=false"), "{lacks}");
    }
}

/// It is said once, however often it is tried again. When the right is there, so is the tier.
#[test]
fn a_missing_right_is_told_once_and_can_be_granted() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let url = server.user("alice", &format!("{} -pttl", rights()));
    let mut process = start(&origin, &url, &[]);
    process.logs("second tier lost");
    let connections = || {
        let stats: String = redis::cmd("INFO").arg("stats").query(&mut server.connection()).unwrap();
        let count = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
        count.parse::<u64>().unwrap()
    };
    // Each look is a connection as well.
    let (before, mut looks) = (connections(), 0);
    while connections() - before < looks + 3 {
        looks += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(process.logged("second tier lost").len(), 1);
    server.run::<()>("ACL SETUSER alice +pttl");
    process.logs("second tier connected");
    assert_eq!(process.logged("WARN").len(), 1);
    assert_eq!(process.ask("get long b"), "Fetched Fetched 1");
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut server.connection()).unwrap();
    assert!(
        keys.len() == 1 && keys[0].starts_with("cb1:v:{cacheback:"),
        "the trial leaves nothing: {keys:?}"
    );
}

/// Nor is it kept back because the outage has begun with something else.
#[test]
fn a_missing_right_is_told_after_another_error() {
    // After a restart a server has forgotten its users, but not those of its options.
    let user = ["--user", "default", "on", "nopass", "~*", "+@all", "-pttl"];
    let Some(mut server) = Server::start(&user) else { return };
    server.kill();
    let origin = Origin::start();
    let process = start(&origin, &server.url(), &[]);
    process.logs("second tier lost");
    assert_eq!(process.logged("its user may not"), [""; 0]);
    server.start_again();
    process.logs("its user may not");
    assert_one(&process.logged("its user may not"), &["second tier lost", "run `PTTL`"]);
    assert_eq!(process.logged("second tier lost").len(), 2);
}

/// It is named to whoever makes a change: nobody else waits for replicas.
#[test]
fn a_missing_right_to_wait_for_replicas() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut process = start(&origin, &server.user("alice", rights()), &["replicas=1"]);
    let told = process.ask("set long a written");
    let lacks = "`cacheback_shared_tests::functions::long` by its replicas: its user may not run `WAIT`";
    assert!(told.contains(lacks) && told.ends_with(" +wait`"), "{told}");
    assert_eq!(process.ask("get long a"), "Fresh Local written");
    assert_eq!(process.logged("second tier lost"), [""; 0]);
    assert_eq!(process.logged("replicas do not confirm changes").len(), 1);
    // The advisor has asked for two more.
    process.logs("second tier examined");
    let denied = format!("{:?}", server.run::<Vec<redis::Value>>("ACL LOG"));
    // From 7.2 on the client says its name, too.
    let asked = denied.matches(" cmd=").count() - denied.matches(" cmd=client|setinfo ").count();
    assert_eq!(asked, 3, "{denied}");
    assert_eq!(denied.matches(" cmd=wait ").count(), 1, "{denied}");
    server.run::<()>("ACL SETUSER alice +wait");
    let told = process.ask("set long a again");
    assert!(told.contains(": 0 of 1 have it after "), "{told}");
}

/// A right that is taken away later is named as well.
#[test]
fn a_right_that_is_taken_away() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut process = start(&origin, &server.user("alice", rights()), &[]);
    assert_eq!(process.ask("get long a"), "Fetched Fetched 1");
    assert!(process.ask("status").starts_with("connected=true"));
    server.run::<()>("ACL SETUSER alice -evalsha");
    let told = process.ask("set long b written");
    assert!(told.starts_with("Unreachable"), "{told}");
    process.logs("second tier lost");
    let lost = process.logged("second tier lost");
    assert_one(&lost, &["its user may not run `EVALSHA`"]);
    assert!(!lost[0].contains("alice"), "{lost:?}");
}

#[test]
fn a_lifetime_below_the_round_trip() {
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    proxy.set(Fault::Latency(20));
    let [mut one, mut other] = [(); 2].map(|()| start(&origin, &proxy.url(), &[]));
    one.ask("get brief a");
    one.ask("get long a");
    for process in [&mut one, &mut other] {
        process.ask("get long a");
        assert_eq!(process.logged("is stale when it arrives"), [""; 0], "`long` is fresh for longer");
    }
    other.ask("get brief a");
    other.logs("a value of the second tier is stale when it arrives: set a `lifetime`");
    let told = other.logged("is stale when it arrives");
    assert_one(&told, &[" WARN ", "function=\"cacheback_shared_tests::functions::brief\"", "round_trip_us="]);
    other.ask("remove brief a");
    one.ask("get brief a");
    other.ask("get brief a");
    assert_eq!(other.logged("is stale when it arrives").len(), 1);
}

#[test]
fn a_refresh_timeout_below_what_fetches_take() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| start(&origin, &server.url(), &[]));
    origin.hold("a");
    let fetching = one.send("get long a");
    origin.began("a", 1);
    std::thread::sleep(Duration::from_millis(100));
    origin.release("a");
    assert_eq!(fetching.answer().words, "Fetched Fetched 1");
    assert_eq!(other.ask("get hasty a"), "Fresh Shared 1");
    other.logs("another process has fetched for longer than `refresh_timeout` allows here");
    let told = other.logged("WARN");
    assert_one(
        &told,
        &["function=\"cacheback_shared_tests::functions::long\"", "took_ms=", "set a longer one"],
    );
}

#[test]
fn a_shape_that_has_changed_without_a_version() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| start(&origin, &server.url(), &[]));
    for key in ["a", "b"] {
        assert_eq!(one.ask(&format!("get renewed {key}")), "Fetched Fetched 1");
        assert_eq!(other.ask(&format!("get long {key}")), "Fetched Fetched 2");
    }
    other.logs("there are values of another shape in the second tier: set a `version`");
    assert_eq!(other.logged("another shape").len(), 1, "once for a cache");
    // A function with a version knows what it does. What another version has changed is stale.
    wait_until("the message", || one.ask("get renewed b") == "Stale Local 1");
    assert_eq!(one.ask("remove renewed c"), "ok");
    assert_eq!(other.ask("get long c"), "Fetched Fetched 1");
    assert_eq!(one.ask("get renewed c"), "Fetched Fetched 2");
    assert_eq!(one.logged("another shape"), [""; 0]);
}
