//! Arguments as keys: looked up borrowed, owned once for a fetch.
//!
//! A *shape* describes the type of an argument without its lifetimes: `Ref<str>` for `&str`, `Slice<Ref<str>>` for
//! `&[&str]`, `Val<u32>` for `u32`. It names what is kept ([`Shape::Owned`]) and what the function's body is lent from
//! that ([`Shape::Lease`]). [`Own`] and [`KeyPart`] are implemented on the borrowed argument itself, so that a lookup
//! hashes and compares what the caller holds.

use std::borrow::{Borrow, Cow};
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// A type that can be handed to a fetch: owned, and lent to each run of the body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a cached function",
    label = "a fetch is a task of its own: its arguments must be `Clone + Send + Sync + 'static`",
    note = "take an `Arc` of it, or a type that is cheap to clone"
)]
pub trait Argument: Clone + Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Argument for T {}

/// A type that can tell one entry from another.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache key",
    label = "a key needs `Hash + Eq`",
    note = "write `skip(..)` for this argument, or `key = ..` with what tells entries apart"
)]
pub trait Key: Hash + Eq {}
#[diagnostic::do_not_recommend]
impl<T: Hash + Eq + ?Sized> Key for T {}

/// The form of an argument: what is kept of it and what the body is lent.
pub trait Shape: 'static {
    /// What a fetch owns.
    type Owned: Send + Sync + 'static;
    /// What the body is lent.
    type Lease<'o>;
    /// Lends the body its argument.
    fn lease(owned: &Self::Owned) -> Self::Lease<'_>;
}

/// A shape whose owned form tells entries apart.
pub trait KeyShape: Shape {
    /// Whether two owned forms are the same key.
    fn equal(a: &Self::Owned, b: &Self::Owned) -> bool;
}

/// A borrowed argument of the shape `S`, which can be owned.
#[diagnostic::on_unimplemented(
    message = "argument type `{Self}` is not what its tokens look like (`{S}`)",
    label = "write the type out, without an alias that hides a borrow"
)]
pub trait Own<S: Shape> {
    /// Owns the argument for a fetch.
    fn own(&self) -> S::Owned;
}

/// A borrowed argument of the shape `S`, which can be looked up.
pub trait KeyPart<S: KeyShape>: Own<S> {
    /// Hashes what the caller holds.
    fn hash<H: Hasher>(&self, state: &mut H);
    /// Compares what the caller holds with what is kept.
    fn same(&self, owned: &S::Owned) -> bool;
}

/// An argument without a borrow in it.
#[derive(Debug)]
pub struct Val<T>(PhantomData<fn() -> T>);

