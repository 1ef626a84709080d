//! The names of `base::tasks`, as a scenario has them: one runtime, whose tasks are shuttle's and whose timers follow
//! the scenario's clock.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use shuttle::future::{AbortHandle, JoinHandle};

use super::sync::step;
use crate::base::clock::{Moment, nanos, scenario as clock};

pub(crate) mod task {
    /// A task of shuttle's.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) struct Id(shuttle::scheduler::TaskId);

    pub(crate) fn id() -> Id {
        Id(shuttle::current::me())
    }

    #[allow(clippy::unnecessary_wraps)] // As in tokio, which also runs code outside of tasks.
    pub(crate) fn try_id() -> Option<Id> {
        Some(id())
    }
}

/// The callers' runtime, or the library's own; both are driven in the same way. It is `pub` as tokio's is, because
/// `configure` takes one.
#[derive(Clone, Debug)]
pub struct Handle(Id);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    Callers,
    Own,
}

pub(crate) struct Entered;

impl Handle {
    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn try_current() -> Result<Self, Id> {
        Ok(Self::current())
    }
    pub(crate) fn current() -> Self {
        Self(Id::Callers)
    }
    pub(crate) fn id(&self) -> Id {
        self.0
    }
    pub(crate) fn enter(&self) -> Entered {
        Entered
    }
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let task = shuttle::future::spawn(future);
        RUNTIME.with_borrow_mut(|runtime| runtime.tasks.push(task.abort_handle()));
        task
    }
}

pub(crate) fn own_runtime() -> &'static Handle {
    &Handle(Id::Own)
}

#[derive(Default)]
struct Runtime {
    timers: Vec<(Moment, Waker)>,
    tasks: Vec<AbortHandle>,
}

thread_local! {
    /// The runtime of the run that is on this thread.
    static RUNTIME: RefCell<Runtime> = RefCell::default();
}

/// Makes a new runtime and a new clock, as a run begins or has ended.
pub(crate) fn reset() {
    clock::reset();
    drop(RUNTIME.take());
}

/// Aborts every task, as when a runtime is dropped.
pub(crate) fn abort_all() {
    for task in RUNTIME.with_borrow_mut(|runtime| std::mem::take(&mut runtime.tasks)) {
        task.abort();
    }
}

/// Moves the clock, and wakes the timers that are due.
pub(crate) fn advance(span: Duration) {
    step();
    clock::advance(nanos(span));
    let now = Moment::now();
    let due = RUNTIME.with_borrow_mut(|runtime| {
        let timers = std::mem::take(&mut runtime.timers);
        let (due, later): (Vec<_>, _) = timers.into_iter().partition(|(until, _)| now >= *until);
        runtime.timers = later;
        due
    });
    due.into_iter().for_each(|(_, waker)| waker.wake());
}

pub(crate) fn has_budget() -> bool {
    true
}

pub(crate) struct Sleep(Moment);

pub(crate) fn sleep(after: Duration) -> Sleep {
    Sleep(Moment::now().plus(nanos(after)))
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Moment::now() >= self.0 {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        RUNTIME.with_borrow_mut(|runtime| runtime.timers.push((self.0, waker)));
        Poll::Pending
    }
}
