//! The second tier: what a call does with it, row by row, in a fleet of processes. A process is a runtime with caches of
//! its own.

use std::sync::Arc;

use cacheback::shared::Memory;
use cacheback::{Cache, ErrorKind, Status, cacheback};

use crate::fleet::{Process, fleet, hear, wait};
use crate::support::{Source, run_ready, secs};

/// Waits on a miss.
#[cacheback(shared, lifetime = 10, max_stale = 100, fetch_on_miss, skip(source))]
async fn waits(source: &Arc<Source>, key: u64) -> u64 {
    let _ = key;
    source.number().await
}

/// Answers a miss with zero.
#[cacheback(shared, lifetime = 10, max_stale = 100, skip(source))]
async fn empty(source: &Arc<Source>, key: u64) -> u64 {
    let _ = key;
    source.number().await
}

#[cacheback(shared, lifetime = 10, max_stale = 100, fetch_on_miss, skip(source))]
async fn fails(source: &Arc<Source>, key: u64) -> Result<u64, String> {
    let _ = key;
    source.run().await
}

#[test]
fn a_value_that_one_process_has_fetched_is_a_value_of_all() {
    let (_memory, [one, other]) = fleet();
    let source = Source::open();
    assert_eq!(looked_up!(one, waits::entry(&source, 1)), (1, Status::Fetched, cacheback::Source::Fetched));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (1, Status::Fresh, cacheback::Source::Shared));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (1, Status::Fresh, cacheback::Source::Local));
    assert_eq!(source.runs(), 1);
    let stats = other.run(|| async { waits::cache().stats() });
    assert_eq!((stats.hits, stats.fetches, stats.shared_hits, stats.shared_misses), (2, 0, 1, 0));
    let stats = one.run(|| async { waits::cache().stats() });
    assert_eq!((stats.waited, stats.fetches, stats.shared_hits, stats.shared_misses), (1, 1, 0, 1));
}

/// The age is that since the start of the fetch, wherever it ran.
#[test]
fn a_value_is_as_old_in_every_process() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    one.run(|| waits(&source, 1));
    wait(&processes, 4);
    let lookup = other.run(|| waits::entry(&source, 1).lookup());
    assert_eq!((lookup.status, lookup.age.unwrap().as_secs()), (Status::Fresh, 4));
    wait(&processes, 5);
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (1, Status::Fresh, cacheback::Source::Local));
    wait(&processes, 1);
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (1, Status::Stale, cacheback::Source::Local));
}

#[test]
fn missing_here_and_stale_there_is_served_and_refreshed_once() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    one.run(|| waits(&source, 1));
    wait(&processes, 20);
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (1, Status::Stale, cacheback::Source::Shared));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (2, Status::Fresh, cacheback::Source::Local));
    // Stale here, and newer there: it is taken over, and no body runs.
    assert_eq!(looked_up!(one, waits::entry(&source, 1)), (1, Status::Stale, cacheback::Source::Local));
    assert_eq!(looked_up!(one, waits::entry(&source, 1)), (2, Status::Fresh, cacheback::Source::Local));
    assert_eq!(source.runs(), 2);
}

/// A value is newer there than the one that is here, and stale as well. It is served from then on, whoever fetches the next
/// one, and however long that takes.
#[test]
fn stale_here_and_stale_there_but_newer() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::gated();
    source.release(1);
    one.run(|| waits(&source, 1));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (1, Status::Fresh, cacheback::Source::Shared));
    wait(&processes, 20);
    source.release(2);
    one.run(|| waits(&source, 1));
    wait(&processes, 20);
    // The third body does not end.
    assert_eq!(looked_up!(one, waits::entry(&source, 1)), (2, Status::Stale, cacheback::Source::Local));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (1, Status::Stale, cacheback::Source::Local));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (2, Status::Stale, cacheback::Source::Local));
    assert_eq!(other.run(|| async { waits::cache().stats() }).shared_hits, 2);
    source.release(3);
    hear(&processes);
    other.run(|| waits(&source, 1));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (3, Status::Fresh, cacheback::Source::Local));
    assert_eq!(source.runs(), 3);
}

