//! Code of the user's that calls back in the middle of an operation.

use std::sync::Arc;

use cacheback::{cacheback, settle, testing};

use super::keys::{Key, keyed};
use crate::support::Source;

/// Writes are done at their first poll.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("not done at once"),
    }
}

/// A `clear` and a `set` between the two halves of another `set`: the later value is not wiped.
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

/// A `clear` and a new fetch in the middle of an `invalidate`: the value of the last fetch is stored.
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
