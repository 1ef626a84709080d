//! The local store: which values are kept, and how they are found.
//!
//! Reads go to an [index](Index), a concurrent map of [nodes](Node); a read takes no lock and runs the user's `Eq` and
//! `Clone` under a guard that only delays reclamation. moka decides which nodes stay ([`EvictionPolicy`]): it knows a
//! number a node and nothing of the user's types, and a node that it evicts is taken out of the index. moka is told of
//! a node's first hit after each eighth of the capacity that is put in: more often, it could hardly change the order.
//!
//! [`EvictionPolicy`]: eviction::EvictionPolicy
//!
//! Values are in one [`Part`], and what is remembered of keys without one, such as a back-off, in another, which is made
//! when there is something to remember. Each has a [`Capacity`] of its own: a flood of failures pushes no value out.
//!
//! moka runs its eviction listener under a lock of its own. The nodes that the listener takes out are dropped after
//! that lock: each call into moka is made under a guard of the index.
//!
//! Nodes are put in by the engine alone, under their key's lock, with [`KnownKeys`] keys: see `known`. So a key has one
//! node that readers see. Calls into moka ([`Store::carry_out`]) come after the lock.

use std::cell::{OnceCell, RefCell};

use smallvec::SmallVec;

use crate::base::clock::Moment;
use crate::base::sync::{Arc, AtomicU32, AtomicU64, OnceLock, Ordering};
use crate::flight::collisions::{KeyRef, KnownKeys, Uncompared};
use crate::rules::backoff::Backoff;
use crate::rules::freshness::Windows;
use crate::rules::policy::Eviction;

mod capacity;
mod eviction;
mod index;
mod limit;
mod node;
mod part;
use capacity::Capacity;
use index::Index;
pub(crate) use index::{Pinned, Place};
pub(crate) use limit::{Limit, RECORD_WEIGHT};
pub(crate) use node::{Content, Generation, Node};
use part::Part;

pub(crate) struct Store<K, V, X> {
    values: Part<K, V, X>,
    /// Of keys without a value; made with the first of them.
    records: OnceLock<Part<K, V, X>>,
    /// Nodes with a lower number are gone, whether or not they are still here.
    floor: AtomicU64,
    /// Grows each time that an eighth of the capacity was put in; wraps. The eviction policy is told of a node's first
    /// hit in each round. Hit ratios are within a tenth of a point of those with every hit recorded.
    round: AtomicU32,
    /// How many nodes were put in.
    inserted: AtomicU64,
    /// What most of its values have in common.
    pub(crate) windows: Windows,
    pub(crate) limit: Limit,
    /// Numbers the nodes, of both parts.
    serial: AtomicU64,
    /// Grows with each `clear`: what was begun in an older epoch is not put in any more.
    epoch: AtomicU64,
    evicted: Arc<AtomicU64>,
    /// No node is gone before this moment.
    next_gone: AtomicU64,
}

/// What moka is still to be told of a change to an index.
#[derive(Default)]
#[must_use = "the eviction policy is to hear of it, after the lock"]
pub(crate) struct Change {
    came: Option<(Kind, Place)>,
    went: Option<(Kind, Place)>,
}

/// Which part a node belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Value,
    Record,
}

impl Kind {
    fn of<K, V, X>(node: &Node<K, V, X>) -> Self {
        match node.content() {
            Content::Value(..) => Self::Value,
            Content::Error(_) | Content::Nothing => Self::Record,
        }
    }
}

/// A part, and the pin of it.
type PinnedPart<'s, 'p, K, V, X> = (&'s Part<K, V, X>, &'p Pinned<'s, K, V, X>);

/// Keeps what is removed from either part alive until it is dropped.
pub(crate) struct Pins<'s, K, V, X> {
    values: Pinned<'s, K, V, X>,
    /// From the first look at them on.
    records: OnceCell<Pinned<'s, K, V, X>>,
}

impl Change {
    /// Whether it took a node out: of all who do, one has.
    pub(crate) fn has_removed(&self) -> bool {
        self.went.is_some()
    }
}

