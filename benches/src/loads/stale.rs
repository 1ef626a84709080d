//! Stale hits while refreshes run that do not end, and of ours, stale hits whose refresh does not start.

use std::thread;
use std::time::Duration;

use super::hits;
use crate::contenders::stale::{self, FRESH, Why};
use crate::contenders::{self, FULL, OURS, Setup, UNIT};
use crate::figure::Sink;
use crate::measure::{self, Keys};
use crate::plan::Plan;
use crate::plot::count;
use crate::{process, run};

const PENDING: [u64; 3] = [1, 100, 10_000];
/// The keys of a state: as many as run at once.
const HELD_UP: u64 = 64;
/// A read of few keys is repeated, so that the runtime is not entered for each.
const AT_LEAST: usize = 4_096;

pub(super) fn parts(_: &Plan) -> Vec<String> {
    let pending = PENDING.iter().map(|&keys| pending(keys));
    pending.chain(Why::ALL.map(|why| why.name().to_owned())).collect()
}

/// The case of this number of requested keys.
pub(crate) fn pending(keys: u64) -> String {
    format!("{} pending", count(keys as f64))
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    match Why::ALL.into_iter().find(|why| why.name() == part) {
        Some(why) => held_up(why, part, plan, sink),
        None => blocked(part, plan, sink),
    }
}

fn blocked(part: &str, plan: &Plan, sink: Sink) {
    let number = part.split(' ').next().expect("a number").replace(',', "");
    let keys: Vec<u64> = (0..number.parse().expect("a number")).collect();
    let contenders = contenders::filled(&stale::makers(), Setup { keys: &keys, capacity: FULL });
    // In some caches a lifetime ends up to a tenth later, at random.
    thread::sleep(FRESH.mul_f64(1.5));
    stale::block();
    for (name, contender) in &contenders {
        process::works(name);
        let before = stale::started();
        // The first round starts refreshes. The second round gives a chance to those that did not start at once.
        for _ in 0..2 {
            (contender.read)(&keys);
            run::drive(async { tokio::time::sleep(Duration::from_millis(20)).await });
        }
        sink.put(part, name, "running", (stale::started() - before) as f64);
    }
    let series = measure::rounds(&contenders, Keys::Trace(&repeated(&keys)), 1, plan);
    hits::report(&series, part, sink);
}

fn held_up(why: Why, part: &str, plan: &Plan, sink: Sink) {
    let keys: Vec<u64> = (0..HELD_UP).collect();
    let unit = stale::makers().swap_remove(0);
    assert_eq!(unit.name, UNIT);
    let (ours, counts) = stale::held_up(&keys, why);
    let contenders = [(UNIT, (unit.make)(Setup { keys: &keys, capacity: FULL })), (OURS, ours)];
    let before = counts();
    let series = measure::rounds(&contenders, Keys::Trace(&repeated(&keys)), 1, plan);
    let after = counts();
    assert!(after.0 > before.0, "{part}: the reads were stale");
    assert_eq!(after.1, before.1, "{part}: no read started a body");
    hits::report(&series, part, sink);
}

fn repeated(keys: &[u64]) -> Vec<u64> {
    keys.iter().copied().cycle().take(keys.len().max(AT_LEAST).next_multiple_of(keys.len())).collect()
}
