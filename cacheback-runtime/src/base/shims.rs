//! Stand-ins under a model checker: locks and atomics, runtime, tasks and timers, and moka.

pub(crate) mod moka;
pub(crate) mod sync;
pub(crate) mod tasks;
