//! The state of a queue, as users see it.

use std::time::Duration;

#[cfg(feature = "serde")]
use crate::rules::policy::seconds;

/// The jobs of one function in one version, as [`queues`](crate::shared::queues) shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct QueueStatus {
    /// The alias of the tier that the queue is in; `None` for the one without an alias.
    pub tier: Option<String>,
    /// The name of the queue: that of the option `queue`.
    pub queue: String,
    /// The name of the function or cache.
    pub function: String,
    /// Its version: that of the option `version`.
    pub version: u64,
    /// How many jobs wait for a worker.
    pub length: u64,
    /// How many jobs were taken by a worker and have not ended.
    pub under_way: u64,
    /// How long the oldest of the waiting jobs has waited; `None` if there is none.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of_limit"))]
    pub oldest: Option<Duration>,
    /// How many workers that serve it were seen in the last 15 seconds. Without any, refreshes run in the processes
    /// that ask for them.
    pub workers: u64,
    /// How many jobs have ended in the last minute, roughly.
    pub ended_last_minute: u64,
    /// How many jobs have stored a value, since the queue was first used. (A queue that no worker has served for a
    /// week is forgotten.)
    pub done: u64,
    /// How many jobs have failed: the body returned an `Err`, panicked, or was aborted at its time-out; or the tier was
    /// lost before the value was stored.
    pub failed: u64,
    /// How many jobs were not needed any more, or were buried.
    pub dropped: u64,
    /// Jobs of keys that have killed three workers, that could not be run, or whose value the tier did not take: the last
    /// hundred.
    pub dead: Vec<DeadJob>,
}

/// A job that is not run any more. It has the arguments of a call, which are not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DeadJob {
    /// How long ago it was given up.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds::of"))]
    pub age: Duration,
    /// How often it was delivered to a worker.
    pub deliveries: u32,
    /// Why it was given up.
    pub error: String,
}
