//! A million distinct keys, from 64 callers at once, through caches that have room for ten thousand: values, answers
//! that are not stored, errors, and bodies that hang. It counts the entries and refreshes and measures the memory of
//! the process, and ends with 1 if one of them passes its bound: as many entries as there is room for, 64 refreshes at
//! once beside the callers' own fetches, and 64 MiB more than at the beginning. Nothing is bounded in time.

use std::process::ExitCode;
use std::time::Instant;

use tokio::runtime::Builder;

mod flood;
mod watch;
use flood::{CAPACITY, Flood, Kind};
use watch::{Seen, Watch, resident};

const KEYS: u64 = 1_000_000;
/// So many callers call at once.
const CALLERS: u64 = 64;
/// So many entries more there are while others are put in, and before the cache looks at its bound.
const PUT_IN: u64 = 64 + CALLERS;
/// So many refreshes run at once, and so many wait: the defaults.
const PLACES: u64 = 64;
/// The process may grow by so many MiB, in any flood. Ten thousand values of a KiB are ten; a million of the smallest
/// records would be two hundred.
const GROWTH: u64 = 64;

fn main() -> ExitCode {
    let keys = std::env::args().nth(1).map_or(Ok(KEYS), |keys| keys.parse());
    let Ok(keys) = keys else {
        eprintln!("usage: cacheback-floods [keys]");
        return ExitCode::from(2);
    };
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let begin = resident();
    println!(
        "{keys} keys, room for {CAPACITY}\n{:<42} {:>9} {:>9} {:>9} {:>8} {:>9} {:>18} {:>7}",
        "", "bodies", "entries", "evicted", "refused", "in flight", "MiB before/peak/after", "seconds"
    );
    let mut wrong = Vec::new();
    for kind in Kind::ALL {
        let before = resident();
        let (flood, began) = (Flood::new(kind), Instant::now());
        let watch = Watch::start(flood.cache());
        runtime.block_on(flood.pour(keys, CALLERS));
        let seen = watch.end();
        let took = began.elapsed();
        let stats = flood.cache().stats();
        drop(flood);
        println!(
            "{:<42} {:>9} {:>9} {:>9} {:>8} {:>9} {:>10}/{:>4}/{:>5} {:>7.1}",
            kind.name(),
            stats.fetches,
            seen.entries,
            stats.evicted,
            stats.refused,
            seen.in_flight,
            before,
            seen.resident,
            resident(),
            took.as_secs_f64(),
        );
        let Seen { entries, in_flight, resident } = seen;
        let mut bound = |what: &str, is: u64, most: u64| {
            if is > most {
                wrong.push(format!("{}: {is} {what}, and {most} are the most", kind.name()));
            }
        };
        bound("entries", entries, CAPACITY + PUT_IN);
        bound("entries in the end", stats.entries, CAPACITY);
        // Errors and back-offs push no value out. The memory shows how many of them are kept.
        bound(
            "kept or evicted",
            stats.entries + stats.evicted,
            if kind.stores() { stats.fetches } else { 0 },
        );
        bound("fetches at once", in_flight, PLACES + CALLERS);
        bound("fetches in the end", stats.in_flight, 0);
        bound("bodies", stats.fetches, kind.bodies(keys));
        bound("MiB", resident, begin + GROWTH);
        if stats.calls() != keys {
            wrong.push(format!("{}: {} calls were answered", kind.name(), stats.calls()));
        }
    }
    for wrong in &wrong {
        eprintln!("{wrong}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
