//! A server whose clock is set: by an hour, while processes use it. It may forget and refetch, but nothing older takes the
//! place of anything newer, no caller waits, and nothing is stuck.

mod support;

use std::time::Duration;

use support::{Clock, Origin, Process, envelope};

#[test]
fn a_server_whose_clock_is_set_by_an_hour() {
    let Some((clock, server)) = Clock::start() else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| Process::start(&origin, &server.url(), &["timeout=1000"]));
    let patient = |process: &mut Process, command: &str| {
        let answer = process.send(command).answer();
        assert!(answer.took < Duration::from_millis(3_500), "{command}: {:?}", answer.took);
        answer.words
    };
    for (round, offset) in [3_600, 0, -3_600, 0].into_iter().enumerate() {
        let [old, new] = [format!("{round}.old"), format!("{round}.new")];
        assert_eq!(one.ask(&format!("set long {old} first")), "ok");
        assert_eq!(one.ask("set long same first"), "ok");
        clock.set(&server, offset);
        // Writes go on, and later ones are newer, also if the clock says an earlier time.
        assert_eq!(patient(&mut other, "set long same second"), "ok", "{offset}");
        assert_eq!(patient(&mut one, "set long same third"), "ok", "{offset}");
        assert_eq!(patient(&mut one, &format!("set long {old} second")), "ok", "{offset}");
        let mut third = Process::start(&origin, &server.url(), &["timeout=1000"]);
        assert!(patient(&mut third, "peek long same").ends_with("Shared third"), "{offset}");
        assert_eq!(patient(&mut third, &format!("get long {old}")), "Fresh Shared second", "{offset}");
        // What is fetched now is shared, and leases are given and end.
        assert_eq!(patient(&mut one, &format!("get long {new}")), "Fetched Fetched 1", "{offset}");
        assert_eq!(patient(&mut other, &format!("get long {new}")), "Fresh Shared 1", "{offset}");
        for write in ["invalidate long same", "remove long same", "clear long"] {
            assert_eq!(patient(&mut one, write), "ok", "{offset}");
        }
        assert_eq!(patient(&mut third, &format!("peek long {new}")), "none", "{offset}");
        assert_eq!(one.logged("WARN"), [""; 0], "{offset}");
    }
}

/// A value that is written after the clock was set back is the newer one, although the clock says an earlier time.
#[test]
fn a_write_after_the_clock_was_set_back() {
    let Some((clock, server)) = Clock::start() else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| Process::start(&origin, &server.url(), &["timeout=1000"]));
    assert_eq!(one.ask("get short a"), "Fetched Fetched 1");
    std::thread::sleep(Duration::from_millis(1_100));
    let number = envelope::number(&server);
    clock.set(&server, -3_600);
    assert_eq!(other.ask("set short a new"), "ok");
    assert!(envelope::number(&server) > number, "numbers grow with each change");
    assert_eq!(one.ask("get short a"), "Stale Local 1");
    one.ask("settle");
    assert_eq!(one.ask("peek short a"), "true Local new");
    assert_eq!(origin.runs("a").len(), 1);
}

/// A lease from before the step keeps others off no longer than any other.
#[test]
fn the_lease_of_a_process_that_was_killed_before_the_clock_was_set_back() {
    let Some((clock, server)) = Clock::start() else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| Process::start(&origin, &server.url(), &["timeout=1000"]));
    other.ask("get long warm");
    origin.hold("a");
    one.send("get long a");
    origin.began("a", 1);
    one.kill();
    clock.set(&server, -3_600);
    let waiting = other.send("get long a");
    origin.began("a", 2);
    origin.release("a");
    assert_eq!(waiting.answer().words, "Fetched Fetched 2");
}
