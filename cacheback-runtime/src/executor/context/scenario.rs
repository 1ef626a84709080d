//! One executor for each scenario, and one lane of flights for each key.

use std::cell::RefCell;

use super::{LaneId, executor_in};
use crate::base::sync::Arc;
use crate::base::sync::plain::OnceLock;
use crate::base::tasks::Id;
use crate::executor::{Executor, Settings};

pub(crate) type ItsExecutor = Arc<Executor>;

thread_local! {
    /// The executor of the scenario that is on this thread.
    static EXECUTOR: RefCell<Arc<OnceLock<Arc<Executor>>>> = RefCell::default();
}

/// Begins a scenario.
pub(crate) fn begin(settings: Settings) {
    let executor = Arc::new(Executor::new(settings, "a scenario"));
    EXECUTOR.set(Arc::new(OnceLock::from(executor)));
}

pub(crate) fn end() {
    drop(EXECUTOR.take());
}

/// The executor of the scenario, once it has begun.
pub(crate) fn executor() -> Option<Arc<Executor>> {
    EXECUTOR.with_borrow(|place| place.get().map(Arc::clone))
}

/// The version of the queue that a call's refresh would come into.
pub(crate) fn queue_version() -> Option<u64> {
    Some(executor()?.queue_version())
}

pub(super) fn lane_of(_: Id) -> LaneId {
    None
}

pub(super) fn executor_of(callers: Id, user: &str) -> ItsExecutor {
    with_place(callers, |place| Arc::clone(executor_in(place, user)))
}

pub(super) fn with_place<R>(_: Id, work: impl FnOnce(&OnceLock<Arc<Executor>>) -> R) -> R {
    let place = EXECUTOR.with_borrow(Arc::clone);
    work(&place)
}
