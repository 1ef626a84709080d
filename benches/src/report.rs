//! RESULTS.md: tables and plots of the figures from one run.

use std::fmt::Write as _;
use std::path::Path;

use crate::contenders::tail::{REFRESHES_A_SECOND, SETS};
use crate::contenders::writes::Write;
use crate::contenders::{OURS, ROOMY, UNIT};
use crate::figure::Figures;
use crate::loads::{Load, background, build, counts, hit_ratio, hits, instructions, tail};
use crate::plan::Plan;
use crate::plot::{self, count, number};
use crate::{goals, loads, machine};

mod disk;
mod fleet;
mod shared;
mod tables;
use tables::{bars, code, columns, draw, ends, load, ratio, ratios, shown, threads};

/// Facts about a run.
pub(crate) struct Facts<'a> {
    pub(crate) loads: &'a [Load],
    /// How many of them have been measured so far.
    pub(crate) done: usize,
    pub(crate) minutes: f64,
    pub(crate) plan: Plan,
    pub(crate) machine: &'a [(&'static str, String)],
    /// Each names the part and the contender.
    pub(crate) failures: &'a [String],
}

impl Facts<'_> {
    fn command(&self) -> String {
        let mut command = "cargo run --release -p cacheback-benches".to_owned();
        let load = if let [one] = self.loads { Some(one.name) } else { None };
        let words: Vec<&str> = load.into_iter().chain(self.plan.quick.then_some("--quick")).collect();
        if !words.is_empty() {
            let _ = write!(command, " -- {}", words.join(" "));
        }
        command
    }
}

/// The packages whose versions the report names.
const PEERS: [&str; 15] = [
    "cacheback",
    "moka",
    "quick_cache",
    "cached",
    "fibre_cache",
    "foyer",
    "hitbox-fn",
    "hitbox-moka",
    "hitbox-redis",
    "cacheflight",
    "cachekit-rs",
    "papaya",
    "redis",
    "redb",
    "rusqlite",
];

