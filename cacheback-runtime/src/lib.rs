//! The runtime of [cacheback](https://docs.rs/cacheback): decisions, store, single flight, executor.
//!
//! Depend on `cacheback`; this crate is what its attribute's expansion calls, and has no promises of its own.

mod api;
mod base;
mod engine;
mod events;
mod executor;
mod flight;
mod function;
#[cfg(all(test, cacheback_shuttle))]
mod interleavings;
mod key;
mod outcome;
mod rules;
mod store;
#[cfg(feature = "shared")]
mod tier;

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation;

pub use api::cache::{Cache, CacheBuilder, CacheRef, caches};
pub use api::configure::{Configure, configure};
pub use api::entry::{Entry, EntryInner, Lookup, Snapshot};
#[cfg(feature = "metrics")]
pub use api::metrics;
#[cfg(feature = "shared")]
pub use api::shared;
pub use api::shutdown::{Shutdown, shutdown};
#[cfg(feature = "worker")]
pub use api::worker::{Served, Worked, Worker, worker};
pub use events::{Source, Stats, Status, logs};
pub use executor::context::settle;
#[cfg(feature = "test-util")]
pub use executor::testing;
pub use outcome::error::{Error, ErrorKind, FetchError, FetchErrorKind};
pub use rules::policy::{Eviction, Policy};
