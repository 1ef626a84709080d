//! A function whose values are in the second tier too: its keys and values become bytes, in the way of their types.
//!
//! Only [`shared_part`] and the question about the value ask for their bounds, with the spans of the user's tokens: a type
//! that lacks them is told once. The key as a whole is found by method resolution, which asks for nothing.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::marker::Marker;
use crate::engine::SharedOptions;
use crate::key::{Shape, Shapes};
use crate::tier::codec::Encoding;

/// A type whose values can be part of a shared key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared between processes",
    label = "a shared key is sent as bytes: it must be `Serialize + DeserializeOwned`",
    note = "derive them (`#[derive(serde::Serialize, serde::Deserialize)]`), `skip` this argument, or leave `shared` out"
)]
pub trait SharedKey: Serialize + DeserializeOwned {}
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> SharedKey for T {}

/// A type whose values can be shared.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared between processes",
    label = "a shared value is sent as bytes: it must be `Serialize + DeserializeOwned`",
    note = "derive them (`#[derive(serde::Serialize, serde::Deserialize)]`), or leave `shared` out"
)]
pub trait SharedValue: Serialize + DeserializeOwned {}
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> SharedValue for T {}

/// The shape of a part of a shared key, if it can be one.
#[must_use]
pub fn shared_part<S: Shape>(shape: PhantomData<S>) -> PhantomData<S>
where
    S::Owned: SharedKey,
{
    shape
}

/// Asks the type system how a key becomes bytes.
#[derive(Debug)]
pub struct SharedParts<A>(PhantomData<fn() -> A>);

/// The question about a key of these parts.
#[must_use]
pub fn shared_parts<P: Shapes>(_: P) -> SharedParts<P::Args> {
    SharedParts(PhantomData)
}

/// First choice: every part can be shared.
pub trait EncodedKey {
    /// The owned form of the key.
    type Owned;
    /// How it becomes bytes.
    fn __cacheback_encoded(&self) -> Encoded<Self::Owned>;
}
impl<A: Shape> EncodedKey for SharedParts<A>
where
    A::Owned: Serialize + DeserializeOwned,
{
    type Owned = A::Owned;
    fn __cacheback_encoded(&self) -> Encoded<A::Owned> {
        Encoded(Encoding::of())
    }
}

/// Last choice: some part cannot, which [`shared_part`] has told. It need not be told again.
pub trait RefusedKey {
    /// The owned form of the key.
    type Owned;
    /// Never called.
    fn __cacheback_encoded(&self) -> Encoded<Self::Owned>;
}
impl<A: Shape> RefusedKey for &SharedParts<A> {
    type Owned = A::Owned;
    fn __cacheback_encoded(&self) -> Encoded<A::Owned> {
        unreachable!("`shared_part` does not compile")
    }
}

/// How values of one type become bytes.
pub struct Encoded<T>(Encoding<T>);

impl<T> std::fmt::Debug for Encoded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoded").finish_non_exhaustive()
    }
}

/// The options of the second tier, for a function of the owned key `K` and the value `V`.
pub struct SharedSite<K, V> {
    alias: Option<&'static str>,
    version: fn() -> u64,
    queue: Option<&'static str>,
    key: Encoding<K>,
    value: Encoding<V>,
}

impl<K, V> SharedSite<K, V> {
    pub(crate) fn new(key: Encoded<K>) -> Self
    where
        V: Serialize + DeserializeOwned,
    {
        Self { alias: None, version: || 0, queue: None, key: key.0, value: Encoding::of() }
    }

    /// The values are in the tier of this name.
    #[must_use]
    pub fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// The version of the entries. The expression is evaluated once for each cache.
    #[must_use]
    pub fn version(mut self, version: fn() -> u64) -> Self {
        self.version = version;
        self
    }

    /// Workers run the refreshes that nobody waits for, from the queue of this name.
    #[must_use]
    pub fn queue(mut self, queue: &'static str) -> Self {
        self.queue = Some(queue);
        self
    }

    /// The options of the cache with the marker `M`. Runs user code.
    pub(crate) fn options<M: Marker>(self) -> SharedOptions<K, V> {
        let Self { alias, version, queue, key, value } = self;
        SharedOptions { alias, version: version(), instance: M::instance(), queue, key, value }
    }
}

impl<K, V> std::fmt::Debug for SharedSite<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSite").field("alias", &self.alias).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::marker::{Generic, Method};
    use crate::key::{Nested, Ref, Slice, Val};

    fn site<K>(key: Encoded<K>) -> SharedSite<K, bool> {
        SharedSite::new(key)
    }

    fn nothing() -> SharedSite<(), bool> {
        site(shared_parts(()).__cacheback_encoded())
    }

    #[test]
    fn a_key_is_shared_in_its_owned_form() {
        let parts = (
            shared_part(PhantomData::<Ref<str>>),
            shared_part(PhantomData::<Slice<Ref<str>>>),
            shared_part(PhantomData::<Nested<Option<Ref<[u8]>>>>),
            shared_part(PhantomData::<Val<u8>>),
        );
        type Key = (String, Vec<String>, Option<Vec<u8>>, u8);
        let _: SharedSite<Key, bool> = site(shared_parts(parts).__cacheback_encoded());
    }

    #[test]
    fn an_option_that_is_left_out_has_its_default() {
        let options = nothing().options::<()>();
        assert_eq!((options.alias, options.version, options.instance), (None, 0, None));
        let options = nothing().alias("sessions").version(|| 3).options::<()>();
        assert_eq!((options.alias, options.version), (Some("sessions"), 3));
    }

    #[test]
    fn instantiations_have_names_of_their_own() {
        fn name<M: Marker>() -> Option<&'static str> {
            nothing().options::<M>().instance
        }
        let names = [
            name::<()>(),
            name::<Generic<(PhantomData<u8>,)>>(),
            name::<Generic<(PhantomData<u16>,)>>(),
            name::<Method<u8, ()>>(),
            name::<Method<str, ()>>(),
            name::<Method<u8, (PhantomData<u8>,)>>(),
        ];
        for (place, name) in names.iter().enumerate() {
            assert_eq!(names.iter().position(|other| other == name), Some(place), "{names:?}");
        }
    }
}
