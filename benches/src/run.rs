//! The runtimes of the contenders. Futures are polled on a current-thread runtime, one for each thread, as in a
//! service.

use std::hint::black_box;
use std::mem::ManuallyDrop;

use tokio::runtime::{Builder, Runtime};

thread_local! {
    // Never dropped: some of its tasks never end, and dropping them at the end of the thread must not be measured.
    static RUNTIME: ManuallyDrop<Runtime> =
        ManuallyDrop::new(Builder::new_current_thread().enable_time().build().expect("a runtime"));
}

/// Drives a future on the calling thread's runtime.
pub(crate) fn drive<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Awaits one read for each key, one after another.
pub(crate) fn polled<K: Copy, V>(keys: &[K], read: impl AsyncFn(K) -> V) {
    drive(async {
        for &key in keys {
            black_box(read(black_box(key)).await);
        }
    });
}

/// Calls one read for each key, one after another.
pub(crate) fn called<K: Copy, V>(keys: &[K], read: impl Fn(K) -> V) {
    for &key in keys {
        black_box(read(black_box(key)));
    }
}
