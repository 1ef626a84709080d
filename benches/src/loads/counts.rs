//! Instructions and allocations of everything that is no hit: misses, refreshes and writes, on one thread.

use std::thread;

use crate::contenders::stale::FRESH;
use crate::contenders::writes::{self, Write};
use crate::contenders::{self, Contender, FULL, Maker, OURS, QUICK, ROOMY, Setup, UNIT, background};
use crate::figure::Sink;
use crate::plan::Plan;
use crate::{alloc, callgrind};

pub(crate) const NAME: &str = "counts";
pub(crate) const INSTRUCTIONS: &str = "instructions";
pub(crate) const ALLOCATIONS: &str = "allocations";
pub(crate) const WAITED: &str = "miss, the caller waits";
pub(crate) use super::background::{MISS, STALE};

/// Operations that come first and are not counted.
pub(crate) const WARM: usize = 2_000;
/// Enough to average what caches do now and then, such as the maintenance after 64 operations.
pub(crate) const COUNTED: usize = 20_000;

pub(super) fn parts(_: &Plan) -> Vec<String> {
    let of = |case: &'static str| makers(case).into_iter().map(move |one| format!("{case}|{}", one.name));
    let writes = Write::ALL
        .into_iter()
        .flat_map(|write| [UNIT, QUICK, OURS].map(|contender| format!("{}|{contender}", write.name())));
    [WAITED, MISS, STALE].into_iter().flat_map(of).chain(writes).collect()
}

fn makers(case: &str) -> Vec<Maker<u64>> {
    match case {
        WAITED => contenders::misses(),
        MISS => background::misses(),
        STALE => background::refreshes(),
        _ => writes::makers(write(case).expect("a case")),
    }
}

fn write(case: &str) -> Option<Write> {
    Write::ALL.into_iter().find(|write| write.name() == case)
}

pub(super) fn run(part: &str, _: &Plan, sink: Sink) {
    let (case, name) = part.split_once('|').expect("case|contender");
    let operation = |count: u64| count as f64 / COUNTED as f64;
    let (contender, keys) = prepared(part);
    alloc::start();
    (contender.read)(&keys);
    sink.put(case, name, ALLOCATIONS, operation(alloc::stop().allocations));
    match callgrind::instructions(&[NAME, part]) {
        Some(count) => sink.put(case, name, INSTRUCTIONS, operation(count)),
        None => eprintln!("no instructions: valgrind is missing, or does not run this program"),
    }
}

/// The main function of the process under valgrind.
pub(crate) fn under_valgrind(part: &str) {
    let (contender, keys) = prepared(part);
    callgrind::measured(|| (contender.read)(&keys));
}

/// The contender, and the keys of the operations to count.
fn prepared(part: &str) -> (Contender<u64>, Vec<u64>) {
    let (case, name) = part.split_once('|').expect("case|contender");
    let one = makers(case).into_iter().find(|one| one.name == name).expect("a contender");
    let counted = (WARM + COUNTED) as u64;
    let new = 1 << 40..(1 << 40) + counted;
    let (filled, capacity, keys) = match (case, write(case)) {
        (WAITED | MISS, _) | (_, Some(Write::SetNew)) => (FULL, FULL, new),
        (_, Some(_)) => (FULL / 2, FULL, 0..counted),
        _ => (counted, ROOMY, 0..counted),
    };
    let filled: Vec<u64> = (0..filled).collect();
    let contender = (one.make)(Setup { keys: &filled, capacity });
    thread::sleep(FRESH.mul_f64(1.5));
    let keys: Vec<u64> = keys.collect();
    (contender.read)(&keys[..WARM]);
    (contender, keys[WARM..].to_vec())
}
