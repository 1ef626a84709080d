//! Fetches in the background, each up to the read that sees its value: of a miss that was answered empty, and of a stale
//! read.

use std::thread;

use super::hits;
use crate::contenders::stale::FRESH;
use crate::contenders::{self, CACHEFLIGHT, FULL, ROOMY, Setup, background};
use crate::figure::Sink;
use crate::measure::{self, Keys};
use crate::plan::Plan;

pub(crate) const MISS: &str = "miss, answered empty";
pub(crate) const STALE: &str = "stale, starts a refresh";

pub(super) fn parts(_: &Plan) -> Vec<String> {
    [MISS, STALE].map(str::to_owned).to_vec()
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let all: Vec<u64> = (0..FULL).collect();
    let (makers, keys, capacity) = match part {
        MISS => (background::misses(), Keys::New, FULL),
        _ => (background::refreshes(), Keys::Walk(&all), ROOMY),
    };
    let mut contenders = contenders::filled(&makers, Setup { keys: &all, capacity });
    // In some caches a lifetime ends up to a tenth later, at random.
    thread::sleep(FRESH.mul_f64(1.5));
    for threads in Plan::threads() {
        if threads > 1 {
            // It waits without end for a refresh on the runtime of a thread that has ended.
            contenders.retain(|one| one.0 != CACHEFLIGHT);
        }
        let series = measure::rounds(&contenders, keys, threads, plan);
        hits::report(&series, &format!("{part}|{threads}"), sink);
    }
}
