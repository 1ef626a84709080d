//! Changes that the tier could not be told of: nothing of them is lost.

use std::sync::Arc;

use cacheback::shared::{Memory, TierStatus};
use cacheback::{ErrorKind, Status, cacheback, shutdown};

use crate::fleet::{Process, fleet, hear, wait};
use crate::support::{Source, millis, secs};

use cacheback::Source::{Fetched, Local, Shared};

/// Waits on a miss.
#[cacheback(shared, lifetime = 600, fetch_on_miss, skip(source))]
async fn waits(source: &Arc<Source>, key: &str) -> u64 {
    let _ = key;
    source.number().await
}

/// A second function of the same tier.
#[cacheback(shared, lifetime = 600, fetch_on_miss, skip(source))]
async fn others(source: &Arc<Source>, key: &str) -> u64 {
    let _ = key;
    source.number().await
}

fn status(process: &Process) -> TierStatus {
    process.run(|| async { cacheback::shared::status().remove(0) })
}

/// Changes that wait, that were told late, that have yielded, and for which there was no room.
fn counts(process: &Process) -> (u64, u64, u64, u64) {
    let TierStatus { pending, recovered, yielded, overflowed, .. } = status(process);
    (pending, recovered, yielded, overflowed)
}

fn is_unreachable<T>(told: Result<T, cacheback::Error>) {
    assert_eq!(told.err().map(|error| error.kind()), Some(ErrorKind::Unreachable));
}

/// A third process, which has nothing in memory.
fn third(memory: &Memory) -> Process {
    Process::new(|configure| configure.shared(memory.clone()))
}

/// Both processes have the value of the first fetch of each key.
fn both_have(source: &Arc<Source>, processes: &[Process; 2], keys: &[&str]) {
    for key in keys {
        let first = processes[0].run(|| waits(source, key));
        assert_eq!(processes[1].run(|| waits(source, key)), first);
    }
}

#[test]
fn a_change_during_an_outage_is_delivered_after_it() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes, &["set", "removed", "invalidated", "untouched"]);
    memory.disconnect();
    wait(&processes, 2);
    let gated = Source::gated();
    is_unreachable(one.run(|| waits::entry(&source, "set").set(70)));
    is_unreachable(one.run(|| waits::entry(&source, "removed").remove()));
    is_unreachable(one.run(|| waits::entry(&gated, "invalidated").invalidate()));
    assert_eq!(counts(one), (3, 0, 0, 0));
    // They hold here at once.
    assert_eq!(looked_up!(one, waits::entry(&source, "set")), (70, Status::Fresh, Local));
    assert_eq!(one.run(|| waits::entry(&source, "removed").peek()), None);
    wait(&processes, 5);
    memory.reconnect();
    hear(&processes);
    // Nobody has called anything.
    assert_eq!(counts(one), (0, 3, 0, 0));
    let third = third(&memory);
    for process in [other, &third] {
        assert_eq!(looked_up!(process, waits::entry(&source, "set")), (70, Status::Fresh, Shared));
        let invalidated = process.run(|| waits::entry(&gated, "invalidated").peek()).unwrap();
        assert_eq!((invalidated.value, invalidated.fresh), (3, false));
        assert_eq!(process.run(|| waits::entry(&source, "removed").peek()), None);
    }
    assert_eq!(looked_up!(other, waits::entry(&source, "untouched")), (4, Status::Fresh, Local));
    assert_eq!(other.run(|| waits(&source, "removed")), 5);
    // Its age counts from the change.
    let age = third.run(|| waits::entry(&source, "set").lookup()).age.unwrap();
    assert!(age >= secs(5), "{age:?}");
}

/// Whoever changes a key and then reads it sees no older value, however soon after the outage.
#[test]
fn what_was_changed_is_told_before_the_key_is_read() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, _] = &processes;
    let source = Source::open();
    both_have(&source, &processes, &["a", "b"]);
    memory.disconnect();
    is_unreachable(one.run(|| waits::entry(&source, "a").remove()));
    is_unreachable(one.run(|| async { others::cache().clear().await }));
    let (peeked, [read, cleared]) = one.run(|| async {
        // The task that delivers has not run yet, and `peek` asks in the task of its caller.
        memory.reconnect();
        let peeked = waits::entry(&source, "a").peek().await;
        (peeked, [waits::entry(&source, "a").lookup().await, others::entry(&source, "b").lookup().await])
    });
    assert_eq!(peeked.map(|peeked| peeked.value), None);
    assert_eq!((read.value, read.source), (3, Fetched));
    assert_eq!((cleared.value, cleared.source), (4, Fetched));
    assert_eq!(counts(one), (0, 2, 0, 0));
}

