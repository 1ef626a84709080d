//! Which changes wait, in which order, and what becomes of them.

use std::time::Duration;

use super::*;
use crate::tier::{Ages, Packed, Payload};

const SECOND: u64 = 1_000_000_000;

fn at(seconds: u64) -> Moment {
    Moment::from_bits(1 << 62).plus(seconds * SECOND)
}

fn scope(name: &str) -> Arc<Scope> {
    Arc::new(Scope { name: name.into(), instance: None })
}

fn key_of(name: &str, number: u8) -> WireKey {
    WireKey { scope: scope(name), hash: [number; 16], fingerprint: u64::from(number), args: [number].into() }
}

fn key(number: u8) -> WireKey {
    key_of("users", number)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn set(text: &str) -> Change {
    let ages = Ages { age: Duration::ZERO, lifetime: secs(60), retention: secs(6_000) };
    let packed = Packed { compression: 0, raw_len: text.len() as u32, bytes: Arc::new(text.into()) };
    Change::Set(Payload { packed, schema: 7, ages, at: at(0), took: Duration::ZERO })
}

const REMOVE: Change = Change::Remove { tombstone: secs(600) };
const INVALIDATE: Change = Change::Invalidate { tombstone: secs(600) };

/// The same, made so late.
fn made(change: &Change, seconds: u64) -> Change {
    match change.clone() {
        Change::Set(value) => Change::Set(Payload { at: at(seconds), ..value }),
        change => change,
    }
}

/// What is told, in short: a value with its age and lifetime, or a word.
fn short(change: &Change, now: u64) -> String {
    match change.clone().aged_until(at(now)) {
        Change::Set(Payload { packed, ages, .. }) => {
            let text = String::from_utf8_lossy(&packed.bytes);
            format!("{text} {} of {}", ages.age.as_secs(), ages.lifetime.as_secs())
        }
        Change::Remove { .. } => "remove".to_owned(),
        Change::Invalidate { .. } => "invalidate".to_owned(),
    }
}

fn item(item: &Item, now: u64) -> String {
    match item {
        Item::All(scope, change, ..) => format!("{} {change:?}", scope.name),
        Item::Key { key, parts, .. } => {
            let due = parts.due(at(now)).unwrap();
            let age =
                parts.whole.as_ref().or(parts.stale.as_ref()).unwrap().late(None).by(at(now)).age.as_secs();
            let then = parts.whole.as_ref().and(parts.stale.as_ref()).map_or("", |_| ", then stale");
            format!("{} {}, {age} s ago{then}", key.hash[0], short(&due, now))
        }
    }
}

/// The same, told at this time.
fn numbered(parts: &Parts, now: u64) -> Parts {
    let part = |part: &Option<Part>| {
        part.as_ref().map(|part| Part { known: Some(WriteId(now + 1_000)), ..part.clone() })
    };
    Parts { whole: part(&parts.whole), stale: part(&parts.stale) }
}

/// A queue, and a tier that answers nothing, with when its connections were lost, in seconds.
struct World(Queue, HashMap<u64, u64>);

/// The connection of everything that is told, unless another is named.
const FIRST: u64 = 1;

impl World {
    fn new() -> Self {
        Self::with(Bounds::default())
    }
    fn with(bounds: Bounds) -> Self {
        Self(Queue::with(bounds), HashMap::new())
    }
    /// With a queue, and how something is told now.
    fn telling<T>(
        &mut self,
        on: Option<u64>,
        seconds: u64,
        tell: impl FnOnce(&mut Queue, Told<'_>) -> T,
    ) -> T {
        let losses = &self.1;
        let losses = |connection, _: &WireKey| losses.get(&connection).map(|lost| at(*lost));
        tell(&mut self.0, Told { on, now: at(seconds), losses: &losses })
    }
    /// A change has arrived, on this connection.
    fn tell(&mut self, number: u8, change: Change, on: Option<u64>, seconds: u64) -> bool {
        let turn = self.send(number, &change, seconds);
        let known = Some(WriteId(seconds + 100));
        let part = Part { change: made(&change, seconds), turn, at: at(seconds), known };
        self.telling(on, seconds, |queue, told| queue.flown(&key(number), part, told))
    }
    /// A connection is lost, and one of the same number is made.
    fn reconnect(&mut self, lost: u64, seconds: u64) {
        self.1.insert(lost, seconds);
        self.notice();
        self.1.clear();
    }
    fn notice(&mut self) {
        self.telling(None, 0, |queue, told| queue.reconnected(told.losses));
    }
    /// A change that the tier cannot be told of.
    fn lose(&mut self, number: u8, change: Change, seconds: u64) {
        self.lose_of(&key(number), change, seconds);
    }
    fn lose_of(&mut self, key: &WireKey, change: Change, seconds: u64) {
        let change = made(&change, seconds);
        if let Route::Direct { turn } = self.0.write(key, &change, at(seconds)) {
            let part = Part { change, turn, at: at(seconds), known: None };
            self.telling(None, seconds, |queue, told| queue.flown(key, part, told));
        }
    }
    fn bump(&mut self, change: Bump, seconds: u64) {
        if let Route::Direct { turn } = self.0.bump(&scope("users"), change, at(seconds)) {
            self.0.bump_flown(&scope("users"), change, turn, at(seconds), false);
        }
    }
    fn send(&mut self, number: u8, change: &Change, seconds: u64) -> u64 {
        match self.0.write(&key(number), &made(change, seconds), at(seconds)) {
            Route::Direct { turn } => turn,
            Route::Queued { .. } => panic!("it waits"),
        }
    }
    fn end(&mut self, number: u8, change: Change, turn: u64, answer: Option<u64>, seconds: u64) {
        let change = made(&change, seconds);
        let part = Part { change, turn, at: at(seconds), known: answer.map(WriteId) };
        self.telling(Some(FIRST), seconds, |queue, told| queue.flown(&key(number), part, told));
    }
    /// All that waits, delivered one after the other.
    fn deliver(&mut self, now: u64) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let items = self.0.batch(&mut Cursor::default(), 1);
            let [next] = &items[..] else { break };
            told.push(item(next, now));
            let holds = match next {
                Item::Key { parts, .. } => numbered(parts, now),
                Item::All(..) => Parts::default(),
            };
            self.delivered(next, holds, now);
        }
        assert!(self.0.is_empty() && self.0.order.is_empty(), "all of it was delivered");
        told
    }
    fn delivered(&mut self, item: &Item, holds: Parts, seconds: u64) {
        let waits = self.telling(Some(FIRST), seconds, |queue, told| queue.delivered(item, holds, told));
        assert!(!waits);
    }
    fn is_queued(&mut self, number: u8, seconds: u64) -> bool {
        matches!(self.0.write(&key(number), &REMOVE, at(seconds)), Route::Queued { .. })
    }
}

