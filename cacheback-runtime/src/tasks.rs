//! The one door to runtimes, their tasks and their timers, so that a model checker can stand in for them.

#[cfg(not(all(test, cacheback_shuttle)))]
pub(crate) use tokio::{
    runtime::{Handle, Id},
    task,
    time::{Sleep, sleep},
};

#[cfg(all(test, cacheback_shuttle))]
pub(crate) use crate::interleavings::tasks::{Handle, Id, Sleep, sleep, task};
