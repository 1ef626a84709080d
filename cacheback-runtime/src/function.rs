//! A cached function: what the attribute makes of it.

pub(crate) mod definition;
pub(crate) mod instance;
pub(crate) mod slot;
pub(crate) mod span;
