//! What one process changes, the others do not serve as fresh any more.

use std::sync::Arc;

use cacheback::shared::status;
use cacheback::{Cache, Status, cacheback};

use crate::fleet::{Process, fleet, hear, wait};
use crate::support::{Source, advance, secs};

use cacheback::Source::{Fetched, Local, Shared};

/// Waits on a miss.
#[cacheback(shared, lifetime = 600, fetch_on_miss, skip(source))]
async fn waits(source: &Arc<Source>, key: &str) -> u64 {
    let _ = key;
    source.number().await
}

/// Both processes have the value of the first fetch.
fn both_have(source: &Arc<Source>, processes: &[Process; 2]) {
    for process in processes {
        assert_eq!(process.run(|| waits(source, "a")), 1);
    }
    assert_eq!(looked_up!(processes[1], waits::entry(source, "a")), (1, Status::Fresh, Local));
}

/// How many operations of the tier the process has begun.
fn operations(process: &Process) -> u64 {
    process.run(|| async { status()[0].operations })
}

#[test]
fn a_value_that_was_set_elsewhere_is_taken_over_by_the_next_reader() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes);
    let before = operations(other);
    one.run(|| waits::entry(&source, "a").set(70)).unwrap();
    hear(&processes);
    assert_eq!(operations(other), before, "a message fetches nothing");
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (70, Status::Fresh, Shared));
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (70, Status::Fresh, Local));
    assert_eq!(looked_up!(one, waits::entry(&source, "a")), (70, Status::Fresh, Local));
    assert_eq!((operations(other), source.runs()), (before + 1, 1));
}

#[test]
fn a_value_that_was_removed_elsewhere_is_gone() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes);
    one.run(|| waits::entry(&source, "a").remove()).unwrap();
    hear(&processes);
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (2, Status::Fetched, Fetched));
    assert_eq!(looked_up!(one, waits::entry(&source, "a")), (2, Status::Fresh, Shared));
}

#[test]
fn a_value_that_was_invalidated_elsewhere_is_stale() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes);
    let source = &Source::gated();
    one.run(|| waits::entry(source, "a").invalidate()).unwrap();
    hear(&processes);
    assert_eq!(source.runs(), 1, "the process that invalidates it fetches");
    assert_eq!(looked_up!(other, waits::entry(source, "a")), (1, Status::Stale, Shared));
    assert_eq!(looked_up!(other, waits::entry(source, "a")), (1, Status::Stale, Local));
    source.release_all();
    hear(&processes);
    // That fetch is news, too.
    assert_eq!(looked_up!(other, waits::entry(source, "a")), (1, Status::Stale, Local));
    assert_eq!(looked_up!(other, waits::entry(source, "a")), (1, Status::Fresh, Local));
    assert_eq!(source.runs(), 1);
}

#[test]
fn a_cache_that_was_cleared_or_invalidated_elsewhere_is_here_too() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes);
    one.run(|| async { waits::cache().invalidate().await }).unwrap();
    hear(&processes);
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (1, Status::Stale, Local));
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (2, Status::Fresh, Local));
    one.run(|| async { waits::cache().clear().await }).unwrap();
    hear(&processes);
    assert_eq!(other.run(|| waits::entry(&source, "a").peek()), None);
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (3, Status::Fetched, Fetched));
    // A process does not hear of its own `clear` once more.
    hear(&processes);
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (3, Status::Fresh, Local));
    assert_eq!(looked_up!(one, waits::entry(&source, "a")), (3, Status::Fresh, Shared));
}

/// What a process has written itself stays on its fast path.
#[test]
fn nobody_looks_for_its_own_writes() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, _] = &processes;
    let source = Source::open();
    one.run(|| waits(&source, "a"));
    for value in [70, 71] {
        one.run(|| waits::entry(&source, "a").set(value)).unwrap();
        hear(&processes);
        let before = operations(one);
        assert_eq!(looked_up!(one, waits::entry(&source, "a")), (value, Status::Fresh, Local));
        assert_eq!(operations(one), before);
    }
    one.run(|| waits::entry(&source, "a").invalidate()).unwrap();
    hear(&processes);
    let before = operations(one);
    assert_eq!(looked_up!(one, waits::entry(&source, "a")), (2, Status::Fresh, Local));
    assert_eq!(operations(one), before);
}

