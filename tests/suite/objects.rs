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

mod dropped;
mod results;
mod without_a_fetcher;

/// A cache of numbers by name. They come from the source.
fn numbers(source: &Arc<Source>) -> Cache<String, u64> {
    let source = Arc::clone(source);
    let fetcher = move |_: String| {
        let source = Arc::clone(&source);
        async move { source.number().await }
    };
    Cache::builder().lifetime(secs(10)).retention(secs(60)).fetcher(fetcher).build().unwrap()
}

/// A cache of results, whose callers wait.
fn results(source: &Arc<Source>) -> Cache<u64, Result<u64, String>> {
    let source = Arc::clone(source);
    let fetcher = move |_| {
        let source = Arc::clone(&source);
        async move { source.run().await }
    };
    Cache::builder().lifetime(secs(10)).fetch_on_miss().try_fetcher(fetcher).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_miss_is_answered_empty_and_fetched_in_the_background() {
    let _own = testing::isolate();
    let source = Source::open();
    let cache = numbers(&source);
    assert_eq!(cache.get("a").await, 0);
    settle().await;
    assert_eq!(cache.get("a").await, 1);
    assert_eq!(cache.get(&"a".to_owned()).await, 1, "the key as it is finds the same entry");
    assert_eq!(cache.get("b").await, 0);
    settle().await;
    assert_stats!(cache, empty: 2, hits: 2, fetches: 2, entries: 2);
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
async fn rule_7_callers_who_wait_for_a_cache_object_share_one_fetch_and_its_error() {
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
    assert_stats!(cache, fetches: 1, "the error is kept for callers who wait");
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
async fn rule_10_a_fetcher_that_panics_is_a_failed_fetch() {
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
    assert_eq!(cache.get(&1).await, 7);
    assert_stats!(cache, panics: 3);
}

/// Two repositories have a cache each: neither sees the values of the other.
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

/// Nobody can be given a value that does not exist, whatever `vary` says.
#[tokio::test(start_paused = true)]
async fn callers_wait_if_no_empty_value_exists() {
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
        .retention_for(|value| Duration::from_secs(2 * value.len() as u64))
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
    advance(secs(217)).await;
    assert!(cache.entry(&109).peek().await.is_some());
    advance(secs(1)).await;
    assert_eq!(cache.entry(&109).peek().await, None);
}

#[tokio::test(start_paused = true)]
async fn an_object_is_invalidated_as_a_whole_and_its_values_are_taken() {
    let _own = testing::isolate();
    let source = Source::open();
    let fetched = Arc::clone(&source);
    let cache: Cache<u64, u64> = Cache::builder()
        .fetcher(move |_| {
            let source = Arc::clone(&fetched);
            async move { source.number().await }
        })
        .build()
        .unwrap();
    let of_its_own: Cache<u64, u64> = Cache::builder().build().unwrap();
    for key in [1, 2] {
        cache.set(&key, 7).await.unwrap();
        of_its_own.set(&key, 7).await.unwrap();
    }
    cache.invalidate_all().await.unwrap();
    of_its_own.handle().invalidate().await.unwrap();
    settle().await;
    assert_eq!(source.runs(), 0);
    assert_eq!((cache.get(&1).await, of_its_own.get_or_fetch(&1, || async { 8 }).await), (7, 7));
    settle().await;
    assert_eq!((cache.get(&1).await, of_its_own.get(&1).await), (1, 8));
    assert!(!cache.peek(&2).await.unwrap().fresh && !of_its_own.peek(&2).await.unwrap().fresh);
    assert_eq!((cache.take(&2).await, cache.take(&2).await), (Some(7), None));
    assert_eq!((cache.len(), of_its_own.take(&1).await), (1, Some(8)));
}

#[test]
fn the_defaults_of_the_builder_are_those_of_the_attribute() {
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
fn promise_6_the_builder_names_all_contradictions() {
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
    // They contradict each other also if the key may change one of them.
    let varied: Result<Cache<u64, u64>, _> =
        Cache::builder().lifetime(secs(10)).retention(secs(5)).vary(|_, _| {}).build();
    assert!(varied.is_err());
    let unweighed: Result<Cache<u64, u64>, _> = Cache::builder().max_bytes(1).build();
    assert!(unweighed.unwrap_err().to_string().contains("`max_bytes`"));
}

/// The options before `share_err` hold after it, and `wait` is no contradiction if an empty value exists.
#[tokio::test(start_paused = true)]
async fn the_options_of_the_builder_come_in_any_order() {
    let _own = testing::isolate();
    let cache: Cache<u64, Result<u64, Failed>> = Cache::builder()
        .try_fetcher(|key| async move { Ok(key) })
        .lifetime_for(|value| secs(*value))
        .retention_for(|value| secs(*value + 1))
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
    advance(secs(1)).await;
    assert_eq!(cache.entry(&20).peek().await, None);
}

#[test]
fn a_cache_object_can_be_sent_shared_and_cloned() {
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
    drop(sent(cache.take("a")));
    drop(sent(cache.invalidate_all()));
}
