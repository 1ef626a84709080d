//! The end of a `Cache`: its values go with it, whoever drops it.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_dropped_cache_drops_what_it_holds_and_answers_who_waits() {
    let _own = testing::isolate();
    let source = Source::gated();
    let fetched = Arc::clone(&source);
    let cache: Cache<u64, Arc<u64>> = Cache::builder()
        .lifetime(secs(10))
        .max_refreshes(1)
        .fetch_on_miss()
        .fetcher(move |_| {
            let source = Arc::clone(&fetched);
            async move { Arc::new(source.number().await) }
        })
        .build()
        .unwrap();
    let kept = |value: u64| {
        let value = Arc::new(value);
        (Arc::downgrade(&value), value)
    };
    let held: Vec<Weak<u64>> = {
        let mut held = Vec::new();
        for key in 1..=3 {
            let (weak, value) = kept(key);
            cache.set(&key, value).await.unwrap();
            held.push(weak);
        }
        held
    };
    advance(secs(10)).await;
    // One refresh runs, one waits in the queue, and a caller waits for a third fetch.
    let _ = (cache.get(&1).await, cache.get(&2).await);
    source.started(1).await;
    let waits = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get(&9).await })
    };
    source.started(2).await;
    let (entry, handle) = (cache.entry(&3), cache.handle());
    waits.abort();
    let waits = tokio::spawn(cache.entry(&9).refresh());
    run_ready().await;
    drop(cache);
    assert!(held.iter().all(|value| value.upgrade().is_none()), "nothing is held");
    assert_eq!(handle.len(), 0);
    source.release_all();
    assert_eq!(*waits.await.unwrap(), 2, "the waiter is answered");
    settle().await;
    assert_eq!((source.runs(), handle.len()), (2, 0), "the queued one never ran");
    assert_stats!(handle, skipped: 1, "the queued one never ran");
    // An entry that outlives the cache still works, without its values.
    assert_eq!(*entry.get_or_fetch().await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_cache_is_gone_once_its_fetches_are() {
    struct Guard(Arc<AtomicU64>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let _own = testing::isolate();
    let dropped = Arc::new(AtomicU64::new(0));
    let (source, guard) = (Source::gated(), Arc::new(Guard(Arc::clone(&dropped))));
    let fetched = Arc::clone(&source);
    let cache: Cache<u64, u64> = Cache::builder()
        .fetcher(move |_| {
            let (source, guard) = (Arc::clone(&fetched), Arc::clone(&guard));
            async move {
                let _guard = guard;
                source.number().await
            }
        })
        .build()
        .unwrap();
    assert_eq!(cache.get(&1).await, 0);
    source.started(1).await;
    drop(cache);
    assert_eq!(dropped.load(Ordering::SeqCst), 0, "its fetch still runs");
    source.release_all();
    settle().await;
    run_ready().await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1, "fetcher and all");
}

/// Runs when it is dropped.
struct OnDrop(Box<dyn Fn() + Send + Sync>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// In each of its own closures, in its fetch and in the `Drop` of a value: callers who wait are answered, no fetch
/// hangs, and the entries that were taken from it still work.
#[tokio::test(start_paused = true)]
async fn a_cache_may_be_dropped_by_its_own_closures() {
    type Objects = Cache<u64, Arc<OnDrop>>;
    for place in ["fetcher", "body", "weigh", "lifetime_for", "vary", "empty", "drop"] {
        let _own = testing::isolate();
        let last: Arc<Mutex<Option<Objects>>> = Arc::default();
        let at = |here: &'static str| {
            let last = Arc::clone(&last);
            move || {
                let dropped = if here == place { last.lock().unwrap().take() } else { None };
                drop(dropped);
            }
        };
        let value = |dropped: Box<dyn Fn() + Send + Sync>| Arc::new(OnDrop(dropped));
        let (weigh, lifetime_for, vary, empty) = (at("weigh"), at("lifetime_for"), at("vary"), at("empty"));
        let (fetcher, body) = (at("fetcher"), Arc::new(at("body")));
        let cache = Cache::builder()
            .name("last")
            .max_bytes(1_000)
            .weigh(move |_| {
                weigh();
                1_u64
            })
            .lifetime_for(move |_| {
                lifetime_for();
                secs(10)
            })
            .vary(move |_, _| vary())
            .empty(move |_| {
                empty();
                value(Box::new(|| ()))
            })
            .fetcher(move |_| {
                fetcher();
                let body = Arc::clone(&body);
                async move {
                    tokio::task::yield_now().await;
                    body();
                    value(Box::new(|| ()))
                }
            })
            .build()
            .unwrap();
        cache.set(&1, value(Box::new(at("drop")))).await.unwrap();
        advance(secs(10)).await;
        let (handle, entries) = (cache.handle(), [1, 2, 3].map(|key| cache.entry(&key)));
        *last.lock().unwrap() = Some(cache);
        let mut calls = Vec::new();
        for entry in &entries {
            let (reads, waits) = (entry.lookup(), entry.refresh());
            calls.push(tokio::spawn(async move { drop(reads.await) }));
            calls.push(tokio::spawn(async move { drop(waits.await) }));
        }
        for call in calls {
            timeout(secs(300), call).await.expect("somebody waits for ever").unwrap();
        }
        timeout(secs(300), settle()).await.expect("a fetch never ends");
        assert!(last.lock().unwrap().is_none() && caches().is_empty(), "{place}");
        for entry in &entries {
            timeout(secs(300), entry.get_or_fetch()).await.expect("a key is stuck");
        }
        assert_stats!(handle, in_flight: 0, "{place}");
    }
}

/// In a destructor of its thread, when tokio's clock can no longer be read. A panic there would end the process.
#[test]
fn a_cache_may_be_dropped_with_its_thread() {
    thread_local! {
        static LAST: RefCell<Option<Cache<u64, u64>>> = const { RefCell::new(None) };
    }
    let ends = std::thread::spawn(|| {
        // First, and so its destructor is the last.
        LAST.with(|_| ());
        let cache: Cache<u64, u64> = Cache::builder().name("last").build().unwrap();
        let handle = cache.handle();
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(cache.set(&1, 1)).unwrap();
        LAST.set(Some(cache));
        handle
    });
    assert!(ends.join().unwrap().is_empty());
}
