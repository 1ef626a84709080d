//! The second tier, for users: which there are, and how they are handed to [`configure`](crate::configure()).

use std::fmt;

use crate::base::sync::Arc;
use crate::events;
use crate::executor::context;
use crate::outcome::error::Error;
use crate::tier;
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub use crate::tier::compress::Codec;
#[cfg(any(feature = "test-util", feature = "simulation"))]
pub use crate::tier::memory::Memory;
pub use crate::tier::probe::Probe;
pub use crate::tier::queue::{
    CustomQueue as Queue, DeadJob, Delivery, Ended, Line, LineState, QueueError, QueueStatus, Room,
};
#[cfg(feature = "redis")]
pub use crate::tier::redis::Redis;
#[cfg(feature = "sqlite")]
pub use crate::tier::sqlite::{ByteCount, Sqlite};
pub use crate::tier::status::{ServerStatus, TierStatus};
#[cfg(any(feature = "redis", feature = "sqlite", feature = "test-util", feature = "simulation"))]
pub use crate::tier::time_span::TimeSpan;

/// A second tier, which [`Configure::shared`](crate::Configure::shared) takes. It is implemented by the types of this
/// module alone.
pub trait Tier: sealed::Opens + fmt::Debug + Send + Sync + 'static {}

/// The state of every second tier that was [configured](crate::configure()), for health pages: whether it is connected,
/// since when, and how fast it answers. Without a tier the list is empty.
///
/// It asks no server and does not block: it takes some microseconds for each tier, and, while values are
/// [suspect](TierStatus::suspects), some tens of microseconds for each cache. It is no use of the executor, so
/// that `configure()` may still follow. A tier that is not connected is no outage: functions work without it, and their
/// origin gets the fetches of each process.
///
/// With `test-util` it shows the tiers of the calling runtime, or of its isolation (`testing::isolate`), and what was
/// asked of them from there.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// cacheback::configure().shared(cacheback::shared::Memory::new()).apply()?;
/// for tier in cacheback::shared::status() {
///     let name = tier.alias.as_deref().unwrap_or("default");
///     let state = if tier.connected { "connected" } else { "down" };
///     println!("{name}: {state} for {:?}, median {:?}", tier.since, tier.round_trip_p50);
///     // Of a cluster some masters may be down.
///     for server in tier.servers.iter().filter(|server| !server.connected) {
///         println!("{} is down for {:?}", server.address, server.since);
///     }
/// }
/// # assert!(cacheback::shared::status()[0].connected);
/// # Ok::<(), cacheback::Error>(())
/// ```
#[must_use]
pub fn status() -> Vec<TierStatus> {
    context::executor().map(|executor| executor.tiers.status()).unwrap_or_default()
}

/// Stops using all [configured](crate::configure()) second tiers in this process until [`resume`] is called: while a server
/// is being moved, for example, or if it may be doing harm.
///
/// It is as if no tier could be reached: values that are here are served, each process fetches for itself, and changes
/// return [`Unreachable`](crate::ErrorKind::Unreachable), hold here, and are told later. So the origin has to bear the
/// fetches of all processes that pause. What is on its way to a tier is not stopped. Connections and messages stay. A paused process puts no refresh on a queue. A paused worker runs no job: it gives each one back, and tries again a
/// second later, so end workers rather than pause them.
///
/// The [state](status) of each tier says that it is paused, and the log says it once.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// cacheback::configure().shared(cacheback::shared::Memory::new()).apply()?;
/// cacheback::shared::pause();
/// assert!(cacheback::shared::status()[0].paused);
/// cacheback::shared::resume();
/// assert!(!cacheback::shared::status()[0].paused);
/// # Ok::<(), cacheback::Error>(())
/// ```
pub fn pause() {
    if context::executor().is_some_and(|executor| executor.tiers.pause()) {
        events::tiers_paused();
    }
}

/// Uses the second tiers again, after [`pause`].
///
/// It is as after an outage: changes that have waited are told first, and each value that is here is looked at once
/// before a hit serves it again. Nothing is cleared, and nothing is fetched anew.
///
/// # Examples
///
/// See [`pause`].
pub fn resume() {
    if context::executor().is_some_and(|executor| executor.tiers.resume()) {
        events::tiers_resumed();
    }
}

