//! The local store: which values are kept, and how they are found.
//!
//! Reads go to an index, a concurrent map from the key's hash to an immutable [`Node`]; a read takes no lock and runs
//! the user's `Eq` and `Clone` under a guard that only delays reclamation. moka decides what stays: it knows a number
//! a key and nothing of the user's types, and its eviction listener takes a node out of the index only where it is
//! still the very one. A hit tells moka of itself through a gate, when enough was inserted since it last did for
//! moka's order to matter.
//!
//! moka runs the listener under a lock of its own. What the listener takes out is dropped after that: each call into
//! moka is made under a guard of the index.
//!
//! Changes to one key are made by the engine under that key's lock, with [`Known`] keys: see `known`. Calls into moka
//! ([`Store::admit`], [`Store::forget`]) come after the lock.

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use papaya::{Compute, Guard, LocalGuard, Operation};

use crate::clock::Moment;
use crate::hash::BuildAsIs;
use crate::known::{Known, Stranger};
use crate::sync::{Arc, AtomicU64, Ordering};

mod node;
pub(crate) use node::{Content, Node};

type Shared<K, V, X> = Arc<Node<K, V, X>>;

/// The nodes of one hash: nearly always one, all of them where a user's `Hash` collides.
enum Bucket<K, V, X> {
    One(Shared<K, V, X>),
    Many(Vec<Shared<K, V, X>>),
}

impl<K, V, X> Bucket<K, V, X> {
    fn nodes(&self) -> &[Shared<K, V, X>] {
        match self {
            Self::One(node) => std::slice::from_ref(node),
            Self::Many(nodes) => nodes,
        }
    }

    fn of(mut nodes: Vec<Shared<K, V, X>>) -> Option<Self> {
        match nodes.len() {
            0 => None,
            1 => nodes.pop().map(Self::One),
            _ => Some(Self::Many(nodes)),
        }
    }

    /// Without the nodes that `gone` names; `None` where none of them is here.
    fn without(&self, gone: impl Fn(&Node<K, V, X>) -> bool) -> Option<Vec<Shared<K, V, X>>> {
        let nodes = self.nodes();
        let kept: Vec<_> = nodes.iter().filter(|node| !gone(node)).cloned().collect();
        (kept.len() < nodes.len()).then_some(kept)
    }
}

/// The nodes, by hash, and how many there are.
struct Index<K, V, X> {
    map: papaya::HashMap<u64, Bucket<K, V, X>, BuildAsIs>,
    nodes: AtomicU64,
}

impl<K, V, X> Index<K, V, X> {
    /// Counts what a change did.
    fn count<T>(&self, done: &Compute<'_, u64, Bucket<K, V, X>, T>) {
        let len = |bucket: &Bucket<K, V, X>| bucket.nodes().len() as u64;
        let (more, fewer) = match done {
            Compute::Inserted(_, new) => (len(new), 0),
            Compute::Updated { old: (_, old), new: (_, new) } => (len(new), len(old)),
            Compute::Removed(_, old) => (0, len(old)),
            Compute::Aborted(_) => return,
        };
        // Wraps on the way where another thread's removal is counted first.
        self.nodes.fetch_add(more.wrapping_sub(fewer), Ordering::Relaxed);
    }
}

/// What moka keeps of a node: where it is and which one it is.
#[derive(Clone, Copy)]
struct Place {
    hash: u64,
    stamp: u64,
}

pub(crate) struct Store<K, V, X> {
    index: Arc<Index<K, V, X>>,
    residents: moka::sync::Cache<u64, Place, BuildAsIs>,
    /// Grows with each `clear`: a node of an older epoch is gone, whether or not it is still here.
    epoch: AtomicU64,
    /// Numbers nodes and residencies.
    serial: AtomicU64,
    inserted: AtomicU64,
    capacity: u64,
    /// A hit is told to moka once this many insertions came since it last was.
    gate: u64,
    evicted: Arc<AtomicU64>,
    /// No node is gone before this moment.
    next_gone: AtomicU64,
}