/// It is told by the fetch of the other process that it is over, long before its next look is due.
#[test]
fn whoever_waits_is_woken_by_the_message() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::gated();
    let call = |process: &Process| {
        let source = Arc::clone(&source);
        process.spawn(async move {
            let called = tokio::time::Instant::now();
            (waits(&source, "a").await, called.elapsed())
        })
    };
    let fetching = call(one);
    let waiting = call(other);
    // It has looked several times by now, and its next look is half a second away.
    wait(&processes, 3);
    source.release_all();
    assert_eq!(one.run(|| fetching).unwrap(), (1, secs(3)));
    assert_eq!(other.run(|| waiting).unwrap(), (1, secs(3)));
    assert_eq!(source.runs(), 1);
}

/// A body is under way as another process sets a newer value. Who calls after the message of that does not get what the
/// body brings, however long it takes. A message of another key is no reason to decide again.
#[test]
fn a_call_after_a_message_gets_nothing_from_before_it() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::gated();
    let call = |key: &'static str| {
        let source = Arc::clone(&source);
        one.spawn(async move { waits(&source, key).await })
    };
    let refresh = |key: &'static str| {
        let source = Arc::clone(&source);
        one.spawn(async move { waits::entry(&source, key).refresh().await })
    };
    let [early, of_another] = ["a", "b"].map(call);
    assert_eq!(source.runs(), 2);
    other.run(|| waits::entry(&source, "a").set(70)).unwrap();
    hear(&processes);
    let [late, late_of_another] = ["a", "b"].map(call);
    let [refreshed, refreshed_of_another] = ["a", "b"].map(refresh);
    source.release(1);
    source.release(2);
    assert_eq!(one.run(|| early).unwrap(), 1);
    assert_eq!(one.run(|| late).unwrap(), 70);
    for call in [of_another, late_of_another, refreshed_of_another] {
        assert_eq!(one.run(|| call).unwrap(), 2);
    }
    source.release(3);
    assert_eq!(one.run(|| refreshed).unwrap(), 3);
    assert_eq!(source.runs(), 3, "by the refresh alone");
}

/// Waits on a miss, and is refreshed for one key at a time.
#[cacheback(shared, lifetime = 600, fetch_on_miss, max_refreshes = 1, skip(source))]
async fn takes_turns(source: &Arc<Source>, key: &str) -> u64 {
    let _ = key;
    source.number().await
}

/// Before the refresh of an invalidation begins, another process sets a value. That is newer than what was invalidated,
/// and stands.
#[test]
fn the_refresh_of_an_invalidation_takes_what_was_set_after_it() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::gated();
    for (key, run) in [("a", 1), ("b", 2)] {
        source.release(run);
        assert_eq!(one.run(|| takes_turns(&source, key)), run);
    }
    // The refresh of the first has the only place, and the second waits for that.
    for key in ["b", "a"] {
        one.run(|| takes_turns::entry(&source, key).invalidate()).unwrap();
    }
    assert_eq!(source.runs(), 3);
    other.run(|| takes_turns::entry(&source, "a").set(70)).unwrap();
    source.release_all();
    hear(&processes);
    for process in &processes {
        assert_eq!(looked_up!(process, takes_turns::entry(&source, "a")), (70, Status::Fresh, Local));
    }
    assert_eq!(source.runs(), 3);
}

/// As it is fetched, messages are lost: it may have been changed, and it has not been as far as anybody knows.
#[test]
fn a_value_that_came_in_as_messages_were_lost_is_fresh_while_nobody_can_be_asked() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, _] = &processes;
    let source = Source::gated();
    let call = {
        let source = Arc::clone(&source);
        one.spawn(async move { waits(&source, "a").await })
    };
    memory.disconnect();
    memory.reconnect();
    hear(&processes);
    source.release_all();
    assert_eq!(one.run(|| call).unwrap(), 1);
    memory.disconnect();
    assert_eq!(looked_up!(one, waits::entry(&source, "a")), (1, Status::Fresh, Local));
    memory.reconnect();
    hear(&processes);
    let before = operations(one);
    for _ in 0..2 {
        assert_eq!(looked_up!(one, waits::entry(&source, "a")), (1, Status::Fresh, Local));
    }
    assert_eq!((operations(one), source.runs()), (before + 1, 1), "one look");
}