/// Returns the text. The plots are written to `plots/` in the folder.
pub(crate) fn write(figures: &Figures, folder: &Path, facts: &Facts<'_>) -> String {
    let mut text = head(facts);
    goals_section(&mut text, figures, facts);
    if figures.has("hits") {
        hits_section(&mut text, figures, folder);
    }
    if figures.has("misses") {
        let _ = write!(
            text,
            "## misses\n\nEvery key is new. An operation is a call, its fetch with a body that is ready at once, an \
             insertion, and an eviction if the cache has a bound. The bound is 100,000 entries; `cached` with only a \
             ttl and the memory store of cacheflight have none. {OURS} is annotated with `fetch_on_miss`. fibre_cache \
             fetches on the runtime on which it was made; with several threads this is the runtime of one more thread. \
             Each cell is the ratio to moka sync (`get`, then `insert`), with ns an operation in brackets.\n\n"
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
    if figures.has(loads::shared::NAME) {
        shared::section(&mut text, figures, folder);
    }
    if figures.has(loads::disk::NAME) {
        disk::section(&mut text, figures, folder);
    }
    if figures.has(loads::fleet::NAME) {
        fleet::section(&mut text, figures, folder);
    }
    if figures.has("memory") {
        memory_section(&mut text, figures, folder, facts);
    }
    if figures.has("allocations") {
        allocations_section(&mut text, figures);
    }
    if figures.has("hit-ratio") {
        hit_ratio_section(&mut text, figures, facts);
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
    text
}

fn head(facts: &Facts<'_>) -> String {
    let mut text = format!(
        "# Results\n\nWritten by `{}` in {:.0} min; do not edit. Each heading below, but for the goals, is a \
         load, and `-- LOAD` measures one alone.\n\n",
        facts.command(),
        facts.minutes
    );
    if facts.plan.quick {
        text += "This was a quick run: its rounds are too few and too short for a comparison.\n\n";
    }
    if facts.done < facts.loads.len() {
        let _ = write!(
            text,
            "The run has not ended: {} of {} loads are in this report.\n\n",
            facts.done,
            facts.loads.len()
        );
    }
    if !facts.failures.is_empty() {
        text += "Not everything could be measured. If a contender failed, the rest of its part was measured without \
                 it.\n\n";
        for failure in facts.failures {
            let _ = writeln!(text, "- {failure}");
        }
        text.push('\n');
    }
    text += "| | |\n|---|---|\n";
    for (name, value) in facts.machine {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    let versions: Vec<String> =
        PEERS.iter().map(|name| format!("{name} {}", machine::version(name))).collect();
    let _ = writeln!(text, "| versions | {} |\n", versions.join(", "));
    let _ = write!(
        text,
        "Contenders take turns, in {} rounds with a slice of {} ms each, in an order that rotates. A time is the median \
         over the rounds. A ratio is the median, over the rounds, of the ratio to {UNIT} in the same round. Futures are \
         polled on a current-thread tokio runtime, and their figures include its cost. Each part of a load runs in a \
         process of its own. Lifetimes are a day. Each cache is used as its own documentation says, with its own \
         hasher. Keys are passed as the caller has them, so the figure of a cache that owns its keys includes the cost \
         of making one.\n\n{OURS} is the annotated function, called and awaited. cachekit-rs is its in-process level over \
         a backend that keeps nothing. hitbox-fn takes part only if its traits for keys and responses support the \
         types. cacheflight (text to bytes) and cachekit-rs take part only with u64 keys and the main types. The two \
         maps at the end are not caches: they show the cost of a lookup and a clone.\n\n",
        facts.plan.rounds,
        facts.plan.slice.as_millis()
    );
    text
}

fn goals_section(text: &mut String, figures: &Figures, facts: &Facts<'_>) {
    let _ = write!(
        text,
        "## Goals\n\nThe project's goals for {OURS}, and the figures of this run. `met` says which of the two bounds \
         the figure meets: the aim, only the must, or neither. `x` is a ratio to a peer in the same rounds.{}\n\n{}\n",
        if facts.plan.quick { " A quick run leaves the million keys out." } else { "" },
        goals::table(figures, |load| facts.loads.iter().any(|one| one.name == load))
    );
}

fn hits_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## hits\n\nEvery read hits, and each cache has read the keys of the load once before. Bounded caches have room \
         for {} entries. `hot` reads one of 100,000 keys again and again. `zipf 10k` draws from 10,000 keys with an \
         exponent of 0.99. With several threads every thread reads, and a time is that of one read of one thread. \
         Each cell is the ratio to {UNIT}, with ns a read in brackets.\n",
        number(ROOMY as f64)
    );
    let cases = figures.cases("hits");
    for threads in Plan::threads() {
        let of_main: Vec<&str> = cases
            .iter()
            .copied()
            .filter(|case| case.starts_with(hits::MAIN) && ends(case, threads))
            .collect();
        let _ = write!(
            text,
            "\n### {}, {threads} thread{}\n\n",
            code(hits::MAIN),
            if threads == 1 { "" } else { "s" }
        );
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
        let _ = write!(text, "\n### {}\n\n", code(types));
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
            "ns",
            "entries",
            &lines,
        ),
        file,
    );
}

fn background_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## background\n\nFetches in the background. An operation is a call that does not wait, its fetch with a body that \
         is ready at once, and reads of the key until one sees the new value; before each of these reads, the caller \
         yields to the runtime. With several threads, each has a runtime of its own. Each cell is the ratio to moka \
         sync, with ns an operation in brackets.\n\nmoka does not fetch in the background. `{UNIT}` is a `get`, an \
         `insert` and another `get` on the caller's thread. `insert in a spawned task` is the code that a user of moka \
         could write: it has no single flight, no limit and no back-off. The last row has no cache: it spawns a task \
         that sets a flag, and waits for the flag.\n"
    );
    let cases = figures.cases("background");
    for (part, explained) in [
        (
            background::MISS,
            "Every key is new in a full cache of 100,000 entries, `u64 -> [u8; 16]`. The call is answered empty, and its \
             fetch evicts a value. The caller of `get_with` waits for the fetch. So do the callers of all other peers, \
             which are in `misses`.",
        ),
        (
            background::STALE,
            "The caches hold 100,000 stale values and have room for 2M, `u64 -> u64`. The call is answered with the stale \
             value, and starts a refresh. The other peers do not serve stale values by themselves. cacheflight is \
             measured with one thread only, because it waits for ever for a refresh on the runtime of a thread that has \
             ended.",
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
        "stale read, its refresh, and the read that sees the new value, 1 thread: time",
        "ratio to moka sync (logarithmic)",
        "background",
        &format!("{}|1", background::STALE),
        "ratio",
    );
}

