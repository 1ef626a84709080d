//! Round trips to the server: their number for each answer, as a proxy before each process counts them, and the pauses
//! between them.

mod support;

use std::time::Duration;

use support::workers::{fetches, reads, staffed, worker};
use support::{Fault, Origin, Process, Proxy, Server, wait_until};

/// A process with a proxy of its own.
fn process(server: &Server, origin: &Origin, timeout: u64) -> (Proxy, Process) {
    let proxy = Proxy::before(server.port);
    let process = Process::start(origin, &proxy.url(), &[&format!("timeout={timeout}")]);
    (proxy, process)
}

/// The operations of a command and of the fetches that it starts.
fn trips((proxy, process): &mut (Proxy, Process), command: &str, answer: &str) -> Vec<String> {
    proxy.operations();
    assert_eq!(process.ask(command), answer, "{command}");
    process.ask("settle");
    proxy.names()
}

#[test]
fn each_answer_has_its_round_trips() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&server, &origin, 2_000));
    // What came in before the first echo is looked at once more.
    for (_, process) in [&mut one, &mut other] {
        while process.ask("status").contains(" losses=0 ") {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(trips(&mut one, "get long a", "Fetched Fetched 1"), ["read", "acquire", "store"]);
    assert!(trips(&mut one, "get long a", "Fresh Local 1").is_empty());
    assert!(trips(&mut one, "peek long a", "true Local 1").is_empty());
    assert_eq!(trips(&mut other, "peek long a", "true Shared 1"), ["read"]);
    assert_eq!(trips(&mut other, "get long a", "Fresh Shared 1"), ["read"]);
    assert_eq!(trips(&mut one, "get empty a", "Empty Empty "), ["read", "acquire", "store"]);
    // Writes: `remove` sets a tombstone, and `clear` lets a version of the function grow.
    assert_eq!(trips(&mut one, "set long a written", "ok"), ["set"]);
    assert_eq!(trips(&mut one, "remove long a", "ok"), ["set"]);
    assert_eq!(trips(&mut one, "invalidate long a", "ok"), ["invalidate"]);
    assert_eq!(trips(&mut one, "clear long", "ok"), ["bump"]);
    // The refresh after an invalidation takes no earlier value, so it asks for none.
    assert_eq!(trips(&mut one, "get long b", "Fetched Fetched 1"), ["read", "acquire", "store"]);
    assert_eq!(trips(&mut one, "invalidate long b", "ok"), ["invalidate", "acquire", "store"]);
    // What another process has changed is looked at once.
    assert_eq!(trips(&mut other, "get long b", "Fresh Shared 2"), ["read"]);
    assert_eq!(trips(&mut one, "set long b written", "ok"), ["set"]);
    wait_until("the message", || other.1.ask("get long b") != "Fresh Local 2");
    assert_eq!(other.1.ask("get long b"), "Fresh Local written");
    assert_eq!(other.0.names(), ["read"]);
}

#[test]
fn a_refresh_is_two_round_trips_and_one_for_the_processes_that_do_not_fetch() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&server, &origin, 2_000));
    server.tells(2);
    one.1.ask("get short a");
    other.1.ask("get short a");
    std::thread::sleep(Duration::from_millis(1_100));
    origin.hold("a");
    one.0.operations();
    assert_eq!(one.1.ask("get short a"), "Stale Local 1");
    origin.began("a", 2);
    assert_eq!(trips(&mut other, "get short a", "Stale Local 1"), ["acquire"]);
    origin.release("a");
    one.1.ask("settle");
    assert_eq!(one.0.names(), ["acquire", "store"]);
    assert_eq!(origin.runs("a").len(), 2);
}

/// The two round trips of a job are those of the process, and none of a caller.
#[test]
fn a_stale_read_of_a_queued_function_waits_for_no_answer() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let _worker = worker(&origin, &server.url(), 4);
    let (proxy, mut web) = process(&server, &origin, 20_000);
    staffed(&mut web, 1);
    assert_eq!(web.ask("set queued a written"), "ok");
    std::thread::sleep(Duration::from_millis(1_100));
    proxy.set(Fault::Hold);
    proxy.operations();
    for _ in 0..100 {
        assert_eq!(web.ask("get queued a"), "Stale Local written");
    }
    let mut sent = Vec::new();
    wait_until("nothing is sent", || {
        sent.extend(proxy.names());
        !sent.is_empty()
    });
    assert_eq!(web.ask("get queued a"), "Stale Local written");
    // Nothing has come back, and nobody has given it up either.
    assert_eq!(web.logged("second tier lost"), Vec::<String>::new());
    proxy.set(Fault::None);
    web.ask("settle");
    sent.extend(proxy.names());
    assert_eq!(sent, ["acquire", "enqueue"]);
    reads(&mut web, "a", 1);
    assert_eq!((fetches(&mut web), origin.runs("a").len()), ("fetches=0".to_owned(), 1));
}

