//! A cached function, as the attribute makes it.

mod call;
pub(crate) mod definition;
pub(crate) mod instance;
mod instances;
pub(crate) mod marker;
pub(crate) mod slot;
pub(crate) mod span;
