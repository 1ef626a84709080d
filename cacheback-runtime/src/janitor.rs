//! Drops what is past its retention, within a minute, also in a process that has gone quiet; and starts what waits
//! behind a runtime that stands still.
//!
//! One thread a process, started by its first cache, that looks each half minute at one number a cache. With
//! `test-util` the clock is the test's and only its own calls can read it: there the caches tidy up themselves.

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

static WATCHED: Mutex<Vec<Weak<dyn Sweep>>> = Mutex::new(Vec::new());

/// What else is done each time.
static ALSO: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// Does this too from here on, twice a minute.
#[cfg(feature = "metrics")]
pub(crate) fn also(work: fn()) {
    lock(&ALSO).push(work);
}

/// Sweeps `cache` as long as it lives.
pub(crate) fn watch<S: Sweep + 'static>(cache: &Arc<S>) {
    static THREAD: OnceLock<()> = OnceLock::new();
    let cache: Weak<dyn Sweep> = Arc::downgrade(&(Arc::clone(cache) as Arc<dyn Sweep>));
    lock(&WATCHED).push(cache);
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

fn sweep_all(now: Moment) {
    let watched = {
        let mut watched = lock(&WATCHED);
        watched.retain(|cache| cache.strong_count() > 0);
        watched.clone()
    };
    for cache in watched.iter().filter_map(Weak::upgrade) {
        let _ = caught(|| cache.sweep(now));
    }
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
        for cache in [&rude, &one, &dropped] {
            watch(cache);
        }
        let watched = lock(&WATCHED).len();
        drop(dropped);
        for _ in 0..2 {
            sweep_all(Moment::now());
        }
        assert_eq!(one.times.load(Ordering::Relaxed), 2);
        assert_eq!(rude.times.load(Ordering::Relaxed), 2);
        assert!(lock(&WATCHED).len() < watched, "who is gone is forgotten");
    }
}
