//! `Cache`: the same rules without the macro.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use cacheback::{Cache, Eviction, Policy, Status, caches, settle, testing};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::support::{Source, advance, run_ready, secs};

/// A cache of numbers by name; its values are those of the source.
fn numbers(source: &Arc<Source>) -> Cache<String, u64> {
    let source = Arc::clone(source);
    let fetcher = move |_: String| {
        let source = Arc::clone(&source);
        async move { source.number().await }
    };
    Cache::builder().lifetime(secs(10)).retention(secs(60)).fetcher(fetcher).build().unwrap()
}

/// One of results, where callers wait.
fn results(source: &Arc<Source>) -> Cache<u64, Result<u64, String>> {
    let source = Arc::clone(source);
    let fetcher = move |_| {
        let source = Arc::clone(&source);
        async move { source.run().await }
    };
    Cache::builder().lifetime(secs(10)).fetch_on_miss().try_fetcher(fetcher).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_miss_is_answered_empty_and_fetched_behind() {
    let _own = testing::isolate();
    let source = Source::open();
    let cache = numbers(&source);
    assert_eq!(cache.get("a").await, 0);
    settle().await;
    assert_eq!(cache.get("a").await, 1);
    assert_eq!(cache.get(&"a".to_owned()).await, 1, "the key as it is finds the same entry");
    assert_eq!(cache.get("b").await, 0);
    settle().await;
    let stats = cache.stats();
    assert_eq!((stats.empty, stats.hits, stats.fetches, stats.entries), (2, 2, 2, 2));
    assert_eq!((cache.len(), cache.is_empty()), (2, false));
}

#[tokio::test(start_paused = true)]
async fn stale_is_served_at_once_and_refreshed_once() {
    let _own = testing::isolate();
    let source = Source::gated();
    let cache = numbers(&source);
    cache.set("a", 7).await.unwrap();
    advance(secs(10)).await;
    for _ in 0..3 {
        let lookup = cache.entry("a").lookup().await;
        assert_eq!((lookup.value, lookup.status, lookup.age), (7, Status::Stale, Some(secs(10))));
        assert_eq!(cache.get("a").await, 7);
    }
    source.started(1).await;
    source.release_all();
    settle().await;
    assert_eq!((cache.get("a").await, source.runs()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn callers_who_wait_share_one_fetch_and_its_error() {
    let _own = testing::isolate();
    let source = Source::gated();
    source.fail(true);
    let cache = results(&source);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get(&1).await })
        })
        .collect();
    source.started(1).await;
    run_ready().await;
    source.release(1);
    for call in calls {
        assert_eq!(call.await.unwrap(), Err("run 1 failed".to_owned()));
    }
    assert_eq!((source.runs(), cache.len()), (1, 0), "an error is not cached");
    source.fail(false);
    source.release_all();
    assert_eq!(cache.get(&1).await, Ok(2));
    assert_eq!(cache.entry(&1).peek().await.map(|snapshot| snapshot.value), Some(2));
    assert_eq!(cache.peek(&1).await.map(|snapshot| snapshot.value), Some(Ok(2)));
    cache.entry(&1).set(8).await.unwrap();
    cache.set(&2, Ok(9)).await.unwrap();
    assert!(cache.set(&3, Err(String::new())).await.is_err());
    assert_eq!((cache.get(&1).await, cache.get(&2).await, source.runs()), (Ok(8), Ok(9), 2));
}

/// An error without `Clone`.
#[derive(Debug)]
struct Failed(&'static str);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_without_clone_is_shared_as_the_builder_says() {
    let _own = testing::isolate();
    let cache: Cache<u64, Result<u64, Failed>> = Cache::builder()
        .try_fetcher(|_| async { Err(Failed("no")) })
        .share_err(|failed| Failed(failed.0))
        .cache_err(secs(5))
        .build()
        .unwrap();
    assert_eq!(cache.get(&1).await.unwrap(), 0, "the empty value, in `Ok`");
    settle().await;
    assert_eq!(cache.entry(&1).get_or_fetch().await.unwrap_err().0, "no");
    assert_eq!(cache.stats().fetches, 1, "it is kept for those who wait");
}