#[test]
fn ten_thousand_callers_of_a_key_that_only_the_server_has_look_once() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, (proxy, mut other)] = [(); 2].map(|()| process(&server, &origin, 20_000));
    one.1.ask("get long a");
    // They are all there before the first answer is.
    proxy.set(Fault::Hold);
    assert_eq!(other.ask("gather long a 10000"), "gathered");
    proxy.set(Fault::None);
    assert_eq!(other.ask("answers"), "10000 Fresh Shared");
    assert_eq!(proxy.names(), ["read"]);
    assert_eq!(origin.runs("a").len(), 1);
}

/// What is known to be down is not asked, and nobody waits for it.
#[test]
fn a_process_sends_nothing_while_its_tier_is_known_to_be_down() {
    const TIMEOUT: u64 = 1_000;
    let Some(server) = Server::start(&[]) else { return };
    for fault in [Fault::Cut, Fault::BlackHole] {
        let origin = Origin::start();
        let (proxy, mut one) = process(&server, &origin, TIMEOUT);
        let name = format!("{fault:?}");
        one.ask(&format!("get long {name}"));
        proxy.set(fault);
        // Some callers wait for their time-outs, until the process knows.
        while one.logged("second tier lost").is_empty() {
            let calls = [0, 1, 2].map(|call| one.send(&format!("get long {name}.finds.out{call}")));
            calls.iter().for_each(|call| assert!(call.answer().words.starts_with("F")));
        }
        let before = one.ask("stats long");
        let looked =
            |stats: &str| stats.split(' ').find(|stat| stat.starts_with("misses")).map(str::to_owned);
        proxy.operations();
        for call in 0..20 {
            let answer = one.send(&format!("get long {name}{call}")).answer();
            assert_eq!(answer.words, "Fetched Fetched 1");
            assert!(answer.took < Duration::from_millis(TIMEOUT / 2), "{fault:?}: {:?}", answer.took);
        }
        for write in ["set long a b", "invalidate long a", "remove long a", "clear long"] {
            let answer = one.send(write).answer();
            assert!(answer.words.starts_with("Unreachable "), "{}", answer.words);
            assert!(answer.took < Duration::from_millis(TIMEOUT / 2), "{write}: {:?}", answer.took);
        }
        assert_eq!(proxy.names(), [""; 0], "{fault:?}");
        assert_eq!(looked(&one.ask("stats long")), looked(&before), "no look was begun");
        assert_eq!(one.logged("second tier lost").len(), 1, "it is said once");
        proxy.set(Fault::Cut);
        proxy.set(Fault::None);
        wait_until("the tier is not used again", || one.logged("second tier connected").len() == 2);
        server.run::<()>("FLUSHALL");
    }
}

/// Whoever waits for the fetch of another process looks after it each 50 to 500 ms.
#[test]
fn the_looks_of_a_waiting_process_have_pauses() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let [mut one, (proxy, mut other)] = [(); 2].map(|()| process(&server, &origin, 2_000));
    origin.hold("a");
    let fetching = one.1.send("get long a");
    origin.began("a", 1);
    let waiting = [0, 1, 2].map(|_| other.send("get long a"));
    std::thread::sleep(Duration::from_secs(4));
    let looks = proxy.operations();
    origin.release("a");
    assert_eq!(fetching.answer().words, "Fetched Fetched 1");
    for waiting in waiting {
        assert_eq!(waiting.answer().words, "Fresh Shared 1");
    }
    let names: Vec<_> = looks.iter().map(|look| &*look.name).collect();
    assert_eq!(names[..2], ["read", "acquire"]);
    assert!(names[2..].iter().all(|name| *name == "acquire"), "{names:?}");
    let pauses: Vec<_> = looks[1..].windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    // At 0, 50, 150, 350 and 750 ms, and each 500 ms from there on; and some time on a slow machine.
    assert!((6..=12).contains(&pauses.len()), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause > Duration::from_millis(40)), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause < Duration::from_millis(1_000)), "{pauses:?}");
}
