//! Instructions of a hit, by callgrind: this program runs itself under valgrind with two numbers of reads, and the
//! difference is what the reads cost. Only `cacheback_benches_measured` is counted: what comes before it, such as
//! filling a map whose hasher is seeded anew in each process, differs from run to run.
#![allow(unsafe_code, reason = "valgrind finds the function by its unmangled name")]

use std::env;
use std::process::Command;

use crate::case::Key;
use crate::contenders::{self, Maker, OURS, Setup};
use crate::figure::Sink;
use crate::plan::Plan;

const KEYS: u64 = 1_000;
const READS: [u64; 2] = [2_000, 12_000];
pub(crate) const U64: &str = "u64 -> [u8; 16]";
pub(crate) const STR: &str = "&str -> Arc<String>";
pub(crate) const THREE: &str = "(u64, &str, u32) -> [u8; 16]";

pub(super) fn parts(_: &Plan) -> Vec<String> {
    let peers = contenders::hits().into_iter().map(|one| format!("{U64}|{}", one.name));
    peers.chain([STR, THREE].map(|types| format!("{types}|{OURS}"))).collect()
}

pub(super) fn run(part: &str, _: &Plan, sink: Sink) {
    let (types, contender) = part.split_once('|').expect("types|contender");
    match READS.map(|reads| counted(part, reads)) {
        [Some(few), Some(many)] => {
            sink.put(types, contender, "instructions", (many - few) as f64 / (READS[1] - READS[0]) as f64);
        }
        _ => eprintln!("no instructions: valgrind is missing, or does not run this program"),
    }
}

/// All instructions of a process that reads that often.
fn counted(part: &str, reads: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=cacheback_benches_measured")
        .arg(env::current_exe().expect("this program"))
        .args(["--under-valgrind", part, &reads.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// What runs under valgrind.
pub(crate) fn under_valgrind(part: &str, reads: usize) {
    let (types, name) = part.split_once('|').expect("types|contender");
    match types {
        U64 => read(&contenders::hits(), name, reads),
        STR => read(&contenders::str_arc(), name, reads),
        _ => read(&[contenders::three_arguments()], name, reads),
    }
}

fn read<K: Key>(makers: &[Maker<K>], name: &str, reads: usize) {
    let keys: Vec<K> = (0..KEYS).map(K::of).collect();
    let one = makers.iter().find(|one| one.name == name).expect("a contender");
    let contender = (one.make)(Setup { keys: &keys, capacity: KEYS * 2 });
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
