//! The keys and values of a load.

use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use crate::zipf::scattered;

/// A key, as a caller passes it and as a cache stores it.
pub(crate) trait Key: Copy + Debug + Send + Sync + Hash + Eq + 'static {
    type Owned: Borrow<Self::Look> + Clone + Debug + Hash + Eq + Send + Sync + 'static;
    type Look: ?Sized + Hash + Eq + ToOwned<Owned = Self::Owned> + Send + Sync;

    fn look(&self) -> &Self::Look;

    fn own(self) -> Self::Owned {
        self.look().to_owned()
    }

    /// The key of a number. Two keys of the same number are equal, but they need not be the same object.
    fn of(number: u64) -> Self;
}

impl Key for u64 {
    type Owned = u64;
    type Look = u64;

    fn look(&self) -> &u64 {
        self
    }

    fn of(number: u64) -> Self {
        scattered(number)
    }
}

impl Key for &'static str {
    type Owned = String;
    type Look = str;

    fn look(&self) -> &str {
        self
    }

    /// 32 bytes.
    fn of(number: u64) -> Self {
        format!("{:016x}{number:016x}", scattered(number)).leak()
    }
}

/// A value that costs almost nothing to make.
pub(crate) trait Value: Clone + Debug + Send + Sync + 'static {
    fn make() -> Self;
}

impl Value for [u8; 16] {
    fn make() -> Self {
        [7; 16]
    }
}

impl Value for u64 {
    fn make() -> Self {
        7
    }
}

impl Value for String {
    /// 64 bytes.
    fn make() -> Self {
        "v".repeat(64)
    }
}

impl Value for Arc<String> {
    fn make() -> Self {
        Arc::new(String::make())
    }
}
