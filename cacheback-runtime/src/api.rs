//! The public types, for the attribute's functions and for caches without it.

pub(crate) mod cache;
pub(crate) mod configure;
pub(crate) mod entry;
#[cfg(feature = "metrics")]
pub mod metrics;
pub(crate) mod registry;
pub(crate) mod shutdown;
