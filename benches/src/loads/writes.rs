//! Writes from outside of a fetch.

use super::hits;
use crate::contenders::writes::{self, Write};
use crate::contenders::{self, FULL, Setup};
use crate::figure::Sink;
use crate::measure::{self, Keys};
use crate::plan::Plan;

pub(super) fn parts(_: &Plan) -> Vec<String> {
    Write::ALL.map(|write| write.name().to_owned()).to_vec()
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let write = Write::ALL.into_iter().find(|write| write.name() == part).expect("a write");
    let filled: Vec<u64> = (0..write.filled()).collect();
    let setup = Setup { keys: &filled, capacity: FULL };
    let contenders = contenders::filled(&writes::makers(write), setup);
    let keys = if write == Write::SetNew { Keys::New } else { Keys::Walk(&filled) };
    for threads in Plan::threads() {
        let series = measure::rounds(&contenders, keys, threads, plan);
        hits::report(&series, &format!("{part}|{threads}"), sink);
    }
}
