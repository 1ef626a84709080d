//! The function under the attribute, as its tokens tell.

pub(crate) mod attrs;
pub(crate) mod place;
pub(crate) mod shape;
pub(crate) mod signature;
