//! How much is kept, in entries or in bytes, and when there is too much of it.

use super::eviction::EvictionPolicy;
use super::index::Place;
use crate::base::sync::{AtomicU64, Ordering};
use crate::rules::policy::Policy;

/// How many bytes a record without a value takes, roughly.
const RECORD: u64 = 256;

/// The weight of such a record.
pub(crate) const RECORD_WEIGHT: u32 = 1;

/// How much may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Entries(u64),
    Bytes(u64),
}

impl Limit {
    pub(crate) fn of(policy: &Policy) -> Self {
        policy.max_bytes.map_or(Self::Entries(policy.capacity), Self::Bytes)
    }

    pub(super) fn size(self) -> u64 {
        let (Self::Entries(size) | Self::Bytes(size)) = self;
        size
    }

    /// How many units of weight may be kept.
    pub(super) fn units(self) -> u64 {
        self.size() / self.unit()
    }

    /// How many bytes one unit of weight stands for: moka has 32 bits for the weight of a node.
    fn unit(self) -> u64 {
        match self {
            Self::Entries(_) => 1,
            Self::Bytes(size) => size / u64::from(u32::MAX) + 1,
        }
    }

    /// The weight of a value of this many bytes; `None` if it is larger than all that may be kept.
    pub(crate) fn weight(self, bytes: u64) -> Option<u32> {
        match self {
            Self::Entries(_) => Some(1),
            Self::Bytes(size) if bytes > size => None,
            Self::Bytes(_) => u32::try_from(bytes.div_ceil(self.unit()).max(1)).ok(),
        }
    }

    /// How far the limit may be exceeded for a moment, so that not every insertion needs maintenance.
    fn slack(self) -> u64 {
        match self {
            Self::Entries(size) => (size / 128).min(64),
            Self::Bytes(_) => self.units() / 128,
        }
    }

    /// How many records of keys without a value are kept beside the values: a quarter of the number of values, or as
    /// many as fit into a quarter of their bytes.
    pub(super) fn of_records(self) -> Self {
        match self {
            Self::Entries(size) => Self::Entries(size.div_ceil(4)),
            Self::Bytes(size) => Self::Entries(size.div_ceil(4 * RECORD)),
        }
    }
}

/// Keeps the nodes of one index within a [`Limit`].
pub(super) struct Capacity {
    limit: Limit,
    /// Chooses the nodes that go.
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

    /// Evicts what is too much after this node came: left alone, moka looks once in 64 operations only. `nodes` is how
    /// many nodes the index has.
    pub(super) fn enforce(&self, came: Place, nodes: u64) {
        let exceeded = match self.limit {
            Limit::Entries(size) => nodes > size.saturating_add(self.limit.slack()),
            Limit::Bytes(_) => {
                let weight = u64::from(came.weight);
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
