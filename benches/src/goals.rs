//! The goals of the project, and whether this run meets them.

use std::fmt::Write as _;

use crate::contenders::shared::Case;
use crate::contenders::{
    CACHED, CONCURRENT_CACHED, FIBRE, HITBOX, MOKA_FUTURE, OURS, OURS_TINY_LFU, QUICK, UNIT,
};
use crate::figure::Figures;
use crate::loads::callers::case;
use crate::loads::{build, counts, hit_ratio, hits, instructions, shared, stale, tail};
use crate::plot::{count, number};

/// A figure that has to stay at or below its bounds.
struct Goal<'a> {
    text: &'a str,
    load: &'a str,
    /// Without a bound, the figure only has to be there.
    must: Option<f64>,
    aim: f64,
    measured: Option<f64>,
}

/// A row for each goal of these loads, whether it was measured or not.
pub(crate) fn table(figures: &Figures, of: impl Fn(&str) -> bool) -> String {
    let mut text = "| | must | aim | measured | met | load |\n|---|---|---|---|---|---|\n".to_owned();
    for goal in list(figures).into_iter().filter(|goal| of(goal.load)) {
        let met = match goal.measured {
            None => "not measured",
            Some(value) if value <= goal.aim => "aim",
            Some(value) if goal.must.is_none_or(|must| value <= must) => "must",
            Some(_) => "**neither**",
        };
        let measured = goal.measured.map_or_else(|| "-".to_owned(), number);
        let must = goal.must.map_or_else(|| "a figure".to_owned(), |must| format!("<= {}", count(must)));
        let _ = writeln!(
            text,
            "| {} | {must} | <= {} | {measured} | {met} | `{}` |",
            goal.text,
            count(goal.aim),
            goal.load
        );
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
        must: Some(must),
        aim,
        measured: time(load, threads, peer),
    };
    let counted = |text, types, must, aim| Goal {
        text,
        load: "instructions",
        must: Some(must),
        aim,
        measured: figures.get("instructions", types, OURS, instructions::HIT),
    };
    let allocation = |metric| figures.get("allocations", hits::MAIN, OURS, metric);
    let beyond_arguments = || Some(allocation("future")? - allocation("key")?);
    let memory = || {
        let bytes = |name| figures.get("memory", "u64 -> u64", name, "bytes");
        Some(bytes(OURS)? / bytes(UNIT)?)
    };
    let counts = |metric| figures.get(counts::NAME, counts::WAITED, OURS, metric);
    let miss = |text, metric, must, aim| Goal {
        text,
        load: counts::NAME,
        must: Some(must),
        aim,
        measured: counts(metric),
    };
    // Of two contenders in the same rounds.
    let beside = |text, load, case: &str, peer, must, aim| {
        let ratio = |name| figures.get(load, case, name, "ratio");
        let measured = ratio(OURS).zip(ratio(peer)).map(|(ours, theirs)| ours / theirs);
        Goal { text, load, must: Some(must), aim, measured }
    };
    let misses = |threads| format!("{}|{threads}", hits::MAIN);
    let spread = |name| {
        let percentile = |metric| figures.get("tail", tail::CASE, name, metric);
        Some(percentile(tail::P99_9)? / percentile(tail::P50)?)
    };
    // With what goes on besides, such as heartbeats.
    let trips = |text, kind: Case, number: f64| Goal {
        text,
        load: shared::NAME,
        must: Some(number + 0.02),
        aim: number + 0.02,
        measured: figures.get(shared::NAME, &case(kind.name(), 1), OURS, shared::TRIPS),
    };
    let built = |name, metric| figures.get("build", build::CASE, name, metric);
    vec![
        timed("hot key, 1 thread, x moka `get`", "hot", 1, UNIT, 0.14, 0.11),
        timed("hot key, 2 threads, x moka `get`", "hot", 2, UNIT, 0.10, 0.10),
        timed("hot key, 2 threads, x quick_cache `get`", "hot", 2, QUICK, 1.0, 0.2),
        timed("zipf 100k, 1 thread, x moka `get`", "zipf 100k", 1, UNIT, 0.13, 0.09),
        timed("zipf 100k, 1 thread, x `#[concurrent_cached]`", "zipf 100k", 1, CONCURRENT_CACHED, 0.65, 0.45),
        timed("zipf 100k, 1 thread, x fibre_cache `fetch_with`", "zipf 100k", 1, FIBRE, 0.36, 0.28),
        timed("zipf 1M, 1 thread, x quick_cache `get`", "zipf 1000k", 1, QUICK, 1.8, 1.3),
        timed("zipf 1M, 2 threads, x quick_cache `get`", "zipf 1000k", 2, QUICK, 1.5, 1.3),
        timed("hot key, 1 thread, x hitbox-fn + moka", "hot", 1, HITBOX, 1.0 / 30.0, 1.0 / 50.0),
        counted("instructions of a hit less the loop, u64", instructions::U64, 140.0, 125.0),
        counted("instructions of a hit less the loop, `&str`", instructions::STR, 220.0, 200.0),
        counted("instructions of a hit less the loop, 3 arguments", instructions::THREE, 250.0, 230.0),
        Goal {
            text: "allocations on a fresh hit",
            load: "allocations",
            must: Some(0.0),
            aim: 0.0,
            measured: allocation("allocations"),
        },
        Goal {
            text: "future of the caller, bytes beyond its arguments",
            load: "allocations",
            must: Some(64.0),
            aim: 16.0,
            measured: beyond_arguments(),
        },
        beside("a miss, 1 thread, x moka `get_with`", "misses", &misses(1), MOKA_FUTURE, 1.4, 1.1),
        beside("a miss, 2 threads, x moka `get_with`", "misses", &misses(2), MOKA_FUTURE, 0.9, 0.7),
        miss("instructions of a miss", counts::INSTRUCTIONS, 19_000.0, 15_000.0),
        miss("allocations of a miss", counts::ALLOCATIONS, 16.0, 12.0),
        beside(
            "a stale read whose refresh is refused (10,000 pending), x moka `get`",
            "stale",
            &stale::pending(10_000),
            UNIT,
            1.0,
            0.3,
        ),
        Goal {
            text: "p99.9 of a hit while refreshes and evictions go on, x moka's",
            load: "tail",
            must: None,
            aim: 1.0,
            measured: figures.get("tail", tail::CASE, OURS, &tail::ratio(tail::P99_9)),
        },
        Goal {
            text: "that p99.9 in p50 of the same cache, x moka's in its own",
            load: "tail",
            must: None,
            aim: 1.0,
            measured: spread(OURS).zip(spread(UNIT)).map(|(ours, theirs)| ours / theirs),
        },
        trips("round trips of a hit of a shared function", Case::Local, 0.0),
        trips("round trips of a shared hit", Case::Shared, 1.0),
        trips("round trips of a shared refresh", Case::Refresh, 2.0),
        trips("round trips of a shared miss", Case::Cold, 3.0),
        Goal {
            text: "memory an entry, x moka",
            load: "memory",
            must: Some(1.2),
            aim: 1.0,
            measured: memory(),
        },
        Goal {
            text: "10,000 waiters, CPU, x moka `get_with`",
            load: "waiters",
            must: Some(0.45),
            aim: 0.38,
            measured: figures.get("waiters", "10,000", OURS, "cpu ratio"),
        },
        Goal {
            text: "100 functions, dev build, time x `#[cached]`",
            load: "build",
            must: Some(1.1),
            aim: 0.8,
            measured: built(OURS, build::WHOLE)
                .zip(built(CACHED, build::WHOLE))
                .map(|(ours, theirs)| ours / theirs),
        },
        Goal {
            text: "100 functions, release build, bytes a function",
            load: "build",
            must: Some(12_000.0),
            aim: 8_000.0,
            measured: built(OURS, build::BYTES),
        },
        Goal {
            text: "hit ratio with LRU, points below full recording (worst of the traces)",
            load: "hit-ratio",
            must: Some(0.1),
            aim: 0.0,
            measured: worst_hit_ratio(figures, "", OURS, hit_ratio::LRU),
        },
        Goal {
            text: "hit ratio with TinyLFU, points below full recording, loop",
            load: "hit-ratio",
            must: Some(1.0),
            aim: 0.0,
            measured: worst_hit_ratio(figures, "loop|", OURS_TINY_LFU, hit_ratio::TINY_LFU),
        },
        Goal {
            text: "hit ratio with TinyLFU, points below full recording (worst of the traces)",
            load: "hit-ratio",
            must: Some(1.0),
            aim: 0.0,
            measured: worst_hit_ratio(figures, "", OURS_TINY_LFU, hit_ratio::TINY_LFU),
        },
    ]
}

