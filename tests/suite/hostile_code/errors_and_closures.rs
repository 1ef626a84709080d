//! Errors and closures of the attribute that panic.

use std::sync::Arc;

use cacheback::{cacheback, testing};

use crate::support::{Source, run_ready, secs};

/// A panic in `Display` and `Clone` of an error is a panic of its fetch: it is counted once, all callers are answered,
/// and the key goes on.
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
    assert_stats!(rude::cache(), fetches: 1, errors: 0, panics: 1, in_flight: 0);
    source.fail(false);
    assert_eq!(rude(1, &source).await.unwrap(), 2);
}

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
