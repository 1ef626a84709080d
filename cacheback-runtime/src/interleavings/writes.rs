//! Writes from outside, as a fetch ends that has read an older version.

use shuttle::rand::{Rng, thread_rng};

use super::explore;
use super::origin::Act;
use super::stage::{LIFETIME, Stage, Stored, join};
use crate::executor::Settings;

/// Plays a write against a fetch. In half of the runs the key is unknown, in the others it has a stale value. `stays`
/// tells whether a stored value is allowed, as soon as `write` has returned and at the end.
fn against_a_fetch(write: fn(&Stage), stays: fn(Option<Stored>) -> bool) {
    explore(move || {
        let stage = if thread_rng().r#gen() { Stage::new().stale(&[1]) } else { Stage::new() };
        let fetch = stage.spawn(|stage| stage.refresh(1));
        let writer = stage.spawn(move |stage| {
            stage.versions.write(2);
            write(stage);
            let stored = stage.peek(1);
            assert!(stays(stored), "{stored:?} right after the write");
        });
        let reader = stage.spawn(|stage| stage.get(1));
        for got in [fetch.join().unwrap(), reader.join().unwrap()] {
            assert!(matches!(got, Ok(1 | 2)), "{got:?}");
        }
        writer.join().unwrap();
        stage.settle();
        let stored = stage.peek(1);
        assert!(stays(stored), "{stored:?} came back");
        stage.end(&[1]);
    });
}

fn nothing_or_the_newer(stored: Option<Stored>) -> bool {
    stored.is_none_or(|stored| stored.version == 2)
}

#[test]
fn a_fetch_against_set() {
    against_a_fetch(|stage| stage.set(1, 2), |stored| stored == Some(Stored { version: 2, fresh: true }));
}

#[test]
fn a_fetch_against_invalidate() {
    against_a_fetch(
        |stage| stage.invalidate(1),
        |stored| stored.is_none_or(|stored| stored.version == 2 || !stored.fresh),
    );
}

#[test]
fn a_fetch_against_invalidate_all() {
    against_a_fetch(Stage::invalidate_all, |stored| {
        stored.is_none_or(|stored| stored.version == 2 || !stored.fresh)
    });
}

#[test]
fn a_fetch_against_take() {
    against_a_fetch(|stage| assert!(stage.take(1).is_none_or(|taken| taken <= 2)), nothing_or_the_newer);
}

#[test]
fn a_fetch_against_remove() {
    against_a_fetch(|stage| stage.remove(1), nothing_or_the_newer);
}

#[test]
fn a_fetch_against_clear() {
    against_a_fetch(Stage::clear, nothing_or_the_newer);
}

/// A write of an equal value supersedes the fetch as well: claims are compared, not values.
#[test]
fn a_fetch_against_an_equal_set() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        // The origin is wrong for a while, and the fetch may have seen it.
        stage.versions.write(7);
        let fetch = stage.spawn(|stage| stage.get(1));
        let writer = stage.spawn(|stage| {
            stage.versions.write(1);
            stage.set(1, 1);
            assert_eq!(stage.version(1), Some(1));
        });
        let got = fetch.join().unwrap();
        assert!(matches!(got, Ok(1 | 7)), "{got:?}");
        writer.join().unwrap();
        stage.settle();
        assert_eq!(stage.peek(1), Some(Stored { version: 1, fresh: true }));
        stage.end(&[1]);
    });
}

/// A value that was invalidated is fetched again, even if a fetch was under way.
#[test]
fn an_invalidated_value_is_followed_by_a_newer_one() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        let fetch = stage.spawn(|stage| stage.get(1));
        let writers = [2, 3].map(|version| {
            stage.spawn(move |stage| {
                stage.versions.write(version);
                stage.invalidate(1);
            })
        });
        fetch.join().unwrap().unwrap();
        join(writers);
        stage.settle();
        let last = stage.versions.version();
        assert_eq!(stage.peek(1), Some(Stored { version: last, fresh: true }));
        assert!(stage.versions.most(1) <= 2, "two bodies at most");
        stage.end(&[1]);
    });
}

