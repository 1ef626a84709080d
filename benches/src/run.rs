//! Where contenders run: futures are polled on a current-thread runtime, one a thread, as in a service.

use std::hint::black_box;
use std::mem::ManuallyDrop;

use tokio::runtime::{Builder, Runtime};

thread_local! {
    // Never dropped: some tasks in it never end, and dropping them while the thread ends is not what is measured.
    static RUNTIME: ManuallyDrop<Runtime> =
        ManuallyDrop::new(Builder::new_current_thread().enable_time().build().expect("a runtime"));
}

/// Drives a future on the calling thread's runtime.
pub(crate) fn drive<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Awaits one read a key, one after the other.
pub(crate) fn polled<K: Copy, V>(keys: &[K], read: impl AsyncFn(K) -> V) {
    drive(async {
        for &key in keys {
            black_box(read(black_box(key)).await);
        }
    });
}

/// Calls one read a key, one after the other.
pub(crate) fn called<K: Copy, V>(keys: &[K], read: impl Fn(K) -> V) {
    for &key in keys {
        black_box(read(black_box(key)));
    }
}
