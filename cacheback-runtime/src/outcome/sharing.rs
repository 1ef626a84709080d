//! How an error is handed to many callers, and how it is described: found by method resolution, one trait a level.

use std::any::type_name;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::ops::Deref;

use super::{Outcome, Probe};
use crate::base::sync::Arc;
use crate::outcome::error::{AsError, FetchError};

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
    note = "for an error of your own: derive `Clone`, or implement one of the other two",
    note = "for an error of another crate: return `Result<_, Arc<{Self}>>`, which `?` makes of it, or write `share_err = |error: &E| ..` in the attribute"
)]
pub trait NoError {}
impl NoError for Infallible {}

/// How an error is described in a log line and in a [`FetchError`].
#[derive(Debug)]
pub struct Describe<E> {
    words: Words<E>,
    /// Its causes, if it may have some.
    pub(crate) as_error: Option<AsError<E>>,
}

/// What an error says of itself, without its causes.
#[derive(Debug)]
enum Words<E> {
    /// As its `Display` says.
    Displayed(fn(&E) -> String),
    /// As its `Debug` says.
    Debugged(fn(&E) -> String),
    /// It has neither: its type.
    Unseen(fn() -> &'static str),
}

impl<E> Clone for Words<E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Words<E> {}
impl<E> Clone for Describe<E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Describe<E> {}

/// No chain of causes is followed further: one may lead back into itself.
const MOST_CAUSES: usize = 32;

impl<E> Describe<E> {
    /// By its type.
    pub(crate) const UNSEEN: Self = Self { words: Words::Unseen(type_name::<E>), as_error: None };

    /// As it displays itself.
    pub(crate) fn displayed() -> Self
    where
        E: Display,
    {
        Self { words: Words::Displayed(E::to_string), as_error: None }
    }

    /// Followed by its causes.
    pub(crate) fn with_causes(self, causes: Causes<E>) -> Self {
        Self { as_error: causes.as_error, ..self }
    }

    /// For those who get the error, with the whole chain of its causes. Runs user code.
    pub(crate) fn text(self, error: &E) -> String {
        let mut text = match self.words {
            Words::Displayed(text) | Words::Debugged(text) => text(error),
            Words::Unseen(name) => name().to_owned(),
        };
        let first = self.as_error.and_then(|as_error| as_error(error).source());
        for cause in std::iter::successors(first, |&cause| cause.source()).take(MOST_CAUSES) {
            let cause = cause.to_string();
            // Many errors end with what their source says.
            if !text.ends_with(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        text
    }

    /// For the logs; `text` is what [`text`](Describe::text) said. A `Debug` shows all that an error holds, and that is
    /// most often what the function was called with.
    pub(crate) fn logged(self, text: &str) -> &str {
        match self.words {
            Words::Displayed(_) => text,
            Words::Debugged(_) => type_name::<E>(),
            Words::Unseen(name) => name(),
        }
    }
}

/// What is known of the errors among returned values that are kept whole.
#[derive(Debug)]
pub struct Errors<R> {
    pub(crate) is_error: fn(&R) -> bool,
    pub(crate) describe: Describe<R>,
}

impl<R> Clone for Errors<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Errors<R> {}

impl<T, E> Errors<Result<T, E>> {
    /// Described by their type.
    pub(crate) const UNSEEN: Self = Self::described(Words::Unseen(type_name::<E>), None);

    /// Described as they display themselves.
    pub(crate) fn displayed() -> Self
    where
        E: Display,
    {
        Self::described(Words::Displayed(|returned| error_of(returned).to_string()), None)
    }

    /// Described as they display themselves, with their causes.
    pub(crate) fn with_causes() -> Self
    where
        E: Error + 'static,
    {
        let Self { is_error, describe } = Self::displayed();
        Self {
            is_error,
            describe: Describe { as_error: Some(|returned| error_of::<T, E>(returned)), ..describe },
        }
    }

    const fn described(words: Words<Result<T, E>>, as_error: Option<AsError<Result<T, E>>>) -> Self {
        Self { is_error: Result::is_err, describe: Describe { words, as_error } }
    }
}

/// Only of what is one.
fn error_of<T, E>(returned: &Result<T, E>) -> &E {
    match returned {
        Err(error) => error,
        Ok(_) => unreachable!("a value is not described"),
    }
}

/// First choice: one of the standard library's errors. Reached through three references.
pub trait ErrorProbe {
    /// The error.
    type E;
    /// As it displays itself, with its causes.
    fn __cacheback_describe(&self) -> Describe<Self::E>;
}
impl<T, E: Error + 'static> ErrorProbe for &&Probe<Result<T, E>> {
    type E = E;
    fn __cacheback_describe(&self) -> Describe<E> {
        Describe::displayed().with_causes(Causes::own())
    }
}
/// Second choice: a box of one, such as `anyhow::Error`.
pub trait BoxedProbe {
    /// The error.
    type E;
    /// As it displays itself, with the causes of what is in the box.
    fn __cacheback_describe(&self) -> Describe<Self::E>;
}
impl<T, E: Display + Deref<Target = dyn Error + Send + Sync>> BoxedProbe for &&&Probe<Result<T, E>> {
    type E = E;
    fn __cacheback_describe(&self) -> Describe<E> {
        Describe::displayed().with_causes(Causes::boxed())
    }
}
/// Third choice: what shares such a box, such as `Arc<anyhow::Error>`.
pub trait SharedBoxProbe {
    /// The error.
    type E;
    /// As it displays itself, with the causes of what is in the box.
    fn __cacheback_describe(&self) -> Describe<Self::E>;
}
impl<T, E: Display + Deref<Target: Deref<Target = dyn Error + Send + Sync>>> SharedBoxProbe
    for &Probe<Result<T, E>>
{
    type E = E;
    fn __cacheback_describe(&self) -> Describe<E> {
        Describe::displayed().with_causes(Causes::shared())
    }
}
/// Fourth choice: what displays itself.
impl<T, E: Display> Probe<Result<T, E>> {
    /// As it displays itself.
    #[must_use]
    pub fn __cacheback_describe(&self) -> Describe<E> {
        Describe::displayed()
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
        Describe { words: Words::Debugged(|error| format!("{error:?}")), as_error: None }
    }
}
/// For an error with neither, and for no error at all.
pub trait OpaqueProbe {
    /// The return type.
    type R;
    /// Nothing to tell.
    fn __cacheback_describe(self) -> Opaque<Self::R>;
}
impl<R> OpaqueProbe for Probe<R> {
    type R = R;
    fn __cacheback_describe(self) -> Opaque<R> {
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
        Describe::UNSEEN
    }
}

/// Where the causes of an error are found: it is one of the standard library's errors, or what it derefs to is.
#[derive(Debug)]
pub(crate) struct Causes<E> {
    as_error: Option<AsError<E>>,
}

impl<E: Error + 'static> Causes<E> {
    /// It is one itself.
    pub(crate) fn own() -> Self {
        Self { as_error: Some(|error| error) }
    }
}
impl<E: Deref<Target = dyn Error + Send + Sync>> Causes<E> {
    /// It is a box of one, such as `anyhow::Error`.
    pub(crate) fn boxed() -> Self {
        Self { as_error: Some(|error| &**error) }
    }
}
impl<E: Deref<Target: Deref<Target = dyn Error + Send + Sync>>> Causes<E> {
    /// It shares a box of one, such as `Arc<anyhow::Error>`.
    pub(crate) fn shared() -> Self {
        Self { as_error: Some(|error| &***error) }
    }
}