/// Elsewhere: an answer that does not come is taken for a change that was not made, or for one that was.
#[test]
fn a_change_whose_answer_is_lost_is_delivered() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes, &["a"]);
    wait(&processes, 1);
    memory.hang();
    is_unreachable(one.run(|| waits::entry(&source, "a").set(70)));
    assert_eq!(counts(one).0, 1);
    // It tries again and again.
    wait(&processes, 30);
    assert_eq!(counts(one).0, 1);
    memory.reconnect();
    wait(&processes, 3);
    assert_eq!(counts(one), (0, 1, 0, 0));
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (70, Status::Fresh, Shared));
}

/// A process that was cut off longer than another one: its change is the older one, and does not come back.
#[test]
fn a_change_yields_to_a_later_one() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes, &["set", "removed", "invalidated"]);
    memory.disconnect();
    is_unreachable(one.run(|| waits::entry(&source, "set").set(70)));
    is_unreachable(one.run(|| waits::entry(&source, "removed").remove()));
    is_unreachable(one.run(|| waits::entry(&Source::gated(), "invalidated").invalidate()));
    wait(&processes, 5);
    for key in ["set", "removed", "invalidated"] {
        is_unreachable(other.run(|| waits::entry(&source, key).set(80)));
    }
    memory.reconnect();
    // The later changes come first.
    other.run(|| async {});
    assert_eq!(counts(other), (0, 3, 0, 0));
    hear(&processes);
    assert_eq!(counts(one), (0, 0, 3, 0));
    for key in ["set", "removed"] {
        for process in [one, other] {
            let (value, status, _) = looked_up!(process, waits::entry(&source, key));
            assert_eq!((value, status), (80, Status::Fresh), "{key}");
        }
    }
}

#[test]
fn the_order_of_changes_is_kept() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, _] = &processes;
    let source = Source::open();
    let gated = Source::gated();
    let entry = |key| waits::entry(&gated, key);
    one.run(|| entry("a").set(1)).unwrap();
    memory.disconnect();
    wait(&processes, 1);
    // The latest of each key stands.
    is_unreachable(one.run(|| entry("set, removed").set(70)));
    is_unreachable(one.run(|| entry("set, removed").remove()));
    is_unreachable(one.run(|| entry("removed, set").remove()));
    is_unreachable(one.run(|| entry("removed, set").set(71)));
    is_unreachable(one.run(|| entry("set, invalidated").set(72)));
    wait(&processes, 1);
    is_unreachable(one.run(|| entry("set, invalidated").invalidate()));
    is_unreachable(one.run(|| entry("set, cleared").set(73)));
    is_unreachable(one.run(|| async { waits::cache().clear().await }));
    is_unreachable(one.run(|| entry("cleared, set at once").set(75)));
    wait(&processes, 1);
    is_unreachable(one.run(|| entry("cleared, set").set(74)));
    wait(&processes, 1);
    memory.reconnect();
    hear(&processes);
    assert_eq!(counts(one).0, 0);
    let third = third(&memory);
    let there =
        |key| third.run(|| waits::entry(&source, key).peek()).map(|peeked| (peeked.value, peeked.fresh));
    assert_eq!(there("set, removed"), None);
    assert_eq!(there("removed, set"), None, "it was cleared");
    assert_eq!(there("set, cleared"), None);
    assert_eq!(there("cleared, set"), Some((74, true)));
    assert_eq!(there("cleared, set at once"), None, "which came first is not known to within a time-out");
    assert_eq!(there("a"), None);
}

#[test]
fn a_value_that_was_set_and_invalidated_during_an_outage_is_stale() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let gated = Source::gated();
    memory.disconnect();
    wait(&processes, 1);
    is_unreachable(one.run(|| waits::entry(&gated, "a").set(70)));
    wait(&processes, 2);
    is_unreachable(one.run(|| waits::entry(&gated, "a").invalidate()));
    memory.reconnect();
    hear(&processes);
    let there = other.run(|| waits::entry(&gated, "a").peek()).unwrap();
    assert_eq!((there.value, there.fresh), (70, false));
}

