//! The index: a concurrent map of nodes, read without a lock.
//!
//! A node lies at its key's hash. A node that replaces another takes over its very place, because the map does not
//! reuse places that were left empty: if a key went through enough of them, the whole map would be copied.
//!
//! The map finds room for only a few nodes of one hash. If a user's `Hash` collides, further nodes lie at places
//! derived from the hash: each time that one is crowded, at the place of the next *rank*. Nodes at one place have
//! *seats*, and a node that replaces another takes over its seat.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use papaya::{Equivalent, Guard as _, HashMap, HashMapRef, LocalGuard, ResizeMode};

use super::node::Node;
use crate::base::hash::BuildAsIs;
use crate::base::sync::{AtomicU32, AtomicU64, Ordering, step};

type Map<K, V, X> = HashMap<Node<K, V, X>, (), BuildAsIs>;

/// A pin of the index: nodes that are removed stay alive until it is dropped.
pub(crate) type Pinned<'s, K, V, X> = HashMapRef<'s, Node<K, V, X>, (), BuildAsIs, LocalGuard<'s>>;

/// The number of ranks: room for half a million keys of one hash. Further ones are not kept.
const RANKS: u32 = 1 << RANK_BITS;
const RANK_BITS: u32 = 16;
/// The number of seats at one place. If none is free, the place is crowded.
const SEATS: u32 = 1 << SEAT_BITS;
const SEAT_BITS: u32 = 3;

pub(super) struct Index<K, V, X> {
    map: Map<K, V, X>,
    /// The number of nodes; one more while a node is being replaced.
    nodes: AtomicU64,
    /// The highest rank that any node has had.
    deepest: AtomicU32,
}

/// The place of a node, as moka keeps it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeRef {
    at: u64,
    id: u64,
    /// The weight of the node, in units of the limit.
    pub(super) weight: u32,
}

impl<K, V, X> Index<K, V, X> {
    pub(super) fn new() -> Self {
        // Batches of one: a removed node is dropped at once or, if it is being read, at the next removal by the same
        // thread, and not 32 removals later.
        let collector = seize::Collector::new().batch_size(1);
        let map = HashMap::builder()
            .hasher(BuildAsIs::default())
            .collector(collector)
            // In the incremental mode the map stays between two sizes until somebody writes. Meanwhile each read of a
            // newer key looks through the old table first, which takes ten times the instructions.
            .resize_mode(ResizeMode::Blocking)
            .build();
        Self { map, nodes: AtomicU64::new(0), deepest: AtomicU32::new(0) }
    }

