//! Instructions of a hit, by callgrind. This program runs itself under valgrind with two numbers of reads, and the
//! difference is the cost of the additional reads. Only `cacheback_benches_measured` is counted, because the code
//! before it differs from run to run: it fills a map whose hasher is seeded at random in each process. The loop that
//! reads is counted by itself in the same way: around an async function that returns at once, or around a plain
//! function if the contender has one.
#![allow(unsafe_code, reason = "valgrind finds the function by its unmangled name")]

use std::env;
use std::process::Command;

use crate::case::Key;
use crate::contenders::{self, Maker, OURS, Setup};
use crate::figure::Sink;
use crate::plan::Plan;

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
        let [few, many] = READS.map(|reads| counted(part, work, reads));
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

/// All instructions of a process that does this work for this number of reads.
fn counted(part: &str, work: &str, reads: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=cacheback_benches_measured")
        .arg(env::current_exe().expect("this program"))
        .args(["--under-valgrind", part, work, &reads.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// The main function of the process under valgrind.
pub(crate) fn under_valgrind(part: &str, work: &str, reads: usize) {
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
    let mut work = || (contender.read)(&trace);
    cacheback_benches_measured(&mut work);
}

#[unsafe(no_mangle)]
#[inline(never)]
fn cacheback_benches_measured(work: &mut dyn FnMut()) {
    work();
}