impl<K, V, X> Store<K, V, X>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
    X: Send + Sync + 'static,
{
    pub(crate) fn new(capacity: u64) -> Self {
        // Batches of one: a value that is gone is dropped at once, or at the next removal by the same thread where
        // somebody reads just then; not 32 removals later.
        let collector = seize::Collector::new().batch_size(1);
        let map = papaya::HashMap::builder().hasher(BuildAsIs::default()).collector(collector).build();
        let index: Arc<Index<K, V, X>> = Arc::new(Index { map, nodes: AtomicU64::new(0) });
        let evicted = Arc::new(AtomicU64::new(0));
        let listener = {
            let (index, evicted) = (Arc::clone(&index), Arc::clone(&evicted));
            move |_: Arc<u64>, place: Place, cause: RemovalCause| {
                // What was replaced or removed in moka was so in the index first.
                let size = cause == RemovalCause::Size;
                if size && take_where(&index, place.hash, |node| node.stamp == place.stamp) {
                    evicted.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        Self {
            index,
            residents: moka::sync::Cache::builder()
                .max_capacity(capacity)
                .eviction_policy(EvictionPolicy::lru())
                .eviction_listener(listener)
                .build_with_hasher(BuildAsIs::default()),
            epoch: AtomicU64::new(0),
            serial: AtomicU64::new(1),
            inserted: AtomicU64::new(0),
            capacity,
            gate: capacity / 8,
            evicted,
            next_gone: AtomicU64::new(Moment::NEVER.to_bits()),
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// A number that no other node of this store has.
    pub(crate) fn stamp(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Keeps what is removed alive until it is dropped. Take it before a lock of ours, so that no user's `Drop` runs
    /// under that lock.
    pub(crate) fn guard(&self) -> LocalGuard<'_> {
        self.index.map.guard()
    }

    /// Looks a key up, without a lock: `read` sees its node where it has one.
    #[inline]
    pub(crate) fn read<T>(
        &self,
        hash: u64,
        same: impl Fn(&K) -> bool,
        read: impl FnOnce(&Shared<K, V, X>) -> T,
    ) -> Option<T> {
        let guard = self.index.map.guard();
        let bucket = self.index.map.get(&hash, &guard)?;
        let epoch = self.epoch();
        let node = bucket.nodes().iter().find(|node| node.epoch() == epoch && same(node.key()))?;
        Some(read(node))
    }

    /// The node of a key, under that key's lock.
    pub(crate) fn resident(
        &self,
        hash: u64,
        known: &Known<K>,
        guard: &impl Guard,
    ) -> Result<Option<Shared<K, V, X>>, Stranger<K>> {
        let Some(bucket) = self.index.map.get(&hash, guard) else { return Ok(None) };
        let epoch = self.epoch();
        for node in bucket.nodes() {
            if known.judge(node.key())? {
                return Ok((node.epoch() == epoch).then(|| Arc::clone(node)));
            }
        }
        Ok(None)
    }

    /// Makes `node` the one of its key, under that key's lock. The next read sees it, unless `epoch` has passed.
    /// [`Store::admit`] it afterwards.
    pub(crate) fn put(
        &self,
        node: &Shared<K, V, X>,
        epoch: u64,
        known: &Known<K>,
        guard: &impl Guard,
    ) -> Result<(), Stranger<K>> {
        node.set_epoch(epoch);
        let done = self.index.map.compute(
            node.hash,
            |found| {
                let Some((_, bucket)) = found else {
                    node.set_residency(spread(node.stamp));
                    return Operation::Insert(Bucket::One(Arc::clone(node)));
                };
                let mut nodes = Vec::with_capacity(bucket.nodes().len());
                let mut residency = spread(node.stamp);
                for other in bucket.nodes() {
                    match known.judge(other.key()) {
                        Ok(true) => residency = other.residency(),
                        Ok(false) => nodes.push(Arc::clone(other)),
                        Err(stranger) => return Operation::Abort(stranger),
                    }
                }
                node.set_residency(residency);
                nodes.push(Arc::clone(node));
                Bucket::of(nodes).map_or(Operation::Remove, Operation::Insert)
            },
            guard,
        );
        self.index.count(&done);
        match done {
            Compute::Aborted(stranger) => Err(stranger),
            _ => {
                self.next_gone.fetch_min(node.gone_at().to_bits(), Ordering::AcqRel);
                Ok(())
            }
        }
    }

    /// Takes the node of a key out, under that key's lock. [`Store::forget`] it afterwards.
    pub(crate) fn take(
        &self,
        hash: u64,
        known: &Known<K>,
        guard: &impl Guard,
    ) -> Result<Option<Shared<K, V, X>>, Stranger<K>> {
        let node = self.resident(hash, known, guard)?;
        if let Some(node) = &node {
            take_where(&self.index, hash, |other| other.stamp == node.stamp);
        }
        Ok(node)
    }

    /// Puts a node that was [`put`](Store::put) under the bound of the store. Calls moka: never under a lock.
    pub(crate) fn admit(&self, node: &Node<K, V, X>) {
        let _dropped_after_moka = self.guard();
        if self.capacity == 0 {
            take_where(&self.index, node.hash, |other| other.stamp == node.stamp);
            return;
        }
        let residency = node.residency();
        let mut stamp = node.stamp;
        node.record_at(self.inserted.fetch_add(1, Ordering::Relaxed) + 1);
        // Another write may have come between `put` and here: what moka knows last must be what the index holds.
        loop {
            self.residents.insert(residency, Place { hash: node.hash, stamp });
            match self.stamp_of(node.hash, residency) {
                Some(current) if current == stamp => break,
                Some(current) => stamp = current,
                None => return self.residents.invalidate(&residency),
            }
        }
        // Made before a `clear` that did not find it yet: no reader sees it, and nobody else would drop it.
        if node.epoch() != self.epoch()
            && take_where(&self.index, node.hash, |other| other.stamp == node.stamp)
        {
            self.forget(node);
        }
        // moka would look at its bound each 64 operations only; a small cache would be over it all the time.
        if self.index.nodes.load(Ordering::Relaxed) > self.capacity {
            self.residents.run_pending_tasks();
        }
    }

    /// Takes a node that was [taken](Store::take) off the bound. Calls moka: never under a lock.
    pub(crate) fn forget(&self, node: &Node<K, V, X>) {
        let _dropped_after_moka = self.guard();
        self.residents.invalidate(&node.residency());
    }

    fn stamp_of(&self, hash: u64, residency: u64) -> Option<u64> {
        let guard = self.index.map.guard();
        let bucket = self.index.map.get(&hash, &guard)?;
        bucket.nodes().iter().find(|node| node.residency() == residency).map(|node| node.stamp)
    }

    /// Tells moka of a hit, where that can matter by now. Calls moka: never under a lock.
    #[inline]
    pub(crate) fn record(&self, residency: u64) {
        let _dropped_after_moka = self.guard();
        let _ = self.residents.get(&residency);
    }

    /// Whether a hit of `node` is worth telling moka: enough was inserted since it last was told.
    #[inline]
    pub(crate) fn wants_record(&self, node: &Node<K, V, X>) -> bool {
        let inserted = self.inserted.load(Ordering::Relaxed);
        let wants = inserted.saturating_sub(node.recorded_at()) > self.gate;
        if wants {
            node.record_at(inserted);
        }
        wants
    }

    /// Everything that is here now is gone from here on. The new epoch. Calls moka: never under a lock.
    pub(crate) fn clear(&self) -> u64 {
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        self.take_all(|node| node.epoch() < epoch, |_| None);
        epoch
    }

    /// Drops what is past its retention; a back-off outlives its value. Calls moka: never under a lock.
    pub(crate) fn sweep(&self, now: Moment) {
        // A node that is put from here on is seen by the walk, or lowers this again.
        self.next_gone.swap(Moment::NEVER.to_bits(), Ordering::AcqRel);
        for node in
            self.take_all(|node| node.gone_at() <= now, |node| node.remains(self.stamp(), now).map(Arc::new))
        {
            self.admit(&node);
        }
        let guard = self.index.map.guard();
        // Also what an earlier sweep of this thread took out while it was read.
        guard.flush();
        for (_, bucket) in self.index.map.iter(&guard) {
            for node in bucket.nodes() {
                self.next_gone.fetch_min(node.gone_at().to_bits(), Ordering::AcqRel);
            }
        }
    }

    pub(crate) fn next_gone(&self) -> Moment {
        Moment::from_bits(self.next_gone.load(Ordering::Acquire))
    }

    /// How many values a reader at `now` could be given.
    pub(crate) fn len(&self, now: Moment) -> u64 {
        let guard = self.index.map.guard();
        let epoch = self.epoch();
        let nodes = self.index.map.iter(&guard).flat_map(|(_, bucket)| bucket.nodes());
        nodes.filter(|node| node.epoch() == epoch && node.has_value(now)).count() as u64
    }

    /// Takes out what is `gone`, or puts in its place what `remains` of it: that comes back, to be admitted.
    fn take_all(
        &self,
        gone: impl Fn(&Node<K, V, X>) -> bool,
        remains: impl Fn(&Node<K, V, X>) -> Option<Shared<K, V, X>>,
    ) -> Vec<Shared<K, V, X>> {
        let mut taken = Vec::new();
        {
            let guard = self.index.map.guard();
            for (_, bucket) in self.index.map.iter(&guard) {
                taken.extend(bucket.nodes().iter().filter(|node| gone(node)).cloned());
            }
        }
        let mut put = Vec::new();
        for node in taken {
            let remains = remains(&node);
            // A write that came first took the residency over: it is no longer this node's to give up.
            if !replace(&self.index, node.hash, |other| other.stamp == node.stamp, remains.as_ref()) {
                continue;
            }
            match remains {
                Some(remains) => put.push(remains),
                None => self.forget(&node),
            }
        }
        put
    }
}

/// A number of its own for each stamp, over the whole range: moka takes it for a hash, and chooses by its high bits.
fn spread(stamp: u64) -> u64 {
    // Odd, so that no two meet: 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming 3, 6.4).
    stamp.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Takes the nodes that `gone` names out of the index. Whether there was one.
fn take_where<K, V, X>(index: &Index<K, V, X>, hash: u64, gone: impl Fn(&Node<K, V, X>) -> bool) -> bool {
    replace(index, hash, gone, None)
}

/// Takes the nodes that `gone` names out of the index, and puts `instead` there. Whether there was one.
fn replace<K, V, X>(
    index: &Index<K, V, X>,
    hash: u64,
    gone: impl Fn(&Node<K, V, X>) -> bool,
    instead: Option<&Shared<K, V, X>>,
) -> bool {
    let guard = index.map.guard();
    let done = index.map.compute(
        hash,
        |found| match found.and_then(|(_, bucket)| bucket.without(&gone)) {
            None => Operation::Abort(()),
            Some(mut kept) => {
                kept.extend(instead.cloned());
                Bucket::of(kept).map_or(Operation::Remove, Operation::Insert)
            }
        },
        &guard,
    );
    index.count(&done);
    !matches!(done, Compute::Aborted(()))
}

#[cfg(test)]
mod tests;