    #[inline]
    pub(super) fn pin(&self) -> Pinned<'_, K, V, X> {
        self.map.pin()
    }

    /// Drops the nodes that this thread has removed while they were read, if they are not read any more.
    pub(super) fn flush(&self) {
        self.map.guard().flush();
    }

    pub(super) fn nodes(&self) -> u64 {
        self.nodes.load(Ordering::Relaxed)
    }

    /// The node of this hash that has a number from `floor` on and for which `is` is true.
    #[inline]
    pub(super) fn find<'g>(
        &self,
        hash: u64,
        floor: u64,
        is: impl Fn(&Node<K, V, X>) -> bool + Copy,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        // The map shows nodes of other hashes too, if they are alike in seven bits: with many places to look at, too
        // many to compare their keys.
        let is = move |node: &Node<K, V, X>| node.id >= floor && node.hash() == hash && is(node);
        let at_the_hash = || {
            step();
            pin.get_key_value(&Search { at: hash, is }).map(|(node, ())| node)
        };
        at_the_hash().or_else(|| self.find_deeper(hash, is, pin))
    }

    /// Some node at the hash itself, where all nodes lie but those that found a crowd there. It is nearly always the only
    /// one. So a hit compares its key once it is found: a comparison within the search costs the search its registers.
    #[inline]
    pub(super) fn find_first<'g>(
        &self,
        hash: u64,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        step();
        let is = |node: &Node<K, V, X>| node.at == hash;
        pin.get_key_value(&Search { at: hash, is }).map(|(node, ())| node)
    }

    #[cold]
    #[inline(never)]
    fn find_deeper<'g>(
        &self,
        hash: u64,
        is: impl Fn(&Node<K, V, X>) -> bool + Copy,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        let deepest = self.deepest.load(Ordering::Acquire);
        (1..=deepest).find_map(|rank| {
            step();
            let found = pin.get_key_value(&Search { at: at(hash, rank), is });
            found.map(|(node, ())| node)
        })
    }

    /// The node of this hash and number. Looks at no other node.
    pub(super) fn get<'g>(
        &self,
        hash: u64,
        id: u64,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        step();
        let found = pin.get_key_value(&NodeRef { at: at(hash, rank(id)), id, weight: 0 });
        found.map(|(node, ())| node)
    }

    /// Whether this very node is still in the index.
    pub(super) fn contains(&self, place: NodeRef) -> bool {
        step();
        self.pin().contains_key(&place)
    }

    /// Puts a node in with the number `serial`, in the place of the one that its key has. Returns the place of the
    /// node, and that of the replaced one. `None` if there is no room for one more node of its hash, which stays in
    /// `node` then. Call it under the lock of all keys of the hash.
    pub(super) fn insert(
        &self,
        node: &mut Option<Node<K, V, X>>,
        serial: u64,
        weight: u32,
        replaced: Option<&Node<K, V, X>>,
        pin: &Pinned<'_, K, V, X>,
    ) -> Option<(NodeRef, Option<NodeRef>)> {
        let hash = node.as_ref()?.at;
        let (rank, seat) = match replaced {
            Some(replaced) => (rank(replaced.id), seat(replaced.id)),
            None => (0..RANKS).find_map(|rank| Some((rank, Self::free_seat(at(hash, rank), pin)?)))?,
        };
        let mut node = node.take()?;
        node.at = at(hash, rank);
        node.id = id(serial) + u64::from(seat << RANK_BITS) + u64::from(rank);
        let added = NodeRef { at: node.at, id: node.id, weight };
        self.deepest.fetch_max(rank, Ordering::AcqRel);
        self.nodes.fetch_add(1, Ordering::Relaxed);
        step();
        if pin.insert(node, ()).is_none() {
            // The node to be replaced was evicted just before.
            return Some((added, None));
        }
        self.nodes.fetch_sub(1, Ordering::Relaxed);
        Some((added, replaced.map(Node::place)))
    }

    /// Removes this very node, and not one that has just replaced it. Returns whether it was in the index.
    pub(super) fn remove(&self, place: NodeRef) -> bool {
        step();
        let removed = matches!(self.pin().remove_if(&place, |node, ()| node.id == place.id), Ok(Some(_)));
        if removed {
            self.nodes.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    /// A seat at this place that no node has.
    fn free_seat(at: u64, pin: &Pinned<'_, K, V, X>) -> Option<u32> {
        let taken = Cell::new(0_u32);
        let note = |node: &Node<K, V, X>| {
            if node.at == at {
                taken.set(taken.get() | 1 << seat(node.id));
            }
            false
        };
        let _ = pin.get(&Search { at, is: note });
        let seat = taken.get().trailing_ones();
        (seat < SEATS).then_some(seat)
    }
}

impl<K, V, X> Node<K, V, X> {
    pub(super) fn place(&self) -> NodeRef {
        NodeRef { at: self.at, id: self.id, weight: 0 }
    }

    /// The hash of its key.
    pub(crate) fn hash(&self) -> u64 {
        // `at` is its own inverse.
        at(self.at, rank(self.id))
    }

    /// Whether it lies where the other one lies: it is that one, or one that replaces it.
    pub(super) fn is_in_seat_of(&self, other: &Self) -> bool {
        self.at == other.at && self.id % id(1) == other.id % id(1)
    }
}

impl NodeRef {
    pub(super) fn id(self) -> u64 {
        self.id
    }
}

/// The lowest number that a node with this serial has. Serials last for a year of a million insertions each second.
pub(super) fn id(serial: u64) -> u64 {
    serial << (RANK_BITS + SEAT_BITS)
}

/// The rank of the node of this number.
fn rank(id: u64) -> u32 {
    (id % u64::from(RANKS)) as u32
}

/// The seat of the node of this number.
fn seat(id: u64) -> u32 {
    (id >> RANK_BITS) as u32 % SEATS
}

/// The place of the nodes of a hash that have this rank. With the same rank it leads from the place back to the hash.
fn at(hash: u64, rank: u32) -> u64 {
    // 2^64 divided by the golden ratio, which is odd, so no two ranks share a place (Knuth, The Art of Computer
    // Programming 3, 6.4).
    hash ^ u64::from(rank).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Finds the node at a place for which `is` is true.
struct Search<F> {
    at: u64,
    is: F,
}

impl<F> Hash for Search<F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.at);
    }
}

impl<K, V, X, F: Fn(&Node<K, V, X>) -> bool> Equivalent<Node<K, V, X>> for Search<F> {
    #[inline]
    fn equivalent(&self, node: &Node<K, V, X>) -> bool {
        (self.is)(node)
    }
}

/// As a key of moka's, a place is hashed by the place in the index and compared by the number of the node.
impl Hash for NodeRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.at);
    }
}
impl PartialEq for NodeRef {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
impl Eq for NodeRef {}

impl<K, V, X> Equivalent<Node<K, V, X>> for NodeRef {
    fn equivalent(&self, node: &Node<K, V, X>) -> bool {
        node.id == self.id
    }
}