#[test]
fn changes_wait_in_their_order_one_a_key() {
    let mut world = World::new();
    world.lose(2, set("a"), 0);
    world.lose(1, REMOVE, 1);
    world.lose(3, INVALIDATE, 2);
    world.lose(1, set("b"), 3);
    assert_eq!(world.0.len(), 3);
    assert_eq!(
        world.deliver(10),
        ["2 a 10 of 60, 10 s ago", "3 invalidate, 8 s ago", "1 b 7 of 60, 7 s ago"]
    );
    assert_eq!(world.0.counts, Counts { recovered: 3, ..Counts::default() });
    assert!(!world.is_queued(4, 10));
}

/// One change after another, and what is told of both.
#[test]
fn the_latest_change_wins() {
    let table = [
        (set("a"), set("b"), "1 b 6 of 60, 6 s ago"),
        (set("a"), REMOVE, "1 remove, 6 s ago"),
        // Stale from then on.
        (set("a"), INVALIDATE, "1 a 10 of 4, 10 s ago, then stale"),
        (REMOVE, set("b"), "1 b 6 of 60, 6 s ago"),
        (REMOVE, REMOVE, "1 remove, 6 s ago"),
        (REMOVE, INVALIDATE, "1 remove, 10 s ago, then stale"),
        (INVALIDATE, set("b"), "1 b 6 of 60, 6 s ago"),
        (INVALIDATE, REMOVE, "1 remove, 6 s ago"),
        (INVALIDATE, INVALIDATE, "1 invalidate, 6 s ago"),
    ];
    for (one, other, expected) in table {
        let mut world = World::new();
        world.lose(1, one.clone(), 0);
        world.lose(1, other.clone(), 4);
        assert_eq!(world.deliver(10), [expected]);
        // Sent before the first has failed, and both fail: in whichever order they do.
        for is_first_later in [false, true] {
            let (first, second) = (world.send(1, &one, 0), world.send(1, &other, 4));
            let ends = [(one.clone(), first, 0), (other.clone(), second, 4)];
            let ends = if is_first_later { ends.into_iter().rev().collect() } else { Vec::from(ends) };
            for (change, turn, seconds) in ends {
                world.end(1, change, turn, None, seconds);
            }
            assert_eq!(world.deliver(10), [expected], "{is_first_later}");
        }
    }
}

