//! The shutdown at the end of a process: it waits for running fetches, and no refresh is started any more.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use crate::base::tasks::{first, task};
use crate::events;
use crate::executor::context::{self, Here};

/// How long an aborted fetch has to end. A body that blocks its thread ends later, or never.
const NOTICE: Duration = Duration::from_millis(100);

/// The numbers of fetches that ended during a [`shutdown()`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Shutdown {
    /// Fetches that came to their own end: a value, an error, a panic or their `refresh_timeout`.
    pub finished: u64,
    /// Fetches that were aborted at the limit, or lost because their runtime was dropped.
    pub aborted: u64,
}

/// Shuts the executor down: starts no more refreshes, and waits until all fetches have ended, but at most for `limit`.
///
/// Call it at the end of a process, after the last request was answered. Refreshes run in the background, and the end
/// of the runtime would otherwise cut them off in the middle of a query.
///
/// From the first poll on
///
/// - refreshes are refused and counted ([`Stats::refused`](crate::Stats::refused)), including those in the queue;
/// - stale and empty values are still served at once;
/// - calls that wait still fetch, and the shutdown waits for their fetches, too.
///
/// Changes that a second tier could not be told of yet go first: the shutdown waits for them, too, also while the tier is
/// down. What is left at the limit is lost, and the log says so.
///
/// When the limit is reached, each fetch that no caller waits for is aborted: its body is dropped at the point at which
/// it awaits, and its key is given back without a back-off. A fetch that callers wait for goes on, but the shutdown
/// neither waits for it nor counts it. It is aborted when the last of its callers leaves. With a limit of zero, fetches
/// are aborted at once.
///
/// The shutdown ends at most a tenth of a second after the limit. A body that blocks its thread cannot be aborted
/// before it awaits again, and is counted as aborted. The limit follows the clock of the calling runtime.
///
/// A shutdown cannot be undone: refreshes are refused as long as the process lives. It shuts down the executor of the
/// process, on whatever runtime it is called. With `test-util` it shuts down the executor of the calling runtime, or of
/// its isolation (`testing::isolate`), or outside of any runtime that of the library's own.
///
/// # Several calls
///
/// A later call waits for the fetches that run at its time. If there are none, it returns zeros at once. If calls
/// overlap, each reports the fetches that it has seen end, and the first limit that is reached aborts fetches for all
/// of them.
///
/// # Calls from the body of a cached function
///
/// So that the future always completes, it does not wait for the fetch of that body, nor for other fetches whose bodies
/// have asked for a shutdown. No shutdown aborts these fetches. This applies only in the task of the fetch: in a task
/// that the body has spawned, it is a call like any other, which ends with the limit.
///
/// # Cancellation
///
/// Before its first poll the future does nothing. When it is dropped, no fetch is waited for or aborted any more, but
/// refreshes stay refused.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// // ... the server has answered its last request ...
/// let shutdown = cacheback::shutdown(Duration::from_secs(10)).await;
/// println!("refreshes: {} finished, {} aborted", shutdown.finished, shutdown.aborted);
/// # assert_eq!((shutdown.finished, shutdown.aborted), (0, 0));
/// # });
/// ```
pub async fn shutdown(limit: Duration) -> Shutdown {
    let here = Here::find("cacheback::shutdown");
    // Before refreshes are refused, so that every fetch that ends from here on is reported.
    let watch = here.executor.begin_shutdown(task::try_id());
    here.executor.close();
    // Fetches may change something, too.
    let all_over = async {
        here.executor.deliver_changes().await;
        watch.all_over().await;
        here.executor.deliver_changes().await;
    };
    if !within(limit, &here, all_over).await {
        watch.reach_limit();
        within(NOTICE, &here, watch.all_aborted()).await;
    }
    let undelivered = here.executor.undelivered();
    if undelivered > 0 {
        events::changes_lost(undelivered);
    }
    let (finished, aborted) = watch.report();
    Shutdown { finished, aborted }
}

/// Returns whether the future completes within the limit. It is polled at least once.
async fn within(limit: Duration, here: &Here, future: impl Future<Output = ()>) -> bool {
    let timer = async {
        if !limit.is_zero() {
            context::timer(&here.caller, limit).await;
        }
    };
    first(pin!(future), pin!(timer)).await.is_ok()
}
