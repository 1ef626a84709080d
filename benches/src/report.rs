//! RESULTS.md: tables and plots of the figures from one run.

use std::fmt::Write as _;
use std::path::Path;

use crate::contenders::writes::Write;
use crate::contenders::{OURS, ROOMY, UNIT};
use crate::figure::Figures;
use crate::loads::{background, build, counts, hit_ratio, hits, instructions, tail};
use crate::plan::Plan;
use crate::plot::{self, count, number};
use crate::{goals, machine};

mod tables;
use tables::{bars, columns, draw, ends, load, ratio, ratios, shown, threads};

/// Facts about a run.
pub(crate) struct Facts<'a> {
    pub(crate) command: String,
    pub(crate) minutes: f64,
    pub(crate) plan: Plan,
    /// Parts that failed.
    pub(crate) failed: &'a [String],
}

/// The packages whose versions the report names.
const PEERS: [&str; 11] = [
    "cacheback",
    "moka",
    "quick_cache",
    "cached",
    "fibre_cache",
    "foyer",
    "hitbox-fn",
    "hitbox-moka",
    "cacheflight",
    "cachekit-rs",
    "papaya",
];

/// Returns the text. The plots are written to `plots/` in the folder.
pub(crate) fn write(figures: &Figures, folder: &Path, facts: &Facts<'_>) -> String {
    let mut text = head(facts);
    if figures.has("hits") {
        hits_section(&mut text, figures, folder);
    }
    if figures.has("misses") {
        let _ = write!(
            text,
            "## misses\n\nEvery key is new: a call, a fetch whose body is ready at once, an insertion, and an eviction \
             if the cache has a bound (100,000 entries; `cached` with only a ttl and the memory of cacheflight have \
             none). fibre_cache fetches on the runtime on which it was made; with several threads that is the runtime \
             of one more thread. Each cell is the ratio to moka sync (`get`, then `insert`), with ns a call in \
             brackets.\n\n"
        );
        ratios(&mut text, figures, "misses", &figures.cases("misses"), threads);
    }
    if figures.has("background") {
        background_section(&mut text, figures, folder);
    }
    if figures.has("writes") {
        writes_section(&mut text, figures, folder);
    }
    if figures.has("stale") {
        stale_section(&mut text, figures);
    }
    if figures.has("tail") {
        tail_section(&mut text, figures, folder);
    }
    if figures.has("waiters") {
        waiters_section(&mut text, figures, folder);
    }
    if figures.has("memory") {
        memory_section(&mut text, figures, folder);
    }
    if figures.has("allocations") {
        allocations_section(&mut text, figures);
    }
    if figures.has("hit-ratio") {
        hit_ratio_section(&mut text, figures);
    }
    if figures.has(counts::NAME) {
        counts_section(&mut text, figures, folder);
    }
    if figures.has("instructions") {
        instructions_section(&mut text, figures, folder);
    }
    if figures.has("build") {
        build_section(&mut text, figures, folder);
    }
    if figures.has("hits") {
        let _ = write!(text, "## Goals\n\nThe goals of the project, and the figures of this run.\n\n");
        text += &goals::table(figures);
    }
    text
}

