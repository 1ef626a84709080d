//! A cluster: three masters, of which one is killed, replaced, or loses a slot to another.

mod support;

use std::time::{Duration, Instant};

use support::tls::Authority;
use support::{Cluster, Origin, Process, Server, wait_until};

/// After lost messages, a change is noticed within so long, and the time-out of an operation.
const BOUND: Duration = Duration::from_secs(4);
const TIMEOUT: Duration = Duration::from_millis(1_000);

fn process(origin: &Origin, cluster: &Cluster) -> Process {
    Process::start(origin, &cluster.url(), &[&format!("timeout={}", TIMEOUT.as_millis())])
}

/// Keys of `long`, one on each master, with a value of `set`.
fn one_on_each(cluster: &Cluster, process: &mut Process) -> [String; 3] {
    let mut keys: [Option<String>; 3] = Default::default();
    for number in 0.. {
        let key = format!("k{number}");
        let before = cluster.keys("cb1:v:*");
        assert_eq!(process.ask(&format!("set long {key} first")), "ok");
        let new: Vec<_> = cluster.keys("cb1:v:*").into_iter().filter(|key| !before.contains(key)).collect();
        let holder = cluster.holder(&new[0]);
        keys[holder].get_or_insert(key);
        if keys.iter().all(Option::is_some) {
            return keys.map(Option::unwrap);
        }
    }
    unreachable!("each master has slots")
}

/// The name of the value of a key, which it has anew.
fn name_of(cluster: &Cluster, process: &mut Process, key: &str) -> String {
    let numbers = || {
        let names = cluster.keys("cb1:v:*").into_iter();
        names.map(|name| (cluster.number(&name), name)).collect::<Vec<_>>()
    };
    let before = numbers();
    assert_eq!(process.ask(&format!("set long {key} first")), "ok");
    numbers().into_iter().find(|now| !before.contains(now)).unwrap().1
}

/// The servers in the state of the tier, `+` before those that are connected.
fn servers(process: &mut Process) -> Vec<String> {
    let status = process.ask("status");
    let (_, servers) = status.split_once("servers=").unwrap();
    servers.split(',').map(str::to_owned).collect()
}

#[test]
fn values_are_shared_whichever_master_has_them() {
    let Some(cluster) = Cluster::start(0) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    cluster.tells(2);
    let keys = one_on_each(&cluster, &mut one);
    for key in &keys {
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared first");
        assert_eq!(one.ask(&format!("set long {key} second")), "ok");
        let get = format!("get long {key}");
        wait_until("the change", || other.ask(&get) != "Fresh Local first");
        assert_eq!(other.ask(&get), "Fresh Local second");
        assert_eq!(one.ask(&format!("invalidate long {key}")), "ok");
        origin.began(key, 1);
        wait_until("the refresh", || other.ask(&get).ends_with(" 1"));
        assert_eq!(one.ask(&format!("remove long {key}")), "ok");
        wait_until("it is gone", || other.ask(&get) == "Fetched Fetched 2");
    }
    let ports = cluster.masters.iter().map(|master| format!("+127.0.0.1:{}", master.port));
    let mut ports: Vec<_> = ports.collect();
    ports.sort();
    assert_eq!(servers(&mut one), ports);
    for process in [&one, &other] {
        assert_eq!(process.logged("WARN"), [""; 0]);
        assert_eq!(process.logged("second tier connected").len(), 3);
    }
}

/// All values of a function, wherever they lie, with one version that lies somewhere else.
#[test]
fn a_clear_reaches_all_masters() {
    let Some(cluster) = Cluster::start(0) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    cluster.tells(2);
    let keys = one_on_each(&cluster, &mut one);
    for key in &keys {
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared first");
    }
    assert_eq!(one.ask("clear long"), "ok");
    for key in &keys {
        let get = format!("get long {key}");
        wait_until("it is cleared", || other.ask(&get) != "Fresh Local first");
        assert_eq!(origin.runs(key).len(), 1, "{key}");
        assert_eq!(one.ask(&get), "Fresh Shared 1");
        assert_eq!(process(&origin, &cluster).ask(&get), "Fresh Shared 1");
    }
    // A value from before the clear is there still for whoever knows no version, and nobody does.
    let [key, ..] = keys;
    assert_eq!(one.ask(&format!("set long {key} old")), "ok");
    assert_eq!(one.ask("clear long"), "ok");
    assert_eq!(process(&origin, &cluster).ask(&format!("peek long {key}")), "none");
}