/// The same if the fetch of this process fails.
#[test]
fn stale_here_and_stale_there_but_newer_as_the_body_fails() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    for process in &processes {
        assert_eq!(process.run(|| fails(&source, 1)), Ok(1));
    }
    wait(&processes, 20);
    one.run(|| fails(&source, 1)).unwrap();
    wait(&processes, 20);
    source.fail(true);
    assert_eq!(other.run(|| fails(&source, 1)), Ok(1));
    assert_eq!(looked_up!(other, fails::entry(&source, 1)), (Ok(2), Status::Stale, cacheback::Source::Local));
    assert_eq!(source.runs(), 3);
}

#[test]
fn missing_everywhere_is_empty_after_a_look() {
    let (_memory, [one, other]) = fleet();
    let source = Source::open();
    assert_eq!(looked_up!(one, empty::entry(&source, 1)), (0, Status::Empty, cacheback::Source::Empty));
    assert_eq!(looked_up!(one, empty::entry(&source, 1)), (1, Status::Fresh, cacheback::Source::Local));
    assert_eq!(looked_up!(other, empty::entry(&source, 1)), (1, Status::Fresh, cacheback::Source::Shared));
    assert_eq!(source.runs(), 1);
}

#[test]
fn many_callers_look_once() {
    let (_memory, [one, other]) = fleet();
    let source = Source::open();
    one.run(|| waits(&source, 1));
    let callers: Vec<_> = other.run(|| async {
        let call = || {
            let source = Arc::clone(&source);
            tokio::spawn(async move { waits::entry(&source, 1).lookup().await })
        };
        (0..10_000).map(|_| call()).collect()
    });
    for caller in callers {
        assert_eq!(other.run(|| caller).unwrap().value, 1);
    }
    let stats = other.run(|| async { waits::cache().stats() });
    assert_eq!((stats.shared_hits, stats.fetches, source.runs()), (1, 0, 1));
}

#[test]
fn whoever_waits_waits_for_the_fetch_of_another_process() {
    let (_memory, [one, other]) = fleet();
    let source = Source::gated();
    let fetching = one.spawn({
        let source = Arc::clone(&source);
        async move { waits(&source, 1).await }
    });
    let waiting = other.spawn({
        let source = Arc::clone(&source);
        async move { waits::entry(&source, 1).lookup().await }
    });
    source.release_all();
    assert_eq!(one.run(|| fetching).unwrap(), 1);
    // The clock of the other process moves to its next look.
    let lookup = other.run(|| waiting).unwrap();
    assert_eq!((lookup.value, lookup.source, source.runs()), (1, cacheback::Source::Shared, 1));
}

#[test]
fn whoever_does_not_wait_is_answered_at_once_and_takes_the_value_over_later() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::gated();
    assert_eq!(one.run(|| empty(&source, 1)), 0);
    assert_eq!(source.runs(), 1);
    assert_eq!(other.run(|| empty(&source, 1)), 0);
    assert_eq!(other.run(|| empty(&source, 1)), 0);
    assert_eq!(source.runs(), 1, "one process fetches");
    source.release_all();
    one.run(run_ready);
    assert_eq!(looked_up!(other, empty::entry(&source, 1)), (1, Status::Fresh, cacheback::Source::Shared));
    // The same for a stale value.
    wait(&processes, 20);
    assert_eq!(looked_up!(other, empty::entry(&source, 1)), (1, Status::Stale, cacheback::Source::Local));
    assert_eq!(looked_up!(one, empty::entry(&source, 1)), (1, Status::Stale, cacheback::Source::Local));
    assert_eq!(looked_up!(one, empty::entry(&source, 1)), (2, Status::Fresh, cacheback::Source::Local));
    assert_eq!(source.runs(), 2);
}

