//! The key of an entry as all processes write it.

use std::fmt;

use sha2::{Digest, Sha256};
use twox_hash::XxHash3_64;

use super::codec::{Encoding, Undecodable, Unencodable};
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
    /// 128 bits of a cryptographic hash of scope and arguments: users choose arguments.
    pub(crate) hash: [u8; 16],
    /// A second fingerprint, by another function. It is kept beside the value and compared at each read.
    pub(crate) fingerprint: u64,
    /// The encoded arguments.
    pub(crate) args: Arc<[u8]>,
}

/// Begins what is hashed, so that no other hash of the same bytes is a key. A new format of keys gets a new one.
const DOMAIN: &[u8] = b"cacheback key 1";

/// The seed of fingerprints: with any other, those of all stored values differ.
const SEED: u64 = 0x6361_6368_6562_6b31;

impl WireKey {
    /// The key of these encoded arguments.
    pub(crate) fn new(scope: &Arc<Scope>, args: &[u8]) -> Self {
        let preimage = preimage(scope, args);
        let digest = Sha256::digest(&preimage);
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        let fingerprint = XxHash3_64::oneshot_with_seed(SEED, &preimage);
        Self { scope: Arc::clone(scope), hash, fingerprint, args: args.into() }
    }

    /// The hash as 32 lowercase hexadecimal digits.
    #[cfg(any(feature = "redis", test))]
    pub(crate) fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let nibbles = self.hash.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
    }
}

/// Scope and arguments in one row of bytes. Each part has its length before it, so that two keys never share one.
fn preimage(scope: &Scope, args: &[u8]) -> Vec<u8> {
    let instance = scope.instance.as_deref();
    let texts = scope.name.len() + instance.map_or(0, str::len);
    let mut bytes = Vec::with_capacity(DOMAIN.len() + 32 + texts + args.len());
    bytes.extend_from_slice(DOMAIN);
    let mut part = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    };
    part(scope.name.as_bytes());
    // No instance is not the same as an empty one.
    part(&[u8::from(instance.is_some())]);
    part(instance.unwrap_or_default().as_bytes());
    part(args);
    bytes
}

/// Why a key cannot be shared: its bytes would not name it alone, or not always. It never shows the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotCanonical {
    Unencodable(Unencodable),
    Undecodable(Undecodable),
    /// Its bytes decode to another key: fields are left out, say.
    Merged,
    /// An equal key has other bytes: two equal hash sets have their elements in different orders.
    Unstable,
}

impl fmt::Display for NotCanonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unencodable(why) => write!(f, "the key cannot be encoded: {why}"),
            Self::Undecodable(why) => write!(f, "the encoded key cannot be decoded: {why}"),
            Self::Merged => f.write_str("the encoded key decodes to another key: does a `serde` attribute skip a field?"),
            Self::Unstable => {
                f.write_str("the key encodes to other bytes when it is encoded again: does it hold a `HashSet` or `HashMap`?")
            }
        }
    }
}

/// The key of an entry, if its bytes name that key alone and are the same whenever it is encoded. `same` is the user's
/// `Eq`.
pub(crate) fn wire_key<K>(
    scope: &Arc<Scope>,
    encoding: &Encoding<K>,
    key: &K,
    same: impl FnOnce(&K, &K) -> bool,
) -> Result<WireKey, NotCanonical> {
    let args = (encoding.encode)(key).map_err(NotCanonical::Unencodable)?;
    let decoded = (encoding.decode)(&args).map_err(NotCanonical::Undecodable)?;
    if !same(&decoded, key) {
        return Err(NotCanonical::Merged);
    }
    let again = (encoding.encode)(&decoded).map_err(NotCanonical::Unencodable)?;
    if again != args {
        return Err(NotCanonical::Unstable);
    }
    Ok(WireKey::new(scope, &args))
}

#[cfg(test)]
mod tests;
