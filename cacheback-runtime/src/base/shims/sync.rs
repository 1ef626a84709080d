//! The names of `base::sync`, as shuttle has them.

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};

/// Locks a mutex, even if an earlier holder has panicked.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Lets the scheduler switch to another task here.
pub(crate) fn step() {
    AtomicBool::new(false).load(Ordering::SeqCst);
}

/// tokio's own; each call is one step.
#[derive(Default)]
pub(crate) struct Notify(tokio::sync::Notify);

impl Notify {
    pub(crate) fn new() -> Self {
        Self(tokio::sync::Notify::new())
    }
    pub(crate) fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        step();
        self.0.notified()
    }
    pub(crate) fn notify_one(&self) {
        step();
        self.0.notify_one();
    }
    pub(crate) fn notify_waiters(&self) {
        step();
        self.0.notify_waiters();
    }
}

/// Each call is one step.
#[derive(Debug)]
pub(crate) struct OnceLock<T>(std::sync::OnceLock<T>);

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }
    pub(crate) fn get(&self) -> Option<&T> {
        step();
        self.0.get()
    }
    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        step();
        self.0.set(value)
    }
    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        step();
        self.0.get_or_init(init)
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Several tasks may make a value at once; the first one to be stored stays.
pub(crate) struct OnceBox<T>(once_cell::race::OnceBox<T>);

impl<T> OnceBox<T> {
    pub(crate) fn new() -> Self {
        Self(once_cell::race::OnceBox::new())
    }
    pub(crate) fn get(&self) -> Option<&T> {
        step();
        self.0.get()
    }
    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> Box<T>) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let value = init();
        step();
        self.0.get_or_init(|| value)
    }
}
