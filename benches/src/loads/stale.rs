//! Stale hits while refreshes run that do not end.

use std::thread;
use std::time::Duration;

use super::hits;
use crate::contenders::stale::{self, FRESH};
use crate::contenders::{FULL, Setup};
use crate::figure::Sink;
use crate::measure::{self, Keys};
use crate::plan::Plan;
use crate::run;

pub(super) fn parts(_: &Plan) -> Vec<String> {
    [1, 100, 10_000].map(|pending: u64| pending.to_string()).to_vec()
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let keys: Vec<u64> = (0..part.parse().expect("a number")).collect();
    let contenders: Vec<_> = stale::makers()
        .iter()
        .map(|one| (one.name, (one.make)(Setup { keys: &keys, capacity: FULL })))
        .collect();
    // In some caches a lifetime ends up to a tenth later, at random.
    thread::sleep(FRESH.mul_f64(1.5));
    stale::block();
    for (name, contender) in &contenders {
        let before = stale::started();
        // The first round starts refreshes. The second round gives a chance to those that did not start at once.
        for _ in 0..2 {
            (contender.read)(&keys);
            run::drive(async { tokio::time::sleep(Duration::from_millis(20)).await });
        }
        sink.put(part, name, "running", (stale::started() - before) as f64);
    }
    let series = measure::rounds(&contenders, Keys::Trace(&keys), 1, plan);
    hits::report(&series, part, sink);
}
