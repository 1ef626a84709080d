//! One key in a fleet, as plain values: for a program that simulates many processes (feature `simulation`, which is not
//! for users).
//!
//! A [`Server`] is the tier, and a [`Holding`] is the key in one process. Both take the decisions that the library takes,
//! by its own code: `rules`, and the state machine of the tier. Nothing here reads a clock, waits or sends anything. The
//! program carries what one of them says to the other, at the times that it thinks of. So each process can have a clock
//! of its own.
//!
//! Times are nanoseconds of the clock of whoever is told them.

use std::time::Duration;

use crate::rules::policy::Policy;

mod holding;
mod server;

pub use holding::{Holding, Next, Served};
pub use server::{Answer, News, Question, Server};

/// The options of the simulated function.
#[must_use]
pub fn policy(lifetime: Duration, retention: Duration, refresh_ahead: Duration) -> Policy {
    Policy { lifetime, retention, refresh_ahead, ..Policy::default() }
}