/// One change is lost, and a later one was told.
#[test]
fn a_change_that_was_followed_by_one_that_was_told_is_over() {
    let table = [
        (set("a"), set("b"), None),
        (set("a"), REMOVE, None),
        (REMOVE, set("b"), None),
        (INVALIDATE, REMOVE, None),
        (INVALIDATE, INVALIDATE, None),
        // These still say what the value is.
        (set("a"), INVALIDATE, Some("1 a 10 of 4, 10 s ago, then stale")),
        (REMOVE, INVALIDATE, Some("1 remove, 10 s ago, then stale")),
    ];
    for (one, other, expected) in table {
        for is_first_later in [false, true] {
            let mut world = World::new();
            let (first, second) = (world.send(1, &one, 0), world.send(1, &other, 4));
            if !is_first_later {
                world.end(1, one.clone(), first, None, 0);
                // Another is on its way: it is not to be overtaken.
                assert!(world.0.batch(&mut Cursor::default(), 1).is_empty());
            }
            world.end(1, other.clone(), second, Some(7), 4);
            if is_first_later {
                world.end(1, one.clone(), first, None, 0);
            }
            let due: Vec<_> = expected.into_iter().collect();
            if let (Item::Key { over, .. }, true) = (
                match world.0.next_of(&key(1), u64::MAX) {
                    Next::Send(item) => {
                        world.0.failed(&item);
                        item
                    }
                    _ => Item::All(scope("none"), Bump::Gone, 0, at(0)),
                },
                expected.is_some(),
            ) {
                assert_eq!(over, Some(WriteId(7)), "the later one is no reason to yield");
            }
            assert_eq!(world.deliver(10), due, "{one:?} {other:?} {is_first_later}");
        }
    }
}

/// As long as a change waits, or is being delivered, later ones of its key wait behind it.
#[test]
fn later_changes_of_a_key_wait_behind_it() {
    let mut world = World::new();
    world.lose(1, set("a"), 0);
    assert!(matches!(world.0.write(&key(2), &REMOVE, at(0)), Route::Direct { .. }));
    let Next::Send(first) = world.0.next_of(&key(1), u64::MAX) else { panic!("it waits") };
    assert!(matches!(world.0.next_of(&key(1), u64::MAX), Next::Busy));
    let Route::Queued { turn, until } = world.0.write(&key(1), &made(&set("b"), 1), at(1)) else {
        panic!("it waits")
    };
    let Item::Key { parts, .. } = &first else { panic!("a key") };
    world.delivered(&first, parts.clone(), 2);
    // The one behind it is not over with it.
    let Next::Send(second) = world.0.next_of(&key(1), until) else { panic!("it waits") };
    assert_eq!(item(&second, 2), "1 b 1 of 60, 1 s ago");
    world.0.failed(&second);
    assert_eq!(world.0.failures(&key(1).scope, Some(&key(1))), 1);
    assert_eq!(world.deliver(3), ["1 b 2 of 60, 2 s ago"]);
    assert!(matches!(world.0.next_of(&key(1), until), Next::Nothing));
    assert_eq!(world.0.number_of(&key(1), turn), Some(WriteId(1_003)));
}

#[test]
fn a_value_that_has_waited_for_long_is_a_removal() {
    for (waited, expected) in [(600, "1 a 600 of 60, 600 s ago"), (601, "1 remove, 601 s ago")] {
        let mut world = World::new();
        world.lose(1, set("a"), 0);
        assert_eq!(world.deliver(waited), [expected]);
    }
}

