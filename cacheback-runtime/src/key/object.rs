//! The key of a cache object.

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use super::{Argument, Form, Key, KeyShape, Shape};

/// A key of one type, as it is. The caller hashes the borrowed key of a lookup, and compares it.
pub(crate) struct ObjectKey<K>(PhantomData<fn() -> K>);

impl<K: 'static> Form for ObjectKey<K> {
    type Lease<'o> = &'o K;
}
impl<K: Argument> Shape for ObjectKey<K> {
    type Owned = K;
    fn lease(owned: &K) -> &K {
        owned
    }
}
impl<K: Argument + Key> KeyShape for ObjectKey<K> {
    fn hash_owned<H: Hasher>(owned: &K, state: &mut H) {
        Hash::hash(owned, state);
    }
    fn equal(a: &K, b: &K) -> bool {
        a == b
    }
    fn copy(owned: &K) -> K {
        owned.clone()
    }
}
