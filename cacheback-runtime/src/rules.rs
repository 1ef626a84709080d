//! The decisions: pure functions of facts and the time, with tables of tests. They know no clock, runtime or store.

pub(crate) mod backoff;
pub(crate) mod decide;
pub(crate) mod effect;
pub(crate) mod freshness;
pub(crate) mod policy;
#[cfg(feature = "shared")]
pub(crate) mod queue;