#[test]
fn changes_of_all_keys_come_first_and_end_what_was_before_them() {
    let mut world = World::new();
    world.lose(1, set("a"), 0);
    world.lose(2, INVALIDATE, 0);
    world.lose_of(&key_of("teams", 1), set("c"), 0);
    world.bump(Bump::Stale, 2);
    world.lose(3, INVALIDATE, 3);
    assert_eq!(
        world.deliver(10),
        [
            "users Stale",
            "1 a 10 of 2, 10 s ago, then stale",
            "1 c 10 of 60, 10 s ago",
            "3 invalidate, 7 s ago"
        ]
    );
    world.lose(1, set("a"), 20);
    world.bump(Bump::Stale, 21);
    world.lose(2, REMOVE, 22);
    world.bump(Bump::Gone, 23);
    world.bump(Bump::Gone, 24);
    world.lose(3, set("b"), 25);
    assert_eq!(world.deliver(30), ["users Gone", "3 b 5 of 60, 5 s ago"]);
    // One that was sent before, and fails only now.
    for (change, expected) in [(Bump::Gone, None), (Bump::Stale, Some("1 a 10 of 1, 10 s ago, then stale"))] {
        let turn = world.send(1, &set("a"), 40);
        let Route::Direct { .. } = world.0.bump(&scope("users"), change, at(41)) else { panic!("it waits") };
        world.end(1, set("a"), turn, None, 40);
        assert_eq!(world.deliver(50), expected.into_iter().collect::<Vec<_>>());
    }
}

/// As long as a change of all keys waits, changes of single ones wait behind it.
#[test]
fn changes_wait_behind_one_of_all_keys() {
    let mut world = World::new();
    world.bump(Bump::Gone, 0);
    world.lose_of(&key_of("teams", 1), REMOVE, 1);
    assert!(world.is_queued(1, 1));
    assert!(matches!(world.0.next_of(&key(9), u64::MAX), Next::Send(Item::All(..))));
    assert!(matches!(world.0.next_of(&key(9), u64::MAX), Next::Busy));
    assert!(matches!(world.0.next_of_all(&scope("teams"), u64::MAX), Next::Nothing));
}

#[test]
fn past_the_bound_all_values_are_stale_or_gone() {
    let bounds = Bounds { keys: 3, bytes: 1_000 };
    let table = [(INVALIDATE, "users Stale"), (REMOVE, "users Gone"), (set("x"), "users Gone")];
    for (last, expected) in table {
        let mut world = World::with(bounds);
        world.lose_of(&key_of("teams", 1), REMOVE, 0);
        world.lose(1, INVALIDATE, 0);
        world.lose(2, INVALIDATE, 0);
        assert_eq!(world.0.crowded(), None);
        // One more of a key that waits already is none too many.
        world.lose(2, INVALIDATE, 1);
        assert_eq!((world.0.counts.overflowed, world.0.len()), (0, 3));
        world.lose(3, last, 2);
        assert_eq!(world.0.counts.overflowed, 3, "itself, and the two that waited");
        assert_eq!(world.0.crowded().as_deref(), Some("users"));
        assert_eq!(world.0.crowded(), None, "it is said once");
        // There is room again, and nobody overtakes.
        world.lose(4, INVALIDATE, 3);
        assert_eq!(world.deliver(5), [expected, "1 remove, 5 s ago", "4 invalidate, 2 s ago"]);
    }
}

/// A value for which there is no room is a removal.
/// A full disk, say: the older value is to go all the same.
#[test]
fn a_value_that_is_refused_waits_as_a_removal() {
    let mut world = World::new();
    world.lose(1, set("a"), 0);
    world.lose(1, INVALIDATE, 1);
    world.lose(2, set("b"), 2);
    let refused = world.0.batch(&mut Cursor::default(), 2);
    // Another value comes before the answer.
    assert!(matches!(world.0.write(&key(2), &made(&set("c"), 3), at(3)), Route::Queued { .. }));
    for item in &refused {
        world.0.refused(item);
        world.0.failed(item);
    }
    assert_eq!(world.deliver(4), ["1 remove, 4 s ago, then stale", "2 c 1 of 60, 1 s ago"]);
    assert_eq!((world.0.bytes, world.0.counts.recovered), (1, 2));
}

#[test]
fn values_are_bounded_in_bytes() {
    let mut world = World::with(Bounds { keys: 10, bytes: 10 });
    world.lose(1, set("12345"), 0);
    world.lose(2, set("123456"), 0);
    world.lose(3, set("12345"), 0);
    assert_eq!(world.0.bytes, 10);
    assert_eq!(
        world.deliver(0),
        ["1 12345 0 of 60, 0 s ago", "2 remove, 0 s ago", "3 12345 0 of 60, 0 s ago"]
    );
    assert_eq!(world.0.bytes, 10, "both are kept");
    world.reconnect(FIRST, 0);
    assert_eq!(world.0.bytes, 10);
    assert_eq!(world.deliver(100).len(), 3);
    let turn = world.send(4, &REMOVE, 200);
    world.end(4, REMOVE, turn, Some(1), 200);
    assert_eq!((world.0.bytes, world.0.slots.len()), (0, 1));
}

