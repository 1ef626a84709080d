//! The types of one cache, as one type parameter.

use std::marker::PhantomData;

use crate::key::KeyShape;
use crate::outcome::{Failure, Outcome, Value};

/// The types of a cache: its keys, and the outcome of its function. [`Of`] is the only implementation. Its two
/// parameters let the compiler infer a cache from its parts.
pub(crate) trait Cacheable: Sized + 'static {
    /// The shapes of the arguments that are the key.
    type Key: KeyShape<Owned = Self::OwnedKey>;
    /// A key as the cache keeps it.
    type OwnedKey: Send + Sync + 'static;
    /// How the function's return type splits into value and error.
    type Outcome: Outcome<Return = Self::Return, Value = Self::Value, Error = Self::Error>;
    type Return: Send + 'static;
    type Value: Value;
    type Error: Failure;

    /// Copies a key. Runs user code.
    fn copy_key(key: &Self::OwnedKey) -> Self::OwnedKey {
        Self::Key::copy(key)
    }

    /// Whether two keys are the same. Runs user code.
    fn is_same_key(one: &Self::OwnedKey, other: &Self::OwnedKey) -> bool {
        Self::Key::equal(one, other)
    }

    /// A return value from its parts.
    fn join(result: Result<Self::Value, Self::Error>) -> Self::Return {
        Self::Outcome::join(result)
    }
}

/// The cache of key shapes `A` and outcome `O`.
pub(crate) struct Of<A, O>(PhantomData<fn() -> (A, O)>);

impl<A: KeyShape, O: Outcome> Cacheable for Of<A, O> {
    type Key = A;
    type OwnedKey = A::Owned;
    type Outcome = O;
    type Return = O::Return;
    type Value = O::Value;
    type Error = O::Error;
}