/// The master of the versions is late, and the others still have what was cleared.
#[test]
fn nobody_brings_back_what_this_process_is_clearing() {
    let Some(cluster) = Cluster::start(0) else { return };
    let origin = Origin::start();
    let mut one = process(&origin, &cluster);
    cluster.tells(1);
    let keys = one_on_each(&cluster, &mut one);
    // Its name is known then.
    assert_eq!(one.ask("clear long"), "ok");
    let versions = cluster.keys("cb1:t:*");
    let [late] = versions.iter().map(|name| cluster.holder(name)).collect::<Vec<_>>()[..] else {
        panic!("{versions:?}")
    };
    let key = &keys[(late + 1) % 3];
    assert_eq!(one.ask(&format!("set long {key} old")), "ok");
    // The versions are confirmed.
    assert_eq!(one.ask("get long another"), "Fetched Fetched 1");
    cluster.masters[late].stop();
    let clearing = one.send("clear long");
    let reading = one.send(&format!("get long {key}"));
    // What is asked of the other masters meanwhile is answered.
    for number in 0..100 {
        one.send(&format!("peek long {key}{number}"));
    }
    one.ask("status");
    cluster.masters[late].go_on();
    assert_eq!(clearing.answer().words, "ok");
    // It may have come before the clear.
    let read = reading.answer().words;
    let expected = if read == "Fresh Local old" { "Fetched Fetched 1" } else { "Fresh Local 1" };
    assert_eq!(one.ask(&format!("get long {key}")), expected, "after {read:?}");
}

/// The lease of a key is extended, and keeps others off, on whichever master it is.
#[test]
fn one_fetch_a_key() {
    let Some(cluster) = Cluster::start(0) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    cluster.tells(2);
    let keys = ["a", "b", "c", "d", "e", "f"];
    keys.iter().for_each(|key| origin.hold(key));
    let fetching = keys.map(|key| one.send(&format!("get long {key}")));
    keys.iter().for_each(|key| origin.began(key, 1));
    let waiting = keys.map(|key| other.send(&format!("get long {key}")));
    let leases = cluster.keys("cb1:l:*");
    assert_eq!(leases.len(), keys.len());
    // Longer than a lease lasts that nobody extends.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(cluster.keys("cb1:l:*").len(), keys.len());
    keys.iter().for_each(|key| origin.release(key));
    fetching.iter().for_each(|fetch| assert_eq!(fetch.answer().words, "Fetched Fetched 1"));
    waiting.iter().for_each(|wait| assert_eq!(wait.answer().words, "Fresh Shared 1"));
    for lease in leases {
        assert_eq!(cluster.slot(&lease), cluster.slot(&lease.replace("cb1:l:", "cb1:v:")));
    }
    keys.iter().for_each(|key| assert_eq!(origin.runs(key).len(), 1));
}

/// A `set` after a `clear` stands, although its process has not heard of the `clear`.
#[test]
fn a_process_that_hears_nothing() {
    let Some((cluster, proxies)) = Cluster::behind_proxies() else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    cluster.tells(2);
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(other.ask("get long a"), "Fresh Shared 1");
    let deafen =
        || wait_until("both are deaf", || proxies.iter().map(support::Proxy::deafen).sum::<usize>() == 2);
    deafen();
    assert_eq!(one.ask("clear long"), "ok");
    let cleared = Instant::now();
    assert_eq!(other.ask("set long b after"), "ok");
    assert_eq!(process(&origin, &cluster).ask("get long b"), "Fresh Shared after");
    wait_until("it is cleared", || !other.ask("get long a").ends_with(" 1"));
    assert!(cleared.elapsed() < BOUND + TIMEOUT, "{:?}", cleared.elapsed());
    assert_eq!(origin.runs("a").len(), 2);
    assert_eq!(other.logged("fetched without it"), [""; 0], "all masters were there");
}

