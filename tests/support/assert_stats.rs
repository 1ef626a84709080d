//! `assert_stats!`: the counters of a cache, asserted by their names.
//!
//! A test program takes it in at its root:
//!
//! ```ignore
//! #[macro_use]
//! #[path = "../support/assert_stats.rs"]
//! mod assert_stats;
//! ```

use std::fmt::Arguments;

use cacheback::Stats;

/// Asserts some counters of a cache, and with `..0` that all others are zero. A message may follow.
///
/// ```ignore
/// assert_stats!(users::cache(), empty: 2, hits: 2, fetches: 2);
/// assert_stats!(users::cache(), waited: 1, fetches: 1, entries: 1, ..0);
/// assert_stats!(users::cache(), in_flight: 0, "round {round}");
/// ```
///
/// The cache is an expression with a `stats()`. A counter that does not exist, or is named twice, does not compile.
macro_rules! assert_stats {
    ($cache:expr, $($counter:ident: $count:expr),+, ..0 $(, $message:literal)? $(,)?) => {
        assert_stats!(@ $cache, |_| ::cacheback::Stats::default(), [$($counter: $count),+] $($message)?)
    };
    ($cache:expr, $($counter:ident: $count:expr),+ $(, $message:literal)? $(,)?) => {
        assert_stats!(@ $cache, |found| found, [$($counter: $count),+] $($message)?)
    };
    (@ $cache:expr, $others:expr, [$($counter:ident: $count:expr),+] $($message:literal)?) => {{
        let found: ::cacheback::Stats = $cache.stats();
        let others: fn(::cacheback::Stats) -> ::cacheback::Stats = $others;
        let mut expected = others(found);
        $(expected.$counter = $count;)+
        // A pattern names no field twice.
        let ::cacheback::Stats { $($counter: _,)+ .. } = expected;
        $crate::assert_stats::check(stringify!($cache), found, expected, &[$(format_args!($message))?]);
    }};
}

#[track_caller]
pub(crate) fn check(cache: &str, found: Stats, expected: Stats, message: &[Arguments<'_>]) {
    if found == expected {
        return;
    }
    // `Debug` knows every counter, also those to come.
    let (found_lines, expected_lines) = (format!("{found:#?}"), format!("{expected:#?}"));
    let pairs = found_lines.lines().zip(expected_lines.lines()).filter(|(found, expected)| found != expected);
    let differences = pairs.map(|(found, expected)| {
        let (counter, expected) = expected.trim_end_matches(',').split_once(": ").unwrap_or((expected, ""));
        let (_, found) = found.trim_end_matches(',').split_once(": ").unwrap_or(("", found));
        format!("{counter}: expected {expected}, found {found}\n")
    });
    let message: String = message.iter().map(|message| format!(", {message}")).collect();
    let differences: String = differences.collect();
    panic!("counters of `{cache}`{message}:\n{differences}{found:?}");
}
