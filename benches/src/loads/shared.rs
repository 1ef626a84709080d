//! Caches that share their values through one Redis server: a hit in the process, a hit in the server, a refresh, and a
//! miss of both. The server itself says what it was asked for.

use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::runtime::{Builder, Runtime};

use super::waiters::cpu_time;
use crate::contenders::shared::{self, Calls, Case, FRESH, PLAIN, ROOM, Subject};
use crate::figure::Sink;
use crate::plan::Plan;
use crate::process;
use crate::server::{self, Counts, Server};
use crate::stats::{median, median_ratio};

pub(crate) const NAME: &str = "shared";
/// How many callers there are at once.
pub(crate) const CALLERS: [usize; 2] = [1, 64];

/// The figures of all calls.
pub(crate) const RATE: &str = "rate";
pub(crate) const RATIO: &str = "ratio";
pub(crate) const P50: &str = "p50";
pub(crate) const P99: &str = "p99";
/// Those of a call.
pub(crate) const TRIPS: &str = "trips";
pub(crate) const COMMANDS: &str = "commands";
pub(crate) const RECEIVED: &str = "received";
pub(crate) const SENT: &str = "sent";
pub(crate) const CPU: &str = "cpu";
pub(crate) const OWN_CPU: &str = "own cpu";

/// How long the work goes on that no caller waits for.
pub(super) const AFTERWARDS: Duration = Duration::from_millis(10);

/// The name of the case for this number of callers.
pub(crate) fn case(part: &str, callers: usize) -> String {
    format!("{part}|{callers}")
}

pub(super) fn parts(_: &Plan) -> Vec<String> {
    if !server::is_there() {
        eprintln!("         no `redis-server` on this machine: the load `{NAME}` is left out");
        return Vec::new();
    }
    Case::ALL.map(|case| case.name().to_owned()).to_vec()
}

/// One slice of one subject.
struct Slice {
    wall: Duration,
    times: Histogram<u64>,
    counts: Counts,
    /// The CPU time of this process.
    own: Duration,
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
    let mut slices: Vec<[Vec<Slice>; 2]> = subjects.iter().map(|_| [Vec::new(), Vec::new()]).collect();
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
                slices[index][at].push(slice(&runtime, subject, measured, CALLERS[at], &mut server));
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
    report(part, &subjects, &slices, sink);
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
            slice(runtime, subject, &keys, callers, server).counts.cpu / keys.len() as f64
        })
        .collect()
}

/// Calls a subject with the keys, which the callers share out among themselves.
fn slice(runtime: &Runtime, subject: &Subject, keys: &[u64], callers: usize, server: &mut Server) -> Slice {
    // The second question is answered with what the first one has cost.
    let question = {
        let first = server.counts();
        server.counts() - first
    };
    let (before, own) = (server.counts(), cpu_time());
    let (wall, times) = call(runtime, &subject.calls, keys, callers, async {});
    // What goes on after a call belongs to it, and not to the next subject.
    thread::sleep(AFTERWARDS);
    let own = cpu_time() - own;
    let counts = server.counts() - before - question;
    Slice { wall, times, counts, own }
}

/// Calls with the keys, which the callers share out among themselves, and awaits what comes `afterwards`. Returns how long
/// all of it has taken, and the times of the single calls.
pub(super) fn call(
    runtime: &Runtime,
    calls: &Calls,
    keys: &[u64],
    callers: usize,
    afterwards: impl Future<Output = ()>,
) -> (Duration, Histogram<u64>) {
    // In turn, so that the keys that are called last are the last ones.
    let share = |first: usize| keys.iter().skip(first).step_by(callers).copied().collect::<Vec<u64>>();
    let shares: Vec<Vec<u64>> = (0..callers).map(share).collect();
    runtime.block_on(async {
        let start = Instant::now();
        let callers: Vec<_> = shares.into_iter().map(|keys| tokio::spawn(calls(keys))).collect();
        let mut times = None;
        for caller in callers {
            let of_one = caller.await.expect("a caller who is answered");
            match &mut times {
                None => times = Some(of_one),
                Some(all) => *all += of_one,
            }
        }
        afterwards.await;
        (start.elapsed(), times.expect("a caller"))
    })
}

fn report(part: &str, subjects: &[Subject], slices: &[[Vec<Slice>; 2]], sink: Sink) {
    let unit = subjects.iter().position(|one| one.name == PLAIN);
    for (subject, of_subject) in subjects.iter().zip(slices) {
        for (at, (callers, of_callers)) in CALLERS.into_iter().zip(of_subject).enumerate() {
            let put = |metric: &str, value| sink.put(&case(part, callers), subject.name, metric, value);
            let each = |slices: &[Slice], figure: &dyn Fn(&Slice) -> f64| -> Vec<f64> {
                slices.iter().map(figure).collect()
            };
            let calls = |slice: &Slice| slice.times.len() as f64;
            let time = |slice: &Slice| slice.wall.as_secs_f64() / calls(slice);
            put(RATE, 1.0 / median(&each(of_callers, &time)));
            if let Some(unit) = unit {
                let ratio = median_ratio(&each(of_callers, &time), &each(&slices[unit][at], &time));
                put(RATIO, ratio);
            }
            for (metric, quantile) in [(P50, 0.5), (P99, 0.99)] {
                let us = |slice: &Slice| slice.times.value_at_quantile(quantile) as f64 / 1e3;
                put(metric, median(&each(of_callers, &us)));
            }
            let count = |metric: &str, of: fn(&Counts) -> f64| {
                put(metric, median(&each(of_callers, &|slice| of(&slice.counts) / calls(slice))).max(0.0));
            };
            count(TRIPS, |counts| counts.trips);
            count(COMMANDS, |counts| counts.commands);
            count(RECEIVED, |counts| counts.received);
            count(SENT, |counts| counts.sent);
            count(CPU, |counts| counts.cpu * 1e6);
            put(OWN_CPU, median(&each(of_callers, &|slice| slice.own.as_secs_f64() * 1e6 / calls(slice))));
        }
    }
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