fn head(facts: &Facts<'_>) -> String {
    let mut text = format!(
        "# Results\n\nWritten by `{}` in {:.0} minutes; do not edit. One load alone: `-- LOAD`, where LOAD is a \
         heading below.\n\n",
        facts.command, facts.minutes
    );
    if facts.plan.quick {
        text += "A quick run: its rounds are too few and too short for a comparison.\n\n";
    }
    text += "| | |\n|---|---|\n";
    for (name, value) in machine::describe() {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    let versions: Vec<String> =
        PEERS.iter().map(|name| format!("{name} {}", machine::version(name))).collect();
    let _ = writeln!(text, "| versions | {} |\n", versions.join(", "));
    let _ = write!(
        text,
        "Contenders take turns, in {} rounds with a slice of {} ms each and an order that rotates. A ratio is the \
         median over the rounds of the ratio to {UNIT} in the same round, and a time is the median over the rounds. \
         Futures are polled on a current-thread tokio runtime, and their figures include its cost. Each part runs in a \
         process of its own. Lifetimes are a day. Each cache is used as its own documentation says, with its own \
         hasher. Keys are passed as the caller has them, so the figure of a cache that owns them includes that \
         cost.\n\n{OURS} means the annotated function, called and awaited. cachekit-rs means its in-process level over \
         a backend that keeps nothing. hitbox-fn takes part only if its traits for keys and responses support the \
         types. cacheflight (text to bytes) and cachekit-rs take part only in the complete row. The two maps at the \
         end are not caches: they show the cost of a lookup and a clone.\n\n",
        facts.plan.rounds,
        facts.plan.slice.as_millis()
    );
    if !facts.failed.is_empty() {
        let _ = writeln!(
            text,
            "Not measured, because the process failed or did not end: {}.\n",
            facts.failed.join("; ")
        );
    }
    text
}

fn hits_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## hits\n\nEvery read hits. Bounded caches have room for {} entries. `hot`: one key of 100,000. `zipf 10k`: \
         10,000 keys, drawn with an exponent of 0.99. With several threads every thread reads, and a time is that of \
         one read of one thread. Each cell is the ratio to {UNIT}, with ns a read in brackets.\n",
        number(ROOMY as f64)
    );
    let cases = figures.cases("hits");
    for threads in Plan::threads() {
        let of_main: Vec<&str> = cases
            .iter()
            .copied()
            .filter(|case| case.starts_with(hits::MAIN) && ends(case, threads))
            .collect();
        let _ =
            write!(text, "\n### {}, {threads} thread{}\n\n", hits::MAIN, if threads == 1 { "" } else { "s" });
        ratios(text, figures, "hits", &of_main, load);
        for of_load in ["hot", "zipf 100k"] {
            let case = format!("{}|{of_load}|{threads}", hits::MAIN);
            let title = format!("{of_load}, {}, {}: time of a hit", tables::threads(&case), hits::MAIN);
            let file = format!("hits-{}-{threads}.svg", of_load.replace(' ', "-"));
            bars(
                text,
                figures,
                folder,
                &file,
                &title,
                "ratio to moka sync (logarithmic)",
                "hits",
                &case,
                "ratio",
            );
        }
    }
    growth(text, figures, folder);
    let mut others: Vec<&str> = cases.iter().filter_map(|case| case.split('|').next()).collect();
    others.dedup();
    for types in others.into_iter().filter(|&types| types != hits::MAIN) {
        let of_types: Vec<&str> = cases
            .iter()
            .copied()
            .filter(|case| case.starts_with(&format!("{types}|")) && (ends(case, 1) || ends(case, 2)))
            .collect();
        let _ = write!(text, "\n### {types}\n\n");
        ratios(text, figures, "hits", &of_types, |case| format!("{}, {}", load(case), threads(case)));
    }
    text.push('\n');
}

/// The curves of a hit over the number of entries.
fn growth(text: &mut String, figures: &Figures, folder: &Path) {
    let size = |case: &str| load(case).strip_prefix("zipf ")?.strip_suffix('k')?.parse::<f64>().ok();
    let main: Vec<&str> = figures
        .cases("hits")
        .into_iter()
        .filter(|case| case.starts_with(hits::MAIN) && ends(case, 1))
        .collect();
    let lines: Vec<_> = figures
        .contenders("hits", main.first().copied())
        .into_iter()
        .map(|name| {
            let point = |case: &&str| Some((size(case)? * 1_000.0, figures.get("hits", case, name, "ns")?));
            (name, main.iter().filter_map(point).collect::<Vec<_>>(), name == OURS)
        })
        .collect();
    let file = "hits-by-entries.svg";
    draw(
        text,
        plot::curves(
            &folder.join("plots").join(file),
            "zipf, 1 thread: time of a hit by entries",
            "entries",
            &lines,
        ),
        file,
    );
}

fn background_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## background\n\nA fetch behind the caller. An operation is a call, its fetch with a body that is ready at \
         once, and reads of the key until one sees the new value; before each read the runtime works. Each cell is the \
         ratio to moka sync, with ns an operation in brackets. Moka does not fetch in the background: its first line \
         reads, inserts and reads again on the caller's thread, and `insert in a spawned task` is what its user could \
         write, without a single flight, a limit or a back-off. The last line has no cache: a task is spawned that sets \
         a flag, and the caller looks for it. With several threads each has a runtime of its own.\n"
    );
    let cases = figures.cases("background");
    for (part, explained) in [
        (
            background::MISS,
            "Every key is new, in a full cache of 100,000 entries, u64 -> [u8; 16]: the call is answered empty, and \
             its fetch evicts a value. The caller of `get_with` waits for its fetch; so do those of all other peers \
             (`misses`).",
        ),
        (
            background::STALE,
            "100,000 stale values in caches with room for 2M, u64 -> u64: the call is answered with the stale value, and \
             starts a refresh. The other peers do not serve stale values by themselves. cacheflight is measured with one \
             thread only: it waits without end for a refresh on the runtime of a thread that has ended.",
        ),
    ] {
        let of_part: Vec<&str> = cases.iter().copied().filter(|case| case.starts_with(part)).collect();
        let _ = write!(text, "\n### {part}\n\n{explained}\n\n");
        ratios(text, figures, "background", &of_part, threads);
    }
    bars(
        text,
        figures,
        folder,
        "background.svg",
        "stale read, its refresh, and the read that sees it, 1 thread: time",
        "ratio to moka sync (logarithmic)",
        "background",
        &format!("{}|1", background::STALE),
        "ratio",
    );
}

