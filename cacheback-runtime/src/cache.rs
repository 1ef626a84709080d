//! A cache as a whole: its handle, without its types.

use std::fmt;

use crate::error::Error;
use crate::events::Stats;
use crate::policy::Policy;
use crate::slot::Slot;

/// The cache of a function, over all its instantiations: what `NAME::cache()` returns.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// # async fn show(cache: cacheback::CacheRef) -> Result<(), cacheback::Error> {
/// println!("{}: {} values, {:?}", cache.name(), cache.len(), cache.stats());
/// cache.clear().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct CacheRef {
    slot: &'static Slot,
}

impl CacheRef {
    pub(crate) fn new(slot: &'static Slot) -> Self {
        Self { slot }
    }

    /// The function's path, or the attribute's `name`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.slot.name()
    }

    /// The function's options, as they hold where no argument changes them.
    ///
    /// # Panics
    ///
    /// Where options contradict each other, naming the function and the option.
    #[must_use]
    pub fn policy(&self) -> Policy {
        *self.slot.policy()
    }

    /// A snapshot of the counters. Counts the entries one by one.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.slot.stats()
    }

    /// How many values are cached. Counts them one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        let len: u64 = self.slot.all().iter().map(|cache| cache.len()).sum();
        usize::try_from(len).unwrap_or(usize::MAX)
    }

    /// Whether no value is cached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes every entry. Fetches that run answer those who wait for them and store nothing; back-off ends.
    ///
    /// # Errors
    ///
    /// None on the local tier.
    ///
    /// # Cancellation
    ///
    /// The cache is cleared at the first poll.
    pub async fn clear(&self) -> Result<(), Error> {
        for cache in self.slot.all() {
            cache.clear();
        }
        Ok(())
    }
}

impl fmt::Debug for CacheRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheRef").field("name", &self.name()).finish_non_exhaustive()
    }
}