/// A failed fetch turns its lease into a back-off of the whole fleet.
#[test]
fn a_failure_keeps_the_other_processes_off() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    one.run(|| fails(&source, 1)).unwrap();
    other.run(|| fails(&source, 1)).unwrap();
    wait(&processes, 20);
    source.fail(true);
    assert_eq!(one.run(|| fails(&source, 1)), Ok(1));
    assert_eq!(source.runs(), 2);
    for _ in 0..10 {
        assert_eq!(other.run(|| fails(&source, 1)), Ok(1), "the stale value");
    }
    assert_eq!(source.runs(), 2, "the other process keeps off");
    wait(&processes, 2);
    source.fail(false);
    assert_eq!(other.run(|| fails(&source, 1)), Ok(1));
    assert_eq!((other.run(|| fails(&source, 1)), source.runs()), (Ok(3), 3));
}

#[test]
fn whoever_has_nothing_else_fetches_during_the_back_off_of_another_process() {
    let (_memory, [one, other]) = fleet();
    let source = Source::open();
    source.fail(true);
    assert_eq!(one.run(|| fails(&source, 1)), Err("run 1 failed".to_owned()));
    source.fail(false);
    assert_eq!(other.run(|| fails(&source, 1)), Ok(2));
    // What it brings is stored.
    assert_eq!(looked_up!(one, fails::entry(&source, 1)), (Ok(2), Status::Fresh, cacheback::Source::Shared));
}

#[test]
fn a_write_holds_for_all_that_have_no_value_yet() {
    let (_memory, [one, two, three]) = fleet();
    let source = Source::open();
    one.run(|| waits::entry(&source, 1).set(70)).unwrap();
    assert_eq!(looked_up!(two, waits::entry(&source, 1)), (70, Status::Fresh, cacheback::Source::Shared));
    one.run(|| waits::entry(&source, 1).remove()).unwrap();
    assert_eq!(three.run(|| waits::entry(&source, 1).peek()), None);
    assert_eq!(looked_up!(three, waits::entry(&source, 1)), (1, Status::Fetched, cacheback::Source::Fetched));
    // `clear` too, and what is fetched after it is a value of all again.
    one.run(|| async { waits::cache().clear().await }).unwrap();
    assert_eq!(looked_up!(one, waits::entry(&source, 1)), (2, Status::Fetched, cacheback::Source::Fetched));
    let four = three;
    assert_eq!(four.run(|| waits::entry(&source, 1).remove()), Ok(()));
    assert_eq!(four.run(|| waits(&source, 1)), 3);
    assert_eq!(source.runs(), 3);
}

#[test]
fn an_invalidated_value_is_stale_in_every_process_that_reads_it_there() {
    let (_memory, [one, other]) = fleet();
    let source = Source::gated();
    one.run(|| waits::entry(&source, 1).set(70)).unwrap();
    one.run(|| waits::entry(&source, 1).invalidate()).unwrap();
    assert_eq!(source.runs(), 1, "it starts one refresh");
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (70, Status::Stale, cacheback::Source::Shared));
    assert_eq!(source.runs(), 1, "and another process starts none beside it");
    source.release_all();
    one.run(run_ready);
    assert_eq!(looked_up!(one, waits::entry(&source, 1)), (1, Status::Fresh, cacheback::Source::Local));
    // All of them.
    one.run(|| waits::entry(&source, 2).set(71)).unwrap();
    one.run(|| async { waits::cache().invalidate().await }).unwrap();
    assert_eq!(looked_up!(other, waits::entry(&source, 2)), (71, Status::Stale, cacheback::Source::Shared));
    assert_eq!(looked_up!(other, waits::entry(&source, 2)), (2, Status::Fresh, cacheback::Source::Local));
}

