//! The definition of a cache: everything about it that depends on no key.

use std::time::Duration;

use super::Cacheable;
use crate::base::sync::Arc;
use crate::outcome::{Describe, Outcome, Sharing};
use crate::rules::policy::Policy;
#[cfg(feature = "shared")]
use crate::tier::codec::Encoding;

/// The name and options of a cache. The attribute or the builder makes it, and an engine is made from it.
pub(crate) struct Definition<C: Cacheable> {
    pub(crate) name: &'static str,
    pub(crate) policy: Policy,
    pub(crate) values: ValueOptions<C::Outcome>,
    pub(crate) share: Sharing<C::Error>,
    pub(crate) describe: Describe<C::Error>,
    /// With them its values are in the second tier too.
    pub(crate) shared: Option<SharedOptions<C::OwnedKey, C::Value>>,
}

/// The options of a cache whose values are in the second tier, and how its keys and values become bytes.
#[cfg(feature = "shared")]
pub(crate) struct SharedOptions<K, V> {
    /// The tier that was configured under this name, or the one without a name.
    pub(crate) alias: Option<&'static str>,
    /// Entries of another version are those of another cache.
    pub(crate) version: u64,
    /// Tells this cache from the others of its function, in every process that runs the same program.
    pub(crate) instance: Option<&'static str>,
    /// The queue for refreshes that nobody waits for, if workers run them.
    pub(crate) queue: Option<&'static str>,
    pub(crate) key: Encoding<K>,
    pub(crate) value: Encoding<V>,
}

/// Without the feature there are none.
#[cfg(not(feature = "shared"))]
pub(crate) struct SharedOptions<K, V>(std::convert::Infallible, std::marker::PhantomData<fn() -> (K, V)>);

#[cfg(not(feature = "shared"))]
impl<K, V> SharedOptions<K, V> {
    pub(crate) fn never(self) -> ! {
        match self.0 {}
    }
}

/// The options that are closures over a value or an error. To call one is to run user code.
pub(crate) struct ValueOptions<O: Outcome> {
    /// The value's own lifetime.
    pub(crate) lifetime_for: Option<Closure<O::Value, Duration>>,
    /// The value's own retention.
    pub(crate) retention_for: Option<Closure<O::Value, Duration>>,
    /// The number of bytes that the value counts as.
    pub(crate) weigh: Option<Closure<O::Value, u64>>,
    /// Whether the error says that the origin is down. Otherwise it is the answer of a healthy origin.
    pub(crate) is_outage: Option<Closure<O::Error, bool>>,
}

/// The closure of an option. A closure of the attribute captures nothing, and a closure of the builder may.
pub(crate) enum Closure<T, R> {
    Function(fn(&T) -> R),
    Shared(Arc<dyn Fn(&T) -> R + Send + Sync>),
}

impl<T, R> Closure<T, R> {
    pub(crate) fn shared(closure: impl Fn(&T) -> R + Send + Sync + 'static) -> Self {
        Self::Shared(Arc::new(closure))
    }

    pub(crate) fn call(&self, value: &T) -> R {
        match self {
            Self::Function(function) => function(value),
            Self::Shared(closure) => closure(value),
        }
    }
}

impl<T, R> Clone for Closure<T, R> {
    fn clone(&self) -> Self {
        match self {
            Self::Function(function) => Self::Function(*function),
            Self::Shared(closure) => Self::Shared(Arc::clone(closure)),
        }
    }
}

impl<O: Outcome> ValueOptions<O> {
    pub(crate) const NONE: Self =
        Self { lifetime_for: None, retention_for: None, weigh: None, is_outage: None };

    pub(crate) fn lifetime_for(&self, value: &O::Value) -> Option<Duration> {
        self.lifetime_for.as_ref().map(|lifetime_for| lifetime_for.call(value))
    }

    pub(crate) fn retention_for(&self, value: &O::Value) -> Option<Duration> {
        self.retention_for.as_ref().map(|retention_for| retention_for.call(value))
    }

    /// Zero without `weigh`.
    pub(crate) fn weigh(&self, value: &O::Value) -> u64 {
        self.weigh.as_ref().map_or(0, |weigh| weigh.call(value))
    }

    /// Without `is_outage` every error is an outage.
    pub(crate) fn is_outage(&self, error: &O::Error) -> bool {
        self.is_outage.as_ref().is_none_or(|is_outage| is_outage.call(error))
    }
}

impl<O: Outcome> Clone for ValueOptions<O> {
    fn clone(&self) -> Self {
        let Self { lifetime_for, retention_for, weigh, is_outage } = self;
        Self {
            lifetime_for: lifetime_for.clone(),
            retention_for: retention_for.clone(),
            weigh: weigh.clone(),
            is_outage: is_outage.clone(),
        }
    }
}
