//! The goals of the project, and whether this run meets them.

use std::fmt::Write as _;

use crate::contenders::{CONCURRENT_CACHED, FIBRE, HITBOX, OURS, OURS_TINY_LFU, QUICK, UNIT};
use crate::figure::Figures;
use crate::loads::{hit_ratio, hits, instructions};
use crate::plot::{count, number};

/// A figure that has to stay at or below its bounds.
struct Goal<'a> {
    text: &'a str,
    load: &'a str,
    must: Option<f64>,
    aim: Option<f64>,
    measured: Option<f64>,
}

pub(crate) fn table(figures: &Figures) -> String {
    let mut text = "| | must | aim | measured | met | shown by |\n|---|---|---|---|---|---|\n".to_owned();
    for goal in list(figures) {
        let bound =
            |bound: Option<f64>| bound.map_or_else(String::new, |bound| format!("<= {}", count(bound)));
        let met = match goal.measured {
            None => "not measured",
            Some(value) if goal.aim.is_some_and(|aim| value <= aim) => "aim",
            Some(value) if goal.must.is_some_and(|must| value <= must) => "must",
            Some(_) if goal.must.is_none() => "aim missed",
            Some(_) => "**no**",
        };
        let measured = goal.measured.map_or_else(|| "-".to_owned(), number);
        let (must, aim) = (bound(goal.must), bound(goal.aim));
        let _ =
            writeln!(text, "| {} | {must} | {aim} | {measured} | {met} | `-- {}` |", goal.text, goal.load);
    }
    text
}

fn list(figures: &Figures) -> Vec<Goal<'_>> {
    // The ratio of our time to that of a peer, in the same rounds.
    let time = |load: &str, threads: u8, peer: &str| {
        let case = format!("{}|{load}|{threads}", hits::MAIN);
        let ratio = |name| figures.get("hits", &case, name, "ratio");
        Some(ratio(OURS)? / ratio(peer)?)
    };
    let timed = |text, load, threads, peer, must, aim| Goal {
        text,
        load: "hits",
        must,
        aim,
        measured: time(load, threads, peer),
    };
    let counted = |text, types, must, aim| Goal {
        text,
        load: "instructions",
        must: Some(must),
        aim: Some(aim),
        measured: figures.get("instructions", types, OURS, instructions::HIT),
    };
    let allocation = |metric| figures.get("allocations", hits::MAIN, OURS, metric);
    let beyond_arguments = || Some(allocation("future")? - allocation("key")?);
    let memory = || {
        let bytes = |name| figures.get("memory", "u64 -> u64", name, "bytes");
        Some(bytes(OURS)? / bytes(UNIT)?)
    };
    vec![
        timed("hot key, 1 thread, x moka", "hot", 1, UNIT, Some(0.15), None),
        timed("hot key, 1 thread, x quick_cache get", "hot", 1, QUICK, None, Some(1.0)),
        timed("zipf 100k, 1 thread, x moka", "zipf 100k", 1, UNIT, Some(0.15), None),
        timed(
            "zipf 100k, 1 thread, x `#[concurrent_cached]`",
            "zipf 100k",
            1,
            CONCURRENT_CACHED,
            Some(0.75),
            None,
        ),
        timed("zipf 100k, 1 thread, x fibre_cache", "zipf 100k", 1, FIBRE, Some(0.4), None),
        timed("zipf 100k, 1 thread, x quick_cache get", "zipf 100k", 1, QUICK, None, Some(1.3)),
        timed("hot key, 2 threads, x moka", "hot", 2, UNIT, Some(0.10), None),
        timed("hot key, 2 threads, x quick_cache get", "hot", 2, QUICK, None, Some(0.2)),
        counted("instructions of a hit less the loop, u64", instructions::U64, 160.0, 110.0),
        counted("instructions of a hit less the loop, `&str` -> `Arc`", instructions::STR, 270.0, 220.0),
        timed("hot key, 1 thread, x hitbox-fn + moka", "hot", 1, HITBOX, Some(1.0 / 30.0), Some(1.0 / 50.0)),
        Goal {
            text: "allocations on a fresh hit",
            load: "allocations",
            must: Some(0.0),
            aim: Some(0.0),
            measured: allocation("allocations"),
        },
        Goal {
            text: "future of the caller, bytes beyond its arguments",
            load: "allocations",
            must: Some(64.0),
            aim: Some(16.0),
            measured: beyond_arguments(),
        },
        Goal {
            text: "memory an entry, x moka",
            load: "memory",
            must: Some(1.35),
            aim: Some(1.2),
            measured: memory(),
        },
        Goal {
            text: "10,000 waiters, CPU, x moka `get_with`",
            load: "waiters",
            must: Some(0.45),
            aim: Some(0.38),
            measured: figures.get("waiters", "10,000", OURS, "cpu ratio"),
        },
        Goal {
            text: "hit ratio with LRU, points below full recording (worst of the traces)",
            load: "hit-ratio",
            must: Some(0.1),
            aim: Some(0.0),
            measured: worst_hit_ratio(figures, OURS, hit_ratio::LRU),
        },
        Goal {
            text: "hit ratio with TinyLFU, points below full recording (worst of the traces)",
            load: "hit-ratio",
            must: Some(0.1),
            aim: Some(0.0),
            measured: worst_hit_ratio(figures, OURS_TINY_LFU, hit_ratio::TINY_LFU),
        },
    ]
}