/// Looks whether the values that hits serve here are those of the second tiers: picks up to `most` values of each tier at
/// random, and compares their numbers with the tier's.
///
/// What another process has changed is served by no hit after one message, or, if messages are lost, after 4 s and the
/// tier's time-out. If the tier has a later value, it is asked once more after that time, and half a second. If a hit
/// still serves the older one as fresh, that one is *outdated*: this is logged, and counted by [`status`] and the
/// metrics, and the next call looks.
///
/// So this shows in production, on your own network, whether the promise is kept. There should be none, with one
/// exception: if the tier drops values, because its memory is full or somebody has emptied it, another process may
/// fetch them again. That changes nothing, and is told to nobody: who has the earlier value serves it for its lifetime.
///
/// It takes a round trip, and only if a value was changed in the last few seconds, or is outdated, the time above. Call
/// it now and then, from a task: a hundred values each minute cost the server what some refreshes do. To draw them, it
/// passes over all entries once, on the calling thread: a million of them take some tenths of a second.
///
/// A value that the tier has lost is not outdated, nor is one that was fetched while it was away. While there is no
/// connection, nothing is looked at, and what was seen before a new one does not count.
///
/// # Cancellation
///
/// The future can be dropped at any time. What it has looked at is not counted then.
///
/// # Panics
///
/// On a thread outside of any tokio runtime, for a tier in memory.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// cacheback::configure().shared(cacheback::shared::Memory::new()).apply()?;
/// let probe = cacheback::shared::probe(100).await;
/// assert_eq!(probe.outdated, 0);
/// # Ok::<(), cacheback::Error>(())
/// # }).unwrap();
/// ```
pub async fn probe(most: usize) -> Probe {
    let tiers = context::executor().map(|executor| executor.tiers.clone()).unwrap_or_default();
    tiers.probe(most).await
}

/// The queues of all second tiers that were [configured](crate::configure()), with the jobs of each function: how many
/// wait, for how long, and for how many workers. A function is listed as soon as a worker has served it.
///
/// It asks each tier once, or the [queue of your own](crate::Configure::queue). A tier without a queue has no lines.
///
/// # Errors
///
/// [`Unreachable`](crate::ErrorKind::Unreachable), if a tier has given no answer.
///
/// # Cancellation
///
/// The future can be dropped at any time.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// cacheback::configure().shared(cacheback::shared::Memory::new()).apply()?;
/// for queue in cacheback::shared::queues().await? {
///     println!("{}: {} jobs for {} workers", queue.function, queue.length, queue.workers);
/// }
/// # Ok::<(), cacheback::Error>(())
/// # }).unwrap();
/// ```
pub async fn queues() -> Result<Vec<QueueStatus>, Error> {
    let tiers = context::executor().map(|executor| executor.tiers.clone()).unwrap_or_default();
    let mut queues = Vec::new();
    for (alias, queue) in tiers.queues() {
        let lines = queue.status().await.map_err(|down| {
            let alias = alias.unwrap_or("default");
            Error::no_answer(format!("the queues of the second tier `{alias}` could not be asked: {down}"))
        })?;
        let of_tier = |line| QueueStatus { tier: alias.map(str::to_owned), ..line };
        queues.extend(lines.into_iter().map(of_tier));
    }
    Ok(queues)
}

pub(crate) mod sealed {
    use super::{Arc, tier};

    /// A tier as the library uses it.
    #[derive(Clone)]
    pub struct Opened(pub(crate) Arc<dyn tier::Tier>);

    /// Gives the tier to the library.
    pub trait Opens {
        /// The tier.
        fn __cacheback_open(self) -> Opened;
    }

    impl std::fmt::Debug for Opened {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Opened").finish_non_exhaustive()
        }
    }
}

#[cfg(feature = "redis")]
impl sealed::Opens for Redis {
    fn __cacheback_open(self) -> sealed::Opened {
        sealed::Opened(self.open())
    }
}
#[cfg(feature = "redis")]
impl Tier for Redis {}

#[cfg(feature = "sqlite")]
impl sealed::Opens for Sqlite {
    fn __cacheback_open(self) -> sealed::Opened {
        sealed::Opened(self.open_tier())
    }
}
#[cfg(feature = "sqlite")]
impl Tier for Sqlite {}

#[cfg(any(feature = "test-util", feature = "simulation"))]
impl sealed::Opens for Memory {
    fn __cacheback_open(self) -> sealed::Opened {
        sealed::Opened(self.open())
    }
}
#[cfg(any(feature = "test-util", feature = "simulation"))]
impl Tier for Memory {}
