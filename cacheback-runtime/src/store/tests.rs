//! The store alone: what is put is found, what is gone is gone, and the bound holds.

use super::*;
use crate::entry::Times;

type Small = Store<u64, Arc<u64>, ()>;

const TIMES: Times = Times { started: Moment::PAST, lifetime: 10, max_stale: 0, retention: 100, ahead: 0 };

fn node(store: &Small, key: u64, hash: u64, value: u64) -> Arc<Node<u64, Arc<u64>, ()>> {
    let content = Content::Value(Arc::new(value));
    Arc::new(Node::new(Arc::new(key), hash, store.stamp(), TIMES, content))
}

/// Puts and admits, as the engine does.
fn put(store: &Small, key: u64, hash: u64, value: u64) {
    let node = node(store, key, hash, value);
    with_known(node.key(), |known| store.put(&node, store.epoch(), known, &store.guard()));
    store.admit(&node);
}

fn take(store: &Small, key: u64, hash: u64) -> bool {
    let taken = with_known(&Arc::new(key), |known| store.take(hash, known, &store.guard()));
    if let Some(node) = &taken {
        store.forget(node);
    }
    taken.is_some()
}

fn with_known<R>(key: &Arc<u64>, work: impl Fn(&Known<u64>) -> Result<R, Stranger<u64>>) -> R {
    let mut known = Known::new(Arc::clone(key));
    loop {
        match work(&known) {
            Ok(done) => return done,
            Err(stranger) => known.meet(stranger, |a, b| a == b),
        }
    }
}

fn get(store: &Small, key: u64, hash: u64) -> Option<u64> {
    store.read(hash, |other| *other == key, |node| node.value(Moment::PAST).map(|value| **value))?
}

#[test]
fn what_is_put_is_found_until_it_is_replaced_or_taken() {
    let store = Small::new(100);
    put(&store, 1, 11, 5);
    assert_eq!(get(&store, 1, 11), Some(5));
    put(&store, 1, 11, 6);
    assert_eq!(get(&store, 1, 11), Some(6));
    assert_eq!(store.len(Moment::PAST), 1);
    assert!(take(&store, 1, 11));
    assert!(!take(&store, 1, 11));
    assert_eq!(get(&store, 1, 11), None);
}

#[test]
fn keys_of_one_hash_live_side_by_side() {
    let store = Small::new(100);
    for key in 0..20 {
        put(&store, key, 7, key);
    }
    assert!(take(&store, 3, 7));
    put(&store, 4, 7, 44);
    for key in 0..20 {
        let expected = match key {
            3 => None,
            4 => Some(44),
            _ => Some(key),
        };
        assert_eq!(get(&store, key, 7), expected, "{key}");
    }
    store.residents.run_pending_tasks();
    assert_eq!(store.residents.entry_count(), 19);
}

#[test]
fn the_bound_holds_and_evictions_leave_the_index() {
    let store = Small::new(50);
    for key in 0..10_000 {
        put(&store, key, key, key);
        assert_eq!(get(&store, key, key), Some(key), "a newcomer is visible");
        assert!(store.index.map.len() <= 50, "at every time");
    }
    store.residents.run_pending_tasks();
    assert_eq!(store.len(Moment::PAST), 50);
    assert_eq!(store.evicted(), 9_950);
    assert_eq!(store.residents.entry_count(), 50);
}

/// The gate: hits of a hot key reach moka once enough was inserted, so it outlives the cold ones.
#[test]
fn a_hot_key_stays() {
    let store = Small::new(512);
    put(&store, 0, 0, 0);
    for key in 1..20_000 {
        put(&store, key, key, key);
        let record =
            store.read(0, |other| *other == 0, |node| store.wants_record(node).then(|| node.residency()));
        if let Some(residency) = record.unwrap_or_else(|| panic!("evicted after {key} insertions")) {
            store.record(residency);
        }
    }
}