/// A `set` in one process during the fetch of another is never overwritten by it.
#[test]
fn a_fetch_never_overwrites_the_write_of_another_process() {
    let writes: [fn(&Process, &Arc<Source>); 3] = [
        |process, source| process.run(|| waits::entry(source, 1).set(70)).unwrap(),
        |process, source| process.run(|| waits::entry(source, 1).remove()).unwrap(),
        |process, _| process.run(|| async { waits::cache().clear().await }).unwrap(),
    ];
    for (write, there) in writes.into_iter().zip([Some(70), None, None]) {
        let (_memory, [one, other, third]) = fleet();
        let source = Source::gated();
        let fetching = one.spawn({
            let source = Arc::clone(&source);
            async move { waits(&source, 1).await }
        });
        assert_eq!(source.runs(), 1);
        write(&other, &source);
        source.release_all();
        assert_eq!(one.run(|| fetching).unwrap(), 1, "whoever waited is answered");
        let stats = one.run(|| async { waits::cache().stats() });
        assert_eq!((stats.discarded, stats.entries), (1, 0));
        let peeked = third.run(|| waits::entry(&source, 1).peek());
        assert_eq!(peeked.map(|peeked| peeked.value), there);
    }
}

#[test]
fn a_fetch_that_dies_with_its_process_lets_another_fetch_at_once() {
    let (_memory, [one, other]) = fleet();
    let source = Source::gated();
    assert_eq!(one.run(|| empty(&source, 1)), 0);
    assert_eq!(source.runs(), 1);
    drop(one);
    assert_eq!(other.run(|| empty(&source, 1)), 0);
    assert_eq!(source.runs(), 2);
}

/// Without an answer of the tier, everything is as in a function that is not shared.
#[test]
fn a_tier_that_is_down_is_no_outage() {
    let (memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    one.run(|| waits(&source, 1));
    memory.disconnect();
    assert_eq!(looked_up!(one, waits::entry(&source, 1)), (1, Status::Fresh, cacheback::Source::Local));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (2, Status::Fetched, cacheback::Source::Fetched));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (2, Status::Fresh, cacheback::Source::Local));
    wait(&processes, 20);
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (2, Status::Stale, cacheback::Source::Local));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (3, Status::Fresh, cacheback::Source::Local));
    assert_eq!(other.run(|| waits::entry(&source, 9).peek()), None);
    // A write holds here, and says that it does not hold there.
    let unreachable =
        |told: Result<(), cacheback::Error>| assert_eq!(told.unwrap_err().kind(), ErrorKind::Unreachable);
    unreachable(other.run(|| waits::entry(&source, 1).set(70)));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (70, Status::Fresh, cacheback::Source::Local));
    unreachable(other.run(|| waits::entry(&source, 1).invalidate()));
    unreachable(other.run(|| waits::entry(&source, 1).remove()));
    assert_eq!(other.run(|| waits::entry(&source, 1).peek()), None);
    unreachable(other.run(|| async { waits::cache().invalidate().await }));
    unreachable(other.run(|| async { waits::cache().clear().await }));
    memory.reconnect();
    hear(&processes);
    assert_eq!(other.run(|| waits::entry(&source, 2).set(71)), Ok(()));
    assert_eq!(looked_up!(one, waits::entry(&source, 2)), (71, Status::Fresh, cacheback::Source::Shared));
}

#[test]
fn peek_looks_there_and_changes_nothing() {
    let (_memory, [one, other]) = fleet();
    let source = Source::open();
    one.run(|| waits(&source, 1));
    for _ in 0..2 {
        let peeked = other.run(|| waits::entry(&source, 1).peek()).unwrap();
        assert_eq!((peeked.value, peeked.fresh, peeked.source), (1, true, cacheback::Source::Shared));
    }
    assert_eq!(other.run(|| async { waits::cache().len() }), 0);
    assert_eq!(other.run(|| async { waits::cache().stats() }), Default::default());
    assert_eq!(one.run(|| waits::entry(&source, 1).peek()).unwrap().source, cacheback::Source::Local);
    // `take` takes it from there.
    assert_eq!(other.run(|| waits::entry(&source, 1).take()), Some(1));
    assert_eq!(other.run(|| waits::entry(&source, 1).peek()), None);
    assert_eq!(other.run(|| waits::entry(&source, 1).take()), None);
}