/// What was told in the last ten seconds of a connection is told again on the next one, with its number.
#[test]
fn what_was_told_of_late_is_told_again() {
    let mut world = World::new();
    for (number, seconds) in [(1, 0), (2, 11), (3, 15)] {
        let turn = world.send(number, &set("a"), seconds);
        world.end(number, set("a"), turn, Some(seconds + 100), seconds);
    }
    world.lose(4, REMOVE, 16);
    assert_eq!(world.0.slots.len(), 3, "the first is kept no more");
    // Lost at 22, and back.
    world.reconnect(FIRST, 22);
    let numbers: Vec<_> = world.0.slots.values().filter_map(|slot| slot.owed.whole.as_ref()?.known).collect();
    assert_eq!(numbers.len(), 1, "{numbers:?}");
    assert_eq!(world.deliver(30), ["3 a 15 of 60, 15 s ago", "4 remove, 14 s ago"]);
    // It is there: that is no news.
    world.reconnect(FIRST, 30);
    let items = world.0.batch(&mut Cursor::default(), 9);
    assert_eq!(items.len(), 2);
    let parts = |item: &Item| match item {
        Item::Key { parts, .. } => parts.clone(),
        Item::All(..) => unreachable!("single keys"),
    };
    for item in &items {
        world.delivered(item, parts(item), 31);
    }
    let Counts { recovered, yielded, .. } = world.0.counts;
    assert_eq!((recovered, yielded, world.0.is_empty()), (2, 0, true));
    // The next connection may be lost as soon.
    world.reconnect(FIRST, 32);
    assert_eq!(world.0.len(), 2);
    for item in &world.0.batch(&mut Cursor::default(), 9) {
        world.delivered(item, Parts::default(), 33);
    }
    assert!(world.0.is_idle() && world.0.slots.is_empty());
}

/// One of several connections is lost for longer than changes are kept. Those that were told on it are told again on the
/// next one, and nothing else is.
#[test]
fn what_was_told_on_a_lost_connection_is_kept_until_it_is_back() {
    let mut world = World::new();
    world.tell(1, set("a"), Some(1), 0);
    world.tell(2, set("b"), Some(1), 9);
    world.tell(3, set("c"), Some(2), 9);
    world.1.insert(1, 12);
    for seconds in 10..40 {
        assert!(!world.tell(4, REMOVE, Some(2), seconds), "that one is there");
    }
    // A third one comes, and is lost as well.
    world.tell(5, REMOVE, Some(3), 40);
    world.reconnect(3, 41);
    assert_eq!(world.deliver(42), ["2 b 33 of 60, 33 s ago", "5 remove, 2 s ago"]);
    world.reconnect(2, 42);
    assert_eq!(world.deliver(43), ["4 remove, 4 s ago"]);
    world.tell(6, REMOVE, Some(4), 60);
    world.tell(7, REMOVE, Some(4), 71);
    assert_eq!(world.0.kept.len() + world.0.held.len(), 1, "{:?} {:?}", world.0.kept, world.0.held);
}

/// Its answer may be waited for so late that the connection is lost by then.
#[test]
fn what_was_told_on_a_connection_that_is_lost_by_then_is_told_again_at_once() {
    let mut world = World::new();
    assert!(world.tell(1, set("a"), None, 0));
    assert_eq!(world.deliver(1), ["1 a 1 of 60, 1 s ago"]);
    // With what was told before it, on the one that is lost.
    let mut world = World::new();
    assert!(!world.tell(1, set("a"), Some(1), 0));
    assert!(world.tell(1, INVALIDATE, Some(2), 1));
    let Next::Send(Item::Key { parts, over, .. }) = world.0.next_of(&key(1), u64::MAX) else {
        panic!("it waits")
    };
    assert_eq!(
        (parts.whole.unwrap().known, parts.stale.unwrap().known),
        (Some(WriteId(100)), Some(WriteId(101)))
    );
    assert_eq!(over, None, "nothing is kept of it");
}

