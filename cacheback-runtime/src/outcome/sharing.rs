//! How an error is handed to many callers: found by method resolution, with a trait for each level.

use std::convert::Infallible;
use std::marker::PhantomData;

use super::{Outcome, Probe};
use crate::base::sync::Arc;
use crate::outcome::error::FetchError;

/// How one error is handed to many callers.
#[derive(Debug)]
pub enum Sharing<E> {
    /// Each caller gets a copy of the original, made by this function.
    Copied(fn(&E) -> E),
    /// Each caller gets an error made from the shared original.
    Shared(fn(Arc<E>) -> E),
    /// Each caller gets an error made from a [`FetchError`].
    Wrapped(fn(FetchError) -> E),
    /// There is no error to share.
    Never,
}
impl<E> Clone for Sharing<E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Sharing<E> {}

/// No way was found to share the error of `R`.
#[derive(Debug)]
pub struct Unshared<R>(PhantomData<fn() -> R>);

/// First choice: `E: Clone`. Reached through two references.
pub trait ByCloneProbe {
    /// The error.
    type E;
    /// Copies the error.
    fn __cacheback_share(&self) -> Sharing<Self::E>;
}
impl<T, E: Clone> ByCloneProbe for &Probe<Result<T, E>> {
    type E = E;
    fn __cacheback_share(&self) -> Sharing<E> {
        Sharing::Copied(E::clone)
    }
}

/// Second choice: `E: From<Arc<E>>`.
pub trait ByArcProbe {
    /// The error.
    type E;
    /// Shares the original.
    fn __cacheback_share(&self) -> Sharing<Self::E>;
}
impl<T, E: From<Arc<E>>> ByArcProbe for &&Probe<Result<T, E>> {
    type E = E;
    fn __cacheback_share(&self) -> Sharing<E> {
        Sharing::Shared(E::from)
    }
}

/// Third choice: `E: From<FetchError>`.
impl<T, E: From<FetchError>> Probe<Result<T, E>> {
    /// Wraps a [`FetchError`].
    #[must_use]
    pub fn __cacheback_share(&self) -> Sharing<E> {
        Sharing::Wrapped(E::from)
    }
}

/// Last choice: there is no error, or no way to share it.
pub trait NoShareProbe {
    /// The return type.
    type R;
    /// Nothing.
    fn __cacheback_share(&self) -> Unshared<Self::R>;
}
impl<R> NoShareProbe for Probe<R> {
    type R = R;
    fn __cacheback_share(&self) -> Unshared<R> {
        Unshared(PhantomData)
    }
}

/// An answer of the probes that suffices for the outcome `O`.
pub trait Shares<O: Outcome> {
    /// The way that was found.
    fn sharing(self) -> Sharing<O::Error>;
}
impl<O: Outcome> Shares<O> for Sharing<O::Error> {
    fn sharing(self) -> Self {
        self
    }
}
impl<O: Outcome<Error: NoError>> Shares<O> for Unshared<O::Return> {
    fn sharing(self) -> Sharing<O::Error> {
        Sharing::Never
    }
}

/// The error of a function that cannot fail.
#[diagnostic::on_unimplemented(
    message = "the error of this cached function cannot be handed to several waiting callers",
    label = "neither `Clone`, nor `From<Arc<Self>>`, nor `From<cacheback::FetchError>`",
    note = "for an error of your own: derive `Clone`, or implement one of the other two",
    note = "for an error of another crate: return `Result<_, Arc<{Self}>>`, which `?` makes of it, or write `share_err = |error: &E| ..` in the attribute"
)]
pub trait NoError {}
impl NoError for Infallible {}
