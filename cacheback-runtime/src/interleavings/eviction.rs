//! Eviction and sweeps, as other values are stored.

use super::explore;
use super::origin::Act;
use super::stage::{LIFETIME, RETENTION, Stage, Stored, join};
use crate::base::shims::tasks::advance;
use crate::executor::Settings;
use crate::rules::policy::Eviction;

/// There is no room for all three keys. Any of them may be evicted; of the others the newest version is found, and
/// index and bound agree.
fn commits_past_the_bound(capacity: u64, eviction: Eviction) {
    explore(move || {
        let options = |policy: &mut crate::rules::policy::Policy| {
            policy.capacity = capacity;
            policy.eviction = eviction;
        };
        let stage = Stage::with(options, Settings::default());
        let callers = [1, 2, 3].map(|key| stage.spawn(move |stage| stage.get(key)));
        let writer = stage.spawn(|stage| {
            stage.versions.write(2);
            stage.set(1, 2);
        });
        for got in join(callers) {
            assert!(matches!(got, Ok(1 | 2)), "{got:?}");
        }
        writer.join().unwrap();
        stage.settle();
        assert!(stage.stats().entries <= capacity);
        assert!(stage.version(1).is_none_or(|version| version == 2), "an older value is back");
        stage.end(&[1, 2, 3]);
    });
}

#[test]
fn eviction_against_commit_with_room_for_one() {
    commits_past_the_bound(1, Eviction::Lru);
}

/// With a window for new entries, a node is for a moment in neither of moka's two regions.
#[test]
fn eviction_against_commit_with_a_window() {
    commits_past_the_bound(2, Eviction::TinyLfu);
}

#[test]
fn eviction_against_remove() {
    explore(|| {
        let options = |policy: &mut crate::rules::policy::Policy| {
            policy.capacity = 2;
            policy.eviction = Eviction::TinyLfu;
        };
        let stage = Stage::with(options, Settings::default());
        let writers = [1, 2, 3].map(|key| {
            stage.spawn(move |stage| {
                stage.set(key, 5);
                stage.remove(key);
                assert_eq!(stage.version(key), None);
            })
        });
        join(writers);
        stage.settle();
        assert_eq!(stage.stats().entries, 0);
        stage.end(&[1, 2, 3]);
    });
}

/// Each writer replaces the other's node, and one of the nodes may be evicted at that moment. It must not be the later
/// one.
#[test]
fn replacement_against_eviction() {
    explore(|| {
        let stage = Stage::with(|policy| policy.capacity = 1, Settings::default());
        let writers = [5, 6].map(|version| stage.spawn(move |stage| stage.set(1, version)));
        join(writers);
        stage.settle();
        let stored = stage.peek(1);
        assert!(stored.is_some_and(|stored| stored.version >= 5 && stored.fresh), "{stored:?}");
        stage.end(&[1]);
    });
}

/// Each key has its own value, as other keys of its hash are written and removed.
#[test]
fn colliding_keys_come_and_go() {
    explore(|| {
        let stage = Stage::new().stale(&[3]);
        stage.versions.write(2);
        let writers = [3, 4].map(|key| {
            stage.spawn(move |stage| {
                stage.set(key, 10 * key);
                assert_eq!(stage.version(key), Some(10 * key));
            })
        });
        let readers = [3, 4].map(|key| stage.spawn(move |stage| (key, stage.get(key))));
        for (key, got) in join(readers) {
            assert!(got == Ok(1) || got == Ok(2) || got == Ok(10 * key), "{got:?} of {key}");
        }
        join(writers);
        stage.settle();
        assert_eq!([3, 4].map(|key| stage.version(key)), [Some(30), Some(40)]);
        let remover = stage.spawn(|stage| stage.remove(3));
        assert_eq!(stage.get(4), Ok(40));
        remover.join().unwrap();
        assert_eq!([3, 4].map(|key| stage.version(key)), [None, Some(40)]);
        stage.end(&[3, 4]);
    });
}

/// A value past its retention is not seen, and the value that replaces it is not swept with it.
#[test]
fn sweep_against_commit() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        advance(RETENTION - LIFETIME);
        stage.versions.write(2);
        let sweeper = stage.spawn(Stage::sweep);
        let caller = stage.spawn(|stage| stage.get(1));
        assert_eq!(caller.join().unwrap(), Ok(2));
        sweeper.join().unwrap();
        stage.settle();
        assert_eq!(stage.peek(1), Some(Stored { version: 2, fresh: true }));
        stage.end(&[1]);
    });
}

/// A back-off outlives the value of its key, in a record of its own. That record does not replace a value that was set
/// meanwhile.
#[test]
fn sweep_of_a_key_in_back_off_against_set() {
    explore(|| {
        let stage = Stage::with(|policy| policy.retention = 2 * LIFETIME, Settings::default()).stale(&[1]);
        stage.versions.act(&[Act::Fail]);
        let _ = stage.get(1);
        stage.settle();
        advance(LIFETIME);
        let sweeper = stage.spawn(Stage::sweep);
        let writer = stage.spawn(|stage| {
            stage.set(1, 2);
            assert_eq!(stage.version(1), Some(2));
        });
        let reader = stage.spawn(|stage| stage.get(1));
        let got = reader.join().unwrap();
        assert!(matches!(got, Ok(1 | 2)), "{got:?}");
        sweeper.join().unwrap();
        writer.join().unwrap();
        stage.settle();
        assert_eq!(stage.peek(1), Some(Stored { version: 2, fresh: true }));
    });
}
