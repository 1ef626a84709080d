//! Instructions and allocations of everything that is no hit: misses, refreshes and writes, on one thread.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::alloc;
use crate::callgrind::{self, Counted};
use crate::contenders::stale::FRESH;
use crate::contenders::writes::{self, Write};
use crate::contenders::{self, FULL, Maker, OURS, QUICK, ROOMY, Setup, UNIT, background};
use crate::figure::Sink;
use crate::plan::Plan;
use crate::process;

pub(crate) const NAME: &str = "counts";
pub(crate) const INSTRUCTIONS: &str = "instructions";
pub(crate) const ALLOCATIONS: &str = "allocations";
pub(crate) const WAITED: &str = "miss, the caller waits";
pub(crate) use super::background::{MISS, STALE};

/// Operations that come first and are not counted.
pub(crate) const WARM: usize = 2_000;
/// Enough to average what caches do now and then, such as the maintenance after 64 operations.
pub(crate) const COUNTED: usize = 10_000;

pub(super) fn parts(_: &Plan) -> Vec<String> {
    let writes = Write::ALL.iter().map(|write| write.name());
    [WAITED, MISS, STALE].into_iter().chain(writes).map(str::to_owned).collect()
}

fn makers(case: &str) -> Vec<Maker<u64>> {
    match case {
        WAITED => contenders::misses(),
        MISS => background::misses(),
        STALE => background::refreshes(),
        _ => {
            let mut all = writes::makers(write(case).expect("a case"));
            all.retain(|one| [UNIT, QUICK, OURS].contains(&one.name));
            all
        }
    }
}

fn write(case: &str) -> Option<Write> {
    Write::ALL.into_iter().find(|write| write.name() == case)
}

/// Counts are the same however busy the machine is, so there is a process for each core at a time.
pub(super) fn run(case: &str, _: &Plan, sink: Sink) {
    let mut makers = makers(case);
    makers.retain(|one| process::takes_part(one.name));
    let next = AtomicUsize::new(0);
    let counted: Vec<OnceLock<Result<Counted, String>>> = makers.iter().map(|_| OnceLock::new()).collect();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(one) = makers.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let index = makers.iter().position(|other| other.name == one.name).expect("itself");
                    process::works(one.name);
                    let _ = counted[index].set(callgrind::run(&[NAME, case, one.name]));
                }
            });
        }
    });
    let operation = |count: u64| count as f64 / COUNTED as f64;
    for (one, counted) in makers.iter().zip(counted) {
        match counted.into_inner().expect("each was counted") {
            Ok(counted) => {
                let allocations = counted.printed.trim().parse().expect("a number of allocations");
                sink.put(case, one.name, INSTRUCTIONS, operation(counted.instructions));
                sink.put(case, one.name, ALLOCATIONS, operation(allocations));
            }
            Err(why) => process::failed(one.name, &why),
        }
    }
}

/// The main function of the process under valgrind. It prints how often it allocated, in as many other operations: to
/// count that takes instructions.
pub(crate) fn under_valgrind(case: &str, name: &str) {
    let operations = (WARM + 2 * COUNTED) as u64;
    let new = 1 << 40..(1 << 40) + operations;
    let (filled, capacity, keys) = match (case, write(case)) {
        (WAITED | MISS, _) | (_, Some(Write::SetNew)) => (FULL, FULL, new),
        (_, Some(_)) => (FULL / 2, FULL, 0..operations),
        _ => (operations, ROOMY, 0..operations),
    };
    let filled: Vec<u64> = (0..filled).collect();
    let keys: Vec<u64> = keys.collect();
    let one = makers(case).into_iter().find(|one| one.name == name).expect("a contender");
    let contender = (one.make)(Setup { keys: &filled, capacity });
    thread::sleep(FRESH.mul_f64(1.5));
    let (warm, keys) = keys.split_at(WARM);
    (contender.read)(warm);
    let (first, second) = keys.split_at(COUNTED);
    callgrind::measured(|| (contender.read)(first));
    alloc::start();
    (contender.read)(second);
    println!("{}", alloc::stop().allocations);
}
