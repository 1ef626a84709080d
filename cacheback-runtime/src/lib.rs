//! The runtime of [cacheback](https://docs.rs/cacheback): decisions, store, single flight, executor.
//!
//! Depend on `cacheback`; this crate is what its attribute's expansion calls, and has no promises of its own.

mod backoff;
mod cache;
mod clock;
mod configure;
mod context;
mod decide;
mod effect;
mod engine;
mod error;
mod events;
mod executor;
mod failed;
mod flight;
mod freshness;
mod handle;
mod hash;
#[cfg(all(test, cacheback_shuttle))]
mod interleavings;
#[cfg(not(feature = "test-util"))]
mod janitor;
mod key;
mod known;
mod marker;
#[cfg(feature = "metrics")]
pub mod metrics;
mod origin;
mod outcome;
mod panics;
mod policy;
mod process;
mod registry;
mod shutdown;
mod site;
mod slot;
mod span;
mod store;
mod sync;
mod tasks;
#[cfg(feature = "test-util")]
pub mod testing;

mod weight;

#[doc(hidden)]
pub mod __private;

pub use cache::{Cache, CacheBuilder, CacheRef, caches};
pub use configure::{Configure, configure};
pub use context::settle;
pub use error::{Error, FetchError, FetchErrorKind};
pub use events::{Stats, Status, logs};
pub use handle::{Entry, EntryInner, Lookup, Snapshot};
pub use policy::{Eviction, Policy};
pub use shutdown::{Shutdown, shutdown};
