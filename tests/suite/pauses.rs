//! `shared::pause()` and `resume()`: a process does without its tiers for a while.

use std::sync::Arc;

use cacheback::shared::{TierStatus, pause, resume};
use cacheback::{ErrorKind, Status, cacheback};

use crate::fleet::{Process, fleet, hear, wait};
use crate::support::Source;

use cacheback::Source::{Fetched, Local, Shared};

/// Waits on a miss.
#[cacheback(shared, lifetime = 600, fetch_on_miss, skip(source))]
async fn waits(source: &Arc<Source>, key: &str) -> u64 {
    let _ = key;
    source.number().await
}

fn status(process: &Process) -> TierStatus {
    process.run(|| async { cacheback::shared::status().remove(0) })
}

#[test]
fn a_paused_process_asks_no_tier_and_tells_it_afterwards() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    for key in ["kept", "set", "changed"] {
        let first = one.run(|| waits(&source, key));
        assert_eq!(other.run(|| waits(&source, key)), first);
    }
    // Far enough apart to be told from what comes next.
    wait(&processes, 2);
    one.run(|| async { pause() });
    assert_eq!(looked_up!(one, waits::entry(&source, "own")), (4, Status::Fetched, Fetched));
    let before = status(one);
    assert!(before.paused && before.connected && !status(other).paused);
    assert_eq!(looked_up!(one, waits::entry(&source, "kept")), (1, Status::Fresh, Local));
    let told = one.run(|| waits::entry(&source, "set").set(70));
    assert_eq!(told.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(looked_up!(one, waits::entry(&source, "set")), (70, Status::Fresh, Local));
    wait(&processes, 5);
    let after = status(one);
    assert_eq!((after.operations, after.pending), (before.operations, 1));
    // Messages arrive: the older value is not fresh, and nobody says what it is now.
    other.run(|| waits::entry(&source, "changed").set(80)).unwrap();
    hear(&processes);
    assert_eq!(looked_up!(one, waits::entry(&source, "own")), (4, Status::Fresh, Local));
    one.run(|| async { resume() });
    hear(&processes);
    // Nobody has called anything.
    let resumed = status(one);
    assert_eq!((resumed.paused, resumed.pending, resumed.recovered), (false, 0, 1));
    assert_eq!(looked_up!(other, waits::entry(&source, "set")), (70, Status::Fresh, Shared));
    assert_eq!(looked_up!(one, waits::entry(&source, "changed")), (80, Status::Fresh, Shared));
    assert_eq!(looked_up!(one, waits::entry(&source, "kept")).0, 1);
    assert_eq!(source.runs(), 4, "nothing is fetched anew");
}

/// A change of another process that was not heard of is noticed when the process goes on.
#[test]
fn all_values_are_looked_at_after_a_pause() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let source = Source::open();
    let first = one.run(|| waits(&source, "a"));
    assert_eq!(other.run(|| waits(&source, "a")), first);
    one.run(|| async { pause() });
    other.run(|| waits::entry(&source, "a").set(80)).unwrap();
    let lookup = one.run(|| async {
        // The task that hears of changes has not run yet.
        resume();
        waits::entry(&source, "a").lookup().await
    });
    assert_eq!((lookup.value, lookup.status, lookup.source), (80, Status::Fresh, Shared));
}

/// A fetch that began before the pause stores nothing, and holds no other process up.
#[test]
fn the_lease_of_a_paused_process_is_given_back() {
    let (_memory, processes @ [_, _]) = fleet();
    let [one, other] = &processes;
    let (gated, open) = (Source::gated(), Source::open());
    let fetched = one.run(|| async {
        let fetching = tokio::spawn({
            let gated = Arc::clone(&gated);
            async move { waits(&gated, "a").await }
        });
        gated.started(1).await;
        pause();
        gated.release_all();
        fetching.await.unwrap()
    });
    assert_eq!(fetched, 1);
    assert_eq!(looked_up!(one, waits::entry(&gated, "a")), (1, Status::Fresh, Local));
    assert_eq!(looked_up!(other, waits::entry(&open, "a")), (1, Status::Fetched, Fetched));
    assert_eq!(open.runs(), 1);
}
