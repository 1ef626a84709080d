//! Markers: types that tell the instantiations of one function apart, and know the name of a method's type.

use std::any::type_name;
use std::marker::PhantomData;

/// Tells an instantiation from the others of its function.
pub trait Marker: 'static {
    /// The name of the type, if the function is a method.
    fn owner() -> Option<&'static str> {
        None
    }

    /// Tells the instantiation from the others in every process that runs the same program; `None` for the only one. It is
    /// made of the names of types, and these may change with the compiler.
    #[cfg(feature = "shared")]
    fn instance() -> Option<&'static str>;
}

/// The only instantiation of a function.
impl Marker for () {
    #[cfg(feature = "shared")]
    fn instance() -> Option<&'static str> {
        None
    }
}

/// A function with the generic arguments `G`.
#[derive(Debug)]
pub struct Generic<G>(PhantomData<fn() -> G>);

impl<G: 'static> Marker for Generic<G> {
    #[cfg(feature = "shared")]
    fn instance() -> Option<&'static str> {
        Some(type_name::<G>())
    }
}

/// A function of the type `S`, with further generic arguments `G`.
#[derive(Debug)]
pub struct Method<S: ?Sized, G>(PhantomData<fn(&S)>, PhantomData<fn() -> G>);

impl<S: ?Sized + 'static, G: 'static> Marker for Method<S, G> {
    fn owner() -> Option<&'static str> {
        Some(type_name::<S>())
    }

    #[cfg(feature = "shared")]
    fn instance() -> Option<&'static str> {
        Some(type_name::<(PhantomData<S>, G)>())
    }
}

/// The name of a type, without its path and its arguments: `Repo` for `shop::Repo<shop::Db>`.
pub(crate) fn short_name(name: &'static str) -> &'static str {
    let name = name.split('<').next().filter(|name| !name.is_empty()).unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// A const argument as a type.
pub mod constant {
    macro_rules! constants {
        ($($ty:ident)*) => {$(
            /// A const argument of this type.
            #[allow(non_camel_case_types)]
            #[derive(Clone, Copy, Debug)]
            pub struct $ty<const VALUE: ::core::primitive::$ty>;
        )*};
    }
    constants! { bool char i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use super::*;

    #[test]
    fn instantiations_that_differ_in_one_argument_have_different_markers() {
        let ids = [
            TypeId::of::<()>(),
            TypeId::of::<Generic<(PhantomData<u8>,)>>(),
            TypeId::of::<Generic<(PhantomData<str>,)>>(),
            TypeId::of::<Generic<(PhantomData<constant::u8<1>>,)>>(),
            TypeId::of::<Generic<(PhantomData<constant::u8<2>>,)>>(),
            TypeId::of::<Method<u8, ()>>(),
            TypeId::of::<Method<[u8], ()>>(),
            TypeId::of::<Method<u8, (PhantomData<u8>,)>>(),
        ];
        for (place, id) in ids.iter().enumerate() {
            assert_eq!(ids.iter().position(|other| other == id), Some(place));
        }
    }

    #[test]
    fn the_name_of_a_type_has_no_path_and_no_arguments() {
        assert_eq!(Method::<Vec<Option<String>>, ()>::owner().map(short_name), Some("Vec"));
        assert_eq!(Method::<u8, ()>::owner().map(short_name), Some("u8"));
        assert_eq!(Generic::<u8>::owner(), None);
        for (name, short) in
            [("shop::Repo<shop::Db>", "Repo"), ("dyn shop::Source", "Source"), ("<T>", "<T>")]
        {
            assert_eq!(short_name(name), short);
        }
    }
}
