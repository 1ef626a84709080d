//! The local store: keeps the values and finds them.
//!
//! Reads go to an [index](Index), a concurrent map of [nodes](Node). A read takes no lock: it runs the user's `Eq` and
//! `Clone` under a guard that only delays the reclamation of nodes. moka decides which nodes stay ([`EvictionPolicy`]).
//! It knows a number for each node and nothing of the user's types; a node that it evicts leaves the index.
//!
//! A node that replaces another takes over its [`Place`], by which moka knows it: moka is told of a use then. (If bytes
//! are counted or the policy is TinyLFU, the new node moves: moka is told that one place is left and another taken.)
//!
//! moka is not told of every hit. Each time that a [part](eviction::generations) of the capacity was put in, a new
//! *generation* begins, and moka is told of the first hit of a node in it. To be told more often could hardly change
//! which nodes are evicted.
//!
//! [`EvictionPolicy`]: eviction::EvictionPolicy
//!
//! Values are in one [`Part`]. Records of keys without a value, such as a back-off, are in another, which is made with
//! the first of them. Each part has a [`Capacity`] of its own, so a flood of failures evicts no values.
//!
//! moka calls its eviction listener under a lock of its own. Each call into moka is made under a guard of the index, so
//! that the nodes which the listener removes are dropped after that lock.
//!
//! Only the engine puts nodes in, under their key's lock and with [`KnownKeys`]. So readers see one node for each key.
//! Calls into moka ([`Store::carry_out`]) come after the lock.

use std::cell::{OnceCell, RefCell};
use std::mem::needs_drop;

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
mod place;
use capacity::Capacity;
use index::Index;
use index::Inserted;
pub(crate) use index::Pinned;
pub(crate) use limit::{Limit, RECORD_WEIGHT};
pub(crate) use node::{Content, Generation, Node};
use part::Part;
use place::Place;

pub(crate) struct Store<K, V, X> {
    values: Part<K, V, X>,
    /// Records of keys without a value. Made with the first of them.
    records: OnceLock<Part<K, V, X>>,
    /// Nodes with a lower number were cleared. Readers pass over those that are still in the index.
    floor: AtomicU64,
    /// Nodes with a lower number are passed over by hits: they were cleared, or are [suspect](Self::suspect_all). Never
    /// below the floor.
    trusted: AtomicU64,
    /// Grows each time that a part of the capacity was put in, and with each `clear`; and wraps. The eviction policy is
    /// told of the first hit of a node in each generation.
    generation: AtomicU32,
    /// As many generations begin while the capacity is put in.
    generations: u64,
    /// How many nodes were put in.
    inserted: AtomicU64,
    /// The windows that most of its values have.
    pub(crate) windows: Windows,
    pub(crate) limit: Limit,
    /// A node that replaces another moves to a place of its own. If bytes are counted, moka is to be told of its
    /// weight. With TinyLFU, the place may just be on its way from the window to the main part, and be in neither.
    moves: bool,
    /// The number of the next node, of either part.
    serial: AtomicU64,
    /// Grows with each `clear`. The outcome of a fetch that began in an older epoch is not put in.
    epoch: AtomicU64,
    evicted: Arc<AtomicU64>,
    /// No node passes its retention before this moment.
    next_gone: AtomicU64,
}

/// A change to an index, of which the eviction policy is still to be told.
#[derive(Default)]
#[must_use = "the eviction policy is to be told of it, after the lock"]
pub(crate) struct Change {
    /// A node that came in, and its weight.
    added: Option<(PartKind, Inserted, u32)>,
    /// A place that was left.
    left: Option<(PartKind, Place)>,
}

/// The part that a node belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartKind {
    Value,
    Record,
}

impl PartKind {
    fn of<K, V, X>(node: &Node<K, V, X>) -> Self {
        match node.content() {
            Content::Value(..) => Self::Value,
            Content::Error(_) | Content::Nothing => Self::Record,
        }
    }
}

/// A part, with its pin.
type PinnedPart<'s, 'p, K, V, X> = (&'s Part<K, V, X>, &'p Pinned<'s, K, V, X>);

/// The pins of both parts: nodes that are removed stay alive until this is dropped.
pub(crate) struct Pins<'s, K, V, X> {
    values: Pinned<'s, K, V, X>,
    /// Set at the first look at the records.
    records: OnceCell<Pinned<'s, K, V, X>>,
}

impl Change {
    /// The number of the node that it put in.
    pub(crate) fn added(&self) -> Option<u64> {
        self.added.as_ref().map(|(_, added, _)| added.node.id())
    }

