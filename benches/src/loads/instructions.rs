//! Instructions of a hit: two numbers of reads are counted, and the difference is the cost of the additional reads. The
//! loop that reads is counted by itself in the same way: around an async function that returns at once, or around a
//! plain function if the contender has one.

use crate::callgrind;
use crate::case::Key;
use crate::contenders::{self, Maker, OURS, Setup};
use crate::figure::Sink;
use crate::plan::Plan;

pub(crate) const NAME: &str = "instructions";
const KEYS: u64 = 1_000;
const READS: [u64; 2] = [2_000, 12_000];
/// The work to count: a contender's reads, or the loop around them.
const READ: &str = "read";
const LOOP: &str = "loop";
/// The figures: one turn of the loop, and one turn minus the cost of the loop itself.
pub(crate) const WITH_LOOP: &str = "with the loop";
pub(crate) const HIT: &str = "hit";
pub(crate) const U64: &str = "u64 -> [u8; 16]";
pub(crate) const STR: &str = "&str -> Arc<String>";
pub(crate) const THREE: &str = "(u64, &str, u32) -> [u8; 16]";

pub(super) fn parts(_: &Plan) -> Vec<String> {
    let peers = contenders::hits().into_iter().map(|one| format!("{U64}|{}", one.name));
    peers.chain([STR, THREE].map(|types| format!("{types}|{OURS}"))).collect()
}

pub(super) fn run(part: &str, _: &Plan, sink: Sink) {
    let (types, contender) = part.split_once('|').expect("types|contender");
    let a_turn = |work| {
        let [few, many] =
            READS.map(|reads| Some(callgrind::run(&[NAME, part, work, &reads.to_string()])?.instructions));
        Some((many? - few?) as f64 / (READS[1] - READS[0]) as f64)
    };
    match (a_turn(READ), a_turn(LOOP)) {
        (Some(with_loop), Some(of_loop)) => {
            sink.put(types, contender, WITH_LOOP, with_loop);
            sink.put(types, contender, HIT, with_loop - of_loop);
        }
        _ => eprintln!("no instructions: valgrind is missing, or does not run this program"),
    }
}

/// The main function of the process under valgrind.
pub(crate) fn under_valgrind(part: &str, work: &str, reads: &str) {
    let reads = reads.parse().expect("a number");
    let (types, name) = part.split_once('|').expect("types|contender");
    match types {
        U64 => read(&contenders::hits(), name, work, reads),
        STR => read(&contenders::str_arc(), name, work, reads),
        _ => read(&[contenders::three_arguments()], name, work, reads),
    }
}

fn read<K: Key>(makers: &[Maker<K>], name: &str, work: &str, reads: usize) {
    let keys: Vec<K> = (0..KEYS).map(K::of).collect();
    let one = makers.iter().find(|one| one.name == name).expect("a contender");
    let contender = (one.make)(Setup { keys: &keys, capacity: KEYS * 2 });
    let contender = match (work, contender.future) {
        (LOOP, Some(_)) => contenders::at_once_awaited(),
        (LOOP, None) => contenders::at_once_called(),
        _ => contender,
    };
    let trace = vec![keys[0]; reads];
    (contender.read)(&trace[..READS[0] as usize]);
    callgrind::measured(|| (contender.read)(&trace));
}
