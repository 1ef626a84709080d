//! Least recently used first.

use super::{EvictionPolicy, Limit, NodeRef, Order, Residents, residents};

pub(super) struct Lru {
    residents: Residents,
}

impl Lru {
    pub(super) fn new(limit: Limit, evicted: impl Fn(NodeRef) + Send + Sync + 'static) -> Self {
        Self { residents: residents(limit, limit.units(), Order::lru(), evicted) }
    }
}

impl EvictionPolicy for Lru {
    fn insert(&self, place: NodeRef) {
        self.residents.insert(place, ());
    }

    fn remove(&self, place: NodeRef) {
        self.residents.invalidate(&place);
    }

    fn touch(&self, place: NodeRef) {
        let _ = self.residents.get(&place);
    }

    fn maintain(&self) {
        self.residents.run_pending_tasks();
    }

    #[cfg(test)]
    fn residents(&self) -> u64 {
        self.residents.entry_count()
    }
}