    /// Whether it removed a node. If several callers remove the same node at once, one of them has.
    pub(crate) fn has_removed(&self) -> bool {
        self.left.is_some()
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
        let owns = needs_drop::<K>() || needs_drop::<V>();
        let values = Part::new(limit, eviction, owns, Some(Arc::clone(&evicted)));
        Self {
            values,
            records: OnceLock::new(),
            floor: AtomicU64::new(0),
            trusted: AtomicU64::new(0),
            generation: AtomicU32::new(0),
            generations: eviction::generations(eviction),
            inserted: AtomicU64::new(0),
            windows,
            limit,
            moves: limit.has_weights() || eviction == Eviction::TinyLfu,
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

    /// Pins the values: those that are removed stay alive until the pin is dropped.
    #[inline]
    pub(crate) fn pin(&self) -> Pinned<'_, K, V, X> {
        self.values.index.pin()
    }

    /// Pins values and records. Take it before a lock of ours, so that no `Drop` of the user's runs under that lock.
    pub(crate) fn pins(&self) -> Pins<'_, K, V, X> {
        Pins { values: self.values.index.pin(), records: OnceCell::new() }
    }

    /// The records with their pin, if there are any.
    fn pinned_records<'p, 's>(&'s self, pins: &'p Pins<'s, K, V, X>) -> Option<PinnedPart<'s, 'p, K, V, X>> {
        let records = self.records.get()?;
        Some((records, pins.records.get_or_init(|| records.index.pin())))
    }

    fn part(&self, kind: PartKind) -> &Part<K, V, X> {
        match kind {
            PartKind::Value => &self.values,
            PartKind::Record => {
                self.records.get_or_init(|| Part::new(self.limit.of_records(), Eviction::Lru, true, None))
            }
        }
    }

    /// Finds the node of a value, without a lock. `same` compares keys.
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

