//! Bytes for each entry: the memory that is allocated after a million insertions, by the allocator's own sizes.

use crate::alloc;
use crate::contenders::{self, ROOMY, Setup};
use crate::figure::Sink;
use crate::plan::Plan;

pub(super) fn parts(_: &Plan) -> Vec<String> {
    contenders::memory().iter().map(|one| one.name.to_owned()).collect()
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let entries = plan.scaled(1_000_000);
    let keys: Vec<u64> = (0..entries).map(<u64 as crate::case::Key>::of).collect();
    let list = contenders::memory();
    let one = list.iter().find(|one| one.name == part).expect("a contender");
    // Threads and thread-locals are not to be counted.
    contenders::settle();
    alloc::start();
    let filled = (one.make)(Setup { keys: &keys, capacity: ROOMY });
    contenders::settle();
    let counted = alloc::stop();
    (filled.read)(&keys[..1]);
    sink.put("u64 -> u64", one.name, "bytes", counted.bytes as f64 / entries as f64);
}