mod versions {
    use super::*;

    #[cacheback(shared, name = "versions", version = 1, fetch_on_miss, skip(source))]
    pub(super) async fn first(source: &Arc<Source>) -> u64 {
        source.number().await
    }
    #[cacheback(shared, name = "versions", version = 2, fetch_on_miss, skip(source))]
    pub(super) async fn second(source: &Arc<Source>) -> u64 {
        source.number().await
    }
    #[cacheback(shared, name = "versions", version = 1, fetch_on_miss, skip(source))]
    pub(super) async fn retyped(source: &Arc<Source>) -> String {
        source.number().await.to_string()
    }
}

/// A value of another version, or of another type, counts as missing, and is replaced.
#[test]
fn a_new_version_forgets_the_entries_of_the_old() {
    let (_memory, [one, two, three, four]) = fleet();
    let source = Source::open();
    assert_eq!(one.run(|| versions::first(&source)), 1);
    assert_eq!(two.run(|| versions::second(&source)), 2);
    assert_eq!(three.run(|| versions::retyped(&source)), "3");
    assert_eq!(four.run(|| versions::second(&source)), 4);
    assert_eq!(one.run(|| versions::first(&source)), 1, "what a process has stays there");
}

#[cacheback(shared = "sessions", fetch_on_miss, skip(source))]
async fn of_sessions(source: &Arc<Source>, key: u64) -> u64 {
    let _ = key;
    source.number().await
}

#[test]
fn several_tiers_have_aliases() {
    let (memory, sessions) = (Memory::new(), Memory::new());
    let process =
        || Process::new(|configure| configure.shared(memory.clone()).shared_as("sessions", sessions.clone()));
    let (one, other, source) = (process(), process(), Source::open());
    one.run(|| of_sessions(&source, 1));
    one.run(|| waits(&source, 1));
    memory.disconnect();
    assert_eq!(other.run(|| of_sessions(&source, 1)), 1);
    assert_eq!(other.run(|| waits(&source, 1)), 3);
}

/// A shared function without its tier works in its process.
#[test]
fn without_its_tier_a_function_works_alone() {
    let (one, other) = (Process::new(|configure| configure), Process::new(|configure| configure));
    let source = Source::open();
    assert_eq!((one.run(|| waits(&source, 1)), one.run(|| waits(&source, 1))), (1, 1));
    assert_eq!(
        (other.run(|| waits(&source, 1)), other.run(|| waits::entry(&source, 1).set(70))),
        (2, Ok(()))
    );
}

#[test]
fn two_tiers_of_one_alias_are_refused() {
    let process = Process::new(|configure| configure);
    let _ = &process;
    let error = cacheback::configure().shared(Memory::new()).shared(Memory::new()).apply().unwrap_err();
    assert_eq!(error.to_string(), "`shared(..)` was called twice: each second tier has an alias of its own");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[cacheback(shared, capacity = 0, fetch_on_miss, skip(source))]
async fn kept_there_alone(source: &Arc<Source>) -> u64 {
    source.number().await
}

#[test]
fn a_value_that_is_not_kept_here_is_served_from_there() {
    let (_memory, [one, other]) = fleet();
    let source = Source::open();
    assert_eq!(one.run(|| kept_there_alone(&source)), 1);
    for process in [&one, &other] {
        assert_eq!(
            looked_up!(process, kept_there_alone::entry(&source)),
            (1, Status::Fresh, cacheback::Source::Shared)
        );
    }
}

#[cacheback(shared, lifetime_for = |value: &u64| secs(*value % 2 * 10), fetch_on_miss, skip(source))]
async fn odd_alone(source: &Arc<Source>) -> u64 {
    source.number().await
}

/// The value's own lifetime is its lifetime everywhere, and a value that is not to be stored is not stored there either.
#[test]
fn a_value_has_its_own_lifetime_in_every_process() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    assert_eq!(one.run(|| odd_alone(&source)), 1);
    wait(&processes, 9);
    assert_eq!(looked_up!(other, odd_alone::entry(&source)), (1, Status::Fresh, cacheback::Source::Shared));
    wait(&processes, 2);
    assert_eq!(one.run(|| odd_alone::entry(&source).refresh()), 2);
    assert_eq!(one.run(|| odd_alone::entry(&source).peek()), None);
    assert_eq!(other.run(|| odd_alone(&source)), 1, "what a process has is stale there");
}

