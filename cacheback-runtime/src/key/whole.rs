//! The key of a cache object.

use std::marker::PhantomData;

use super::{Args, Argument, Key, KeyArgs};

/// One type, as it is: what looks it up is hashed and compared by the caller.
pub(crate) struct Whole<K>(PhantomData<fn() -> K>);

impl<K: Argument> Args for Whole<K> {
    type Owned = K;
}
impl<K: Argument + Key> KeyArgs for Whole<K> {
    fn equal(a: &K, b: &K) -> bool {
        a == b
    }
    fn copy(owned: &K) -> K {
        owned.clone()
    }
}