fn writes_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## writes\n\nWrites from outside of a fetch, `u64 -> u64`, in caches with room for 100,000 entries. Each cell is the \
         ratio to moka sync, with ns an operation in brackets. The macros of hitbox-fn, cacheflight and cachekit-rs have \
         no such writes.\n\n- `set of a new key`: the cache is full, and each write evicts a value. {OURS}: `set` of the \
         entry. The peers: `insert`, or `cache_set` on the store of a function of `cached`, here with `max_size`.\n\
         - `set over a value`: the same with keys that the cache holds. From here on, the caches hold 50,000 \
         values.\n- `invalidate, with its refresh`: `invalidate` of the entry marks the value as stale and starts a \
         refresh, and the operation ends with the read that sees the new value. The peers remove the value, and the next \
         call fetches it.\n- `remove`: `remove` of the entry. The peers: moka's `invalidate`, `cache_remove` of \
         `cached`, and `remove` of the others. The values are set again before the clock starts.\n\n"
    );
    let cases = figures.cases("writes");
    for number in Plan::threads() {
        let of_threads: Vec<&str> = cases.iter().copied().filter(|case| ends(case, number)).collect();
        let Some(first) = of_threads.first() else { continue };
        let _ = write!(text, "### {}\n\n", threads(first));
        let head = |case: &str| case.split('|').next().unwrap_or(case).to_owned();
        ratios(text, figures, "writes", &of_threads, head);
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
        "## tail\n\nSingle hits, timed one by one with std's `Instant`, in ns, and kept in an HDR histogram. One thread reads \
         10,000 keys, drawn with an exponent of 0.99, in a full cache of 100,000 entries, `u64 -> u64`. Meanwhile another \
         thread works in the same cache. It sets {} new keys a second, each of which evicts a value. And it refreshes \
         each of the 64 keys that are read most every 5 ms, with a body that sleeps for 3 ms: {} refreshes a second. The \
         clock sets the pace of both, and it is the same for every cache: a slow operation does not delay those that are \
         due after it. `sets a second` and `refreshes a second` are the rates that were reached.\n\n{OURS}: the \
         annotated function is called and awaited, and its entries are `set` and `refresh`ed. moka and quick_cache: \
         `get`; `insert`; a sleep and an `insert`. The first row times nothing while moka's load goes on: it is the cost \
         of the two readings of the clock, which is in every other row too, and the machine's own delays. A percentile is \
         the median over the rounds. `worst` is the longest of all hits. `misses` are reads of keys that were evicted; \
         they are not timed, and the keys are set again.\n\n",
        number(f64::from(SETS)),
        number(f64::from(REFRESHES_A_SECOND))
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
    let behind = |name: &&str| {
        [("sets", SETS), ("refreshes", REFRESHES_A_SECOND)].iter().any(|&(metric, due)| {
            figures.get("tail", tail::CASE, name, metric).is_some_and(|rate| rate < 0.9 * f64::from(due))
        })
    };
    let behind: Vec<&str> = figures.contenders("tail", None).into_iter().filter(behind).collect();
    if !behind.is_empty() {
        let _ = write!(
            text,
            "Not up to the pace, so that the load was lighter than it should be: {}.\n\n",
            behind.join("; ")
        );
    }
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
    let title = "single hits while refreshes and evictions go on: one hit in so many takes longer than this";
    draw(text, plot::curves(&folder.join("plots").join(file), title, "ns", "one hit in", &lines), file);
}

fn counts_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## counts\n\nInstructions (by callgrind) and allocations of one operation that is not a hit, on a current-thread \
         runtime. Each is the mean of {} operations, after {} others that are not counted. The operations are those of \
         `misses`, `background` and `writes`, with the loop around them. The instructions are those of the calling thread \
         and of the tasks on its runtime; the work that a cache does on threads of its own is not counted.\n\n",
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
        "## stale\n\nReads of 1, 100 and 10,000 stale keys. Each was read before, and the bodies of the refreshes that \
         this started do not end. `running` is the number of these bodies. ({OURS} runs 64 refreshes at once, lets 1,024 \
         wait, and refuses the rest.) Each cell is the ratio to {UNIT} of fresh values, with ns a read in brackets. \
         `cached`, foyer, moka and quick_cache do not serve stale values by themselves, though `cached` shows a \
         recipe.\n\n"
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
        "\nReads of 64 stale keys of {OURS}, of a function that returns a `Result`, while no refresh of them can start. \
         `running`: the refreshes run already. `queued`: 64 other refreshes run, and these wait. `refused`: 64 others \
         run, and 1,024 others wait. `in back-off`: eight fetches of each key have failed. No read started a \
         body.\n\n"
    );
    ratios(text, figures, "stale", &states, str::to_owned);
}