/// Versions are asked for beside a read, at the first use and now and then, and beside each `set`.
#[test]
fn each_answer_has_its_round_trips() {
    let Some((cluster, proxies)) = Cluster::behind_proxies() else { return };
    let origin = Origin::start();
    let mut one = process(&origin, &cluster);
    cluster.tells(1);
    let mut trips = |command: &str, answer: &str| {
        proxies.iter().for_each(|proxy| drop(proxy.operations()));
        assert_eq!(one.ask(command), answer, "{command}");
        one.ask("settle");
        let mut operations: Vec<_> = proxies.iter().flat_map(support::Proxy::operations).collect();
        operations.sort_by_key(|operation| operation.at);
        let names: Vec<_> = operations.into_iter().map(|operation| operation.name).collect();
        let asked = names.iter().filter(|name| *name == "versions").count();
        (names.into_iter().filter(|name| name != "versions").collect::<Vec<_>>(), asked)
    };
    let (first, asked) = trips("get long a", "Fetched Fetched 1");
    assert_eq!(first, ["read", "acquire", "store"]);
    // Twice, if the first echo comes back meanwhile.
    assert!((1..=2).contains(&asked), "{asked}");
    wait_until("it is trusted", || trips("get long a", "Fresh Local 1").0.is_empty());
    for (command, answer, expected) in [
        ("get long a", "Fresh Local 1", &[][..]),
        ("get long b", "Fetched Fetched 1", &["read", "acquire", "store"]),
        ("remove long a", "ok", &["set"]),
        ("invalidate long a", "ok", &["invalidate"]),
        ("clear long", "ok", &["bump"]),
    ] {
        let (names, asked) = trips(command, answer);
        assert_eq!(names, expected, "{command}");
        // Two seconds may have passed.
        assert!(asked <= usize::from(command.starts_with("get")), "{command}");
    }
    assert_eq!(trips("set long a value", "ok"), (vec!["set".to_owned()], 1));
}

/// Whoever knows higher versions than the cluster writes them back.
#[test]
fn versions_that_the_cluster_has_lost() {
    let Some(cluster) = Cluster::start(0) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    cluster.tells(2);
    assert_eq!(one.ask("get long a"), "Fetched Fetched 1");
    assert_eq!(one.ask("clear long"), "ok");
    let [versions] = <[String; 1]>::try_from(cluster.keys("cb1:t:*:*long")).unwrap();
    let holder = &cluster.masters[cluster.holder(&versions)];
    let known: Vec<u8> = holder.run(&format!("GET {versions}"));
    holder.run::<()>(&format!("DEL {versions}"));
    // The old value is still there, and nobody takes it for a present one.
    let mut number = 0;
    wait_until("they are written back", || {
        number += 1;
        other.ask(&format!("get long other{number}"));
        holder.run::<Option<Vec<u8>>>(&format!("GET {versions}")).as_ref() == Some(&known)
    });
    assert_eq!(process(&origin, &cluster).ask("get long a"), "Fetched Fetched 2");
}

