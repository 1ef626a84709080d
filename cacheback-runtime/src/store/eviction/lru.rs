//! Least recently used first.

use super::{EvictionPolicy, Limit, Order, Place, Resident, Residents, residents};

pub(super) struct Lru {
    residents: Residents,
}

impl Lru {
    pub(super) fn new(limit: Limit, evicted: impl Fn(Place) + Send + Sync + 'static) -> Self {
        Self { residents: residents(limit, limit.units(), Order::lru(), evicted) }
    }
}

impl EvictionPolicy for Lru {
    fn insert(&self, place: Place, weight: u32) {
        self.residents.insert(Resident { place, weight }, ());
    }

    fn remove(&self, place: Place) {
        self.residents.invalidate(&place);
    }

    fn touch(&self, place: Place) {
        let _ = self.residents.get(&place);
    }

    fn knows(&self, place: Place) -> bool {
        self.residents.contains_key(&place)
    }

    fn maintain(&self) {
        self.residents.run_pending_tasks();
    }

    #[cfg(test)]
    fn residents(&self) -> u64 {
        self.residents.entry_count()
    }
}
