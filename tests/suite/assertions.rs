//! The tests' own `assert_stats!`: a failure names the counters that differ.

use cacheback::Cache;

fn cache_of_one_value() -> Cache<u64, u64> {
    Cache::builder().build().unwrap()
}

/// The message of the panic with which `assertion` fails.
fn failure(assertion: impl FnOnce() + std::panic::UnwindSafe) -> String {
    *std::panic::catch_unwind(assertion).unwrap_err().downcast().unwrap()
}

#[tokio::test(start_paused = true)]
async fn assert_stats_names_each_counter_that_differs() {
    let squares = cache_of_one_value();
    squares.set(&3, 9).await.unwrap();
    assert_eq!(squares.get(&3).await, 9);
    assert_stats!(squares, hits: 1, entries: 1);
    assert_stats!(squares, hits: 1, entries: 1, ..0, "and nothing else");

    let round = 7;
    let message = failure(|| assert_stats!(squares, hits: 2, stale: 0, entries: 3, "round {round}"));
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "counters of `squares`, round 7:",
            "    hits: expected 2, found 1",
            "    entries: expected 3, found 1"
        ]
    );
    assert!(lines[3].starts_with("Stats { hits: 1, stale: 0, "), "{message}");

    let message = failure(|| assert_stats!(squares, hits: 1, ..0));
    assert!(message.contains("entries: expected 0, found 1") && !message.contains("hits: exp"), "{message}");
}