/// An invalidation comes while two bodies of the key run. One more body follows when one of them has ended.
#[test]
fn a_body_ends_as_another_is_parked_behind_it() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.versions.act(&[Act::Hold, Act::Hold]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        stage.invalidate(1);
        stage.versions.await_begun(1);
        stage.versions.write(2);
        let writer = stage.spawn(|stage| stage.invalidate(1));
        let gates = [1, 2].map(|_| stage.spawn(|stage| stage.versions.let_go()));
        // A sweep also looks for parked flights.
        let housekeeper = stage.spawn(Stage::sweep);
        writer.join().unwrap();
        housekeeper.join().unwrap();
        join(gates);
        stage.settle();
        assert_eq!(stage.peek(1), Some(Stored { version: 2, fresh: true }));
        assert_eq!((stage.versions.runs(1), stage.versions.most(1)), (3, 2));
        stage.end(&[1]);
    });
}

#[test]
fn fetch_remove_fetch_with_the_first_finishing_in_between() {
    explore(|| {
        let stage = Stage::new();
        stage.versions.act(&[Act::Hold]);
        let first = stage.spawn(|stage| stage.get(1));
        stage.versions.await_begun(1);
        let gate = stage.spawn(|stage| stage.versions.let_go());
        stage.versions.write(2);
        stage.remove(1);
        assert_eq!(stage.get(1), Ok(2));
        assert_eq!(stage.version(1), Some(2));
        assert_eq!(first.join().unwrap(), Ok(1));
        gate.join().unwrap();
        stage.settle();
        assert_eq!((stage.version(1), stage.versions.runs(1)), (Some(2), 2));
        stage.end(&[1]);
    });
}

/// If the key was written meanwhile, neither the error nor a back-off is kept.
#[test]
fn a_failing_fetch_against_remove() {
    explore(|| {
        let stage = Stage::with(|policy| policy.cache_err = Some(LIFETIME), Settings::default());
        stage.versions.act(&[Act::HoldAndFail]);
        let first = stage.spawn(|stage| stage.get(1));
        stage.versions.await_begun(1);
        let gate = stage.spawn(|stage| stage.versions.let_go());
        stage.remove(1);
        assert_eq!(stage.get(1), Ok(1));
        gate.join().unwrap();
        let got = first.join().unwrap();
        assert!(matches!(got, Ok(1) | Err("failed")), "{got:?}");
        stage.settle();
        assert_eq!(stage.peek(1), Some(Stored { version: 1, fresh: true }));
        stage.end(&[1]);
    });
}

/// Two tasks remove the key and set it. The value that is seen last is one of theirs, not that of the fetch.
#[test]
fn two_writers_and_a_fetch() {
    explore(|| {
        let stage = Stage::new();
        let fetch = stage.spawn(|stage| stage.get(1));
        let writers = [5, 6].map(|version| {
            stage.spawn(move |stage| {
                stage.remove(1);
                stage.set(1, version);
            })
        });
        fetch.join().unwrap().unwrap();
        join(writers);
        stage.settle();
        let stored = stage.peek(1);
        assert!(stored.is_some_and(|stored| stored.version >= 5 && stored.fresh), "{stored:?}");
        stage.set(1, 9);
        assert_eq!(stage.get(1), Ok(9));
        stage.end(&[1]);
    });
}

/// Only these two: the fetch is about to store its value when the `clear` comes.
#[test]
fn a_commit_against_clear() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.versions.act(&[Act::Hold]);
        let _ = stage.get(1);
        stage.versions.await_begun(1);
        stage.versions.let_go();
        stage.clear();
        assert_eq!(stage.version(1), None);
        stage.settle();
        assert_eq!(stage.version(1), None, "it came back");
        stage.end(&[1]);
    });
}

/// A value that is set after a `clear` stays, even if the `clear` of another task still walks the store.
#[test]
fn set_after_clear() {
    explore(|| {
        let stage = Stage::new().stale(&[1, 2]);
        let writers = [1, 2].map(|key| {
            stage.spawn(move |stage| {
                stage.clear();
                stage.set(key, 5);
            })
        });
        let readers = [1, 2].map(|key| stage.spawn(move |stage| stage.get(key)));
        assert!(join(readers).iter().all(Result::is_ok));
        join(writers);
        stage.settle();
        let stored = [1, 2].map(|key| stage.version(key));
        assert!(stored.contains(&Some(5)), "{stored:?}: one of the two came after both clears");
        stage.end(&[1, 2]);
    });
}

