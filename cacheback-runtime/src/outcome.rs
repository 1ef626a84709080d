//! The outcome of a function, as the cache sees it: a value to keep, or an error to hand on.
//!
//! The type system finds out whether a return type is a `Result`, even behind an alias: [`Probe::__cacheback_outcome`]
//! on `Probe<Result<T, E>>` is an inherent method and wins over [`AnyOutcome`]. The name is one that no user would
//! choose: a trait of the user's with a method of this name, implemented for every type, could be called instead.

use std::convert::Infallible;
use std::marker::PhantomData;

mod describe;
pub(crate) mod error;
pub(crate) mod shared_error;
mod sharing;
pub(crate) mod weight;
pub use describe::{BoxedProbe, DebugProbe, Describe, ErrorProbe, OpaqueProbe, SharedBoxProbe};
pub(crate) use describe::{Causes, Describes, Errors};
pub use sharing::{ByArcProbe, ByCloneProbe, NoShareProbe};
pub(crate) use sharing::{Shares, Sharing};

/// A value that can be kept and handed to many callers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept in a cache",
    label = "a cached value is handed to many callers: it must be `Clone + Send + Sync + 'static`",
    note = "wrap it in an `Arc`, or derive `Clone`"
)]
pub trait Value: Clone + Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Value for T {}

/// An error that can leave the task of a fetch.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a cached function",
    label = "an error leaves the task that made it: it must be `Send + Sync + 'static`"
)]
pub trait Failure: Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<E: Send + Sync + 'static> Failure for E {}

/// Splits a return type into value and error.
pub trait Outcome: Copy + Send + Sync + 'static {
    /// The return type of the function.
    type Return: Send + 'static;
    /// The type of the values, which are kept.
    type Value: Value;
    /// The type of the errors, which are not.
    type Error: Failure;
    /// Takes a return value apart.
    fn split(returned: Self::Return) -> Result<Self::Value, Self::Error>;
    /// Puts a return value together again.
    fn join(result: Result<Self::Value, Self::Error>) -> Self::Return;
    /// Takes a return value apart, for a call that may know more about its errors than this type does.
    fn split_by(
        errors: Option<Errors<Self::Return>>,
        returned: Self::Return,
    ) -> Result<Self::Value, Self::Error> {
        let _ = errors;
        Self::split(returned)
    }
    /// How the errors are described, if only a call knows that.
    fn described_by(_: Errors<Self::Return>) -> Option<Describe<Self::Error>> {
        None
    }
}

/// `Result<T, E>`: the `T` is kept.
#[derive(Debug)]
pub struct Fallible<T, E>(PhantomData<fn() -> (T, E)>);

/// Any other type, which is kept as it is.
#[derive(Debug)]
pub(crate) struct Plain<R>(PhantomData<fn() -> R>);

impl<T, E> Clone for Fallible<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T, E> Copy for Fallible<T, E> {}

/// A return type that is kept whole, and whose values are errors if the call knows them as such. It is for caches that
/// are built before it is known whether their values are `Result`s.
#[derive(Debug)]
pub struct Whole<R>(PhantomData<fn() -> R>);

impl<R> Clone for Whole<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Whole<R> {}

impl<R: Value> Outcome for Whole<R> {
    type Return = R;
    type Value = R;
    type Error = R;
    fn split(returned: R) -> Result<R, R> {
        Ok(returned)
    }
    fn join(result: Result<R, R>) -> R {
        match result {
            Ok(returned) | Err(returned) => returned,
        }
    }
    fn split_by(errors: Option<Errors<R>>, returned: R) -> Result<R, R> {
        match errors {
            Some(errors) if (errors.is_error)(&returned) => Err(returned),
            _ => Ok(returned),
        }
    }
    fn described_by(errors: Errors<R>) -> Option<Describe<R>> {
        Some(errors.describe)
    }
}

impl<R> Clone for Plain<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Plain<R> {}

impl<T: Value, E: Failure> Outcome for Fallible<T, E> {
    type Return = Result<T, E>;
    type Value = T;
    type Error = E;
    fn split(returned: Result<T, E>) -> Result<T, E> {
        returned
    }
    fn join(result: Result<T, E>) -> Result<T, E> {
        result
    }
}

impl<R: Value> Outcome for Plain<R> {
    type Return = R;
    type Value = R;
    type Error = Infallible;
    fn split(returned: R) -> Result<R, Infallible> {
        Ok(returned)
    }
    fn join(result: Result<R, Infallible>) -> R {
        match result {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }
}

/// Asks the type system about a return type.
#[derive(Debug)]
pub struct Probe<R>(PhantomData<fn() -> R>);

impl<R> Clone for Probe<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Probe<R> {}

impl<R> Probe<R> {
    /// The one probe.
    pub const NEW: Self = Self(PhantomData);
}

// The answers are `impl Outcome`: if a value cannot be kept, the compiler says so at the question. The type of the
// answer promises that it can, so there is no second error at each use.
impl<T, E> Probe<Result<T, E>> {
    /// A `Result`.
    #[must_use]
    pub fn __cacheback_outcome(&self) -> impl Outcome<Return = Result<T, E>, Value = T, Error = E> + use<T, E>
    where
        T: Value,
        E: Failure,
    {
        Fallible(PhantomData)
    }
}

/// Any type that is not visibly a `Result`.
pub trait AnyOutcome {
    /// The return type.
    type R;
    /// Not a `Result`.
    fn __cacheback_outcome(&self) -> impl Outcome<Return = Self::R, Value = Self::R, Error = Infallible>
    where
        Self::R: Value;
}
impl<R> AnyOutcome for Probe<R> {
    type R = R;
    fn __cacheback_outcome(&self) -> impl Outcome<Return = R, Value = R, Error = Infallible>
    where
        R: Value,
    {
        Plain(PhantomData)
    }
}

/// The empty value, which callers get while nothing is cached.
#[diagnostic::on_unimplemented(
    message = "no empty value: `{Self}` is not `Default`",
    label = "this is what callers get while nothing is cached",
    note = "give one with `empty`, or let them wait for the value with `fetch_on_miss`"
)]
pub trait Empty: Sized {
    /// The empty value.
    fn empty() -> Self;
}
#[diagnostic::do_not_recommend]
impl<T: Default> Empty for T {
    fn empty() -> T {
        T::default()
    }
}

#[cfg(test)]
mod tests;
