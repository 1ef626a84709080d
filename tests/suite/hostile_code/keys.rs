//! Keys whose own code panics, anywhere: no key is stuck, nobody waits for ever, and counters come down again.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cacheback::{Cache, cacheback, settle, testing};
use metrics::{Counter, Gauge, Histogram, KeyName, Metadata, Recorder, SharedString, Unit};
use tokio::time::timeout;

use super::Trap;
use crate::support::{Source, advance, secs};

/// A key with one of two hashes, whose `Eq` or `Drop` springs its trap.
#[derive(Clone)]
pub(super) struct Key {
    id: u64,
    pub(super) in_eq: Arc<Trap>,
    in_drop: Arc<Trap>,
}

impl Key {
    pub(super) fn new(id: u64) -> Self {
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
pub(super) async fn keyed(key: Key, source: &Arc<Source>) -> u64 {
    source.number().await
}

/// A panic at each place in turn where the user's `Eq` (or `Drop`) runs during a stale read, its refresh and a caller
/// who joins it.
async fn a_panic_at_each_place(trap: fn(&Key) -> &Arc<Trap>, relentless: bool) {
    for place in 1..60 {
        let _own = testing::isolate();
        let key = Key::new(1);
        let source = Source::open();
        // Two keys of one hash, the other one stored first: keys are compared at every step.
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

/// Also if it goes on panicking, so that the key can no longer be found.
#[tokio::test(start_paused = true)]
async fn promise_4_an_eq_of_a_key_that_goes_on_panicking_leaves_no_key_stuck() {
    a_panic_at_each_place(|key| &key.in_eq, true).await;
}

/// And with a recorder that panics at the end of each fetch: callers who wait are answered all the same.
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

/// A trap that counts for nothing in comparisons of keys.
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
/// fails, and for a caller who waits.
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

/// The executor hands places out in a loop. A panic as one refresh starts ends only that refresh.
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