/// A caller who comes after a `clear` does not join the fetch that it superseded.
#[test]
fn a_caller_after_clear_sees_what_is_newer() {
    explore(|| {
        let stage = Stage::new();
        let first = stage.spawn(|stage| stage.get(1));
        let second = stage.spawn(|stage| {
            stage.versions.write(2);
            stage.clear();
            stage.get(1)
        });
        first.join().unwrap().unwrap();
        assert_eq!(second.join().unwrap(), Ok(2));
        stage.settle();
        assert_eq!(stage.version(1), Some(2));
        stage.end(&[1]);
    });
}

/// While the store is walked, values of other keys come in, replace each other and make the index grow. Values whose
/// fetch began before are stale, and values from after it stay fresh.
#[test]
fn invalidate_all_against_values_that_come_meanwhile() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.set(2, 1);
        // This body has read the older version, and returns it during the walk.
        stage.versions.act(&[Act::Hold]);
        let fetch = stage.spawn(|stage| stage.get(3));
        stage.versions.await_begun(1);
        let gate = stage.spawn(|stage| stage.versions.let_go());
        let writer = stage.spawn(|stage| {
            stage.versions.write(2);
            stage.invalidate_all();
            for key in 1..=3 {
                let stored = stage.peek(key);
                let newer = stored.is_none_or(|stored| stored.version == 2 || !stored.fresh);
                assert!(newer, "{key}: {stored:?} right after the write");
            }
            stage.set(4, 2);
            assert_eq!(stage.peek(4), Some(Stored { version: 2, fresh: true }));
        });
        let reader = stage.spawn(|stage| stage.get(1));
        assert!(matches!(fetch.join().unwrap(), Ok(1)), "the caller who waited is answered");
        assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
        gate.join().unwrap();
        writer.join().unwrap();
        stage.settle();
        for key in 1..=3 {
            let stored = stage.peek(key);
            assert!(
                stored.is_none_or(|stored| stored.version == 2 || !stored.fresh),
                "{key}: {stored:?} came back"
            );
        }
        assert_eq!(stage.peek(4), Some(Stored { version: 2, fresh: true }));
        // Each key is refreshed when it is asked for: no reader stays on the fast path.
        for key in 1..=3 {
            let _ = stage.get(key);
        }
        stage.settle();
        let stored = [1, 2, 3].map(|key| stage.peek(key));
        assert_eq!(stored, [Some(Stored { version: 2, fresh: true }); 3]);
        stage.end(&[1, 2, 3]);
    });
}

/// The whole cache is invalidated, with callers in between. At most two bodies of a key run, and the last value stands.
#[test]
fn a_cache_is_invalidated_again_and_again() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        let writers = [2, 3].map(|version| {
            stage.spawn(move |stage| {
                stage.versions.write(version);
                stage.invalidate_all();
                stage.get(1).unwrap();
            })
        });
        let reader = stage.spawn(|stage| stage.get(1));
        join(writers);
        reader.join().unwrap().unwrap();
        stage.settle();
        // Ask once more for the value that both have invalidated.
        stage.get(1).unwrap();
        stage.settle();
        let last = stage.versions.version();
        assert_eq!(stage.peek(1), Some(Stored { version: last, fresh: true }));
        assert!(stage.versions.most(1) <= 2, "two bodies at most");
        stage.end(&[1]);
    });
}

/// Two tasks take a value that is for one use, such as a ticket. A third clears the cache meanwhile and sets another.
#[test]
fn a_value_is_taken_once() {
    explore(|| {
        let stage = Stage::new();
        stage.set(3, 7);
        stage.set(4, 9);
        let takers = [1, 2].map(|_| stage.spawn(|stage| stage.take(3)));
        let sweeper = stage.spawn(|stage| {
            stage.clear();
            stage.set(3, 8);
        });
        let mut taken: Vec<_> = join(takers).into_iter().flatten().collect();
        sweeper.join().unwrap();
        taken.extend(stage.take(3));
        taken.sort_unstable();
        assert!(matches!(taken[..], [8] | [7, 8]), "{taken:?}");
        assert_eq!(stage.take(3), None);
        stage.end(&[3]);
    });
}
