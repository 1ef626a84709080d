//! What a function returns, seen by the cache: a value to keep, or an error to hand on.
//!
//! Whether a return type is a `Result` is found by the type system: [`Probe::outcome`] on `Probe<Result<T, E>>` is an
//! inherent method and wins over [`AnyOutcome`], behind an alias too. How an error is shared and described is found in
//! the same way, one trait a level.

use std::convert::Infallible;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;

use crate::error::FetchError;
use crate::sync::Arc;

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

/// How a return type splits into value and error.
pub trait Outcome: Copy + Send + Sync + 'static {
    /// What the function returns.
    type Return: Send + 'static;
    /// What is kept.
    type Value: Value;
    /// What is not.
    type Error: Failure;
    /// Takes a return value apart.
    fn split(returned: Self::Return) -> Result<Self::Value, Self::Error>;
    /// Puts it together again.
    fn join(result: Result<Self::Value, Self::Error>) -> Self::Return;
}

/// `Result<T, E>`: the `T` is kept.
#[derive(Debug)]
pub struct Fallible<T, E>(PhantomData<fn() -> (T, E)>);

/// Everything else is kept as it is.
#[derive(Debug)]
pub struct Plain<R>(PhantomData<fn() -> R>);

impl<T, E> Clone for Fallible<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T, E> Copy for Fallible<T, E> {}
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

/// Asks the type system what a return type is.
#[derive(Debug)]
pub struct Probe<R>(PhantomData<fn() -> R>);

impl<R> Probe<R> {
    /// The one probe.
    pub const NEW: Self = Self(PhantomData);
}

impl<T, E> Probe<Result<T, E>> {
    /// A `Result`.
    #[must_use]
    pub const fn outcome(&self) -> Fallible<T, E> {
        Fallible(PhantomData)
    }
}

/// Anything that is not visibly a `Result`.
pub trait AnyOutcome {
    /// The return type.
    type R;
    /// Not a `Result`.
    fn outcome(&self) -> Plain<Self::R>;
}
impl<R> AnyOutcome for Probe<R> {
    type R = R;
    fn outcome(&self) -> Plain<R> {
        Plain(PhantomData)
    }
}

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
    fn share(&self) -> Sharing<Self::E>;
}
impl<T, E: Clone> ByCloneProbe for &Probe<Result<T, E>> {
    type E = E;
    fn share(&self) -> Sharing<E> {
        Sharing::Copied(E::clone)
    }
}

/// Second choice: `E: From<Arc<E>>`.
pub trait ByArcProbe {
    /// The error.
    type E;
    /// Shares the original.
    fn share(&self) -> Sharing<Self::E>;
}
impl<T, E: From<Arc<E>>> ByArcProbe for &&Probe<Result<T, E>> {
    type E = E;
    fn share(&self) -> Sharing<E> {
        Sharing::Shared(E::from)
    }
}

/// Third choice: `E: From<FetchError>`.
impl<T, E: From<FetchError>> Probe<Result<T, E>> {
    /// Wraps a [`FetchError`].
    #[must_use]
    pub fn share(&self) -> Sharing<E> {
        Sharing::Wrapped(E::from)
    }
}

/// Last: nothing to share, or no way to.
pub trait NoShareProbe {
    /// The return type.
    type R;
    /// Nothing.
    fn share(&self) -> Unshared<Self::R>;
}
impl<R> NoShareProbe for Probe<R> {
    type R = R;
    fn share(&self) -> Unshared<R> {
        Unshared(PhantomData)
    }
}

/// An answer of the probes that is enough for the outcome `O`.
#[diagnostic::on_unimplemented(
    message = "the error of this cached function cannot be handed to several waiting callers",
    label = "neither `Clone`, nor `From<Arc<Self>>`, nor `From<cacheback::FetchError>`",
    note = "write `share_err = |error: &E| ..` in the attribute, or implement one of the three"
)]
pub trait Shares<O: Outcome> {
    /// The way that was found.
    fn sharing(self) -> Sharing<O::Error>;
}
impl<T: Value, E: Failure> Shares<Fallible<T, E>> for Sharing<E> {
    fn sharing(self) -> Self {
        self
    }
}
impl<R: Value> Shares<Plain<R>> for Unshared<R> {
    fn sharing(self) -> Sharing<Infallible> {
        Sharing::Never
    }
}

