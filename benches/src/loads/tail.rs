//! The distribution of the time of single hits, while refreshes and evictions go on in the same cache.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::contenders::UNIT;
use crate::contenders::tail::{self, Disturbed, REFRESHES, Subject};
use crate::figure::Sink;
use crate::plan::Plan;
use crate::process;
use crate::stats::{median, median_ratio};
use crate::zipf::{Random, THETA, Zipf, scattered};

pub(crate) const CASE: &str = "zipf 10k";
const KEYS: u64 = 10_000;
/// The reads between two looks at the clock that ends a slice.
const CHUNK: usize = 1 << 12;
/// A slice is this number of times as long as in other loads: the rare hits are counted.
const LONGER: u32 = 8;

/// The percentiles: the figure, the share, and of how many hits one is slower.
pub(crate) const PERCENTILES: [(&str, f64, f64); 5] = [
    (P50, 0.5, 2.0),
    ("p90", 0.9, 10.0),
    ("p99", 0.99, 100.0),
    (P99_9, 0.999, 1_000.0),
    ("p99.99", 0.9999, 10_000.0),
];
pub(crate) const P50: &str = "p50";
pub(crate) const P99_9: &str = "p99.9";
/// The ratio of a percentile to that of the unit.
pub(crate) fn ratio(percentile: &str) -> String {
    format!("{percentile} ratio")
}

pub(super) fn parts(_: &Plan) -> Vec<String> {
    vec![CASE.to_owned()]
}

/// One slice of one subject.
#[derive(Debug)]
struct Slice {
    times: Histogram<u64>,
    misses: u64,
    sets: f64,
    refreshes: f64,
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let keys: Vec<u64> = (0..KEYS).map(scattered).collect();
    let zipf = Zipf::new(KEYS, THETA);
    let mut random = Random::new(23);
    let trace: Vec<u64> = (0..1 << 20).map(|_| keys[zipf.rank(&mut random) as usize]).collect();
    let subjects = tail::subjects(&keys);
    let mut slices: Vec<Vec<Slice>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..plan.rounds {
        for turn in 0..subjects.len() {
            let index = (round + turn) % subjects.len();
            process::works(subjects[index].name);
            slices[index].push(slice(&subjects[index], &trace, &keys[..REFRESHES], plan.slice * LONGER));
        }
    }
    process::nobody_works();
    let of = |slices: &[Slice], figure: &dyn Fn(&Slice) -> f64| -> Vec<f64> {
        slices.iter().map(figure).collect()
    };
    let unit = subjects.iter().position(|one| one.name == UNIT).expect("the unit");
    for (subject, slices_of_one) in subjects.iter().zip(&slices) {
        let put = |metric: &str, value| sink.put(part, subject.name, metric, value);
        for (name, share, _) in PERCENTILES {
            let at = |slice: &Slice| slice.times.value_at_quantile(share) as f64;
            let ns = of(slices_of_one, &at);
            put(name, median(&ns));
            put(&ratio(name), median_ratio(&ns, &of(&slices[unit], &at)));
        }
        put("worst", of(slices_of_one, &|one| one.times.max() as f64).into_iter().fold(0.0, f64::max));
        put("sets", median(&of(slices_of_one, &|one| one.sets)));
        put("refreshes", median(&of(slices_of_one, &|one| one.refreshes)));
        let misses: u64 = slices_of_one.iter().map(|one| one.misses).sum();
        let hits: u64 = slices_of_one.iter().map(|one| one.times.len()).sum();
        put("misses", misses as f64 / (misses + hits) as f64 * 100.0);
    }
}

fn slice(subject: &Subject, trace: &[u64], refreshed: &[u64], length: Duration) -> Slice {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| (subject.disturb)(refreshed, &stop));
        // The first hits find cold memory, and the other thread has just started.
        read(subject, trace, length / 4);
        let (times, misses) = read(subject, trace, length);
        stop.store(true, Ordering::Relaxed);
        let Disturbed { sets, refreshes, seconds } = other.join().expect("the other thread");
        Slice { times, misses, sets: sets as f64 / seconds, refreshes: refreshes as f64 / seconds }
    })
}

fn read(subject: &Subject, trace: &[u64], length: Duration) -> (Histogram<u64>, u64) {
    // Up to a minute, to within one in a hundred.
    let mut times = Histogram::new_with_bounds(1, 60_000_000_000, 2).expect("bounds");
    let mut misses = 0;
    let start = Instant::now();
    for chunk in trace.chunks(CHUNK).cycle() {
        misses += (subject.read)(chunk, &mut times);
        if start.elapsed() >= length {
            break;
        }
    }
    (times, misses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_counts_its_hits_and_misses_beside_its_load() {
        let subject = Subject {
            name: "a",
            read: Box::new(|keys, times| {
                times.record_n(100, keys.len() as u64 - 1).unwrap();
                times.record(5_000).unwrap();
                3
            }),
            disturb: Box::new(|keys, stop| {
                while !stop.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                Disturbed { sets: 1_000, refreshes: keys.len() as u64, seconds: 0.5 }
            }),
        };
        let slice = slice(&subject, &[1; CHUNK], &[1, 2], Duration::ZERO);
        assert_eq!((slice.times.len(), slice.misses), (CHUNK as u64, 3), "the first chunk is not counted");
        assert_eq!(slice.times.value_at_quantile(0.999), 100);
        assert!(slice.times.max() >= 5_000);
        assert_eq!((slice.sets, slice.refreshes), (2_000.0, 4.0));
    }
}
