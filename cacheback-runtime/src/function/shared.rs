//! A function whose values are in the second tier too: its keys and values become bytes, in the way of their types.
//!
//! The answers to the questions of generated code promise what the questions ask for. So a type that lacks it is told
//! once, at the question, which has the span of the user's tokens.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::marker::Marker;
use crate::engine::SharedOptions;
use crate::key::Shape;
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

/// A part of a shared key.
pub trait SharedPart {
    /// Its owned form.
    type Owned: Serialize + DeserializeOwned;
}

/// A part of the shape `S`.
struct Part<S>(PhantomData<fn() -> S>);

impl<S: Shape> SharedPart for Part<S>
where
    S::Owned: SharedKey,
{
    type Owned = S::Owned;
}

/// A part of a shared key, if it can be one.
#[must_use]
pub fn shared_part<S: Shape>(_: PhantomData<S>) -> impl SharedPart<Owned = S::Owned>
where
    S::Owned: SharedKey,
{
    Part::<S>(PhantomData)
}

/// All parts of a shared key.
pub trait SharedParts {
    /// The owned form of the key.
    type Owned: Serialize + DeserializeOwned;
}

macro_rules! parts {
    ($($($P:ident)*;)*) => {$(
        impl<$($P: SharedPart),*> SharedParts for ($($P,)*) {
            type Owned = ($($P::Owned,)*);
        }
    )*};
}

parts! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}

/// The options of the second tier, for a function of the owned key `K` and the value `V`.
pub struct SharedSite<K, V> {
    alias: Option<&'static str>,
    version: fn() -> u64,
    key: Encoding<K>,
    value: Encoding<V>,
}

impl<K, V> SharedSite<K, V> {
    pub(crate) const fn new() -> Self
    where
        K: Serialize + DeserializeOwned,
        V: Serialize + DeserializeOwned,
    {
        Self { alias: None, version: || 0, key: Encoding::of(), value: Encoding::of() }
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

    /// The options of the cache with the marker `M`. Runs user code.
    pub(crate) fn options<M: Marker>(self) -> SharedOptions<K, V> {
        let Self { alias, version, key, value } = self;
        SharedOptions { alias, version: version(), instance: M::instance(), key, value }
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

    /// The site of a key of these parts.
    fn site<P: SharedParts>(_: P) -> SharedSite<P::Owned, bool> {
        SharedSite::new()
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
        let _: SharedSite<Key, bool> = site(parts);
        let _: SharedSite<(), bool> = site(());
    }

    #[test]
    fn an_option_that_is_left_out_has_its_default() {
        let options = site(()).options::<()>();
        assert_eq!((options.alias, options.version, options.instance), (None, 0, None));
        let options = site(()).alias("sessions").version(|| 3).options::<()>();
        assert_eq!((options.alias, options.version), (Some("sessions"), 3));
    }

    #[test]
    fn instantiations_have_names_of_their_own() {
        fn name<M: Marker>() -> Option<&'static str> {
            site(()).options::<M>().instance
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
