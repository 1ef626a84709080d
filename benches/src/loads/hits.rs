//! Reads that all hit: one hot key, and keys from a zipf distribution.

use crate::case::Key;
use crate::contenders::{self, Maker, ROOMY, Setup, UNIT};
use crate::figure::Sink;
use crate::measure::{self, Keys, Series};
use crate::plan::Plan;
use crate::process;
use crate::stats::{median, median_ratio};
use crate::zipf::{Random, THETA, Zipf};

/// Types that only some contenders support.
const OTHERS: [&str; 4] = ["u64 -> Arc<String>", "u64 -> String", "&str -> [u8; 16]", "&str -> Arc<String>"];
/// The types that all contenders support: the complete row.
pub(crate) const MAIN: &str = "u64 -> [u8; 16]";
/// How many keys the cache holds while one of them is hot.
const AROUND_THE_HOT_ONE: u64 = 100_000;

pub(super) fn parts(plan: &Plan) -> Vec<String> {
    let most = if plan.quick { 100_000 } else { 1_000_000 };
    let sizes = [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|&size| size <= most);
    let main = std::iter::once("hot".to_owned()).chain(sizes.map(|size| format!("zipf {}k", size / 1_000)));
    let others = OTHERS.iter().flat_map(|types| ["hot", "zipf 100k"].map(|load| format!("{types}|{load}")));
    main.map(|load| format!("{MAIN}|{load}")).chain(others).collect()
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let (types, _) = part.split_once('|').expect("types|load");
    match types {
        MAIN => of(&contenders::hits(), part, plan, sink),
        "u64 -> Arc<String>" => of(&contenders::u64_arc(), part, plan, sink),
        "u64 -> String" => of(&contenders::u64_string(), part, plan, sink),
        "&str -> [u8; 16]" => of(&contenders::str_bytes(), part, plan, sink),
        "&str -> Arc<String>" => of(&contenders::str_arc(), part, plan, sink),
        _ => panic!("no such types: {types}"),
    }
}

fn of<K: Key>(makers: &[Maker<K>], part: &str, plan: &Plan, sink: Sink) {
    let load = part.rsplit('|').next().expect("types|load");
    let size = load.strip_prefix("zipf ").map_or(AROUND_THE_HOT_ONE, |size| {
        size.trim_end_matches('k').parse::<u64>().expect("a number of thousands") * 1_000
    });
    let keys: Vec<K> = (0..size).map(K::of).collect();
    let trace = if load == "hot" { vec![keys[keys.len() / 2]; 4_096] } else { zipf_trace(&keys) };
    let contenders = contenders::filled(makers, Setup { keys: &keys, capacity: ROOMY });
    // Some caches do more at the first hit of a key than at all others.
    for (name, contender) in &contenders {
        process::works(name);
        (contender.read)(&trace);
    }
    process::nobody_works();
    for threads in Plan::threads() {
        let series = measure::rounds(&contenders, Keys::Trace(&trace), threads, plan);
        for (name, contender) in &contenders {
            assert!(contender.misses.is_none_or(|misses| misses() == 0), "{name}: a read was not a hit");
        }
        report(&series, &format!("{part}|{threads}"), sink);
    }
}

fn zipf_trace<K: Key>(keys: &[K]) -> Vec<K> {
    let zipf = Zipf::new(keys.len() as u64, THETA);
    let mut random = Random::new(42);
    (0..1 << 20).map(|_| keys[zipf.rank(&mut random) as usize]).collect()
}

/// Median times, and median ratios to the unit.
pub(super) fn report(series: &[Series], case: &str, sink: Sink) {
    let unit = &series.iter().find(|one| one.name == UNIT).expect("the unit").ns;
    for one in series {
        sink.put(case, one.name, "ns", median(&one.ns));
        sink.put(case, one.name, "ratio", median_ratio(&one.ns, unit));
    }
}