impl<K, V, X> Store<K, V, X>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
    X: Send + Sync + 'static,
{
    pub(crate) fn new(limit: Limit, eviction: Eviction, windows: Windows) -> Self {
        let evicted = Arc::new(AtomicU64::new(0));
        let values = Part::new(limit, eviction, Some(Arc::clone(&evicted)));
        Self {
            values,
            records: OnceLock::new(),
            floor: AtomicU64::new(0),
            round: AtomicU32::new(0),
            inserted: AtomicU64::new(0),
            windows,
            limit,
            serial: AtomicU64::new(1),
            epoch: AtomicU64::new(0),
            evicted,
            next_gone: AtomicU64::new(Moment::NEVER.to_bits()),
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Keeps values that are removed alive until it is dropped.
    #[inline]
    pub(crate) fn pin(&self) -> Pinned<'_, K, V, X> {
        self.values.index.pin()
    }

    /// The same, of records too. Take it before a lock of ours, so that no user's `Drop` runs under that lock.
    pub(crate) fn pins(&self) -> Pins<'_, K, V, X> {
        Pins { values: self.values.index.pin(), records: OnceCell::new() }
    }

    /// The records, if there are any, and the pin of them.
    fn pinned_records<'p, 's>(&'s self, pins: &'p Pins<'s, K, V, X>) -> Option<PinnedPart<'s, 'p, K, V, X>> {
        let records = self.records.get()?;
        Some((records, pins.records.get_or_init(|| records.index.pin())))
    }

    fn part(&self, kind: Kind) -> &Part<K, V, X> {
        match kind {
            Kind::Value => &self.values,
            Kind::Record => {
                self.records.get_or_init(|| Part::new(self.limit.of_records(), Eviction::Lru, None))
            }
        }
    }

    /// The node of a value whose key `same` knows, without a lock.
    #[inline]
    pub(crate) fn find<'g>(
        &self,
        hash: u64,
        same: impl Fn(&K) -> bool + Copy,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        let floor = self.floor.load(Ordering::Acquire);
        self.values.index.find(hash, floor, move |node| same(node.key()), pin)
    }

    /// The same, where it lies in its first place: all but a few whose hashes collide.
    #[inline]
    pub(crate) fn find_first<'g>(
        &self,
        hash: u64,
        same: impl Fn(&K) -> bool + Copy,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        let floor = self.floor.load(Ordering::Acquire);
        self.values.index.find_first(hash, floor, move |node| same(node.key()), pin)
    }

    /// The node of a key, in whichever part it is, under that key's lock.
    pub(crate) fn resident<'p, 's, Q: ?Sized>(
        &'s self,
        hash: u64,
        known: &KnownKeys<Q>,
        pins: &'p Pins<'s, K, V, X>,
    ) -> Result<Option<&'p Node<K, V, X>>, Uncompared<Q>> {
        let met = RefCell::new(SmallVec::new());
        let is = |node: &Node<K, V, X>| {
            let judged = known.is_same_node(node.id());
            if judged.is_none() && node.hash() == hash {
                met.borrow_mut().push(KeyRef::Node(node.id()));
            }
            judged == Some(true)
        };
        // A key has one node: where it is found the others need not be known.
        let floor = self.floor.load(Ordering::Acquire);
        let found = self.values.index.find(hash, floor, is, &pins.values).or_else(|| {
            let (records, pinned) = self.pinned_records(pins)?;
            records.index.find(hash, floor, is, pinned)
        });
        match (found, Uncompared::among(met.into_inner())) {
            (None, Some(uncompared)) => Err(uncompared),
            (found, _) => Ok(found),
        }
    }

    /// Whether the key of this node is one that `same` knows; `None` where the node is gone. Runs user code.
    pub(crate) fn compare(&self, hash: u64, id: u64, same: impl FnOnce(&K) -> bool) -> Option<bool> {
        let pins = self.pins();
        let node = self.values.index.get(hash, id, &pins.values).or_else(|| {
            let (records, pinned) = self.pinned_records(&pins)?;
            records.index.get(hash, id, pinned)
        });
        Some(same(node?.key()))
    }

    /// Puts a node in the place of the one that its key has, under that key's lock. The next read sees it, unless
    /// `epoch` has passed. A node that is not put in stays where it is, to be dropped after the lock.
    pub(crate) fn put<'s>(
        &'s self,
        node: &mut Option<Node<K, V, X>>,
        weight: u32,
        epoch: u64,
        replaced: Option<&Node<K, V, X>>,
        pins: &Pins<'s, K, V, X>,
    ) -> Change {
        // Numbered before the epoch is read: a `clear` that this does not see yet takes its floor above that number.
        let serial = self.serial.fetch_add(1, Ordering::SeqCst);
        if self.epoch() != epoch {
            return Change::default();
        }
        let Some((kind, gone_at)) = node.as_ref().map(|node| (Kind::of(node), node.gone_at(&self.windows)))
        else {
            return Change::default();
        };
        if let Some(Content::Value(_, told)) = node.as_ref().map(Node::content) {
            told.is_first(self.generation_of_one_more());
        }
        let part = self.part(kind);
        let pinned = match kind {
            Kind::Value => &pins.values,
            Kind::Record => pins.records.get_or_init(|| part.index.pin()),
        };
        let (same_part, other_part) = match replaced {
            Some(replaced) if Kind::of(replaced) != kind => (None, Some(replaced)),
            replaced => (replaced, None),
        };
        let Some((came, went)) = part.index.insert(node, serial, weight, same_part, pinned) else {
            return Change::default();
        };
        self.next_gone.fetch_min(gone_at.to_bits(), Ordering::AcqRel);
        let went = match other_part {
            Some(replaced) => self.take(replaced).went,
            None => went.map(|went| (kind, went)),
        };
        Change { came: Some((kind, came)), went }
    }

    /// Takes a node out, under its key's lock.
    pub(crate) fn take(&self, node: &Node<K, V, X>) -> Change {
        let (kind, place) = (Kind::of(node), node.place());
        Change { came: None, went: self.part(kind).index.remove(place).then_some((kind, place)) }
    }

    /// Tells moka of a change, and evicts what is too much then. Never under a lock.
    pub(crate) fn carry_out(&self, change: Change) {
        let Change { came, went } = change;
        // What moka evicts is dropped after it.
        let pins = self.pins();
        let _ = self.pinned_records(&pins);
        // First, so that moka never counts both.
        if let Some((kind, went)) = went {
            self.part(kind).capacity.eviction.remove(went);
        }
        let Some((kind, came)) = came else { return };
        let Part { index, capacity } = self.part(kind);
        if capacity.keeps_nothing() {
            index.remove(came);
            return;
        }
        capacity.eviction.insert(came);
        // Made before a `clear` that did not find it yet: no reader sees it, and nobody else would drop it.
        if came.id() < self.floor.load(Ordering::Acquire) {
            index.remove(came);
        }
        // Replaced or removed by another write before moka knew of it, which then had nothing to forget.
        if !index.contains(came) {
            capacity.eviction.remove(came);
        }
        capacity.enforce(came, index.nodes());
    }

    /// Whether a hit is worth telling moka: it is the first of its node in this round.
    #[inline]
    pub(crate) fn wants_record(&self, told: &Generation) -> bool {
        told.is_first(self.round.load(Ordering::Relaxed))
    }

    /// Tells moka of a hit. Never under a lock, and under the pin that keeps `node`: so what moka evicts is dropped
    /// after it.
    #[cold]
    #[inline(never)]
    pub(crate) fn record(&self, node: &Node<K, V, X>) {
        self.values.capacity.eviction.touch(node.place());
    }

    /// Counts one value that is put in.
    fn generation_of_one_more(&self) -> u32 {
        let room = match self.limit {
            Limit::Entries(capacity) => capacity,
            // How many entries there is room for depends on the values.
            Limit::Bytes(_) => self.values.index.nodes(),
        };
        let inserted = self.inserted.fetch_add(1, Ordering::Relaxed) + 1;
        if inserted % (room / 8).max(1) == 0 {
            return self.round.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        }
        self.round.load(Ordering::Relaxed)
    }

    /// Everything that is here now is gone from here on. The new epoch. Never under a lock.
    pub(crate) fn clear(&self) -> u64 {
        // In this order: see `put`.
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        let floor = index::id(self.serial.fetch_add(1, Ordering::SeqCst));
        self.floor.fetch_max(floor, Ordering::SeqCst);
        let pins = self.pins();
        for node in self.nodes(&pins).filter(|node| node.id() < floor) {
            self.drop_out(node);
        }
        epoch
    }

    /// Drops nodes past their retention. A node whose back-off outlives it comes back with that, to be
    /// [replaced](Store::put) by a record of it. Never under a lock.
    pub(crate) fn sweep<'p, 's>(
        &'s self,
        now: Moment,
        pins: &'p Pins<'s, K, V, X>,
    ) -> Vec<(&'p Node<K, V, X>, Backoff)> {
        // A node that is put from here on is seen by the walk, or lowers this again.
        self.next_gone.swap(Moment::NEVER.to_bits(), Ordering::AcqRel);
        let mut outlived = Vec::new();
        for node in self.nodes(pins) {
            let gone_at = node.gone_at(&self.windows);
            if now < gone_at {
                self.next_gone.fetch_min(gone_at.to_bits(), Ordering::AcqRel);
            } else if let Some(backoff) = node.remembered_backoff(now) {
                outlived.push((node, backoff));
            } else {
                self.drop_out(node);
            }
        }
        // Also what an earlier sweep of this thread took out while it was read.
        for part in self.parts() {
            part.index.flush();
        }
        outlived
    }

    fn parts(&self) -> impl Iterator<Item = &Part<K, V, X>> {
        [Some(&self.values), self.records.get()].into_iter().flatten()
    }

    /// Every node that was put in before, into either part, and is here still; of others, some.
    pub(crate) fn nodes<'p, 's>(
        &'s self,
        pins: &'p Pins<'s, K, V, X>,
    ) -> impl Iterator<Item = &'p Node<K, V, X>> {
        let records = self.pinned_records(pins).map(|(_, records)| records.keys());
        pins.values.keys().chain(records.into_iter().flatten())
    }

    /// Takes a node out that is gone. Calls moka: never under a lock.
    pub(crate) fn drop_out(&self, node: &Node<K, V, X>) {
        let change = self.take(node);
        self.carry_out(change);
    }

    pub(crate) fn next_gone(&self) -> Moment {
        Moment::from_bits(self.next_gone.load(Ordering::Acquire))
    }

    /// How many values a reader at `now` could be given: never more than are to be kept. Calls moka: never under a
    /// lock.
    pub(crate) fn len(&self, now: Moment) -> u64 {
        {
            let _dropped_after_moka = self.pin();
            let Part { index, capacity } = &self.values;
            if capacity.is_over(index.nodes()) {
                capacity.maintain();
            }
        }
        let pin = self.pin();
        let floor = self.floor.load(Ordering::Acquire);
        let seen = |node: &&Node<K, V, X>| node.id() >= floor && node.has_value(now, &self.windows);
        pin.keys().filter(seen).count() as u64
    }
}

#[cfg(test)]
impl<K, V, X> Store<K, V, X>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
    X: Send + Sync + 'static,
{
    /// How many nodes the indexes say they have, how many of those that they have may be found, and of how many moka
    /// knows.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        self.parts().for_each(|part| part.capacity.maintain());
        let floor = self.floor.load(Ordering::Acquire);
        let findable = self.nodes(&self.pins()).filter(|node| node.id() >= floor).count();
        let nodes = self.parts().map(|part| part.index.nodes()).sum();
        (nodes, findable as u64, self.parts().map(|part| part.capacity.eviction.residents()).sum())
    }
}

#[cfg(test)]
mod tests;
