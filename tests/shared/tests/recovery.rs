//! Changes that a server could not be told of: delivered when it is back, and yielding to later ones.

mod support;

use std::collections::HashMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::envelope::KIND;
use support::{Fault, Origin, Process, Proxy, Server, wait_until};

/// So far apart are two changes whose order is to be known, although the second is compared with the first by how long ago
/// they were made, and the ways take their time on a machine that is busy.
const APART: Duration = Duration::from_millis(1_500);

/// The numbers of a process' tier by their names.
fn status(process: &mut Process) -> HashMap<String, u64> {
    let told = process.ask("status").replace("true", "1").replace("false", "0");
    let words = told.split(' ').map(|word| word.split_once('=').unwrap());
    let numbers = words.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?)));
    numbers.collect()
}

/// Waits until a command is answered like this.
#[track_caller]
fn becomes(process: &mut Process, command: &str, wanted: &str) {
    let began = Instant::now();
    loop {
        let answer = process.ask(command);
        if answer.contains(wanted) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{command}: {answer}, not {wanted}");
        sleep(Duration::from_millis(20));
    }
}

fn is_unreachable(process: &mut Process, command: &str) {
    let answer = process.ask(command);
    assert!(answer.starts_with("Unreachable "), "{command}: {answer}");
}

/// A server and two processes, the first of them behind a proxy, which both have a value of these keys.
fn fleet(keys: &[&str]) -> Option<(Server, Origin, Proxy, Process, Process)> {
    let server = Server::start(&[])?;
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let mut one = Process::start(&origin, &proxy.url(), &["timeout=200"]);
    let mut other = Process::start(&origin, &server.url(), &["timeout=200"]);
    for key in keys {
        one.ask(&format!("get long {key}"));
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared 1");
    }
    // What is there by now is older than what follows, whatever the ways took.
    sleep(APART);
    Some((server, origin, proxy, one, other))
}

#[test]
fn changes_during_an_outage_reach_a_server_that_was_started_again() {
    let Some((mut server, origin, _proxy, mut one, mut other)) = fleet(&["set", "removed", "kept"]) else {
        return;
    };
    server.kill();
    one.logs("second tier lost");
    is_unreachable(&mut one, "set long set late");
    is_unreachable(&mut one, "remove long removed");
    is_unreachable(&mut one, "set long gone early");
    is_unreachable(&mut one, "remove long gone");
    assert_eq!(status(&mut one)["pending"], 3);
    one.logs("they wait until it is back");
    server.start_again();
    becomes(&mut one, "status", " pending=0 recovered=3 yielded=0 overflowed=0");
    one.logs("was told of the changes that waited delivered=3 yielded=0");
    becomes(&mut other, "get long set", "Fresh Local late");
    becomes(&mut other, "get long removed", "2");
    let mut third = Process::start(&origin, &server.url(), &[]);
    assert_eq!(third.ask("get long set"), "Fresh Shared late");
    assert_eq!(third.ask("get long gone"), "Fetched Fetched 1");
}

/// The change of a process that was cut off is older than one that was made meanwhile.
#[test]
fn a_change_yields_to_a_later_one_of_another_process() {
    let Some((server, origin, proxy, mut one, mut other)) = fleet(&["set", "removed", "older"]) else {
        return;
    };
    proxy.set(Fault::Cut);
    one.logs("second tier lost");
    is_unreachable(&mut one, "set long set old");
    is_unreachable(&mut one, "remove long removed");
    is_unreachable(&mut one, "set long older newer");
    sleep(APART);
    assert_eq!(other.ask("set long set new"), "ok");
    assert_eq!(other.ask("set long removed new"), "ok");
    proxy.set(Fault::None);
    becomes(&mut one, "status", " pending=0 recovered=1 yielded=2 overflowed=0");
    let mut third = Process::start(&origin, &server.url(), &[]);
    for (key, value) in [("set", "new"), ("removed", "new"), ("older", "newer")] {
        assert_eq!(third.ask(&format!("get long {key}")), format!("Fresh Shared {value}"));
        becomes(&mut one, &format!("get long {key}"), value);
    }
}