/// A connection that does not come back.
#[test]
fn what_is_kept_is_bounded() {
    let mut world = World::with(Bounds { keys: 3, bytes: 1_000 });
    world.1.insert(1, 5);
    for number in 1..=3 {
        world.tell(number, set("a"), Some(1), 0);
    }
    for number in 4..=5 {
        world.tell(number, set("b"), Some(2), 20);
    }
    assert_eq!((world.0.held.len(), world.0.kept.len(), world.0.bytes), (1, 2, 3));
    world.notice();
    assert_eq!(world.deliver(21), ["3 a 21 of 60, 21 s ago"]);
}

#[test]
fn nothing_is_left_of_a_key_that_is_done_with() {
    let mut world = World::new();
    world.lose(1, INVALIDATE, 0);
    let Next::Send(item) = world.0.next_of(&key(1), u64::MAX) else { panic!("it waits") };
    world.delivered(&item, Parts::default(), 1);
    assert_eq!(world.0.counts, Counts { yielded: 1, ..Counts::default() });
    assert!(world.0.is_idle() && world.0.slots.is_empty());
}

/// Neither overtakes the other.
#[test]
fn a_change_of_all_keys_and_one_of_a_single_key_that_is_being_sent() {
    let mut world = World::new();
    world.lose(1, set("a"), 0);
    let Next::Send(single) = world.0.next_of(&key(1), u64::MAX) else { panic!("it waits") };
    let Route::Queued { until, .. } = world.0.bump(&scope("users"), Bump::Gone, at(1)) else {
        panic!("first")
    };
    assert!(matches!(world.0.next_of_all(&scope("users"), until), Next::Busy));
    assert!(world.0.batch(&mut Cursor::default(), 9).is_empty());
    world.0.failed(&single);
    let Next::Send(all) = world.0.next_of_all(&scope("users"), until) else { panic!("it waits") };
    world.lose(2, REMOVE, 2);
    world.lose_of(&key_of("teams", 1), REMOVE, 2);
    let others = world.0.batch(&mut Cursor::default(), 9);
    assert_eq!(others.iter().map(|other| item(other, 2)).collect::<Vec<_>>(), ["1 remove, 0 s ago"]);
    others.iter().for_each(|other| world.0.failed(other));
    world.0.failed(&all);
    assert_eq!(world.deliver(3), ["users Gone", "2 remove, 1 s ago", "1 remove, 1 s ago"]);
}

/// What is refused holds nobody else up, and is tried once a round.
#[test]
fn a_round_goes_through_all_that_waits() {
    let mut world = World::new();
    world.lose_of(&key_of("teams", 1), REMOVE, 0);
    world.lose_of(&key_of("teams", 2), REMOVE, 0);
    world.bump(Bump::Gone, 1);
    let mut cursor = Cursor::default();
    let mut told = Vec::new();
    for _ in 0..4 {
        for refused in world.0.batch(&mut cursor, 1) {
            told.push(item(&refused, 1));
            world.0.failed(&refused);
        }
    }
    assert_eq!(told, ["users Gone", "1 remove, 1 s ago", "2 remove, 1 s ago"]);
}

#[test]
fn a_reader_waits_for_the_changes_that_are_under_way_and_for_no_later_ones() {
    let mut world = World::new();
    let busy = |world: &mut World, number, until| match world.0.next_of(&key(number), until) {
        Next::Nothing => false,
        Next::Busy => true,
        Next::Send(item) => panic!("{item:?} waits"),
    };
    assert!(world.0.is_calm());
    let first = world.send(1, &REMOVE, 1);
    let second = world.send(1, &REMOVE, 2);
    assert_eq!([first - 1, first, second].map(|until| busy(&mut world, 1, until)), [false, true, true]);
    assert!(!busy(&mut world, 2, second), "of another key");
    world.end(1, REMOVE, first, Some(1), 3);
    assert_eq!([first, second].map(|until| busy(&mut world, 1, until)), [false, true]);
    world.end(1, REMOVE, second, Some(2), 3);
    assert!(!busy(&mut world, 1, u64::MAX) && world.0.is_calm());

    let Route::Direct { turn } = world.0.bump(&scope("users"), Bump::Gone, at(4)) else { panic!("it waits") };
    assert_eq!([turn - 1, turn].map(|until| busy(&mut world, 1, until)), [false, true]);
    world.0.bump_flown(&scope("users"), Bump::Gone, turn, at(4), true);
    assert!(!busy(&mut world, 1, turn) && world.0.is_calm());
}