#[test]
fn an_object_is_shared_by_its_name() {
    let (_memory, [one, other]) = fleet();
    let source = Source::open();
    let cache = || {
        let source = Arc::clone(&source);
        let fetcher = move |_: u64| {
            let source = Arc::clone(&source);
            async move { source.number().await }
        };
        Cache::builder().name("users").shared().fetch_on_miss().fetcher(fetcher).build().unwrap()
    };
    let (here, there) = one.run(|| async { (cache(), cache()) });
    assert_eq!(one.run(|| here.get(&1)), 1);
    assert_eq!(other.run(|| there.get(&1)), 1);
    one.run(|| here.clear()).unwrap();
    assert_eq!(one.run(|| here.get(&1)), 2);
    let nameless = Cache::<u64, u64>::builder().shared().build().unwrap_err();
    assert!(nameless.to_string().contains("`name`"), "{nameless}");
}

/// Two keys that differ in a part which is not encoded.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
struct Partly {
    sent: u64,
    #[serde(skip)]
    kept: u64,
}

#[cacheback(shared, fetch_on_miss, skip(source))]
async fn of_partly(source: &Arc<Source>, key: Partly) -> u64 {
    let _ = key;
    source.number().await
}

/// Otherwise one key would be given the value of the other.
#[test]
fn a_key_that_is_not_encoded_whole_stays_in_its_process() {
    let (_memory, [one, other]) = fleet();
    let source = Source::open();
    assert_eq!(one.run(|| of_partly(&source, Partly { sent: 1, kept: 1 })), 1);
    assert_eq!(other.run(|| of_partly(&source, Partly { sent: 1, kept: 2 })), 2);
    assert_eq!(other.run(|| of_partly(&source, Partly { sent: 1, kept: 1 })), 3);
    assert_eq!(one.run(|| of_partly::entry(&source, Partly { sent: 1, kept: 1 }).set(70)), Ok(()));
    // A key that is whole is shared.
    assert_eq!(one.run(|| of_partly(&source, Partly { sent: 1, kept: 0 })), 4);
    assert_eq!(other.run(|| of_partly(&source, Partly { sent: 1, kept: 0 })), 4);
}

/// A value whose `Serialize` does as it is told.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
struct Stubborn(String);

impl serde::Serialize for Stubborn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            "panics" => panic!("in Serialize"),
            "fails" => Err(serde::ser::Error::custom("not this one")),
            text => serializer.serialize_newtype_struct("Stubborn", text),
        }
    }
}

#[cacheback(shared, fetch_on_miss, skip(source))]
async fn stubborn(source: &Arc<Source>, text: &str) -> Stubborn {
    source.number().await;
    Stubborn(text.to_owned())
}

