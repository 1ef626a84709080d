//! The store by itself: values that are put in are found, removed ones are not, and the limit holds.

use super::*;
use crate::rules::freshness::Times;

type Small = Store<u64, Arc<u64>, ()>;
type SmallNode = Node<u64, Arc<u64>, ()>;

const WINDOWS: Windows = Windows { max_stale: 0, retention: 100, ahead: 0 };

fn times() -> Times {
    Times::of(Moment::PAST, 10, WINDOWS)
}

fn of(capacity: u64) -> Small {
    Store::new(Limit::Entries(capacity), Eviction::Lru, WINDOWS)
}

fn node(key: u64, hash: u64, value: Arc<u64>) -> SmallNode {
    Node::new(key, hash, times(), &WINDOWS, Content::Value(value, Generation::default()))
}

/// Puts a node in, and returns the change of which moka is to be told.
fn put_of_epoch(store: &Small, epoch: u64, weight: u32, node: SmallNode) -> Change {
    let (key, hash) = (*node.key(), node.hash());
    let mut node = Some(node);
    let pins = store.pins();
    with_known(store, key, hash, |known| {
        let replaced = store.resident(hash, known, &pins)?;
        Ok(store.put(&mut node, weight, epoch, replaced, &pins))
    })
}

/// Puts a value in, as the engine does.
fn put(store: &Small, key: u64, hash: u64, value: u64) {
    let change = put_of_epoch(store, store.epoch(), 1, node(key, hash, Arc::new(value)));
    store.carry_out(change);
}

fn take(store: &Small, key: u64, hash: u64) -> bool {
    let pins = store.pins();
    let change = with_known(store, key, hash, |known| {
        Ok(store.resident(hash, known, &pins)?.map(|it| store.take(it)))
    });
    let taken = change.is_some();
    if let Some(change) = change {
        store.carry_out(change);
    }
    taken
}

fn with_known<R>(
    store: &Small,
    key: u64,
    hash: u64,
    mut work: impl FnMut(&KnownKeys<u64>) -> Result<R, Uncompared<u64>>,
) -> R {
    let mut known = KnownKeys::new(Arc::new(key), None);
    loop {
        match work(&known) {
            Ok(done) => return done,
            Err(uncompared) => known.compare(uncompared, |own, other| match other {
                KeyRef::Key(other) => Some(*own == **other),
                KeyRef::Node(id) => store.compare(hash, *id, |other| own == other),
            }),
        }
    }
}

fn get(store: &Small, key: u64, hash: u64) -> Option<u64> {
    let pin = store.pin();
    let node = store.find(hash, |other| *other == key, &pin)?;
    node.value(Moment::PAST, &WINDOWS).map(|value| **value)
}

/// Hits a key. Returns whether moka was told of it.
fn hit(store: &Small, key: u64, hash: u64) -> bool {
    let pin = store.pin();
    let Some(node) = store.find(hash, |other| *other == key, &pin) else { return false };
    let Some((_, last_touch)) = node.cached() else { return false };
    !last_touch.is(store.generation.load(Ordering::Relaxed)) && store.admits(node, last_touch)
}

/// The value that a hit serves.
fn served(store: &Small, key: u64, hash: u64) -> Option<u64> {
    let pin = store.pin();
    let node = store.find_first(hash, |other| *other == key, &pin)?;
    let (value, last_touch) = node.cached()?;
    store.admits(node, last_touch).then_some(**value)
}

/// The numbers of nodes in the index and in moka.
fn counts(store: &Small) -> (u64, u64) {
    let (nodes, findable, residents) = store.counts();
    assert_eq!(nodes, findable);
    (nodes, residents)
}

#[test]
fn a_value_is_found_until_it_is_replaced_or_taken() {
    let store = of(100);
    put(&store, 1, 11, 5);
    assert_eq!(get(&store, 1, 11), Some(5));
    put(&store, 1, 11, 6);
    assert_eq!(get(&store, 1, 11), Some(6));
    assert_eq!((store.len(Moment::PAST), counts(&store)), (1, (1, 1)));
    assert!(take(&store, 1, 11));
    assert!(!take(&store, 1, 11));
    assert_eq!((get(&store, 1, 11), counts(&store)), (None, (0, 0)));
}

