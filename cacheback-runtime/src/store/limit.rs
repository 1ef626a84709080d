//! How much may be kept, in entries or in bytes.

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

    /// Whether the weights of nodes differ.
    pub(super) fn has_weights(self) -> bool {
        matches!(self, Self::Bytes(_))
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
    pub(super) fn slack(self) -> u64 {
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