#[test]
fn a_value_that_cannot_be_sent_stays_in_its_process() {
    let memory = Memory::new().max_value_bytes(100);
    let [one, other] = [(); 2].map(|()| Process::new(|configure| configure.shared(memory.clone())));
    let source = Source::open();
    let long = "x".repeat(200);
    for (text, runs) in [("panics", 2), ("fails", 2), (&*long, 2), ("sends", 1)] {
        let before = source.runs();
        for process in [&one, &other, &one] {
            assert_eq!(process.run(|| stubborn(&source, text)).0, text);
        }
        assert_eq!(source.runs() - before, runs, "{text}");
    }
    let stats = one.run(|| async { stubborn::cache().stats() });
    assert_eq!((stats.unshared_not_encodable, stats.unshared_too_long), (2, 1));
    // Nor is an older value of the key left there.
    one.run(|| stubborn::entry(&source, "sends").set(Stubborn("fails".to_owned()))).unwrap();
    assert_eq!(one.run(|| stubborn(&source, "sends")).0, "fails");
    let third = Process::new(|configure| configure.shared(memory.clone()));
    assert_eq!(third.run(|| stubborn::entry(&source, "sends").peek()), None);
}

/// Who has fetched a value keeps it as long as its `retention` says, and all others lose it with the tier.
#[test]
fn a_value_is_gone_at_the_age_that_the_tier_was_given() {
    let memory = Memory::new().max_age("50s");
    let processes @ [_, _, _] = [(); 3].map(|()| Process::new(|configure| configure.shared(memory.clone())));
    let [one, other, third] = &processes;
    // The refreshes end in no time.
    let source = Source::gated();
    source.release(1);
    one.run(|| waits(&source, 1));
    wait(&processes, 40);
    assert_eq!(third.run(|| waits::entry(&source, 1).peek()).unwrap().age, secs(40));
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (1, Status::Stale, cacheback::Source::Shared));
    wait(&processes, 10);
    assert!(third.run(|| waits::entry(&source, 1).peek()).is_none());
    assert!(other.run(|| waits::entry(&source, 1).peek()).is_none());
    let here = one.run(|| waits::entry(&source, 1).peek()).unwrap();
    assert_eq!((here.value, here.age), (1, secs(50)));
}

/// A change of it would leave no trace that lasts as long as others may have it.
#[test]
fn a_value_stays_in_the_tier_for_its_lifetime() {
    let memory = Memory::new().max_age("1s");
    let processes @ [_, _] = [(); 2].map(|()| Process::new(|configure| configure.shared(memory.clone())));
    let [one, other] = &processes;
    let source = Source::open();
    one.run(|| waits(&source, 1));
    wait(&processes, 9);
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (1, Status::Fresh, cacheback::Source::Shared));
    wait(&processes, 1);
    assert!(other.run(|| waits::entry(&source, 1).peek()).is_none());
}

/// Nobody waits for the tier longer than its time-out for each operation: a look and a lease.
#[test]
fn a_tier_that_does_not_answer_costs_its_time_outs() {
    let (memory, [one, other]) = fleet();
    let source = Source::open();
    one.run(|| waits(&source, 1));
    memory.hang();
    let called = |process: &Process, key| {
        process.run(|| async {
            let called = tokio::time::Instant::now();
            let lookup = waits::entry(&source, key).lookup().await;
            (lookup.value, lookup.status, called.elapsed().as_millis())
        })
    };
    assert_eq!(called(&one, 1), (1, Status::Fresh, 0));
    let (value, status, took) = called(&other, 1);
    assert_eq!((value, status), (2, Status::Fetched));
    assert!((200..=202).contains(&took), "{took} ms");
    let stats = other.run(|| async { waits::cache().stats() });
    assert_eq!((stats.shared_errors, stats.fetches), (2, 1));
}

/// A refresh that is asked for takes no older value of another process.
#[test]
fn refresh_runs_the_body() {
    let (_memory, [one, other]) = fleet();
    let source = Source::open();
    one.run(|| waits(&source, 1));
    assert_eq!(other.run(|| waits::entry(&source, 1).refresh()), 2);
    assert_eq!(one.run(|| waits::entry(&source, 1).refresh()), 3);
    assert_eq!(looked_up!(other, waits::entry(&source, 1)), (2, Status::Fresh, cacheback::Source::Local));
}

