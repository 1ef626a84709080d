//! What a call does with the tier, row by row, on a real server and with real processes. `sqlite_rows` is the same on a
//! file.

mod support;

use std::time::{Duration, Instant};

use support::{Origin, Process, Tier, is_long, wait_until, when_not};

/// A tier and two processes.
fn fleet() -> Option<(Tier, Origin, Process, Process)> {
    let server = Tier::start()?;
    let origin = Origin::start();
    let [one, other] = [(); 2].map(|()| Process::start(&origin, &server.url(), &["timeout=1000"]));
    Some((server, origin, one, other))
}

#[test]
fn a_value_that_one_process_has_fetched_is_a_value_of_all() {
    let Some((_server, origin, mut one, mut other)) = fleet() else { return };
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(other.ask("get long a"), "Fresh Shared 1");
    assert_eq!(other.ask("get long a"), "Fresh Local 1");
    assert_eq!(origin.runs("a").len(), 1);
    assert_eq!(other.ask("stats long"), "fetches=0 hits=1 misses=0 errors=0 discarded=0");
}

#[test]
fn missing_here_and_stale_there_is_served_and_refreshed_once() {
    let Some((_server, origin, mut one, mut other)) = fleet() else { return };
    one.ask("get short a");
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(other.ask("get short a"), "Stale Shared 1");
    origin.began("a", 2);
    // Stale here and newer there: it is taken over.
    while one.ask("get short a") == "Stale Local 1" {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(one.ask("stats short"), "fetches=1 hits=1 misses=1 errors=0 discarded=0");
}

#[test]
fn missing_everywhere_is_empty_after_a_look() {
    let Some((_server, origin, mut one, mut other)) = fleet() else { return };
    assert_eq!(one.ask("get empty a"), "Empty Empty ");
    origin.began("a", 1);
    while other.ask("get empty a") == "Empty Empty " {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(origin.runs("a").len(), 1);
}

#[test]
fn whoever_waits_waits_for_the_fetch_of_another_process() {
    let Some((_server, origin, mut one, mut other)) = fleet() else { return };
    origin.hold("a");
    let fetching = one.send("get long a");
    origin.began("a", 1);
    let waiting = other.send("get long a");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!waiting.is_answered());
    origin.release("a");
    assert_eq!(fetching.answer().words, "Fetched Fetched 1");
    assert_eq!(waiting.answer().words, "Fresh Shared 1");
    assert_eq!(origin.runs("a").len(), 1);
}

/// A slow body loses nothing: its lease is extended, far beyond the five seconds of one.
#[test]
fn a_lease_lasts_as_long_as_its_fetch() {
    let Some((server, origin, mut one, mut other)) = fleet() else { return };
    origin.hold("a");
    let fetching = one.send("get patient a");
    origin.began("a", 1);
    let waiting = [0; 3].map(|_| other.send("get patient a"));
    let mut third = Process::start(&origin, &server.url(), &["timeout=1000"]);
    let lasts = Duration::from_secs(if is_long() { 80 } else { 12 });
    let began = Instant::now();
    while began.elapsed() < lasts {
        // Nor does a process that does not wait fetch.
        assert_eq!(third.ask("peek patient a"), "none");
        std::thread::sleep(Duration::from_millis(500));
    }
    let late = third.send("get patient a");
    assert!(!waiting[0].is_answered());
    origin.release("a");
    assert_eq!(fetching.answer().words, "Fetched Fetched 1");
    for waiting in waiting.into_iter().chain([late]) {
        assert_eq!(waiting.answer().words, "Fresh Shared 1");
    }
    assert_eq!(origin.runs("a").len(), 1);
}

/// A killed holder costs the time of its lease.
#[test]
fn the_lease_of_a_killed_process_lapses() {
    let Some((_server, origin, mut one, mut other)) = fleet() else { return };
    origin.hold("a");
    one.send("get long a");
    origin.began("a", 1);
    one.kill();
    let waiting = other.send("get long a");
    origin.began("a", 2);
    let runs = origin.runs("a");
    assert!(runs[1] - runs[0] < Duration::from_secs(6), "{:?}", runs[1] - runs[0]);
    origin.release("a");
    assert_eq!(waiting.answer().words, "Fetched Fetched 2");
}

/// A holder that was stopped comes back too late: its value is stored nowhere.
#[test]
fn the_value_of_a_stopped_process_comes_too_late() {
    let Some((_server, origin, mut one, mut other)) = fleet() else { return };
    origin.hold("a");
    let late = one.send("get long a");
    origin.began("a", 1);
    one.stop();
    let waiting = other.send("get long a");
    origin.began("a", 2);
    origin.release("a");
    assert_eq!(waiting.answer().words, "Fetched Fetched 2");
    one.go_on();
    assert_eq!(late.answer().words, "Fetched Fetched 1", "whoever waited is answered");
    assert_eq!(other.ask("peek long a"), "true Local 2");
    // Nobody here had it stored: what is there is served.
    assert_eq!(one.ask("get long a"), "Fresh Shared 2");
}

#[test]
fn a_failure_keeps_the_other_processes_off() {
    let Some((_server, origin, mut one, mut other)) = fleet() else { return };
    one.ask("get short a");
    other.ask("get short a");
    std::thread::sleep(Duration::from_millis(1_200));
    origin.fail(true);
    assert_eq!(one.ask("get short a"), "Stale Local 1");
    origin.began("a", 2);
    std::thread::sleep(Duration::from_millis(100));
    for _ in 0..10 {
        assert_eq!(other.ask("get short a"), "Stale Local 1");
    }
    assert_eq!(origin.runs("a").len(), 2, "the other process keeps off");
}

#[test]
fn writes_hold_there() {
    let Some((_server, origin, mut one, mut other)) = fleet() else { return };
    assert_eq!(one.ask("set long a written"), "ok");
    assert_eq!(other.ask("get long a"), "Fresh Shared written");
    assert_eq!(one.ask("remove long a"), "ok");
    assert_eq!(one.ask("peek long a"), "none");
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(one.ask("set long b written"), "ok");
    origin.hold("b");
    assert_eq!(one.ask("invalidate long b"), "ok");
    origin.began("b", 1);
    assert_eq!(other.ask("peek long b"), "false Shared written");
    origin.release("b");
    assert_eq!(one.ask("clear long"), "ok");
    // In a cluster it takes the message.
    wait_until("it is cleared", || other.ask("peek long b") == "none");
    assert_eq!(one.ask("get long b"), format!("Fetched Fetched {}", origin.runs("b").len()));
    assert_eq!(other.ask("peek long b"), format!("true Shared {}", origin.runs("b").len()));
}

/// The process that has it keeps it, as its `retention` says.
#[test]
fn a_value_is_gone_at_the_age_that_the_tier_was_given() {
    let Some(tier) = Tier::start() else { return };
    let origin = Origin::start();
    let process = || Process::start(&origin, &tier.url(), &["timeout=1000", "max_age=2s"]);
    let [mut one, mut other] = [process(), process()];
    // The lifetime of one is longer.
    for function in ["short", "long"] {
        assert_eq!(one.ask(&format!("set {function} a v")), "ok");
        assert_eq!(other.ask(&format!("peek {function} a")), "true Shared v");
    }
    std::thread::sleep(Duration::from_millis(2_100));
    assert_eq!(other.ask("peek short a"), "none");
    assert_eq!(one.ask("peek short a"), "false Local v");
    assert_eq!(other.ask("peek long a"), "true Shared v");
}

/// A `set` in one process during the fetch of another is never overwritten by it.
#[test]
fn a_fetch_never_overwrites_the_write_of_another_process() {
    let Some((tier, origin, mut one, mut other)) = fleet() else { return };
    for (key, write, there) in [
        ("a", "set long a written", "true Shared written"),
        ("b", "remove long b", "none"),
        ("c", "clear long", "none"),
    ] {
        origin.hold(key);
        let fetching = one.send(&format!("get long {key}"));
        origin.began(key, 1);
        assert_eq!(other.ask(write), "ok");
        origin.release(key);
        assert_eq!(fetching.answer().words, "Fetched Fetched 1");
        // In a cluster the `clear` takes its message.
        wait_until(write, || one.ask(&format!("peek long {key}")) == there);
    }
    // The tier has refused them. Of the `clear` the process may have heard before; in a cluster, not before the value was
    // stored on another master.
    let discarded = if tier.is_cluster() { 2..=3 } else { 3..=3 };
    let expected =
        discarded.map(|discarded| format!("fetches=3 hits=0 misses=3 errors=0 discarded={discarded}"));
    let stats = one.ask("stats long");
    assert!(expected.into_iter().any(|expected| expected == stats), "{stats}");
}

/// Two values of one key that are set in a row stand in that order.
#[test]
fn writes_of_one_process_keep_their_order() {
    let Some((_server, _origin, mut one, mut other)) = fleet() else { return };
    for round in 0..50 {
        let writes: Vec<_> = (0..20).map(|write| one.send(&format!("set long a {round}.{write}"))).collect();
        for write in writes {
            assert_eq!(write.answer().words, "ok");
        }
        // Commands run side by side in the process, so that any of them may be the last; but both tiers agree on it.
        let here = one.ask("peek long a").replace("Local ", "");
        assert_eq!(other.ask("peek long a").replace("Shared ", ""), here);
    }
}

/// One body a lifetime in the fleet: 3 processes, 100 keys, 10 lifetimes, or 60.
#[test]
fn one_fetch_a_lifetime_in_the_fleet() {
    let Some(server) = Tier::start() else { return };
    let origin = Origin::start();
    let mut fleet: Vec<_> =
        (0..3).map(|_| Process::start(&origin, &server.url(), &["timeout=1000"])).collect();
    let keys: Vec<_> = (0..100).map(|key| format!("k{key}")).collect();
    let lifetimes = if is_long() { 60 } else { 10 };
    let spins: Vec<_> = fleet
        .iter_mut()
        .flat_map(|process| {
            let spin = |key| format!("spin short {key} {lifetimes}000 20");
            keys.iter().map(|key| process.send(&spin(key))).collect::<Vec<_>>()
        })
        .collect();
    let calls: u64 =
        spins.iter().map(|spin| spin.answer().words.split(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    let (mut runs, mut apart, mut early) = (0, Vec::new(), Vec::new());
    for key in &keys {
        let began = origin.runs(key);
        assert!(began.len() > lifetimes * 3 / 4, "{key}: {} runs", began.len());
        runs += began.len();
        apart.extend(began.windows(2).map(|pair| pair[1] - pair[0]));
        // On a busy machine a body may note its start late, so that the next one seems early. Over three that evens out.
        for (bodies, least) in [(2, 500), (3, 1_900)] {
            let took = began.windows(bodies).map(|bodies| bodies[bodies.len() - 1] - bodies[0]);
            early.extend(took.filter(|took| *took < Duration::from_millis(least)));
        }
    }
    apart.sort_unstable();
    println!(
        "{calls} calls, {runs} bodies, at least {:?} apart, half of them {:?}",
        apart[0],
        apart[apart.len() / 2]
    );
    assert!(early.is_empty(), "bodies of one key came too early: {early:?}");
}

/// Both processes have the first value of a key.
fn both_have(key: &str, [one, other]: &mut [Process; 2]) {
    assert_eq!(one.ask(&format!("get long {key}")), "Fetched Fetched 1");
    assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared 1");
}

#[test]
fn changes_are_seen_by_the_processes_that_have_the_value() {
    let Some((server, origin, one, other)) = fleet() else { return };
    let mut fleet = [one, other];
    if let Tier::Server(server) = &server {
        server.tells(2);
    }
    for (key, change, first) in [
        ("a", "set long a written", "Fresh Shared written"),
        ("b", "remove long b", "Fetched Fetched 2"),
        ("c", "clear long", "Fetched Fetched 2"),
    ] {
        both_have(key, &mut fleet);
        let [one, other] = &mut fleet;
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Local 1");
        assert_eq!(one.ask(change), "ok");
        assert_eq!(when_not(other, &format!("get long {key}"), "Fresh Local 1"), first, "{change}");
    }
    origin.hold("d");
    origin.release("d");
    both_have("d", &mut fleet);
    origin.hold("d");
    let [one, other] = &mut fleet;
    assert_eq!(one.ask("invalidate long d"), "ok");
    origin.began("d", 2);
    assert_eq!(when_not(other, "get long d", "Fresh Local 1"), "Stale Shared 1");
    origin.release("d");
    // The refresh of the one is news for the other.
    assert_eq!(when_not(other, "get long d", "Stale Local 1"), "Fresh Local 2");
    assert_eq!(origin.runs("d").len(), 2);
}
