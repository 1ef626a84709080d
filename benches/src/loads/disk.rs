//! Caches that keep their values on a disk: what a read of it and a write to it cost.

use std::thread;

use tokio::runtime::{Builder, Runtime};

use super::callers::{self, CALLERS, Slice, Slices};
use crate::contenders::disk::{self, Case, PLAIN, Subject};
use crate::contenders::shared::ROOM;
use crate::figure::Sink;
use crate::plan::Plan;
use crate::process;

pub(crate) const NAME: &str = "disk";
/// How many keys there are: more than a level in the process has room for, by far.
pub(crate) const KEYS: u64 = 5 * ROOM;
/// Caches are filled with so many at a time, so that none has to drop what it cannot write in time.
const AT_A_TIME: usize = 500;

pub(super) fn parts(_: &Plan) -> Vec<String> {
    Case::ALL.map(|case| case.name().to_owned()).to_vec()
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let kind = Case::ALL.into_iter().find(|case| case.name() == part).expect("a case");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let runtime = Builder::new_multi_thread().worker_threads(cores).enable_all().build().expect("a runtime");
    let subjects = runtime.block_on(disk::subjects(folder.path()));
    let keys: Vec<u64> = (0..KEYS).collect();
    for subject in &subjects {
        process::works(subject.name);
        for some in keys.chunks(AT_A_TIME) {
            slice(&runtime, subject, Case::Write, some, CALLERS[1]);
        }
    }
    let (bodies, counts) = (disk::bodies(), counts(kind, plan));
    let mut slices: Vec<Slices> = subjects.iter().map(|_| Default::default()).collect();
    let mut from = 0;
    for round in 0..plan.rounds {
        let of_round = counts.map(|count| next(&mut from, count));
        for turn in 0..subjects.len() {
            let index = (round + turn) % subjects.len();
            let subject = &subjects[index];
            process::works(subject.name);
            for (at, keys) in of_round.iter().enumerate() {
                // What has rested meanwhile is not part of a call.
                let (warm, measured) = keys.split_at(keys.len() / 11);
                slice(&runtime, subject, kind, warm, CALLERS[at]);
                slices[index][at].push(slice(&runtime, subject, kind, measured, CALLERS[at]));
            }
        }
    }
    process::nobody_works();
    let ran = disk::bodies() - bodies;
    if ran > 0 {
        process::failed(part, &format!("{ran} bodies have run, though all values are on the disk"));
    }
    for subject in &subjects {
        let errors = subject.errors.map_or(0, |errors| errors());
        if errors > 0 {
            process::failed(subject.name, &format!("{errors} operations on the file failed"));
        }
    }
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name).collect();
    callers::report(part, &names, PLAIN, &slices, sink);
}

/// How many calls one and many callers make in a slice, with an eleventh that is not measured.
fn counts(kind: Case, plan: &Plan) -> [u64; 2] {
    let calls = match kind {
        Case::Read => [1_000, 6_400],
        // Some wait for the disk each time.
        Case::Write => [200, 1_600],
    };
    calls.map(|calls| plan.scaled(calls).max(64) / 10 * 11)
}

/// The next keys in turn.
fn next(from: &mut u64, count: u64) -> Vec<u64> {
    let first = *from;
    *from += count;
    (first..*from).map(|key| key % KEYS).collect()
}

/// Reads or writes the keys, which the callers share out among themselves. What is written is on the disk at its end.
fn slice(runtime: &Runtime, subject: &Subject, kind: Case, keys: &[u64], callers: usize) -> Slice {
    callers::slice(runtime, subject.calls(kind), keys, callers, async {
        if let Some(settle) = subject.settle.as_ref().filter(|_| kind == Case::Write) {
            settle().await;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key comes again after all others, so that no level in the process has it.
    #[test]
    fn keys_come_in_turn() {
        let mut from = 0;
        let keys = [(); 3].map(|()| next(&mut from, 7_040)).concat();
        assert_eq!(keys.len(), 21_120);
        assert!(keys.windows(2).all(|pair| pair[1] == (pair[0] + 1) % KEYS));
        assert_eq!(counts(Case::Read, &Plan::new(false)), [1_100, 7_040]);
        assert_eq!(counts(Case::Write, &Plan::new(true)), [66, 88]);
    }
}
