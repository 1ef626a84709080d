//! Types of the user's that panic or call back, and writes in the middle of one another: no key is stuck, nobody waits
//! for ever, counters come down again.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheback::{Cache, cacheback, settle, testing};
use metrics::{Counter, Gauge, Histogram, KeyName, Metadata, Recorder, SharedString, Unit};
use tokio::time::timeout;

use crate::support::{Source, advance, run_ready, secs};

/// What a test does in the middle of a comparison, or of a drop, of a key.
#[derive(Default)]
pub(crate) struct Trap {
    /// Panics when it comes down to zero.
    fuse: AtomicI64,
    pub(crate) blown: AtomicBool,
    /// Once it has panicked, it does so each time until it is armed anew.
    relentless: AtomicBool,
    calls_back: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Trap {
    pub(crate) fn spring(&self) {
        let callback = self.calls_back.lock().unwrap().take();
        if let Some(callback) = callback {
            callback();
        }
        let first = self.fuse.fetch_sub(1, Ordering::SeqCst) == 1 && !std::thread::panicking();
        let again = self.relentless.load(Ordering::SeqCst) && self.blown.load(Ordering::SeqCst);
        if first || again {
            self.blown.store(true, Ordering::SeqCst);
            panic!("the trap has sprung");
        }
    }

    /// Panics at the `n`-th time from here on, counted from one; zero is never.
    pub(crate) fn arm(&self, n: i64) {
        self.blown.store(false, Ordering::SeqCst);
        self.fuse.store(n, Ordering::SeqCst);
    }
}

/// A key of one hash for all, whose `Eq` or `Drop` springs its trap.
#[derive(Clone)]
struct Key {
    id: u64,
    in_eq: Arc<Trap>,
    in_drop: Arc<Trap>,
}

impl Key {
    fn new(id: u64) -> Self {
        Self { id, in_eq: Arc::default(), in_drop: Arc::default() }
    }

    /// Another key with the same traps.
    fn with_id(&self, id: u64) -> Self {
        Self { id, in_eq: Arc::clone(&self.in_eq), in_drop: Arc::clone(&self.in_drop) }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.in_eq.spring();
        self.id == other.id
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.id % 2);
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.in_drop.spring();
    }
}

#[cacheback(lifetime = 10, refresh_timeout = 60, key = key, skip(source))]
async fn keyed(key: Key, source: &Arc<Source>) -> u64 {
    source.number().await
}

