//! Code of the user's that panics or calls back, wherever the library runs it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

mod callbacks;
mod errors_and_closures;
mod keys;
mod values;

/// Stands in the user's code (`Eq`, `Clone`, `Drop`), and panics or calls back there as the test says.
#[derive(Default)]
struct Trap {
    /// It panics when this comes down to zero.
    fuse: AtomicI64,
    blown: AtomicBool,
    /// Once it has panicked, it panics each time until it is armed again.
    relentless: AtomicBool,
    calls_back: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Trap {
    fn spring(&self) {
        let callback = self.calls_back.lock().unwrap().take();
        if let Some(callback) = callback {
            callback();
        }
        let first = self.fuse.fetch_sub(1, Ordering::SeqCst) == 1 && !std::thread::panicking();
        let again = self.relentless.load(Ordering::SeqCst) && self.blown.load(Ordering::SeqCst);
        if first || again {
            self.blown.store(true, Ordering::SeqCst);
            panic!("the trap has sprung");
        }
    }

    /// It panics at the `n`-th time from now on, counted from one. Zero is never.
    fn arm(&self, n: i64) {
        self.blown.store(false, Ordering::SeqCst);
        self.fuse.store(n, Ordering::SeqCst);
    }
}
