//! How an error is handed to many callers, and how it is described: found by method resolution, one trait a level.

use std::any::type_name;
use std::convert::Infallible;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;

use super::{Outcome, Probe};
use crate::error::FetchError;
use crate::sync::Arc;

/// How one error is handed to many.
#[derive(Debug)]
pub enum Sharing<E> {
    /// Each caller gets a copy, made by this function from one that is kept.
    Copied(fn(&E) -> E),
    /// Each caller gets one made from the shared original.
    Shared(fn(Arc<E>) -> E),
    /// Each caller gets one made from a [`FetchError`].
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

/// Last: nothing to share, or no way to.
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

/// An answer of the probes that is enough for the outcome `O`.
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

/// The error of what cannot fail.
#[diagnostic::on_unimplemented(
    message = "the error of this cached function cannot be handed to several waiting callers",
    label = "neither `Clone`, nor `From<Arc<Self>>`, nor `From<cacheback::FetchError>`",
    note = "write `share_err = |error: &E| ..` in the attribute, or implement one of the three"
)]
pub trait NoError {}
impl NoError for Infallible {}

/// How an error is described in a log line and in a [`FetchError`].
#[derive(Debug)]
pub enum Describe<E> {
    /// As its `Display` says.
    Displayed(fn(&E) -> String),
    /// As its `Debug` says.
    Debugged(fn(&E) -> String),
    /// It has neither: by its type.
    Unseen,
}
impl<E> Clone for Describe<E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Describe<E> {}

impl<E> Describe<E> {
    /// For those who get the error. Runs user code.
    pub(crate) fn text(self, error: &E) -> String {
        match self {
            Self::Displayed(text) | Self::Debugged(text) => text(error),
            Self::Unseen => type_name::<E>().to_owned(),
        }
    }

    /// For the logs, where `text` is what [`text`](Describe::text) said. A `Debug` shows all that an error holds, and
    /// that is most often what the function was called with.
    pub(crate) fn logged(self, text: &str) -> &str {
        match self {
            Self::Displayed(_) => text,
            Self::Debugged(_) | Self::Unseen => type_name::<E>(),
        }
    }
}

impl<T, E: Display> Probe<Result<T, E>> {
    /// As it displays itself.
    #[must_use]
    pub fn __cacheback_describe(&self) -> Describe<E> {
        Describe::Displayed(E::to_string)
    }
}
/// For an error without `Display`: as it debugs itself.
pub trait DebugProbe {
    /// The error.
    type E;
    /// As it debugs itself.
    fn __cacheback_describe(&self) -> Describe<Self::E>;
}
impl<T, E: Debug> DebugProbe for Probe<Result<T, E>> {
    type E = E;
    fn __cacheback_describe(&self) -> Describe<E> {
        Describe::Debugged(|error| format!("{error:?}"))
    }
}
/// For an error with neither, and for no error at all.
pub trait OpaqueProbe {
    /// The return type.
    type R;
    /// Nothing to tell.
    fn __cacheback_describe(&self) -> Opaque<Self::R>;
}
impl<R> OpaqueProbe for &Probe<R> {
    type R = R;
    fn __cacheback_describe(&self) -> Opaque<R> {
        Opaque(PhantomData)
    }
}

/// An error of which nothing can be said but its type.
#[derive(Debug)]
pub struct Opaque<R>(PhantomData<fn() -> R>);

/// Turns the answer of the probes into a [`Describe`].
pub trait Describes<O: Outcome> {
    /// The way that was found.
    fn describe(self) -> Describe<O::Error>;
}
impl<O: Outcome> Describes<O> for Describe<O::Error> {
    fn describe(self) -> Self {
        self
    }
}
impl<O: Outcome> Describes<O> for Opaque<O::Return> {
    fn describe(self) -> Describe<O::Error> {
        Describe::Unseen
    }
}
