//! W-TinyLFU (Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", 2017): the nodes that
//! are asked for least often go first, and newcomers have a small window of their own.
//!
//! moka's TinyLFU has no window, and may refuse a newcomer at once. Here a newcomer stays in the window until others
//! came after it, and competes for a place in the main part then.

use super::{EvictionPolicy, Limit, Order, Place, Resident, Residents, residents};

/// The window is one part in so many of the limit. The paper has a hundredth. If keys are asked for in turn, and there are
/// a few more of them than fit, the window answers nothing, and its room is lost. So it has half of that, which answers as
/// many reads on the other traces of the benches (`hit-ratio`).
const WINDOW: u64 = 200;

pub(super) struct TinyLfu {
    /// Newcomers, least recently used first.
    window: Residents,
    /// The nodes that the window let go, by how often they are asked for.
    main: Residents,
}

impl TinyLfu {
    pub(super) fn new(
        limit: Limit,
        evicted: impl Fn(Place) + Send + Sync + 'static,
        is_here: impl Fn(Place) -> bool + Send + Sync + 'static,
    ) -> Self {
        let newcomers = (limit.units() / WINDOW).max(1);
        let main = residents(limit, limit.units() - newcomers, Order::tiny_lfu(), evicted);
        let move_to_main = {
            let main = main.clone();
            move |place| {
                // Every node weighs the same: this policy does not count bytes.
                main.insert(Resident { place, weight: 1 }, ());
                // While the node was in neither of the two, a `remove` found nothing to remove.
                if !is_here(place) {
                    main.invalidate(&place);
                }
            }
        };
        let window = residents(limit, newcomers, Order::lru(), move_to_main);
        Self { window, main }
    }
}

impl EvictionPolicy for TinyLfu {
    fn insert(&self, place: Place, weight: u32) {
        // The miss that came before counts as a use: moka counts uses by place, whichever node is there.
        let _ = self.main.get(&place);
        self.window.insert(Resident { place, weight }, ());
    }

    fn remove(&self, place: Place) {
        self.window.invalidate(&place);
        self.main.invalidate(&place);
    }

    fn touch(&self, place: Place) {
        let _ = self.window.get(&place);
        let _ = self.main.get(&place);
    }

    fn knows(&self, place: Place) -> bool {
        self.window.contains_key(&place) || self.main.contains_key(&place)
    }

    fn maintain(&self) {
        self.window.run_pending_tasks();
        self.main.run_pending_tasks();
    }

    #[cfg(test)]
    fn residents(&self) -> u64 {
        self.window.entry_count() + self.main.entry_count()
    }
}