/// A panic at each place in turn where the user's `Eq` (or `Drop`) runs during a stale read, its refresh and a caller
/// who joins it.
async fn a_panic_at_each_place(trap: fn(&Key) -> &Arc<Trap>, relentless: bool) {
    for place in 1..60 {
        let _own = testing::isolate();
        let key = Key::new(1);
        let source = Source::open();
        // Two keys of one hash, and the other one is met first: keys are compared at every step.
        keyed::entry(key.with_id(3), &source).set(0).await.unwrap();
        keyed::entry(key.clone(), &source).set(0).await.unwrap();
        advance(secs(10)).await;
        trap(&key).relentless.store(relentless, Ordering::SeqCst);
        trap(&key).arm(place);
        let call = |key: Key| {
            let source = Arc::clone(&source);
            tokio::spawn(async move { keyed(key, &source).await })
        };
        let refresh = |key: Key| {
            let source = Arc::clone(&source);
            tokio::spawn(async move { keyed::entry(key, &source).refresh().await })
        };
        let reader = call(key.clone());
        let waiter = refresh(key.clone());
        let ended = timeout(secs(120), async { (reader.await.is_ok(), waiter.await.is_ok()) }).await;
        assert!(ended.is_ok(), "place {place}: a caller waits for ever");
        let blown = trap(&key).blown.load(Ordering::SeqCst);
        trap(&key).arm(0);
        assert!(timeout(secs(120), settle()).await.is_ok(), "place {place}: a fetch never ends");
        let again = timeout(secs(120), refresh(key.clone())).await;
        assert!(matches!(again, Ok(Ok(_))), "place {place}: the key is stuck");
        assert_stats!(keyed::cache(), in_flight: 0, "place {place}");
        if !blown {
            assert!(place > 3, "the trap was tried");
            return;
        }
    }
    panic!("the trap sprang at every place: there are more than were tried");
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_panic_in_any_eq_of_a_key_leaves_no_key_stuck() {
    a_panic_at_each_place(|key| &key.in_eq, false).await;
}

/// Also where it goes on panicking, and the key cannot be found by it any more.
#[tokio::test(start_paused = true)]
async fn promise_4_an_eq_of_a_key_that_goes_on_panicking_leaves_no_key_stuck() {
    a_panic_at_each_place(|key| &key.in_eq, true).await;
}

/// And with a recorder that panics at the end of each fetch: those who wait are answered all the same.
#[tokio::test(start_paused = true)]
async fn promise_4_a_panic_in_any_eq_of_a_key_and_in_the_recorder_leaves_no_key_stuck() {
    struct Rude;
    impl Recorder for Rude {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, _: &metrics::Key, _: &Metadata<'_>) -> Counter {
            Counter::noop()
        }
        fn register_gauge(&self, _: &metrics::Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }
        fn register_histogram(&self, _: &metrics::Key, _: &Metadata<'_>) -> Histogram {
            panic!("in a recorder")
        }
    }
    let _guard = metrics::set_default_local_recorder(&Rude);
    a_panic_at_each_place(|key| &key.in_eq, false).await;
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_panic_in_any_drop_of_a_key_leaves_no_key_stuck() {
    a_panic_at_each_place(|key| &key.in_drop, false).await;
}

/// A key of an object whose `Clone` or `Hash` springs its trap.
#[derive(PartialEq, Eq)]
struct Copied {
    id: u64,
    in_clone: Same,
    in_hash: Same,
}

/// A trap that is no part of its key.
#[derive(Clone, Default)]
struct Same(Arc<Trap>);

impl PartialEq for Same {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Same {}

impl Clone for Copied {
    fn clone(&self) -> Self {
        self.in_clone.0.spring();
        Self { id: self.id, in_clone: self.in_clone.clone(), in_hash: self.in_hash.clone() }
    }
}

impl Hash for Copied {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.in_hash.0.spring();
        state.write_u64(self.id);
    }
}

/// A panic at each place in turn where an object copies or hashes its key: in a stale read, its refresh, a fetch that
/// fails, and a caller who waits.
#[tokio::test(start_paused = true)]
async fn promise_4_a_panic_in_any_clone_or_hash_of_a_key_of_an_object_leaves_no_key_stuck() {
    for (trap, at_least) in
        [((|key| &key.in_clone.0) as fn(&Copied) -> &Arc<Trap>, 5), (|key| &key.in_hash.0, 3)]
    {
        let mut place = 0;
        loop {
            place += 1;
            let _own = testing::isolate();
            let source = Source::open();
            let fetched = Arc::clone(&source);
            let cache: Cache<Copied, Result<u64, String>> = Cache::builder()
                .lifetime(secs(10))
                .try_fetcher(move |_| {
                    let source = Arc::clone(&fetched);
                    async move { source.run().await }
                })
                .build()
                .unwrap();
            let key = Arc::new(Copied { id: 1, in_clone: Same::default(), in_hash: Same::default() });
            cache.set(&*key, Ok(7)).await.unwrap();
            advance(secs(10)).await;
            trap(&key).arm(place);
            source.fail(true);
            for _ in 0..2 {
                let (stale, waits) = (cache.clone(), cache.clone());
                let (one, other) = (Arc::clone(&key), Arc::clone(&key));
                let stale = tokio::spawn(async move { drop(stale.get(&*one).await) });
                let waits = tokio::spawn(async move { drop(waits.entry(&*other).refresh().await) });
                let ended = timeout(secs(120), async { (stale.await.is_ok(), waits.await.is_ok()) }).await;
                assert!(ended.is_ok(), "place {place}: a caller waits for ever");
                source.fail(false);
            }
            assert!(timeout(secs(120), settle()).await.is_ok(), "place {place}: a fetch never ends");
            let blown = trap(&key).blown.load(Ordering::SeqCst);
            trap(&key).arm(0);
            let again = timeout(secs(120), cache.entry(&*key).refresh()).await;
            assert!(matches!(again, Ok(Ok(_))), "place {place}: the key is stuck");
            assert_eq!(cache.len(), 1, "place {place}");
            assert_stats!(cache, in_flight: 0, "place {place}");
            if !blown {
                break;
            }
        }
        assert!(place > at_least, "the trap was tried at {place} places");
    }
}

/// The executor hands places out in a loop; a panic in one start ends that refresh alone.
#[tokio::test(start_paused = true)]
async fn promise_4_a_panic_as_a_queued_refresh_starts_strands_no_queue() {
    #[cacheback(lifetime = 10, max_refreshes = 1, key = key, skip(source))]
    async fn narrow(key: Key, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    for place in 1..8 {
        let _own = testing::isolate();
        let key = Key::new(0);
        let source = Source::gated();
        for id in 0..8 {
            assert_eq!(narrow(key.with_id(id), &source).await, 0);
        }
        source.started(1).await;
        key.in_eq.arm(place);
        source.release_all();
        assert!(timeout(secs(120), settle()).await.is_ok(), "place {place}: the queue stands still");
        key.in_eq.arm(0);
        for id in 10..18 {
            let _ = narrow(key.with_id(id), &source).await;
        }
        assert!(timeout(secs(120), settle()).await.is_ok(), "place {place}: nothing runs any more");
        for id in 10..18 {
            assert!(
                narrow::entry(key.with_id(id), &source).peek().await.is_some(),
                "place {place}, key {id}"
            );
        }
    }
}

/// A `set` between the two halves of another write, with a `clear` before it: the later `set` is not wiped.
#[tokio::test(start_paused = true)]
async fn a_set_in_the_middle_of_another_across_a_clear_is_not_wiped() {
    let _own = testing::isolate();
    let (key, source) = (Key::new(1), Source::open());
    let entry = keyed::entry(key.clone(), &source);
    entry.set(10).await.unwrap();
    let inner = entry.clone();
    *key.in_eq.calls_back.lock().unwrap() = Some(Box::new(move || {
        now(keyed::cache().clear()).unwrap();
        now(inner.set(12)).unwrap();
        assert_eq!(now(inner.peek()).unwrap().value, 12);
    }));
    entry.set(11).await.unwrap();
    assert_eq!(entry.peek().await.unwrap().value, 11, "both are done: the key has a value");
    assert_eq!(keyed::cache().len(), 1);
}

/// An `invalidate` with a `clear` and a new fetch in its middle: the new one's successor is stored.
#[tokio::test(start_paused = true)]
async fn an_invalidate_with_a_clear_and_a_new_fetch_in_its_middle_leaves_a_value() {
    let _own = testing::isolate();
    let (key, source) = (Key::new(1), Source::gated());
    assert_eq!(keyed(key.clone(), &source).await, 0);
    source.started(1).await;
    let (inner, inner_key) = (Arc::clone(&source), key.clone());
    *key.in_eq.calls_back.lock().unwrap() = Some(Box::new(move || {
        now(keyed::cache().clear()).unwrap();
        assert_eq!(now(keyed(inner_key, &inner)), 0);
    }));
    keyed::entry(key.clone(), &source).invalidate().await.unwrap();
    source.release_all();
    settle().await;
    assert!(keyed::entry(key, &source).peek().await.is_some());
}

/// Writes are done at their first poll.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("not done at once"),
    }
}

