//! How an error is handed to many callers, and how it is described. Both are found by method resolution, with a trait
//! for each level.

use std::any::type_name;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::ops::Deref;

use super::{Outcome, Probe};
use crate::base::sync::Arc;
use crate::outcome::error::{AsError, FetchError};

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

/// How an error is described in a log line and in a [`FetchError`].
#[derive(Debug)]
pub struct Describe<E> {
    words: Words<E>,
    /// Gives access to its causes, if it may have any.
    pub(crate) as_error: Option<AsError<E>>,
}

/// The text of an error, without its causes.
#[derive(Debug)]
enum Words<E> {
    /// Its `Display`.
    Displayed(fn(&E) -> String),
    /// Its `Debug`.
    Debugged(fn(&E) -> String),
    /// The name of its type, if it has neither.
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

/// How far a chain of causes is followed: it may lead back into itself.
const MOST_CAUSES: usize = 32;

impl<E> Describe<E> {
    /// Describes an error by its type.
    pub(crate) const UNSEEN: Self = Self { words: Words::Unseen(type_name::<E>), as_error: None };

    /// Describes an error by its `Display`.
    pub(crate) fn displayed() -> Self
    where
        E: Display,
    {
        Self { words: Words::Displayed(E::to_string), as_error: None }
    }

    /// The same, followed by its causes.
    pub(crate) fn with_causes(self, causes: Causes<E>) -> Self {
        Self { as_error: causes.as_error, ..self }
    }

    /// The text for callers, with the whole chain of causes. Runs user code.
    pub(crate) fn text(self, error: &E) -> String {
        let mut text = match self.words {
            Words::Displayed(text) | Words::Debugged(text) => text(error),
            Words::Unseen(name) => name().to_owned(),
        };
        let first = self.as_error.and_then(|as_error| as_error(error).source());
        for cause in std::iter::successors(first, |&cause| cause.source()).take(MOST_CAUSES) {
            let cause = cause.to_string();
            // Many errors already end with the text of their source.
            if !text.ends_with(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        text
    }

    /// The text for the logs. `text` is the one that [`text`](Describe::text) returned. A `Debug` is not logged: it
    /// shows all fields of an error, and these are often the arguments of the function.
    pub(crate) fn logged(self, text: &str) -> &str {
        match self.words {
            Words::Displayed(_) => text,
            Words::Debugged(_) => type_name::<E>(),
            Words::Unseen(name) => name(),
        }
    }
}

/// How to find and describe the errors among return values that are kept whole.
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
    /// Describes errors by their type.
    pub(crate) const UNSEEN: Self = Self::described(Words::Unseen(type_name::<E>), None);

    /// Describes errors by their `Display`.
    pub(crate) fn displayed() -> Self
    where
        E: Display,
    {
        Self::described(Words::Displayed(|returned| error_of(returned).to_string()), None)
    }

    /// Describes errors by their `Display`, with their causes.
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

/// The error of a returned `Err`. It must not be asked of an `Ok`.
fn error_of<T, E>(returned: &Result<T, E>) -> &E {
    match returned {
        Err(error) => error,
        Ok(_) => unreachable!("a value is not described"),
    }
}

/// First choice: a `std::error::Error`. Reached through three references.
pub trait ErrorProbe {
    /// The error.
    type E;
    /// By its `Display`, with its causes.
    fn __cacheback_describe(&self) -> Describe<Self::E>;
}
impl<T, E: Error + 'static> ErrorProbe for &&Probe<Result<T, E>> {
    type E = E;
    fn __cacheback_describe(&self) -> Describe<E> {
        Describe::displayed().with_causes(Causes::own())
    }
}
/// Second choice: a box of such an error, such as `anyhow::Error`.
pub trait BoxedProbe {
    /// The error.
    type E;
    /// By its `Display`, with the causes of the error in the box.
    fn __cacheback_describe(&self) -> Describe<Self::E>;
}
impl<T, E: Display + Deref<Target = dyn Error + Send + Sync>> BoxedProbe for &&&Probe<Result<T, E>> {
    type E = E;
    fn __cacheback_describe(&self) -> Describe<E> {
        Describe::displayed().with_causes(Causes::boxed())
    }
}
/// Third choice: a pointer to such a box, such as `Arc<anyhow::Error>`.
pub trait SharedBoxProbe {
    /// The error.
    type E;
    /// By its `Display`, with the causes of the error in the box.
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
/// Fourth choice: an error with `Display`.
impl<T, E: Display> Probe<Result<T, E>> {
    /// By its `Display`.
    #[must_use]
    pub fn __cacheback_describe(&self) -> Describe<E> {
        Describe::displayed()
    }
}
/// Fifth choice: an error with `Debug` alone.
pub trait DebugProbe {
    /// The error.
    type E;
    /// By its `Debug`.
    fn __cacheback_describe(&self) -> Describe<Self::E>;
}
impl<T, E: Debug> DebugProbe for Probe<Result<T, E>> {
    type E = E;
    fn __cacheback_describe(&self) -> Describe<E> {
        Describe { words: Words::Debugged(|error| format!("{error:?}")), as_error: None }
    }
}
/// Last choice: an error with neither, or no error at all.
pub trait OpaqueProbe {
    /// The return type.
    type R;
    /// By its type.
    fn __cacheback_describe(self) -> Opaque<Self::R>;
}
impl<R> OpaqueProbe for Probe<R> {
    type R = R;
    fn __cacheback_describe(self) -> Opaque<R> {
        Opaque(PhantomData)
    }
}

/// No way but its type was found to describe the error of `R`.
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

/// Where the causes of an error are found: the error is a `std::error::Error` itself, or derefs to one.
#[derive(Debug)]
pub(crate) struct Causes<E> {
    as_error: Option<AsError<E>>,
}

impl<E: Error + 'static> Causes<E> {
    /// The error is one itself.
    pub(crate) fn own() -> Self {
        Self { as_error: Some(|error| error) }
    }
}
impl<E: Deref<Target = dyn Error + Send + Sync>> Causes<E> {
    /// The error is a box of one, such as `anyhow::Error`.
    pub(crate) fn boxed() -> Self {
        Self { as_error: Some(|error| &**error) }
    }
}
impl<E: Deref<Target: Deref<Target = dyn Error + Send + Sync>>> Causes<E> {
    /// The error is a pointer to such a box, such as `Arc<anyhow::Error>`.
    pub(crate) fn shared() -> Self {
        Self { as_error: Some(|error| &***error) }
    }
}
