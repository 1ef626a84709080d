//! Arguments as keys: looked up borrowed, owned once for a fetch.
//!
//! A *shape* describes the type of an argument without its lifetimes: `Ref<str>` for `&str`, `Slice<Ref<str>>` for
//! `&[&str]`, `Val<u32>` for `u32`. It names what is kept ([`Shape::Owned`]) and what the function's body is lent from
//! that ([`Shape::Lease`]). [`Own`] and [`KeyPart`] are implemented on the borrowed argument itself, so that a lookup
//! hashes and compares what the caller holds.

use std::hash::{Hash, Hasher};

mod shapes;
mod tuples;
mod whole;
pub use shapes::{CowOf, Nested, Ref, Slice, This, Val};
pub(crate) use whole::Whole;

/// A type that can be handed to a fetch: owned, and lent to each run of the body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a cached function",
    label = "a fetch is a task of its own: its arguments must be `Clone + Send + Sync + 'static`",
    note = "take an `Arc` of it (a receiver: `self: &Arc<Self>`), or a type that is cheap to clone"
)]
pub trait Argument: Clone + Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Argument for T {}

/// A type whose methods can be cached with `&self`.
#[diagnostic::on_unimplemented(
    message = "`&{Self}` cannot be the receiver of a cached method",
    label = "a fetch outlives the call and owns its receiver: `Self` must be `Clone + Send + Sync + 'static`",
    note = "write `self: &Arc<Self>`, or derive `Clone` where that is cheap"
)]
pub trait Receiver: Clone + Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Receiver for T {}

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
    /// One more of an owned form.
    fn copy(owned: &Self::Owned) -> Self::Owned;
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

/// The shapes of an argument list, as a tuple.
pub trait Args: 'static {
    /// What a fetch owns of all of them.
    type Owned: Send + Sync + 'static;
}

/// The shapes of a key, as a tuple.
pub trait KeyArgs: Args {
    /// Whether two owned keys are the same.
    fn equal(a: &Self::Owned, b: &Self::Owned) -> bool;
    /// One more of an owned key.
    fn copy(owned: &Self::Owned) -> Self::Owned;
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

/// The shapes of a key of which some part is computed, by inference.
pub trait Shapes {
    /// The tuple of shapes.
    type Args: Args;
}

#[cfg(test)]
mod tests;
