//! One executor a process, and one lane of flights a key.

use super::{LaneId, executor_in};
use crate::base::sync::Arc;
use crate::base::sync::plain::OnceLock;
use crate::base::tasks::Id;
use crate::executor::Executor;

/// It lives as long as the process: a call need not count itself in the `Arc`.
pub(crate) type ItsExecutor = &'static Arc<Executor>;

/// From its first use on.
static EXECUTOR: OnceLock<Arc<Executor>> = OnceLock::new();

pub(crate) fn executor() -> Option<&'static Arc<Executor>> {
    EXECUTOR.get()
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
