//! The two errors of the public API: [`Error`] of a write, [`FetchError`] of a fetch that others share.

use std::any::Any;
use std::fmt;

use crate::sync::Arc;

/// Why a write (`set`, `invalidate`, `remove`, `clear`) or [`configure`](crate::configure()) failed.
///
/// On the local tier no write of a value fails; the type is here so that a shared tier changes no call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    message: String,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// How a fetch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// The function returned an `Err`.
    Error,
    /// The function panicked. On the local tier such a panic is handed on as a panic.
    Panic,
    /// The fetch did not end within its `refresh_timeout`, because the thread of the caller blocks the only runtime that
    /// could drive it. (A fetch that is driven goes on for those who wait.)
    TimedOut,
    /// The fetch ended without an outcome: its runtime was dropped.
    Lost,
}

/// The failure of a fetch, as it is handed to those who waited for it together.
///
/// An error type takes it through `From<FetchError>` where it is neither `Clone` nor `From<Arc<E>>`, as
/// `anyhow::Error` and `Box<dyn Error + Send + Sync>` do. The call that started the fetch gets the function's own
/// error while it waits; the other callers get this one, which prints the same cause.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use cacheback::FetchError;
///
/// fn report(error: &FetchError) -> String {
///     format!("{} failed ({:?}): {error}", error.function(), error.kind())
/// }
/// ```
#[derive(Clone)]
pub struct FetchError {
    function: &'static str,
    kind: FetchErrorKind,
    message: Arc<str>,
    cause: Option<Arc<dyn Any + Send + Sync>>,
}

impl FetchError {
    pub(crate) fn new(function: &'static str, kind: FetchErrorKind, message: &str) -> Self {
        Self { function, kind, message: message.into(), cause: None }
    }

    pub(crate) fn caused_by<E: Send + Sync + 'static>(mut self, cause: E) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// The name of the cached function or cache.
    #[must_use]
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// How the fetch failed.
    #[must_use]
    pub fn kind(&self) -> FetchErrorKind {
        self.kind
    }

    /// The function's own error, where this is its type and no caller has taken it.
    ///
    /// The call that started the fetch gets the original while it waits, and then `None` is all that is left here;
    /// [`Display`](fmt::Display) tells the cause either way.
    #[must_use]
    pub fn downcast_ref<E: 'static>(&self) -> Option<&E> {
        self.cause.as_ref()?.downcast_ref()
    }
}

impl fmt::Debug for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchError")
            .field("function", &self.function)
            .field("kind", &self.kind)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, message, .. } = self;
        match self.kind {
            FetchErrorKind::Error => write!(f, "fetch of `{function}` failed: {message}"),
            FetchErrorKind::Panic => write!(f, "fetch of `{function}` panicked: {message}"),
            FetchErrorKind::TimedOut => write!(f, "fetch of `{function}` timed out: {message}"),
            FetchErrorKind::Lost => write!(f, "fetch of `{function}` was lost: {message}"),
        }
    }
}

impl std::error::Error for FetchError {}