impl<T: Argument> Shape for Val<T> {
    type Owned = T;
    type Lease<'o> = T;
    fn lease(owned: &T) -> T {
        owned.clone()
    }
}
impl<T: Argument + Key> KeyShape for Val<T> {
    fn equal(a: &T, b: &T) -> bool {
        a == b
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

impl<T: ?Sized + ToOwned + 'static> Shape for Ref<T>
where
    T::Owned: Send + Sync,
{
    type Owned = T::Owned;
    type Lease<'o> = &'o T;
    fn lease(owned: &T::Owned) -> &T {
        owned.borrow()
    }
}
impl<T: ?Sized + ToOwned + Key + 'static> KeyShape for Ref<T>
where
    T::Owned: Send + Sync,
{
    fn equal(a: &T::Owned, b: &T::Owned) -> bool {
        *Borrow::<T>::borrow(a) == *Borrow::<T>::borrow(b)
    }
}
impl<T: ?Sized + ToOwned + 'static> Own<Ref<T>> for &T
where
    T::Owned: Send + Sync,
{
    fn own(&self) -> T::Owned {
        (**self).to_owned()
    }
}
impl<T: ?Sized + ToOwned + Key + 'static> KeyPart<Ref<T>> for &T
where
    T::Owned: Send + Sync,
{
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(*self, state);
    }
    #[inline]
    fn same(&self, owned: &T::Owned) -> bool {
        **self == *Borrow::<T>::borrow(owned)
    }
}

/// `Cow<'_, T>`, kept as `T::Owned`.
#[derive(Debug)]
pub struct CowOf<T: ?Sized>(PhantomData<fn() -> Box<T>>);

impl<T: ?Sized + ToOwned + 'static> Shape for CowOf<T>
where
    T::Owned: Send + Sync,
{
    type Owned = T::Owned;
    type Lease<'o> = Cow<'o, T>;
    fn lease(owned: &T::Owned) -> Cow<'_, T> {
        Cow::Borrowed(owned.borrow())
    }
}
impl<T: ?Sized + ToOwned + Key + 'static> KeyShape for CowOf<T>
where
    T::Owned: Send + Sync,
{
    fn equal(a: &T::Owned, b: &T::Owned) -> bool {
        Ref::<T>::equal(a, b)
    }
}
impl<T: ?Sized + ToOwned + 'static> Own<CowOf<T>> for Cow<'_, T>
where
    T::Owned: Send + Sync,
{
    fn own(&self) -> T::Owned {
        (**self).to_owned()
    }
}
impl<T: ?Sized + ToOwned + Key + 'static> KeyPart<CowOf<T>> for Cow<'_, T>
where
    T::Owned: Send + Sync,
{
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(&**self, state);
    }
    #[inline]
    fn same(&self, owned: &T::Owned) -> bool {
        **self == *Borrow::<T>::borrow(owned)
    }
}

/// `&X` where `X` itself holds borrows: `&&str`, `&Option<&str>`. The body is lent `X`, and borrows that.
#[derive(Debug)]
pub struct Nested<S>(PhantomData<fn() -> S>);

impl<S: Shape> Shape for Nested<S> {
    type Owned = S::Owned;
    type Lease<'o> = S::Lease<'o>;
    fn lease(owned: &S::Owned) -> S::Lease<'_> {
        S::lease(owned)
    }
}
impl<S: KeyShape> KeyShape for Nested<S> {
    fn equal(a: &S::Owned, b: &S::Owned) -> bool {
        S::equal(a, b)
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

/// `&[X]` where `X` holds borrows: `&[&str]`. The body is lent a `Vec` of leases.
#[derive(Debug)]
pub struct Slice<S>(PhantomData<fn() -> S>);

impl<S: Shape> Shape for Slice<S> {
    type Owned = Vec<S::Owned>;
    type Lease<'o> = Vec<S::Lease<'o>>;
    fn lease(owned: &Self::Owned) -> Self::Lease<'_> {
        owned.iter().map(S::lease).collect()
    }
}
impl<S: KeyShape> KeyShape for Slice<S> {
    fn equal(a: &Self::Owned, b: &Self::Owned) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| S::equal(a, b))
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

impl<S: Shape> Shape for Option<S> {
    type Owned = Option<S::Owned>;
    type Lease<'o> = Option<S::Lease<'o>>;
    fn lease(owned: &Self::Owned) -> Self::Lease<'_> {
        owned.as_ref().map(S::lease)
    }
}
impl<S: KeyShape> KeyShape for Option<S> {
    fn equal(a: &Self::Owned, b: &Self::Owned) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => S::equal(a, b),
            (None, None) => true,
            _ => false,
        }
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

/// The shapes of an argument list, as a tuple.
pub trait Args: 'static {
    /// What a fetch owns of all of them.
    type Owned: Send + Sync + 'static;
}

/// The shapes of a key, as a tuple.
pub trait KeyArgs: Args {
    /// Whether two owned keys are the same.
    fn equal(a: &Self::Owned, b: &Self::Owned) -> bool;
}

/// References to the arguments of a call, in the order of `A`, which can be owned.
pub trait ArgsView<A: Args>: Copy {
    /// Owns the arguments for a fetch.
    fn own(self) -> A::Owned;
}

