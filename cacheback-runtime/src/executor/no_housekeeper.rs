//! The names of the [housekeeper](super::housekeeper), in builds without one. With `test-util` only calls on a test's
//! own runtime can read the test's clock; and a scenario sweeps and tends for itself.

#[cfg(not(feature = "test-util"))]
use crate::base::clock::Moment;
use crate::base::sync::Arc;

#[cfg(feature = "metrics")]
pub(crate) fn also(_: fn()) {}

pub(crate) fn watch<C>(_: u64, _: &Arc<C>) {}

pub(crate) fn attend(_: u32) {}

pub(crate) fn forget(_: u64) {}

#[cfg(not(feature = "test-util"))]
pub(crate) trait Sweep: Send + Sync {
    fn sweep(&self, now: Moment);
}