/// The largest number of percentage points by which our hit ratio is behind.
fn worst_hit_ratio(figures: &Figures, ours: &str, recorded: &str) -> Option<f64> {
    let behind = |case: &str| {
        let percent = |name| figures.get("hit-ratio", case, name, "percent");
        Some(percent(recorded)? - percent(ours)?)
    };
    figures
        .cases("hit-ratio")
        .into_iter()
        .filter_map(behind)
        .max_by(f64::total_cmp)
        .map(|worst| worst.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Figure;

    fn figures(list: &[(&str, &str, &str, &str, f64)]) -> Figures {
        let figure = |&(load, case, contender, metric, value): &(&str, &str, &str, &str, f64)| Figure {
            load: load.to_owned(),
            case: case.to_owned(),
            contender: contender.to_owned(),
            metric: metric.to_owned(),
            value,
        };
        Figures(list.iter().map(figure).collect())
    }

    #[test]
    fn a_goal_is_met_at_its_bound_and_not_above() {
        let row = |bytes| {
            let figures = figures(&[
                ("memory", "u64 -> u64", UNIT, "bytes", 100.0),
                ("memory", "u64 -> u64", OURS, "bytes", bytes),
            ]);
            table(&figures).lines().find(|line| line.contains("memory an entry")).expect("the row").to_owned()
        };
        assert!(row(120.0).contains("| 1.20 | aim |"), "{}", row(120.0));
        assert!(row(135.0).contains("| 1.35 | must |"), "{}", row(135.0));
        assert!(row(136.0).contains("| 1.36 | **no** |"), "{}", row(136.0));
    }

    #[test]
    fn a_goal_without_a_figure_is_not_measured() {
        assert!(table(&Figures::default()).lines().skip(2).all(|row| row.contains("| - | not measured |")));
    }

    #[test]
    fn the_worst_trace_counts() {
        let figures = figures(&[
            ("hit-ratio", "a|1", OURS, "percent", 50.0),
            ("hit-ratio", "a|1", hit_ratio::LRU, "percent", 50.3),
            ("hit-ratio", "b|1", OURS, "percent", 60.0),
            ("hit-ratio", "b|1", hit_ratio::LRU, "percent", 59.0),
        ]);
        let worst = worst_hit_ratio(&figures, OURS, hit_ratio::LRU).expect("a figure");
        assert!((worst - 0.3).abs() < 1e-9);
    }
}
