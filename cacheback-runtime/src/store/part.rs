//! A part of the store: an index, with a capacity of its own.

use std::cell::Cell;

use super::index::Inserted;
use super::{Capacity, Index, Limit, eviction};
use crate::base::sync::{Arc, AtomicU64, Ordering};
use crate::rules::policy::Eviction;

thread_local! {
    /// Nodes were evicted in a call into moka, and are to be reclaimed after it.
    static HAS_EVICTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether moka has evicted nodes on this thread since the last time that this was asked.
pub(super) fn has_evicted() -> bool {
    HAS_EVICTED.take()
}

pub(super) struct Part<K, V, X> {
    pub(super) index: Arc<Index<K, V, X>>,
    pub(super) capacity: Capacity,
}

impl<K, V, X> Part<K, V, X>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
    X: Send + Sync + 'static,
{
    /// A part that counts its evictions in `evicted`, if given. `owns`: its nodes own something that is to be dropped
    /// as soon as they are removed.
    pub(super) fn new(limit: Limit, eviction: Eviction, owns: bool, evicted: Option<Arc<AtomicU64>>) -> Self {
        let index: Arc<Index<K, V, X>> = Arc::new(Index::new(owns));
        let listener = {
            let index = Arc::clone(&index);
            move |place| {
                if index.evict(place) {
                    HAS_EVICTED.set(true);
                    if let Some(evicted) = &evicted {
                        evicted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        };
        let is_here = {
            let index = Arc::clone(&index);
            move |place| index.has(place)
        };
        let policy = eviction::policy(eviction, limit, Box::new(listener), Box::new(is_here));
        Self { index, capacity: Capacity::new(limit, policy) }
    }

    /// Tells moka of a node that came into the index. Nodes below the `floor` were cleared.
    pub(super) fn tell(&self, added: Inserted, weight: u32, floor: u64) {
        let Self { index, capacity } = self;
        let Inserted { node, place, has_replaced, .. } = added;
        // A `clear` may have come before the node was in the index: no reader sees it, and nobody else would remove it.
        if capacity.keeps_nothing() || node.id() < floor {
            index.remove(node);
            index.reclaim();
        }
        if capacity.keeps_nothing() {
            return;
        }
        if has_replaced {
            capacity.eviction.touch(place);
            // If moka is just evicting the place, this waits until it has: the mark keeps the node.
            if !capacity.eviction.knows(place) {
                capacity.eviction.insert(place, weight);
            }
            // From here on moka can evict the node. It may have evicted the place before.
            index.settle(node);
        }
        let is_new = !has_replaced || !capacity.eviction.knows(place);
        if is_new {
            capacity.eviction.insert(place, weight);
        }
        // Another write may have removed the node before moka knew of it, so that moka had nothing to forget.
        if !index.has(place) {
            capacity.eviction.remove(place);
        }
        if is_new {
            capacity.enforce(weight, index.nodes());
        }
    }
}