/// The user's `Eq` is called once for each node of the hash: its answers are remembered by the nodes' numbers.
#[test]
fn each_node_of_one_hash_is_compared_once() {
    let store = of(1_000);
    for key in 0..500 {
        put(&store, key, 7, key);
    }
    let comparisons = std::cell::Cell::new(0);
    let pins = store.pins();
    let mut known = KnownKeys::new(Arc::new(1_000), None);
    let uncompared = store.resident(7, &known, &pins).err().unwrap();
    known.compare(uncompared, |own, other| {
        let KeyRef::Node(id) = other else { unreachable!() };
        store.compare(7, *id, |other| {
            comparisons.set(comparisons.get() + 1);
            own == other
        })
    });
    assert_eq!(comparisons.get(), 500);
    assert!(store.resident(7, &known, &pins).is_ok_and(|node| node.is_none()));
}

#[test]
fn keys_of_one_hash_live_side_by_side() {
    let store = of(1_000);
    for key in 0..500 {
        put(&store, key, 7, key);
    }
    assert!(take(&store, 3, 7));
    put(&store, 4, 7, 44);
    for key in 0..500 {
        let expected = match key {
            3 => None,
            4 => Some(44),
            _ => Some(key),
        };
        assert_eq!(get(&store, key, 7), expected, "{key}");
    }
    assert_eq!(counts(&store), (499, 499));
    let pin = store.pin();
    assert!(pin.keys().all(|node| node.hash() == 7));
}

#[test]
fn the_bound_holds_and_evictions_leave_the_index() {
    let store = of(50);
    for key in 0..10_000 {
        put(&store, key, key, key);
        assert_eq!(get(&store, key, key), Some(key), "a newcomer is visible");
        assert!(store.values.index.nodes() <= 50, "at every time");
    }
    assert_eq!((store.len(Moment::PAST), store.evicted(), counts(&store)), (50, 9_950, (50, 50)));
}

/// moka does not evict at each insertion, but before the entries are counted.
#[test]
fn the_number_of_entries_is_never_more_than_the_limit() {
    let store = of(10_000);
    for key in 0..25_000 {
        put(&store, key, key, key);
        assert!(store.values.index.nodes() <= 10_064);
    }
    assert!(store.values.index.nodes() > 10_000, "or this tests nothing");
    assert_eq!((store.len(Moment::PAST), store.evicted()), (10_000, 15_000));
    let bytes: Small = Store::new(Limit::Bytes(128_000), Eviction::Lru, WINDOWS);
    for key in 0..1_000 {
        let change = put_of_epoch(&bytes, 0, 300, node(key, key, Arc::new(key)));
        bytes.carry_out(change);
        assert!(bytes.values.index.nodes() * 300 <= 128_000 + 1_000 + 300);
    }
    assert_eq!(bytes.len(Moment::PAST), 128_000 / 300);
}

/// The refresh of a value in a full cache evicts nothing.
#[test]
fn a_value_that_replaces_another_needs_no_further_room() {
    let store = of(50);
    for round in 0..20 {
        for key in 0..50 {
            put(&store, key, key, round);
        }
    }
    assert_eq!((store.len(Moment::PAST), store.evicted(), counts(&store)), (50, 0, (50, 50)));
}

/// moka is told of enough hits of a hot key to keep it longer than cold ones.
#[test]
fn a_key_that_is_hit_often_is_not_evicted() {
    let store = of(512);
    put(&store, 0, 0, 0);
    let mut touches = 0;
    for key in 1..20_000 {
        put(&store, key, key, key);
        assert!(get(&store, 0, 0).is_some(), "evicted after {key} insertions");
        touches += u64::from(hit(&store, 0, 0));
    }
    assert_eq!(touches, 20_000 / (512 / 8), "once for each eighth of the capacity");
}

/// moka's TinyLFU by itself may refuse a newcomer for ever. Here each is visible, and keys in use survive a scan.
#[test]
fn tiny_lfu_shows_newcomers_and_keeps_keys_in_use() {
    let store: Small = Store::new(Limit::Entries(1_000), Eviction::TinyLfu, WINDOWS);
    for key in 0..900 {
        put(&store, key, spread(key), key);
    }
    for key in 10_000..30_000 {
        put(&store, key, spread(key), key);
        assert_eq!(get(&store, key, spread(key)), Some(key), "a newcomer is visible");
        assert!(store.values.index.nodes() <= 1_000 + 7, "the limit, and a little slack");
        for hot in (0..900).filter(|hot| hot % 50 == key % 50) {
            hit(&store, hot, spread(hot));
        }
    }
    let kept = (0..900).filter(|key| get(&store, *key, spread(*key)).is_some()).count();
    assert!(kept >= 850, "{kept} of 900");
    let (nodes, residents) = counts(&store);
    assert_eq!(nodes, residents);
}

