//! A cache without its types.

use std::panic::RefUnwindSafe;

use super::{Bump, Cacheable, Engine, Telling};
use crate::base::sync::Arc;
use crate::events::Stats;
use crate::rules::policy::Policy;

/// The operations on a cache that need none of its types.
pub(crate) trait ErasedCache: Send + Sync + RefUnwindSafe {
    fn name(&self) -> &'static str;
    fn policy(&self) -> Policy;
    fn stats(&self) -> Stats;
    /// The counters, without a look at the entries: `entries` is zero.
    #[cfg(feature = "metrics")]
    fn counted(&self) -> Stats;
    fn len(&self) -> u64;
    fn invalidate_all(&self);
    fn clear(&self);
    /// Tells the second tier of a change to all values.
    fn tell_all(self: Arc<Self>, change: Bump) -> Telling;
}

impl<C: Cacheable> ErasedCache for Engine<C> {
    fn name(&self) -> &'static str {
        Engine::name(self)
    }
    fn policy(&self) -> Policy {
        *Engine::policy(self)
    }
    fn stats(&self) -> Stats {
        Engine::stats(self)
    }
    #[cfg(feature = "metrics")]
    fn counted(&self) -> Stats {
        Engine::counted(self)
    }
    fn len(&self) -> u64 {
        Engine::len(self)
    }
    fn invalidate_all(&self) {
        Engine::invalidate_all(self);
    }
    fn clear(&self) {
        Engine::clear(self);
    }
    fn tell_all(self: Arc<Self>, change: Bump) -> Telling {
        Engine::tell_all(&self, change)
    }
}
