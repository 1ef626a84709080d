//! Caches that share their values through one Redis server: a hit in the process, a hit in the server, a refresh, and a
//! miss of both. The server itself says what it was asked for.

use std::thread;

use tokio::runtime::{Builder, Runtime};

use super::callers::{self, CALLERS, Slice, Slices, case};
use crate::contenders::shared::{self, Case, FRESH, PLAIN, ROOM, Subject};
use crate::figure::Sink;
use crate::plan::Plan;
use crate::process;
use crate::server::{self, Counts, Server};
use crate::stats::median;

pub(crate) const NAME: &str = "shared";
/// Those of a call.
pub(crate) const TRIPS: &str = "trips";
pub(crate) const COMMANDS: &str = "commands";
pub(crate) const RECEIVED: &str = "received";
pub(crate) const SENT: &str = "sent";
pub(crate) const CPU: &str = "cpu";

pub(super) fn parts(_: &Plan) -> Vec<String> {
    if !server::is_there() {
        eprintln!("         no `redis-server` on this machine: the load `{NAME}` is left out");
        return Vec::new();
    }
    Case::ALL.map(|case| case.name().to_owned()).to_vec()
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let kind = Case::ALL.into_iter().find(|case| case.name() == part).expect("a case");
    let mut server = Server::start();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let runtime = Builder::new_multi_thread().worker_threads(cores).enable_all().build().expect("a runtime");
    let subjects = runtime.block_on(shared::subjects(kind, &server));
    let mut keys = Keys::of(kind, plan);
    for subject in &subjects {
        process::works(subject.name);
        slice(&runtime, subject, keys.all(), CALLERS[1], &mut server);
    }
    let mut slices: Vec<Slices> = subjects.iter().map(|_| Default::default()).collect();
    // What the server says of a call.
    let mut counts: Vec<[Vec<Counts>; 2]> = subjects.iter().map(|_| Default::default()).collect();
    for round in 0..plan.rounds {
        let of_round = keys.next_round();
        if kind == Case::Refresh {
            // In some caches a lifetime ends up to a tenth later, at random.
            thread::sleep(FRESH.mul_f64(1.2));
        }
        for turn in 0..subjects.len() {
            let index = (round + turn) % subjects.len();
            let subject = &subjects[index];
            process::works(subject.name);
            if let Some(before) = &subject.before {
                runtime.block_on(before());
            }
            for (at, [warm, measured]) in of_round.iter().enumerate() {
                // The connection, and perhaps a cache, have just been made, or have rested.
                slice(&runtime, subject, warm, CALLERS[at], &mut server);
                let (slice, of_server) = slice(&runtime, subject, measured, CALLERS[at], &mut server);
                slices[index][at].push(slice);
                counts[index][at].push(of_server);
            }
        }
    }
    process::nobody_works();
    for subject in &subjects {
        let errors = subject.errors.map_or(0, |errors| errors());
        if errors > 0 {
            process::failed(subject.name, &format!("{errors} operations on the server failed"));
        }
    }
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name).collect();
    callers::report(part, &names, PLAIN, &slices, sink);
    for (name, of_subject) in names.iter().zip(&counts) {
        for (callers, of_callers) in CALLERS.into_iter().zip(of_subject) {
            let put = |metric: &str, of: fn(&Counts) -> f64| {
                let each: Vec<f64> = of_callers.iter().map(of).collect();
                sink.put(&case(part, callers), name, metric, median(&each).max(0.0));
            };
            put(TRIPS, |counts| counts.trips);
            put(COMMANDS, |counts| counts.commands);
            put(RECEIVED, |counts| counts.received);
            put(SENT, |counts| counts.sent);
            put(CPU, |counts| counts.cpu * 1e6);
        }
    }
}

/// The keys of a round for each number of callers: those that come first and are not measured, and the others.
type OfRound = [[Vec<u64>; 2]; 2];

/// The keys of a part.
struct Keys {
    kind: Case,
    /// How many each slice reads.
    calls: [u64; 2],
    from: u64,
}