#[tokio::test(start_paused = true)]
async fn without_a_fetcher_each_call_brings_its_own() {
    let _own = testing::isolate();
    let source = Source::gated();
    let cache: Cache<u64, u64> = Cache::builder().lifetime(secs(10)).build().unwrap();
    let fetch = || {
        let (cache, source) = (cache.clone(), Arc::clone(&source));
        async move { cache.get_or_fetch(&1, move || async move { source.number().await }).await }
    };
    let (one, other) = (tokio::spawn(fetch()), tokio::spawn(fetch()));
    source.started(1).await;
    run_ready().await;
    source.release(1);
    assert_eq!((one.await.unwrap(), other.await.unwrap(), source.runs()), (1, 1, 1));
    assert_eq!(cache.get(&1).await, 1, "a hit needs no fetcher");
    // Stale: the value at once, and this caller's fetch behind it.
    advance(secs(10)).await;
    assert_eq!(fetch().await, 1);
    source.started(2).await;
    assert_eq!(fetch().await, 1);
    source.release_all();
    settle().await;
    assert_eq!((fetch().await, source.runs()), (2, 2));
    cache.remove(&1).await.unwrap();
    assert_eq!(cache.peek(&1).await, None);
    assert_eq!(fetch().await, 3);
}

#[tokio::test(start_paused = true)]
async fn without_a_fetcher_invalidate_only_marks() {
    let _own = testing::isolate();
    let source = Source::open();
    let cache: Cache<u64, u64> = Cache::builder().lifetime(secs(10)).build().unwrap();
    cache.invalidate(&1).await.unwrap();
    assert!(cache.is_empty());
    cache.set(&1, 7).await.unwrap();
    for entry_too in [false, true] {
        cache.invalidate(&1).await.unwrap();
        if entry_too {
            cache.entry(&1).invalidate().await.unwrap();
        }
        settle().await;
        let snapshot = cache.peek(&1).await.unwrap();
        assert_eq!((snapshot.value, snapshot.fresh), (7, false));
        assert_eq!(cache.stats().fetches, 0);
    }
    let refresh = Arc::clone(&source);
    assert_eq!(cache.get_or_fetch(&1, move || async move { refresh.number().await }).await, 7);
    settle().await;
    assert_eq!((cache.get(&1).await, source.runs()), (1, 1));
}

/// What runs when its key is invalidated answers those who wait and is not stored, also where nothing takes its place.
#[tokio::test(start_paused = true)]
async fn without_a_fetcher_invalidate_supersedes_what_runs() {
    let _own = testing::isolate();
    let source = Source::gated();
    let cache: Cache<u64, u64> = Cache::builder().build().unwrap();
    let fetch = |source: &Arc<Source>| {
        let (cache, source) = (cache.clone(), Arc::clone(source));
        tokio::spawn(
            async move { cache.get_or_fetch(&1, move || async move { source.number().await }).await },
        )
    };
    let early = fetch(&source);
    source.started(1).await;
    cache.invalidate(&1).await.unwrap();
    let late = fetch(&source);
    source.started(2).await;
    source.release(2);
    assert_eq!(late.await.unwrap(), 2, "nobody joins a superseded fetch");
    source.release(1);
    assert_eq!(early.await.unwrap(), 1);
    settle().await;
    assert_eq!((cache.get(&1).await, cache.stats().discarded), (2, 1));
}

