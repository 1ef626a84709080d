//! Reads of new keys: the read, a fetch whose body is ready at once, the insertion, and an eviction if the cache has a
//! bound.

use super::hits;
use crate::contenders::{self, FULL, Setup};
use crate::figure::Sink;
use crate::measure::{self, Keys};
use crate::plan::Plan;

pub(super) fn parts(_: &Plan) -> Vec<String> {
    vec!["u64 -> [u8; 16]".to_owned()]
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let keys: Vec<u64> = (0..FULL).collect();
    let contenders = contenders::filled(&contenders::misses(), Setup { keys: &keys, capacity: FULL });
    for threads in Plan::threads() {
        let series = measure::rounds(&contenders, Keys::New, threads, plan);
        hits::report(&series, &format!("{part}|{threads}"), sink);
    }
}
