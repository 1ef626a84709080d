//! One index with a bound of its own.

use super::{Bound, Index, Limit};
use crate::base::sync::{Arc, AtomicU64, Ordering};
use crate::rules::policy::Eviction;

pub(super) struct Part<K, V, X> {
    pub(super) index: Arc<Index<K, V, X>>,
    pub(super) bound: Bound,
}

impl<K, V, X> Part<K, V, X>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
    X: Send + Sync + 'static,
{
    /// A part that counts what it `evicted`, if that is asked for.
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
        Self { index, bound: Bound::new(limit, eviction, listener, is_here) }
    }
}
