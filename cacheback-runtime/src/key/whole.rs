//! The key of a cache object.

use std::marker::PhantomData;

use super::{Argument, Form, Key, KeyShape, Shape};

/// A key of one type, as it is. The caller hashes the borrowed key of a lookup, and compares it.
pub(crate) struct Whole<K>(PhantomData<fn() -> K>);

impl<K: 'static> Form for Whole<K> {
    type Lease<'o> = &'o K;
}
impl<K: Argument> Shape for Whole<K> {
    type Owned = K;
    fn lease(owned: &K) -> &K {
        owned
    }
}
impl<K: Argument + Key> KeyShape for Whole<K> {
    fn equal(a: &K, b: &K) -> bool {
        a == b
    }
    fn copy(owned: &K) -> K {
        owned.clone()
    }
}
