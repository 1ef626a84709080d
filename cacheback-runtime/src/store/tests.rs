//! The store alone: what is put is found, what is gone is gone, and the bound holds.

use super::*;
use crate::rules::freshness::Times;

type Small = Store<u64, Arc<u64>, ()>;
type SmallNode = Node<u64, Arc<u64>, ()>;

const SPANS: Spans = Spans { max_stale: 0, retention: 100, ahead: 0 };

fn times() -> Times {
    Times::of(Moment::PAST, 10, SPANS)
}

fn of(capacity: u64) -> Small {
    Store::new(Limit::Entries(capacity), Eviction::Lru, SPANS)
}

fn node(key: u64, hash: u64, value: Arc<u64>) -> SmallNode {
    Node::new(key, hash, times(), &SPANS, Content::Value(value, Round::default()))
}

/// Puts, and says what moka is to be told.
fn put_of_epoch(store: &Small, epoch: u64, weight: u32, node: SmallNode) -> Change {
    let (key, hash) = (*node.key(), node.hash());
    let mut node = Some(node);
    let pins = store.pins();
    with_known(store, key, hash, |known| {
        let replaced = store.resident(hash, known, &pins)?;
        Ok(store.put(&mut node, weight, epoch, replaced, &pins))
    })
}

/// Puts, as the engine does.
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
    mut work: impl FnMut(&Known<u64>) -> Result<R, Strangers<u64>>,
) -> R {
    let mut known = Known::new(Arc::new(key), None);
    loop {
        match work(&known) {
            Ok(done) => return done,
            Err(strangers) => known.meet(strangers, |me, face| match face {
                Face::Key(other) => Some(*me == **other),
                Face::Node(id) => store.compare(hash, *id, |other| me == other),
            }),
        }
    }
}

fn get(store: &Small, key: u64, hash: u64) -> Option<u64> {
    let pin = store.pin();
    let node = store.find(hash, |other| *other == key, &pin)?;
    node.value(Moment::PAST, &SPANS).map(|value| **value)
}

/// A hit of a key: whether it was worth telling moka.
fn hit(store: &Small, key: u64, hash: u64) -> bool {
    let pin = store.pin();
    let Some(node) = store.find(hash, |other| *other == key, &pin) else { return false };
    let told = node.cached().is_some_and(|(_, told)| store.wants_record(told));
    if told {
        store.record(node);
    }
    told
}

/// How many nodes index and moka have.
fn counts(store: &Small) -> (u64, u64) {
    let (nodes, findable, residents) = store.counts();
    assert_eq!(nodes, findable);
    (nodes, residents)
}

