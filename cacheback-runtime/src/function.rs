//! A cached function, as the attribute makes it.

mod call;
pub(crate) mod definition;
pub(crate) mod instance;
mod instances;
pub(crate) mod marker;
#[cfg(feature = "shared")]
pub(crate) mod queued;
#[cfg(feature = "shared")]
pub(crate) mod shared;
pub(crate) mod slot;
pub(crate) mod span;
