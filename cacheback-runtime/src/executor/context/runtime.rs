//! One executor for each runtime, or for an isolation of it, and one lane of flights for each key and runtime. So the
//! tests of one process, each on a paused runtime, do not wait for each other.

use super::{LaneId, calling_runtime, executor_in};
use crate::base::sync::Arc;
use crate::base::sync::plain::OnceLock;
use crate::base::tasks::Id;
use crate::executor::{Executor, testing};

pub(crate) type ItsExecutor = Arc<Executor>;

/// The executor of the calling runtime, or of its isolation, if it was used or configured.
pub(crate) fn executor() -> Option<Arc<Executor>> {
    with_place(calling_runtime().id(), |place| place.get().map(Arc::clone))
}

/// The version of the queue that a call's refresh would come into, if there is one.
pub(crate) fn queue_version() -> Option<u64> {
    Some(executor()?.queue_version())
}

pub(super) fn lane_of(runtime: Id) -> LaneId {
    Some(runtime)
}

pub(super) fn executor_of(runtime: Id, user: &str) -> ItsExecutor {
    with_place(runtime, |place| Arc::clone(executor_in(place, user)))
}

pub(super) fn with_place<R>(runtime: Id, work: impl FnOnce(&OnceLock<Arc<Executor>>) -> R) -> R {
    testing::with_executor(runtime, work)
}
