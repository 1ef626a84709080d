//! Values whose own code panics, anywhere: no key is stuck, no caller waits for ever, and the store holds nothing
//! twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cacheback::{cacheback, settle, testing};
use tokio::time::timeout;

use super::Trap;
use crate::support::{Source, advance, secs};

/// A value whose `Clone` or `Drop` springs its trap.
#[derive(Default)]
struct Value {
    in_clone: Arc<Trap>,
    in_drop: Arc<Trap>,
}

impl Value {
    fn of(traps: &Value) -> Self {
        Self { in_clone: Arc::clone(&traps.in_clone), in_drop: Arc::clone(&traps.in_drop) }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.in_clone.spring();
        Self::of(self)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.in_drop.spring();
    }
}

#[cacheback(lifetime = 10, max_stale = 10, skip(source, traps))]
async fn kept(_id: u64, source: &Arc<Source>, traps: &Arc<Value>) -> Value {
    source.number().await;
    Value::of(traps)
}

/// A panic at each place in turn where a value is copied (or dropped): in hits, a stale read and its refresh, for
/// callers who wait, in a `peek`, and in writes.
async fn a_panic_at_each_place(trap: fn(&Value) -> &Arc<Trap>, at_least: i64) {
    for place in 1.. {
        let _own = testing::isolate();
        let (traps, source) = (Arc::new(Value::default()), Source::open());
        let entry = kept::entry(1, &source, &traps);
        entry.set(Value::of(&traps)).await.unwrap();
        trap(&traps).arm(place);
        for age in [0, 10, 10] {
            advance(secs(age)).await;
            let (plain, waits) = (entry.clone(), entry.clone());
            let peeks = entry.clone();
            let calls = [
                tokio::spawn(async move { drop(plain.get_or_fetch().await) }),
                tokio::spawn(async move { drop(waits.refresh().await) }),
                tokio::spawn(async move { drop(peeks.peek().await) }),
            ];
            for call in calls {
                assert!(timeout(secs(120), call).await.is_ok(), "place {place}: a caller waits for ever");
            }
        }
        let writes = entry.clone();
        let value = Value::of(&traps);
        let written = tokio::spawn(async move {
            writes.set(value).await.unwrap();
            writes.invalidate().await.unwrap();
            writes.remove().await.unwrap();
            kept::cache().clear().await.unwrap();
        });
        // A caller may panic as it drops its own copy. A write has no copy.
        let written = timeout(secs(120), written).await;
        assert!(
            matches!(written, Ok(Ok(()))),
            "place {place}: a write waits for ever, or panics: {written:?}"
        );
        assert!(timeout(secs(120), settle()).await.is_ok(), "place {place}: a fetch never ends");
        let blown = trap(&traps).blown.load(Ordering::SeqCst);
        trap(&traps).arm(0);
        let again = timeout(secs(120), entry.refresh()).await;
        assert!(again.is_ok(), "place {place}: the key is stuck");
        assert_stats!(kept::cache(), in_flight: 0, entries: 1, "place {place}");
        assert!(entry.peek().await.is_some(), "place {place}");
        if !blown {
            assert!(place > at_least, "the trap was tried at {place} places");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_panic_in_any_clone_of_a_value_leaves_no_key_stuck() {
    a_panic_at_each_place(|traps| &traps.in_clone, 5).await;
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_panic_in_any_drop_of_a_value_leaves_no_key_stuck() {
    a_panic_at_each_place(|traps| &traps.in_drop, 5).await;
}

/// The expressions of `empty`, `fetch_on_miss` and `key` run in the caller: if one panics, the caller panics, and the
/// next call finds nothing broken.
#[tokio::test(start_paused = true)]
async fn a_panic_in_empty_fetch_on_miss_or_key_is_the_callers() {
    fn unless_zero(id: u64) -> u64 {
        assert!(id > 0, "not of zero");
        id
    }
    #[cacheback(empty = unless_zero(id), skip(source))]
    async fn empty(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await + id
    }
    #[cacheback(fetch_on_miss = unless_zero(id) > 0, skip(source))]
    async fn waits(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await + id
    }
    #[cacheback(fetch_on_miss, key = unless_zero(id), skip(source))]
    async fn keyed(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await + id
    }
    let _own = testing::isolate();
    let source = Source::open();
    for _ in 0..3 {
        let of = || Arc::clone(&source);
        let calls = [
            tokio::spawn({
                let source = of();
                async move { empty(0, &source).await }
            }),
            tokio::spawn({
                let source = of();
                async move { waits(0, &source).await }
            }),
            tokio::spawn({
                let source = of();
                async move { keyed(0, &source).await }
            }),
        ];
        for call in calls {
            if let Err(panicked) = call.await {
                let panicked = panicked.into_panic();
                assert_eq!(panicked.downcast_ref::<&str>(), Some(&"not of zero"));
            }
        }
        settle().await;
    }
    assert_eq!(empty(0, &source).await, 1, "fetched in the background");
    assert_eq!((empty(5, &source).await, waits(5, &source).await, keyed(5, &source).await), (5, 8, 9));
    settle().await;
    for cache in [empty::cache(), waits::cache(), keyed::cache()] {
        assert_stats!(cache, in_flight: 0, panics: 0);
    }
}
