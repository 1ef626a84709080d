//! What one process changes, the others do not serve as fresh any more: over a real server, whose messages arrive, or do
//! not.

mod support;

use std::time::{Duration, Instant};

use support::{Fault, Origin, Process, Proxy, Server, wait_until, when_not};

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

/// The connection for messages is cut again and again, alone, as values are changed.
#[test]
fn a_change_is_noticed_although_its_message_is_lost() {
    let Some(server) = Server::start_tier() else { return };
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

/// The connection for messages stays open, and nothing comes through it any more: the echo is missed. All other operations
/// go on as ever.
#[test]
fn a_change_is_noticed_although_the_subscription_is_deaf() {
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let options = [&*format!("timeout={}", TIMEOUT.as_millis())];
    let [one, other] = [server.url(), proxy.url()].map(|url| Process::start(&origin, &url, &options));
    server.tells(2);
    let mut fleet = [one, other];
    both_have("a", &mut fleet);
    let [one, other] = &mut fleet;
    for round in 0..3 {
        wait_until("it is trusted", || other.ask("get long a").starts_with("Fresh Local "));
        // The one of before is not there any more, and the next is.
        wait_until("a subscription", || proxy.deafen() == 1);
        assert_eq!(one.ask(&format!("set long a {round}")), "ok");
        let changed = Instant::now();
        let (local, shared) = (format!("Fresh Local {round}"), format!("Fresh Shared {round}"));
        wait_until("the change", || [&local, &shared].contains(&&other.ask("get long a")));
        assert!(changed.elapsed() < BOUND + TIMEOUT, "{round}: after {:?}", changed.elapsed());
    }
    assert_eq!(other.logged("second tier lost"), [""; 0]);
    assert!(other.logs("second tier tells of no changes").contains("no message came back"));
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

/// A number of a process' tier.
fn number(process: &mut Process, name: &str) -> u64 {
    let status = process.ask("status");
    let found = status.split(' ').filter_map(|word| word.split_once('=')).find(|(named, _)| *named == name);
    found.and_then(|(_, number)| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in {status}"))
}

/// Waits until all values are suspect once more, for the last time: each of its connections may say so.
fn looked_at_again(process: &mut Process, before: u64) {
    let mut losses = before;
    wait_until("all values are suspect", || {
        std::thread::sleep(Duration::from_millis(500));
        let last = std::mem::replace(&mut losses, number(process, "losses"));
        last > before && last == losses
    });
}

/// Another connection would make all values suspect once more, and bring more looks. The heartbeats tell whether this one is
/// of use. `has_numbers`: the values are of the server, and not of an outage.
fn looks_time_out(has_numbers: bool) {
    const LOOKS: usize = 20;
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let mut one = Process::start(&origin, &proxy.url(), &["timeout=300"]);
    one.listens();
    if !has_numbers {
        proxy.set(Fault::Cut);
        one.logs("second tier lost");
    }
    for key in 0..LOOKS {
        let value = one.ask(&format!("get long {key}"));
        assert_eq!(value, "Fetched Fetched 1");
    }
    let before = number(&mut one, "losses");
    if has_numbers {
        assert_eq!(proxy.deafen(), 1);
    }
    proxy.set(Fault::None);
    wait_until("all is suspect", || number(&mut one, "losses") > before);
    let lost = one.logged("second tier lost").len();
    let timed_out = number(&mut one, "timeouts");
    proxy.set(Fault::Latency(450));
    let looks: Vec<_> = (0..LOOKS).map(|key| one.send(&format!("get long {key}"))).collect();
    for look in looks {
        assert_eq!(look.answer().words, "Stale Local 1");
    }
    proxy.set(Fault::None);
    assert!(number(&mut one, "timeouts") - timed_out >= 10);
    wait_until("they are trusted", || {
        (0..LOOKS).all(|key| one.ask(&format!("get long {key}")).starts_with("Fresh "))
    });
    assert_eq!(one.logged("second tier lost").len(), lost);
}

#[test]
fn the_connection_is_not_given_up_for_looks_that_time_out() {
    looks_time_out(true);
}

#[test]
fn nor_for_looks_at_values_of_an_outage() {
    looks_time_out(false);
}

/// The connection for messages goes on, and the one for everything else does not: what is told is not forgotten when
/// there is nobody to ask.
#[test]
fn a_change_is_heard_while_nothing_can_be_asked() {
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let [mut other, _] = fleet(&server, &origin);
    let mut one = Process::start(&origin, &proxy.url(), &["timeout=200"]);
    for key in ["set", "removed", "invalidated"] {
        assert_eq!(other.ask(&format!("get long {key}")), "Fetched Fetched 1");
        assert_eq!(one.ask(&format!("get long {key}")), "Fresh Shared 1");
    }
    one.listens();
    wait_until("it is trusted", || one.ask("get long set") == "Fresh Local 1");
    let losses = number(&mut one, "losses");
    proxy.set(Fault::OnlyMessages);
    assert_eq!(other.ask("set long set written"), "ok");
    assert_eq!(other.ask("remove long removed"), "ok");
    assert_eq!(other.ask("invalidate long invalidated"), "ok");
    for key in ["set", "removed", "invalidated"] {
        wait_until(key, || !one.ask(&format!("peek long {key}")).starts_with("true "));
    }
    // By its message, that is, and not because an echo was missed.
    assert_eq!(number(&mut one, "losses"), losses);
    proxy.set(Fault::None);
    // A stale read before that would fetch for itself.
    wait_until("it cannot be asked", || one.ask("status").contains("servers=+"));
    wait_until("it is not looked at", || one.ask("get long set").ends_with(" written"));
    assert_eq!(one.ask("peek long removed"), "none");
    wait_until("it is fetched anew", || one.ask("get long invalidated").ends_with(" 2"));
    assert_eq!(origin.runs("set").len(), 1);
}

/// After an outage every value is looked at once, and no body runs for one that has not changed.
#[test]
fn after_an_outage_values_are_looked_at_and_not_fetched() {
    let Some(mut server) = Server::start(&["--save", "3600 1", "--dbfilename", "kept.rdb"]) else { return };
    let origin = Origin::start();
    let mut fleet = fleet(&server, &origin);
    // Whatever came in before the first echo is looked at once more.
    fleet.iter().for_each(Process::listens);
    both_have("a", &mut fleet);
    let [one, other] = &mut fleet;
    server.run::<()>("SAVE");
    server.kill();
    assert_eq!(other.ask("get long a"), "Fresh Local 1");
    server.start_again();
    server.tells(2);
    for process in [one, other] {
        // It has two connections, of which that of the messages may be the first.
        wait_until("it connects again", || process.logged("second tier connected").len() >= 2);
        looked_at_again(process, 1);
        let before = process.ask("stats long");
        let operations = number(process, "operations");
        assert_eq!(number(process, "suspects"), 1);
        for _ in 0..3 {
            assert_eq!(process.ask("get long a"), "Fresh Local 1");
        }
        assert_eq!(number(process, "operations"), operations + 1, "one look");
        assert_eq!(number(process, "suspects"), 0);
        assert_eq!(process.ask("stats long"), before);
    }
    assert_eq!(origin.runs("a").len(), 1);
}

/// The message has come, and then the server has lost the key, and with it what became of the value.
#[test]
fn a_value_that_was_changed_before_a_loss_is_gone() {
    let Some(server) = Server::start(&[]) else { return };
    let origin = Origin::start();
    let mut fleet = fleet(&server, &origin);
    server.tells(2);
    both_have("a", &mut fleet);
    both_have("b", &mut fleet);
    let [one, other] = &mut fleet;
    assert_eq!(one.ask("remove long a"), "ok");
    assert_eq!(one.ask("set long b new"), "ok");
    // Messages come in their order.
    assert_eq!(when_not(other, "get long b", "Fresh Local 1"), "Fresh Shared new");
    server.run::<()>("FLUSHALL");
    assert_eq!(other.ask("peek long a"), "none");
    assert_eq!(other.ask("get long a"), "Fetched Fetched 2");
    // The value that was not changed stays.
    assert_eq!(other.ask("get long b"), "Fresh Local new");
}

/// The same of a value that was fetched during an outage, which the server never had.
#[test]
fn a_value_of_an_outage_that_was_changed_before_a_loss_is_gone() {
    let Some(server) = Server::start(&[]) else { return };
    let (origin, proxy) = (Origin::start(), Proxy::before(server.port));
    let [mut one, mut other] =
        [server.url(), proxy.url()].map(|url| Process::start(&origin, &url, &["timeout=1000"]));
    other.listens();
    proxy.set(Fault::Cut);
    other.logs("second tier lost");
    assert_eq!(other.ask("get long a"), "Fetched Fetched 1");
    let before = number(&mut other, "losses");
    proxy.set(Fault::None);
    wait_until("it listens again", || number(&mut other, "losses") > before);
    assert_eq!(other.ask("get long b"), "Fetched Fetched 1");
    assert_eq!(one.ask("set long a new"), "ok");
    assert_eq!(one.ask("set long b new"), "ok");
    // Messages come in their order.
    assert_eq!(when_not(&mut other, "get long b", "Fresh Local 1"), "Fresh Shared new");
    server.run::<()>("FLUSHALL");
    assert_eq!(other.ask("get long a"), "Fetched Fetched 2");
}
