//! One or many callers, who share out the keys among themselves: what the loads `shared` and `disk` have in common.

use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::runtime::Runtime;

use super::waiters::cpu_time;
use crate::contenders::shared::Calls;
use crate::figure::Sink;
use crate::stats::{median, median_ratio};

/// How many callers there are at once.
pub(crate) const CALLERS: [usize; 2] = [1, 64];

/// The figures of all calls.
pub(crate) const RATE: &str = "rate";
pub(crate) const RATIO: &str = "ratio";
pub(crate) const P50: &str = "p50";
pub(crate) const P99: &str = "p99";
/// That of a call.
pub(crate) const OWN_CPU: &str = "own cpu";

/// How long the work goes on that no caller waits for.
const AFTERWARDS: Duration = Duration::from_millis(10);

/// The name of the case for this number of callers.
pub(crate) fn case(part: &str, callers: usize) -> String {
    format!("{part}|{callers}")
}

/// One slice of one subject.
pub(super) struct Slice {
    wall: Duration,
    times: Histogram<u64>,
    /// The CPU time of this process.
    own: Duration,
}

/// The slices of one subject, for each number of callers.
pub(super) type Slices = [Vec<Slice>; 2];

/// Calls with the keys, which the callers share out among themselves, and awaits what comes `afterwards`.
pub(super) fn slice(
    runtime: &Runtime,
    calls: &Calls,
    keys: &[u64],
    callers: usize,
    afterwards: impl Future<Output = ()>,
) -> Slice {
    let own = cpu_time();
    // In turn, so that the keys that are called last are the last ones.
    let share = |first: usize| keys.iter().skip(first).step_by(callers).copied().collect::<Vec<u64>>();
    let shares: Vec<Vec<u64>> = (0..callers).map(share).collect();
    let (wall, times) = runtime.block_on(async {
        let start = Instant::now();
        let callers: Vec<_> = shares.into_iter().map(|keys| tokio::spawn(calls(keys))).collect();
        let mut times = None;
        for caller in callers {
            let of_one = caller.await.expect("a caller who is answered");
            match &mut times {
                None => times = Some(of_one),
                Some(all) => *all += of_one,
            }
        }
        afterwards.await;
        (start.elapsed(), times.expect("a caller"))
    });
    // What goes on after a call belongs to it, and not to the next subject.
    thread::sleep(AFTERWARDS);
    Slice { wall, times, own: cpu_time() - own }
}

/// Prints the figures of these subjects. Times of calls are compared with those of `unit`.
pub(super) fn report(part: &str, names: &[&str], unit: &str, slices: &[Slices], sink: Sink) {
    let unit = names.iter().position(|name| *name == unit);
    for (name, of_subject) in names.iter().zip(slices) {
        for (at, (callers, of_callers)) in CALLERS.into_iter().zip(of_subject).enumerate() {
            let put = |metric: &str, value| sink.put(&case(part, callers), name, metric, value);
            let each = |slices: &[Slice], figure: &dyn Fn(&Slice) -> f64| -> Vec<f64> {
                slices.iter().map(figure).collect()
            };
            let calls = |slice: &Slice| slice.times.len() as f64;
            let time = |slice: &Slice| slice.wall.as_secs_f64() / calls(slice);
            put(RATE, 1.0 / median(&each(of_callers, &time)));
            if let Some(unit) = unit {
                put(RATIO, median_ratio(&each(of_callers, &time), &each(&slices[unit][at], &time)));
            }
            for (metric, quantile) in [(P50, 0.5), (P99, 0.99)] {
                let us = |slice: &Slice| slice.times.value_at_quantile(quantile) as f64 / 1e3;
                put(metric, median(&each(of_callers, &us)));
            }
            put(OWN_CPU, median(&each(of_callers, &|slice| slice.own.as_secs_f64() * 1e6 / calls(slice))));
        }
    }
}
