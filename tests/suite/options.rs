//! The options of the attribute, one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheback::{Eviction, Status, cacheback, settle, testing};

use crate::support::{Source, advance, millis, run_ready, secs};

#[tokio::test(start_paused = true)]
async fn durations_are_seconds_humantime_or_expressions() {
    #[cacheback(lifetime = 90, retention = "1h 30m", refresh_ahead = Duration::from_millis(1500))]
    async fn literal(id: u64) -> u64 {
        id
    }
    let _own = testing::isolate();
    assert_eq!(literal(1).await, 0);
    let policy = literal::cache().policy();
    assert_eq!((policy.lifetime, policy.retention), (secs(90), secs(5400)));
    assert_eq!(policy.refresh_ahead, millis(1500));
    assert_eq!((policy.refresh_timeout, policy.max_backoff), (secs(60), secs(60)));
    assert_eq!((policy.max_stale, policy.capacity, policy.fetch_on_miss), (None, 10_000, false));
}

/// An endless lifetime that jitter shortens, too.
#[tokio::test(start_paused = true)]
async fn the_longest_durations_do_not_overflow() {
    #[cacheback(
        fetch_on_miss,
        retention = Duration::MAX,
        lifetime_for = |_| Duration::MAX,
        retention_for = |_| Duration::MAX,
        max_backoff = Duration::MAX,
        refresh_timeout = Duration::MAX,
        wait = Duration::MAX,
        empty = Ok(0),
        jitter = 1e-17
    )]
    async fn endless(id: u64) -> Result<u64, String> {
        if id == 0 { Err("zero".to_owned()) } else { Ok(id) }
    }
    let _own = testing::isolate();
    assert_eq!(endless(1).await, Ok(1));
    assert!(endless(0).await.is_err());
    advance(secs(100 * 365 * 24 * 3600)).await;
    assert_eq!(endless::entry(1).peek().await.map(|found| found.fresh), Some(true));
}

static EVALUATIONS: AtomicU64 = AtomicU64::new(0);

fn lifetime_of(name: &str) -> Duration {
    EVALUATIONS.fetch_add(1, Ordering::SeqCst);
    secs(name.len() as u64)
}

#[tokio::test(start_paused = true)]
async fn an_expression_is_evaluated_once_for_each_fetch_or_set_and_never_on_a_hit() {
    #[cacheback(lifetime = lifetime_of(name), fetch_on_miss)]
    async fn named(name: &str) -> usize {
        name.len()
    }
    let _own = testing::isolate();
    let evaluations = || EVALUATIONS.load(Ordering::SeqCst);
    let before = evaluations();
    assert_eq!(named("four").await, 4);
    assert_eq!(evaluations(), before + 1);
    for _ in 0..10 {
        assert_eq!(named("four").await, 4);
    }
    assert_eq!(evaluations(), before + 1);
    advance(millis(3_999)).await;
    assert_eq!(named::entry("four").lookup().await.status, Status::Fresh);
    advance(millis(1)).await;
    assert_eq!(named::entry("four").lookup().await.status, Status::Stale);
    settle().await;
    assert_eq!(evaluations(), before + 2);
    named::entry("eightlet").set(1).await.unwrap();
    assert_eq!(evaluations(), before + 3);
    advance(secs(7)).await;
    assert_eq!(named::entry("eightlet").lookup().await.status, Status::Fresh);
}