/// After a lost connection, nobody knows which messages were missed. One look for each value tells.
#[test]
fn after_an_outage_a_value_is_looked_at_before_it_is_trusted() {
    let (memory, processes @ [_, _]) = fleet();
    let [_, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes);
    memory.disconnect();
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (1, Status::Fresh, Local));
    memory.reconnect();
    hear(&processes);
    let before = operations(other);
    for _ in 0..3 {
        assert_eq!(looked_up!(other, waits::entry(&source, "a")), (1, Status::Fresh, Local));
    }
    assert_eq!((operations(other), source.runs()), (before + 1, 1), "one look, and no body runs");
    // Nobody answers: the value may be an old one.
    memory.disconnect();
    memory.reconnect();
    hear(&processes);
    memory.hang();
    let waited = other.run(|| async {
        let called = tokio::time::Instant::now();
        let mut waited = [0; 3];
        for waited in &mut waited {
            let lookup = waits::entry(&source, "a").lookup().await;
            assert_eq!((lookup.value, lookup.status, lookup.source), (1, Status::Stale, Local));
            *waited = called.elapsed().as_millis();
        }
        waited
    });
    assert!((100..=101).contains(&waited[0]) && waited[2] == waited[0], "one time-out for all: {waited:?}");
    // It is known to be down: there is nothing to be asked.
    memory.disconnect();
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (1, Status::Fresh, Local));
    assert_eq!(source.runs(), 1);
}

/// The message has come, and then the tier is gone: what it is now nobody can say, but it is not what it was.
#[test]
fn a_value_that_was_changed_before_an_outage_is_stale() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes);
    one.run(|| waits::entry(&source, "a").remove()).unwrap();
    hear(&processes);
    memory.disconnect();
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (1, Status::Stale, Local));
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (2, Status::Fresh, Local));
    assert_eq!(source.runs(), 2);
}

/// `peek` starts no fetch and stores nothing, but it shows no value as fresh that another process has changed.
#[test]
fn peek_looks_at_what_it_doubts() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    let peeked = |process: &Process| {
        let peeked = process.run(|| waits::entry(&source, "a").peek());
        peeked.map(|peeked| (peeked.value, peeked.fresh, peeked.source))
    };
    both_have(&source, &processes);
    one.run(|| waits::entry(&source, "a").set(70)).unwrap();
    hear(&processes);
    for _ in 0..2 {
        assert_eq!(peeked(other), Some((70, true, Shared)));
    }
    memory.hang();
    assert_eq!(peeked(other), Some((1, false, Local)));
    memory.disconnect();
    assert_eq!(peeked(other), Some((1, false, Local)), "nobody can be asked, but it was changed");
    memory.reconnect();
    hear(&processes);
    // After a look without an answer there is none for a second.
    wait(&processes, 1);
    assert_eq!(peeked(one), Some((70, true, Local)));
    one.run(|| waits::entry(&source, "a").remove()).unwrap();
    hear(&processes);
    assert_eq!((peeked(one), peeked(other)), (None, None));
    assert_eq!(source.runs(), 1);
}

/// What is to be looked at is counted, until it was.
#[test]
fn suspects_are_counted() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    let reads = |key: &'static str| other.run(|| waits(&source, key));
    let counted = || {
        let [tier] = other.run(|| async { status() }).try_into().unwrap();
        (tier.messages, tier.losses, tier.suspects)
    };
    for key in ["a", "b", "c"] {
        reads(key);
    }
    assert_eq!(counted(), (0, 0, 0));
    memory.disconnect();
    memory.reconnect();
    hear(&processes);
    assert_eq!(counted(), (0, 1, 3));
    reads("a");
    assert_eq!(counted(), (0, 1, 2));
    // What another process has changed is one of them, too.
    one.run(|| waits::entry(&source, "a").set(70)).unwrap();
    hear(&processes);
    assert_eq!(counted(), (1, 1, 3));
    for key in ["a", "b", "c"] {
        reads(key);
    }
    assert_eq!(counted(), (1, 1, 0));
    other.run(|| async { waits::cache().clear().await }).unwrap();
    assert_eq!(counted(), (2, 1, 0), "its own change of all keys comes back, and says nothing new");
}