/// Only the keys of its slots suffer, nobody waits, and its replica takes its place.
#[test]
fn a_master_is_killed() {
    let Some(mut cluster) = Cluster::start(1) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    let keys = one_on_each(&cluster, &mut one);
    let [dead, alive @ ..] = &keys;
    for key in &keys {
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared first");
    }
    cluster.masters[0].kill();
    one.logs("server of the second tier's cluster lost");
    other.logs("server of the second tier's cluster lost");
    // The others go on, and the keys of this one are values of each process: nobody waits.
    let told = one.send(&format!("set long {dead} here")).answer();
    if told.words != "ok" {
        assert!(told.words.starts_with("Unreachable "), "{}", told.words);
        assert!(told.took < TIMEOUT, "{:?}", told.took);
    }
    assert_eq!(one.ask(&format!("get long {dead}")), "Fresh Local here");
    for key in alive {
        assert_eq!(one.ask(&format!("set long {key} second")), "ok");
        let get = format!("get long {key}");
        wait_until("the change", || other.ask(&get).ends_with(" second"));
        assert!(other.ask(&get).starts_with("Fresh "), "{}", other.ask(&get));
    }
    wait_until("the replica has taken over", || one.ask(&format!("set long {dead} third")) == "ok");
    let get = format!("get long {dead}");
    wait_until("the change", || other.ask(&get).ends_with(" third"));
    for process in [&mut one, &mut other] {
        wait_until("all masters", || {
            servers(process).iter().filter(|server| server.starts_with('+')).count() == 3
        });
        assert_eq!(process.logged("cluster lost").len(), 1);
    }
    assert_eq!(process(&origin, &cluster).ask(&get), "Fresh Shared third");
    // Its values of before are there.
    assert_eq!(origin.runs(dead).len(), 0);
    // It comes back, as a replica, and nobody reads from it.
    cluster.masters[0].start_again();
    wait_until("it is a replica", || cluster.masters[0].has_role("slave"));
    assert_eq!(one.ask(&format!("set long {dead} fourth")), "ok");
    wait_until("the change", || other.ask(&get).ends_with(" fourth"));
    assert!(!servers(&mut one).iter().any(|server| server.contains(&cluster.masters[0].port.to_string())));
}

/// The master that has the versions of the function is down, nobody takes its place, and messages may have been lost: its
/// own keys are what they were, and those of the others are looked at.
#[test]
fn a_master_is_down_when_everything_is_suspect() {
    let Some(mut cluster) = Cluster::start(0) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    cluster.tells(2);
    let keys = one_on_each(&cluster, &mut one);
    for key in &keys {
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared first");
    }
    assert_eq!(one.ask("clear hasty"), "ok");
    let versions = cluster.holder("cb1:t:*:*long");
    for key in &keys {
        // By another value it is known that the message has come.
        for value in ["second", "first"] {
            assert_eq!(one.ask(&format!("set long {key} {value}")), "ok");
            let held = format!("Fresh Local {value}");
            wait_until("they agree", || other.ask(&format!("get long {key}")) == held);
        }
    }
    cluster.masters[versions].kill();
    for process in [&one, &other] {
        process.logs("server of the second tier's cluster lost");
    }
    let dead = cluster.masters.remove(versions);
    for _ in 0..3 {
        for master in &cluster.masters {
            master.run::<i64>("CLIENT KILL TYPE pubsub");
        }
        (0..cluster.masters.len()).for_each(|master| cluster.change_silently(master));
        cluster.tells(2);
        for (number, key) in keys.iter().enumerate() {
            let get = format!("get long {key}");
            if number != versions {
                wait_until("it is looked at", || other.ask(&get) == "Fresh Shared first");
            }
            for _ in 0..20 {
                let answer = other.ask(&get);
                let is_fresh = answer.starts_with("Fresh ") && answer.ends_with(" first");
                assert!(is_fresh, "{number} of {versions}: {answer}");
            }
            let set = one.ask(&format!("set long {key} first"));
            assert_eq!(set == "ok", number != versions, "{set}");
        }
    }
    // Nobody can tell a new process which values were cleared.
    let mut new = process(&origin, &cluster);
    for key in &keys {
        assert_eq!(new.ask(&format!("get long {key}")), "Fetched Fetched 1");
    }
    drop(dead);
}

/// The replica takes the place of its master, which becomes a replica of it, while calls go on.
#[test]
fn a_master_changes_places_with_its_replica() {
    let Some(cluster) = Cluster::start(1) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    let keys = one_on_each(&cluster, &mut one);
    let spins = keys.clone().map(|key| other.send(&format!("spin long {key} 4000 5")));
    let get = format!("get long {}", keys[0]);
    one.listens();
    wait_until("it is trusted", || {
        cluster.change_silently(0);
        one.ask(&get) == "Fresh Local first"
    });
    cluster.replicas[0].run::<()>("CLUSTER FAILOVER");
    wait_until("it has taken over", || cluster.replicas[0].has_role("master"));
    wait_until("it is looked at", || one.ask(&get) == "Fresh Shared first");
    for key in &keys {
        // The first that succeeds may have waited for its master, and been told late: then nobody can say whether the silent
        // change was later, and the key has no value. The next one is told at once.
        for _ in 0..2 {
            wait_until("it is written", || one.ask(&format!("set long {key} second")) == "ok");
        }
    }
    for (key, spin) in keys.iter().zip(spins) {
        let spun = spin.answer().words;
        let slowest: u64 = spun.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(slowest < u64::try_from(TIMEOUT.as_micros()).unwrap() * 3 / 2, "{key}: {spun}");
        assert!(spun.ends_with(" second"), "{spun}");
        assert!(origin.runs(key).len() <= 1, "{key}");
    }
    wait_until("the master of now", || {
        let port = format!("+127.0.0.1:{}", cluster.replicas[0].port);
        let servers = servers(&mut one);
        servers.contains(&port) && servers.len() == 3
    });
}