fn writes_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## writes\n\nWrites from outside of a fetch, u64 -> u64, in caches with room for 100,000 entries. `set, new key`: \
         the cache is full, and each write evicts a value (`insert` of the peers, `cache_set` on the store of a \
         function of `cached`, here with `max_size`). The other caches hold 50,000 values. `invalidate, and fetch`: {OURS} \
         marks the value as stale and refreshes it, and the operation ends with the read that sees the new value; the \
         peers remove the value, and the next call fetches it. `remove`: moka's `invalidate`, and `remove` or \
         `cache_remove` of the others; the values are set again before the clock starts. Each cell is the ratio to moka \
         sync, with ns an operation in brackets. The macros of hitbox-fn, cacheflight and cachekit-rs have no such \
         writes.\n\n"
    );
    let cases = figures.cases("writes");
    for number in Plan::threads() {
        let of_threads: Vec<&str> = cases.iter().copied().filter(|case| ends(case, number)).collect();
        let Some(first) = of_threads.first() else { continue };
        let _ = write!(text, "### {}\n\n", threads(first));
        ratios(text, figures, "writes", &of_threads, |case| {
            case.split('|').next().unwrap_or(case).to_owned()
        });
    }
    bars(
        text,
        figures,
        folder,
        "writes.svg",
        "set of a new key in a full cache, 1 thread: time",
        "ratio to moka sync (logarithmic)",
        "writes",
        &format!("{}|1", Write::SetNew.name()),
        "ratio",
    );
}

fn tail_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## tail\n\nSingle hits, timed one by one: ns between two readings of std's `Instant`, in an HDR histogram. \
         One thread reads 10,000 keys, drawn with an exponent of 0.99, in a full cache of 100,000 entries (u64 -> u64). \
         Meanwhile another thread does two things in the same cache. It runs 64 refreshes, of the 64 keys that are read \
         most: each body sleeps for 1 ms, its value is stored, and the next body starts. And it sets 100,000 new keys a \
         second, each of which evicts a value. {OURS}: the annotated function is called and awaited; `refresh` and `set` \
         of its entries. moka and quick_cache: `get`; a sleep and then `insert`; `insert`. The first line times nothing \
         while moka's load goes on: it is what the two readings of the clock add to every other line, and what the \
         machine does to any thread. A percentile is the median over the rounds, `worst` the longest of all hits. \
         `misses` are reads of keys that were evicted; they are not timed, and set again.\n\n"
    );
    let percentiles = tail::PERCENTILES.map(|one| one.0);
    let _ = writeln!(
        text,
        "| | {} | worst | p99.9 x moka | p99.9 x p50 | sets a second | refreshes a second | misses, % |\n|---{}|",
        percentiles.join(" | "),
        "|---".repeat(percentiles.len() + 6)
    );
    for name in figures.contenders("tail", None) {
        let get = |metric: &str| figures.get("tail", tail::CASE, name, metric);
        let cell = |value: Option<f64>| value.map_or_else(String::new, number);
        let mut cells: Vec<String> = percentiles.iter().map(|metric| cell(get(metric))).collect();
        cells.push(cell(get("worst")));
        cells.push(cell(get(&tail::ratio(tail::P99_9))));
        cells.push(cell(get(tail::P99_9).zip(get("p50")).map(|(rare, median)| rare / median)));
        cells.extend(["sets", "refreshes", "misses"].map(|metric| cell(get(metric))));
        let _ = writeln!(text, "| {} | {} |", shown(name), cells.join(" | "));
    }
    text.push('\n');
    let lines: Vec<_> = figures
        .contenders("tail", None)
        .into_iter()
        .map(|name| {
            let point = |(metric, _, of): &(&str, f64, f64)| {
                Some((*of, figures.get("tail", tail::CASE, name, metric)?))
            };
            (name, tail::PERCENTILES.iter().filter_map(point).collect::<Vec<_>>(), name == OURS)
        })
        .collect();
    let file = "tail.svg";
    let title = "single hits while refreshes and evictions go on: one of so many takes longer";
    draw(text, plot::curves(&folder.join("plots").join(file), title, "hits", &lines), file);
}

