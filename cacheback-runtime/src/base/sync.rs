//! The one door to locks, atomics and notifications.
//!
//! Everything that claims, commits, writes or clears goes through these names, so that a model checker can stand in
//! for them without a change elsewhere: see `interleavings`. A lock of ours guards plain data only: no user code runs
//! under one, so a poisoned lock carries no broken invariant and is taken as it is.

#[cfg(not(all(test, cacheback_shuttle)))]
pub(crate) use {
    once_cell::race::OnceBox,
    plain::lock,
    std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    std::sync::{Arc, Mutex, OnceLock},
    tokio::sync::Notify,
};

#[cfg(all(test, cacheback_shuttle))]
pub(crate) use crate::base::shims::sync::{
    Arc, AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Mutex, Notify, OnceBox, OnceLock, Ordering, lock,
    step,
};

/// What a model checker leaves alone: counters that nobody decides by, and statics, which outlive what it looks at.
pub(crate) mod plain {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};

    /// Locks, whether or not an earlier holder panicked.
    pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Hands numbers out, each once.
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

/// Others may come between here, though it is no lock and no atomic of ours: for a model checker.
#[cfg(not(all(test, cacheback_shuttle)))]
#[inline(always)]
pub(crate) fn step() {}