impl Keys {
    fn of(kind: Case, plan: &Plan) -> Self {
        // A call that asks the server is a hundred times as long as another.
        let more = if kind == Case::Local { 20 } else { 1 };
        Self { kind, calls: [1_000, 6_400].map(|calls| plan.scaled(calls * more)), from: 0 }
    }

    /// How many keys are not measured before each slice.
    fn warm(calls: u64) -> u64 {
        calls / 10
    }

    fn of_a_round(&self) -> u64 {
        self.calls.iter().map(|&calls| calls + Self::warm(calls)).sum()
    }

    /// How many different keys there are: `None` if each is read once.
    fn number(&self) -> Option<u64> {
        match self.kind {
            Case::Local => Some(ROOM / 10),
            // More than an in-process level has room for, by far.
            Case::Shared => Some((2 * self.of_a_round()).max(4 * ROOM)),
            Case::Refresh => Some(self.of_a_round()),
            Case::Cold => None,
        }
    }

    /// Those that the caches are filled with.
    fn all(&self) -> &'static [u64] {
        let number = self.number().unwrap_or(CALLERS[1] as u64);
        (0..number)
            .map(|key| if self.kind == Case::Cold { u64::MAX - key } else { key })
            .collect::<Vec<_>>()
            .leak()
    }

    fn next_round(&mut self) -> OfRound {
        let number = self.number();
        let calls = self.calls;
        let mut take = |count: u64| {
            let first = self.from;
            self.from += count;
            (first..first + count).map(|key| number.map_or(key, |number| key % number)).collect::<Vec<u64>>()
        };
        calls.map(|calls| [take(Self::warm(calls)), take(calls)])
    }
}

/// The CPU time that the server needs for a call, in seconds: that of each round.
pub(super) fn cpu_of_a_call(
    runtime: &Runtime,
    subject: &Subject,
    kind: Case,
    callers: usize,
    plan: &Plan,
    server: &mut Server,
) -> Vec<f64> {
    let mut keys = Keys::of(kind, plan);
    slice(runtime, subject, keys.all(), callers, server);
    (0..plan.rounds)
        .map(|_| {
            let of_round = keys.next_round();
            if kind == Case::Refresh {
                thread::sleep(FRESH.mul_f64(1.2));
            }
            let keys: Vec<u64> = of_round.concat().concat();
            slice(runtime, subject, &keys, callers, server).1.cpu
        })
        .collect()
}

/// Calls a subject with the keys, and asks the server what a call has cost there.
fn slice(
    runtime: &Runtime,
    subject: &Subject,
    keys: &[u64],
    callers: usize,
    server: &mut Server,
) -> (Slice, Counts) {
    // The second question is answered with what the first one has cost.
    let question = {
        let first = server.counts();
        server.counts() - first
    };
    let before = server.counts();
    let slice = callers::slice(runtime, &subject.calls, keys, callers, async {});
    (slice, (server.counts() - before - question) / keys.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_round_are_as_many_as_the_calls() {
        for kind in Case::ALL {
            let mut keys = Keys::of(kind, &Plan::new(false));
            let rounds = [keys.next_round(), keys.next_round()];
            for round in &rounds {
                let counts = round.each_ref().map(|both| both.each_ref().map(Vec::len));
                let more = if kind == Case::Local { 20 } else { 1 };
                assert_eq!(counts, [[100, 1_000], [640, 6_400]].map(|both| both.map(|one| one * more)));
            }
            let mut seen: Vec<u64> = rounds.concat().concat().concat();
            seen.sort_unstable();
            seen.dedup();
            let different = match kind {
                Case::Local => 100,
                Case::Refresh => 8_140,
                Case::Shared | Case::Cold => 16_280,
            };
            assert_eq!(seen.len(), different, "{kind:?}");
            let filled = keys.all();
            assert_eq!(kind == Case::Cold, seen.iter().all(|key| !filled.contains(key)), "{kind:?}");
        }
    }
}
