//! The system's allocator, with counters that can be switched on.
#![allow(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

/// Off while time is measured, because a shared counter would slow down the contenders that allocate.
static ON: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);

/// The allocations since `start`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) allocations: u64,
    /// Allocated minus freed bytes, as the allocator rounds them up.
    pub(crate) bytes: i64,
}

pub(crate) fn start() {
    ALLOCATIONS.store(0, Ordering::SeqCst);
    BYTES.store(0, Ordering::SeqCst);
    ON.store(true, Ordering::SeqCst);
}

pub(crate) fn stop() -> Counted {
    ON.store(false, Ordering::SeqCst);
    Counted { allocations: ALLOCATIONS.load(Ordering::SeqCst), bytes: BYTES.load(Ordering::SeqCst) }
}

fn allocated(pointer: *mut u8) {
    if ON.load(Ordering::Relaxed) && !pointer.is_null() {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(usable(pointer), Ordering::Relaxed);
    }
}

fn freed(pointer: *mut u8) {
    if ON.load(Ordering::Relaxed) {
        BYTES.fetch_sub(usable(pointer), Ordering::Relaxed);
    }
}

fn usable(pointer: *mut u8) -> i64 {
    // SAFETY: the pointer came from `System`, which is malloc, and has not been freed yet.
    unsafe { libc::malloc_usable_size(pointer.cast()) as i64 }
}

// SAFETY: every call is passed on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of this function.
        let pointer = unsafe { System.alloc(layout) };
        allocated(pointer);
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of this function.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        allocated(pointer);
        pointer
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        freed(pointer);
        // SAFETY: the caller keeps the contract of this function.
        let pointer = unsafe { System.realloc(pointer, layout, size) };
        allocated(pointer);
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        freed(pointer);
        // SAFETY: the caller keeps the contract of this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}