/// A change of a key that waits goes behind it, and is told with it.
#[test]
fn a_live_change_goes_behind_the_one_that_waits() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    memory.disconnect();
    wait(&processes, 1);
    is_unreachable(one.run(|| waits::entry(&source, "a").set(70)));
    wait(&processes, 1);
    let told = one.run(|| async {
        memory.reconnect();
        // The task that delivers has not run yet.
        waits::entry(&source, "a").set(71).await
    });
    assert!(told.is_ok());
    assert_eq!(counts(one).0, 0);
    hear(&processes);
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (71, Status::Fresh, Shared));
    assert_eq!(looked_up!(one, waits::entry(&source, "a")).0, 71);
}

/// The removal of a key that this process does not have is a removal all the same: another one has it.
#[test]
fn the_removal_of_an_absent_key_reaches_one_that_was_cut_off() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    assert_eq!(other.run(|| waits(&source, "a")), 1);
    memory.disconnect();
    wait(&processes, 1);
    is_unreachable(one.run(|| waits::entry(&source, "a").remove()));
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (1, Status::Fresh, Local), "nobody can know");
    memory.reconnect();
    hear(&processes);
    assert_eq!(looked_up!(other, waits::entry(&source, "a")), (2, Status::Fetched, Fetched));
}

/// The same if the tier does not have the key either: the other process has fetched it for itself, while it was cut off.
#[test]
fn the_change_of_a_key_that_is_absent_there_reaches_one_that_was_cut_off() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    memory.disconnect();
    let keys = ["removed", "invalidated", "untouched"];
    for (key, value) in keys.into_iter().zip(1..) {
        assert_eq!(looked_up!(other, waits::entry(&source, key)), (value, Status::Fetched, Fetched));
    }
    wait(&processes, 1);
    is_unreachable(one.run(|| waits::entry(&source, "removed").remove()));
    is_unreachable(one.run(|| waits::entry(&source, "invalidated").invalidate()));
    for (key, value) in keys.into_iter().zip(1..) {
        let seen = looked_up!(other, waits::entry(&source, key));
        assert_eq!(seen, (value, Status::Fresh, Local), "nobody can know");
    }
    wait(&processes, 1);
    memory.reconnect();
    hear(&processes);
    assert_eq!(counts(one), (0, 2, 0, 0));
    assert_eq!(other.run(|| waits::entry(&source, "removed").peek()), None);
    assert_eq!(looked_up!(other, waits::entry(&source, "removed")), (4, Status::Fetched, Fetched));
    assert_eq!(looked_up!(other, waits::entry(&source, "invalidated")), (5, Status::Fetched, Fetched));
    assert_eq!(looked_up!(other, waits::entry(&source, "untouched")), (3, Status::Fresh, Local));
}

/// A value that was fetched during the outage stands, unless something there was changed after its body began.
#[test]
fn a_value_of_the_outage_stands_if_nothing_was_changed_since() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    let keys = ["older", "newer", "removed before", "removed after", "cleared", "unknown"];
    for key in ["older", "newer", "removed before", "removed after"] {
        other.run(|| waits(&source, key));
    }
    other.run(|| waits::entry(&source, "removed before").remove()).unwrap();
    wait(&processes, 2);
    memory.disconnect();
    for key in keys {
        assert_eq!(looked_up!(one, waits::entry(&source, key)).1, Status::Fetched);
    }
    wait(&processes, 2);
    is_unreachable(other.run(|| waits::entry(&source, "newer").set(70)));
    is_unreachable(other.run(|| waits::entry(&source, "removed after").remove()));
    memory.reconnect();
    hear(&processes);
    hear(&processes);
    let runs = source.runs();
    // 1 to 4 were fetched before, and 5 to 10 meanwhile.
    assert_eq!(looked_up!(one, waits::entry(&source, "older")), (5, Status::Fresh, Local));
    assert_eq!(looked_up!(one, waits::entry(&source, "newer")), (70, Status::Fresh, Shared));
    assert_eq!(looked_up!(one, waits::entry(&source, "removed before")), (7, Status::Fresh, Local));
    assert_eq!(one.run(|| waits::entry(&source, "removed after").peek()), None);
    assert_eq!(looked_up!(one, waits::entry(&source, "unknown")), (10, Status::Fresh, Local));
    assert_eq!(source.runs(), runs);
    // What stands is a value of all from now on.
    hear(&processes);
    let third = third(&memory);
    for (key, value) in [("older", 5), ("removed before", 7)] {
        for process in [other, &third] {
            let (seen, status, _) = looked_up!(process, waits::entry(&source, key));
            assert_eq!((seen, status), (value, Status::Fresh), "{key}");
        }
    }
    assert_eq!(source.runs(), runs);
}

