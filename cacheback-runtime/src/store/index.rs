//! The index: a concurrent map of nodes, read without a lock.
//!
//! A node lies at its key's hash. A node that replaces another takes over its very [`Place`], because the map does not
//! reuse places that were left empty: if a key went through enough of them, the whole map would be copied. For moka it
//! stays the same entry, too, so a refresh need not remove one and insert another.
//!
//! The map finds room for only a few nodes of one hash. If a user's `Hash` collides, further nodes lie at places
//! derived from the hash: each time that one is crowded, at the place of the next *rank*.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use papaya::{Equivalent, Guard as _, HashMap, HashMapRef, LocalGuard, ResizeMode};

use super::node::Node;
use super::place::{Place, PlaceNumber};
use crate::base::hash::BuildAsIs;
use crate::base::sync::{AtomicU32, AtomicU64, Ordering, step};

type Map<K, V, X> = HashMap<Node<K, V, X>, (), BuildAsIs>;

/// A pin of the index: nodes that are removed stay alive until it is dropped.
pub(crate) type Pinned<'s, K, V, X> = HashMapRef<'s, Node<K, V, X>, (), BuildAsIs, LocalGuard<'s>>;

/// The number of nodes of one hash and rank that crowd it.
const CROWD: usize = 8;
/// The number of ranks: room for half a million keys of one hash. Further ones are not kept.
const RANKS: u32 = 1 << RANK_BITS;
const RANK_BITS: u32 = 16;

/// As many removed nodes of a thread are dropped together, if nothing [reclaims](Index::reclaim) them earlier. moka
/// evicts about as many at once.
const BATCH: usize = 64;
/// One insertion in so many reclaims what is left of the old tables.
const REGULARLY: u64 = 256;
/// The size in bytes up to which a batch of removed nodes is too small to matter.
const SMALL: usize = 256;

pub(super) struct Index<K, V, X> {
    map: Map<K, V, X>,
    /// The number of nodes; one more while a node is being replaced.
    nodes: AtomicU64,
    /// One more than the highest rank that any node has had; zero as long as no two nodes have had the same hash.
    ranks: AtomicU32,
    /// A removed node is dropped with its batch, and not at once: nobody can see the difference.
    waits_for_batch: bool,
}

/// One very node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeRef {
    at: u64,
    id: u64,
}

/// A node that came into the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inserted {
    pub(super) node: NodeRef,
    pub(super) place: Place,
    /// The place that it was given for its own, in exchange for this one.
    pub(super) left: Option<Place>,
    /// It lies in the place of a node that it has replaced, and is to be [settled](Index::settle).
    pub(super) has_replaced: bool,
}

impl<K, V, X> Index<K, V, X> {
    /// An index. `owns`: its nodes own something that is to be dropped as soon as they are removed.
    pub(super) fn new(owns: bool) -> Self {
        let collector = seize::Collector::new().batch_size(BATCH);
        let map = HashMap::builder()
            .hasher(BuildAsIs::default())
            .collector(collector)
            // In the incremental mode the map stays between two sizes until somebody writes. Meanwhile each read of a
            // newer key looks through the old table first, which takes ten times the instructions.
            .resize_mode(ResizeMode::Blocking)
            .build();
        let waits_for_batch = !owns && size_of::<Node<K, V, X>>() <= SMALL;
        Self { map, nodes: AtomicU64::new(0), ranks: AtomicU32::new(0), waits_for_batch }
    }

