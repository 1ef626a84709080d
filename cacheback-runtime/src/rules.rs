//! The decisions: pure functions of facts and the time, with their tables of tests. They know no clock, no runtime and no
//! store.

pub(crate) mod backoff;
pub(crate) mod decide;
pub(crate) mod effect;
pub(crate) mod freshness;
pub(crate) mod policy;
