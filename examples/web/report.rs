//! The printed report.

use std::time::Duration;

use crate::load::Load;

/// Both paths under load, with the queries that SQLite executed for them.
pub(crate) fn under_load(ways: [(&str, &Load, u64); 2]) {
    println!("\n  {:<8}{:>10}{:>10}{:>12}{:>12}{:>10}", "", "REQUESTS", "A SECOND", "P50", "P99", "QUERIES");
    for (path, load, queries) in ways {
        println!(
            "  {path:<8}{:>10}{:>10}{:>12}{:>12}{:>10}",
            grouped(load.answered + load.failed),
            grouped(load.per_second()),
            shown(load.percentile(0.50)),
            shown(load.percentile(0.99)),
            grouped(queries),
        );
    }
}

/// Both paths without the database, with the number of failed queries.
pub(crate) fn without_database(ways: [(&str, &Load, u64); 2]) {
    println!("\n  {:<8}{:>10}{:>10}{:>24}", "", "ANSWERS", "ERRORS", "ASKED THE DATABASE");
    for (path, load, asked) in ways {
        let (answered, failed) = (grouped(load.answered), grouped(load.failed));
        println!("  {path:<8}{answered:>10}{failed:>10}{:>24}", grouped(asked));
    }
}

/// A number with thousands separators.
pub(crate) fn grouped(number: u64) -> String {
    if number < 1_000 {
        number.to_string()
    } else {
        format!("{},{:03}", grouped(number / 1_000), number % 1_000)
    }
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
