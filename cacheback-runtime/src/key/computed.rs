//! The shape of a computed part of a key, found by method resolution with a trait for each level. A part that borrows,
//! such as `name.trim()`, is handled as an argument: it is looked up as it is, and owned only for a fetch.

use std::borrow::Cow;
use std::marker::PhantomData;

use super::{CowOf, Form, Nested, Ref, Slice, Val};

/// Asks the type system for the shape of a computed part.
#[derive(Debug)]
pub struct Computed<T>(PhantomData<fn() -> T>);

/// The question about a computed part.
#[must_use]
pub fn computed<T>(_: &T) -> Computed<T> {
    Computed(PhantomData)
}

/// A value that borrows and can be owned.
pub trait Borrowing {
    /// How it is looked up and owned.
    type Shape: Form;
}
impl<T: ?Sized + ToOwned + 'static> Borrowing for &T {
    type Shape = Ref<T>;
}
impl<T: ?Sized + ToOwned + 'static> Borrowing for Cow<'_, T> {
    type Shape = CowOf<T>;
}
impl<X: Borrowing> Borrowing for Option<X> {
    type Shape = Option<X::Shape>;
}

/// First choice: a borrow of a type that borrows. Reached through two references.
pub trait NestedPart {
    /// How it is looked up and owned.
    type Shape;
    /// Its shape, as a value.
    fn __cacheback_shape(&self) -> PhantomData<Self::Shape>;
}
macro_rules! nested_parts {
    ($($part:ty => $shape:ty;)*) => {$(
        impl<X: Borrowing> NestedPart for &Computed<$part> {
            type Shape = $shape;
            fn __cacheback_shape(&self) -> PhantomData<$shape> {
                PhantomData
            }
        }
    )*};
}
nested_parts! {
    &X => Nested<X::Shape>;
    &[X] => Slice<X::Shape>;
    Option<&X> => Option<Nested<X::Shape>>;
    Option<&[X]> => Option<Slice<X::Shape>>;
}

/// Second choice: a borrow.
pub trait BorrowedPart {
    /// How it is looked up and owned.
    type Shape;
    /// Its shape, as a value.
    fn __cacheback_shape(&self) -> PhantomData<Self::Shape>;
}
impl<X: Borrowing> BorrowedPart for &&Computed<X> {
    type Shape = X::Shape;
    fn __cacheback_shape(&self) -> PhantomData<X::Shape> {
        PhantomData
    }
}

/// Last choice: a value that borrows nothing.
impl<T: 'static> Computed<T> {
    /// Its shape, as a value.
    #[must_use]
    pub fn __cacheback_shape(&self) -> PhantomData<Val<T>> {
        PhantomData
    }
}
