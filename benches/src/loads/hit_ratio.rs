//! How many reads of synthetic traces a full cache answers. Ours reports only a few hits to moka's policy, and is
//! compared with moka itself, which records every hit. Both eviction policies are measured.

use moka::policy::EvictionPolicy;

use crate::contenders::{self, OURS, OURS_TINY_LFU};
use crate::figure::Sink;
use crate::plan::Plan;
use crate::zipf::{Random, THETA, Zipf, scattered};

const KEYS: u64 = 100_000;
const TRACES: [&str; 4] = ["zipf 0.99", "zipf and scans", "loop", "moving hot set"];
pub(crate) const SHARES: [u64; 4] = [1, 5, 20, 50];
pub(crate) const LRU: &str = "moka sync, LRU, every read recorded";
pub(crate) const TINY_LFU: &str = "moka sync, TinyLFU (its default), every read recorded";

pub(super) fn parts(_: &Plan) -> Vec<String> {
    TRACES.iter().flat_map(|trace| SHARES.map(|share| format!("{trace}|{share}"))).collect()
}

pub(super) fn run(part: &str, plan: &Plan, sink: Sink) {
    let (name, share) = part.split_once('|').expect("trace|share");
    let capacity = KEYS * share.parse::<u64>().expect("a percentage") / 100;
    let trace = trace(name, capacity, plan.scaled(2_000_000));
    let put = |name, hits: u64| sink.put(part, name, "percent", hits as f64 * 100.0 / trace.len() as f64);
    put(OURS, contenders::lru_hits(&trace, capacity));
    put(LRU, moka(&trace, capacity, EvictionPolicy::lru()));
    put(OURS_TINY_LFU, contenders::tiny_lfu_hits(&trace, capacity));
    put(TINY_LFU, moka(&trace, capacity, EvictionPolicy::tiny_lfu()));
}

fn moka(trace: &[u64], capacity: u64, policy: EvictionPolicy) -> u64 {
    let cache: moka::sync::Cache<u64, u64> =
        moka::sync::Cache::builder().max_capacity(capacity).eviction_policy(policy).build();
    let mut hits = 0;
    for &key in trace {
        if cache.get(&key).is_some() {
            hits += 1;
        } else {
            cache.insert(key, key);
        }
    }
    hits
}

fn trace(name: &str, capacity: u64, accesses: u64) -> Vec<u64> {
    let zipf = Zipf::new(KEYS, THETA);
    let mut random = Random::new(11);
    let numbers: Box<dyn FnMut(u64) -> u64> = match name {
        "zipf 0.99" => Box::new(|_| zipf.rank(&mut random)),
        // Once in each twentieth of the trace, a scan reads unpopular keys in order, a tenth as many as there are
        // popular keys.
        "zipf and scans" => Box::new(|at| {
            let in_period = at % (accesses / 20).max(1);
            if in_period < (KEYS / 10).min(accesses / 40) { KEYS + in_period } else { zipf.rank(&mut random) }
        }),
        // An LRU cache of the exact size would never hit.
        "loop" => Box::new(|at| at % (capacity + capacity / 10)),
        // After each twentieth of the trace, other keys are popular.
        "moving hot set" => {
            Box::new(|at| (zipf.rank(&mut random) + at / (accesses / 20).max(1) * 1_000) % KEYS)
        }
        _ => panic!("no such trace: {name}"),
    };
    (0..accesses).map(numbers).map(scattered).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_loop_comes_back_to_a_key_after_more_keys_than_fit() {
        let trace = trace("loop", 1_000, 5_000);
        assert_eq!(trace[0], trace[1_100]);
        assert_eq!(trace[..1_100].iter().collect::<HashSet<_>>().len(), 1_100);
    }

    #[test]
    fn scans_read_keys_that_nobody_else_reads_once_a_period() {
        let accesses = 400_000;
        let scanned: HashSet<u64> = (KEYS..KEYS + KEYS / 10).map(scattered).collect();
        let trace = trace("zipf and scans", 1_000, accesses);
        assert_eq!(trace.iter().filter(|key| scanned.contains(key)).count() as u64, 20 * KEYS / 10);
    }

    #[test]
    fn the_hot_set_moves() {
        let hottest = |keys: &[u64]| {
            let top = |key: &u64| keys.iter().filter(|other| *other == key).count();
            *keys.iter().max_by_key(|key| top(key)).expect("a key")
        };
        let trace = trace("moving hot set", 1_000, 40_000);
        assert_eq!(hottest(&trace[..2_000]), scattered(0));
        assert_eq!(hottest(&trace[2_000..4_000]), scattered(1_000));
    }
}
