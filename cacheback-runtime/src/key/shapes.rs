//! A shape for each form of argument.

use std::borrow::{Borrow, Cow};
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use super::{Argument, Borrowed, Form, Key, KeyPart, KeyShape, Own, Receiver, Shape};

/// An argument that borrows nothing.
#[derive(Debug)]
pub struct Val<T>(PhantomData<fn() -> T>);

impl<T: 'static> Form for Val<T> {
    type Lease<'o> = T;
}
impl<T: Argument> Shape for Val<T> {
    type Owned = T;
    fn lease(owned: &T) -> T {
        owned.clone()
    }
}
impl<T: Argument + Key> KeyShape for Val<T> {
    fn hash_owned<H: Hasher>(owned: &T, state: &mut H) {
        Hash::hash(owned, state);
    }
    fn equal(a: &T, b: &T) -> bool {
        a == b
    }
    fn copy(owned: &T) -> T {
        owned.clone()
    }
}
impl<T: Argument> Own<Val<T>> for T {
    fn own(&self) -> T {
        self.clone()
    }
}
impl<T: Argument + Key> KeyPart<Val<T>> for T {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(self, state);
    }
    #[inline]
    fn same(&self, owned: &T) -> bool {
        self == owned
    }
}

/// `&T`, kept as `T::Owned`: `&str` as a `String`, `&[u8]` as a `Vec<u8>`.
#[derive(Debug)]
pub struct Ref<T: ?Sized>(PhantomData<fn() -> Box<T>>);

impl<T: ?Sized + 'static> Form for Ref<T> {
    type Lease<'o> = &'o T;
}
impl<T: ?Sized + Borrowed> Shape for Ref<T> {
    type Owned = T::Owned;
    fn lease(owned: &T::Owned) -> &T {
        owned.borrow()
    }
}
impl<T: ?Sized + Borrowed + Key> KeyShape for Ref<T> {
    fn hash_owned<H: Hasher>(owned: &T::Owned, state: &mut H) {
        Hash::hash(Borrow::<T>::borrow(owned), state);
    }
    fn equal(a: &T::Owned, b: &T::Owned) -> bool {
        *Borrow::<T>::borrow(a) == *Borrow::<T>::borrow(b)
    }
    fn copy(owned: &T::Owned) -> T::Owned {
        Borrow::<T>::borrow(owned).to_owned()
    }
}
impl<T: ?Sized + Borrowed> Own<Ref<T>> for &T {
    fn own(&self) -> T::Owned {
        (**self).to_owned()
    }
}
impl<T: ?Sized + Borrowed + Key> KeyPart<Ref<T>> for &T {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(*self, state);
    }
    #[inline]
    fn same(&self, owned: &T::Owned) -> bool {
        **self == *Borrow::<T>::borrow(owned)
    }
}

/// `&self`, kept as `Self`.
#[derive(Debug)]
pub struct This<T>(PhantomData<fn() -> T>);

impl<T: 'static> Form for This<T> {
    type Lease<'o> = &'o T;
}
impl<T: Receiver> Shape for This<T> {
    type Owned = T;
    fn lease(owned: &T) -> &T {
        owned
    }
}
impl<T: Receiver + Key> KeyShape for This<T> {
    fn hash_owned<H: Hasher>(owned: &T, state: &mut H) {
        Hash::hash(owned, state);
    }
    fn equal(a: &T, b: &T) -> bool {
        a == b
    }
    fn copy(owned: &T) -> T {
        owned.clone()
    }
}
impl<T: Receiver> Own<This<T>> for &T {
    fn own(&self) -> T {
        (**self).clone()
    }
}
impl<T: Receiver + Key> KeyPart<This<T>> for &T {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(*self, state);
    }
    #[inline]
    fn same(&self, owned: &T) -> bool {
        *self == owned
    }
}

/// `Cow<'_, T>`, kept as `T::Owned`.
#[derive(Debug)]
pub struct CowOf<T: ?Sized>(PhantomData<fn() -> Box<T>>);

impl<T: ?Sized + ToOwned + 'static> Form for CowOf<T> {
    type Lease<'o> = Cow<'o, T>;
}
impl<T: ?Sized + Borrowed> Shape for CowOf<T> {
    type Owned = T::Owned;
    fn lease(owned: &T::Owned) -> Cow<'_, T> {
        Cow::Borrowed(owned.borrow())
    }
}
impl<T: ?Sized + Borrowed + Key> KeyShape for CowOf<T> {
    fn hash_owned<H: Hasher>(owned: &T::Owned, state: &mut H) {
        Ref::<T>::hash_owned(owned, state);
    }
    fn equal(a: &T::Owned, b: &T::Owned) -> bool {
        Ref::<T>::equal(a, b)
    }
    fn copy(owned: &T::Owned) -> T::Owned {
        Ref::<T>::copy(owned)
    }
}
impl<T: ?Sized + Borrowed> Own<CowOf<T>> for Cow<'_, T> {
    fn own(&self) -> T::Owned {
        (**self).to_owned()
    }
}
impl<T: ?Sized + Borrowed + Key> KeyPart<CowOf<T>> for Cow<'_, T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(&**self, state);
    }
    #[inline]
    fn same(&self, owned: &T::Owned) -> bool {
        **self == *Borrow::<T>::borrow(owned)
    }
}

