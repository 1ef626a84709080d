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
use crate::contenders::Contender;
use crate::plan::Plan;
use crate::run;

/// The keys to read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys<'a, K> {
    /// These, over and over.
    Trace(&'a [K]),
    /// Each of them only once.
    New,
}

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
    let operations: Vec<usize> =
        contenders.iter().map(|(_, one)| calibrate(one, keys, threads, plan.slice)).collect();
    let mut series: Vec<Series> =
        contenders.iter().map(|&(name, _)| Series { name, ns: Vec::with_capacity(plan.rounds) }).collect();
    for round in 0..plan.rounds {
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            series[index].ns.push(slice(&contenders[index].1, keys, threads, operations[index], round));
        }
    }
    series
}

/// How many operations fill a slice.
fn calibrate<K: Key>(contender: &Contender<K>, keys: Keys<'_, K>, threads: usize, length: Duration) -> usize {
    let mut operations = 64;
    loop {
        let ns = slice(contender, keys, threads, operations, 0);
        let took = ns * operations as f64;
        if took * 8.0 >= length.as_nanos() as f64 {
            return ((length.as_nanos() as f64 / ns) as usize).max(64);
        }
        operations *= 2;
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
        let warm = prepare(keys, 64, 0);
        warm.run(contender);
        let batch = prepare(keys, operations, round * 7919 + thread * 104_729);
        barrier.wait();
        let start = Instant::now();
        batch.run(contender);
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
    New(Vec<K>),
}

fn prepare<K: Key>(keys: Keys<'_, K>, operations: usize, from: usize) -> Batch<'_, K> {
    // Far from the keys in the filled caches.
    static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
    match keys {
        Keys::Trace(trace) => Batch::Cycle { trace, from: from % trace.len(), operations },
        Keys::New => {
            let first = NEXT.fetch_add(operations as u64, Ordering::Relaxed);
            Batch::New((first..first + operations as u64).map(K::of).collect())
        }
    }
}

impl<K> Batch<'_, K> {
    fn run(&self, contender: &Contender<K>) {
        match self {
            Self::New(keys) => (contender.read)(keys),
            &Self::Cycle { trace, mut from, mut operations } => {
                while operations > 0 {
                    let end = trace.len().min(from + operations);
                    (contender.read)(&trace[from..end]);
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
        (Contender { read, future: None, misses: None }, seen)
    }

    #[test]
    fn a_batch_cycles_through_the_trace() {
        let (contender, seen) = recorder();
        prepare(Keys::Trace(&[1, 2, 3]), 7, 1).run(&contender);
        assert_eq!(*seen.lock().unwrap(), [2, 3, 1, 2, 3, 1, 2]);
    }

    #[test]
    fn new_keys_are_never_the_same() {
        let (contender, seen) = recorder();
        prepare(Keys::New, 500, 0).run(&contender);
        prepare(Keys::New, 500, 0).run(&contender);
        let mut keys = seen.lock().unwrap().clone();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 1_000);
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
