//! Fetches that outlast their claim, or are lost.

use std::time::Duration;

use super::explore;
use super::stage::{Act, EMPTY, Stage, TIMEOUT, join};
use crate::base::shims::tasks::{abort_all, advance};
use crate::executor::Settings;

/// Both orders of their ends: the value of the later claim stands, and everybody is answered.
#[test]
fn two_fetches_after_a_lapsed_claim() {
    explore(|| {
        let stage = Stage::new();
        stage.source.act(&[Act::Hold, Act::Hold]);
        let first = stage.spawn(|stage| stage.refresh(1));
        stage.source.await_begun(1);
        stage.source.write(2);
        advance(TIMEOUT);
        let second = stage.spawn(|stage| stage.refresh(1));
        let gates = [1, 2].map(|_| stage.spawn(|stage| stage.source.let_go()));
        let got = first.join().unwrap();
        // Who waits for the one that has lapsed is also answered by the other.
        assert!(matches!(got, Ok(1 | 2)), "{got:?}");
        assert_eq!(second.join().unwrap(), Ok(2));
        join(gates);
        stage.rest();
        assert_eq!((stage.source.runs(1), stage.version(1)), (2, Some(2)));
        stage.end(&[1]);
    });
}

/// The same where the first one may have ended before the second claims, or never does.
#[test]
fn a_reader_comes_as_a_claim_lapses() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.source.act(&[Act::Hold]);
        let _ = stage.get(1);
        stage.source.await_begun(1);
        stage.source.write(2);
        let time = stage.spawn(|_| advance(TIMEOUT));
        let reader = stage.spawn(|stage| stage.get(1));
        let gate = stage.spawn(|stage| stage.source.let_go());
        let got = reader.join().unwrap();
        assert!(matches!(got, Ok(1 | 2)), "{got:?}");
        time.join().unwrap();
        gate.join().unwrap();
        stage.rest();
        assert!(stage.version(1).is_some());
        stage.end(&[1]);
    });
}

/// A fetch that has lapsed goes on for its last caller, and ends when that one leaves.
#[test]
fn the_last_caller_leaves_as_a_claim_lapses() {
    explore(|| {
        let stage = Stage::new();
        stage.source.act(&[Act::Hold]);
        let caller = stage.spawn(|stage| stage.get_and_leave(1));
        stage.source.await_begun(1);
        advance(TIMEOUT);
        caller.join().unwrap();
        stage.rest();
        assert_eq!((stage.stats().timeouts, stage.version(1)), (1, None));
        stage.end(&[1]);
    });
}

/// A caller who has waited long enough is answered once, with the value or with the empty one.
#[test]
fn a_callers_patience_ends_as_the_flight_lands() {
    explore(|| {
        let patience = Duration::from_secs(1);
        let stage = Stage::with(|policy| policy.wait = Some(patience), Settings::default());
        let caller = stage.spawn(|stage| stage.get(1));
        advance(patience);
        let got = caller.join().unwrap();
        assert!(matches!(got, Ok(EMPTY | 1)), "{got:?}");
        stage.rest();
        assert_eq!((stage.source.runs(1), stage.version(1)), (1, Some(1)));
        stage.end(&[1]);
    });
}

/// As where the runtime of a fetch is dropped: nobody is left waiting, and no key held.
#[test]
fn a_fetch_is_lost_as_a_waiter_joins() {
    explore(|| {
        let stage = Stage::new();
        stage.source.act(&[Act::Hold]);
        let leads = stage.spawn(|stage| stage.get(1));
        stage.source.await_begun(1);
        let joins = stage.spawn(|stage| stage.get(1));
        abort_all();
        assert_eq!((leads.join().unwrap(), joins.join().unwrap()), (Ok(1), Ok(1)));
        stage.rest();
        assert_eq!((stage.source.runs(1), stage.version(1)), (2, Some(1)));
        stage.end(&[1]);
    });
}

/// The same of a fetch that nobody waits for: its key is free at once, long before the claim would lapse.
#[test]
fn a_refresh_is_lost_as_a_reader_comes() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.source.act(&[Act::Hold, Act::Bring]);
        let _ = stage.get(1);
        stage.source.await_begun(1);
        let reader = stage.spawn(|stage| stage.get(1));
        abort_all();
        assert_eq!(reader.join().unwrap(), Ok(1));
        stage.end(&[1]);
    });
}