/// It answers nobody, and keeps nobody waiting for longer than an operation takes. When it goes on it takes itself for a master
/// still, until the others have told it.
#[test]
fn a_master_hangs() {
    let Some(cluster) = Cluster::start(1) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    let keys = one_on_each(&cluster, &mut one);
    let [hung, alive @ ..] = &keys;
    let get = format!("get long {hung}");
    for process in [&mut one, &mut other] {
        process.listens();
        wait_until("it is trusted", || process.ask(&get) == "Fresh Local first");
    }
    cluster.masters[0].stop();
    assert_eq!(one.ask(&get), "Fresh Local first");
    for key in alive {
        assert_eq!(one.ask(&format!("set long {key} second")), "ok");
        wait_until("the change", || other.ask(&format!("get long {key}")).ends_with(" second"));
    }
    let told = one.send(&format!("set long {hung} here")).answer();
    assert!(told.words == "ok" || told.words.starts_with("Unreachable "), "{}", told.words);
    assert!(told.took < TIMEOUT * 3 / 2, "{:?}", told.took);
    assert_eq!(one.ask(&get), "Fresh Local here");
    wait_until("the replica has taken over", || one.ask(&format!("set long {hung} third")) == "ok");
    wait_until("the change", || other.ask(&get).ends_with(" third"));
    cluster.masters[0].go_on();
    for number in 0..20 {
        wait_until("it is written", || one.ask(&format!("set long {hung} after{number}")) == "ok");
    }
    wait_until("it is a replica", || cluster.masters[0].has_role("slave"));
    wait_until("the change", || other.ask(&get) == "Fresh Local after19");
    assert_eq!(process(&origin, &cluster).ask(&get), "Fresh Shared after19");
    assert_eq!(origin.runs(hung).len(), 0);
}

/// A master dies with a change that its replica has not got, and is replaced only after a while, in which other masters are
/// told of other changes.
#[test]
fn what_a_master_was_told_last_is_told_to_its_replica() {
    let Some(mut cluster) = Cluster::start(1) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    let keys = one_on_each(&cluster, &mut one);
    let [dead, alive, _] = &keys;
    assert_eq!(other.ask(&format!("get long {dead}")), "Fresh Shared first");
    // What is there by now is older than what follows.
    std::thread::sleep(TIMEOUT * 3 / 2);
    cluster.replicas[0].stop();
    assert_eq!(cluster.masters[0].run::<i64>("CLIENT KILL TYPE replica"), 1);
    assert_eq!(one.ask(&format!("set long {dead} last")), "ok");
    cluster.masters[0].kill();
    one.logs("server of the second tier's cluster lost");
    let lost = Instant::now();
    // Longer than a change is kept whose connection is there.
    while lost.elapsed() < Duration::from_secs(12) {
        assert_eq!(one.ask(&format!("set long {alive} later")), "ok");
        std::thread::sleep(Duration::from_millis(200));
    }
    cluster.replicas[0].go_on();
    let get = format!("get long {dead}");
    wait_until("the change", || other.ask(&get) == "Fresh Local last");
    assert_eq!(process(&origin, &cluster).ask(&get), "Fresh Shared last");
    assert_eq!(origin.runs(dead).len(), 0);
}

