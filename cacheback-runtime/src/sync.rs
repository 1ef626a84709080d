//! The one door to locks and atomics.
//!
//! Everything that claims, commits, writes or clears goes through these names, so that a model checker can stand in
//! for them without a change elsewhere. A lock of ours guards plain data only: no user code runs under one, so a
//! poisoned lock carries no broken invariant and is taken as it is.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

pub(crate) use once_cell::race::OnceBox;

/// Locks, whether or not an earlier holder panicked.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