fn waiters_section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## waiters\n\n10,000 tasks on a multi-thread runtime wait for one missing key whose fetch takes 200 ms. `over \
         the fetch` is the time from the first spawn to the last answer, less those 200 ms. `CPU` is the CPU time of the \
         whole process. Ratios are to moka future, `get_with`. The last row has no cache: the tasks share one \
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

fn memory_section(text: &mut String, figures: &Figures, folder: &Path, facts: &Facts<'_>) {
    let _ = write!(
        text,
        "## memory\n\nBytes of an entry, `u64 -> u64`: the heap after {} insertions, one by one, divided by their number. \
         The sizes of allocations are as the allocator rounds them up. Bounded caches have room for {} entries.\n\n| | bytes | ratio to moka sync |\n|---|---|---|\n",
        number(facts.plan.scaled(1_000_000) as f64),
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
        let _ = write!(text, "### {}\n\n", code(case));
        columns(
            text,
            figures,
            "allocations",
            case,
            &[("allocations a hit", "allocations"), ("future, bytes", "future")],
        );
    }
}

fn hit_ratio_section(text: &mut String, figures: &Figures, facts: &Facts<'_>) {
    let _ = write!(
        text,
        "## hit-ratio\n\nPercentage of {} reads that hit. The reads are of 100,000 keys (scans read another 10,000), and \
         the capacity is 1, 5, 20 or 50 % of these keys. {OURS} has `fetch_on_miss`, and its own counters say what was a \
         hit; moka does a `get`, then an `insert`. {OURS} reports only some reads to its eviction policy, LRU by default \
         or TinyLFU. In the row below each, moka reports them all. With TinyLFU, {OURS} keeps a two-hundredth of the \
         capacity for new keys, which moka may refuse at once.\n\n",
        count(facts.plan.scaled(2_000_000) as f64)
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
        "## instructions\n\nInstructions of a hit of a single key, counted by callgrind: the difference between two runs \
         with different numbers of reads, divided by the number of additional reads. `with the loop` is one turn of the \
         loop that reads. `a hit` is the cost of the cache alone: one turn, less a turn of the same loop around an async \
         function without a cache. That function has the same arguments, and returns a value of the same type at once, \
         from a body that is not inlined. It is a plain function if the call of the contender is plain. \
         `tests/hit-path` counts {OURS} in the same way in a smaller program, in which the compiler copies less: up to 8 \
         instructions fewer.\n\n| | types | a hit | with the loop |\n|---|---|---|---|\n"
    );
    for case in figures.cases("instructions") {
        for name in figures.contenders("instructions", Some(case)) {
            let count =
                |metric| figures.get("instructions", case, name, metric).map_or_else(String::new, number);
            let (hit, with_loop) = (count(instructions::HIT), count(instructions::WITH_LOOP));
            let _ = writeln!(text, "| {} | {} | {hit} | {with_loop} |", shown(name), code(case));
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
        "## build\n\nFour crates, each with 100 functions of two arguments and a `Result`, all of them called, and with their \
         dependencies already built. A time is that of `cargo build`, less one in which nothing has changed.\n\n- \
         `whole`: the crate, dev profile, without incremental compilation.\n- `changed`: the crate, dev profile, with \
         incremental compilation, after a change without effect.\n- `release`: the crate, release profile; measured \
         once.\n- `bytes a function`: the size of the program, release profile without symbols, less that of one without \
         functions and without a cache, divided by 100. So each function carries its share of the library.\n- \
         `packages`: the packages that the library brings along, with its default features and its normal dependencies \
         (`cached` with `async`, hitbox-fn with `derive` and hitbox-moka).\n\n"
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Figure;
    use crate::loads::LOADS;

    #[test]
    fn a_run_that_ended_early_says_so_and_names_what_failed() {
        let figure = Figure {
            load: "stale".to_owned(),
            case: "1 pending".to_owned(),
            contender: OURS.to_owned(),
            metric: "ns".to_owned(),
            value: 20.0,
        };
        let facts = Facts {
            loads: LOADS,
            done: 5,
            minutes: 2.0,
            plan: Plan::new(true),
            machine: &[],
            failures: &["stale, running: foyer: it hung".to_owned()],
        };
        let text = write(&Figures(vec![figure]), Path::new("nowhere"), &facts);
        for sentence in [
            "Written by `cargo run --release -p cacheback-benches -- --quick` in 2 min",
            &format!("5 of {} loads are in this report", LOADS.len()),
            "- stale, running: foyer: it hung",
            "| `memory` |",
            "## stale",
        ] {
            assert!(text.contains(sentence), "{sentence}\n{text}");
        }
        assert!(!text.contains("## hits"), "{text}");
    }
}
