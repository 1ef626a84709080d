//! A part of the store: an index, with a capacity of its own.

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
                if let (true, Some(evicted)) = (index.remove(place), &evicted) {
                    evicted.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let is_here = {
            let index = Arc::clone(&index);
            move |place| index.contains(place)
        };
        let policy = eviction::policy(eviction, limit, listener, is_here);
        Self { index, capacity: Capacity::new(limit, policy) }
    }
}