/// A key that is fetched again and again is asked for again and again, and is kept in the end.
#[test]
fn tiny_lfu_counts_misses_as_uses() {
    let store: Small = Store::new(Limit::Entries(1_000), Eviction::TinyLfu, WINDOWS);
    for key in 0..1_000 {
        put(&store, key, spread(key), key);
    }
    store.values.capacity.maintain();
    let wanted = 5_000;
    for round in 0..8 {
        put(&store, wanted, spread(wanted), 0);
        for key in 0..100 {
            let seen_once = 10_000 + round * 100 + key;
            put(&store, seen_once, spread(seen_once), 0);
        }
    }
    store.values.capacity.maintain();
    assert_eq!(get(&store, wanted, spread(wanted)), Some(0));
}

/// A tenth more keys than there is room for, each asked for in its turn: a hit of which TinyLFU is not told counts less
/// than the misses, of which it is told.
#[test]
fn tiny_lfu_is_told_of_enough_hits() {
    const ROOM: u64 = 2_000;
    let hits = |all_are_told: bool| {
        let mut store: Small = Store::new(Limit::Entries(ROOM), Eviction::TinyLfu, WINDOWS);
        if all_are_told {
            store.generations = u64::MAX;
        }
        let turns = (0..15).flat_map(|_| 0..ROOM + ROOM / 10);
        let asked = |key| {
            let is_hit = get(&store, key, spread(key)).is_some();
            if is_hit {
                hit(&store, key, spread(key));
            } else {
                put(&store, key, spread(key), key);
            }
            is_hit
        };
        turns.filter(|key| asked(*key)).count() as u64
    };
    let (some, all) = (hits(false), hits(true));
    assert!(some + all / 100 >= all && all > 15 * ROOM * 3 / 4, "{some} hits, and {all} if all are told");
}

/// A node may be removed on its way from the window to the main part, while neither of moka's two caches has it.
#[test]
fn a_node_that_is_removed_between_window_and_main_part_leaves_nothing_behind() {
    let store: Small = Store::new(Limit::Entries(2), Eviction::TinyLfu, WINDOWS);
    put(&store, 1, 11, 1);
    {
        let pin = store.pin();
        let node = store.find(11, |key| *key == 1, &pin).unwrap();
        // moka is not told, as if it did not know the node yet.
        let _ = store.take(node);
    }
    put(&store, 2, 22, 2);
    assert_eq!(counts(&store), (1, 1));
}

