//! A part of the store: an index, with a capacity of its own.

use super::index::Inserted;
use super::{Capacity, Index, Limit, eviction};
use crate::base::sync::{Arc, AtomicU64, Ordering};
use crate::rules::policy::Eviction;

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
    /// A part that counts its evictions in `evicted`, if given.
    pub(super) fn new(limit: Limit, eviction: Eviction, evicted: Option<Arc<AtomicU64>>) -> Self {
        let index: Arc<Index<K, V, X>> = Arc::new(Index::new());
        let listener = {
            let index = Arc::clone(&index);
            move |place| {
                if let (true, Some(evicted)) = (index.evict(place), &evicted) {
                    evicted.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let is_here = {
            let index = Arc::clone(&index);
            move |place| index.has(place)
        };
        let policy = eviction::policy(eviction, limit, listener, is_here);
        Self { index, capacity: Capacity::new(limit, policy) }
    }

    /// Tells moka of a node that came into the index. Nodes below the `floor` were cleared.
    pub(super) fn tell(&self, added: Inserted, weight: u32, floor: u64) {
        let Self { index, capacity } = self;
        let Inserted { node, place, is_unsettled, .. } = added;
        if capacity.keeps_nothing() {
            index.remove(node);
            return;
        }
        // A `clear` may have come before the node was in the index: no reader sees it, and nobody else would remove it.
        if node.id() < floor {
            index.remove(node);
        }
        if is_unsettled {
            capacity.eviction.touch(place);
            index.settle(node);
            // From here on moka can evict the node. It may have evicted the place before.
            if capacity.eviction.knows(place) || !index.has(place) {
                return;
            }
        }
        capacity.eviction.insert(place, weight);
        // Another write may have removed the node before moka knew of it, so that moka had nothing to forget.
        if !index.has(place) {
            capacity.eviction.remove(place);
        }
        capacity.enforce(weight, index.nodes());
    }
}
