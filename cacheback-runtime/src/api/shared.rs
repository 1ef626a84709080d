//! The second tier, for users: which there are, and how they are handed to [`configure`](crate::configure()).

use std::fmt;

use crate::base::sync::Arc;
use crate::tier;
#[cfg(feature = "redis")]
pub use crate::tier::compress::Codec;
#[cfg(feature = "test-util")]
pub use crate::tier::memory::Memory;
#[cfg(feature = "redis")]
pub use crate::tier::redis::Redis;

/// A second tier, which [`Configure::shared`](crate::Configure::shared) takes. It is implemented by the types of this
/// module alone.
pub trait Tier: sealed::Opens + fmt::Debug + Send + Sync + 'static {}

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
        sealed::Opened(Arc::new(self))
    }
}
#[cfg(feature = "test-util")]
impl Tier for Memory {}
