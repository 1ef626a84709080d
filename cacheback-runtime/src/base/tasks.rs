//! The one door to runtimes, their tasks and their timers, so that a model checker can stand in for them.

use std::future::poll_fn;
use std::task::Poll;
#[cfg(not(all(test, cacheback_shuttle)))]
use std::task::{Context, Waker};

#[cfg(not(all(test, cacheback_shuttle)))]
pub(crate) use tokio::{
    runtime::{Handle, Id},
    task,
    time::{Sleep, sleep},
};

#[cfg(all(test, cacheback_shuttle))]
pub(crate) use crate::base::shims::tasks::{Handle, Id, Sleep, has_budget, sleep, task};

/// Takes one unit of the running task's cooperative budget: whether there was one left. Outside of tokio's tasks there
/// always is.
// Out of line: what it needs would be saved and restored by each stale answer.
#[cfg(not(all(test, cacheback_shuttle)))]
#[cold]
#[inline(never)]
pub(crate) fn has_budget() -> bool {
    match task::coop::poll_proceed(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(unit) => {
            unit.made_progress();
            true
        }
        Poll::Pending => false,
    }
}

/// Lets others run, once. (Not tokio's `yield_now`, which wakes when the runtime's thread comes back to the runtime:
/// a thread that blocks on a call would wait for itself.)
pub(crate) async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