/// Too many keys for the queue: their function is made stale, or cleared.
#[test]
fn past_the_bound_nothing_is_dropped_silently() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes, &["a", "b"]);
    other.run(|| others(&source, "a"));
    memory.disconnect();
    wait(&processes, 1);
    is_unreachable(one.run(|| waits::entry(&source, "a").remove()));
    is_unreachable(one.run(|| others::entry(&source, "a").set(70)));
    one.run(|| async {
        for key in 0..9_999 {
            is_unreachable(waits::entry(&source, &key.to_string()).remove().await);
        }
    });
    let (pending, _, _, overflowed) = counts(one);
    assert_eq!((pending, overflowed), (2, 10_000));
    memory.reconnect();
    hear(&processes);
    assert_eq!(counts(one), (0, 2, 0, 10_000));
    assert_eq!(other.run(|| waits::entry(&source, "b").peek()), None);
    assert_eq!(looked_up!(other, others::entry(&source, "a")), (70, Status::Fresh, Shared));
}

/// The queue goes first, within the limit.
#[test]
fn a_shutdown_delivers_what_waits() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes, &["a", "b"]);
    wait(&processes, 1);
    memory.hang();
    is_unreachable(one.run(|| waits::entry(&source, "a").remove()));
    memory.reconnect();
    // At once, not after the pause between two attempts.
    let took = one.run(|| async {
        let began = tokio::time::Instant::now();
        shutdown(secs(10)).await;
        began.elapsed()
    });
    assert_eq!(counts(one).0, 0);
    assert!(took < secs(1), "{took:?}");
    hear(&processes);
    assert_eq!(other.run(|| waits::entry(&source, "a").peek()), None);
    // It waits for a tier that is down no longer than that.
    memory.disconnect();
    is_unreachable(other.run(|| waits::entry(&source, "b").remove()));
    let took = other.run(|| async {
        let began = tokio::time::Instant::now();
        shutdown(secs(10)).await;
        began.elapsed()
    });
    assert!((secs(10)..secs(11)).contains(&took), "{took:?}");
    assert_eq!(counts(other).0, 1);
}

/// A call that is dropped is one whose answer is not known.
#[test]
fn a_change_that_is_not_waited_for_is_not_lost() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    both_have(&source, &processes, &["a"]);
    wait(&processes, 1);
    memory.hang();
    one.run(|| async {
        let removing = waits::entry(&source, "a").remove();
        let _ = tokio::time::timeout(millis(10), removing).await;
    });
    memory.reconnect();
    // The attempt that was under way, and the next.
    for _ in 0..3 {
        wait(&processes, 1);
    }
    assert_eq!(counts(one), (0, 1, 0, 0));
    assert_eq!(other.run(|| waits::entry(&source, "a").peek()), None);
}

/// A value without a time to be stale in is not served as a stale one, whatever another process may have changed.
#[test]
fn a_doubted_value_is_not_served_if_stale_ones_are_not() {
    #[cacheback(shared, lifetime = 600, max_stale = 0, fetch_on_miss, skip(source))]
    async fn strict(source: &Arc<Source>, key: &str) -> u64 {
        let _ = key;
        source.number().await
    }
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    assert_eq!(one.run(|| strict(&source, "a")), 1);
    assert_eq!(other.run(|| strict(&source, "a")), 1);
    memory.hang();
    memory.reconnect();
    hear(&processes);
    // A look without an answer: for a second there are no others.
    memory.hang();
    other.run(|| strict::entry(&source, "a").lookup());
    memory.reconnect();
    one.run(|| strict::entry(&source, "a").set(70)).unwrap();
    hear(&processes);
    let (value, _, _) = looked_up!(other, strict::entry(&source, "a"));
    assert_eq!(value, 70);
}