#[tokio::test(start_paused = true)]
async fn refresh_ahead_refreshes_a_key_in_use_before_it_turns_stale() {
    #[cacheback(lifetime = 10, refresh_ahead = 3, skip(source))]
    async fn number(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    let entry = number::entry(1, &source);
    entry.refresh().await;
    advance(millis(6_999)).await;
    assert_eq!(entry.lookup().await.status, Status::Fresh);
    settle().await;
    assert_eq!(source.runs(), 1);
    advance(millis(1)).await;
    for runs in 2..20 {
        assert_eq!(entry.lookup().await.status, Status::Fresh, "never stale");
        settle().await;
        assert_eq!(source.runs(), runs);
        advance(secs(8)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fetch_on_miss_can_depend_on_the_arguments() {
    #[cacheback(fetch_on_miss = *important, skip(source))]
    async fn number(important: &bool, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(number(&true, &source).await, 1);
    assert_eq!(number(&false, &source).await, 0);
    settle().await;
    assert_eq!(number(&false, &source).await, 2);
}

#[tokio::test(start_paused = true)]
async fn the_empty_answer_is_the_default_or_that_of_the_option() {
    #[cacheback]
    async fn plain(id: u64) -> Vec<u64> {
        vec![id]
    }
    #[cacheback]
    async fn fallible(id: u64) -> Result<Vec<u64>, String> {
        Ok(vec![id])
    }
    #[cacheback(empty = format!("loading {name} ({id})"))]
    async fn described(id: u64, name: &str) -> String {
        format!("{name} {id}")
    }
    #[cacheback(empty = Err("not yet".to_owned()))]
    async fn refused(id: u64) -> Result<u64, String> {
        Ok(id)
    }
    let _own = testing::isolate();
    assert_eq!(plain(1).await, [0_u64; 0]);
    assert_eq!(fallible(1).await, Ok(vec![]));
    assert_eq!(described(1, "x").await, "loading x (1)");
    assert_eq!(refused(1).await, Err("not yet".to_owned()));
    settle().await;
    assert_eq!(plain(1).await, [1]);
    assert_eq!(fallible(1).await, Ok(vec![1]));
    assert_eq!(described(1, "x").await, "x 1");
    assert_eq!(refused(1).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn when_wait_runs_out_the_caller_gets_stale_or_empty_and_the_fetch_goes_on() {
    #[cacheback(lifetime = 10, max_stale = 0, fetch_on_miss, wait = "500ms", empty = 0, skip(source))]
    async fn number(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = number::entry(1, &source);
    let start = tokio::time::Instant::now();
    assert_eq!(entry.lookup().await.status, Status::Empty);
    assert_eq!(start.elapsed(), millis(500));
    source.release(1);
    settle().await;
    assert_eq!(entry.lookup().await.value, 1);
    advance(secs(10)).await;
    let start = tokio::time::Instant::now();
    let lookup = entry.lookup().await;
    assert_eq!((lookup.value, lookup.status), (1, Status::Stale));
    assert_eq!(start.elapsed(), millis(500));
    source.release(2);
    settle().await;
    assert_eq!(entry.lookup().await.value, 2);
}

#[tokio::test(start_paused = true)]
async fn wait_can_depend_on_the_arguments() {
    #[cacheback(fetch_on_miss, wait = Duration::from_millis(*limit), empty = 0, skip(source))]
    async fn number(limit: &u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::gated();
    for limit in [0, 50, 700] {
        let start = tokio::time::Instant::now();
        assert_eq!(number(&limit, &source).await, 0);
        assert!(start.elapsed().abs_diff(millis(limit)) <= millis(1), "{:?}", start.elapsed());
    }
    source.release_all();
    settle().await;
}

#[cacheback(lifetime = 100, fetch_on_miss, lifetime_for = |found| secs(if found.is_some() { 0 } else { 5 }), skip(source))]
async fn sized(id: u64, source: &Arc<Source>) -> Option<u64> {
    let run = source.number().await;
    (id > 0).then_some(run)
}

#[tokio::test(start_paused = true)]
async fn a_value_can_have_its_own_lifetime() {
    let _own = testing::isolate();
    let source = Source::open();
    let absent = sized::entry(0, &source);
    assert_eq!(absent.get_or_fetch().await, None);
    advance(millis(4_999)).await;
    assert_eq!(absent.lookup().await.status, Status::Fresh);
    advance(millis(1)).await;
    assert_eq!(absent.lookup().await.status, Status::Stale);
    settle().await;
    absent.set(None).await.unwrap();
    advance(secs(5)).await;
    assert_eq!(absent.lookup().await.status, Status::Stale, "for a value that is set too");
    settle().await;
}

/// A token, as the number of seconds that it has left when it is fetched.
#[cacheback(lifetime = 600, retention = 1_000, retention_for = |left| secs(*left), skip(source))]
async fn token(left: u64, source: &Arc<Source>) -> Result<u64, String> {
    source.run().await.map(|_| left)
}

/// After its own retention nobody is given the value, whatever fails.
#[tokio::test(start_paused = true)]
async fn a_value_can_have_its_own_retention() {
    let _own = testing::isolate();
    let source = Source::open();
    let entry = token::entry(120, &source);
    assert_eq!(entry.get_or_fetch().await, Ok(120));
    source.fail(true);
    advance(millis(119_999)).await;
    let lookup = entry.lookup().await;
    assert_eq!((lookup.value, lookup.status), (Ok(120), Status::Fresh), "until then its lifetime goes on");
    assert!(entry.refresh().await.is_err());
    assert_eq!((entry.peek().await.unwrap().value, token::cache().len()), (120, 1));
    advance(millis(1)).await;
    assert_eq!((entry.peek().await, token::cache().len()), (None, 0));
    assert_eq!(token(120, &source).await, Ok(0), "empty, in back-off");
    assert!(entry.get_or_fetch().await.is_err(), "no stale one to fall back on");
    assert_eq!(entry.take().await, None);
    settle().await;
}

/// If its lifetime is shorter, the value is stale for a while, until its own retention.
#[tokio::test(start_paused = true)]
async fn a_stale_value_is_served_until_its_own_retention() {
    #[cacheback(lifetime = 10, max_stale = 15, refresh_ahead = 2, retention_for = |left| secs(*left), skip(source))]
    async fn token(left: u64, source: &Arc<Source>) -> Result<u64, String> {
        source.run().await.map(|_| left)
    }
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    // Its own retention is the longer one, or ends while the value is too stale, stale, or about to be.
    for (left, served) in [(100, 100), (27, 27), (20, 20), (9, 9)] {
        let entry = token::entry(left, &source);
        entry.set(left).await.unwrap();
        for age in 1..served {
            advance(secs(1)).await;
            let lookup = entry.lookup().await;
            let status = if age < 10 { Status::Fresh } else { Status::Stale };
            assert_eq!((lookup.value, lookup.status), (Ok(left), status), "{left} at {age}");
            settle().await;
        }
        advance(secs(1)).await;
        assert_eq!(entry.peek().await, None, "{left}");
        assert!(entry.get_or_fetch().await.is_err());
    }
}

/// `retention` holds as well, and an invalidation cuts only the lifetime.
#[tokio::test(start_paused = true)]
async fn a_retention_of_its_own_is_cut_to_the_functions_and_outlasts_an_invalidation() {
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    let (long, short) = (token::entry(5_000, &source), token::entry(50, &source));
    long.set(5_000).await.unwrap();
    short.set(50).await.unwrap();
    advance(secs(10)).await;
    short.invalidate().await.unwrap();
    token::cache().invalidate().await.unwrap();
    settle().await;
    advance(secs(39)).await;
    assert_eq!(short.lookup().await.status, Status::Stale);
    settle().await;
    advance(secs(1)).await;
    assert_eq!(short.peek().await, None);
    advance(secs(949)).await;
    assert!(long.peek().await.is_some());
    advance(secs(1)).await;
    assert_eq!(long.peek().await, None);
}

/// The value is dropped within a minute, not only hidden.
#[tokio::test(start_paused = true)]
async fn a_value_past_its_own_retention_is_dropped() {
    #[cacheback(retention_for = |_| secs(60))]
    async fn shared(id: u64) -> Arc<u64> {
        Arc::new(id)
    }
    let _own = testing::isolate();
    let value = Arc::new(7);
    let held = Arc::downgrade(&value);
    shared::entry(1).set(value).await.unwrap();
    advance(secs(59)).await;
    assert_eq!(shared::cache().len(), 1);
    assert!(held.upgrade().is_some());
    advance(secs(61)).await;
    assert_eq!(shared::cache().len(), 0);
    assert!(held.upgrade().is_none());
}

/// Zero means the same as with `lifetime_for`. Jitter shortens only lifetimes.
#[tokio::test(start_paused = true)]
async fn a_value_with_a_retention_of_zero_answers_and_is_not_stored() {
    #[cacheback(lifetime = 10, jitter = 1.0, retention_for = |left| secs(*left), skip(source))]
    async fn token(left: u64, source: &Arc<Source>) -> u64 {
        source.number().await;
        left
    }
    let _own = testing::isolate();
    let source = Source::open();
    let entry = token::entry(0, &source);
    entry.set(7).await.unwrap();
    assert_eq!(entry.refresh().await, 0, "answered");
    assert_eq!((entry.peek().await, token::cache().len()), (None, 0), "and the older one is dropped");
    let empty = (entry.lookup().await.status, entry.lookup().await.status);
    settle().await;
    assert_eq!((empty, source.runs()), ((Status::Empty, Status::Empty), 1), "left alone");
    advance(secs(1)).await;
    let _ = entry.lookup().await;
    settle().await;
    assert_eq!(source.runs(), 2);
    let jittered = token::entry(20, &source);
    for _ in 0..20 {
        jittered.set(20).await.unwrap();
        advance(millis(19_999)).await;
        assert!(jittered.peek().await.is_some());
        advance(millis(1)).await;
        assert_eq!(jittered.peek().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_with_a_lifetime_of_zero_answers_and_is_not_stored() {
    #[cacheback(lifetime = 10, lifetime_for = |run| if *run == 1 { secs(10) } else { Duration::ZERO }, skip(source))]
    async fn number(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    let entry = number::entry(1, &source);
    assert_eq!(entry.get_or_fetch().await, 1);
    advance(secs(10)).await;
    assert_eq!(entry.refresh().await, 2, "callers who wait are answered");
    assert_eq!(entry.peek().await, None, "the older value is dropped, nothing stored");
    for _ in 0..10 {
        assert_eq!(number(1, &source).await, 0);
        settle().await;
    }
    assert_eq!(source.runs(), 2, "no background fetch for a second");
    advance(secs(1)).await;
    assert_eq!(number(1, &source).await, 0);
    settle().await;
    assert_eq!(source.runs(), 3);
    assert_eq!(entry.get_or_fetch().await, 4, "a caller who waits fetches");
    entry.set(9).await.unwrap();
    assert_eq!(entry.peek().await, None);
    assert_eq!(number(1, &source).await, 0);
    settle().await;
    assert_eq!(source.runs(), 4, "a `set` of such a value leaves the key alone for a second too");
}

#[tokio::test(start_paused = true)]
async fn rule_8_a_kept_error_answers_those_who_would_wait() {
    #[cacheback(lifetime = 10, fetch_on_miss = *waits, cache_err = 5, key = (), skip(source))]
    async fn number(waits: &bool, source: &Arc<Source>) -> Result<u64, String> {
        source.run().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    assert_eq!(number(&true, &source).await, Err("run 1 failed".to_owned()));
    for _ in 0..10 {
        let lookup = number::entry(&true, &source).lookup().await;
        assert_eq!((lookup.value, lookup.status), (Err("run 1 failed".to_owned()), Status::Fresh));
        assert_eq!(number(&false, &source).await, Ok(0), "empty answers stay empty");
    }
    settle().await;
    assert_eq!(source.runs(), 1, "the origin is left alone");
    let entry = number::entry(&true, &source);
    assert_eq!(entry.peek().await, None);
    assert!(number::cache().is_empty());
    advance(millis(5_000)).await;
    assert_eq!(number(&true, &source).await, Err("run 2 failed".to_owned()));
    entry.set(7).await.unwrap();
    assert_eq!(number(&true, &source).await, Ok(7), "a write forgets it");
    entry.remove().await.unwrap();
    source.fail(false);
    assert_eq!(number(&true, &source).await, Ok(3));
    // An error is not kept if a value exists.
    source.fail(true);
    advance(secs(10)).await;
    assert_eq!(number(&true, &source).await, Ok(3));
    settle().await;
    assert_eq!(number::entry(&true, &source).lookup().await.value, Ok(3));
}

/// An error that is neither `Clone` nor made from another error.
#[derive(Debug, PartialEq)]
struct Code(u64);

#[tokio::test(start_paused = true)]
async fn rule_7_errors_can_be_shared_by_a_closure() {
    #[cacheback(fetch_on_miss, share_err = |error: &Code| Code(error.0), skip(source))]
    async fn number(id: u64, source: &Arc<Source>) -> Result<u64, Code> {
        source.run().await.map_err(|_| Code(id))
    }
    let _own = testing::isolate();
    let source = Source::gated();
    source.fail(true);
    let calls: Vec<_> = (0..5).map(|_| tokio::spawn(number::entry(3, &source).get_or_fetch())).collect();
    source.started(1).await;
    run_ready().await;
    source.release_all();
    for call in calls {
        assert_eq!(call.await.unwrap(), Err(Code(3)));
    }
    assert_eq!(source.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn jitter_shortens_lifetimes_by_up_to_its_share() {
    #[cacheback(lifetime = 100, jitter = 0.5)]
    async fn number(id: u64) -> u64 {
        id
    }
    let _own = testing::isolate();
    for id in 0..500 {
        number::entry(id).set(id).await.unwrap();
    }
    let mut fresh = Vec::new();
    for _ in 0..11 {
        let mut count = 0;
        for id in 0..500 {
            count += u32::from(number::entry(id).peek().await.unwrap().fresh);
        }
        fresh.push(count);
        advance(secs(10)).await;
    }
    assert_eq!(fresh[..5], [500; 5], "at least half of the lifetime");
    assert!(fresh[6..10].windows(2).all(|pair| pair[0] > pair[1]), "spread over the rest: {fresh:?}");
    assert_eq!(fresh[10], 0);
}

/// A jitter of 1 leaves something of every lifetime.
#[tokio::test(start_paused = true)]
async fn jitter_never_takes_all_of_a_lifetime() {
    #[cacheback(lifetime = Duration::from_nanos(1), jitter = 1.0)]
    async fn brief(id: u64) -> u64 {
        id
    }
    let _own = testing::isolate();
    for id in 0..100 {
        brief::entry(id).set(id).await.unwrap();
        assert!(brief::entry(id).peek().await.unwrap().fresh, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_is_what_the_attribute_says() {
    #[cacheback(fetch_on_miss, key = (tenant, name.to_lowercase()), skip(source))]
    async fn keyed(tenant: u32, name: &str, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(keyed(1, "Alice", &source).await, 1);
    assert_eq!(keyed(1, "ALICE", &source).await, 1);
    assert_eq!(keyed(2, "alice", &source).await, 2);
    assert_eq!(keyed(1, "bob", &source).await, 3);
    assert_eq!(keyed::cache().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn skipped_arguments_reach_the_body_and_not_the_key() {
    struct Pool(u64);
    #[cacheback(fetch_on_miss, skip(pool))]
    async fn by_reference(id: u64, pool: &Arc<Pool>) -> u64 {
        id + pool.0
    }
    let _own = testing::isolate();
    assert_eq!(by_reference(1, &Arc::new(Pool(10))).await, 11);
    assert_eq!(by_reference(1, &Arc::new(Pool(20))).await, 11, "the same entry");
}

#[tokio::test(start_paused = true)]
async fn a_function_is_named_after_its_path_or_by_the_option() {
    #[cacheback]
    async fn plain() -> u64 {
        1
    }
    #[cacheback(name = "catalogue/prices")]
    async fn named() -> u64 {
        1
    }
    let _own = testing::isolate();
    assert_eq!((plain().await, named().await), (0, 0));
    assert_eq!(plain::cache().name(), "suite::options::plain");
    assert_eq!(named::cache().name(), "catalogue/prices");
}

#[tokio::test(start_paused = true)]
async fn the_bounds_of_the_store_are_in_the_policy() {
    const KIB: u64 = 1 << 10;
    #[cacheback(max_bytes = "64MiB", weigh = |text| text.len() + 24)]
    async fn text(id: u64) -> String {
        id.to_string()
    }
    #[cacheback(max_bytes = 64 * KIB, weigh = |text| text.len() as u64, eviction = "lru")]
    async fn computed(id: u64) -> String {
        id.to_string()
    }
    #[cacheback(max_bytes = 1_000, weigh = |list| list[0], fetch_on_miss)]
    async fn list(id: u64) -> Result<Vec<u8>, String> {
        id.to_string().parse().map(|byte| vec![byte]).map_err(|_| "large".into())
    }
    #[cacheback(max_bytes = 0, weigh = str_len)]
    async fn by_path(id: u64) -> Arc<str> {
        id.to_string().into()
    }
    fn str_len(text: &Arc<str>) -> u32 {
        u32::try_from(text.len()).unwrap_or(u32::MAX)
    }
    #[cacheback(capacity = 5, eviction = "tiny_lfu")]
    async fn frequent(id: u64) -> u64 {
        id
    }
    let _own = testing::isolate();
    let bounds = [text::cache(), computed::cache(), list::cache(), by_path::cache(), frequent::cache()]
        .map(|cache| (cache.policy().max_bytes, cache.policy().eviction));
    let (lru, tiny_lfu) = (Eviction::Lru, Eviction::TinyLfu);
    let expected =
        [(Some(67_108_864), lru), (Some(65_536), lru), (Some(1_000), lru), (Some(0), lru), (None, tiny_lfu)];
    assert_eq!(bounds, expected);
    assert_eq!((text(1).await, computed(1).await, &*by_path(1).await), (String::new(), String::new(), ""));
    assert_eq!((list(7).await, frequent(1).await), (Ok(vec![7]), 0));
}

#[tokio::test(start_paused = true)]
async fn companions_can_be_renamed_or_left_out() {
    #[cacheback(fetch_on_miss, handle = user_cache)]
    async fn user(id: u64) -> u64 {
        id
    }
    #[cacheback(fetch_on_miss, handle = false)]
    async fn alone(id: u64) -> u64 {
        BODIES.fetch_add(id, Ordering::SeqCst)
    }
    /// It would clash with a companion of the function's name.
    mod alone {}
    static BODIES: AtomicU64 = AtomicU64::new(5);
    let _own = testing::isolate();
    assert_eq!(user(1).await, 1);
    assert_eq!(user_cache::entry(1).peek().await.unwrap().value, 1);
    assert_eq!(alone(2).await, 5);
    assert_eq!(alone(2).await, 5);
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_panic_in_an_options_expression_is_a_failed_fetch() {
    fn lifetime(id: u64) -> Duration {
        assert!(id > 0, "no lifetime for zero");
        secs(10)
    }
    #[cacheback(lifetime = lifetime(id), fetch_on_miss)]
    async fn number(id: u64) -> u64 {
        id
    }
    let _own = testing::isolate();
    let panic = tokio::spawn(number(0)).await.unwrap_err().into_panic();
    assert!(panic.downcast_ref::<String>().unwrap().contains("no lifetime for zero"));
    assert_eq!(number(1).await, 1, "other keys go on");
    assert_stats!(number::cache(), panics: 1, in_flight: 0);
}