/// The largest number of percentage points by which our hit ratio is behind, in the traces whose names start like this.
fn worst_hit_ratio(figures: &Figures, traces: &str, ours: &str, recorded: &str) -> Option<f64> {
    let behind = |case: &str| {
        let percent = |name| figures.get("hit-ratio", case, name, "percent");
        Some(percent(recorded)? - percent(ours)?)
    };
    figures
        .cases("hit-ratio")
        .into_iter()
        .filter(|case| case.starts_with(traces))
        .filter_map(behind)
        .max_by(f64::total_cmp)
        .map(|worst| worst.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Figure;
    use crate::loads;

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
            table(&figures, |_| true)
                .lines()
                .find(|line| line.contains("memory an entry"))
                .expect("the row")
                .to_owned()
        };
        assert!(row(100.0).contains("| 1.00 | aim |"), "{}", row(100.0));
        assert!(row(120.0).contains("| 1.20 | must |"), "{}", row(120.0));
        assert!(row(121.0).contains("| 1.21 | **neither** |"), "{}", row(121.0));
    }

    #[test]
    fn a_goal_without_a_figure_is_not_measured() {
        assert!(
            table(&Figures::default(), |_| true)
                .lines()
                .skip(2)
                .all(|row| row.contains("| - | not measured |"))
        );
    }

    #[test]
    fn a_goal_without_a_bound_is_met_by_a_figure() {
        let row = |ratio| {
            let name = tail::ratio(tail::P99_9);
            let figures = figures(&[("tail", tail::CASE, OURS, &name, ratio)]);
            table(&figures, |_| true).lines().find(|line| line.contains("p99.9")).expect("the row").to_owned()
        };
        assert!(row(1.0).contains("| a figure | <= 1 | 1.00 | aim |"), "{}", row(1.0));
        assert!(row(1.5).contains("| a figure | <= 1 | 1.50 | must |"), "{}", row(1.5));
    }

    #[test]
    fn a_load_alone_has_its_own_goals() {
        let table = table(&Figures::default(), |load| load == "memory");
        assert_eq!(table.lines().skip(2).count(), 1, "{table}");
    }

    /// Each goal finds its figure by the names under which the loads report.
    #[test]
    fn no_two_goals_have_one_text_and_each_reads_the_load_that_it_names() {
        let none = Figures::default();
        let goals = list(&none);
        let mut texts: Vec<&str> = goals.iter().map(|goal| goal.text).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), goals.len());
        for goal in goals {
            assert!(loads::named(goal.load).is_some(), "{}: no load {}", goal.text, goal.load);
        }
    }

    #[test]
    fn a_ratio_to_a_peer_is_that_of_the_two_ratios_to_the_unit() {
        let case = format!("{}|1", hits::MAIN);
        let figures = figures(&[
            ("misses", &case, OURS, "ratio", 1.8),
            ("misses", &case, MOKA_FUTURE, "ratio", 1.2),
            ("build", build::CASE, OURS, build::WHOLE, 3.0),
            ("build", build::CASE, CACHED, build::WHOLE, 4.0),
            ("build", build::CASE, OURS, build::BYTES, 12_001.0),
            (counts::NAME, counts::WAITED, OURS, counts::INSTRUCTIONS, 19_000.0),
            (counts::NAME, counts::WAITED, OURS, counts::ALLOCATIONS, 12.0),
            ("stale", &stale::pending(10_000), OURS, "ratio", 5.3),
            ("stale", &stale::pending(10_000), UNIT, "ratio", 1.0),
        ]);
        let table = table(&figures, |_| true);
        for (text, end) in [
            ("a miss, 1 thread", "| 1.50 | **neither** |"),
            ("a miss, 2 threads", "| - | not measured |"),
            ("dev build", "| 0.75 | aim |"),
            ("bytes a function", "| 12,001 | **neither** |"),
            ("instructions of a miss", "| 19,000 | must |"),
            ("allocations of a miss", "| 12.0 | aim |"),
            ("refused", "| 5.30 | **neither** |"),
        ] {
            let row = table.lines().find(|line| line.contains(text)).expect("the row");
            assert!(row.contains(end), "{row}");
        }
    }

    #[test]
    fn the_worst_trace_counts() {
        let figures = figures(&[
            ("hit-ratio", "a|1", OURS, "percent", 50.0),
            ("hit-ratio", "a|1", hit_ratio::LRU, "percent", 50.3),
            ("hit-ratio", "b|1", OURS, "percent", 60.0),
            ("hit-ratio", "b|1", hit_ratio::LRU, "percent", 59.0),
        ]);
        let worst = |traces| worst_hit_ratio(&figures, traces, OURS, hit_ratio::LRU);
        assert!((worst("").expect("a figure") - 0.3).abs() < 1e-9);
        assert_eq!(worst("b|"), Some(0.0), "ahead is not behind");
        assert_eq!(worst("c|"), None);
    }
}