/// An error whose `Display` and `Clone` panic is a panic of its fetch: counted once, answered, and the key goes on.
#[tokio::test(start_paused = true)]
async fn rule_10_a_panic_in_the_display_or_clone_of_an_error_is_a_failed_fetch() {
    #[derive(Debug)]
    struct Rude;
    impl std::fmt::Display for Rude {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("not to be displayed")
        }
    }
    impl Clone for Rude {
        fn clone(&self) -> Self {
            panic!("not to be cloned")
        }
    }
    #[cacheback(fetch_on_miss, skip(source))]
    async fn rude(_id: u64, source: &Arc<Source>) -> Result<u64, Rude> {
        source.run().await.map_err(|_| Rude)
    }
    let _own = testing::isolate();
    let source = Source::gated();
    source.fail(true);
    let calls: Vec<_> = (0..3).map(|_| tokio::spawn(rude::entry(1, &source).get_or_fetch())).collect();
    source.started(1).await;
    run_ready().await;
    source.release_all();
    for call in calls {
        let panic = call.await.unwrap_err().into_panic();
        assert!(panic.downcast_ref::<String>().unwrap().contains("not to be displayed"));
    }
    assert_stats!(rude::cache(), fetches: 1, panics: 1, ..0);
    source.fail(false);
    assert_eq!(rude(1, &source).await.unwrap(), 2);
}

