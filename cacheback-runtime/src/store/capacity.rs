//! Keeps an index within its limit.

use super::eviction::EvictionPolicy;
use super::limit::Limit;
use crate::base::sync::{AtomicU64, Ordering};

/// Keeps the nodes of one index within a [`Limit`].
pub(super) struct Capacity {
    limit: Limit,
    /// Chooses the nodes to evict.
    pub(super) eviction: Box<dyn EvictionPolicy>,
    /// The weight that was inserted since the last maintenance, if bytes are counted.
    pending: AtomicU64,
}

impl Capacity {
    pub(super) fn new(limit: Limit, eviction: Box<dyn EvictionPolicy>) -> Self {
        Self { limit, eviction, pending: AtomicU64::new(0) }
    }

    pub(super) fn keeps_nothing(&self) -> bool {
        self.limit.size() == 0
    }

    /// Evicts the nodes that are over the limit, after one of this weight was added: by itself, moka looks only once in
    /// 64 operations. `nodes` is the number of nodes in the index.
    pub(super) fn enforce(&self, weight: u32, nodes: u64) {
        let exceeded = match self.limit {
            Limit::Entries(size) => nodes > size.saturating_add(self.limit.slack()),
            Limit::Bytes(_) => {
                let weight = u64::from(weight);
                self.pending.fetch_add(weight, Ordering::Relaxed) + weight > self.limit.slack()
            }
        };
        if exceeded {
            self.maintain();
        }
    }

    /// Whether the index may have more nodes than are to be kept.
    pub(super) fn is_over(&self, nodes: u64) -> bool {
        match self.limit {
            Limit::Entries(size) => nodes > size,
            Limit::Bytes(_) => self.pending.load(Ordering::Relaxed) > 0,
        }
    }

    /// Evicts whatever is over the limit.
    pub(super) fn maintain(&self) {
        self.pending.store(0, Ordering::Relaxed);
        self.eviction.maintain();
    }
}
