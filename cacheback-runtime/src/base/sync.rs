//! The only way to locks, atomics and notifications.
//!
//! All code that claims, commits, writes or clears uses these names, so that a model checker can replace them without a
//! change elsewhere: see `interleavings`. The library's locks guard plain data only. No user code runs under them, so a
//! poisoned lock hides no broken invariant and is taken as it is.

#[cfg(not(all(test, cacheback_shuttle)))]
pub(crate) use {
    once_cell::race::OnceBox,
    plain::lock,
    std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    std::sync::{Arc, Mutex, MutexGuard, OnceLock},
    tokio::sync::Notify,
};

#[cfg(all(test, cacheback_shuttle))]
pub(crate) use crate::base::shims::sync::{
    Arc, AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard, Notify, OnceBox, OnceLock,
    Ordering, lock, step,
};

/// Types that a model checker does not replace: for counters that no decision reads, and for statics, which outlive a
/// run.
pub(crate) mod plain {
    #[cfg(feature = "sqlite")]
    pub(crate) use std::sync::Condvar;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};

    /// Locks a mutex, even if an earlier holder has panicked.
    pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Hands out numbers, each one once.
    pub(crate) struct Serial(AtomicU64);

    impl Serial {
        pub(crate) const fn new() -> Self {
            Self(AtomicU64::new(0))
        }
        pub(crate) fn next(&self) -> u64 {
            self.0.fetch_add(1, Ordering::Relaxed)
        }
    }
}

/// A point at which other threads may come in between, though no lock and no atomic of these is used. It does nothing
/// but tell a model checker.
#[cfg(not(all(test, cacheback_shuttle)))]
#[inline(always)]
pub(crate) fn step() {}
