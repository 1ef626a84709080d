//! Support for tests of code that uses cached functions (feature `test-util`).
//!
//! With this feature lifetimes, back-off, `wait` and time-outs follow tokio's clock, which a test can pause and
//! advance. The limits of the executor hold for each runtime, and a call joins no fetch of another runtime. So the
//! tests of one process, each on a runtime of its own, run in parallel without waiting for each other. They still share
//! the stored values: [`isolate`] gives a test its own.
//!
//! ```
//! use std::time::Duration;
//! # mod cacheback { pub use cacheback_runtime::*; }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
//! let _own = cacheback::testing::isolate();
//! // ... call cached functions: their caches are empty, and belong to this runtime only ...
//! tokio::time::advance(Duration::from_secs(600)).await;
//! cacheback::settle().await;
//! # });
//! ```

use std::any::Any;
use std::collections::HashMap;

use tokio::runtime::{Handle, Id};

use crate::base::sync::{Arc, AtomicU64, AtomicUsize, Mutex, OnceLock, Ordering, lock};
use crate::executor::Executor;

/// Gives the calling runtime empty caches, counters and limits of its own, until the returned guard is dropped.
///
/// Values that the runtime's caches held before are not lost: afterwards they are served again.
///
/// # Panics
///
/// Panics outside a tokio runtime, and so in a plain `#[test]`.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let _own = cacheback::testing::isolate();
/// # });
/// ```
#[must_use = "the runtime's own caches last as long as the guard"]
#[track_caller]
pub fn isolate() -> Isolated {
    let Ok(runtime) = Handle::try_current().map(|handle| handle.id()) else {
        panic!(
            "`cacheback::testing::isolate()` gives the calling tokio runtime caches of its own, and there is no runtime: \
             write `#[tokio::test]` in place of `#[test]`, or call it inside of `block_on`"
        );
    };
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let world = Arc::new(World { number, ..World::default() });
    let mut runtimes = lock(runtimes());
    runtimes.entry(runtime).or_default().isolated.push(Arc::clone(&world));
    ISOLATED.fetch_add(1, Ordering::SeqCst);
    Isolated { runtime, world }
}

/// The guard of [`isolate`].
#[derive(Debug)]
pub struct Isolated {
    runtime: Id,
    world: Arc<World>,
}

impl Drop for Isolated {
    fn drop(&mut self) {
        if let Some(surroundings) = lock(runtimes()).get_mut(&self.runtime) {
            surroundings.isolated.retain(|world| !Arc::ptr_eq(world, &self.world));
        }
        ISOLATED.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The number of guards. Without any, nothing is looked up.
static ISOLATED: AtomicUsize = AtomicUsize::new(0);

/// The things that an isolation has of its own.
#[derive(Default)]
struct World {
    number: u64,
    executor: OnceLock<Arc<Executor>>,
    /// The caches of each slot, by its address.
    slots: Mutex<HashMap<usize, Arc<dyn Any + Send + Sync>>>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Surroundings {
    executor: OnceLock<Arc<Executor>>,
    isolated: Vec<Arc<World>>,
}

fn runtimes() -> &'static Mutex<HashMap<Id, Surroundings>> {
    static RUNTIMES: OnceLock<Mutex<HashMap<Id, Surroundings>>> = OnceLock::new();
    RUNTIMES.get_or_init(Mutex::default)
}

/// Does `work` with the place for the executor of a runtime, or of its isolation.
pub(crate) fn with_executor<R>(runtime: Id, work: impl FnOnce(&OnceLock<Arc<Executor>>) -> R) -> R {
    let mut runtimes = lock(runtimes());
    let surroundings = runtimes.entry(runtime).or_default();
    work(surroundings.isolated.last().map_or(&surroundings.executor, |world| &world.executor))
}

/// The isolation of the calling runtime.
fn world() -> Option<Arc<World>> {
    if ISOLATED.load(Ordering::SeqCst) == 0 {
        return None;
    }
    let runtime = Handle::try_current().ok()?.id();
    lock(runtimes()).get(&runtime)?.isolated.last().cloned()
}

/// The number of the calling runtime's isolation.
pub(crate) fn number() -> Option<u64> {
    world().map(|world| world.number)
}

/// The caches of a slot in the calling runtime's isolation, empty at first; `None` if the runtime is not isolated.
pub(crate) fn isolated<T: Default + Send + Sync + 'static>(slot: usize) -> Option<Arc<T>> {
    let world = world()?;
    let mut slots = lock(&world.slots);
    let own = slots.entry(slot).or_insert_with(|| Arc::new(T::default()));
    Arc::clone(own).downcast().ok()
}
