// The README's links lead to files. Here they lead to the pages made of these files: the first definition of a link
// counts.
#![doc = "[guide]: guide"]
#![doc = "[attribute]: macro@cacheback#options"]
#![doc = "[functions]: guide::functions"]
#![doc = "[options]: guide::options"]
#![doc = "[objects]: guide::objects"]
#![doc = "[staleness]: guide::staleness"]
#![doc = "[errors]: guide::errors"]
#![doc = "[testing]: guide::testing"]
#![doc = "[operations]: guide::operations"]
#![doc = "[web_service]: guide::web_service"]
#![doc = "[several_processes]: guide::several_processes"]
#![doc = "[one_machine]: guide::one_machine"]
#![doc = "[workers]: guide::workers"]
#![doc = "[costs]: guide::costs"]
#![doc = "[limits]: guide::limits"]
#![doc = "[coming_from]: guide::coming_from"]
#![doc = "[when_not]: guide::when_not"]
#![doc = ""]
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod guide;

#[doc(inline)]
pub use cacheback_macros::cacheback;
#[doc(inline)]
pub use cacheback_runtime::logs;
pub use cacheback_runtime::{
    Cache, CacheBuilder, CacheRef, Configure, Entry, EntryInner, Error, ErrorKind, Eviction, FetchError,
    FetchErrorKind, Lookup, Policy, Shutdown, Snapshot, Source, Stats, Status, caches, configure, settle,
    shutdown,
};

#[cfg(feature = "metrics")]
#[doc(inline)]
pub use cacheback_runtime::metrics;

#[cfg(any(feature = "redis", feature = "sqlite", feature = "test-util"))]
#[doc(inline)]
pub use cacheback_runtime::shared;

#[cfg(feature = "test-util")]
#[doc(inline)]
pub use cacheback_runtime::testing;

#[cfg(feature = "worker")]
pub use cacheback_runtime::{Served, Worked, Worker, worker};

#[doc(hidden)]
pub use cacheback_runtime::__private;
