//! Arguments as keys: borrowed for a lookup, owned once for a fetch.
//!
//! A *shape* describes the type of an argument without its lifetimes: `Ref<str>` for `&str`, `Slice<Ref<str>>` for
//! `&[&str]`, `Val<u32>` for `u32`. It names the owned form that is kept ([`Shape::Owned`]) and the borrow of it that
//! the function's body gets ([`Form::Lease`]). [`Own`] and [`KeyPart`] are implemented on the borrowed argument itself,
//! so that a lookup hashes and compares the caller's own borrows.

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

mod computed;
mod object;
mod shapes;
mod tuples;
pub use computed::{BorrowedPart, Computed, NestedPart, computed};
pub(crate) use object::ObjectKey;
pub use shapes::{CowOf, Nested, Ref, Slice, This, Val};

/// A type that can be handed to a fetch: owned, and lent to each run of the body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a cached function",
    label = "a fetch is a task of its own: its arguments must be `Clone + Send + Sync + 'static`",
    note = "take an `Arc` of it (a receiver: `self: &Arc<Self>`), or a type that is cheap to clone"
)]
pub trait Argument: Clone + Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Argument for T {}

/// A type that can be borrowed as an argument: `&str`, `&[u8]`, `&User`.
#[diagnostic::on_unimplemented(
    message = "`&{Self}` cannot be an argument of a cached function",
    label = "a fetch is a task of its own and owns its arguments: `{Self}` must be `Clone + Send + Sync + 'static`",
    note = "take an `Arc` of it, or derive `Clone` where that is cheap"
)]
pub trait Borrowed: ToOwned<Owned: Send + Sync> + 'static {}
#[diagnostic::do_not_recommend]
impl<T: ?Sized + ToOwned<Owned: Send + Sync> + 'static> Borrowed for T {}

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

/// The form of an argument, even if its type cannot be one; or that of an argument list, as a tuple.
pub trait Form: 'static {
    /// The type that the body gets.
    type Lease<'o>;
}

/// The form of a type that can be an argument.
pub trait Shape: Form {
    /// The type that a fetch owns.
    type Owned: Send + Sync + 'static;
    /// Lends the body its argument.
    fn lease(owned: &Self::Owned) -> Self::Lease<'_>;
}

/// The shape of a key, or of a part of one: its owned form tells entries apart.
pub trait KeyShape: Shape {
    /// Hashes an owned form, with the same result as what it was made from.
    fn hash_owned<H: Hasher>(owned: &Self::Owned, state: &mut H);
    /// Whether two owned forms are the same key.
    fn equal(a: &Self::Owned, b: &Self::Owned) -> bool;
    /// Clones an owned form.
    fn copy(owned: &Self::Owned) -> Self::Owned;
}

/// A borrowed argument of the shape `S` that can be owned.
#[diagnostic::on_unimplemented(
    message = "argument type `{Self}` is not what its tokens look like (`{S}`)",
    label = "write the type out, without an alias that hides a borrow"
)]
pub trait Own<S: Shape> {
    /// Owns the argument for a fetch.
    fn own(&self) -> S::Owned;
}

/// A borrowed argument of the shape `S` that can be looked up.
pub trait KeyPart<S: KeyShape>: Own<S> {
    /// Hashes the borrowed argument.
    fn hash<H: Hasher>(&self, state: &mut H);
    /// Whether the borrowed argument equals the owned one.
    fn same(&self, owned: &S::Owned) -> bool;
}

/// The shapes of an argument list. `W` holds references to the arguments of a call.
pub trait ArgsOver<W: Copy>: Shape {
    /// Owns the arguments for a fetch.
    fn own(view: W) -> Self::Owned;
}

/// The shapes of a key. `W` holds references to its parts.
pub trait KeyOver<W: Copy>: KeyShape + ArgsOver<W> {
    /// Hashes the parts of the caller's key.
    fn hash<H: Hasher>(view: W, state: &mut H);
    /// Whether the caller's key equals a key in the cache.
    fn same(view: W, owned: &Self::Owned) -> bool;
}

/// References to the arguments of a call, or to the parts of its key, with their shapes `A`.
#[derive(Debug)]
pub struct Viewed<A, W> {
    pub(crate) view: W,
    shapes: PhantomData<A>,
}

impl<A, W> Viewed<A, W> {
    pub(crate) fn new(view: W) -> Self {
        Self { view, shapes: PhantomData }
    }
}

/// The shapes of a key with a computed part, found by inference.
pub trait Shapes {
    /// The tuple of shapes.
    type Args: Form;
}

#[cfg(test)]
mod tests;