/// Closures of the attribute that panic.
#[tokio::test(start_paused = true)]
async fn rule_10_a_panic_in_lifetime_for_is_a_failed_fetch() {
    #[cacheback(fetch_on_miss, lifetime_for = |n| { assert!(*n > 1, "no lifetime"); secs(5) }, skip(source))]
    async fn picky(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    let panic = tokio::spawn(picky::entry(1, &source).get_or_fetch()).await.unwrap_err().into_panic();
    assert!(panic.downcast_ref::<String>().unwrap().contains("no lifetime"));
    assert_eq!(picky(1, &source).await, 2);
    assert_stats!(picky::cache(), panics: 1);
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_panic_in_retention_for_is_a_failed_fetch() {
    #[cacheback(fetch_on_miss, retention_for = |n| { assert!(*n > 1, "no retention"); secs(5) }, skip(source))]
    async fn picky(_id: u64, source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    let entry = picky::entry(1, &source);
    let panic = tokio::spawn(entry.get_or_fetch()).await.unwrap_err().into_panic();
    assert!(panic.downcast_ref::<String>().unwrap().contains("no retention"));
    assert_eq!(picky(1, &source).await, 2);
    assert_stats!(picky::cache(), panics: 1);
    assert!(tokio::spawn(entry.set(0)).await.is_err());
    assert_eq!(entry.peek().await.unwrap().value, 2, "nothing is changed");
}

/// An endless lifetime, shortened by chance.
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
    advance(Duration::from_secs(100 * 365 * 24 * 3600)).await;
    assert_eq!(endless::entry(1).peek().await.map(|found| found.fresh), Some(true));
}

/// A value whose `Drop` calls back into its own cache.
#[tokio::test(start_paused = true)]
async fn a_drop_of_a_value_may_call_back_into_its_cache() {
    #[derive(Clone, Default)]
    struct Calls;
    impl Drop for Calls {
        fn drop(&mut self) {
            let _ = reentrant::cache().len();
            now(reentrant::entry(2).remove()).unwrap();
        }
    }
    #[cacheback]
    async fn reentrant(_id: u64) -> Calls {
        Calls
    }
    let _own = testing::isolate();
    for id in [1, 2, 1, 2] {
        reentrant::entry(id).set(Calls).await.unwrap();
    }
    reentrant::entry(1).remove().await.unwrap();
    reentrant::cache().clear().await.unwrap();
    assert!(reentrant::cache().is_empty());
}

/// A value whose `Drop`, in the middle of an eviction, writes to the cache that evicts it.
#[tokio::test(start_paused = true)]
async fn a_drop_of_an_evicted_value_may_write_to_its_cache() {
    #[derive(Clone, Default)]
    struct Spill(u64);
    impl Drop for Spill {
        fn drop(&mut self) {
            if self.0 > 0 {
                now(spilling::entry(1_000 + self.0).set(Self(0))).unwrap();
            }
        }
    }
    #[cacheback(capacity = 4)]
    async fn spilling(id: u64) -> Spill {
        Spill(id)
    }
    let _own = testing::isolate();
    for id in 10..200 {
        spilling::entry(id).set(Spill(id)).await.unwrap();
    }
    settle().await;
    assert!(spilling::cache().len() <= 4);
}
