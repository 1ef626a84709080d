//! The second tier, for users: which there are, and how they are handed to [`configure`](crate::configure()).

use std::fmt;

use crate::base::sync::Arc;
use crate::executor::context;
use crate::tier;
#[cfg(feature = "redis")]
pub use crate::tier::compress::Codec;
#[cfg(feature = "test-util")]
pub use crate::tier::memory::Memory;
#[cfg(feature = "redis")]
pub use crate::tier::redis::Redis;
pub use crate::tier::status::TierStatus;

/// A second tier, which [`Configure::shared`](crate::Configure::shared) takes. It is implemented by the types of this
/// module alone.
pub trait Tier: sealed::Opens + fmt::Debug + Send + Sync + 'static {}

/// The state of every second tier that was [configured](crate::configure()), for health pages: whether it is connected,
/// since when, and how fast it answers. Without a tier the list is empty.
///
/// It asks no server and does not block: it takes some microseconds for each tier. It is no use of the executor, so
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
/// }
/// # assert!(cacheback::shared::status()[0].connected);
/// # Ok::<(), cacheback::Error>(())
/// ```
#[must_use]
pub fn status() -> Vec<TierStatus> {
    context::executor().map(|executor| executor.tiers.status()).unwrap_or_default()
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

#[cfg(feature = "test-util")]
impl sealed::Opens for Memory {
    fn __cacheback_open(self) -> sealed::Opened {
        sealed::Opened(self.open())
    }
}
#[cfg(feature = "test-util")]
impl Tier for Memory {}
