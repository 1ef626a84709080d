//! The housekeeper. Twice a minute it drops entries past their retention, even in a process that makes no more calls.
//! While fetches live, it looks after stalled runtimes once a second: it starts refreshes that wait for their places,
//! and moves their fetches or gives them up.
//!
//! It is one thread for the process, and the first cache starts it. With `test-util` there is none, as only calls on a
//! test's own runtime can read the test's clock. Calls sweep the caches themselves then.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::base::clock::Moment;
use crate::base::panics::catch;
use crate::base::process::{self, PerProcess};
use crate::base::sync::plain::{AtomicBool, Ordering};
use crate::base::sync::{Arc, Mutex, lock};
use crate::executor::context;

/// How often caches are swept.
const PERIOD: Duration = Duration::from_secs(30);
/// How often fetches are tended, while there are any.
const SHORT_PERIOD: Duration = Duration::from_secs(1);

/// A cache that may hold entries past their retention.
pub(crate) trait Sweep: Send + Sync {
    fn sweep(&self, now: Moment);
}

/// The caches that are swept, by their numbers.
static WATCHED: Mutex<BTreeMap<u64, Weak<dyn Sweep>>> = Mutex::new(BTreeMap::new());

/// Further work that is done each time after the caches are swept.
static ALSO: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// Does this work too from now on, twice a minute.
#[cfg(feature = "metrics")]
pub(crate) fn also(work: fn()) {
    lock(&ALSO).push(work);
}

/// Sweeps the `cache` of this number from now on. It has to be [forgotten](forget) when it is dropped.
pub(crate) fn watch<S: Sweep + 'static>(number: u64, cache: &Arc<S>) {
    let cache: Arc<dyn Sweep> = Arc::clone(cache) as _;
    add(number, Arc::downgrade(&cache));
}

/// Not generic, so that a cache of new types brings no code of its own for this.
fn add(number: u64, cache: Weak<dyn Sweep>) {
    lock(&WATCHED).insert(number, cache);
    Housekeeper::of(process::id());
}

/// Wakes the housekeeper, if it does not tend fetches yet: one was enlisted with the executor.
pub(crate) fn attend(process: u32) {
    let housekeeper = Housekeeper::of(process);
    if !housekeeper.attends.load(Ordering::SeqCst) && !housekeeper.attends.swap(true, Ordering::SeqCst) {
        housekeeper.thread.unpark();
    }
}

struct Housekeeper {
    thread: Thread,
    /// It tends fetches each second. A caller that starts a fetch sets this; the housekeeper resets it when none lives.
    attends: Arc<AtomicBool>,
}

impl Housekeeper {
    /// The housekeeper of this process, whose number is `process`. The first call starts it, in a forked child as well.
    fn of(process: u32) -> &'static Self {
        static HOUSEKEEPER: PerProcess<Housekeeper> = PerProcess::new();
        HOUSEKEEPER.get_or_init(process, || {
            let attends = Arc::new(AtomicBool::new(false));
            let attended = Arc::clone(&attends);
            let thread = thread::Builder::new()
                .name("cacheback-janitor".into())
                .spawn(move || keep_house(&attended))
                // If the system gives no thread, nothing is swept. Even so, reads are right and `capacity` bounds the
                // memory. Each `unpark` then goes to a thread that does not wait for it.
                .map_or_else(|_| thread::current(), |started| started.thread().clone());
            Self { thread, attends }
        })
    }
}

fn keep_house(attends: &AtomicBool) -> ! {
    let mut swept = Instant::now();
    loop {
        let until_swept = PERIOD.saturating_sub(swept.elapsed());
        let fetches_live = has_fetches() || {
            attends.store(false, Ordering::SeqCst);
            // A caller who enlisted a fetch just before may still have read `true` there: that fetch is seen here.
            let enlisted = has_fetches();
            attends.fetch_or(enlisted, Ordering::SeqCst) || enlisted
        };
        thread::park_timeout(if fetches_live { SHORT_PERIOD.min(until_swept) } else { until_swept });
        if let Some(executor) = context::executor() {
            executor.reclaim(Moment::now());
            executor.tend();
        }
        if swept.elapsed() >= PERIOD {
            swept = Instant::now();
            sweep_all(Moment::now());
            let also = lock(&ALSO).clone();
            for work in also {
                let _ = catch(work);
            }
        }
    }
}

fn has_fetches() -> bool {
    context::executor().is_some_and(|executor| executor.has_fetches())
}

/// Stops sweeping the cache of this number, as it is dropped: the `Weak` would keep its allocation.
pub(crate) fn forget(number: u64) {
    let forgotten = lock(&WATCHED).remove(&number);
    drop(forgotten);
}

fn sweep_all(now: Moment) {
    let mut from = 0;
    // One cache is held at a time, so that the others may be dropped meanwhile.
    while let Some((number, cache)) = next_from(from) {
        from = number + 1;
        if let Some(cache) = cache {
            let _ = catch(move || cache.sweep(now));
        }
    }
}

/// The watched cache with the lowest number from `number` on. The `Arc` is there if that cache still lives.
fn next_from(number: u64) -> Option<(u64, Option<Arc<dyn Sweep>>)> {
    let watched = lock(&WATCHED);
    watched.range(number..).next().map(|(number, cache)| (*number, cache.upgrade()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sync::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Swept {
        times: AtomicUsize,
        panics: bool,
    }

    impl Sweep for Swept {
        fn sweep(&self, _: Moment) {
            self.times.fetch_add(1, Ordering::Relaxed);
            assert!(!self.panics, "in a sweep");
        }
    }

    #[test]
    fn every_living_cache_is_swept_even_if_another_panics() {
        let rude = Arc::new(Swept { panics: true, ..Swept::default() });
        let (one, dropped) = (Arc::new(Swept::default()), Arc::new(Swept::default()));
        // No engine has such a high number.
        let numbers = [u64::MAX - 3, u64::MAX - 2, u64::MAX - 1];
        for (number, cache) in numbers.into_iter().zip([&rude, &dropped, &one]) {
            watch(number, cache);
        }
        drop(dropped);
        for _ in 0..2 {
            sweep_all(Moment::now());
        }
        forget(numbers[2]);
        sweep_all(Moment::now());
        assert_eq!(one.times.load(Ordering::Relaxed), 2);
        assert_eq!(rude.times.load(Ordering::Relaxed), 3);
    }
}