    #[inline]
    pub(super) fn pin(&self) -> Pinned<'_, K, V, X> {
        self.map.pin()
    }

    /// Drops the nodes that this thread has removed, if they are not read any more. To be called after removals: each
    /// call lets the system interrupt the process's other threads (`membarrier`), so those of one eviction share it.
    pub(super) fn reclaim(&self) {
        if !self.waits_for_batch {
            self.map.guard().flush();
        }
    }

    /// The same, even if the nodes may be dropped late.
    pub(super) fn reclaim_all(&self) {
        self.map.guard().flush();
    }

    /// Reclaims everything, now and then when a node has come in. When the map grows, its old table is left to be
    /// reclaimed together with the next nodes that are removed, and there may be none.
    pub(super) fn reclaim_tables(&self, added: NodeRef) {
        if (added.id >> RANK_BITS) % REGULARLY == 0 {
            self.reclaim_all();
        }
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
        at_the_hash().or_else(|| {
            // Mostly there are no others.
            let ranks = self.ranks.load(Ordering::Acquire);
            if ranks > 1 { self.find_deeper(hash, ranks, is, pin) } else { None }
        })
    }

    /// Whether no two nodes have had the same hash: what [`find_first`](Index::find_first) does not find is not there.
    pub(super) fn has_only_first(&self) -> bool {
        self.ranks.load(Ordering::Acquire) == 0
    }

    /// Some node at the hash itself, where all nodes lie but those that found a crowd there. It is nearly always the
    /// only one. So a hit compares its key once it is found: a comparison within the search costs the search its
    /// registers.
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
        ranks: u32,
        is: impl Fn(&Node<K, V, X>) -> bool + Copy,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        (1..ranks).find_map(|rank| {
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
        let found = pin.get_key_value(&NodeRef { at: at(hash, rank(id)), id });
        found.map(|(node, ())| node)
    }

    /// Whether a node lies at this place.
    pub(super) fn has(&self, place: Place) -> bool {
        step();
        self.pin().contains_key(&place)
    }

    /// Puts a node in with the number `serial`. It takes over the place of the node that its key has, or is given a
    /// place of its own if it `moves`. `None` if there is no room for one more node of its hash, which stays in `node`
    /// then. Call it under the lock of all keys of the hash.
    pub(super) fn insert(
        &self,
        node: &mut Option<Node<K, V, X>>,
        serial: u64,
        moves: bool,
        replaced: Option<&Node<K, V, X>>,
        pin: &Pinned<'_, K, V, X>,
    ) -> Option<Inserted> {
        let hash = node.as_ref()?.at;
        let (rank, others) = match replaced {
            Some(replaced) => (rank(replaced.id), 0),
            None => {
                let mut others = (0..RANKS).map(|rank| (rank, Self::count_at(at(hash, rank), pin)));
                others.find(|(_, others)| *others < CROWD)?
            }
        };
        let mut node = node.take()?;
        (node.at, node.id) = (at(hash, rank), id(serial) + u64::from(rank));
        node.number = replaced.map_or(PlaceNumber::new(node.id), |replaced| replaced.number.taken_over());
        let (own, place) = (node.node_ref(), node.place());
        // Before the node is there: a reader who sees it is to see this as well.
        if rank > 0 || others > 0 {
            self.ranks.fetch_max(rank + 1, Ordering::AcqRel);
        }
        self.nodes.fetch_add(1, Ordering::Relaxed);
        step();
        let has_replaced = pin.insert(node, ()).is_some();
        if has_replaced {
            self.nodes.fetch_sub(1, Ordering::Relaxed);
        }
        // If the node to be replaced was removed just before, moka is being told that its place is empty. It is told
        // once more, because others may have seen this node at that place.
        if replaced.is_some() && (moves || !has_replaced) {
            step();
            if let Some((node, ())) = pin.get_key_value(&own) {
                node.number.renumber(own.id);
            }
            let moved = Place { number: own.id, ..place };
            return Some(Inserted { node: own, place: moved, left: Some(place), has_replaced: false });
        }
        Some(Inserted { node: own, place, left: None, has_replaced })
    }

    /// Notes that moka was told of a node that has replaced another.
    pub(super) fn settle(&self, node: NodeRef) {
        step();
        if let Some((node, ())) = self.pin().get_key_value(&node) {
            node.number.settle();
        }
    }

    /// Removes this very node, and not one that has just replaced it. Returns whether it was in the index.
    pub(super) fn remove(&self, node: NodeRef) -> bool {
        self.remove_if(&node, |at_place| at_place.id == node.id)
    }

    /// Removes the node at a place that moka has evicted, and returns whether there was one. A node that has replaced
    /// another stays if moka was not told of it yet.
    pub(super) fn evict(&self, place: Place) -> bool {
        self.remove_if(&place, |node| node.number.is_settled(place.number))
    }

    fn remove_if(
        &self,
        key: &(impl Equivalent<Node<K, V, X>> + Hash),
        is: impl Fn(&Node<K, V, X>) -> bool,
    ) -> bool {
        step();
        let removed = matches!(self.pin().remove_if(key, |node, ()| is(node)), Ok(Some(_)));
        if removed {
            self.nodes.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    fn count_at(at: u64, pin: &Pinned<'_, K, V, X>) -> usize {
        let seen = Cell::new(0);
        let count = |node: &Node<K, V, X>| {
            seen.set(seen.get() + usize::from(node.at == at));
            false
        };
        let _ = pin.get(&Search { at, is: count });
        seen.get()
    }
}

impl<K, V, X> Node<K, V, X> {
    pub(super) fn node_ref(&self) -> NodeRef {
        NodeRef { at: self.at, id: self.id }
    }

    pub(super) fn place(&self) -> Place {
        Place { at: self.at, number: self.number.get() }
    }

    /// Whether this node takes over the place of the other, or the other way round.
    pub(super) fn shares_place_with(&self, other: &Self) -> bool {
        self.number.get() == other.number.get()
    }

    /// The hash of its key.
    pub(crate) fn hash(&self) -> u64 {
        // `at` is its own inverse.
        at(self.at, rank(self.id))
    }
}

impl NodeRef {
    pub(super) fn id(self) -> u64 {
        self.id
    }
}

/// The lowest number that a node with this serial has.
pub(super) fn id(serial: u64) -> u64 {
    serial << RANK_BITS
}

/// The rank of the node of this number.
fn rank(id: u64) -> u32 {
    (id % u64::from(RANKS)) as u32
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

impl<K, V, X> Equivalent<Node<K, V, X>> for Place {
    fn equivalent(&self, node: &Node<K, V, X>) -> bool {
        node.number.get() == self.number
    }
}

impl Hash for NodeRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.at);
    }
}

impl<K, V, X> Equivalent<Node<K, V, X>> for NodeRef {
    fn equivalent(&self, node: &Node<K, V, X>) -> bool {
        node.id == self.id
    }
}