    /// The same, if the node is the first at its hash: all are but a few whose hashes collide. A node that was cleared
    /// may still be found: [`admits`](Store::admits) passes over it.
    #[inline]
    pub(crate) fn find_first<'g>(
        &self,
        hash: u64,
        same: impl Fn(&K) -> bool + Copy,
        pin: &'g Pinned<'_, K, V, X>,
    ) -> Option<&'g Node<K, V, X>> {
        let node = self.values.index.find_first(hash, pin)?;
        node.value_key().is_some_and(same).then_some(node)
    }

    /// Whether each value that was ever put in was the first at its hash, so that no other need be looked for.
    pub(crate) fn has_only_first(&self) -> bool {
        self.values.index.has_only_first()
    }

    /// Finds the node of a key in either part, under the key's lock. Runs no user code: `Err` lists nodes whose keys
    /// are to be compared first.
    pub(crate) fn resident<'p, 's, Q: ?Sized>(
        &'s self,
        hash: u64,
        known: &KnownKeys<Q>,
        pins: &'p Pins<'s, K, V, X>,
    ) -> Result<Option<&'p Node<K, V, X>>, Uncompared<Q>> {
        let unknown = RefCell::new(Vec::new());
        let is = |node: &Node<K, V, X>| {
            let same = known.is_same_node(node.id());
            if same.is_none() && node.hash() == hash {
                unknown.borrow_mut().push(KeyRef::Node(node.id()));
            }
            same == Some(true)
        };
        // A key has one node. Once it is found, the others need not be compared.
        let floor = self.floor.load(Ordering::Acquire);
        let found = self.values.index.find(hash, floor, is, &pins.values).or_else(|| {
            let (records, pinned) = self.pinned_records(pins)?;
            records.index.find(hash, floor, is, pinned)
        });
        let unknown = unknown.into_inner();
        if found.is_some() || unknown.is_empty() { Ok(found) } else { Err(Uncompared(unknown)) }
    }

    /// Whether the node of this number has the key that `same` looks for. `None` if the node is gone. Runs user code.
    pub(crate) fn compare(&self, hash: u64, id: u64, same: impl FnOnce(&K) -> bool) -> Option<bool> {
        self.with_node(hash, id, |node| same(node.key()))
    }

    /// Does `work` with the node of this number. `None` if the node is gone.
    pub(crate) fn with_node<R>(
        &self,
        hash: u64,
        id: u64,
        work: impl FnOnce(&Node<K, V, X>) -> R,
    ) -> Option<R> {
        let pins = self.pins();
        let node = self.values.index.get(hash, id, &pins.values).or_else(|| {
            let (records, pinned) = self.pinned_records(&pins)?;
            records.index.get(hash, id, pinned)
        });
        Some(work(node?))
    }

    /// Puts a node in, or replaces the one that its key has, under the key's lock. The next read sees it. If `epoch`
    /// has passed or there is no room, the node stays in `node`, to be dropped after the lock.
    pub(crate) fn put<'s>(
        &'s self,
        node: &mut Option<Node<K, V, X>>,
        weight: u32,
        epoch: u64,
        replaced: Option<&Node<K, V, X>>,
        pins: &Pins<'s, K, V, X>,
    ) -> Change {
        let Some((kind, gone_at, serial)) =
            node.as_ref().map(|node| (PartKind::of(node), node.gone_at(&self.windows), self.number(node)))
        else {
            return Change::default();
        };
        // Numbered before the epoch is read: a `clear` that is not seen here sets its floor above this number.
        if self.epoch() != epoch {
            return Change::default();
        }
        let part = self.part(kind);
        let pinned = match kind {
            PartKind::Value => &pins.values,
            PartKind::Record => pins.records.get_or_init(|| part.index.pin()),
        };
        let (same_part, other_part) = match replaced {
            Some(replaced) if PartKind::of(replaced) != kind => (None, Some(replaced)),
            replaced => (replaced, None),
        };
        let Some(added) = part.index.insert(node, serial, self.moves, same_part, pinned) else {
            return Change::default();
        };
        self.next_gone.fetch_min(gone_at.to_bits(), Ordering::AcqRel);
        let left = match other_part {
            Some(replaced) => self.take(replaced).left,
            None => added.left.map(|left| (kind, left)),
        };
        Change { added: Some((kind, added, weight)), left }
    }

    /// The number of a node that is to be put in, and its generation, if it is a value.
    fn number(&self, node: &Node<K, V, X>) -> u64 {
        // The generation first: a `clear` whose floor is above the number begins a later one.
        if let Content::Value(_, last_touch) = node.content() {
            last_touch.set(self.count_insertion());
        }
        self.serial.fetch_add(1, Ordering::SeqCst)
    }

    /// Removes a node from its index, under its key's lock.
    pub(crate) fn take(&self, node: &Node<K, V, X>) -> Change {
        let kind = PartKind::of(node);
        let removed = self.part(kind).index.remove(node.node_ref());
        Change { added: None, left: removed.then(|| (kind, node.place())) }
    }

    /// Tells moka of a change, and evicts the nodes that are over the limit then. Never call it under a lock.
    pub(crate) fn carry_out(&self, change: Change) {
        let Change { added, left } = change;
        // The pins outlive the calls into moka, so that evicted nodes are dropped after them.
        let pins = self.pins();
        let _ = self.pinned_records(&pins);
        // The place that was left first, so that moka never counts both.
        if let Some((kind, left)) = left {
            self.part(kind).capacity.eviction.remove(left);
            self.part(kind).index.reclaim();
        }
        if let Some((kind, added, weight)) = added {
            let part = self.part(kind);
            part.tell(added, weight, self.floor.load(Ordering::Acquire));
            if added.has_replaced {
                part.index.reclaim();
            } else {
                part.index.reclaim_tables(added.node);
            }
        }
        self.reclaim_evicted();
    }

    /// Drops the nodes that moka has evicted in calls on this thread.
    fn reclaim_evicted(&self) {
        if part::has_evicted() {
            self.parts().for_each(|part| part.index.reclaim());
        }
    }

    /// Whether a hit may serve this node. Tells moka of the first hit in each generation: never call it under a lock.
    /// The pin that keeps `node` alive keeps evicted nodes alive until after this call, too.
    #[inline]
    pub(crate) fn admits(&self, node: &Node<K, V, X>, last_touch: &Generation) -> bool {
        // Acquire: whoever sees the generation that a `clear` began also sees what it trusts.
        let generation = self.generation.load(Ordering::Acquire);
        last_touch.is(generation) || self.touch(node, last_touch, generation)
    }

    /// The first hit of a node in a generation. Returns whether the node is still to be served: what makes nodes
    /// untrusted begins a generation, so that the other hits need not look at their numbers.
    #[cold]
    #[inline(never)]
    fn touch(&self, node: &Node<K, V, X>, last_touch: &Generation, generation: u32) -> bool {
        let is_trusted = self.trusts(node);
        if is_trusted {
            last_touch.set(generation);
            self.values.capacity.eviction.touch(node.place());
            self.reclaim_evicted();
        }
        is_trusted
    }

    /// Whether a node came in after everything was [suspected](Self::suspect_all) the last time.
    pub(crate) fn trusts(&self, node: &Node<K, V, X>) -> bool {
        node.id() >= self.trusted.load(Ordering::Acquire)
    }

    /// Makes every node suspect, in one step: hits pass over them. To be trusted again, a node is put in anew.
    #[cfg(feature = "shared")]
    pub(crate) fn suspect_all(&self) {
        let below = index::id(self.serial.fetch_add(1, Ordering::SeqCst));
        self.trusted.fetch_max(below, Ordering::SeqCst);
        // After that: see `admits`.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Counts a value that is put in. Returns the generation that it belongs to.
    fn count_insertion(&self) -> u32 {
        let room = match self.limit {
            Limit::Entries(capacity) => capacity,
            // How many entries fit in depends on the values: the best guess is the present number.
            Limit::Bytes(_) => self.values.index.nodes(),
        };
        let inserted = self.inserted.fetch_add(1, Ordering::Relaxed) + 1;
        if inserted % (room / self.generations).max(1) == 0 {
            return self.generation.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        }
        self.generation.load(Ordering::Relaxed)
    }

    /// Removes every node. Readers see none of them from the start on. Returns the new epoch. Never call it under a
    /// lock.
    pub(crate) fn clear(&self) -> u64 {
        let (epoch, floor) = self.begin_clear();
        let pins = self.pins();
        for node in self.nodes(&pins).filter(|node| node.id() < floor) {
            self.detach(node);
        }
        self.reclaim_all();
        epoch
    }

    /// Hides every node from readers. Returns the new epoch and the new floor.
    fn begin_clear(&self) -> (u64, u64) {
        // The epoch before the floor: see `put`.
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        let floor = index::id(self.serial.fetch_add(1, Ordering::SeqCst));
        self.floor.fetch_max(floor, Ordering::SeqCst);
        self.trusted.fetch_max(floor, Ordering::SeqCst);
        // After the floor: see `admits`.
        self.generation.fetch_add(1, Ordering::Release);
        (epoch, floor)
    }

    /// Removes nodes past their retention. A node whose back-off outlives it is returned with its back-off instead, to
    /// be [replaced](Store::put) by a record. Never call it under a lock.
    pub(crate) fn sweep<'p, 's>(
        &'s self,
        now: Moment,
        pins: &'p Pins<'s, K, V, X>,
    ) -> Vec<(&'p Node<K, V, X>, Backoff)> {
        // A node that is put in from here on is seen by the loop below, or lowers `next_gone` again.
        self.next_gone.swap(Moment::NEVER.to_bits(), Ordering::AcqRel);
        let mut outlived = Vec::new();
        for node in self.nodes(pins) {
            let gone_at = node.gone_at(&self.windows);
            if now < gone_at {
                self.next_gone.fetch_min(gone_at.to_bits(), Ordering::AcqRel);
            } else if let Some(backoff) = node.remembered_backoff(now) {
                outlived.push((node, backoff));
            } else {
                self.detach(node);
            }
        }
        // Together with the nodes that an earlier sweep of this thread has removed while they were read.
        self.reclaim_all();
        outlived
    }

    fn parts(&self) -> impl Iterator<Item = &Part<K, V, X>> {
        [Some(&self.values), self.records.get()].into_iter().flatten()
    }

    /// Every node of both parts that is there during the whole iteration, and some of those that come or go meanwhile.
    pub(crate) fn nodes<'p, 's>(
        &'s self,
        pins: &'p Pins<'s, K, V, X>,
    ) -> impl Iterator<Item = &'p Node<K, V, X>> {
        let records = self.pinned_records(pins).map(|(_, records)| records.keys());
        pins.values.keys().chain(records.into_iter().flatten())
    }

    /// Those that a reader can find.
    #[cfg(feature = "shared")]
    pub(crate) fn found<'p, 's>(
        &'s self,
        pins: &'p Pins<'s, K, V, X>,
    ) -> impl Iterator<Item = &'p Node<K, V, X>> {
        let floor = self.floor.load(Ordering::Acquire);
        self.nodes(pins).filter(move |node| node.id() >= floor)
    }

    /// About how many values there are.
    #[cfg(feature = "shared")]
    pub(crate) fn nodes_about(&self) -> u64 {
        self.values.index.nodes()
    }

    /// Removes a node. Calls moka: never call it under a lock.
    pub(crate) fn remove(&self, node: &Node<K, V, X>) {
        self.detach(node);
        self.reclaim_all();
    }

    /// Removes a node, and tells moka. The node is still to be reclaimed.
    fn detach(&self, node: &Node<K, V, X>) {
        if let Some((kind, left)) = self.take(node).left {
            self.part(kind).capacity.eviction.remove(left);
        }
    }

    fn reclaim_all(&self) {
        self.parts().for_each(|part| part.index.reclaim_all());
    }

    pub(crate) fn next_gone(&self) -> Moment {
        Moment::from_bits(self.next_gone.load(Ordering::Acquire))
    }

    /// The number of values that a reader at `now` could get, which is never more than the limit. Calls moka: never
    /// call it under a lock.
    pub(crate) fn len(&self, now: Moment) -> u64 {
        {
            let _dropped_after_moka = self.pin();
            let Part { index, capacity } = &self.values;
            if capacity.is_over(index.nodes()) {
                capacity.maintain();
            }
            self.reclaim_evicted();
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
    /// The number of nodes as the indexes count them, the number that readers can find, and the number that moka knows.
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