/// `&X` of an `X` that borrows: `&&str`, `&Option<&str>`. The body gets an `X`, and borrows that.
#[derive(Debug)]
pub struct Nested<S>(PhantomData<fn() -> S>);

impl<S: Form> Form for Nested<S> {
    type Lease<'o> = S::Lease<'o>;
}
impl<S: Shape> Shape for Nested<S> {
    type Owned = S::Owned;
    fn lease(owned: &S::Owned) -> S::Lease<'_> {
        S::lease(owned)
    }
}
impl<S: KeyShape> KeyShape for Nested<S> {
    fn hash_owned<H: Hasher>(owned: &S::Owned, state: &mut H) {
        S::hash_owned(owned, state);
    }
    fn equal(a: &S::Owned, b: &S::Owned) -> bool {
        S::equal(a, b)
    }
    fn copy(owned: &S::Owned) -> S::Owned {
        S::copy(owned)
    }
}
impl<S: Shape, X: Own<S>> Own<Nested<S>> for &X {
    fn own(&self) -> S::Owned {
        (**self).own()
    }
}
impl<S: KeyShape, X: KeyPart<S>> KeyPart<Nested<S>> for &X {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
    #[inline]
    fn same(&self, owned: &S::Owned) -> bool {
        (**self).same(owned)
    }
}

/// `&[X]` of an `X` that borrows: `&[&str]`. The body gets a `Vec` of leases, and borrows that.
#[derive(Debug)]
pub struct Slice<S>(PhantomData<fn() -> S>);

impl<S: Form> Form for Slice<S> {
    type Lease<'o> = Vec<S::Lease<'o>>;
}
impl<S: Shape> Shape for Slice<S> {
    type Owned = Vec<S::Owned>;
    fn lease(owned: &Self::Owned) -> Self::Lease<'_> {
        owned.iter().map(S::lease).collect()
    }
}
impl<S: KeyShape> KeyShape for Slice<S> {
    fn hash_owned<H: Hasher>(owned: &Self::Owned, state: &mut H) {
        state.write_usize(owned.len());
        for part in owned {
            S::hash_owned(part, state);
        }
    }
    fn equal(a: &Self::Owned, b: &Self::Owned) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| S::equal(a, b))
    }
    fn copy(owned: &Self::Owned) -> Self::Owned {
        owned.iter().map(S::copy).collect()
    }
}
impl<S: Shape, X: Own<S>> Own<Slice<S>> for &[X] {
    fn own(&self) -> Vec<S::Owned> {
        self.iter().map(X::own).collect()
    }
}
impl<S: KeyShape, X: KeyPart<S>> KeyPart<Slice<S>> for &[X] {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        for part in *self {
            part.hash(state);
        }
    }
    #[inline]
    fn same(&self, owned: &Vec<S::Owned>) -> bool {
        self.len() == owned.len() && self.iter().zip(owned).all(|(part, owned)| part.same(owned))
    }
}

impl<S: Form> Form for Option<S> {
    type Lease<'o> = Option<S::Lease<'o>>;
}
impl<S: Shape> Shape for Option<S> {
    type Owned = Option<S::Owned>;
    fn lease(owned: &Self::Owned) -> Self::Lease<'_> {
        owned.as_ref().map(S::lease)
    }
}
impl<S: KeyShape> KeyShape for Option<S> {
    fn hash_owned<H: Hasher>(owned: &Self::Owned, state: &mut H) {
        state.write_u8(u8::from(owned.is_some()));
        if let Some(part) = owned {
            S::hash_owned(part, state);
        }
    }
    fn equal(a: &Self::Owned, b: &Self::Owned) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => S::equal(a, b),
            (None, None) => true,
            _ => false,
        }
    }
    fn copy(owned: &Self::Owned) -> Self::Owned {
        owned.as_ref().map(S::copy)
    }
}
impl<S: Shape, X: Own<S>> Own<Option<S>> for Option<X> {
    fn own(&self) -> Option<S::Owned> {
        self.as_ref().map(X::own)
    }
}
impl<S: KeyShape, X: KeyPart<S>> KeyPart<Option<S>> for Option<X> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(u8::from(self.is_some()));
        if let Some(part) = self {
            part.hash(state);
        }
    }
    #[inline]
    fn same(&self, owned: &Option<S::Owned>) -> bool {
        match (self, owned) {
            (Some(part), Some(owned)) => part.same(owned),
            (None, None) => true,
            _ => false,
        }
    }
}
