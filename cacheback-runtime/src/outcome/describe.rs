//! How an error is described: found by method resolution, with a trait for each level.

use std::any::type_name;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::ops::Deref;

use super::{Outcome, Probe};
use crate::outcome::error::AsError;

/// How an error is described in a log line and in a [`FetchError`](crate::FetchError).
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
