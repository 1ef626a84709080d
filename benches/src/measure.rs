//! The time of an operation, for all contenders in turn.
//!
//! The machine is shared and its clock rate changes, so contenders are compared within rounds. A round gives each
//! contender one slice of time, in an order that rotates.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::case::Key;
use crate::contenders::{Contender, Read};
use crate::plan::Plan;
use crate::{process, run};

/// The keys to read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys<'a, K> {
    /// These, over and over.
    Trace(&'a [K]),
    /// These in turn, each batch from the key at which the last one ended, so that no key comes again soon.
    Walk(&'a [K]),
    /// Each of them only once.
    New,
}

impl<K> Keys<'_, K> {
    /// The most operations of a slice on each thread. All threads together do not walk in a circle.
    fn most(self, threads: usize) -> usize {
        match self {
            Self::Walk(all) => (all.len() / (2 * threads)).max(LEAST),
            Self::Trace(_) | Self::New => usize::MAX,
        }
    }
}

/// The operations that come before each slice, and the fewest in one.
const LEAST: usize = 64;

/// Nanoseconds for each operation of one contender, with one figure for each round.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) ns: Vec<f64>,
}

pub(crate) fn rounds<K: Key>(
    contenders: &[(&'static str, Contender<K>)],
    keys: Keys<'_, K>,
    threads: usize,
    plan: &Plan,
) -> Vec<Series> {
    let calibrated = |(name, one): &(&'static str, Contender<K>)| {
        process::works(name);
        calibrate(one, keys, threads, plan.slice)
    };
    let operations: Vec<usize> = contenders.iter().map(calibrated).collect();
    let mut series: Vec<Series> =
        contenders.iter().map(|&(name, _)| Series { name, ns: Vec::with_capacity(plan.rounds) }).collect();
    for round in 0..plan.rounds {
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            let (name, contender) = &contenders[index];
            process::works(name);
            series[index].ns.push(slice(contender, keys, threads, operations[index], round));
        }
    }
    process::nobody_works();
    series
}

/// How many operations fill a slice.
fn calibrate<K: Key>(contender: &Contender<K>, keys: Keys<'_, K>, threads: usize, length: Duration) -> usize {
    let most = keys.most(threads);
    let mut operations = LEAST;
    loop {
        let ns = slice(contender, keys, threads, operations, 0);
        let took = ns * operations as f64;
        if took * 8.0 >= length.as_nanos() as f64 || operations == most {
            return ((length.as_nanos() as f64 / ns) as usize).clamp(LEAST, most);
        }
        operations = (operations * 2).min(most);
    }
}

/// The wall time of one operation while every thread does this number of operations.
fn slice<K: Key>(
    contender: &Contender<K>,
    keys: Keys<'_, K>,
    threads: usize,
    operations: usize,
    round: usize,
) -> f64 {
    let barrier = Barrier::new(threads);
    let work = |thread: usize| {
        // The first work of a thread (its runtime, its thread-locals) is not part of an operation.
        let warm = prepare(keys, LEAST, 0);
        warm.run(contender.before.as_ref());
        warm.run(Some(&contender.read));
        let batch = prepare(keys, operations, round * 7919 + thread * 104_729);
        batch.run(contender.before.as_ref());
        barrier.wait();
        let start = Instant::now();
        batch.run(Some(&contender.read));
        (start, Instant::now())
    };
    let spans = if threads == 1 { vec![work(0)] } else { together(threads, &work) };
    let start = spans.iter().map(|span| span.0).min().expect("a thread");
    let end = spans.iter().map(|span| span.1).max().expect("a thread");
    end.duration_since(start).as_nanos() as f64 / operations as f64
}

/// Runs the work on threads. Meanwhile the calling thread drives its runtime, because some caches fetch on the runtime
/// on which they were made, and would otherwise wait for ever.
fn together<T: Send>(threads: usize, work: &(impl Fn(usize) -> T + Sync)) -> Vec<T> {
    let (done, mut results) = mpsc::unbounded_channel();
    thread::scope(|scope| {
        for thread in 0..threads {
            let done = done.clone();
            scope.spawn(move || done.send(work(thread)));
        }
        drop(done);
        run::drive(async {
            let mut all = Vec::with_capacity(threads);
            while let Some(result) = results.recv().await {
                all.push(result);
            }
            all
        })
    })
}

/// Keys to read, ready before the clock starts.
enum Batch<'a, K> {
    Cycle { trace: &'a [K], from: usize, operations: usize },
    Once(Vec<K>),
}

fn prepare<K: Key>(keys: Keys<'_, K>, operations: usize, from: usize) -> Batch<'_, K> {
    // Far from the keys in the filled caches.
    static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
    static WALKED: AtomicU64 = AtomicU64::new(0);
    match keys {
        Keys::Walk(all) => {
            let first = WALKED.fetch_add(operations as u64, Ordering::Relaxed) as usize;
            Batch::Once((first..first + operations).map(|at| all[at % all.len()]).collect())
        }
        Keys::Trace(trace) => Batch::Cycle { trace, from: from % trace.len(), operations },
        Keys::New => {
            let first = NEXT.fetch_add(operations as u64, Ordering::Relaxed);
            Batch::Once((first..first + operations as u64).map(K::of).collect())
        }
    }
}

impl<K> Batch<'_, K> {
    fn run(&self, work: Option<&Read<K>>) {
        let Some(work) = work else { return };
        match self {
            Self::Once(keys) => work(keys),
            &Self::Cycle { trace, mut from, mut operations } => {
                while operations > 0 {
                    let end = trace.len().min(from + operations);
                    work(&trace[from..end]);
                    operations -= end - from;
                    from = 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn recorder() -> (Contender<u64>, Arc<Mutex<Vec<u64>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let read = Box::new(move |keys: &[u64]| record.lock().unwrap().extend_from_slice(keys));
        (Contender::of(read), seen)
    }

    #[test]
    fn a_batch_cycles_through_the_trace() {
        let (contender, seen) = recorder();
        prepare(Keys::Trace(&[1, 2, 3]), 7, 1).run(Some(&contender.read));
        assert_eq!(*seen.lock().unwrap(), [2, 3, 1, 2, 3, 1, 2]);
    }

    #[test]
    fn new_keys_are_never_the_same() {
        let (contender, seen) = recorder();
        prepare(Keys::New, 500, 0).run(Some(&contender.read));
        prepare(Keys::New, 500, 0).run(Some(&contender.read));
        let mut keys = seen.lock().unwrap().clone();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 1_000);
    }

    /// No other test of this process walks.
    #[test]
    fn a_walk_goes_on_where_it_ended_and_each_batch_is_prepared() {
        let (contender, seen) = recorder();
        let (other, prepared) = recorder();
        let contender = Contender { before: Some(other.read), ..contender };
        let keys: Vec<u64> = (0..1_000).collect();
        let plan = Plan { rounds: 2, slice: Duration::from_secs(1), quick: true };
        let series = rounds(&[("a", contender)], Keys::Walk(&keys), 1, &plan);
        assert_eq!(series[0].ns.len(), 2);
        let seen = seen.lock().unwrap();
        assert!(seen.iter().enumerate().all(|(at, &key)| key == at as u64 % 1_000), "{seen:?}");
        // Batches of 64, 128, 256, 500 until half of the keys are in one, then two rounds, and 64 before each batch.
        assert_eq!(seen.len(), 64 + 128 + 256 + 500 + 2 * 500 + 6 * 64);
        assert_eq!(*seen, *prepared.lock().unwrap());
    }

    #[test]
    fn each_contender_has_one_figure_a_round() {
        let contenders = [("a", recorder().0), ("b", recorder().0)];
        let plan = Plan { rounds: 3, slice: Duration::from_micros(50), quick: true };
        let series = rounds(&contenders, Keys::Trace(&[1]), 2, &plan);
        assert_eq!(
            series.iter().map(|one| (one.name, one.ns.len())).collect::<Vec<_>>(),
            [("a", 3), ("b", 3)]
        );
    }
}
