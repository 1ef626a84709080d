//! Rule 9: an empty answer is not cached, and a value that was fetched or set is visible to the next read.

use std::sync::Arc;

use cacheback::{Status, cacheback, settle, testing};

use crate::support::Source;

#[cacheback(lifetime = 10, skip(source))]
async fn list(_id: u64, source: &Arc<Source>) -> Vec<u64> {
    vec![source.number().await]
}

#[tokio::test(start_paused = true)]
async fn rule_9_an_empty_answer_is_not_cached() {
    let _own = testing::isolate();
    let source = Source::gated();
    let entry = list::entry(1, &source);
    let lookup = entry.lookup().await;
    assert_eq!((lookup.value, lookup.status, lookup.age), (vec![], Status::Empty, None));
    assert_eq!(entry.peek().await, None);
    assert_eq!((list::cache().len(), list::cache().is_empty()), (0, true));
    assert_stats!(list::cache(), entries: 0);
    source.release_all();
    settle().await;
    assert_eq!(entry.peek().await.unwrap().value, [1]);
    assert_eq!(list::cache().len(), 1);
}

/// The default policy keeps newcomers: a full, hot cache shows each of them to the next read.
#[tokio::test(start_paused = true)]
async fn rule_9_a_value_is_visible_to_the_next_read_in_a_full_cache() {
    #[cacheback(capacity = 64, skip(source))]
    async fn small(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await + id
    }
    let _own = testing::isolate();
    let source = Source::open();
    for id in 0..64 {
        small::entry(id, &source).set(id).await.unwrap();
    }
    for round in 0..500 {
        for hot in 0..64 {
            let _ = small(hot, &source).await;
        }
        let newcomer = small::entry(1000 + round, &source);
        newcomer.set(round).await.unwrap();
        assert_eq!(newcomer.lookup().await.value, round);
    }
    settle().await;
    assert!(small::cache().stats().evicted > 0);
    assert!(small::cache().len() <= 64, "bounded: {}", small::cache().len());
}