fn counts_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## counts\n\nInstructions (by callgrind) and allocations of one operation that is no hit, on a current-thread \
         runtime: the means of {} operations each, after {} others. The operations are those of `misses`, `background` and \
         `writes`, with the loop around them. Instructions are those of the calling thread and of the tasks on its \
         runtime; what a cache does on threads of its own is not in them.\n\n",
        number(counts::COUNTED as f64),
        number(counts::WARM as f64)
    );
    for case in figures.cases(counts::NAME) {
        let _ = write!(text, "### {case}\n\n");
        columns(
            text,
            figures,
            counts::NAME,
            case,
            &[("instructions", counts::INSTRUCTIONS), ("allocations", counts::ALLOCATIONS)],
        );
    }
    bars(
        text,
        figures,
        folder,
        "counts.svg",
        "instructions of a miss whose caller waits",
        "instructions (logarithmic)",
        counts::NAME,
        counts::WAITED,
        counts::INSTRUCTIONS,
    );
}

fn stale_section(text: &mut String, figures: &Figures) {
    let _ = write!(
        text,
        "## stale\n\nReads of stale values while refreshes are running whose bodies do not end. Each of 1, 100 and \
         10,000 keys was requested. `running` is the number of bodies that this started ({OURS} runs 64 at once, keeps \
         others waiting, and refuses the rest). Each cell is the ratio to {UNIT} of fresh values, with ns a read in \
         brackets. `cached`, foyer, moka and quick_cache do not serve stale values by themselves (`cached` shows a \
         recipe).\n\n"
    );
    let (cases, states): (Vec<&str>, Vec<&str>) =
        figures.cases("stale").into_iter().partition(|case| case.ends_with("pending"));
    let heads: Vec<String> = cases.iter().map(|case| format!("{case} | running")).collect();
    let _ = writeln!(text, "| | {} |\n|---{}|", heads.join(" | "), "|---|---".repeat(cases.len()));
    for name in figures.contenders("stale", None) {
        let _ = write!(text, "| {} |", shown(name));
        for case in &cases {
            let running = figures.get("stale", case, name, "running").map_or_else(String::new, count);
            let _ = write!(text, " {} | {running} |", ratio(figures, "stale", case, name));
        }
        text.push('\n');
    }
    let _ = write!(
        text,
        "\nOf {OURS}, 64 stale keys of a function that returns a `Result`, each with its refresh in one state. \
         `running`: a quiet stale hit, whose refresh runs. `queued`: 64 other refreshes run. `refused`: 64 others run, \
         and 1,024 wait. `in back-off`: eight fetches of each key have failed. No read of these started a body.\n\n"
    );
    ratios(text, figures, "stale", &states, str::to_owned);
}

