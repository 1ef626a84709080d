//! Hits on the real clock: they read a coarser one than writes do, and nobody may notice.

use cacheback::{Status, cacheback};
use tokio::sync::Notify;

#[macro_use]
#[path = "../../support/assert_stats.rs"]
mod assert_stats;

static GATE: Notify = Notify::const_new();

/// Fetches never end.
#[cacheback(lifetime = "1h")]
async fn held(key: u64) -> u64 {
    GATE.notified().await;
    key
}

/// The next hit does not call an invalidated value fresh, however soon it comes.
#[tokio::test]
async fn an_invalidated_value_is_stale_at_once() {
    const TIMES: u64 = 2_000;
    for key in 0..TIMES {
        let entry = held::entry(key);
        entry.set(key + 1).await.unwrap();
        assert_eq!(held(key).await, key + 1);
        entry.invalidate().await.unwrap();
        // The refresh runs or waits, so this is a hit of the stale value, by the coarse clock.
        assert_eq!(held(key).await, key + 1);
        if key < 32 {
            assert_eq!(entry.lookup().await.status, Status::Stale);
        }
    }
    assert_stats!(held::cache(), hits: TIMES, stale: TIMES + 32);
}
