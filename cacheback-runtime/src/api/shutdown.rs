//! The end of a process: what runs is waited for, and nothing is started that nobody waits for.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use crate::base::tasks::{first, task};
use crate::executor::context::{self, Here};

/// How long an aborted fetch has to notice that. One that blocks its thread does so later, or never.
const NOTICE: Duration = Duration::from_millis(100);

/// What became of the fetches that ran: what [`shutdown()`] returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Shutdown {
    /// Fetches that came to their own end, whichever: a value, an error, a panic or their `refresh_timeout`.
    pub finished: u64,
    /// Fetches that were aborted at the limit, or lost because their runtime was dropped meanwhile.
    pub aborted: u64,
}

/// Waits until no fetch runs any more, for `limit` at most, and starts no refreshes meanwhile or later.
///
/// Call it at the end of a process, after the last request was answered: refreshes run behind the requests' backs, and
/// would be cut off in the middle of a query by the runtime's end.
///
/// From the first poll on
///
/// - refreshes are refused and counted ([`Stats::refused`](crate::Stats::refused)), those that wait in the queue too;
/// - stale and empty values are still served at once;
/// - calls that wait still fetch, and their fetches are waited for like those that ran before.
///
/// At the limit a fetch that nobody waits for is aborted: its body is dropped where it awaits, its key is given back
/// without a back-off. One that callers wait for goes on, neither waited for nor counted, and is aborted when the last
/// of them leaves. A limit of zero aborts at once.
///
/// There is no way back: the refusal lasts as long as the process. It is the process's executor that is shut down,
/// whatever runtime this is called on. With `test-util` it is the calling runtime's, or that of its isolation
/// (`testing::isolate`), and outside of any runtime that of our own small one.
///
/// **Twice.** A later call waits for what runs then; where nothing does it returns zeros at once. Of calls at the same
/// time each reports what it has seen end, and the first limit that is reached aborts for all.
///
/// **In the body of a cached function** it does not wait for that fetch, nor for others that have asked for a
/// shutdown, and they are not aborted by any, so that the future always completes. This holds in the fetch's own task:
/// from a task that the body has spawned it is a call like any other, which ends with the limit.
///
/// It returns when everything is over, at most a tenth of a second after the limit: a body that blocks its thread
/// cannot be aborted before it awaits again, and is counted as aborted. The limit follows the calling runtime's clock.
///
/// # Cancellation
///
/// Nothing is waited for or aborted any more when the future is dropped, but refreshes stay refused. Before its first
/// poll it does nothing.
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
    // Before refreshes are refused: what ends from here on is reported.
    let watch = here.executor.begin_shutdown(task::try_id());
    here.executor.close();
    if !within(limit, &here, watch.all_over()).await {
        watch.reach_limit();
        within(NOTICE, &here, watch.all_aborted()).await;
    }
    let (finished, aborted) = watch.report();
    Shutdown { finished, aborted }
}

/// Whether it completes by then. It is polled once in any case.
async fn within(limit: Duration, here: &Here, future: impl Future<Output = ()>) -> bool {
    let timer = async {
        if !limit.is_zero() {
            context::timer(&here.caller, limit).await;
        }
    };
    first(pin!(future), pin!(timer)).await.is_ok()
}