/// The refresh of a stale value too: the next caller does not wait for it to time out.
#[tokio::test(start_paused = true)]
async fn without_a_fetcher_invalidate_makes_room_for_the_next_refresh() {
    let _own = testing::isolate();
    let source = Source::gated();
    let cache: Cache<u64, u64> = Cache::builder().lifetime(secs(10)).build().unwrap();
    let call = |cache: &Cache<u64, u64>| {
        let (cache, source) = (cache.clone(), Arc::clone(&source));
        async move { cache.get_or_fetch(&1, move || async move { source.number().await }).await }
    };
    cache.set(&1, 7).await.unwrap();
    advance(secs(10)).await;
    assert_eq!(call(&cache).await, 7);
    source.started(1).await;
    cache.invalidate(&1).await.unwrap();
    assert_eq!(call(&cache).await, 7);
    source.started(2).await;
    source.release_all();
    settle().await;
    assert_eq!((cache.get(&1).await, cache.stats().discarded), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_nothing_can_answer_says_what_to_call() {
    let _own = testing::isolate();
    let cache: Cache<u64, u64> = Cache::builder().name("numbers").build().unwrap();
    let panicked = tokio::spawn(async move { cache.get(&1).await }).await.unwrap_err().into_panic();
    let message = panicked.downcast_ref::<String>().unwrap();
    assert_eq!(message, "cacheback: cache `numbers` has no fetcher: call `get_or_fetch`");
}

/// What is cached is served, stale and too stale too; nothing is started that could only fail, so that the next call
/// with a fetch of its own is not held up by a back-off.
#[tokio::test(start_paused = true)]
async fn without_a_fetcher_reads_start_nothing() {
    let _own = testing::isolate();
    let cache: Cache<u64, u64> = Cache::builder().lifetime(secs(10)).max_stale(secs(10)).build().unwrap();
    cache.set(&1, 7).await.unwrap();
    for age in [10, 20] {
        advance(secs(10)).await;
        let lookup = cache.entry(&1).lookup().await;
        assert_eq!((lookup.value, lookup.status, lookup.age), (7, Status::Stale, Some(secs(age))));
        assert_eq!((cache.get(&1).await, cache.entry(&1).get_or_fetch().await), (7, 7));
    }
    let reads = |number| {
        let entry = cache.entry(&2);
        tokio::spawn(async move {
            match number {
                0 => entry.lookup().await.value,
                1 => entry.get_or_fetch().await,
                _ => entry.refresh().await,
            }
        })
    };
    for number in 0..3 {
        let panicked = reads(number).await.unwrap_err().into_panic();
        let message = panicked.downcast_ref::<String>().unwrap();
        assert!(message.contains("has no fetcher: call `get_or_fetch`"), "{message}");
    }
    settle().await;
    let stats = cache.stats();
    assert_eq!((stats.stale, stats.empty, stats.waited), (6, 0, 0));
    assert_eq!((stats.fetches, stats.panics, stats.entries), (0, 0, 1));
    let empty: Cache<u64, u64> = Cache::builder().empty(|key| *key).build().unwrap();
    assert_eq!((empty.get(&9).await, empty.entry(&9).lookup().await.status), (9, Status::Empty));
    settle().await;
    assert_eq!(empty.stats().fetches, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_with_its_own_fetch_takes_the_place_of_the_fetcher() {
    let _own = testing::isolate();
    let source = Source::open();
    let cache = numbers(&source);
    assert_eq!(cache.get_or_fetch("a", || async { 77 }).await, 77);
    assert_eq!((cache.get("a").await, source.runs()), (77, 0));
    advance(secs(10)).await;
    assert_eq!(cache.get("a").await, 77);
    settle().await;
    assert_eq!((cache.get("a").await, source.runs()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_panics_is_a_fetch_that_failed() {
    let _own = testing::isolate();
    let cache: Cache<u64, u64> = Cache::builder()
        .name("numbers")
        .lifetime(secs(10))
        .fetch_on_miss()
        .fetcher(|key: u64| {
            assert_ne!(key, 1, "before its first await");
            async move { panic!("{key}") }
        })
        .build()
        .unwrap();
    for (key, what) in [(1, "before its first await"), (2, "2")] {
        let cache = cache.clone();
        let panicked = tokio::spawn(async move { cache.get(&key).await }).await.unwrap_err().into_panic();
        let message = panicked.downcast_ref::<String>().unwrap();
        assert!(message.starts_with("`numbers` panicked: ") && message.contains(what), "{message}");
    }
    cache.set(&1, 7).await.unwrap();
    advance(secs(10)).await;
    assert_eq!(cache.get(&1).await, 7, "stale is served");
    settle().await;
    assert_eq!((cache.get(&1).await, cache.stats().panics), (7, 3));
}

/// Two repositories with a cache each: what one fetched the other does not see.
#[tokio::test(start_paused = true)]
async fn a_field_is_a_cache_of_its_instance() {
    struct Repository {
        users: Cache<u64, String>,
    }
    impl Repository {
        fn new(database: &'static str) -> Self {
            let users = Cache::builder()
                .fetch_on_miss()
                .fetcher(move |id: u64| async move { format!("{database} {id}") })
                .build();
            Self { users: users.unwrap() }
        }
    }
    let _own = testing::isolate();
    let (one, other) = (Repository::new("one"), Repository::new("other"));
    assert_eq!(one.users.get(&1).await, "one 1");
    assert_eq!(other.users.get(&1).await, "other 1");
    let same = one.users.clone();
    same.clear().await.unwrap();
    assert_eq!((one.users.len(), other.users.len()), (0, 1));
}

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
    // One refresh runs, one waits for it, and somebody waits for a third.
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
    assert_eq!(*waits.await.unwrap(), 2, "who waited is answered");
    settle().await;
    assert_eq!((source.runs(), handle.stats().skipped, handle.len()), (2, 1, 0), "the queued one never ran");
    // An entry that is left works, on a cache that is empty.
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

/// In each of its own closures, in its fetch and in the `Drop` of a value: those who wait are answered, no fetch
/// hangs, and what was taken from it works.
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
        assert_eq!(handle.stats().in_flight, 0, "{place}");
    }
}

/// In a destructor of its thread, when tokio's clock can be read no more: no panic, which would end the process.
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

#[tokio::test(start_paused = true)]
async fn options_may_depend_on_the_key() {
    let _own = testing::isolate();
    let source = Source::gated();
    let fetched = Arc::clone(&source);
    let cache: Cache<u64, u64> = Cache::builder()
        .vary(|key, policy| {
            policy.lifetime = secs(*key);
            policy.fetch_on_miss = *key > 100;
            policy.wait = Some(secs(3));
        })
        .empty(|key| *key)
        .fetcher(move |_| {
            let source = Arc::clone(&fetched);
            async move { source.number().await }
        })
        .build()
        .unwrap();
    for key in [10, 20] {
        cache.set(&key, 7).await.unwrap();
    }
    advance(secs(15)).await;
    let statuses = [cache.entry(&10).lookup().await.status, cache.entry(&20).lookup().await.status];
    assert_eq!(statuses, [Status::Stale, Status::Fresh]);
    assert_eq!(cache.get(&30).await, 30, "the empty value of its key");
    let asked = tokio::time::Instant::now();
    assert_eq!(cache.get(&200).await, 200);
    assert_eq!(asked.elapsed(), secs(3), "it waited so long");
    source.release_all();
    settle().await;
    assert!(cache.policy().varies.contains(&"lifetime"));
}

/// Nobody can be answered with a value that does not exist, whatever `vary` says.
#[tokio::test(start_paused = true)]
async fn where_no_empty_value_exists_callers_wait() {
    #[derive(Clone, Debug, PartialEq)]
    struct NoDefault(u64);
    let _own = testing::isolate();
    let source = Source::gated();
    let fetched = Arc::clone(&source);
    let cache: Cache<u64, NoDefault> = Cache::builder()
        .fetch_on_miss()
        .vary(|_, policy| {
            policy.fetch_on_miss = false;
            policy.wait = Some(secs(1));
        })
        .fetcher(move |_| {
            let source = Arc::clone(&fetched);
            async move { NoDefault(source.number().await) }
        })
        .build()
        .unwrap();
    let waits = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get(&1).await })
    };
    source.started(1).await;
    advance(secs(2)).await;
    run_ready().await;
    assert!(!waits.is_finished());
    source.release_all();
    assert_eq!(waits.await.unwrap(), NoDefault(1));
}

#[tokio::test(start_paused = true)]
async fn values_are_weighed_and_have_lifetimes_of_their_own() {
    let _own = testing::isolate();
    let cache: Cache<u64, String> = Cache::builder()
        .weigh(String::len)
        .max_bytes(1_000)
        .lifetime_for(|value| Duration::from_secs(value.len() as u64))
        .fetch_on_miss()
        .fetcher(|key: u64| async move { "x".repeat(usize::try_from(key).unwrap()) })
        .build()
        .unwrap();
    assert_eq!(cache.get(&2_000).await.len(), 2_000, "answered");
    assert_eq!(cache.len(), 0, "and not stored");
    for key in 90..110 {
        assert_eq!(cache.get(&key).await.len() as u64, key);
    }
    assert!((8..=11).contains(&cache.len()), "{}", cache.len());
    advance(secs(100)).await;
    assert_eq!(cache.entry(&109).lookup().await.status, Status::Fresh);
    advance(secs(9)).await;
    assert_eq!(cache.entry(&109).lookup().await.status, Status::Stale);
    settle().await;
}

#[test]
fn the_defaults_are_those_of_the_attribute() {
    let cache: Cache<u64, u64> = Cache::builder().build().unwrap();
    assert_eq!(cache.policy(), Policy::default());
    assert!(cache.name().ends_with("Cache<u64, u64>"), "{}", cache.name());
    let named: Cache<u64, u64> = Cache::builder()
        .name("squares")
        .lifetime(secs(1))
        .max_stale(secs(2))
        .retention(secs(30))
        .refresh_ahead(Duration::from_millis(5))
        .refresh_timeout(secs(6))
        .max_backoff(secs(7))
        .max_refreshes(8)
        .jitter(0.5)
        .capacity(9)
        .eviction(Eviction::TinyLfu)
        .fetch_on_miss()
        .fetcher(|key: u64| async move { key * key })
        .build()
        .unwrap();
    let policy = named.policy();
    assert_eq!((named.name(), named.handle().name()), ("squares", "squares"));
    assert_eq!((policy.lifetime, policy.max_stale, policy.retention), (secs(1), Some(secs(2)), secs(30)));
    assert_eq!((policy.refresh_timeout, policy.max_backoff), (secs(6), secs(7)));
    assert_eq!((policy.refresh_ahead, policy.jitter), (Duration::from_millis(5), 0.5));
    assert_eq!((policy.max_refreshes, policy.capacity, policy.fetch_on_miss), (Some(8), 9, true));
    assert_eq!((policy.eviction, policy.wait), (Eviction::TinyLfu, None));
}

#[test]
fn contradictions_are_all_named() {
    let built: Result<Cache<u64, String>, _> = Cache::builder()
        .name("texts")
        .lifetime(secs(10))
        .retention(secs(5))
        .jitter(2.0)
        .max_refreshes(0)
        .weigh(String::len)
        .wait(secs(1))
        .fetch_on_miss()
        .fetcher(|_| async { String::new() })
        .build();
    let error = built.unwrap_err().to_string();
    for name in ["texts", "retention", "jitter", "max_refreshes", "weigh", "wait"] {
        assert!(error.contains(&format!("`{name}`")), "{name}: {error}");
    }
    // Where the key may change one of the two they are at odds all the same.
    let varied: Result<Cache<u64, u64>, _> =
        Cache::builder().lifetime(secs(10)).retention(secs(5)).vary(|_, _| {}).build();
    assert!(varied.is_err());
    let unweighed: Result<Cache<u64, u64>, _> = Cache::builder().max_bytes(1).build();
    assert!(unweighed.unwrap_err().to_string().contains("`max_bytes`"));
}

/// What was said before `share_err` holds after it, and `wait` is no contradiction where an empty value exists.
#[tokio::test(start_paused = true)]
async fn the_order_of_options_is_free() {
    let _own = testing::isolate();
    let cache: Cache<u64, Result<u64, Failed>> = Cache::builder()
        .try_fetcher(|key| async move { Ok(key) })
        .lifetime_for(|value| secs(*value))
        .weigh(|value| *value)
        .max_bytes(100)
        .share_err(|failed: &Failed| Failed(failed.0))
        .wait(secs(1))
        .build()
        .unwrap();
    assert_eq!(cache.entry(&20).get_or_fetch().await.unwrap(), 20);
    assert_eq!(cache.entry(&200).get_or_fetch().await.unwrap(), 200, "answered, and too heavy");
    assert_eq!(cache.len(), 1);
    advance(secs(20)).await;
    assert!(!cache.entry(&20).peek().await.unwrap().fresh);
}

#[test]
fn a_cache_can_go_everywhere() {
    fn everywhere<T: Send + Sync + Clone + fmt::Debug + 'static>(_: &T) {}
    let cache: Cache<String, u64> = Cache::builder().build().unwrap();
    everywhere(&cache);
    assert_eq!(
        format!("{:?}", Cache::<u64, u64>::builder().name("x").build().unwrap()),
        "Cache { name: \"x\", .. }"
    );
    fn sent<F: Future + Send>(call: F) -> F {
        call
    }
    drop(sent(cache.get("a")));
    drop(sent(cache.get_or_fetch("a", || async { 1 })));
    drop(sent(cache.set("a", 1)));
}
