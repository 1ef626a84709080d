//! Rows and columns, plots, and the names of cases.

use std::fmt::Write as _;
use std::path::Path;

use crate::contenders::writes::Write;
use crate::contenders::{OURS, OURS_TINY_LFU};
use crate::figure::Figures;
use crate::plot::{self, count, number};

/// A row for each contender, and a column for each case.
pub(super) fn ratios(
    text: &mut String,
    figures: &Figures,
    load: &str,
    cases: &[&str],
    head: impl Fn(&str) -> String,
) {
    let Some(first) = cases.first() else { return };
    let heads: Vec<String> = cases.iter().map(|case| head(case)).collect();
    let _ = writeln!(text, "| | {} |\n|---{}|", heads.join(" | "), "|---".repeat(cases.len()));
    for one in figures.contenders(load, Some(first)) {
        let cells: Vec<String> = cases.iter().map(|case| ratio(figures, load, case, one)).collect();
        let _ = writeln!(text, "| {} | {} |", shown(label(first, one)), cells.join(" | "));
    }
    text.push('\n');
}

pub(super) fn ratio(figures: &Figures, load: &str, case: &str, name: &str) -> String {
    let get = |metric| figures.get(load, case, name, metric);
    match (get("ratio"), get("ns")) {
        (Some(ratio), Some(ns)) => format!("{} ({})", number(ratio), number(ns)),
        _ => String::new(),
    }
}

/// A row for each contender, and a column for each metric.
pub(super) fn columns(
    text: &mut String,
    figures: &Figures,
    load: &str,
    case: &str,
    metrics: &[(&str, &str)],
) {
    let heads: Vec<&str> = metrics.iter().map(|metric| metric.0).collect();
    let _ = writeln!(text, "| | {} |\n|---{}|", heads.join(" | "), "|---".repeat(heads.len()));
    for one in figures.contenders(load, Some(case)) {
        let cells: Vec<String> = metrics
            .iter()
            .map(|metric| figures.get(load, case, one, metric.1).map_or_else(String::new, count))
            .collect();
        let _ = writeln!(text, "| {} | {} |", shown(label(case, one)), cells.join(" | "));
    }
    text.push('\n');
}

#[allow(clippy::too_many_arguments, reason = "a destination, texts, and a choice of figures")]
pub(super) fn bars(
    text: &mut String,
    figures: &Figures,
    folder: &Path,
    file: &str,
    title: &str,
    unit: &str,
    load: &str,
    case: &str,
    metric: &str,
) {
    let values: Vec<(&str, f64, bool)> = figures
        .contenders(load, Some(case))
        .into_iter()
        .filter_map(|name| Some((label(case, name), figures.get(load, case, name, metric)?, name == OURS)))
        .collect();
    draw(text, plot::bars(&folder.join("plots").join(file), title, unit, &values), file);
}

pub(super) fn draw(text: &mut String, drawn: Result<(), Box<dyn std::error::Error>>, file: &str) {
    match drawn {
        Ok(()) => {
            let _ = write!(text, "![{}](plots/{file})\n\n", file.trim_end_matches(".svg"));
        }
        Err(error) => eprintln!("no plot {file}: {error}"),
    }
}

/// The name of a contender; ours is bold.
pub(super) fn shown(name: &str) -> String {
    if name == OURS || name == OURS_TINY_LFU { format!("**{name}**") } else { name.to_owned() }
}

/// The name of a contender in a case. A write is not the operation in the contender's own name.
fn label<'a>(case: &str, contender: &'a str) -> &'a str {
    let written = Write::ALL.iter().any(|write| case.starts_with(write.name()));
    // The two attributes of `cached` have stores of their own.
    if !written || contender.starts_with("cached,") {
        contender
    } else {
        contender.split(',').next().unwrap_or(contender)
    }
}

/// Types with their angle brackets.
pub(super) fn code(types: &str) -> String {
    format!("`{types}`")
}

/// The parts of the case `types|load|threads`.
pub(super) fn load(case: &str) -> String {
    case.split('|').nth(1).unwrap_or(case).to_owned()
}

pub(super) fn threads(case: &str) -> String {
    case.rsplit('|').next().map_or_else(String::new, |threads| {
        format!("{threads} thread{}", if threads == "1" { "" } else { "s" })
    })
}

pub(super) fn ends(case: &str, threads: usize) -> bool {
    case.rsplit('|').next() == Some(&threads.to_string())
}