/// Nobody knows whether a change was made whose answer is lost. It is told again, and that is once too often at worst.
#[test]
fn a_change_whose_answer_is_lost() {
    let Some((server, origin, proxy, mut one, mut other)) = fleet(&["set", "removed", "invalidated"]) else {
        return;
    };
    let lost = [
        ("set", "set long set late"),
        ("set", "remove long removed"),
        ("invalidate", "invalidate long invalidated"),
    ];
    for ((script, command), told) in lost.into_iter().zip(1..) {
        proxy.lose_the_answer_to(script);
        is_unreachable(&mut one, command);
        wait_until("it is told again", || {
            let status = status(&mut one);
            // What is seen to be there already counts as one that has yielded.
            (status["pending"], status["recovered"] + status["yielded"]) == (0, told)
        });
    }
    becomes(&mut other, "get long set", "late");
    let mut third = Process::start(&origin, &server.url(), &[]);
    assert_eq!(third.ask("get long set"), "Fresh Shared late");
    assert_eq!(third.ask("get long removed"), "Fetched Fetched 2");
    becomes(&mut third, "get long invalidated", "Fresh");
    // It was fetched once more, or twice.
    let invalidated = third.ask("get long invalidated");
    assert!(!invalidated.ends_with(" 1"), "{invalidated}");
}

/// The answer is lost, and so is the change: the server has again what it had before.
#[test]
fn a_change_that_is_lost_with_its_answer_is_told_again() {
    let Some((server, origin, proxy, mut one, _other)) = fleet(&["set", "removed", "invalidated"]) else {
        return;
    };
    let names: Vec<String> = server.run("KEYS cb1:v:*");
    let values =
        || -> Vec<Vec<u8>> { names.iter().map(|name| server.query(redis::cmd("GET").arg(name))).collect() };
    // The age of a value is known by its time to live.
    let left =
        || -> Vec<u64> { names.iter().map(|name| server.query(redis::cmd("PTTL").arg(name))).collect() };
    for (script, command) in [
        ("set", "set long set late"),
        ("set", "remove long removed"),
        ("invalidate", "invalidate long invalidated"),
    ] {
        let (before, left) = (values(), left());
        proxy.cut_after(script);
        is_unreachable(&mut one, command);
        assert_eq!(status(&mut one)["pending"], 1, "{command}");
        assert_ne!(values(), before, "{command}: it was made");
        for (name, (value, left)) in names.iter().zip(before.iter().zip(left)) {
            server.query::<()>(redis::cmd("SET").arg(name).arg(value).arg("PX").arg(left));
        }
        proxy.set(Fault::None);
        becomes(&mut one, "status", "connected=true");
        becomes(&mut one, "status", " pending=0");
    }
    let mut third = Process::start(&origin, &server.url(), &[]);
    let [set, removed, invalidated] =
        ["set", "removed", "invalidated"].map(|key| third.ask(&format!("get long {key}")));
    assert_eq!((&*set, &*removed), ("Fresh Shared late", "Fetched Fetched 2"), "and {invalidated}");
    // It was invalidated once, or twice, and fetched as often.
    assert_ne!(invalidated, "Fresh Shared 1");
}