/// The replica takes over without the last change. Its master lives, and becomes a replica.
#[test]
fn what_a_master_was_told_last_is_told_to_whoever_takes_its_place() {
    let Some(cluster) = Cluster::start(1) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    let [key, ..] = one_on_each(&cluster, &mut one);
    let get = format!("get long {key}");
    assert_eq!(other.ask(&get), "Fresh Shared first");
    // What is there by now is older than what follows.
    std::thread::sleep(TIMEOUT * 3 / 2);
    let (master, replica) = (&cluster.masters[0], &cluster.replicas[0]);
    // It cannot connect any more.
    replica.run::<()>("CONFIG SET masterauth wrong");
    assert_eq!(master.run::<i64>("CLIENT KILL TYPE replica"), 1);
    assert_eq!(one.ask(&format!("set long {key} last")), "ok");
    replica.run::<()>("CLUSTER FAILOVER TAKEOVER");
    wait_until("it is told again", || {
        process(&origin, &cluster).ask(&format!("peek long {key}")) == "true Shared last"
    });
    wait_until("the change", || other.ask(&get) == "Fresh Local last");
    assert_eq!(one.ask(&get).split(' ').next_back(), Some("last"));
    assert_eq!(origin.runs(&key).len(), 0);
}

/// Reads and writes go on while a slot moves, and nothing is lost.
#[test]
fn a_slot_moves_to_another_master() {
    let Some(cluster) = Cluster::start(0) else { return };
    let origin = Origin::start();
    let [mut one, mut other] = [(); 2].map(|()| process(&origin, &cluster));
    cluster.tells(2);
    let [key, ..] = one_on_each(&cluster, &mut one);
    let name = name_of(&cluster, &mut one, &key);
    let slot = cluster.slot(&name);
    cluster.begin_move(slot, 0, 1);
    // It is where it was.
    assert_eq!(process(&origin, &cluster).ask(&format!("peek long {key}")), "true Shared first");
    cluster.move_keys(slot, 0, 1);
    // It is where the slot will be.
    assert_eq!(process(&origin, &cluster).ask(&format!("peek long {key}")), "true Shared first");
    let write = one.send(&format!("set long {key} moving"));
    std::thread::sleep(Duration::from_millis(100));
    cluster.end_move(slot, 1);
    assert_eq!(write.answer().words, "ok", "it is sent on");
    assert_eq!(other.ask(&format!("set long {key} moved")), "ok");
    wait_until("the change", || one.ask(&format!("get long {key}")).ends_with(" moved"));
    assert_eq!(process(&origin, &cluster).ask(&format!("get long {key}")), "Fresh Shared moved");
    assert_eq!(origin.runs(&key).len(), 0);
    assert_eq!(one.logged("WARN"), [""; 0]);
}

/// The rights that the guide names are enough, and a missing one is named.
#[test]
fn a_user_of_a_cluster_with_few_rights() {
    let Some(cluster) = Cluster::start(0) else { return };
    let of_cluster = "+cluster|slots +asking";
    for (number, lacking) in
        [None, Some("+cluster|slots"), Some("+asking"), Some("+publish")].into_iter().enumerate()
    {
        let name = format!("user{number}");
        let rights = format!("{} {of_cluster}", support::rights());
        let rights = lacking.map_or(rights.clone(), |lacking| rights.replace(lacking, ""));
        let urls: Vec<_> = cluster.masters.iter().map(|master| master.user(&name, &rights)).collect();
        let origin = Origin::start();
        let url = format!("cluster:{}", urls.join(","));
        let [mut one, mut other] = [(); 2].map(|()| Process::start(&origin, &url, &["timeout=1000"]));
        assert!(one.ask(&format!("get long {name}")).starts_with("Fetched Fetched"));
        let (answer, told) = (other.ask(&format!("get long {name}")), one.ask("clear long"));
        match lacking {
            Some("+cluster|slots") => {
                assert_eq!(answer, "Fetched Fetched 2");
                assert!(told.starts_with("Unreachable "), "{told}");
                let line = one.logs("second tier lost");
                assert!(line.contains("`CLUSTER SLOTS`") && line.contains(of_cluster), "{line}");
                assert_eq!(one.logged("second tier lost").len(), 1, "it is said once");
                assert_eq!(
                    one.logged("WARN").len(),
                    2,
                    "and that the change waits: {:?}",
                    one.logged("WARN")
                );
            }
            Some("+asking") => {
                assert_eq!(answer, "Fetched Fetched 2");
                let line = one.logs("cluster lost");
                assert!(line.contains("`ASKING`") && line.contains(of_cluster), "{line}");
                wait_until("each server", || one.logged("cluster lost").len() == 3);
                assert_eq!(
                    one.logged("WARN").len(),
                    4,
                    "and that the change waits: {:?}",
                    one.logged("WARN")
                );
            }
            _ => assert_eq!((&*answer, &*told), ("Fresh Shared 1", "ok"), "without {lacking:?}"),
        }
        assert_eq!(one.logged("secret"), [""; 0]);
    }
}

