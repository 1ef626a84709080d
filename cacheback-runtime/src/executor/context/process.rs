//! One executor for the process, and one lane of flights for each key.

use super::{LaneId, executor_in};
use crate::base::sync::Arc;
use crate::base::sync::plain::OnceLock;
use crate::base::tasks::Id;
use crate::executor::Executor;

/// The executor lives as long as the process, so a call need not clone the `Arc`.
pub(crate) type ItsExecutor = &'static Arc<Executor>;

/// Set by its first use.
static EXECUTOR: OnceLock<Arc<Executor>> = OnceLock::new();

pub(crate) fn executor() -> Option<&'static Arc<Executor>> {
    EXECUTOR.get()
}

/// The version of the queue that a call's refresh would come into, if there is one.
pub(crate) fn queue_version() -> Option<u64> {
    Some(executor()?.queue_version())
}

pub(super) fn lane_of(_: Id) -> LaneId {
    None
}

pub(super) fn executor_of(_: Id, user: &str) -> ItsExecutor {
    executor_in(&EXECUTOR, user)
}

pub(super) fn with_place<R>(_: Id, work: impl FnOnce(&OnceLock<Arc<Executor>>) -> R) -> R {
    work(&EXECUTOR)
}