/// Many nodes of one hash are as many entries.
#[test]
fn the_bound_counts_nodes_and_not_hashes() {
    let store = Small::new(4);
    for key in 0..500 {
        put(&store, key, key % 2, key);
        assert_eq!(get(&store, key, key % 2), Some(key));
        assert!(store.len(Moment::PAST) <= 4);
    }
    assert_eq!(store.index.nodes.load(Ordering::Relaxed), store.len(Moment::PAST));
    store.clear();
    assert_eq!(store.index.nodes.load(Ordering::Relaxed), 0);
}

#[test]
fn without_capacity_nothing_is_kept() {
    let store = Small::new(0);
    for key in 0..1_000 {
        put(&store, key, key, key);
        assert_eq!(store.index.map.len(), 0);
    }
}

/// Writes to one key out of step with moka: what moka holds last is what the index holds.
#[test]
fn admissions_in_the_wrong_order_agree_in_the_end() {
    let store = Small::new(100);
    let (one, other) = (node(&store, 1, 11, 1), node(&store, 1, 11, 2));
    for node in [&one, &other] {
        with_known(node.key(), |known| store.put(node, store.epoch(), known, &store.guard()));
    }
    assert_eq!(one.residency(), other.residency());
    store.admit(&other);
    store.admit(&one);
    let place = store.residents.get(&other.residency()).unwrap();
    assert_eq!(place.stamp, other.stamp);
    assert_eq!(get(&store, 1, 11), Some(2));
    // One that is gone before it is admitted leaves nothing behind.
    let (late, epoch) = (node(&store, 2, 22, 3), store.epoch());
    with_known(late.key(), |known| store.put(&late, epoch, known, &store.guard()));
    assert!(take(&store, 2, 22));
    store.admit(&late);
    store.residents.run_pending_tasks();
    assert_eq!(store.residents.entry_count(), 1);
}

#[test]
fn a_clear_reaches_what_was_made_before_it() {
    let store = Small::new(100);
    put(&store, 1, 11, 1);
    let (late, epoch) = (node(&store, 2, 22, 2), store.epoch());
    store.clear();
    assert_eq!(get(&store, 1, 11), None);
    with_known(late.key(), |known| store.put(&late, epoch, known, &store.guard()));
    assert_eq!(get(&store, 2, 22), None, "of an epoch that has passed");
    store.admit(&late);
    store.residents.run_pending_tasks();
    assert_eq!((store.residents.entry_count(), store.index.map.len()), (0, 0), "and nothing is left of it");
    put(&store, 1, 11, 3);
    assert_eq!(get(&store, 1, 11), Some(3));
}

#[test]
fn a_sweep_drops_what_is_past_its_retention() {
    let store = Small::new(100);
    assert_eq!(store.next_gone(), Moment::NEVER);
    put(&store, 1, 11, 1);
    assert_eq!(store.next_gone(), Moment::PAST.plus(100));
    let held = store.read(11, |_| true, Arc::downgrade).unwrap();
    store.sweep(Moment::PAST.plus(99));
    assert!(held.upgrade().is_some());
    store.sweep(Moment::PAST.plus(100));
    assert!(held.upgrade().is_none());
    store.residents.run_pending_tasks();
    assert_eq!((store.index.map.len(), store.residents.entry_count()), (0, 0));
    assert_eq!((store.next_gone(), store.evicted()), (Moment::NEVER, 0));
}

/// A user's `Drop` that panics reaches neither the reader nor the eviction listener, which moka would drop.
#[test]
fn a_drop_that_panics_stops_no_eviction() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let store: Store<u64, Bomb, ()> = Store::new(10);
    for key in 0..1_000 {
        let node = Node::new(Arc::new(key), key, store.stamp(), TIMES, Content::Value(Bomb));
        let node = Arc::new(node);
        with_known(node.key(), |known| store.put(&node, store.epoch(), known, &store.guard()));
        store.admit(&node);
    }
    store.residents.run_pending_tasks();
    assert_eq!(store.index.map.len(), 10);
}