/// A probe finds what hits serve as the tier has it, or its message is on the way.
#[test]
fn a_probe_finds_nothing_outdated() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    let probe = || {
        let probe = other.run(|| cacheback::shared::probe(2));
        (probe.probed, probe.outdated)
    };
    assert_eq!(probe(), (0, 0));
    for key in ["a", "b", "c"] {
        other.run(|| waits(&source, key));
    }
    assert_eq!(probe(), (2, 0));
    assert_eq!(other.run(|| cacheback::shared::probe(10)).probed, 3);
    // It is asked before the message is heard.
    one.run(|| waits::entry(&source, "a").set(70)).unwrap();
    assert_eq!(other.run(|| cacheback::shared::probe(10)).outdated, 0);
    // Those that no hit would serve are not looked at.
    one.run(|| waits::entry(&source, "b").set(70)).unwrap();
    hear(&processes);
    assert_eq!(probe(), (1, 0));
    memory.disconnect();
    assert_eq!(probe(), (0, 0));
    let [tier] = other.run(|| async { status() }).try_into().unwrap();
    assert_eq!((tier.probed, tier.outdated), (9, 0));
}

/// The tier has dropped a value, another process has fetched it again, and tells nobody of that. (Its clock is ahead, so
/// that the time of the value is over in the tier and not here.)
#[test]
fn a_probe_finds_what_nobody_has_told_of() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes);
    one.run(|| advance(secs(40 * 24 * 3_600)));
    assert_eq!(looked_up!(one, waits::entry(&source, "a")), (2, Status::Fetched, Fetched));
    hear(&processes);
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (1, Status::Fresh, Local));
    let probe = || {
        let probe = other.run(|| cacheback::shared::probe(10));
        (probe.probed, probe.outdated)
    };
    assert_eq!(probe(), (1, 1));
    let [tier] = other.run(|| async { status() }).try_into().unwrap();
    assert_eq!((tier.probed, tier.outdated, tier.suspects), (1, 1, 1));
    // The next call looks.
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (2, Status::Fresh, Shared));
    assert_eq!(probe(), (1, 0));
    assert_eq!(source.runs(), 2);
}

/// Looks are few at a time. Further callers are answered at once, and nothing is fetched.
#[test]
fn a_reconnect_starts_no_stampede() {
    let (memory, processes @ [_, _]) = fleet();
    let [_, other] = &processes;
    let source = Source::open();
    let keys: Vec<String> = (0..500).map(|key| key.to_string()).collect();
    for key in &keys {
        other.run(|| waits(&source, key));
    }
    memory.disconnect();
    memory.reconnect();
    hear(&processes);
    memory.hang();
    // All of them ask before any task has run.
    let answers: Vec<_> = other.run(|| async {
        let mut calls = tokio::task::JoinSet::new();
        for key in keys.clone() {
            let source = Arc::clone(&source);
            calls.spawn(async move {
                let called = tokio::time::Instant::now();
                let lookup = waits::entry(&source, &key).lookup().await;
                (lookup.status, called.elapsed().is_zero())
            });
        }
        calls.join_all().await
    });
    assert!(answers.iter().all(|(status, _)| *status == Status::Stale), "{answers:?}");
    assert_eq!(answers.iter().filter(|(_, at_once)| !at_once).count(), 64, "so many have looked");
    let refused = other.run(|| async { waits::cache().stats().looks_refused });
    assert!(refused >= 500 - 64, "the others have not: {refused}");
    assert_eq!(source.runs(), 500);
    memory.reconnect();
    hear(&processes);
    // After a look without an answer there is none for a second.
    wait(&processes, 1);
    for key in &keys {
        assert_eq!(looked_up!(other, waits::entry(&source, key)).1, Status::Fresh);
    }
    assert_eq!(source.runs(), 500);
}

