//! Callers who come at the same time.

use super::origin::Act;
use super::stage::{Stage, join};
use super::{ON_PURPOSE, explore};

#[test]
fn two_readers_at_a_stale_entry() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.versions.write(2);
        let readers = [1, 2].map(|_| stage.spawn(|stage| stage.get(1)));
        for got in join(readers) {
            assert!(matches!(got, Ok(1 | 2)), "{got:?}");
        }
        stage.settle();
        assert_eq!((stage.versions.runs(1), stage.version(1)), (1, Some(2)));
        stage.end(&[1]);
    });
}

#[test]
fn three_callers_of_a_missing_entry() {
    explore(|| {
        let stage = Stage::new();
        let callers = [1, 2, 3].map(|_| stage.spawn(|stage| stage.get(1)));
        assert_eq!(join(callers), [Ok(1); 3]);
        stage.settle();
        assert_eq!((stage.versions.runs(1), stage.version(1)), (1, Some(1)));
        stage.end(&[1]);
    });
}

/// A caller who comes after the flight does not get its value, but has a fetch of its own.
#[test]
fn a_waiter_arrives_as_the_flight_ends() {
    explore(|| {
        let stage = Stage::new();
        let first = stage.spawn(|stage| stage.refresh(1));
        let second = stage.spawn(|stage| stage.refresh(1));
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (Ok(1), Ok(1)));
        let runs = stage.versions.runs(1);
        assert!((1..=2).contains(&runs) && stage.versions.most(1) == 1, "{runs} runs");
        stage.end(&[1]);
    });
}

/// The same with a fetch that nobody waited for when it ended: it has no copy of its value for a later caller.
#[test]
fn a_waiter_arrives_as_a_background_refresh_ends() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.versions.write(2);
        let _ = stage.get(1);
        let waits = stage.spawn(|stage| stage.refresh(1));
        assert_eq!(waits.join().unwrap(), Ok(2));
        let runs = stage.versions.runs(1);
        assert!((1..=2).contains(&runs) && stage.versions.most(1) == 1, "{runs} runs");
        stage.end(&[1]);
    });
}

#[test]
fn a_leader_panics_as_a_waiter_joins() {
    explore(|| {
        let stage = Stage::new();
        stage.versions.act(&[Act::Panic]);
        let callers = [1, 2].map(|_| stage.spawn(|stage| stage.try_get(1)));
        let got = join(callers);
        // A caller who joined panics too. A caller who came later has a fetch of its own; with its value it may be that
        // neither panics.
        let panicked = got.iter().filter(|got| got.as_ref().is_err_and(|why| why.contains(ON_PURPOSE)));
        let panicked = panicked.count();
        let fetched = got.iter().filter(|got| **got == Ok(Ok(1))).count();
        assert_eq!(panicked + fetched, 2, "{got:?}");
        assert_eq!(stage.versions.runs(1), if fetched == 0 { 1 } else { 2 });
        stage.end(&[1]);
    });
}

#[test]
fn a_leaders_fetch_fails_as_a_waiter_joins() {
    explore(|| {
        let stage = Stage::new();
        stage.versions.act(&[Act::Fail]);
        let callers = [1, 2].map(|_| stage.spawn(|stage| stage.get(1)));
        let got = join(callers);
        let failed = got.iter().filter(|got| got.is_err()).count();
        assert_eq!(stage.versions.runs(1), if failed == 2 { 1 } else { 2 });
        stage.end(&[1]);
    });
}

/// A caller who leaves cancels nothing for the others.
#[test]
fn a_leader_goes_away_as_a_waiter_joins() {
    explore(|| {
        let stage = Stage::new();
        let leaves = stage.spawn(|stage| stage.get_and_leave(1));
        let stays = stage.spawn(|stage| stage.get(1));
        leaves.join().unwrap();
        assert_eq!(stays.join().unwrap(), Ok(1));
        stage.settle();
        assert_eq!((stage.versions.runs(1), stage.version(1)), (1, Some(1)));
        stage.end(&[1]);
    });
}

/// A refresh that fails leaves the stale value, and a back-off that a concurrent reader respects.
#[test]
fn a_refresh_fails_as_a_reader_comes() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.versions.act(&[Act::Fail]);
        let readers = [1, 2].map(|_| stage.spawn(|stage| stage.get(1)));
        assert_eq!(join(readers), [Ok(1); 2]);
        stage.settle();
        assert_eq!((stage.versions.runs(1), stage.version(1)), (1, Some(1)));
        stage.end(&[1]);
    });
}