/// A key that the server does not have is removed, or invalidated, while another process is cut off that has it.
#[test]
fn a_change_of_an_absent_key_reaches_a_process_that_was_cut_off() {
    let Some((server, _origin, proxy, mut one, mut other)) = fleet(&[]) else { return };
    let changes = [("removed", "remove"), ("invalidated", "invalidate"), ("untouched", "peek")];
    for (key, _) in changes {
        assert_eq!(one.ask(&format!("get long {key}")), "Fetched Fetched 1");
    }
    proxy.set(Fault::Cut);
    becomes(&mut one, "status", "connected=false");
    for name in server.run::<Vec<String>>("KEYS cb1:v:*") {
        assert_eq!(server.run::<u64>(&format!("DEL {name}")), 1);
    }
    for (key, change) in changes {
        let answer = other.ask(&format!("{change} long {key}"));
        assert_eq!(answer, if change == "peek" { "none" } else { "ok" }, "{change}");
        assert_eq!(one.ask(&format!("get long {key}")), "Fresh Local 1", "nobody can know");
    }
    let losses = status(&mut one)["losses"];
    proxy.set(Fault::None);
    becomes(&mut one, "status", "connected=true");
    wait_until("the first echo", || status(&mut one)["losses"] > losses);
    assert_eq!(one.ask("get long removed"), "Fetched Fetched 2");
    assert_eq!(one.ask("get long invalidated"), "Fetched Fetched 2");
    // A value that is lost there, and that nobody has changed, stays.
    assert_eq!(one.ask("get long untouched"), "Fresh Local 1");
}

/// Nothing goes through, and nothing comes back.
#[test]
fn changes_into_a_black_hole() {
    let Some((server, origin, proxy, mut one, _other)) = fleet(&["set", "removed"]) else { return };
    proxy.set(Fault::BlackHole);
    is_unreachable(&mut one, "set long set late");
    is_unreachable(&mut one, "remove long removed");
    assert_eq!(status(&mut one)["pending"], 2);
    one.logs("second tier lost");
    proxy.set(Fault::Cut);
    proxy.set(Fault::None);
    becomes(&mut one, "status", " pending=0 recovered=2");
    let mut third = Process::start(&origin, &server.url(), &[]);
    assert_eq!(third.ask("get long set"), "Fresh Shared late");
    assert_eq!(third.ask("get long removed"), "Fetched Fetched 2");
}

/// As after a failover to a server that did not have the last changes yet. The value that was set may have been followed by
/// another one, which is lost as well: it is not brought back, and nobody has an older one.
#[test]
fn the_last_changes_are_told_again_after_a_loss() {
    let Some((server, origin, proxy, mut one, mut other)) = fleet(&["removed"]) else { return };
    assert_eq!(one.ask("set long set last"), "ok");
    assert_eq!(one.ask("remove long removed"), "ok");
    server.run::<()>("FLUSHALL");
    proxy.set(Fault::Cut);
    one.logs("second tier lost");
    proxy.set(Fault::None);
    becomes(&mut one, "status", " pending=0 recovered=2");
    assert_eq!(one.ask("get long set"), "Fetched Fetched 1");
    let mut third = Process::start(&origin, &server.url(), &[]);
    assert_eq!(third.ask("get long set"), "Fresh Shared 1");
    becomes(&mut other, "get long removed", "2");
    // They are there: that is no news.
    proxy.set(Fault::Cut);
    proxy.set(Fault::None);
    becomes(&mut one, "status", "connected=true");
    becomes(&mut one, "status", " pending=0 recovered=2 yielded=0");
}

/// A value that was fetched while the server was down is a value of all, unless something newer is there.
#[test]
fn a_value_of_the_outage_stands() {
    let Some((server, origin, proxy, mut one, mut other)) = fleet(&["older"]) else { return };
    assert_eq!(other.ask("set long newer before"), "ok");
    proxy.set(Fault::Cut);
    one.logs("second tier lost");
    let keys = ["older", "newer", "unknown"];
    for key in keys {
        one.ask(&format!("remove long {key}"));
    }
    // After the removal of one's own.
    sleep(APART);
    for key in keys {
        assert!(one.ask(&format!("get long {key}")).starts_with("Fetched Fetched"));
    }
    sleep(APART);
    assert_eq!(other.ask("set long newer after"), "ok");
    proxy.set(Fault::None);
    becomes(&mut one, "status", " pending=0");
    becomes(&mut one, "get long newer", "after");
    let older = one.ask("get long older");
    assert!(older.ends_with(" 2"), "{older}");
    let mut third = Process::start(&origin, &server.url(), &[]);
    assert_eq!(third.ask("get long newer"), "Fresh Shared after");
}

