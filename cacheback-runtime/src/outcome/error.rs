//! The two errors of the public API: [`Error`] of a write, and [`FetchError`] of a fetch that several callers share.

use std::any::Any;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::base::sync::Arc;

/// Why a write (`set`, `invalidate`, `remove`, `clear`) or [`configure`](crate::configure()) failed.
///
/// In this process a write of a value does not fail. With a second tier a write fails if the tier could not be told of
/// it ([`ErrorKind::Unreachable`]). The change holds in this process all the same, and the tier is told of it later.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call cannot be done as it was written: the message says what to write.
    Invalid,
    /// The second tier could not be told or asked, or has not answered. A change holds in this process. In the tier it may
    /// have been made or not: the tier is told of it (once more) when it is back, so it need not be made again. It is also
    /// returned for a change that the tier has made, but that too few replicas have confirmed (`Redis::wait_replicas`):
    /// nobody asks them again.
    Unreachable,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Invalid, message: message.into() }
    }

    #[cfg(feature = "shared")]
    pub(crate) fn unreachable(cache: &str, why: &dyn fmt::Display) -> Self {
        let message = format!("the second tier of `{cache}` could not be told of the change: {why}");
        Self { kind: ErrorKind::Unreachable, message }
    }

    #[cfg(feature = "shared")]
    pub(crate) fn unconfirmed(cache: &str, why: &dyn fmt::Display) -> Self {
        let message =
            format!("the second tier has not confirmed the change of `{cache}` by its replicas: {why}");
        Self { kind: ErrorKind::Unreachable, message }
    }

    #[cfg(feature = "shared")]
    pub(crate) fn no_answer(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Unreachable, message: message.into() }
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
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
    /// The function panicked. The callers get this panic as a panic.
    Panic,
    /// The fetch did not end within its `refresh_timeout`, because the thread of the caller blocks the only runtime
    /// that could drive it. (Otherwise a fetch goes on for the callers who wait for it.)
    TimedOut,
    /// The fetch ended without an outcome: its runtime was dropped.
    Lost,
}

/// The failure of a fetch, for every caller who waited for it, even if there was only one.
///
/// An error type that is neither `Clone` nor `From<Arc<E>>` is made from it, through `From<FetchError>`.
/// `anyhow::Error` and `Box<dyn Error + Send + Sync>` have this conversion already.
///
/// It owns the function's own error and adds no words to it. [`Display`](fmt::Display) shows that error, followed by
/// its causes. [`source`](std::error::Error::source) is the source of that error, and
/// [`downcast_ref`](FetchError::downcast_ref) gives the error itself. [`function`](FetchError::function) is the name of
/// the function, and [`kind`](FetchError::kind) tells how the fetch failed. A fetch that was lost or timed out has no
/// error of its own, and displays a sentence instead.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use std::fmt;
/// use cacheback::{Cache, FetchError, FetchErrorKind};
///
/// #[derive(Debug)]
/// struct Refused(u64);
///
/// impl fmt::Display for Refused {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         write!(f, "user {} was refused", self.0)
///     }
/// }
/// impl std::error::Error for Refused {}
///
/// /// The error type of a cached function: it can be made from a `FetchError`, like `anyhow::Error`.
/// type Failure = Box<dyn std::error::Error + Send + Sync>;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let users: Cache<u64, Result<String, Failure>> = Cache::builder()
///     .name("users")
///     .fetch_on_miss()
///     .try_fetcher(|id: u64| async move { Err::<String, Failure>(Refused(id).into()) })
///     .build()?;
///
/// let error = users.get(&7).await.unwrap_err();
/// let error: &FetchError = error.downcast_ref().expect("every caller gets one");
/// assert_eq!((error.function(), error.kind()), ("users", FetchErrorKind::Error));
/// assert_eq!(error.to_string(), "user 7 was refused");
/// let original: &Failure = error.downcast_ref().expect("the function's own error");
/// assert_eq!(original.downcast_ref::<Refused>().map(|refused| refused.0), Some(7));
/// # Ok::<_, cacheback::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct FetchError {
    function: &'static str,
    kind: FetchErrorKind,
    /// The text of the original with its causes, or a sentence in its place.
    text: Arc<str>,
    original: Option<Arc<dyn Original>>,
}

/// Gives an error as a `std::error::Error`.
pub(crate) type AsError<E> = fn(&E) -> &(dyn std::error::Error + 'static);

/// A function's own error, type-erased.
trait Original: Send + Sync {
    fn any(&self) -> &dyn Any;
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)>;
}

struct Owned<E> {
    error: E,
    as_error: Option<AsError<E>>,
}

impl<E: Send + Sync + 'static> Original for Owned<E> {
    fn any(&self) -> &dyn Any {
        &self.error
    }
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.as_error?(&self.error).source()
    }
}

// It only shows an error, and changes nothing.
impl UnwindSafe for FetchError {}
impl RefUnwindSafe for FetchError {}

impl FetchError {
    /// The failure of a fetch that ended without an error of the function's own.
    pub(crate) fn without_outcome(function: &'static str, kind: FetchErrorKind, why: &str) -> Self {
        let ended = match kind {
            FetchErrorKind::TimedOut => "timed out",
            FetchErrorKind::Error | FetchErrorKind::Panic | FetchErrorKind::Lost => "was lost",
        };
        Self { function, kind, text: format!("fetch of `{function}` {ended}: {why}").into(), original: None }
    }

    /// A function's own error. `text` is its text, with those of its causes.
    pub(crate) fn of<E: Send + Sync + 'static>(
        function: &'static str,
        error: E,
        text: &str,
        as_error: Option<AsError<E>>,
    ) -> Self {
        let original = Arc::new(Owned { error, as_error }) as Arc<dyn Original>;
        Self { function, kind: FetchErrorKind::Error, text: text.into(), original: Some(original) }
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

    /// The function's own error, if `E` is its type. That is the `E` of the function's `Result<T, E>`: a function that
    /// returns `anyhow::Result<T>` has an `anyhow::Error` here, which has a `downcast_ref` of its own.
    #[must_use]
    pub fn downcast_ref<E: 'static>(&self) -> Option<&E> {
        self.original.as_ref()?.any().downcast_ref()
    }
}

impl fmt::Debug for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchError")
            .field("function", &self.function)
            .field("kind", &self.kind)
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.original.as_ref()?.source()
    }
}
