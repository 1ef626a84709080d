//! The ground that all other modules stand on: time, locks, tasks, hashes and panics. It knows no rules and no cache.

pub(crate) mod clock;
pub(crate) mod hash;
pub(crate) mod panics;
pub(crate) mod process;
#[cfg(all(test, cacheback_shuttle))]
pub(crate) mod shims;
pub(crate) mod sync;
pub(crate) mod tasks;