/// Spreads keys as a hash would.
fn spread(key: u64) -> u64 {
    key.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[test]
fn a_cache_of_one_entry_keeps_the_newest() {
    for eviction in [Eviction::Lru, Eviction::TinyLfu] {
        let store: Small = Store::new(Limit::Entries(1), eviction, WINDOWS);
        for key in 0..100 {
            put(&store, key, key, key);
            assert_eq!(get(&store, key, key), Some(key), "{eviction:?}");
            assert_eq!(counts(&store), (1, 1), "{eviction:?}");
        }
    }
}

#[test]
fn a_limit_in_bytes_holds_at_all_times() {
    let store: Small = Store::new(Limit::Bytes(1_000), Eviction::Lru, WINDOWS);
    for key in 0..1_000 {
        let weight = u32::try_from(1 + key % 100).unwrap();
        let change = put_of_epoch(&store, store.epoch(), weight, node(key, key, Arc::new(weight.into())));
        store.carry_out(change);
        let pin = store.pin();
        let total: u64 = pin.keys().map(|node| **node.value(Moment::PAST, &WINDOWS).unwrap()).sum();
        assert!(total <= 1_000 && get(&store, key, key).is_some(), "{key}: {total}");
    }
    let (nodes, residents) = counts(&store);
    assert!(nodes == residents && nodes > 8, "{nodes} {residents}");
}

#[test]
fn weights_fit_into_32_bits_whatever_the_limit() {
    let small = Limit::Bytes(1_000);
    assert_eq!([0, 1, 1_000].map(|bytes| small.weight(bytes)), [Some(1), Some(1), Some(1_000)]);
    assert_eq!([1_001, u64::MAX].map(|bytes| small.weight(bytes)), [None, None]);
    assert_eq!(Limit::Bytes(0).weight(0), Some(1));
    // More than 32 bits: moka's unit grows.
    let large = Limit::Bytes(1 << 40);
    assert_eq!(large.weight(1), Some(1));
    let whole = u64::from(large.weight(1 << 40).unwrap());
    assert!(u64::from(large.weight(1 << 39).unwrap()) <= whole / 2 + 1);
    assert_eq!(Limit::Bytes(u64::MAX).weight(u64::MAX), Some(u32::MAX));
    assert_eq!(Limit::Entries(3).weight(u64::MAX), Some(1), "entries are not weighed");
}

#[test]
fn a_store_with_room_for_a_value_has_room_for_a_record() {
    let records = |limits: [Limit; 4]| limits.map(|limit| limit.of_records().size());
    assert_eq!(records([0, 1, 4, 10_000].map(Limit::Entries)), [0, 1, 1, 2_500]);
    assert_eq!(records([0, 1, 1_024, 1 << 20].map(Limit::Bytes)), [0, 1, 1, 1_024]);
}

/// Puts a record of a back-off in, as the engine does.
fn put_record(store: &Small, key: u64) {
    let times = Times::of_nothing(Moment::PAST, 100);
    let node = Node::new(key, spread(key), times, &WINDOWS, Content::Nothing);
    let change = put_of_epoch(store, store.epoch(), RECORD_WEIGHT, node);
    store.carry_out(change);
}

/// The part that has a node of this key.
fn part_of(store: &Small, key: u64) -> Option<PartKind> {
    let pins = store.pins();
    with_known(store, key, spread(key), |known| {
        Ok(store.resident(spread(key), known, &pins)?.map(PartKind::of))
    })
}

/// A flood of failures evicts no value, and the newest of them are remembered.
#[test]
fn records_have_a_bound_of_their_own() {
    let store = of(100);
    for key in 0..100 {
        put(&store, key, spread(key), key);
    }
    assert!(store.records.get().is_none(), "made with the first record");
    for key in 1_000..11_000 {
        put_record(&store, key);
        assert_eq!(part_of(&store, key), Some(PartKind::Record));
    }
    assert_eq!((store.len(Moment::PAST), store.evicted(), counts(&store)), (100, 0, (125, 125)));
    for key in 0..100 {
        assert_eq!(get(&store, key, spread(key)), Some(key));
    }
    assert_eq!(part_of(&store, 1_000), None);
}

/// A key is in one part at a time.
#[test]
fn a_value_replaces_a_record_and_a_record_replaces_a_value() {
    let store = of(100);
    for key in [1, 2] {
        put_record(&store, key);
    }
    assert_eq!((get(&store, 1, spread(1)), counts(&store)), (None, (2, 2)));
    put(&store, 1, spread(1), 5);
    assert_eq!(
        (part_of(&store, 1), get(&store, 1, spread(1)), counts(&store)),
        (Some(PartKind::Value), Some(5), (2, 2))
    );
    put_record(&store, 1);
    assert_eq!(
        (part_of(&store, 1), get(&store, 1, spread(1)), counts(&store)),
        (Some(PartKind::Record), None, (2, 2))
    );
    assert!(take(&store, 1, spread(1)) && !take(&store, 1, spread(1)));
    let _ = store.clear();
    assert_eq!((part_of(&store, 2), counts(&store)), (None, (0, 0)));
}

/// A key that is refreshed again and again costs no more than any other: each value takes the place of the one before.
/// The map compares as many nodes as before to find it.
#[test]
fn a_key_that_is_refreshed_often_keeps_its_place() {
    let store = of(10_000);
    for key in 0..1_000 {
        put(&store, key, spread(key), key);
    }
    let looked_at = |key: u64| {
        let compared = std::cell::Cell::new(0);
        let pin = store.pin();
        let _ = store.find(
            spread(key),
            |other| {
                compared.set(compared.get() + 1);
                *other == key
            },
            &pin,
        );
        let place = store.find(spread(key), |other| *other == key, &pin).map(Node::place);
        (compared.get(), place)
    };
    let before = looked_at(7);
    for round in 0..5_000 {
        put(&store, 7, spread(7), round);
        assert_eq!(get(&store, 7, spread(7)), Some(round));
    }
    assert_eq!(looked_at(7), before, "the same place");
    assert_eq!((store.evicted(), counts(&store)), (0, (1_000, 1_000)));
}

/// The place of the only node.
fn place_of(store: &Store<u64, Arc<u64>, ()>) -> Place {
    let pin = store.pin();
    store.find(11, |_| true, &pin).unwrap().place()
}

/// moka evicts a place just as its node is replaced. It does not take the new node with it.
#[test]
fn an_eviction_removes_no_node_that_moka_was_not_told_of() {
    let store = of(100);
    put(&store, 1, 11, 1);
    let place = place_of(&store);
    let Part { index, capacity } = &store.values;
    let change = put_of_epoch(&store, 0, 1, node(1, 11, Arc::new(2)));
    capacity.eviction.remove(place);
    assert!(!index.evict(place), "the new node stays");
    store.carry_out(change);
    assert_eq!((get(&store, 1, 11), counts(&store)), (Some(2), (1, 1)));
    assert_eq!(place_of(&store), place, "it lies where the old one lay");
    // From now on it is evicted like others.
    capacity.eviction.remove(place);
    assert!(index.evict(place));
    assert_eq!((get(&store, 1, 11), counts(&store)), (None, (0, 0)));
}

/// A node was found to be replaced, and is evicted before that, or removed by somebody who tells moka only afterwards.
#[test]
fn a_node_that_was_removed_leaves_its_successor_another_place() {
    let store = of(100);
    put(&store, 1, 11, 1);
    let old = place_of(&store);
    let pin = store.pin();
    let replaced = store.find(11, |_| true, &pin);
    let removed = store.take(replaced.unwrap());
    let mut newer = Some(node(1, 11, Arc::new(3)));
    let change = store.put(&mut newer, 1, 0, replaced, &store.pins());
    store.carry_out(change);
    store.carry_out(removed);
    assert_ne!(place_of(&store), old);
    assert_eq!((get(&store, 1, 11), counts(&store)), (Some(3), (1, 1)));
}

/// If bytes are counted, moka is told of the weight of the new node by its new place.
#[test]
fn a_heavier_node_counts_by_its_own_weight() {
    let store: Store<u64, Arc<u64>, ()> = Store::new(Limit::Bytes(100), Eviction::Lru, WINDOWS);
    let put = |key: u64, weight: u32| {
        let pins = store.pins();
        let replaced = store.find(key, |other| *other == key, &pins.values);
        let mut node = Some(node(key, key, Arc::new(1)));
        store.carry_out(store.put(&mut node, weight, 0, replaced, &pins));
    };
    (1..=4).for_each(|key| put(key, 25));
    assert_eq!(counts(&store), (4, 4));
    put(4, 50);
    assert_eq!(counts(&store), (3, 3), "one had to go");
    put(4, 25);
    put(5, 25);
    assert_eq!(counts(&store), (4, 4), "there was room again");
    assert_eq!([2, 3, 4, 5].map(|key| get(&store, key, key)), [Some(1); 4]);
}

/// Each of many nodes of one hash is an entry.
#[test]
fn the_limit_counts_nodes_and_not_hashes() {
    let store = of(4);
    for key in 0..500 {
        put(&store, key, key % 2, key);
        assert_eq!(get(&store, key, key % 2), Some(key));
        assert!(store.len(Moment::PAST) <= 4);
    }
    store.clear();
    assert_eq!(counts(&store), (0, 0));
}

#[test]
fn without_capacity_nothing_is_kept() {
    for limit in [Limit::Entries(0), Limit::Bytes(0)] {
        let store = Store::new(limit, Eviction::Lru, WINDOWS);
        for key in 0..1_000 {
            put(&store, key, key, key);
            assert_eq!(store.values.index.nodes(), 0);
        }
    }
}

/// moka may hear of writes to one key in the wrong order. In the end it knows the nodes that the index has.
#[test]
fn moka_agrees_with_the_index_after_changes_in_the_wrong_order() {
    let store = of(100);
    let one = put_of_epoch(&store, store.epoch(), 1, node(1, 11, Arc::new(1)));
    let other = put_of_epoch(&store, store.epoch(), 1, node(1, 11, Arc::new(2)));
    store.carry_out(other);
    store.carry_out(one);
    assert_eq!((get(&store, 1, 11), counts(&store)), (Some(2), (1, 1)));
    // A node that is removed before moka hears of it leaves nothing behind.
    let late = put_of_epoch(&store, store.epoch(), 1, node(2, 22, Arc::new(3)));
    assert!(take(&store, 2, 22));
    store.carry_out(late);
    assert_eq!(counts(&store), (1, 1));
}

#[test]
fn a_clear_reaches_what_was_made_before_it() {
    let store = of(100);
    put(&store, 1, 11, 1);
    let epoch = store.epoch();
    let late = put_of_epoch(&store, epoch, 1, node(3, 33, Arc::new(3)));
    assert_eq!(store.clear(), epoch + 1);
    assert_eq!(get(&store, 1, 11), None);
    let later = put_of_epoch(&store, epoch, 1, node(2, 22, Arc::new(2)));
    assert_eq!(get(&store, 2, 22), None, "its epoch has passed");
    store.carry_out(later);
    store.carry_out(late);
    assert_eq!(counts(&store), (0, 0), "nothing is left");
    put(&store, 1, 11, 3);
    assert_eq!(get(&store, 1, 11), Some(3));
}

/// `clear` in slow motion: as soon as it has begun, no hit is served with a node that it has yet to remove, however
/// often that was hit before.
#[test]
fn a_clear_that_has_begun_hides_what_it_will_remove() {
    let store = of(100);
    put(&store, 1, 11, 1);
    assert_eq!(served(&store, 1, 11), Some(1));
    store.begin_clear();
    assert_eq!((served(&store, 1, 11), served(&store, 1, 11), get(&store, 1, 11)), (None, None, None));
    assert_eq!(store.values.index.nodes(), 1, "it is still in the index");
    put(&store, 2, 22, 2);
    assert_eq!(served(&store, 2, 22), Some(2));
}

/// `put` in slow motion: a whole `clear` comes after it has taken a number and read the epoch, and before the node is
/// in the index. No reader sees the node, and it is removed when moka is told.
#[test]
fn a_clear_in_the_middle_of_a_put_removes_the_node() {
    let store = of(100);
    let mut late = Some(node(1, 11, Arc::new(1)));
    let serial = store.number(late.as_ref().unwrap());
    store.clear();
    let added = store.values.index.insert(&mut late, serial, false, None, &store.pin()).unwrap();
    assert!(added.left.is_none());
    assert_eq!(
        (served(&store, 1, 11), get(&store, 1, 11)),
        (None, None),
        "its number is from before the clear"
    );
    store.carry_out(Change { added: Some((PartKind::Value, added, 1)), left: None });
    assert_eq!(counts(&store), (0, 0));
}

#[test]
fn a_sweep_drops_what_is_past_its_retention() {
    let store = of(100);
    let sweep = |now: u64| store.sweep(Moment::from_bits(now), &store.pins()).len();
    assert_eq!(store.next_gone(), Moment::NEVER);
    let value = Arc::new(1);
    let held = Arc::downgrade(&value);
    let change = put_of_epoch(&store, 0, 1, node(1, 11, value));
    store.carry_out(change);
    assert_eq!(store.next_gone(), Moment::PAST.plus(100));
    assert_eq!(sweep(99), 0);
    assert!(held.upgrade().is_some());
    assert_eq!(sweep(100), 0);
    assert!(held.upgrade().is_none());
    assert_eq!(counts(&store), (0, 0));
    assert_eq!((store.next_gone(), store.evicted()), (Moment::NEVER, 0));
}

/// A panic in a user's `Drop` reaches neither the reader nor the eviction listener, which moka would disable.
#[test]
fn a_drop_that_panics_stops_no_eviction() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let store: Store<u64, Bomb, ()> = Store::new(Limit::Entries(10), Eviction::Lru, WINDOWS);
    for key in 0..1_000 {
        let mut node =
            Some(Node::new(key, key, times(), &WINDOWS, Content::Value(Bomb, Generation::default())));
        let change = store.put(&mut node, 1, 0, None, &store.pins());
        store.carry_out(change);
    }
    store.values.capacity.maintain();
    assert_eq!(store.values.index.nodes(), 10);
}
