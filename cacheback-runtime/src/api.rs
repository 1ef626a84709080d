//! The public types and functions: for cached functions, and for caches without the attribute.

pub(crate) mod cache;
pub(crate) mod configure;
pub(crate) mod entry;
#[cfg(feature = "metrics")]
pub mod metrics;
pub(crate) mod registry;
#[cfg(feature = "shared")]
pub(crate) mod serve;
#[cfg(feature = "shared")]
pub mod shared;
pub(crate) mod shutdown;
#[cfg(feature = "worker")]
pub(crate) mod worker;
