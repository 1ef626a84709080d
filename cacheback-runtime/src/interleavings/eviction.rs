//! What is evicted or swept, as something else is put in its place.

use super::explore;
use super::stage::{Act, LIFETIME, RETENTION, Stage, Stored, join};
use crate::base::shims::tasks::advance;
use crate::executor::Settings;
use crate::rules::policy::Eviction;

/// No place for all three: whichever goes, the newest version of what stays is found, and index and bound agree.
fn commits_past_the_bound(capacity: u64, eviction: Eviction) {
    explore(move || {
        let options = |policy: &mut crate::rules::policy::Policy| {
            policy.capacity = capacity;
            policy.eviction = eviction;
        };
        let stage = Stage::with(options, Settings::default());
        let callers = [1, 2, 3].map(|key| stage.spawn(move |stage| stage.get(key)));
        let writer = stage.spawn(|stage| {
            stage.source.write(2);
            stage.set(1, 2);
        });
        for got in join(callers) {
            assert!(matches!(got, Ok(1 | 2)), "{got:?}");
        }
        writer.join().unwrap();
        stage.rest();
        assert!(stage.stats().entries <= capacity);
        assert!(stage.version(1).is_none_or(|version| version == 2), "an older value is back");
        stage.end(&[1, 2, 3]);
    });
}

#[test]
fn eviction_against_commit_where_one_has_room() {
    commits_past_the_bound(1, Eviction::Lru);
}

/// With a window for newcomers a node is for a moment in neither of moka's two.
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
        stage.rest();
        assert_eq!(stage.stats().entries, 0);
        stage.end(&[1, 2, 3]);
    });
}

/// Each replaces the other's node, and one of them may be evicted at that moment: not the one that came later.
#[test]
fn replacement_against_eviction() {
    explore(|| {
        let stage = Stage::with(|policy| policy.capacity = 1, Settings::default());
        let writers = [5, 6].map(|version| stage.spawn(move |stage| stage.set(1, version)));
        join(writers);
        stage.rest();
        let stored = stage.peek(1);
        assert!(stored.is_some_and(|stored| stored.version >= 5 && stored.fresh), "{stored:?}");
        stage.end(&[1]);
    });
}

/// Each key has its own value, whatever happens to others of its hash.
#[test]
fn colliding_keys_come_and_go() {
    explore(|| {
        let stage = Stage::new().stale(&[3]);
        stage.source.write(2);
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
        stage.rest();
        assert_eq!([3, 4].map(|key| stage.version(key)), [Some(30), Some(40)]);
        let remover = stage.spawn(|stage| stage.remove(3));
        assert_eq!(stage.get(4), Ok(40));
        remover.join().unwrap();
        assert_eq!([3, 4].map(|key| stage.version(key)), [None, Some(40)]);
        stage.end(&[3, 4]);
    });
}

/// Of a value past its retention nothing is seen, and the one that replaces it is not swept with it.
#[test]
fn sweep_against_commit() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        advance(RETENTION - LIFETIME);
        stage.source.write(2);
        let sweeper = stage.spawn(Stage::sweep);
        let caller = stage.spawn(|stage| stage.get(1));
        assert_eq!(caller.join().unwrap(), Ok(2));
        sweeper.join().unwrap();
        stage.rest();
        assert_eq!(stage.peek(1), Some(Stored { version: 2, fresh: true }));
        stage.end(&[1]);
    });
}

/// A back-off outlives its value, in a record of its own: which does not take the place of what came meanwhile.
#[test]
fn sweep_of_a_key_in_back_off_against_set() {
    explore(|| {
        let stage = Stage::with(|policy| policy.retention = 2 * LIFETIME, Settings::default()).stale(&[1]);
        stage.source.act(&[Act::Fail]);
        let _ = stage.get(1);
        stage.rest();
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
        stage.rest();
        assert_eq!(stage.peek(1), Some(Stored { version: 2, fresh: true }));
    });
}
