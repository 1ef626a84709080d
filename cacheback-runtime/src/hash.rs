//! Hashes that are made once, with a seed, and then taken as they are.

use std::hash::{BuildHasherDefault, Hasher};

/// Hands a hash through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are hashed here");
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// For maps whose keys are hashes, or numbers that are as good.
pub(crate) type BuildAsIs = BuildHasherDefault<AsIs>;