/// What is there, a tombstone, is older than the value of the outage. The process has no change of its own to deliver.
#[test]
fn a_value_of_the_outage_is_offered_to_all() {
    let Some((server, origin, proxy, mut one, mut other)) = fleet(&["a"]) else { return };
    assert_eq!(other.ask("remove long a"), "ok");
    becomes(&mut one, "peek long a", "none");
    // The removal is older than what follows.
    sleep(APART);
    let kind = || {
        let name = server.only("cb1:v:*");
        server.query::<Vec<u8>>(redis::cmd("GET").arg(name))[KIND]
    };
    let tombstone = kind();
    proxy.set(Fault::Cut);
    one.logs("second tier lost");
    becomes(&mut one, "get long a", "Fresh Local 2");
    proxy.set(Fault::None);
    wait_until("it is there", || {
        assert_eq!(one.ask("get long a"), "Fresh Local 2");
        kind() != tombstone
    });
    assert_eq!(other.ask("get long a"), "Fresh Shared 2");
    assert_eq!(origin.runs("a").len(), 2);
}

/// Two processes are cut off. Each changes a key and fetches it for itself. The change that is told first is no later one than
/// the other for that: nobody keeps the value that was fetched before it.
#[test]
fn a_change_between_another_and_its_delivery() {
    let Some((server, origin, proxy, mut one, _)) = fleet(&["known"]) else { return };
    let second_proxy = Proxy::before(server.port);
    let mut second = Process::start(&origin, &second_proxy.url(), &["timeout=200"]);
    assert_eq!(second.ask("get long known"), "Fresh Shared 1");
    for proxy in [&proxy, &second_proxy] {
        proxy.set(Fault::Cut);
    }
    one.logs("second tier lost");
    second.logs("second tier lost");
    let keys = ["known", "invalidated", "removed", "set"];
    for key in keys {
        is_unreachable(&mut one, &format!("invalidate long {key}"));
    }
    sleep(APART);
    for key in keys {
        becomes(&mut one, &format!("get long {key}"), "Fresh Local");
    }
    sleep(APART);
    is_unreachable(&mut second, "invalidate long known");
    is_unreachable(&mut second, "invalidate long invalidated");
    is_unreachable(&mut second, "remove long removed");
    is_unreachable(&mut second, "set long set later");
    for (proxy, process) in [(&proxy, &mut one), (&second_proxy, &mut second)] {
        proxy.set(Fault::None);
        becomes(process, "status", "connected=true");
        becomes(process, "status", " pending=0");
    }
    let before: HashMap<_, _> = keys.into_iter().map(|key| (key, origin.runs(key).len())).collect();
    for key in keys {
        wait_until("it was fetched after the later change", || {
            one.ask(&format!("get long {key}"));
            origin.runs(key).len() > before[key]
        });
    }
}

/// Another process removes a key within a time-out of the change that is told late: nobody can tell which was the later one,
/// and so nobody keeps a value that may be from before it.
#[test]
fn a_value_of_the_outage_between_two_changes_of_the_same_moment() {
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let [one, other] =
        [proxy.url(), server.url()].map(|url| Process::start(&origin, &url, &["timeout=5000"]));
    let (mut one, mut other) = (one, other);
    for (key, change) in [("a", "invalidate"), ("b", "remove")] {
        proxy.set(Fault::Cut);
        one.logs("second tier lost");
        assert_eq!(other.ask(&format!("remove long {key}")), "ok");
        is_unreachable(&mut one, &format!("{change} long {key}"));
        becomes(&mut one, &format!("get long {key}"), "Fresh Local 1");
        proxy.set(Fault::None);
        becomes(&mut one, "status", "connected=true");
        becomes(&mut one, "status", " pending=0");
        becomes(&mut one, &format!("get long {key}"), " 2");
        becomes(&mut other, &format!("get long {key}"), " 2");
    }
}