/// The keys of an object are known by its name.
#[test]
fn an_object_hears_of_the_changes_of_its_name() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let cache = |process: &Process, name: &'static str| {
        let made = process.run(|| async {
            Cache::<String, u64>::builder().name(name).lifetime(secs(600)).shared().build()
        });
        made.unwrap()
    };
    let caches = [cache(one, "users"), cache(other, "users"), cache(other, "teams")];
    one.run(|| caches[0].set("a", 1)).unwrap();
    other.run(|| caches[2].set("a", 5)).unwrap();
    assert_eq!(other.run(|| caches[1].get("a")), 1);
    one.run(|| caches[0].set("a", 2)).unwrap();
    hear(&processes);
    assert_eq!(other.run(|| caches[1].get("a")), 2);
    assert_eq!(other.run(|| caches[2].get("a")), 5);
}

/// Two keys that differ in a part which is not encoded.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
struct Partly {
    sent: u64,
    #[serde(skip)]
    kept: u64,
}

#[cacheback(shared, lifetime = 600, fetch_on_miss, skip(source))]
async fn of_partly(source: &Arc<Source>, key: Partly) -> u64 {
    let _ = key;
    source.number().await
}

/// There is nobody to ask about a key that stays in its process, and that is no reason to ask nobody about the others.
#[test]
fn a_key_that_is_not_shared_is_trusted_at_once() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    let alone = || Partly { sent: 1, kept: 1 };
    let shared = || Partly { sent: 2, kept: 0 };
    other.run(|| of_partly(&source, alone()));
    other.run(|| of_partly(&source, shared()));
    memory.disconnect();
    memory.reconnect();
    hear(&processes);
    assert_eq!(looked_up!(other, of_partly::entry(&source, alone())), (1, Status::Fresh, Local));
    one.run(|| of_partly::entry(&source, shared()).set(70)).unwrap();
    hear(&processes);
    assert_eq!(looked_up!(other, of_partly::entry(&source, shared())), (70, Status::Fresh, Shared));
}

#[cacheback(shared, lifetime = 600, cache_err = 600, fetch_on_miss, skip(source))]
async fn fails(source: &Arc<Source>) -> Result<u64, String> {
    source.run().await
}

#[test]
fn a_kept_error_gives_way_to_what_another_process_has_set() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    source.fail(true);
    for _ in 0..2 {
        other.run(|| fails(&source)).unwrap_err();
    }
    assert_eq!(source.runs(), 1);
    one.run(|| fails::entry(&source).set(70)).unwrap();
    hear(&processes);
    assert_eq!(other.run(|| fails(&source)), Ok(70));
}

/// A body is under way as another process sets a value, and fails. Its error is the answer to nobody who calls after that.
#[test]
fn an_error_from_before_a_change_is_not_kept() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::gated();
    source.fail(true);
    let early = {
        let source = Arc::clone(&source);
        one.spawn(async move { fails(&source).await })
    };
    other.run(|| fails::entry(&source).set(70)).unwrap();
    hear(&processes);
    source.release_all();
    assert_eq!(one.run(|| early).unwrap(), Err("run 1 failed".to_owned()));
    assert_eq!(looked_up!(one, fails::entry(&source)), (Ok(70), Status::Fresh, Shared));
    assert_eq!(source.runs(), 1);
}

/// A value that cannot be sent is removed there, and stands here: also after its own message, and after an outage.
#[test]
fn a_value_that_cannot_be_sent_is_not_lost_here() {
    let memory = cacheback::shared::Memory::new().max_value_bytes(100);
    let processes = [(); 1].map(|()| Process::new(|configure| configure.shared(memory.clone())));
    let [one] = &processes;
    let cache =
        one.run(|| async { Cache::<u64, Vec<u8>>::builder().name("large").shared().build().unwrap() });
    let length = || one.run(|| cache.get(&1)).len();
    one.run(|| cache.set(&1, vec![7; 1_000])).unwrap();
    hear(&processes);
    assert_eq!(length(), 1_000);
    memory.disconnect();
    memory.reconnect();
    hear(&processes);
    assert_eq!(length(), 1_000);
}

/// A value that another process has taken is not handed out once more.
#[test]
fn a_value_is_taken_by_one_process() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes);
    assert_eq!(one.run(|| waits::entry(&source, "a").take()), Some(1));
    hear(&processes);
    assert_eq!(other.run(|| waits::entry(&source, "a").take()), None);
}
