//! The housekeeper. Twice a minute it drops what is past its retention, also in a process that has gone quiet. Once a
//! second while fetches live it starts what waits behind a runtime that stands still, and moves or gives up fetches
//! that such a runtime has.
//!
//! One thread a process, started by its first cache. With `test-util` the clock is the test's and only its own calls
//! can read it: there the caches tidy up themselves.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::base::clock::Moment;
use crate::base::panics::caught;
use crate::base::process::{self, PerProcess};
use crate::base::sync::plain::{AtomicBool, Ordering};
use crate::base::sync::{Arc, Mutex, lock};
use crate::executor::context;

/// How often caches are swept.
const PERIOD: Duration = Duration::from_secs(30);
/// How often fetches are tended, while any lives.
const SHORT_PERIOD: Duration = Duration::from_secs(1);

/// Something that holds values past their retention.
pub(crate) trait Sweep: Send + Sync {
    fn sweep(&self, now: Moment);
}

/// By their numbers.
static WATCHED: Mutex<BTreeMap<u64, Weak<dyn Sweep>>> = Mutex::new(BTreeMap::new());

/// What else is done each time that caches are swept.
static ALSO: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// Does this too from here on, twice a minute.
#[cfg(feature = "metrics")]
pub(crate) fn also(work: fn()) {
    lock(&ALSO).push(work);
}

/// Sweeps the `cache` of this number from here on. It is to be [forgotten](forget) as it is dropped.
pub(crate) fn watch<S: Sweep + 'static>(number: u64, cache: &Arc<S>) {
    let cache: Weak<dyn Sweep> = Arc::downgrade(&(Arc::clone(cache) as Arc<dyn Sweep>));
    lock(&WATCHED).insert(number, cache);
    Housekeeper::of_this_process();
}

/// A fetch was enlisted with the executor: from here on it is tended.
#[cfg_attr(all(test, cacheback_shuttle), allow(dead_code))] // A scenario tends its fetches itself.
pub(crate) fn attend() {
    let housekeeper = Housekeeper::of_this_process();
    if !housekeeper.attends.load(Ordering::SeqCst) && !housekeeper.attends.swap(true, Ordering::SeqCst) {
        housekeeper.thread.unpark();
    }
}

struct Housekeeper {
    thread: Thread,
    /// It looks each second. Set by whoever starts a fetch, reset by itself when none lives.
    attends: Arc<AtomicBool>,
}

impl Housekeeper {
    /// Starts it, in a child that was forked too.
    fn of_this_process() -> &'static Self {
        static HOUSEKEEPER: PerProcess<Housekeeper> = PerProcess::new();
        HOUSEKEEPER.get_or_init(process::id(), || {
            let attends = Arc::new(AtomicBool::new(false));
            let attended = Arc::clone(&attends);
            let thread = thread::Builder::new()
                .name("cacheback-janitor".into())
                .spawn(move || keep_house(&attended))
                // Without a thread to spare nothing is swept: reads are right all the same, memory is bounded by
                // `capacity`. Then the wake-up goes to a thread that does not wait for it.
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
            // Whoever enlisted one before that may not have seen it: its fetch is seen here.
            let enlisted = has_fetches();
            attends.fetch_or(enlisted, Ordering::SeqCst) || enlisted
        };
        thread::park_timeout(if fetches_live { SHORT_PERIOD.min(until_swept) } else { until_swept });
        if let Some(executor) = context::executor() {
            executor.relieve(Moment::now());
            executor.tend();
        }
        if swept.elapsed() >= PERIOD {
            swept = Instant::now();
            sweep_all(Moment::now());
            let also = lock(&ALSO).clone();
            for work in also {
                let _ = caught(work);
            }
        }
    }
}

fn has_fetches() -> bool {
    context::executor().is_some_and(|executor| executor.has_fetches())
}

/// Sweeps the cache of this number no more. It is being dropped: a `Weak` in the list would keep its allocation.
pub(crate) fn forget(number: u64) {
    let forgotten = lock(&WATCHED).remove(&number);
    drop(forgotten);
}

fn sweep_all(now: Moment) {
    let mut from = 0;
    // Held one at a time: whoever is dropped meanwhile is not kept.
    while let Some((number, cache)) = next_from(from) {
        from = number + 1;
        if let Some(cache) = cache {
            let _ = caught(move || cache.sweep(now));
        }
    }
}

/// The watched cache with the lowest number from there on, if it still lives.
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
    fn every_living_cache_is_swept_whatever_the_others_do() {
        let rude = Arc::new(Swept { panics: true, ..Swept::default() });
        let (one, dropped) = (Arc::new(Swept::default()), Arc::new(Swept::default()));
        // No engine has such a number.
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
