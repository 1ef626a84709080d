//! `shared::status()` over a real server.

mod support;

use std::collections::HashMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::{Fault, Origin, Process, Proxy, Server, wait_until};

/// The numbers of a process' tier by their names, `connected` as 0 or 1.
fn status(process: &mut Process) -> HashMap<String, u64> {
    let told = process.ask("status").replace("true", "1").replace("false", "0");
    let numbers = told.split(' ').map(|word| word.split_once('=').unwrap());
    // The servers are no number.
    numbers.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?))).collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

#[test]
fn a_tier_that_is_used_and_lost_and_found() {
    let Some(mut server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut process = Process::start(&origin, &server.url(), &["timeout=1000"]);
    process.logs("second tier connected");
    let idle = status(&mut process);
    assert_eq!((idle["connected"], idle["operations"], idle["errors"], idle["timeouts"]), (1, 0, 0, 0));
    // A look, a lease and a store.
    assert_eq!(process.ask("get long a"), "Fetched Fetched 1");
    for _ in 0..100 {
        assert_eq!(process.ask("get long a"), "Fresh Local 1");
    }
    let used = status(&mut process);
    assert_eq!((used["connected"], used["operations"], used["errors"], used["timeouts"]), (1, 3, 0, 0));
    assert!(0 < used["p50"] && used["p50"] <= used["p99"], "{used:?}");
    assert!(used["since"] > idle["since"], "the same state: {used:?}");

    server.kill();
    process.logs("second tier lost");
    let lost = status(&mut process);
    assert_eq!((lost["connected"], lost["operations"]), (0, 3), "{lost:?}");
    assert!(process.ask("set long a b").starts_with("Unreachable"));
    let lost = status(&mut process);
    assert_eq!((lost["operations"], lost["errors"]), (4, 1), "{lost:?}");
    assert!(lost["p50"] > 0, "those of the last minute: {lost:?}");

    server.start_again();
    wait_until("the change is told", || status(&mut process)["recovered"] > 0);
    assert_eq!(process.ask("set long a c"), "ok");
    let found = status(&mut process);
    // The change that has waited was told, too.
    assert_eq!((found["operations"], found["errors"], found["pending"]), (6, 1, 0), "{found:?}");
}

/// A message is as old as it is by the server's clock: here it waits for its reader, who is stopped.
#[test]
fn messages_are_counted_and_aged() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut reader = Process::start(&origin, &server.url(), &[]);
    let mut writer = Process::start(&origin, &server.url(), &[]);
    // From here on no message is missed.
    wait_until("it listens", || status(&mut reader)["losses"] > 0);
    assert_eq!(reader.ask("get long a"), "Fetched Fetched 1");
    let before = status(&mut reader);
    assert_eq!((before["messages"], before["age"]), (0, 0), "{before:?}");
    reader.stop();
    assert_eq!(writer.ask("set long a b"), "ok");
    sleep(Duration::from_millis(400));
    reader.go_on();
    wait_until("the message", || status(&mut reader)["messages"] == 1);
    let after = status(&mut reader);
    assert!((300_000..20_000_000).contains(&after["age"]), "{after:?}");
    assert_eq!(after["suspects"], 1, "it is doubted: {after:?}");
    assert_eq!(reader.ask("get long a"), "Fresh Shared b");
    assert_eq!(status(&mut reader)["suspects"], 0);
}

/// The state lasts from its beginning, and begins anew when it changes.
#[test]
fn a_tier_that_was_never_there() {
    let Some(mut server) = Server::start(&[]) else { return };
    server.kill();
    let origin = Origin::start();
    let mut process = Process::start(&origin, &server.url(), &[]);
    process.logs("second tier lost");
    let down = status(&mut process);
    assert_eq!((down["connected"], down["p50"], down["p99"]), (0, 0, 0), "{down:?}");
    let looked = Instant::now();
    sleep(Duration::from_millis(100));
    let between = looked.elapsed();
    let still = status(&mut process);
    assert!(still["since"] - down["since"] >= micros(between), "{still:?}");
    let restarted = Instant::now();
    server.start_again();
    wait_until("it is there", || status(&mut process)["connected"] == 1);
    let up = status(&mut process);
    assert!(up["since"] <= micros(restarted.elapsed()), "{up:?}");
}

/// A round trip takes as long as the way does. An operation without an answer counts with the time that it had.
#[test]
fn round_trips_are_measured() {
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    proxy.set(Fault::Latency(20));
    let mut process = Process::start(&origin, &proxy.url(), &["timeout=200"]);
    for key in 0..10 {
        assert_eq!(process.ask(&format!("get long k{key}")), "Fetched Fetched 1");
    }
    let slow = status(&mut process);
    assert!(slow["p50"] >= 20_000, "{slow:?}");
    assert_eq!((slow["operations"], slow["timeouts"]), (30, 0), "{slow:?}");
    server.stop();
    assert_eq!(process.ask("peek long z"), "none");
    server.go_on();
    let late = status(&mut process);
    assert_eq!((late["operations"], late["errors"]), (31, 0), "{late:?}");
    assert!(late["timeouts"] >= 1 && late["p99"] >= 200_000, "{late:?}");
}
