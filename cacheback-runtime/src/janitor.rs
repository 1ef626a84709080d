//! Drops what is past its retention, within a minute, also in a process that has gone quiet; and starts what waits
//! behind a runtime that stands still.
//!
//! One thread a process, started by its first cache, that looks each half minute at one number a cache. With
//! `test-util` the clock is the test's and only its own calls can read it: there the caches tidy up themselves.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

use crate::clock::Moment;
use crate::context;
use crate::panics::caught;
use crate::sync::{Arc, Mutex, OnceLock, lock};

const PERIOD: Duration = Duration::from_secs(30);

/// Something that holds values past their retention.
pub(crate) trait Sweep: Send + Sync {
    fn sweep(&self, now: Moment);
}

/// By their numbers.
static WATCHED: Mutex<BTreeMap<u64, Weak<dyn Sweep>>> = Mutex::new(BTreeMap::new());

/// What else is done each time.
static ALSO: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// Does this too from here on, twice a minute.
#[cfg(feature = "metrics")]
pub(crate) fn also(work: fn()) {
    lock(&ALSO).push(work);
}

/// Sweeps the `cache` of this number from here on. It is to be [forgotten](forget) as it is dropped.
pub(crate) fn watch<S: Sweep + 'static>(number: u64, cache: &Arc<S>) {
    static THREAD: OnceLock<()> = OnceLock::new();
    let cache: Weak<dyn Sweep> = Arc::downgrade(&(Arc::clone(cache) as Arc<dyn Sweep>));
    lock(&WATCHED).insert(number, cache);
    THREAD.get_or_init(|| {
        // Without a thread to spare nothing is swept: reads are right all the same, memory is bounded by `capacity`.
        let _ = std::thread::Builder::new().name("cacheback-janitor".into()).spawn(|| {
            loop {
                std::thread::sleep(PERIOD);
                sweep_all(Moment::now());
                if let Some(executor) = context::executor() {
                    executor.relieve(Moment::now());
                }
                let also = lock(&ALSO).clone();
                for work in also {
                    let _ = caught(work);
                }
            }
        });
    });
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

/// The watched cache with the lowest number from there on, where it still lives.
fn next_from(number: u64) -> Option<(u64, Option<Arc<dyn Sweep>>)> {
    let watched = lock(&WATCHED);
    watched.range(number..).next().map(|(number, cache)| (*number, cache.upgrade()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{AtomicUsize, Ordering};

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
