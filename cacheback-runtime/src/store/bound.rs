//! What stays: moka decides, and knows a number a node and nothing of the user's types.

#[cfg(not(all(test, cacheback_shuttle)))]
use moka::{notification::RemovalCause, policy::EvictionPolicy, sync::Cache};

use super::index::Place;
use crate::base::hash::BuildAsIs;
#[cfg(all(test, cacheback_shuttle))]
use crate::base::shims::moka::{Cache, EvictionPolicy, RemovalCause};
use crate::base::sync::{Arc, AtomicU64, Ordering};
use crate::rules::policy::{Eviction, Policy};

/// The share of the bound that newcomers have for themselves under TinyLFU, as in W-TinyLFU (Einziger, Friedman and
/// Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", 2017): one in a hundred.
const WINDOW: u64 = 100;

/// What a record without a value takes, about, in bytes.
const RECORD: u64 = 256;

/// What it counts of the bound that records have.
pub(crate) const RECORD_WEIGHT: u32 = 1;

type Residents = Cache<Place, (), BuildAsIs>;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Entries(u64),
    Bytes(u64),
}

pub(super) struct Bound {
    limit: Limit,
    main: Residents,
    /// Under TinyLFU, which may refuse a newcomer at once: here it stays until others came after it.
    window: Option<Residents>,
    /// The weight that came since moka was brought up to date, where bytes are counted.
    pending: AtomicU64,
}

impl Limit {
    pub(crate) fn of(policy: &Policy) -> Self {
        policy.max_bytes.map_or(Self::Entries(policy.capacity), Self::Bytes)
    }

    /// So much more is kept at times, so that moka need not look at its bound at each insertion.
    fn slack(self) -> u64 {
        match self {
            Self::Entries(size) => (size / 128).min(64),
            Self::Bytes(size) => size / self.unit() / 128,
        }
    }

    pub(super) fn size(self) -> u64 {
        let (Self::Entries(size) | Self::Bytes(size)) = self;
        size
    }

    /// So many bytes are one unit of weight: moka counts a node's in 32 bits.
    fn unit(self) -> u64 {
        match self {
            Self::Entries(_) => 1,
            Self::Bytes(size) => size / u64::from(u32::MAX) + 1,
        }
    }

    /// The weight of a value of so many bytes; `None` where it is more than all that may be kept.
    pub(crate) fn weight(self, bytes: u64) -> Option<u32> {
        match self {
            Self::Entries(_) => Some(1),
            Self::Bytes(size) if bytes > size => None,
            Self::Bytes(_) => u32::try_from(bytes.div_ceil(self.unit()).max(1)).ok(),
        }
    }

    /// How many records of keys without a value are kept beside the values: as many as a quarter of those, or as fit into
    /// a quarter of their bytes.
    pub(super) fn of_records(self) -> Self {
        match self {
            Self::Entries(size) => Self::Entries(size.div_ceil(4)),
            Self::Bytes(size) => Self::Entries(size.div_ceil(4 * RECORD)),
        }
    }
}

impl Bound {
    /// A bound that calls `evicted` for each node it does not keep, and asks of some whether it `is_here`: under locks
    /// of moka, so neither may call back.
    pub(super) fn new(
        limit: Limit,
        eviction: Eviction,
        evicted: impl Fn(Place) + Clone + Send + Sync + 'static,
        is_here: impl Fn(Place) -> bool + Send + Sync + 'static,
    ) -> Self {
        let dropped = move |place: Arc<Place>, (), cause| {
            // What was removed from here was so in the index first.
            if cause == RemovalCause::Size {
                evicted(*place);
            }
        };
        let size = limit.size() / limit.unit();
        let builder = |size| {
            let builder = Cache::builder().max_capacity(size);
            match limit {
                Limit::Entries(_) => builder,
                Limit::Bytes(_) => builder.weigher(|place: &Place, ()| place.weight),
            }
        };
        let build = |size, policy| builder(size).eviction_policy(policy);
        // One entry leaves nothing to choose.
        if eviction == Eviction::Lru || size < 2 {
            let main = build(size, EvictionPolicy::lru()).eviction_listener(dropped);
            return Self {
                limit,
                main: main.build_with_hasher(BuildAsIs::default()),
                window: None,
                pending: AtomicU64::new(0),
            };
        }
        let newcomers = (size / WINDOW).max(1);
        let main: Residents = build(size - newcomers, EvictionPolicy::tiny_lfu())
            .eviction_listener(dropped)
            .build_with_hasher(BuildAsIs::default());
        let grown_up = {
            let main = main.clone();
            move |place: Arc<Place>, (), cause| {
                if cause == RemovalCause::Size {
                    main.insert(*place, ());
                    // Removed while it was in neither of the two, by someone who found nothing to remove.
                    if !is_here(*place) {
                        main.invalidate(&*place);
                    }
                }
            }
        };
        let window = build(newcomers, EvictionPolicy::lru())
            .eviction_listener(grown_up)
            .build_with_hasher(BuildAsIs::default());
        Self { limit, main, window: Some(window), pending: AtomicU64::new(0) }
    }

    pub(super) fn keeps_nothing(&self) -> bool {
        self.limit.size() == 0
    }

    /// A node is here.
    pub(super) fn insert(&self, place: Place) {
        let Some(window) = &self.window else { return self.main.insert(place, ()) };
        // That it was asked for and missed counts too: moka tells how often by the place, not by the node.
        let _ = self.main.get(&place);
        window.insert(place, ());
    }

    /// A node is gone.
    pub(super) fn remove(&self, place: Place) {
        if let Some(window) = &self.window {
            window.invalidate(&place);
        }
        self.main.invalidate(&place);
    }

    /// A node was read.
    pub(super) fn touch(&self, place: Place) {
        if let Some(window) = &self.window {
            let _ = window.get(&place);
        }
        let _ = self.main.get(&place);
    }

    /// Drops what is too much now that this came: of itself moka looks each 64 operations only. `nodes` is how many
    /// there are.
    pub(super) fn enforce(&self, came: Place, nodes: u64) {
        let over = match self.limit {
            Limit::Entries(size) => nodes > size.saturating_add(self.limit.slack()),
            Limit::Bytes(_) => {
                let weight = u64::from(came.weight);
                self.pending.fetch_add(weight, Ordering::Relaxed) + weight > self.limit.slack()
            }
        };
        if over {
            self.settle();
        }
    }

    /// Whether there may be more than is to be kept.
    pub(super) fn is_over(&self, nodes: u64) -> bool {
        match self.limit {
            Limit::Entries(size) => nodes > size,
            Limit::Bytes(_) => self.pending.load(Ordering::Relaxed) > 0,
        }
    }

    /// Brings moka up to date.
    pub(super) fn settle(&self) {
        self.pending.store(0, Ordering::Relaxed);
        if let Some(window) = &self.window {
            window.run_pending_tasks();
        }
        self.main.run_pending_tasks();
    }

    /// How many nodes moka knows of, once [settled](Bound::settle).
    #[cfg(test)]
    pub(super) fn residents(&self) -> u64 {
        self.main.entry_count() + self.window.as_ref().map_or(0, Cache::entry_count)
    }
}
