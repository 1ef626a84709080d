//! The result of a flight, and the answer to a call.

use std::time::Duration;

use super::{Cacheable, ErrorOf};
use crate::base::clock::Moment;
use crate::base::panics::Panic;
use crate::base::sync::Arc;
use crate::events::{Source, Status};
use crate::rules::freshness::Times;

/// The result of a flight, for the callers who wait for it.
pub(crate) enum FlightResult<C: Cacheable> {
    Value(Fetched<C::Value>),
    Failed(ErrorOf<C>),
    Panicked(Arc<Panic>),
    /// The body did not return before its `refresh_timeout`.
    TimedOut,
    /// The body did not end: its runtime was dropped, or a shutdown reached its limit.
    Lost,
    /// The body did not run: the second tier has a value, or somebody is to decide again without one.
    Consulted(Option<SharedValue<C::Value>>),
    /// The body did not run: the second tier has confirmed the value that is stored here.
    Confirmed,
}

impl<C: Cacheable> FlightResult<C> {
    pub(super) const LOST: &'static Self = &Self::Lost;
    pub(super) const TIMED_OUT: &'static Self = &Self::TimedOut;
}

impl<C: Cacheable> FlightResult<C> {
    /// Whether the body has run to its end.
    pub(super) fn is_outcome(&self) -> bool {
        match self {
            Self::Value(_) | Self::Failed(_) | Self::Panicked(_) => true,
            Self::Consulted(_) | Self::Confirmed | Self::TimedOut | Self::Lost => false,
        }
    }

    /// The number in the second tier of the value that it brings.
    #[cfg(feature = "shared")]
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Value(fetched) => fetched.id,
            Self::Consulted(found) => found.as_ref().map(|found| found.id),
            Self::Confirmed | Self::Failed(_) | Self::Panicked(_) | Self::TimedOut | Self::Lost => None,
        }
    }

    /// The same result for another flight. Clones the value, which is user code.
    pub(super) fn copy(&self) -> Self {
        match self {
            Self::Value(fetched) => Self::Value(fetched.clone()),
            Self::Failed(error) => Self::Failed(Arc::clone(error)),
            Self::Panicked(panic) => Self::Panicked(Arc::clone(panic)),
            Self::TimedOut => Self::TimedOut,
            Self::Lost => Self::Lost,
            Self::Consulted(found) => Self::Consulted(found.clone()),
            Self::Confirmed => Self::Confirmed,
        }
    }
}

/// A fetched value for the callers who waited for it, whether or not it was stored.
#[derive(Clone)]
pub(crate) struct Fetched<V> {
    pub(crate) value: V,
    pub(crate) started: Moment,
    /// Its number in the second tier, if it is stored there.
    #[cfg(feature = "shared")]
    pub(crate) id: Option<u64>,
}

/// A value that was found in the second tier.
#[derive(Clone)]
pub(crate) struct SharedValue<V> {
    pub(crate) value: V,
    pub(crate) times: Times,
    /// Its number there.
    #[cfg(feature = "shared")]
    pub(crate) id: u64,
    /// The fetch of another process has brought it, while this one waited for that.
    pub(crate) is_just_fetched: bool,
}

/// The answer to a call.
pub(crate) struct Answer<R> {
    pub(crate) value: R,
    pub(crate) status: Status,
    pub(crate) age: Option<Duration>,
    pub(crate) source: Source,
}

impl<R> Answer<R> {
    pub(super) fn empty(value: R) -> Self {
        Self { value, status: Status::Empty, age: None, source: Source::Empty }
    }
}

/// The kind of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// A plain call of the function. A caller who waited is not told the age of the outcome.
    Plain,
    /// `lookup`.
    Lookup,
    /// `get_or_fetch`: waits on a miss, whatever the options say.
    GetOrFetch,
}

/// A copy of a stored value.
pub(crate) struct Peeked<V> {
    pub(crate) value: V,
    pub(crate) age: Duration,
    pub(crate) fresh: bool,
    pub(crate) source: Source,
}