/// References to the parts of a key, in the order of `A`, which can be looked up.
pub trait KeyView<A: KeyArgs>: ArgsView<A> {
    /// Hashes what the caller holds.
    fn hash<H: Hasher>(self, state: &mut H);
    /// Compares what the caller holds with a key that is kept.
    fn same(self, owned: &A::Owned) -> bool;
}

macro_rules! tuples {
    ($($($S:ident $X:ident $i:tt)*;)*) => {$(
        impl<$($S: Shape),*> Args for ($($S,)*) {
            type Owned = ($($S::Owned,)*);
        }
        impl<$($S: KeyShape),*> KeyArgs for ($($S,)*) {
            #[allow(unused_variables)]
            fn equal(a: &Self::Owned, b: &Self::Owned) -> bool {
                true $(&& $S::equal(&a.$i, &b.$i))*
            }
        }
        impl<$($S: Shape, $X: Own<$S>),*> ArgsView<($($S,)*)> for ($(&$X,)*) {
            #[allow(clippy::unused_unit)]
            fn own(self) -> <($($S,)*) as Args>::Owned {
                ($(self.$i.own(),)*)
            }
        }
        impl<$($S: KeyShape, $X: KeyPart<$S>),*> KeyView<($($S,)*)> for ($(&$X,)*) {
            #[inline]
            #[allow(unused_variables)]
            fn hash<HH: Hasher>(self, state: &mut HH) {
                $(self.$i.hash(state);)*
            }
            #[inline]
            #[allow(unused_variables)]
            fn same(self, owned: &<($($S,)*) as Args>::Owned) -> bool {
                true $(&& self.$i.same(&owned.$i))*
            }
        }
        impl<$($S: Shape),*> Shape for ($($S,)*) {
            type Owned = ($($S::Owned,)*);
            type Lease<'o> = ($($S::Lease<'o>,)*);
            #[allow(unused_variables, clippy::unused_unit)]
            fn lease(owned: &Self::Owned) -> Self::Lease<'_> {
                ($($S::lease(&owned.$i),)*)
            }
        }
        impl<$($S: KeyShape),*> KeyShape for ($($S,)*) {
            fn equal(a: &<Self as Shape>::Owned, b: &<Self as Shape>::Owned) -> bool {
                <Self as KeyArgs>::equal(a, b)
            }
        }
        impl<$($S: Shape, $X: Own<$S>),*> Own<($($S,)*)> for ($($X,)*) {
            #[allow(clippy::unused_unit)]
            fn own(&self) -> <($($S,)*) as Shape>::Owned {
                ($(self.$i.own(),)*)
            }
        }
        impl<$($S: KeyShape, $X: KeyPart<$S>),*> KeyPart<($($S,)*)> for ($($X,)*) {
            #[inline]
            #[allow(unused_variables)]
            fn hash<HH: Hasher>(&self, state: &mut HH) {
                $(self.$i.hash(state);)*
            }
            #[inline]
            #[allow(unused_variables)]
            fn same(&self, owned: &<($($S,)*) as Shape>::Owned) -> bool {
                true $(&& self.$i.same(&owned.$i))*
            }
        }
        impl<$($S: Shape),*> Shapes for ($(PhantomData<$S>,)*) {
            type Args = ($($S,)*);
        }
    )*};
}

/// The shapes of a key of which some part is computed, by inference.
pub trait Shapes {
    /// The tuple of shapes.
    type Args: Args;
}

tuples! {
    ;
    A XA 0;
    A XA 0 B XB 1;
    A XA 0 B XB 1 C XC 2;
    A XA 0 B XB 1 C XC 2 D XD 3;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6 H XH 7;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6 H XH 7 I XI 8;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6 H XH 7 I XI 8 J XJ 9;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6 H XH 7 I XI 8 J XJ 9 K XK 10;
    A XA 0 B XB 1 C XC 2 D XD 3 E XE 4 F XF 5 G XG 6 H XH 7 I XI 8 J XJ 9 K XK 10 L XL 11;
}

#[cfg(test)]
mod tests;
