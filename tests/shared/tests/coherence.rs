//! What one process changes, the others do not serve as fresh any more: over a real server, whose messages arrive, or do
//! not.

mod support;

use std::time::{Duration, Instant};

use support::{Origin, Process, Server, wait_until};

/// After lost messages, a change is noticed within so long, and the time-out of an operation.
const BOUND: Duration = Duration::from_secs(4);
const TIMEOUT: Duration = Duration::from_millis(1_000);

fn fleet(server: &Server, origin: &Origin) -> [Process; 2] {
    let options = [&*format!("timeout={}", TIMEOUT.as_millis())];
    [(); 2].map(|()| Process::start(origin, &server.url(), &options))
}

/// Both processes have the first value of a key.
fn both_have(key: &str, [one, other]: &mut [Process; 2]) {
    assert_eq!(one.ask(&format!("get long {key}")), "Fetched Fetched 1");
    assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared 1");
}

/// Asks until the answer is another than this one.
fn when_not(process: &mut Process, command: &str, old: &str) -> String {
    let mut answer = String::new();
    wait_until(command, || {
        answer = process.ask(command);
        answer != old
    });
    answer
}

#[test]
fn changes_are_seen_by_the_processes_that_have_the_value() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut fleet = fleet(&server, &origin);
    server.tells(2);
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

/// The connection for messages is cut again and again, alone, as values are changed.
#[test]
fn a_change_is_noticed_although_its_message_is_lost() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut fleet = fleet(&server, &origin);
    both_have("a", &mut fleet);
    let [one, other] = &mut fleet;
    for round in 0..20 {
        server.run::<i64>("CLIENT KILL TYPE pubsub");
        assert_eq!(one.ask(&format!("set long a {round}")), "ok");
        let changed = Instant::now();
        let (local, shared) = (format!("Fresh Local {round}"), format!("Fresh Shared {round}"));
        wait_until("the change", || [&local, &shared].contains(&&other.ask("get long a")));
        assert!(changed.elapsed() < BOUND + TIMEOUT, "{round}: after {:?}", changed.elapsed());
    }
    assert_eq!(origin.runs("a").len(), 1);
}

/// A user without a right to messages is told so, once, and finds changes all the same.
#[test]
fn a_user_without_the_channel_looks_every_few_seconds() {
    let Some(server) = Server::start(&[]) else { return };
    let all = "~cb1:* &cb1:* +@read +@write +@scripting +time +publish +subscribe";
    let users = ["&cb1:*", "+publish", "+subscribe"].map(|lacking| (lacking, all.replace(lacking, "")));
    let origin = Origin::start();
    std::thread::scope(|scope| {
        for (number, (lacking, rights)) in users.into_iter().enumerate() {
            let (server, origin) = (&server, &origin);
            scope.spawn(move || {
                let url = server.user(&format!("quiet{number}"), &rights);
                let mut fleet = [(); 2].map(|()| Process::start(origin, &url, &["timeout=1000"]));
                let key = format!("k{number}");
                both_have(&key, &mut fleet);
                let [one, other] = &mut fleet;
                other.logs("second tier tells of no changes");
                for round in 0..2 {
                    assert_eq!(one.ask(&format!("set long {key} {round}")), "ok", "without {lacking}");
                    let changed = Instant::now();
                    let news = ["Local", "Shared"].map(|from| format!("Fresh {from} {round}"));
                    wait_until("the change", || news.contains(&other.ask(&format!("get long {key}"))));
                    // Two seconds, and a pause between two tries.
                    assert!(changed.elapsed() < Duration::from_secs(8) + TIMEOUT, "{:?}", changed.elapsed());
                }
                assert_eq!(other.logged("second tier tells of no changes").len(), 1, "without {lacking}");
                assert_eq!(origin.runs(&key).len(), 1);
            });
        }
    });
}

/// After an outage every value is looked at once, and no body runs for one that has not changed.
#[test]
fn after_an_outage_values_are_looked_at_and_not_fetched() {
    let Some(mut server) = Server::start(&["--save", "3600 1", "--dbfilename", "kept.rdb"]) else { return };
    let origin = Origin::start();
    let mut fleet = fleet(&server, &origin);
    both_have("a", &mut fleet);
    let [one, other] = &mut fleet;
    server.run::<()>("SAVE");
    server.kill();
    assert_eq!(other.ask("get long a"), "Fresh Local 1");
    server.start_again();
    server.tells(2);
    for process in [one, other] {
        let before = process.ask("stats long");
        for _ in 0..3 {
            assert_eq!(process.ask("get long a"), "Fresh Local 1");
        }
        assert_eq!(process.ask("stats long"), before);
    }
    assert_eq!(origin.runs("a").len(), 1);
}
