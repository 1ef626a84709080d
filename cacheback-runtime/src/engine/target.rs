//! The key of a call, as it is passed to the engine.

use crate::base::sync::Arc;

/// An owner of a key, mostly an entry.
pub(crate) trait Keyed<K>: Send + Sync {
    fn key(&self) -> &K;
}

/// A key by itself.
pub(super) struct Lone<K>(pub(super) K);

impl<K: Send + Sync> Keyed<K> for Lone<K> {
    fn key(&self) -> &K {
        &self.0
    }
}

/// A key, hashed and owned.
pub(crate) struct Target<K> {
    pub(super) hash: u64,
    pub(super) holder: Arc<dyn Keyed<K>>,
    /// The number of its node, if one was found.
    pub(super) node: Option<u64>,
}

impl<K> Target<K> {
    pub(crate) fn new(hash: u64, holder: Arc<dyn Keyed<K>>, node: Option<u64>) -> Self {
        Self { hash, holder, node }
    }

    pub(super) fn key(&self) -> &K {
        self.holder.key()
    }
}

impl<K> Clone for Target<K> {
    fn clone(&self) -> Self {
        Self { hash: self.hash, holder: Arc::clone(&self.holder), node: self.node }
    }
}
