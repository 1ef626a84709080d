//! Hits that are timed one by one, and the work that goes on in the same cache on another thread meanwhile: refreshes of
//! the keys that are read most, and sets of new keys, each of which evicts a value. The clock sets the pace of both, and
//! it is the same for every cache: a slow operation does not delay those that are due after it.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cacheback::cacheback;
use futures_util::future::{join, join_all};
use hdrhistogram::Histogram;
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio::time::{interval_at, sleep};

use super::stale::number;
use super::{FULL, OURS, QUICK, UNIT};
use crate::{process, run};

pub(crate) const NOTHING: &str = "nothing: two readings of the clock";
/// The keys that are refreshed are the first ones.
pub(crate) const REFRESHES: usize = 64;
/// How often each of them is refreshed, and how long the body of a refresh sleeps.
const PERIOD: Duration = Duration::from_millis(5);
const BODY: Duration = Duration::from_millis(3);
/// The operations that are due in a second. Every contender can do both on one core with room to spare.
pub(crate) const SETS: u32 = 30_000;
pub(crate) const REFRESHES_A_SECOND: u32 = REFRESHES as u32 * 1_000 / PERIOD.as_millis() as u32;

/// Reads the keys, and records the nanoseconds of each hit. Returns the number of other reads, whose keys are set again.
type Timed = Box<dyn Fn(&[u64], &mut Histogram<u64>) -> u64 + Sync>;

/// Refreshes these keys and sets new ones until it is told to stop.
type Disturb = Box<dyn Fn(&[u64], &AtomicBool) -> Disturbed + Sync>;

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) read: Timed,
    pub(crate) disturb: Disturb,
}

/// What went on, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disturbed {
    pub(crate) sets: u64,
    pub(crate) refreshes: u64,
    pub(crate) seconds: f64,
}

/// Each with a full cache that holds these keys.
pub(crate) fn subjects(keys: &[u64]) -> Vec<Subject> {
    let (moka, quick) = (moka(), quick());
    let mut all = vec![
        Subject {
            name: NOTHING,
            read: timed(async |_| Some(()), async |_| ()),
            disturb: disturb(moka.1.clone(), moka.2.clone()),
        },
        Subject { name: UNIT, read: timed(moka.0, moka.1.clone()), disturb: disturb(moka.1.clone(), moka.2) },
        Subject {
            name: QUICK,
            read: timed(quick.0, quick.1.clone()),
            disturb: disturb(quick.1.clone(), quick.2),
        },
        Subject { name: OURS, read: timed(hit, set), disturb: disturb(set, refresh) },
    ];
    let others: Vec<u64> = new_keys(FULL).collect();
    for keys in [&others, keys] {
        run::polled(keys, &moka.1);
        run::polled(keys, &quick.1);
        run::polled(keys, set);
    }
    all.retain(|one| process::takes_part(one.name));
    all
}

fn new_keys(count: u64) -> std::ops::Range<u64> {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
    let first = NEXT.fetch_add(count, Ordering::Relaxed);
    first..first + count
}

#[cacheback(lifetime = 86_400, capacity = FULL)]
async fn ours(key: u64) -> u64 {
    let _ = key;
    sleep(BODY).await;
    number()
}

async fn hit(key: u64) -> Option<u64> {
    Some(ours(key).await).filter(|&value| value != 0)
}

async fn set(key: u64) {
    ours::entry(key).set(number()).await.expect("a local write");
}

async fn refresh(key: u64) {
    ours::entry(key).refresh().await;
}

macro_rules! value {
    ($name:ident, $cache:expr) => {
        /// How it reads, sets, and refreshes a key.
        fn $name() -> (
            impl AsyncFn(u64) -> Option<u64> + Sync + 'static,
            impl AsyncFn(u64) + Clone + Sync + 'static,
            impl AsyncFn(u64) + Clone + Sync + 'static,
        ) {
            let cache = Arc::new($cache);
            let [reader, setter, refresher] = [(); 3].map(|()| Arc::clone(&cache));
            let get = async move |key| reader.get(&key);
            let set = async move |key| setter.insert(key, number());
            let refresh = async move |key| {
                sleep(BODY).await;
                refresher.insert(key, number());
            };
            (get, set, refresh)
        }
    };
}

value!(moka, moka::sync::Cache::<u64, u64>::new(FULL));
value!(quick, quick_cache::sync::Cache::<u64, u64>::new(FULL as usize));

fn timed<V>(
    read: impl AsyncFn(u64) -> Option<V> + Sync + 'static,
    again: impl AsyncFn(u64) + Sync + 'static,
) -> Timed {
    Box::new(move |keys, times| {
        run::drive(async {
            let mut misses = 0;
            for &key in keys {
                let key = black_box(key);
                let start = Instant::now();
                let value = black_box(read(key).await);
                let took = start.elapsed();
                if value.is_some() {
                    times.saturating_record(took.as_nanos() as u64);
                } else {
                    misses += 1;
                    again(key).await;
                }
            }
            misses
        })
    })
}

fn disturb(set: impl AsyncFn(u64) + Sync + 'static, refresh: impl AsyncFn(u64) + Sync + 'static) -> Disturb {
    Box::new(move |keys, stop| {
        let refreshes = AtomicU64::new(0);
        let again = async |turn: usize, key| {
            let mut due =
                interval_at(tokio::time::Instant::now() + PERIOD * turn as u32 / REFRESHES as u32, PERIOD);
            while !stop.load(Ordering::Relaxed) {
                due.tick().await;
                refresh(key).await;
                if !stop.load(Ordering::Relaxed) {
                    refreshes.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let storm = async {
            let (start, mut sets) = (Instant::now(), 0);
            while !stop.load(Ordering::Relaxed) {
                let due = (start.elapsed().as_secs_f64() * f64::from(SETS)) as u64;
                for key in new_keys(due - sets) {
                    set(key).await;
                    if key % 32 == 0 {
                        yield_now().await;
                    }
                }
                sets = due;
                sleep(Duration::from_millis(1)).await;
            }
            (sets, start.elapsed().as_secs_f64())
        };
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let refreshed = keys.iter().enumerate().map(|(turn, &key)| again(turn, key));
        let (_, (sets, seconds)) = runtime.block_on(join(join_all(refreshed), storm));
        Disturbed { sets, refreshes: refreshes.into_inner(), seconds }
    })
}
