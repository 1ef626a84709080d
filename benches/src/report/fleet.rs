//! The section of the load `fleet`.

use std::fmt::Write as _;
use std::path::Path;

use super::tables::draw;
use crate::contenders::OURS;
use crate::figure::Figures;
use crate::loads::fleet::{self, SIZES, Trouble};
use crate::plot::{self, count, number};
use crate::server;

/// The share of one core that the server may be busy.
const BUSY: f64 = 0.5;

pub(super) fn section(text: &mut String, figures: &Figures, folder: &Path) {
    introduction(text);
    for trouble in Trouble::ALL {
        table(text, figures, trouble);
    }
    carried(text, figures, folder);
}

fn introduction(text: &mut String) {
    let _ = write!(
        text,
        "## fleet\n\nA simulation of discrete events: one key in many processes over one server. What a process does, and \
         what the server answers, is decided by the library's own code (`rules`, and the state machine of the tier); \
         callers, clocks, ways and the origin are simulated (`benches/src/simulation.rs`). Each process has {} calls a \
         second of that key. The lifetime is {} s, the body takes {} ms, and a way to the server or back {} us (median; log-normal, \
         one in a hundred takes ten times as long). `changes`: once in {} s on average the data of the origin changes, \
         and the process that changed it invalidates the key. `lost messages`: the subscription of a process breaks \
         once in {} minutes on average, and what it misses until that is noticed, up to 4 s later, is lost. \
         `drifting clocks`: each by up to {} millionths.\n\nA *question* is a round trip to the server: a look, a request \
         for the lease, or a store. `bodies` are those of the whole fleet, the first column those of the first lifetime, \
         which begins with empty caches everywhere. The last columns are what a call at a random moment gets: `waits` \
         for a look, a `stale` value, how long past its lifetime, and for how long at worst it had been outdated by a change \
         when it was served as fresh.\n\n",
        fleet::CALLS,
        fleet::LIFETIME.as_secs(),
        fleet::BODY.as_millis(),
        fleet::WAY.as_micros(),
        fleet::CHANGES_EVERY.as_secs(),
        fleet::BREAKS_EVERY.as_secs() / 60,
        fleet::DRIFT * 1e6,
    );
}

fn table(text: &mut String, figures: &Figures, trouble: Trouble) {
    let columns = [
        ("bodies, cold", fleet::COLD),
        ("bodies a lifetime", fleet::BODIES),
        ("questions of a process", fleet::QUESTIONS),
        ("messages to a process", fleet::MESSAGES),
        ("waits, %", fleet::LOOKS),
        ("stale, %", fleet::STALE),
        ("past its lifetime, p99, ms", fleet::OVERDUE_P99),
        ("outdated as fresh, worst, ms", fleet::OUTDATED_MAX),
    ];
    let heads: Vec<&str> = columns.iter().map(|column| column.0).collect();
    let _ = writeln!(
        text,
        "### {}\n\n| processes | {} |\n|---{}|",
        trouble.name(),
        heads.join(" | "),
        "|---".repeat(heads.len())
    );
    for size in SIZES {
        let case = fleet::case(trouble, size);
        let get = |metric| figures.get(fleet::NAME, &case, OURS, metric);
        if get(fleet::BODIES).is_none() {
            continue;
        }
        let cells: Vec<String> =
            columns.iter().map(|column| get(column.1).map_or_else(String::new, count)).collect();
        let _ = writeln!(text, "| {} | {} |", count(size as f64), cells.join(" | "));
    }
    text.push('\n');
}

/// Microseconds of the server's CPU that a key costs in a lifetime.
fn cost(figures: &Figures, trouble: Trouble, size: usize) -> Option<f64> {
    let get = |case: &str, metric| figures.get(fleet::NAME, case, OURS, metric);
    let case = fleet::case(trouble, size);
    let questions = get(&case, fleet::QUESTIONS)? * get(fleet::SERVER, fleet::QUESTION_COST)?;
    let messages = get(&case, fleet::MESSAGES)? * get(fleet::SERVER, fleet::MESSAGE_COST)?;
    Some(size as f64 * (questions + messages))
}

/// How many keys keep one core of the server half busy.
fn keys(figures: &Figures, trouble: Trouble, size: usize) -> Option<f64> {
    Some(BUSY * fleet::LIFETIME.as_micros() as f64 / cost(figures, trouble, size)?)
}

fn carried(text: &mut String, figures: &Figures, folder: &Path) {
    let get = |metric| figures.get(fleet::NAME, fleet::SERVER, OURS, metric);
    let (Some(question), Some(message)) = (get(fleet::QUESTION_COST), get(fleet::MESSAGE_COST)) else {
        return;
    };
    let _ = write!(
        text,
        "### what one server carries\n\nMeasured on this machine{}: a question costs the server {} us of CPU (a refresh of \
         values of 1 KiB, which asks twice), and a message to one of {} subscribers {} us. So it has one core half busy \
         with so many keys, if every process calls each of them all the time:\n\n| processes | {} |\n|---|---|---|---|\n",
        server::version().map_or_else(String::new, |version| format!(" (Redis {version})")),
        number(question),
        fleet::SUBSCRIBERS,
        number(message),
        Trouble::ALL.map(Trouble::name).join(" | "),
    );
    for size in SIZES {
        let cells = Trouble::ALL.map(|trouble| {
            keys(figures, trouble, size).map_or_else(String::new, |keys| number(keys.floor()))
        });
        let _ = writeln!(text, "| {} | {} |", count(size as f64), cells.join(" | "));
    }
    text.push('\n');
    let lines: Vec<plot::Line<'_>> = Trouble::ALL
        .into_iter()
        .map(|trouble| {
            let points =
                SIZES.into_iter().filter_map(|size| Some((size as f64, keys(figures, trouble, size)?)));
            (trouble.name(), points.collect(), trouble == Trouble::None)
        })
        .collect();
    let path = folder.join("plots").join("fleet.svg");
    let title = "keys that keep one core of a Redis server half busy, lifetime 60 s";
    draw(text, plot::curves(&path, title, "keys", "processes", &lines), "fleet.svg");
}
