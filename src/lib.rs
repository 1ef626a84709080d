#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod guide;

#[doc(inline)]
pub use cacheback_macros::cacheback;
#[doc(inline)]
pub use cacheback_runtime::logs;
pub use cacheback_runtime::{
    Cache, CacheBuilder, CacheRef, Configure, Entry, EntryInner, Error, Eviction, FetchError, FetchErrorKind,
    Lookup, Policy, Shutdown, Snapshot, Stats, Status, caches, configure, settle, shutdown,
};

#[cfg(feature = "metrics")]
#[doc(inline)]
pub use cacheback_runtime::metrics;

#[cfg(feature = "test-util")]
#[doc(inline)]
pub use cacheback_runtime::testing;

#[doc(hidden)]
pub use cacheback_runtime::__private;
