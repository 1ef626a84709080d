//! The result of a flight, and the answer to a call.

use std::time::Duration;

use super::{Cacheable, ErrorOf};
use crate::base::clock::Moment;
use crate::base::panics::Panic;
use crate::base::sync::Arc;
use crate::events::Status;

/// How a flight came home.
pub(crate) enum FlightResult<C: Cacheable> {
    Value(Arc<Fetched<C::Value>>),
    Failed(ErrorOf<C>),
    Panicked(Arc<Panic>),
    TimedOut,
    Lost,
}

impl<C: Cacheable> FlightResult<C> {
    pub(super) const LOST: &'static Self = &Self::Lost;
    pub(super) const TIMED_OUT: &'static Self = &Self::TimedOut;
}

impl<C: Cacheable> Clone for FlightResult<C> {
    fn clone(&self) -> Self {
        match self {
            Self::Value(brought) => Self::Value(Arc::clone(brought)),
            Self::Failed(kept) => Self::Failed(Arc::clone(kept)),
            Self::Panicked(panic) => Self::Panicked(Arc::clone(panic)),
            Self::TimedOut => Self::TimedOut,
            Self::Lost => Self::Lost,
        }
    }
}

/// A value for those who waited for it, whether or not it was stored.
pub(crate) struct Fetched<V> {
    pub(crate) value: V,
    pub(crate) started: Moment,
}

/// What a call is answered with.
pub(crate) struct Answer<R> {
    pub(crate) value: R,
    pub(crate) status: Status,
    pub(crate) age: Option<Duration>,
}

/// Which call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// The plain one: who waited is not told how old the outcome is.
    Plain,
    Lookup,
    /// It waits on a miss, whatever the function's options say.
    GetOrFetch,
}

/// A value as it lies in the store.
pub(crate) struct Peeked<V> {
    pub(crate) value: V,
    pub(crate) age: Duration,
    pub(crate) fresh: bool,
}
