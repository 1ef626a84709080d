//! The place of a node in the index, which outlives the node: see [`index`](super::index).

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use crate::base::sync::{AtomicU64, Ordering};

/// The place of a key's nodes: one node lies there at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(super) at: u64,
    pub(super) number: u64,
}

/// A place, as moka keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resident {
    pub(super) place: Place,
    /// The weight of its node, in units of the limit.
    pub(super) weight: u32,
}

/// The number of the place of a node. A place is numbered by the first node that lay there.
///
/// As long as moka was not told of a node that has replaced another, its number is *marked*: moka may just be evicting
/// the place, by the uses of the older node. The newer one stays then.
pub(super) struct PlaceNumber(AtomicU64);

impl PlaceNumber {
    const MARK: u64 = 1 << 63;

    pub(super) fn new(number: u64) -> Self {
        Self(AtomicU64::new(number))
    }

    /// The number of a node that is to replace one at a place of this number.
    pub(super) fn taken_over(&self) -> Self {
        Self(AtomicU64::new(self.get() | Self::MARK))
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire) & !Self::MARK
    }

    /// Whether this is the number, and not marked.
    pub(super) fn is_settled(&self, number: u64) -> bool {
        self.0.load(Ordering::Acquire) == number
    }

    pub(super) fn settle(&self) {
        self.0.fetch_and(!Self::MARK, Ordering::AcqRel);
    }

    pub(super) fn renumber(&self, number: u64) {
        self.0.store(number, Ordering::Release);
    }
}

/// As a key of moka's, a place is hashed as in the index and compared by its number.
impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.at);
    }
}
impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Place {}

/// moka finds a resident by its place.
impl Borrow<Place> for Resident {
    fn borrow(&self) -> &Place {
        &self.place
    }
}
impl Hash for Resident {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place.hash(state);
    }
}
impl PartialEq for Resident {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}
impl Eq for Resident {}
