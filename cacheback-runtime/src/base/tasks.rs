//! The only way to runtimes, their tasks and their timers, so that a model checker can replace them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
#[cfg(not(all(test, cacheback_shuttle)))]
use std::task::{Context, Waker};

#[cfg(not(all(test, cacheback_shuttle)))]
use super::process::{self, PerProcess};

#[cfg(not(all(test, cacheback_shuttle)))]
pub(crate) use tokio::{
    runtime::{Handle, Id},
    task,
    time::{Sleep, sleep},
};

#[cfg(all(test, cacheback_shuttle))]
pub(crate) use crate::base::shims::tasks::{Handle, Id, Sleep, has_budget, own_runtime, sleep, task};

/// The library's own runtime, with two threads. It is for calls from outside any tokio runtime, and for fetches whose
/// runtime is stalled. The first of these starts it.
#[cfg(not(all(test, cacheback_shuttle)))]
pub(crate) fn own_runtime() -> &'static Handle {
    static OWN: PerProcess<tokio::runtime::Runtime> = PerProcess::new();
    let own = OWN.get_or_init(process::id(), || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("cacheback")
            .enable_all()
            .build()
            .expect("cacheback: the system gives no thread to run fetches on")
    });
    own.handle()
}

/// A future whose type is erased.
pub(crate) type BoxFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// Takes one unit of the running task's cooperative budget, and returns whether there was one left. Outside tokio's
/// tasks there always is.
// Out of line: inlined, it would make each stale answer save and restore registers.
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

/// Lets other tasks run, once. This is not tokio's `yield_now`, which wakes the task when the runtime's thread comes
/// back to the runtime: a thread that blocks on a call would wait for itself.
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

/// Polls a future once: `None` if it is not ready.
pub(crate) fn now_or_later<T>(
    mut future: impl Future<Output = T> + Unpin,
) -> impl Future<Output = Option<T>> {
    poll_fn(move |context| match Pin::new(&mut future).poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
}

/// Polls a future again that was polled just now and was not ready: when it has woken its task, and not before.
pub(crate) fn later<T>(mut future: impl Future<Output = T> + Unpin) -> impl Future<Output = T> + Unpin {
    let mut was_polled = true;
    poll_fn(move |context| {
        if std::mem::replace(&mut was_polled, false) {
            return Poll::Pending;
        }
        Pin::new(&mut future).poll(context)
    })
}

/// Completes with the future that is ready first, or with `one` if both are.
pub(crate) fn first<T, U>(
    mut one: impl Future<Output = T> + Unpin,
    mut other: impl Future<Output = U> + Unpin,
) -> impl Future<Output = Result<T, U>> {
    poll_fn(move |context| match Pin::new(&mut one).poll(context) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => Pin::new(&mut other).poll(context).map(Err),
    })
}