/// It may join a fetch that takes over the value of another process, which was fetched before anybody asked for a refresh.
#[test]
fn a_refresh_that_joins_a_take_over_runs_the_body() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    other.run(|| waits(&source, 1));
    wait(&processes, 20);
    assert_eq!(one.run(|| waits::entry(&source, 1).refresh()), 2);
    let (served, refreshed) = other.run(|| async {
        // The stale value, and a refresh that would find the value of the first process.
        let served = waits(&source, 1).await;
        (served, waits::entry(&source, 1).refresh().await)
    });
    assert_eq!((served, refreshed), (1, 3));
}

#[cacheback(shared, lifetime = 10, refresh_ahead = 4, fetch_on_miss, skip(source))]
async fn ahead(source: &Arc<Source>, key: u64) -> u64 {
    let _ = key;
    source.number().await
}

#[test]
fn a_refresh_ahead_of_time_is_one_in_the_fleet() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    one.run(|| ahead(&source, 1));
    other.run(|| ahead(&source, 1));
    wait(&processes, 7);
    assert_eq!((one.run(|| ahead(&source, 1)), source.runs()), (1, 2));
    assert_eq!((other.run(|| ahead(&source, 1)), source.runs()), (1, 2));
    assert_eq!((other.run(|| ahead(&source, 1)), source.runs()), (2, 2));
}

/// One function, as two releases of a service have it.
mod releases {
    use super::*;

    #[cacheback(shared, name = "releases", lifetime = 600, fetch_on_miss, skip(source))]
    pub(super) async fn older(source: &Arc<Source>) -> u64 {
        source.number().await
    }
    #[cacheback(shared, name = "releases", lifetime = 5, retention = 10, fetch_on_miss, skip(source))]
    pub(super) async fn stricter(source: &Arc<Source>) -> u64 {
        source.number().await
    }
    #[cacheback(shared, name = "releases", max_bytes = 10, weigh = |_: &u64| 100_u64, fetch_on_miss, skip(source))]
    pub(super) async fn smaller(source: &Arc<Source>) -> u64 {
        source.number().await
    }
}

#[test]
fn a_value_that_is_fresh_there_and_gone_here_is_fetched() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    assert_eq!(one.run(|| releases::older(&source)), 1);
    wait(&processes, 60);
    assert_eq!(other.run(|| releases::stricter(&source)), 2);
}

#[test]
fn a_value_that_is_too_heavy_here_is_served_from_there() {
    let (_memory, [one, other]) = fleet();
    let source = Source::open();
    assert_eq!(one.run(|| releases::older(&source)), 1);
    let lookup = looked_up!(other, releases::smaller::entry(&source));
    assert_eq!(lookup, (1, Status::Fresh, cacheback::Source::Shared));
    assert_eq!(other.run(|| async { releases::smaller::cache().len() }), 0);
}

#[cacheback(shared, refresh_timeout = 5, fetch_on_miss, skip(source))]
async fn hangs(source: &Arc<Source>) -> u64 {
    source.number().await
}

/// Its claim lapses in the whole fleet, although a caller still waits for it.
#[test]
fn a_body_that_hangs_keeps_nobody_else_off() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::gated();
    let call = || {
        let source = Arc::clone(&source);
        async move { hangs(&source).await }
    };
    let hanging = one.spawn(call());
    assert_eq!(source.runs(), 1);
    wait(&processes, 6);
    let waiting = other.spawn(call());
    assert_eq!(source.runs(), 2);
    source.release(2);
    assert_eq!(other.run(|| waiting).unwrap(), 2);
    // It is answered when it ends, and its value is stored nowhere.
    source.release_all();
    assert_eq!(one.run(|| hanging).unwrap(), 1);
    assert_eq!(one.run(|| hangs(&source)), 2);
}