/// How an error is described in a log line and in a [`FetchError`].
pub type Describe<E> = fn(&E) -> String;

impl<T, E: Display> Probe<Result<T, E>> {
    /// As it displays itself.
    #[must_use]
    pub fn describe(&self) -> Describe<E> {
        |error| error.to_string()
    }
}
/// For an error without `Display`: as it debugs itself.
pub trait DebugProbe {
    /// The error.
    type E;
    /// As it debugs itself.
    fn describe(&self) -> Describe<Self::E>;
}
impl<T, E: Debug> DebugProbe for Probe<Result<T, E>> {
    type E = E;
    fn describe(&self) -> Describe<E> {
        |error| format!("{error:?}")
    }
}
/// For an error with neither, and for no error at all.
pub trait OpaqueProbe {
    /// The return type.
    type R;
    /// Nothing to tell.
    fn describe(&self) -> Opaque<Self::R>;
}
impl<R> OpaqueProbe for &Probe<R> {
    type R = R;
    fn describe(&self) -> Opaque<R> {
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
        |_| std::any::type_name::<O::Error>().to_owned()
    }
}

/// The value that stands in while nothing is cached.
#[diagnostic::on_unimplemented(
    message = "no empty value: `{Self}` is not `Default`",
    label = "this is what callers get while nothing is cached",
    note = "write `empty = ..`, or `fetch_on_miss` to let them wait for the value"
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
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Bare;
    #[derive(Clone)]
    struct Cloned;
    struct ByArc(#[allow(dead_code)] Arc<ByArc>);
    impl From<Arc<Self>> for ByArc {
        fn from(shared: Arc<Self>) -> Self {
            Self(shared)
        }
    }
    struct Wrapped;
    impl From<FetchError> for Wrapped {
        fn from(_: FetchError) -> Self {
            Self
        }
    }
    type Alias<E> = Result<u8, E>;

    #[test]
    fn the_first_way_to_share_is_found() {
        let probe = &Probe::<Alias<Cloned>>::NEW;
        assert!(matches!((&probe).share(), Sharing::Copied(_)));
        let probe = &Probe::<Alias<ByArc>>::NEW;
        assert!(matches!((&probe).share(), Sharing::Shared(_)));
        let probe = &Probe::<Alias<Wrapped>>::NEW;
        assert!(matches!((&probe).share(), Sharing::Wrapped(_)));
        let probe = &Probe::<Alias<Bare>>::NEW;
        let _: Unshared<Alias<Bare>> = (&probe).share();
        let probe = &Probe::<Vec<u8>>::NEW;
        let _: Unshared<Vec<u8>> = (&probe).share();
    }

    #[test]
    fn the_best_description_is_found() {
        let probe = &Probe::<Alias<&str>>::NEW;
        assert_eq!(probe.describe()(&"shown"), "shown");
        let probe = &Probe::<Alias<Bare>>::NEW;
        assert_eq!(probe.describe()(&Bare), "Bare");
        let probe = &Probe::<Alias<Wrapped>>::NEW;
        let describe = Describes::<Fallible<u8, Wrapped>>::describe(probe.describe());
        assert!(describe(&Wrapped).ends_with("Wrapped"));
    }

    #[test]
    fn results_split_and_join_and_the_rest_is_a_value() {
        fn split<O: Outcome>(_: O, returned: O::Return) -> Result<O::Value, O::Error> {
            O::split(returned)
        }
        assert_eq!(split(Probe::<Alias<u16>>::NEW.outcome(), Err(7)), Err(7));
        assert_eq!(split(Probe::<Option<u8>>::NEW.outcome(), None), Ok(None));
        assert_eq!(<Plain<u8> as Outcome>::join(Ok(3)), 3);
        assert_eq!(<Fallible<u8, u16> as Outcome>::join(Ok(3)), Ok(3));
    }
}
