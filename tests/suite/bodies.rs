//! Bodies of all kinds, and attributes around a function.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheback::{Cache, cacheback, settle, testing};

#[derive(Debug, Default)]
struct Runs(AtomicU64);

impl Runs {
    fn one(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// A future of more than 100 kB: the caller's holds none of it.
///
/// Elsewhere: the future of a call is as large as its body.
#[tokio::test(start_paused = true)]
async fn promise_1_a_call_holds_nothing_of_a_body_whose_future_is_large() {
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn large(id: u64, runs: &Arc<Runs>) -> u64 {
        let array = [id; 16_384];
        tokio::task::yield_now().await;
        runs.one();
        array[usize::try_from(id).unwrap()]
    }
    let _own = testing::isolate();
    let runs = Arc::new(Runs::default());
    assert!(size_of_val(&large(1, &runs)) <= 48);
    assert_eq!((large(7, &runs).await, large(7, &runs).await), (7, 7));
    assert_stats!(large::cache(), fetches: 1);
}

/// Elsewhere: the body is emitted twice.
#[tokio::test(start_paused = true)]
async fn a_body_may_have_macros_items_closures_and_async_blocks() {
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn body(list: &[u64], runs: &Arc<Runs>) -> Result<String, String> {
        macro_rules! twice {
            ($number:expr) => {
                $number * 2
            };
        }
        const LIMIT: usize = 3;
        fn sum(list: &[u64]) -> u64 {
            list.iter().sum()
        }
        runs.one();
        let own: Vec<u64> = list.iter().map(|number| twice!(*number)).collect();
        let later = async move { own.iter().sum::<u64>() };
        let (sum, doubled) = tokio::join!(async { sum(list) }, later);
        if list.len() > LIMIT {
            return Err(format!("more than {LIMIT}"));
        }
        let first = list.first().ok_or_else(|| "none".to_owned())?;
        Ok(format!("{first} {sum} {doubled}"))
    }
    let _own = testing::isolate();
    let runs = Arc::new(Runs::default());
    assert_eq!(body(&[1, 2], &runs).await, Ok("1 3 6".to_owned()));
    assert_eq!(body(&[1, 2], &runs).await, Ok("1 3 6".to_owned()));
    assert_eq!(body(&[], &runs).await, Err("none".to_owned()));
    assert_eq!(body(&[1, 1, 1, 1], &runs).await, Err("more than 3".to_owned()));
    assert_stats!(body::cache(), fetches: 3);
}

/// A function may call itself with other arguments, each of which is an entry of its own.
#[tokio::test(start_paused = true)]
async fn a_function_may_call_itself_with_other_arguments() {
    #[cacheback(fetch_on_miss)]
    async fn fibonacci(n: u64) -> u64 {
        match n {
            0 | 1 => n,
            _ => fibonacci(n - 1).await + fibonacci(n - 2).await,
        }
    }
    let _own = testing::isolate();
    assert_eq!(fibonacci(50).await, 12_586_269_025);
    assert_stats!(fibonacci::cache(), fetches: 51);
}

/// A function that awaits itself with the same arguments would wait for ever: it panics and says so. If a value is
/// stored, that is the answer.
///
/// Elsewhere: recursion deadlocks.
#[tokio::test(start_paused = true)]
async fn a_function_that_awaits_itself_with_the_same_arguments_is_told_so() {
    #[cacheback(lifetime = 10, max_stale = 0, fetch_on_miss)]
    async fn itself(id: u64) -> u64 {
        itself(id).await + 1
    }
    #[cacheback(fetch_on_miss)]
    async fn refreshed(id: u64) -> u64 {
        refreshed::entry(id).refresh().await
    }
    let _own = testing::isolate();
    for panics in [tokio::spawn(async { itself(1).await }), tokio::spawn(async { refreshed(1).await })] {
        let panicked = panics.await.unwrap_err().into_panic();
        let message = panicked.downcast_ref::<String>().unwrap();
        assert!(message.contains("awaits itself with the same arguments"), "{message}");
    }
    settle().await;
    assert_stats!(itself::cache(), fetches: 1, panics: 1);
    itself::entry(2).set(7).await.unwrap();
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    assert_eq!(itself(2).await, 8, "it was too stale, fetched, and gave its body the older value");
}

/// `cfg`, `must_use`, `deprecated`, `allow` and docs stay with the public function, above the attribute and below it.
mod attributes {
    use super::{cacheback, settle, testing};

    #[cfg(any())]
    #[cacheback]
    async fn only_here(_: Missing) -> Missing {}

    #[cfg(not(any()))]
    #[cacheback]
    async fn only_here(id: u64) -> u64 {
        id
    }

    #[cacheback]
    #[cfg(any())]
    async fn below(_: Missing) -> Missing {}

    #[cacheback]
    #[cfg(not(any()))]
    async fn below(id: u64) -> u64 {
        id
    }

    #[must_use]
    #[inline]
    #[cacheback(fetch_on_miss)]
    #[allow(clippy::needless_return)]
    async fn attributed(#[allow(unused_variables)] id: u64) -> u64 {
        return 7;
    }

    #[expect(unused_variables)]
    #[cacheback(fetch_on_miss)]
    async fn expected(id: u64) -> u64 {
        let unused = id;
        8
    }

    #[deprecated]
    #[cacheback(fetch_on_miss)]
    async fn old(id: u64) -> u64 {
        id
    }

    #[tokio::test(start_paused = true)]
    async fn attributes_stay_with_the_function_or_the_body_that_they_are_of() {
        let _own = testing::isolate();
        assert_eq!((only_here(1).await, below(1).await), (0, 0));
        settle().await;
        assert_eq!((only_here(1).await, below(1).await), (1, 1));
        assert_eq!((attributed(1).await, expected(1).await), (7, 8));
        #[allow(deprecated)]
        let old = old(9).await;
        assert_eq!(old, 9);
    }
}

/// `instrument`, above the attribute and below it, spans each run of the body; a hit opens no span.
#[tokio::test(start_paused = true)]
async fn instrument_opens_a_span_for_each_run_of_the_body() {
    use std::sync::Mutex;
    use tracing::span::{Attributes, Id};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    /// The number of spans of the attribute that were opened. (`logs.rs` tests the span of the fetch.)
    #[derive(Clone, Default)]
    struct Opened(Arc<Mutex<u64>>);
    impl<S: tracing::Subscriber> Layer<S> for Opened {
        fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
            *self.0.lock().unwrap() += u64::from(attributes.metadata().name() == "body");
        }
    }

    #[tracing::instrument(name = "body")]
    #[cacheback(fetch_on_miss)]
    async fn above(id: u64) -> u64 {
        id
    }

    #[cacheback(fetch_on_miss)]
    #[tracing::instrument(name = "body")]
    async fn below(id: u64) -> u64 {
        id
    }

    let _own = testing::isolate();
    let opened = Opened::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(opened.clone()));
    let taken = || std::mem::take(&mut *opened.0.lock().unwrap());
    assert_eq!((above(1).await, taken()), (1, 1));
    assert_eq!((above(1).await, taken()), (1, 0), "a hit");
    assert_eq!((below(1).await, taken()), (1, 1));
    assert_eq!((below(1).await, taken()), (1, 0), "a hit");
}

