//! Where a key's node is: a concurrent map, read without a lock.
//!
//! A node lies at its key's hash, and one that replaces another in the very place of that one: the map does not use a
//! place again that was left empty, and would be copied whole each time that some key has gone through enough of them.
//! It finds room for a few nodes of one hash only, so where a user's `Hash` collides the next ones lie at places
//! derived from it, a *rank* further each time one is crowded.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use papaya::{Equivalent, Guard as _, HashMap, HashMapRef, LocalGuard, ResizeMode};

use super::node::Node;
use crate::base::hash::BuildAsIs;
use crate::base::sync::{AtomicU32, AtomicU64, Ordering, step};

type Map<K, V, X> = HashMap<Node<K, V, X>, (), BuildAsIs>;

/// Keeps what is removed alive until it is dropped.
pub(crate) type Pinned<'s, K, V, X> = HashMapRef<'s, Node<K, V, X>, (), BuildAsIs, LocalGuard<'s>>;

/// So many nodes at one place are a crowd.
const CROWD: usize = 8;
/// Nodes further down than this are not kept: half a million keys of one hash.
const RANKS: u32 = 1 << RANK_BITS;
const RANK_BITS: u32 = 16;

pub(super) struct Index<K, V, X> {
    map: Map<K, V, X>,
    /// How many there are; in the midst of a replacement one more.
    nodes: AtomicU64,
    /// The highest rank that any node has had.
    deepest: AtomicU32,
}

/// Which node, as moka keeps it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    at: u64,
    id: u64,
    /// How much of the bound it takes.
    pub(super) weight: u32,
}

impl<K, V, X> Index<K, V, X> {
    pub(super) fn new() -> Self {
        // Batches of one: a value that is gone is dropped at once, or at the next removal by the same thread where
        // somebody reads just then; not 32 removals later.
        let collector = seize::Collector::new().batch_size(1);
        let map = HashMap::builder()
            .hasher(BuildAsIs::default())
            .collector(collector)
            // In the other mode a map between two sizes stays so until somebody writes, and each read of a key that
            // came since looks through the old table first: ten times the instructions, for as long as that lasts.
            .resize_mode(ResizeMode::Blocking)
            .build();
        Self { map, nodes: AtomicU64::new(0), deepest: AtomicU32::new(0) }
    }

    #[inline]
    pub(super) fn pin(&self) -> Pinned<'_, K, V, X> {
        self.map.pin()
    }

    /// Drops what this thread took out while it was read, where it is not read any more.
    pub(super) fn flush(&self) {
        self.map.guard().flush();
    }

    pub(super) fn nodes(&self) -> u64 {
        self.nodes.load(Ordering::Relaxed)
    }

    /// The node numbered `floor` or higher that `is` the one of this hash. `is` may be asked of others.
    #[inline]
    pub(super) fn find<'g>(
        &self,
        hash: u64,
        floor: u64,
        is: impl Fn(&Node<K, V, X>) -> bool + Copy,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        self.find_first(hash, floor, is, pin).or_else(|| self.find_deeper(hash, floor, is, pin))
    }

    /// The same, where it lies at its hash itself: all but those that came to a crowd.
    #[inline]
    pub(super) fn find_first<'g>(
        &self,
        hash: u64,
        floor: u64,
        is: impl Fn(&Node<K, V, X>) -> bool + Copy,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        step();
        pin.get_key_value(&Search { at: hash, floor, is }).map(|(node, ())| node)
    }

    #[cold]
    #[inline(never)]
    fn find_deeper<'g>(
        &self,
        hash: u64,
        floor: u64,
        is: impl Fn(&Node<K, V, X>) -> bool + Copy,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        let deepest = self.deepest.load(Ordering::Acquire);
        (1..=deepest).find_map(|rank| {
            step();
            let found = pin.get_key_value(&Search { at: at(hash, rank), floor, is });
            found.map(|(node, ())| node)
        })
    }

    /// The node of this hash and number. Asks no other.
    pub(super) fn get<'g>(
        &self,
        hash: u64,
        id: u64,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        step();
        let found = pin.get_key_value(&Place { at: at(hash, rank(id)), id, weight: 0 });
        found.map(|(node, ())| node)
    }

    /// The very node, where it is still here.
    pub(super) fn contains(&self, place: Place) -> bool {
        step();
        self.pin().contains_key(&place)
    }

    /// Puts a node in, numbered `serial`, in the place of the one that its key has; where there is no room for one more
    /// of its hash it stays where it is. Where the node is now, and where the replaced one was. Under the lock of the
    /// key, and of every key of its hash.
    pub(super) fn insert(
        &self,
        node: &mut Option<Node<K, V, X>>,
        serial: u64,
        weight: u32,
        replaced: Option<&Node<K, V, X>>,
        pin: &Pinned<'_, K, V, X>,
    ) -> Option<(Place, Option<Place>)> {
        let hash = node.as_ref()?.at;
        let rank = match replaced {
            Some(replaced) => replaced.rank(),
            None => (0..RANKS).find(|rank| Self::count_at(at(hash, *rank), pin) < CROWD)?,
        };
        let mut node = node.take()?;
        node.at = at(hash, rank);
        node.id = id(serial) + u64::from(rank);
        node.life = replaced.map_or(node.id, |replaced| replaced.life);
        let came = Place { at: node.at, id: node.id, weight };
        self.deepest.fetch_max(rank, Ordering::AcqRel);
        self.nodes.fetch_add(1, Ordering::Relaxed);
        step();
        if pin.insert(node, ()).is_none() {
            // Whatever was to be replaced was evicted just before.
            return Some((came, None));
        }
        self.nodes.fetch_sub(1, Ordering::Relaxed);
        Some((came, replaced.map(Node::place)))
    }

    /// Takes the very node out, and not one that replaces it just then. Whether it was here.
    pub(super) fn remove(&self, place: Place) -> bool {
        step();
        let removed = matches!(self.pin().remove_if(&place, |node, ()| node.id == place.id), Ok(Some(_)));
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
        let _ = pin.get(&Search { at, floor: 0, is: count });
        seen.get()
    }
}

impl<K, V, X> Node<K, V, X> {
    pub(super) fn place(&self) -> Place {
        Place { at: self.at, id: self.id, weight: 0 }
    }

    fn rank(&self) -> u32 {
        rank(self.id)
    }

    /// Its key's hash.
    pub(crate) fn hash(&self) -> u64 {
        // What `at` did, undone.
        at(self.at, self.rank())
    }
}

impl Place {
    pub(super) fn id(self) -> u64 {
        self.id
    }
}

/// The lowest number that a node with this serial has.
pub(super) fn id(serial: u64) -> u64 {
    serial << RANK_BITS
}

/// How far down the node of this number lies.
fn rank(id: u64) -> u32 {
    (id % u64::from(RANKS)) as u32
}

/// Where the nodes of a hash are that have this rank. The same again leads back.
fn at(hash: u64, rank: u32) -> u64 {
    // 2^64 divided by the golden ratio, odd: no two ranks meet (Knuth, The Art of Computer Programming 3, 6.4).
    hash ^ u64::from(rank).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A node that lies at some place and `is` what is looked for.
struct Search<F> {
    at: u64,
    floor: u64,
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
        node.id >= self.floor && (self.is)(node)
    }
}

/// moka's view of a place: found where the key lies, told apart by the number.
impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.at);
    }
}
impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
impl Eq for Place {}

impl<K, V, X> Equivalent<Node<K, V, X>> for Place {
    fn equivalent(&self, node: &Node<K, V, X>) -> bool {
        node.id == self.id
    }
}
