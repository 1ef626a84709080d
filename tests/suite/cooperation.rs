//! Rule 12: an immediate answer starves no thread. These loops poll a cache and wait for nothing else, on a runtime
//! with one thread. Their value arrives because empty and stale answers take part in tokio's cooperative budget.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use cacheback::{Cache, Status, cacheback, testing};
use tokio::task::coop;

use crate::support::{Source, secs};

#[cacheback(lifetime = 10, skip(source))]
async fn polled(_id: u64, source: &Arc<Source>) -> u64 {
    source.number().await
}

fn object(source: &Arc<Source>) -> Cache<u64, u64> {
    let source = Arc::clone(source);
    let fetcher = move |_| {
        let source = Arc::clone(&source);
        async move { source.number().await }
    };
    Cache::builder().lifetime(secs(10)).empty(|_| 0).fetcher(fetcher).build().unwrap()
}

/// Calls until the answer is `done`, which it never is if no other task gets a turn.
async fn until<T>(mut call: impl AsyncFnMut() -> T, done: impl Fn(T) -> bool) {
    for _ in 0..100_000 {
        if done(call().await) {
            return;
        }
    }
    panic!("no other task got a turn");
}

#[tokio::test(start_paused = true)]
async fn rule_12_a_loop_that_polls_for_the_first_value_gets_it() {
    let _own = testing::isolate();
    let source = Source::open();
    until(async || polled(1, &source).await, |value| value > 0).await;
    let entry = polled::entry(2, &source);
    until(async || entry.lookup().await, |lookup| lookup.status == Status::Fresh).await;
    let entry = polled::entry(3, &source);
    assert_eq!(polled(3, &source).await, 0);
    until(async || entry.peek().await, |peeked| peeked.is_some()).await;

    let object = object(&source);
    until(async || object.get(&1).await, |value| value > 0).await;
    until(async || object.entry(&2).lookup().await, |lookup| lookup.status == Status::Fresh).await;

    let written: Cache<u64, u64> = Cache::builder().empty(|_| 0).build().unwrap();
    let writer = written.clone();
    tokio::spawn(async move { writer.set(&1, 5).await });
    until(async || written.get(&1).await, |value| value == 5).await;
    let writer = written.clone();
    tokio::spawn(async move { writer.set(&2, 6).await });
    until(async || written.take(&2).await, |taken| taken == Some(6)).await;
}

/// The same with a stale value, also after `invalidate`.
#[tokio::test(start_paused = true)]
async fn rule_12_a_loop_that_polls_for_a_refresh_gets_it() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = polled::entry(1, &source);
    let stale = async |value| {
        entry.set(value).await.unwrap();
        entry.invalidate().await.unwrap();
    };
    stale(1_001).await;
    until(async || polled(1, &source).await, |value| value < 1_000).await;
    stale(1_002).await;
    until(async || entry.get_or_fetch().await, |value| value < 1_000).await;
    stale(1_003).await;
    until(async || entry.lookup().await, |lookup| lookup.status == Status::Fresh).await;
    stale(1_004).await;
    until(async || entry.peek().await, |peeked| peeked.is_some_and(|peeked| peeked.fresh)).await;
    entry.set(1_005).await.unwrap();
    tokio::time::advance(secs(10)).await;
    until(async || polled(1, &source).await, |value| value < 1_000).await;

    let object = object(&source);
    let stale = async |value| {
        object.set(&1, value).await.unwrap();
        object.invalidate(&1).await.unwrap();
    };
    stale(1_006).await;
    until(async || object.get(&1).await, |value| value < 1_000).await;
    stale(1_007).await;
    until(async || object.entry(&1).get_or_fetch().await, |value| value < 1_000).await;

    let brought: Cache<u64, u64> = Cache::builder().build().unwrap();
    brought.set(&1, 1_008).await.unwrap();
    brought.invalidate(&1).await.unwrap();
    until(async || brought.get_or_fetch(&1, || async { 8 }).await, |value| value == 8).await;
}

/// The code around such a loop gets its turn, too, though the refresh never comes.
#[tokio::test(start_paused = true)]
async fn rule_12_a_loop_that_polls_in_vain_can_be_left() {
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = polled::entry(2, &source);
    entry.set(1_000).await.unwrap();
    entry.invalidate().await.unwrap();
    for key in [1, 2] {
        let enough = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&enough);
        tokio::spawn(async move { told.store(true, Ordering::SeqCst) });
        // (tokio's own futures would take part in the budget that the loop has used up.)
        let told = poll_fn(|_| if enough.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending });
        tokio::select! {
            biased;
            () = until(async || polled(key, &source).await, |value| (1..1_000).contains(&value)) => unreachable!(),
            () = told => {}
        }
    }
    let stats = polled::cache().stats();
    assert!(stats.empty > 0 && stats.stale > 0);
}

/// Fresh hits use no budget: a task can have as many as it likes in one go.
#[tokio::test(start_paused = true)]
async fn rule_12_fresh_hits_take_no_part_in_the_cooperative_budget() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = polled::entry(1, &source);
    let object = object(&source);
    entry.set(7).await.unwrap();
    object.set(&1, 7).await.unwrap();
    tokio::task::yield_now().await;
    for _ in 0..1_000 {
        assert_eq!((polled(1, &source).await, entry.lookup().await.value), (7, 7));
        assert_eq!((entry.get_or_fetch().await, entry.peek().await.unwrap().value), (7, 7));
        assert_eq!((object.get(&1).await, object.entry(&1).lookup().await.value), (7, 7));
    }
    assert!(coop::has_budget_remaining());
}