/// Rule 12: no body is polled on its caller's stack. It would see task locals of that caller there, and a value that
/// was made for one tenant would be cached for all of them.
#[tokio::test(start_paused = true)]
async fn rule_12_a_body_does_not_see_its_callers_task_locals() {
    tokio::task_local! {
        static TENANT: u64;
    }
    fn seen() -> Option<u64> {
        TENANT.try_with(|tenant| *tenant).ok()
    }
    #[cacheback(lifetime = 10, fetch_on_miss)]
    async fn tenant(_id: u64) -> Option<u64> {
        seen()
    }
    let _own = testing::isolate();
    let object: Cache<u64, Option<u64>> =
        Cache::builder().fetch_on_miss().fetcher(|_| async { seen() }).build().unwrap();
    TENANT
        .scope(7, async {
            assert_eq!(seen(), Some(7), "the caller does");
            assert_eq!(tenant(1).await, None);
            assert_eq!(tenant::entry(2).get_or_fetch().await, None);
            assert_eq!(tenant::entry(2).refresh().await, None);
            assert_eq!(object.get(&1).await, None);
            assert_eq!(object.get_or_fetch(&2, || async { seen() }).await, None);
            // In the background of a stale answer.
            tenant::entry(3).set(Some(9)).await.unwrap();
            tenant::entry(3).invalidate().await.unwrap();
            settle().await;
            assert_eq!(tenant(3).await, None);
        })
        .await;
}
