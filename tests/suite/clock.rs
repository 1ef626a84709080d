//! A clock that stands still, and one that goes back: no key waits for either, and no origin is asked without end.

use std::sync::Arc;

use cacheback::{Status, cacheback, settle, testing};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Source, advance, secs};

#[cacheback(lifetime = 10, max_stale = "1h", skip(source))]
async fn timed(_id: u64, source: &Arc<Source>) -> Result<u64, String> {
    source.run().await
}

/// The clock stands still: ages stay the same, a key in back-off stays there, and readers get the value that was
/// fetched or set last, however many times.
#[tokio::test(start_paused = true)]
async fn a_clock_that_stands_still_holds_up_no_key() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = timed::entry(1, &source);
    source.fail(true);
    for _ in 0..100 {
        assert_eq!(timed(1, &source).await, Ok(0));
        settle().await;
    }
    assert_eq!(source.runs(), 1, "it backs off");
    source.fail(false);
    for value in 10..110 {
        entry.set(value).await.unwrap();
        let lookup = entry.lookup().await;
        assert_eq!((lookup.value, lookup.status, lookup.age), (Ok(value), Status::Fresh, Some(secs(0))));
    }
    for _ in 0..100 {
        entry.invalidate().await.unwrap();
        let cut = entry.lookup().await;
        assert_eq!((cut.status, cut.age), (Status::Stale, Some(secs(0))), "stale at the age of zero");
        settle().await;
        assert_eq!(entry.lookup().await.status, Status::Fresh);
    }
    assert_eq!(source.runs(), 101, "one for each invalidation");
    entry.remove().await.unwrap();
    assert_eq!(entry.peek().await, None);
}

fn paused() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// The clock goes back: the clock of one runtime is an hour ahead of that of another, which reads the values of the first
/// one. A value from the future has the age of zero, and can be invalidated, refreshed and removed.
#[test]
fn a_clock_that_goes_back_holds_up_no_key() {
    let (ahead, behind) = (paused(), paused());
    let source = Source::open();
    let entry = timed::entry(2, &source);
    behind.block_on(async { assert_eq!(entry.peek().await, None) });
    ahead.block_on(async {
        advance(secs(3_600)).await;
        entry.set(7).await.unwrap();
        advance(secs(10)).await;
        assert_eq!(entry.lookup().await.status, Status::Stale);
        settle().await;
        assert_eq!(entry.lookup().await.value, Ok(1));
    });
    behind.block_on(async {
        let lookup = entry.lookup().await;
        assert_eq!((lookup.value, lookup.status, lookup.age), (Ok(1), Status::Fresh, Some(secs(0))));
        entry.invalidate().await.unwrap();
        assert_eq!(entry.lookup().await.status, Status::Stale);
        settle().await;
        assert_eq!(source.runs(), 2, "the invalidation's");
        entry.set(8).await.unwrap();
        let lookup = entry.lookup().await;
        assert_eq!((lookup.value, lookup.status, lookup.age), (Ok(8), Status::Fresh, Some(secs(0))));
        // A back-off that was begun in the future.
        entry.remove().await.unwrap();
    });
    source.fail(true);
    ahead.block_on(async {
        assert!(entry.refresh().await.is_err());
        assert_eq!(entry.lookup().await.status, Status::Empty);
    });
    source.fail(false);
    behind.block_on(async {
        let before = source.runs();
        assert_eq!(timed(2, &source).await, Ok(0));
        settle().await;
        assert_eq!(source.runs(), before, "it is in back-off");
        assert_eq!(entry.get_or_fetch().await, Ok(before + 1), "a caller who waits is not refused");
        assert_eq!(entry.lookup().await.status, Status::Fresh);
    });
}
