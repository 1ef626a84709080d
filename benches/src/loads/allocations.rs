//! Allocations of a hit, and the size of the future that a call returns.

use crate::alloc;
use crate::case::Key;
use crate::contenders::{self, Maker, ROOMY, Setup};
use crate::figure::Sink;
use crate::plan::Plan;
use crate::process;
use crate::zipf::{Random, THETA, Zipf};

pub(super) fn parts(_: &Plan) -> Vec<String> {
    vec!["u64 -> [u8; 16]".to_owned(), "&str -> Arc<String>".to_owned()]
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    match part {
        "u64 -> [u8; 16]" => of(&contenders::hits(), part, plan, sink),
        _ => of(&contenders::str_arc(), part, plan, sink),
    }
}

fn of<K: Key>(makers: &[Maker<K>], part: &str, plan: &Plan, sink: Sink) {
    let keys: Vec<K> = (0..10_000).map(K::of).collect();
    let zipf = Zipf::new(keys.len() as u64, THETA);
    let mut random = Random::new(5);
    let trace: Vec<K> = (0..plan.scaled(200_000)).map(|_| keys[zipf.rank(&mut random) as usize]).collect();
    for one in makers.iter().filter(|one| process::takes_part(one.name)) {
        process::works(one.name);
        let contender = (one.make)(Setup { keys: &keys, capacity: ROOMY });
        (contender.read)(&trace);
        contenders::settle();
        alloc::start();
        (contender.read)(&trace);
        let counted = alloc::stop();
        sink.put(part, one.name, "allocations", counted.allocations as f64 / trace.len() as f64);
        if let Some(bytes) = contender.future {
            sink.put(part, one.name, "future", bytes as f64);
        }
        sink.put(part, one.name, "key", size_of::<K>() as f64);
    }
}
