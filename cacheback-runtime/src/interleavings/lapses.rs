//! Fetches that outlast their claim, or are lost.

use std::time::Duration;

use super::explore;
use super::origin::{Act, EMPTY};
use super::stage::{Stage, TIMEOUT, join};
use crate::base::shims::tasks::{abort_all, advance};
use crate::executor::Settings;

/// They end in both orders. The value of the later claim stands, and both callers are answered.
#[test]
fn two_fetches_after_a_lapsed_claim() {
    explore(|| {
        let stage = Stage::new();
        stage.versions.act(&[Act::Hold, Act::Hold]);
        let first = stage.spawn(|stage| stage.refresh(1));
        stage.versions.await_begun(1);
        stage.versions.write(2);
        advance(TIMEOUT);
        let second = stage.spawn(|stage| stage.refresh(1));
        let gates = [1, 2].map(|_| stage.spawn(|stage| stage.versions.let_go()));
        let got = first.join().unwrap();
        // The caller of the lapsed fetch may also be answered by the later one.
        assert!(matches!(got, Ok(1 | 2)), "{got:?}");
        assert_eq!(second.join().unwrap(), Ok(2));
        join(gates);
        stage.settle();
        assert_eq!((stage.versions.runs(1), stage.version(1)), (2, Some(2)));
        stage.end(&[1]);
    });
}

/// The same, but the first fetch may end before the second claims, and the second may never claim.
#[test]
fn a_reader_comes_as_a_claim_lapses() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.versions.act(&[Act::Hold]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        stage.versions.write(2);
        let time = stage.spawn(|_| advance(TIMEOUT));
        let reader = stage.spawn(|stage| stage.get(1));
        let gate = stage.spawn(|stage| stage.versions.let_go());
        let got = reader.join().unwrap();
        assert!(matches!(got, Ok(1 | 2)), "{got:?}");
        time.join().unwrap();
        gate.join().unwrap();
        stage.settle();
        assert!(stage.version(1).is_some());
        stage.end(&[1]);
    });
}

/// A fetch whose claim has lapsed goes on for its last caller, and ends when that caller leaves.
#[test]
fn the_last_caller_leaves_as_a_claim_lapses() {
    explore(|| {
        let stage = Stage::new();
        stage.versions.act(&[Act::Hold]);
        let caller = stage.spawn(|stage| stage.get_and_leave(1));
        stage.versions.await_begun(1);
        advance(TIMEOUT);
        caller.join().unwrap();
        stage.settle();
        assert_eq!((stage.stats().timeouts, stage.version(1)), (1, None));
        stage.end(&[1]);
    });
}

/// A caller who has waited long enough is answered once, with the value or with the empty one.
#[test]
fn a_callers_wait_ends_as_the_flight_does() {
    explore(|| {
        let wait = Duration::from_secs(1);
        let stage = Stage::with(|policy| policy.wait = Some(wait), Settings::default());
        let caller = stage.spawn(|stage| stage.get(1));
        advance(wait);
        let got = caller.join().unwrap();
        assert!(matches!(got, Ok(EMPTY | 1)), "{got:?}");
        stage.settle();
        assert_eq!((stage.versions.runs(1), stage.version(1)), (1, Some(1)));
        stage.end(&[1]);
    });
}

/// The runtime of a fetch is dropped. No caller waits for ever, and no key stays held.
#[test]
fn a_fetch_is_lost_as_a_waiter_joins() {
    explore(|| {
        let stage = Stage::new();
        stage.versions.act(&[Act::Hold]);
        let leads = stage.spawn(|stage| stage.get(1));
        stage.versions.await_begun(1);
        let joins = stage.spawn(|stage| stage.get(1));
        abort_all();
        assert_eq!((leads.join().unwrap(), joins.join().unwrap()), (Ok(1), Ok(1)));
        stage.settle();
        assert_eq!((stage.versions.runs(1), stage.version(1)), (2, Some(1)));
        stage.end(&[1]);
    });
}

/// The same with a fetch that nobody waits for. Its key is free at once, long before the claim would lapse.
#[test]
fn a_refresh_is_lost_as_a_reader_comes() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.versions.act(&[Act::Hold, Act::Bring]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        let reader = stage.spawn(|stage| stage.get(1));
        abort_all();
        assert_eq!(reader.join().unwrap(), Ok(1));
        stage.end(&[1]);
    });
}
