//! The key of an entry as all processes write it.

use crate::base::sync::Arc;

/// A function or cache, as all processes name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    /// The name of the function or cache.
    pub(crate) name: Arc<str>,
    /// The instantiation, if the function is generic.
    pub(crate) instance: Option<Arc<str>>,
}

/// The key of an entry.
#[derive(Clone, Debug)]
pub(crate) struct WireKey {
    pub(crate) scope: Arc<Scope>,
    /// The encoded arguments.
    pub(crate) args: Arc<[u8]>,
    /// 128 bits of a cryptographic hash of instantiation and arguments: users choose arguments.
    pub(crate) hash: [u8; 16],
    /// A second fingerprint, by another function. It is kept beside the value and compared at each read.
    pub(crate) fingerprint: u64,
}
pub(crate) fn wire_key<K>(_scope: &Arc<Scope>, _encoding: &super::codec::Encoding<K>, _key: &K, _same: impl FnOnce(&K, &K) -> bool) -> Result<WireKey, super::codec::Unencodable> { todo!() }
