//! Any cache, without its types.

use std::fmt;

use crate::engine::ErasedCache;
use crate::error::Error;
use crate::events::Stats;
use crate::policy::Policy;
use crate::slot::Slot;
use crate::sync::Arc;

/// A cache without its types: that of a function, over all its instantiations, as `NAME::cache()` returns it, or a
/// [`Cache`](crate::Cache). It keeps an object's counters alive, but not its values.
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
#[derive(Clone)]
pub struct CacheRef(Of);

#[derive(Clone)]
enum Of {
    Function(&'static Slot),
    Object(Arc<dyn ErasedCache>),
}

impl CacheRef {
    pub(crate) fn of_function(slot: &'static Slot) -> Self {
        Self(Of::Function(slot))
    }

    pub(crate) fn of_object(object: Arc<dyn ErasedCache>) -> Self {
        Self(Of::Object(object))
    }

    /// The function's path, or the name that it, or the object, was given.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match &self.0 {
            Of::Function(slot) => slot.name(),
            Of::Object(object) => object.name(),
        }
    }

    /// The options, as they hold where no argument or key changes them.
    ///
    /// # Panics
    ///
    /// Where options contradict each other, naming the function and the option.
    #[must_use]
    pub fn policy(&self) -> Policy {
        match &self.0 {
            Of::Function(slot) => *slot.policy(),
            Of::Object(object) => object.policy(),
        }
    }

    /// A snapshot of the counters. Counts the entries one by one.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.all().iter().fold(Stats::default(), |sum, cache| sum.plus(cache.stats()))
    }

    /// How many values are cached. Counts them one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        let len: u64 = self.all().iter().map(|cache| cache.len()).sum();
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
        for cache in self.all() {
            cache.clear();
        }
        Ok(())
    }

    /// Every cache that it stands for.
    fn all(&self) -> Vec<Arc<dyn ErasedCache>> {
        match &self.0 {
            Of::Function(slot) => slot.all(),
            Of::Object(object) => vec![Arc::clone(object)],
        }
    }
}

impl fmt::Debug for CacheRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheRef").field("name", &self.name()).finish_non_exhaustive()
    }
}