fn waiters_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## waiters\n\n10,000 tasks on a multi-thread runtime wait for one missing key whose fetch takes 200 ms. `over \
         the fetch` is the time from the first spawn to the last answer, minus those 200 ms. CPU time is that of the \
         whole process. Ratios are to moka future `get_with`. In the last row, without any cache, the tasks share one \
         future.\n\n"
    );
    columns(
        text,
        figures,
        "waiters",
        "10,000",
        &[
            ("over the fetch, ms", "wall"),
            ("ratio", "wall ratio"),
            ("CPU, ms", "cpu"),
            ("CPU ratio", "cpu ratio"),
        ],
    );
    bars(text, figures, folder, "waiters.svg", "10,000 waiters: CPU time", "ms", "waiters", "10,000", "cpu");
}

fn memory_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## memory\n\nBytes for each entry, u64 -> u64, after 1,000,000 entries were inserted one by one, as the \
         allocator rounds them up. Caches have room for {}.\n\n| | bytes | ratio to moka sync |\n|---|---|---|\n",
        number(ROOMY as f64)
    );
    let case = "u64 -> u64";
    let unit = figures.get("memory", case, UNIT, "bytes");
    for name in figures.contenders("memory", None) {
        let Some(bytes) = figures.get("memory", case, name, "bytes") else { continue };
        let ratio = unit.map_or_else(String::new, |unit| number(bytes / unit));
        let _ = writeln!(text, "| {} | {} | {ratio} |", shown(name), number(bytes));
    }
    text.push('\n');
    bars(
        text,
        figures,
        folder,
        "memory.svg",
        "memory of an entry, u64 -> u64",
        "bytes",
        "memory",
        case,
        "bytes",
    );
}

fn allocations_section(text: &mut String, figures: &Figures) {
    let _ = write!(
        text,
        "## allocations\n\nAllocations of a fresh hit, and bytes of the future of one call, including its arguments (8 \
         bytes for a u64, 16 for a `&str`). A future of 16 bytes is a pointer to a future on the heap.\n\n"
    );
    for case in figures.cases("allocations") {
        let _ = write!(text, "### {case}\n\n");
        columns(
            text,
            figures,
            "allocations",
            case,
            &[("allocations a hit", "allocations"), ("future, bytes", "future")],
        );
    }
}

fn hit_ratio_section(text: &mut String, figures: &Figures) {
    let _ = write!(
        text,
        "## hit-ratio\n\nPercentage of reads that hit, over 2,000,000 reads of 100,000 keys (scans read another \
         10,000), with a capacity of 1, 5, 20 and 50 % of the keys: {OURS} with `fetch_on_miss`, by its counters, and \
         moka by `get`, then `insert`. {OURS} reports only a few reads to moka's policy, LRU by default or TinyLFU, \
         and the line below each reports them all. With TinyLFU {OURS} keeps a hundredth of the capacity for \
         newcomers, which moka may refuse at once.\n\n"
    );
    let cases = figures.cases("hit-ratio");
    let mut traces: Vec<&str> = cases.iter().filter_map(|case| case.split('|').next()).collect();
    traces.dedup();
    let heads: Vec<String> = hit_ratio::SHARES.iter().map(|share| format!("{share} %")).collect();
    let _ = writeln!(text, "| | | {} |\n|---|---{}|", heads.join(" | "), "|---".repeat(heads.len()));
    for trace in traces {
        for (row, name) in figures.contenders("hit-ratio", None).into_iter().enumerate() {
            let cells: Vec<String> = hit_ratio::SHARES
                .iter()
                .map(|share| figures.get("hit-ratio", &format!("{trace}|{share}"), name, "percent"))
                .map(|percent| percent.map_or_else(String::new, |percent| format!("{percent:.2}")))
                .collect();
            let trace = if row == 0 { trace } else { "" };
            let _ = writeln!(text, "| {trace} | {} | {} |", shown(name), cells.join(" | "));
        }
    }
    text.push('\n');
}

fn instructions_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## instructions\n\nInstructions of a hit of one hot key, counted by callgrind: the difference between two \
         runs with different numbers of reads, divided by the number of additional reads. A loop in this program \
         reads. `with the loop` is one turn of this loop, as a caller in a loop pays for it. `a hit` is the cost of \
         the cache alone: one turn, minus a turn of the same loop around an async function without a cache, which \
         returns 16 bytes at once from a body that is not inlined, or around a plain function of this kind if the call \
         of the contender is plain.\n\n| | types | a hit | with the loop |\n|---|---|---|---|\n"
    );
    for case in figures.cases("instructions") {
        for name in figures.contenders("instructions", Some(case)) {
            let count =
                |metric| figures.get("instructions", case, name, metric).map_or_else(String::new, number);
            let (hit, with_loop) = (count(instructions::HIT), count(instructions::WITH_LOOP));
            let _ = writeln!(text, "| {} | {case} | {hit} | {with_loop} |", shown(name));
        }
    }
    text.push('\n');
    let title = format!("instructions of a hit, less the loop, {}", hits::MAIN);
    bars(
        text,
        figures,
        folder,
        "instructions.svg",
        &title,
        "instructions (logarithmic)",
        "instructions",
        hits::MAIN,
        instructions::HIT,
    );
}

fn build_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## build\n\nA crate with 100 functions of two arguments and a `Result`, all of them called, with its dependencies \
         already built. `whole`: the crate in the dev profile without incremental compilation. `changed`: the crate in \
         the dev profile with incremental compilation, after a change without effect. `release`: the crate in the release \
         profile, measured once. `bytes a function`: the program of the release profile, less one without \
         functions and without a cache, divided by 100; without symbols. So a function bears its share of the library. `packages`: the packages that the \
         default features bring along, including their normal dependencies (`cached` with `async`, hitbox-fn with \
         `derive` and hitbox-moka).\n\n"
    );
    for case in figures.cases("build") {
        columns(
            text,
            figures,
            "build",
            case,
            &[
                ("whole, s", build::WHOLE),
                ("changed, s", build::CHANGED),
                ("release, s", build::RELEASE),
                ("bytes a function", build::BYTES),
                ("packages", "packages"),
            ],
        );
    }
    bars(
        text,
        figures,
        folder,
        "build.svg",
        "what a function adds to a program, release profile",
        "bytes (logarithmic)",
        "build",
        build::CASE,
        build::BYTES,
    );
}
