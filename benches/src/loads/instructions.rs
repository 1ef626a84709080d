//! Instructions of a hit: two numbers of reads are counted, and the difference is the cost of the additional reads. The
//! loop that reads is counted by itself in the same way: around an async function with the same arguments and a value of
//! the same type that returns at once, or around a plain function if the call of the contender is plain. `tests/hit-path`
//! counts in this way too.

use crate::callgrind;
use crate::case::Key;
use crate::contenders::{self, Contender, Maker, OURS, Setup};
use crate::figure::Sink;
use crate::plan::Plan;
use crate::process;

pub(crate) const NAME: &str = "instructions";
const CAPACITY: u64 = 2_000;
const READS: [u64; 2] = [2_000, 12_000];
/// The work to count: a contender's reads, or the loop around them.
const READ: &str = "read";
const LOOP: &str = "loop";
/// The figures: one turn of the loop, and one turn minus the cost of the loop itself.
pub(crate) const WITH_LOOP: &str = "with the loop";
pub(crate) const HIT: &str = "hit";
pub(crate) const U64: &str = "u64 -> [u8; 16]";
pub(crate) const STR: &str = "&str -> Arc<String>";
pub(crate) const THREE: &str = "(u32, &str, bool) -> [u8; 16]";

pub(super) fn parts(_: &Plan) -> Vec<String> {
    let peers = contenders::hits().into_iter().map(|one| format!("{U64}|{}", one.name));
    peers.chain([STR, THREE].map(|types| format!("{types}|{OURS}"))).collect()
}

pub(super) fn run(part: &str, _: &Plan, sink: Sink) {
    let (types, contender) = part.split_once('|').expect("types|contender");
    let a_turn = |work| -> Result<f64, String> {
        let [few, many] = READS.map(|reads| callgrind::run(&[NAME, part, work, &reads.to_string()]));
        Ok((many?.instructions - few?.instructions) as f64 / (READS[1] - READS[0]) as f64)
    };
    match a_turn(READ).and_then(|with_loop| Ok((with_loop, a_turn(LOOP)?))) {
        Ok((with_loop, of_loop)) => {
            sink.put(types, contender, WITH_LOOP, with_loop);
            sink.put(types, contender, HIT, with_loop - of_loop);
        }
        Err(why) => process::failed(contender, &why),
    }
}

/// The main function of the process under valgrind.
pub(crate) fn under_valgrind(part: &str, work: &str, reads: &str) {
    let reads = reads.parse().expect("a number");
    let (types, name) = part.split_once('|').expect("types|contender");
    match types {
        U64 => {
            let at_once =
                |future| if future { contenders::at_once_awaited() } else { contenders::at_once_called() };
            read(&contenders::hits(), at_once, name, work, reads);
        }
        STR => read(&contenders::str_arc(), |_| contenders::at_once_shared(), name, work, reads),
        _ => read(&[contenders::three_arguments()], |_| contenders::at_once_three(), name, work, reads),
    }
}

fn read<K: Key>(
    makers: &[Maker<K>],
    at_once: impl FnOnce(bool) -> Contender<K>,
    name: &str,
    work: &str,
    reads: usize,
) {
    // One key, so that chance does not decide where it lies: seeds of hashes are random.
    let keys = [K::of(7)];
    let one = makers.iter().find(|one| one.name == name).expect("a contender");
    let contender = (one.make)(Setup { keys: &keys, capacity: CAPACITY });
    let contender = if work == LOOP { at_once(contender.future.is_some()) } else { contender };
    let trace = vec![keys[0]; reads];
    (contender.read)(&trace[..READS[0] as usize]);
    callgrind::measured(|| (contender.read)(&trace));
}