#[test]
fn what_is_put_is_found_until_it_is_replaced_or_taken() {
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

/// A node is found by its number alone, however many lie beside it.
#[test]
fn strangers_of_one_hash_are_each_met_once() {
    let store = of(1_000);
    for key in 0..500 {
        put(&store, key, 7, key);
    }
    let asked = std::cell::Cell::new(0);
    let pins = store.pins();
    let mut known = Known::new(Arc::new(1_000), None);
    let strangers = store.resident(7, &known, &pins).err().unwrap();
    known.meet(strangers, |me, face| {
        let Face::Node(id) = face else { unreachable!() };
        store.compare(7, *id, |other| {
            asked.set(asked.get() + 1);
            me == other
        })
    });
    assert_eq!(asked.get(), 500);
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

/// moka is not asked at each insertion, but whoever counts sees no more than there may be.
#[test]
fn who_counts_sees_the_bound() {
    let store = of(10_000);
    for key in 0..25_000 {
        put(&store, key, key, key);
        assert!(store.values.index.nodes() <= 10_064);
    }
    assert!(store.values.index.nodes() > 10_000, "or this tests nothing");
    assert_eq!((store.len(Moment::PAST), store.evicted()), (10_000, 15_000));
    let bytes: Small = Store::new(Limit::Bytes(128_000), Eviction::Lru, SPANS);
    for key in 0..1_000 {
        let change = put_of_epoch(&bytes, 0, 300, node(key, key, Arc::new(key)));
        bytes.carry_out(change);
        assert!(bytes.values.index.nodes() * 300 <= 128_000 + 1_000 + 300);
    }
    assert_eq!(bytes.len(Moment::PAST), 128_000 / 300);
}

/// A refresh of a full cache is no reason to drop anything.
#[test]
fn a_value_that_replaces_another_takes_its_room() {
    let store = of(50);
    for round in 0..20 {
        for key in 0..50 {
            put(&store, key, key, round);
        }
    }
    assert_eq!((store.len(Moment::PAST), store.evicted(), counts(&store)), (50, 0, (50, 50)));
}

/// The gate: hits of a hot key reach moka once enough was inserted, so it outlives the cold ones.
#[test]
fn a_hot_key_stays() {
    let store = of(512);
    put(&store, 0, 0, 0);
    let mut told = 0;
    for key in 1..20_000 {
        put(&store, key, key, key);
        assert!(get(&store, 0, 0).is_some(), "evicted after {key} insertions");
        told += u64::from(hit(&store, 0, 0));
    }
    assert_eq!(told, 20_000 / (512 / 8), "once each eighth of the capacity");
}

/// TinyLFU alone may refuse a newcomer for ever; here each is seen, and what is in use survives a scan.
#[test]
fn tiny_lfu_shows_newcomers_and_keeps_what_is_in_use() {
    let store: Small = Store::new(Limit::Entries(1_000), Eviction::TinyLfu, SPANS);
    for key in 0..900 {
        put(&store, key, spread(key), key);
    }
    for key in 10_000..30_000 {
        put(&store, key, spread(key), key);
        assert_eq!(get(&store, key, spread(key)), Some(key), "a newcomer is visible");
        assert!(store.values.index.nodes() <= 1_000 + 7, "the bound, and a little to work with");
        for hot in (0..900).filter(|hot| hot % 50 == key % 50) {
            hit(&store, hot, spread(hot));
        }
    }
    let kept = (0..900).filter(|key| get(&store, *key, spread(*key)).is_some()).count();
    assert!(kept >= 850, "{kept} of 900");
    let (nodes, residents) = counts(&store);
    assert_eq!(nodes, residents);
}

/// A key that is fetched again and again is asked for again and again: in the end it stays.
#[test]
fn tiny_lfu_counts_misses() {
    let store: Small = Store::new(Limit::Entries(1_000), Eviction::TinyLfu, SPANS);
    for key in 0..1_000 {
        put(&store, key, spread(key), key);
    }
    store.values.bound.settle();
    let wanted = 5_000;
    for round in 0..8 {
        put(&store, wanted, spread(wanted), 0);
        for key in 0..100 {
            let seen_once = 10_000 + round * 100 + key;
            put(&store, seen_once, spread(seen_once), 0);
        }
    }
    store.values.bound.settle();
    assert_eq!(get(&store, wanted, spread(wanted)), Some(0));
}

/// A node may be removed in the moment between moka's two parts, and then neither has it to forget.
#[test]
fn what_is_gone_on_its_way_through_the_window_leaves_nothing_behind() {
    let store: Small = Store::new(Limit::Entries(2), Eviction::TinyLfu, SPANS);
    put(&store, 1, 11, 1);
    {
        let pin = store.pin();
        let node = store.find(11, |key| *key == 1, &pin).unwrap();
        // What moka would be told of finds nothing there yet.
        let _ = store.take(node);
    }
    put(&store, 2, 22, 2);
    assert_eq!(counts(&store), (1, 1));
}

/// As a hash would be.
fn spread(key: u64) -> u64 {
    key.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[test]
fn a_bound_of_one_is_one() {
    for eviction in [Eviction::Lru, Eviction::TinyLfu] {
        let store: Small = Store::new(Limit::Entries(1), eviction, SPANS);
        for key in 0..100 {
            put(&store, key, key, key);
            assert_eq!(get(&store, key, key), Some(key), "{eviction:?}");
            assert_eq!(counts(&store), (1, 1), "{eviction:?}");
        }
    }
}

#[test]
fn bytes_are_the_bound_where_they_are_counted() {
    let store: Small = Store::new(Limit::Bytes(1_000), Eviction::Lru, SPANS);
    for key in 0..1_000 {
        let weight = u32::try_from(1 + key % 100).unwrap();
        let change = put_of_epoch(&store, store.epoch(), weight, node(key, key, Arc::new(weight.into())));
        store.carry_out(change);
        let pin = store.pin();
        let total: u64 = pin.keys().map(|node| **node.value(Moment::PAST, &SPANS).unwrap()).sum();
        assert!(total <= 1_000 && get(&store, key, key).is_some(), "{key}: {total}");
    }
    let (nodes, residents) = counts(&store);
    assert!(nodes == residents && nodes > 8, "{nodes} {residents}");
}

#[test]
fn weights_fit_whatever_the_bound() {
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
fn there_is_room_for_a_record_wherever_there_is_room_for_a_value() {
    let records = |limits: [Limit; 4]| limits.map(|limit| limit.of_records().size());
    assert_eq!(records([0, 1, 4, 10_000].map(Limit::Entries)), [0, 1, 1, 2_500]);
    assert_eq!(records([0, 1, 1_024, 1 << 20].map(Limit::Bytes)), [0, 1, 1, 1_024]);
}

/// Puts a record that the key rests, as the engine does.
fn put_record(store: &Small, key: u64) {
    let times = Times::of_nothing(Moment::PAST, 100);
    let node = Node::new(key, spread(key), times, &SPANS, Content::Nothing);
    let change = put_of_epoch(store, store.epoch(), RECORD_WEIGHT, node);
    store.carry_out(change);
}

/// What is known of a key in either part.
fn known(store: &Small, key: u64) -> Option<Kind> {
    let pins = store.pins();
    with_known(store, key, spread(key), |known| Ok(store.resident(spread(key), known, &pins)?.map(Kind::of)))
}

/// A flood of failures: the newest are remembered, and no value is gone for them.
#[test]
fn records_have_a_bound_of_their_own() {
    let store = of(100);
    for key in 0..100 {
        put(&store, key, spread(key), key);
    }
    assert!(store.records.get().is_none(), "made when there is something to remember");
    for key in 1_000..11_000 {
        put_record(&store, key);
        assert_eq!(known(&store, key), Some(Kind::Record));
    }
    assert_eq!((store.len(Moment::PAST), store.evicted(), counts(&store)), (100, 0, (125, 125)));
    for key in 0..100 {
        assert_eq!(get(&store, key, spread(key)), Some(key));
    }
    assert_eq!(known(&store, 1_000), None);
}

/// A key is in one part at a time, whichever follows on the other.
#[test]
fn a_value_takes_the_place_of_a_record_and_a_record_that_of_a_value() {
    let store = of(100);
    for key in [1, 2] {
        put_record(&store, key);
    }
    assert_eq!((get(&store, 1, spread(1)), counts(&store)), (None, (2, 2)));
    put(&store, 1, spread(1), 5);
    assert_eq!(
        (known(&store, 1), get(&store, 1, spread(1)), counts(&store)),
        (Some(Kind::Value), Some(5), (2, 2))
    );
    put_record(&store, 1);
    assert_eq!(
        (known(&store, 1), get(&store, 1, spread(1)), counts(&store)),
        (Some(Kind::Record), None, (2, 2))
    );
    assert!(take(&store, 1, spread(1)) && !take(&store, 1, spread(1)));
    let _ = store.clear();
    assert_eq!((known(&store, 2), counts(&store)), (None, (0, 0)));
}

/// A key that is refreshed again and again costs what any other does: each value lies where the one before it was. The
/// map counts the places that it looks through.
#[test]
fn a_key_that_is_refreshed_often_stays_where_it_is() {
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
        let address = store.find(spread(key), |other| *other == key, &pin).map(|node| node.life);
        (compared.get(), address)
    };
    let before = looked_at(7);
    for round in 0..5_000 {
        put(&store, 7, spread(7), round);
        assert_eq!(get(&store, 7, spread(7)), Some(round));
    }
    assert_eq!(looked_at(7), before, "the same place");
    assert_eq!((store.evicted(), counts(&store)), (0, (1_000, 1_000)));
}

/// One that is evicted just as it is replaced takes nothing of its successor with it.
#[test]
fn an_eviction_takes_only_the_very_node() {
    let store = of(100);
    put(&store, 1, 11, 1);
    let old = {
        let pin = store.pin();
        store.find(11, |_| true, &pin).unwrap().place()
    };
    let change = put_of_epoch(&store, 0, 1, node(1, 11, Arc::new(2)));
    assert!(!store.values.index.remove(old), "it is gone already");
    store.carry_out(change);
    assert_eq!((get(&store, 1, 11), counts(&store)), (Some(2), (1, 1)));
    // And one that was evicted before its successor came leaves a place to it.
    let old = {
        let pin = store.pin();
        store.find(11, |_| true, &pin).unwrap().place()
    };
    let pin = store.pin();
    let replaced = store.find(11, |_| true, &pin);
    assert!(store.values.index.remove(old));
    let mut newer = Some(node(1, 11, Arc::new(3)));
    let change = store.put(&mut newer, 1, 0, replaced, &store.pins());
    store.carry_out(change);
    store.values.bound.remove(old);
    assert_eq!((get(&store, 1, 11), counts(&store)), (Some(3), (1, 1)));
}

/// Many nodes of one hash are as many entries.
#[test]
fn the_bound_counts_nodes_and_not_hashes() {
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
        let store = Store::new(limit, Eviction::Lru, SPANS);
        for key in 0..1_000 {
            put(&store, key, key, key);
            assert_eq!(store.values.index.nodes(), 0);
        }
    }
}

/// Writes to one key out of step with moka: what moka holds in the end is what the index holds.
#[test]
fn changes_in_the_wrong_order_agree_in_the_end() {
    let store = of(100);
    let one = put_of_epoch(&store, store.epoch(), 1, node(1, 11, Arc::new(1)));
    let other = put_of_epoch(&store, store.epoch(), 1, node(1, 11, Arc::new(2)));
    store.carry_out(other);
    store.carry_out(one);
    assert_eq!((get(&store, 1, 11), counts(&store)), (Some(2), (1, 1)));
    // One that is gone before moka hears of it leaves nothing behind.
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
    assert_eq!(get(&store, 2, 22), None, "of an epoch that has passed");
    store.carry_out(later);
    store.carry_out(late);
    assert_eq!(counts(&store), (0, 0), "and nothing is left of it");
    put(&store, 1, 11, 3);
    assert_eq!(get(&store, 1, 11), Some(3));
}

/// `put` in slow motion: it has its number and has seen the epoch when a whole `clear` comes, and only then is the node
/// put in. No reader sees it, and it is gone when moka is told.
#[test]
fn a_clear_between_the_number_and_the_node() {
    let store = of(100);
    let serial = store.serial.fetch_add(1, Ordering::SeqCst);
    store.clear();
    let mut late = Some(node(1, 11, Arc::new(1)));
    let (came, went) = store.values.index.insert(&mut late, serial, 1, None, &store.pin()).unwrap();
    assert!(went.is_none());
    assert_eq!(get(&store, 1, 11), None, "it is from before the clear");
    store.carry_out(Change { came: Some((Kind::Value, came)), went: None });
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

/// A user's `Drop` that panics reaches neither the reader nor the eviction listener, which moka would drop.
#[test]
fn a_drop_that_panics_stops_no_eviction() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let store: Store<u64, Bomb, ()> = Store::new(Limit::Entries(10), Eviction::Lru, SPANS);
    for key in 0..1_000 {
        let mut node = Some(Node::new(key, key, times(), &SPANS, Content::Value(Bomb, Round::default())));
        let change = store.put(&mut node, 1, 0, None, &store.pins());
        store.carry_out(change);
    }
    store.values.bound.settle();
    assert_eq!(store.values.index.nodes(), 10);
}