/// Each master has its own replica to confirm a change.
#[test]
fn a_change_that_the_replica_of_its_master_has_to_confirm() {
    let Some(cluster) = Cluster::start(1) else { return };
    let origin = Origin::start();
    let mut one = Process::start(&origin, &cluster.url(), &["timeout=300", "replicas=1"]);
    let keys = one_on_each(&cluster, &mut one);
    cluster.replicas[1].stop();
    for (master, key) in keys.iter().enumerate() {
        let told = one.ask(&format!("set long {key} second"));
        let is_confirmed = told == "ok";
        assert_eq!(is_confirmed, master != 1, "{told}");
        assert!(is_confirmed || told.ends_with("0 of 1 have it after 300ms"), "{told}");
    }
    cluster.replicas[1].go_on();
    wait_until("it is there again", || one.ask(&format!("set long {} third", keys[1])) == "ok");
}

/// All masters are reached over TLS: the one that was named, and those that it names.
#[test]
fn a_cluster_over_tls() {
    let authority = Authority::new("a CA");
    let Some(cluster) = Cluster::over_tls(&authority) else { return };
    let origin = Origin::start();
    let file = authority.file().display().to_string();
    let all = cluster.url();
    let (first, _) = all.split_once(',').unwrap();
    let start = |url: &str| Process::start_in(&[("SSL_CERT_FILE", &*file)], &origin, url, &["timeout=2000"]);
    let [mut one, mut other] = [start(first), start(&all)];
    cluster.tells(2);
    for key in &one_on_each(&cluster, &mut one) {
        assert_eq!(other.ask(&format!("get long {key}")), "Fresh Shared first");
        assert_eq!(one.ask(&format!("set long {key} second")), "ok");
        wait_until("the change", || other.ask(&format!("get long {key}")) == "Fresh Local second");
    }
    let connected = |master: &Server| format!("+127.0.0.1:{}", master.tls_port().unwrap());
    let mut masters: Vec<_> = cluster.masters.iter().map(connected).collect();
    masters.sort();
    for process in [&mut one, &mut other] {
        assert_eq!(servers(process), masters);
        assert_eq!(process.logged("WARN"), [""; 0]);
    }
}

/// The replica of the master that hands a slot over says nothing of a change that the other one has made.
#[test]
fn a_change_to_be_confirmed_while_its_slot_moves() {
    let Some(cluster) = Cluster::start(1) else { return };
    let origin = Origin::start();
    let mut one = Process::start(&origin, &cluster.url(), &["timeout=300", "replicas=1"]);
    wait_until("it is connected", || one.ask("clear long x") == "ok");
    let versions = "cb1:t:cacheback:cacheback_shared_tests::functions::long";
    let (slot, from) = (cluster.slot(versions), cluster.holder(versions));
    let to = (from + 1) % 3;
    cluster.replicas[to].stop();
    cluster.begin_move(slot, from, to);
    cluster.move_keys(slot, from, to);
    let told = one.ask("clear long x");
    assert!(told.ends_with(": its keys are moving to another server"), "{told}");
    cluster.end_move(slot, to);
    wait_until("the move is known", || one.ask("clear long x").ends_with(": 0 of 1 have it after 300ms"));
    cluster.replicas[to].go_on();
    wait_until("it is there again", || one.ask("clear long x") == "ok");
}
