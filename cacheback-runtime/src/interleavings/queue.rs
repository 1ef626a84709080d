//! Refreshes that wait for a place.

use super::explore;
use super::origin::Act;
use super::stage::{Stage, TIMEOUT, join};
use crate::base::shims::tasks::advance;
use crate::executor::Settings;

fn one_place() -> Stage {
    Stage::with(|_| {}, Settings { max_refreshes: 1, ..Settings::default() })
}

/// The refresh of key 1 frees its place as a caller joins the refresh of key 2, which is in the queue or will be.
#[test]
fn a_queued_refresh_is_taken_over_by_a_waiter() {
    explore(|| {
        let stage = one_place().stale(&[1, 2]);
        stage.versions.act(&[Act::Hold]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        stage.versions.write(2);
        let reader = stage.spawn(|stage| stage.get(2));
        let waiter = stage.spawn(|stage| stage.refresh(2));
        let gate = stage.spawn(|stage| stage.versions.let_go());
        assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
        assert_eq!(waiter.join().unwrap(), Ok(2));
        gate.join().unwrap();
        stage.settle();
        let runs = stage.versions.runs(2);
        assert!((1..=2).contains(&runs) && stage.versions.most(2) == 1, "{runs} runs");
        assert_eq!((stage.version(2), stage.stats().skipped), (Some(2), 0));
        stage.end(&[1, 2]);
    });
}

/// The same, but there is no free place until the waiters are answered.
#[test]
fn a_waiter_needs_no_place() {
    explore(|| {
        let stage = one_place().stale(&[1, 2]);
        stage.versions.act(&[Act::Hold]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        stage.versions.write(2);
        let reader = stage.spawn(|stage| stage.get(2));
        let waiters = [1, 2].map(|_| stage.spawn(|stage| stage.refresh(2)));
        assert_eq!(join(waiters), [Ok(2); 2]);
        reader.join().unwrap().unwrap();
        stage.versions.let_go();
        stage.settle();
        assert_eq!(stage.versions.most(2), 1);
        stage.end(&[1, 2]);
    });
}

#[test]
fn every_place_is_given_to_the_next() {
    explore(|| {
        let stage = one_place().stale(&[1, 2, 3]);
        stage.versions.write(2);
        let readers = [1, 2, 3].map(|key| stage.spawn(move |stage| stage.get(key)));
        assert_eq!(join(readers), [Ok(1); 3]);
        stage.settle();
        assert_eq!([1, 2, 3].map(|key| stage.version(key)), [Some(2); 3]);
        assert_eq!([1, 2, 3].map(|key| stage.versions.runs(key)), [1; 3]);
        stage.end(&[1, 2, 3]);
    });
}

/// A refresh that a caller joins gives its place to the next one at once, however early the caller joins.
#[test]
fn a_place_is_given_back_as_a_waiter_joins() {
    explore(|| {
        let stage = one_place().stale(&[1, 2]);
        stage.versions.act(&[Act::Hold]);
        let reader = stage.spawn(|stage| stage.get(1));
        let waiter = stage.spawn(|stage| stage.refresh(1));
        stage.versions.await_begun(1);
        let _ = stage.get(2);
        // Without a free place this would wait for ever.
        stage.versions.await_begun(1);
        stage.versions.let_go();
        assert_eq!((reader.join().unwrap(), waiter.join().unwrap()), (Ok(1), Ok(1)));
        stage.end(&[1, 2]);
    });
}

/// A key that is removed while its refresh waits is not fetched, unless the refresh has begun.
#[test]
fn a_queued_refresh_against_remove() {
    explore(|| {
        let stage = one_place().stale(&[1, 2]);
        stage.versions.act(&[Act::Hold]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        let _ = stage.get(2);
        let remover = stage.spawn(|stage| {
            stage.remove(2);
            assert_eq!(stage.version(2), None);
        });
        let gate = stage.spawn(|stage| stage.versions.let_go());
        remover.join().unwrap();
        gate.join().unwrap();
        stage.settle();
        assert!(stage.version(2).is_none(), "it came back");
        stage.end(&[1, 2]);
    });
}

/// After a `clear` a refresh that waits is not needed any more.
#[test]
fn a_queued_refresh_against_clear() {
    explore(|| {
        let stage = one_place().stale(&[1, 2]);
        stage.versions.act(&[Act::Hold]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        let _ = stage.get(2);
        let reader = stage.spawn(|stage| stage.get(2));
        stage.clear();
        reader.join().unwrap().unwrap();
        stage.versions.let_go();
        stage.settle();
        let fetched_anew = u64::from(stage.version(2).is_some());
        assert_eq!((stage.versions.runs(2), stage.stats().skipped), (fetched_anew, 1));
        stage.end(&[1, 2]);
    });
}

/// The queue is full. A refresh that is refused gives its key back, unless a caller has joined it meanwhile.
#[test]
fn a_refusal_against_a_waiter() {
    explore(|| {
        let settings = Settings { max_refreshes: 1, max_waiting: 0, ..Settings::default() };
        let stage = Stage::with(|_| {}, settings).stale(&[1, 2]);
        stage.versions.act(&[Act::Hold]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        stage.versions.write(2);
        let reader = stage.spawn(|stage| stage.get(2));
        let waiter = stage.spawn(|stage| stage.refresh(2));
        assert_eq!(waiter.join().unwrap(), Ok(2));
        reader.join().unwrap().unwrap();
        stage.versions.let_go();
        stage.end(&[1, 2]);
    });
}

/// A refresh whose claim lapses frees its place only once, even if its own task and a reader notice that together.
#[test]
fn a_place_is_taken_away_as_its_refresh_ends() {
    explore(|| {
        let stage = one_place().stale(&[1, 2]);
        stage.versions.act(&[Act::Hold]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        let _ = stage.get(2);
        stage.versions.write(2);
        let gate = stage.spawn(|stage| stage.versions.let_go());
        let reader = stage.spawn(|stage| stage.get(2));
        advance(TIMEOUT);
        reader.join().unwrap().unwrap();
        gate.join().unwrap();
        stage.settle();
        assert!(stage.versions.runs(2) >= 1, "the next one has its turn");
        stage.end(&[1, 2]);
    });
}
