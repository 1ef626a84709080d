//! Every cache of the process, for dashboards and operations.
//!
//! The list holds nothing alive: what is dropped drops out. A function's caches never are.

use std::sync::Weak;

use crate::cache::CacheRef;
use crate::slot::Slot;
use crate::sync::{Arc, Mutex, lock};

/// What the list is made of.
pub(crate) trait Listed: Send + Sync {
    /// Its handle; `None` where the calling runtime has no cache of it.
    fn handle(self: Arc<Self>) -> Option<CacheRef>;
}

static LISTED: Mutex<Vec<Weak<dyn Listed>>> = Mutex::new(Vec::new());

/// A function that was used.
struct Used(&'static Slot);

impl Listed for Used {
    fn handle(self: Arc<Self>) -> Option<CacheRef> {
        (!self.0.all().is_empty()).then(|| CacheRef::new(self.0))
    }
}

/// Lists the caches of a function, at their first use.
#[inline]
pub(crate) fn list_function(slot: &'static Slot) {
    if slot.is_first_use() {
        let used = Arc::new(Used(slot));
        list(&used);
        // It lives as long as the static.
        std::mem::forget(used);
    }
}

/// Lists a cache for as long as it lives.
pub(crate) fn list<L: Listed + 'static>(cache: &Arc<L>) {
    let cache: Weak<dyn Listed> = Arc::downgrade(&(Arc::clone(cache) as Arc<dyn Listed>));
    lock(&LISTED).push(cache);
}

/// Every cache of the process, without its types: those of all cached functions that were used at least once, by
/// name. For dashboards, metrics and operations.
///
/// A function is used when it is called, or when an entry of it is made; its `cache()` alone does not list it. Two
/// functions may have one name. With `test-util`, a runtime with caches of its own (`testing::isolate`) sees those of
/// them that it has used, and their figures.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// for cache in cacheback::caches() {
///     let stats = cache.stats();
///     println!("{}: {} values, {} hits, {} refused", cache.name(), cache.len(), stats.hits, stats.refused);
/// }
/// // A deploy changed what all of them were made from.
/// for cache in cacheback::caches() {
///     cache.clear().await?;
/// }
/// # Ok::<(), cacheback::Error>(())
/// # }).unwrap();
/// ```
#[must_use]
pub fn caches() -> Vec<CacheRef> {
    let listed = {
        let mut listed = lock(&LISTED);
        listed.retain(|cache| cache.strong_count() > 0);
        listed.clone()
    };
    let handles = listed.iter().filter_map(Weak::upgrade).filter_map(Listed::handle);
    let mut caches: Vec<_> = handles.collect();
    caches.sort_by(|one, other| one.name().cmp(other.name()));
    caches
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Elsewhere;

    impl Listed for Elsewhere {
        fn handle(self: Arc<Self>) -> Option<CacheRef> {
            None
        }
    }

    #[test]
    fn what_is_dropped_drops_out() {
        let (kept, dropped) = (Arc::new(Elsewhere), Arc::new(Elsewhere));
        let (weak, gone) = (Arc::downgrade(&kept), Arc::downgrade(&dropped));
        list(&kept);
        list(&dropped);
        drop(dropped);
        let _ = caches();
        let listed = lock(&LISTED);
        let has = |cache: &Weak<Elsewhere>| {
            listed.iter().any(|other| std::ptr::addr_eq(other.as_ptr(), cache.as_ptr()))
        };
        assert!(has(&weak) && !has(&gone));
    }
}
