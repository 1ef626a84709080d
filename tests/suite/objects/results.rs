//! A `Result` means the same in an object as under the attribute, whichever way the fetch comes.

use std::error::Error as StdError;
use std::hash::Hash;

use cacheback::FetchError;

use super::*;

type Outcome = Result<u64, String>;

fn blip() -> Outcome {
    Err("blip".to_owned())
}

#[tokio::test(start_paused = true)]
async fn rule_8_without_a_fetcher_an_error_is_not_kept_and_replaces_nothing() {
    let _own = testing::isolate();
    let cache: Cache<u64, Outcome> = Cache::builder().lifetime(secs(10)).build().unwrap();
    for key in [1, 2] {
        assert_eq!(cache.get_or_fetch(&key, || async { blip() }).await, blip());
        assert_eq!(cache.peek(&key).await, None);
        let fetched = match key {
            1 => cache.get_or_fetch(&1, || async { Ok(5) }).await,
            _ => cache.try_get_or_fetch(&2, || async { Ok(5) }).await,
        };
        assert_eq!(fetched, Ok(5));
    }
    advance(secs(10)).await;
    for _ in 0..3 {
        assert_eq!(cache.get_or_fetch(&1, || async { blip() }).await, Ok(5), "the stale value");
        assert_eq!(cache.try_get_or_fetch(&2, || async { blip() }).await, Ok(5));
        settle().await;
        advance(secs(60)).await;
    }
    assert_eq!(cache.get(&1).await, Ok(5));
    assert_stats!(cache, errors: 8);
    assert!(cache.set(&1, blip()).await.is_err());
    assert_eq!(cache.get(&1).await, Ok(5));
    cache.set(&1, Ok(6)).await.unwrap();
    assert_eq!(cache.get(&1).await, Ok(6));
    assert_eq!(cache.entry(&1).peek().await.map(|snapshot| snapshot.value), Some(6));
}

#[tokio::test(start_paused = true)]
async fn rule_8_an_error_of_a_fetcher_is_not_kept_and_replaces_nothing() {
    let _own = testing::isolate();
    let source = Source::open();
    let fetched = Arc::clone(&source);
    let cache: Cache<u64, Outcome> = Cache::builder()
        .lifetime_for(|value: &Outcome| secs(value.as_ref().map_or(0, |_| 10)))
        .fetch_on_miss()
        .fetcher(move |_| {
            let source = Arc::clone(&fetched);
            async move { source.run().await }
        })
        .build()
        .unwrap();
    source.fail(true);
    for run in 1..3 {
        assert_eq!(cache.get(&1).await, Err(format!("run {run} failed")));
    }
    source.fail(false);
    assert_eq!(cache.get(&1).await, Ok(3));
    advance(secs(10)).await;
    source.fail(true);
    for _ in 0..3 {
        assert_eq!(cache.get(&1).await, Ok(3), "the stale value");
        settle().await;
    }
    assert_eq!(cache.len(), 1);
    assert_stats!(cache, errors: 3);
    let closure = Arc::clone(&source);
    let own = cache.get_or_fetch(&2, move || async move { closure.run().await }).await;
    assert_eq!((own, cache.len()), (Err("run 5 failed".to_owned()), 1));
}

/// `cache_err` keeps it.
#[tokio::test(start_paused = true)]
async fn an_error_of_a_fetcher_is_kept_if_the_builder_says_so() {
    let _own = testing::isolate();
    let source = Source::open();
    source.fail(true);
    let fetched = Arc::clone(&source);
    let cache: Cache<u64, Outcome> = Cache::builder()
        .fetch_on_miss()
        .fetcher(move |_| {
            let source = Arc::clone(&fetched);
            async move { source.run().await }
        })
        .cache_err(secs(5))
        .build()
        .unwrap();
    for _ in 0..3 {
        assert_eq!(cache.get(&1).await, Err("run 1 failed".to_owned()));
    }
    advance(secs(5)).await;
    assert_eq!(cache.get(&1).await, Err("run 2 failed".to_owned()));
}

/// As the docs say: a bare type parameter is a value, and a `Result` of parameters is a `Result`.
#[tokio::test(start_paused = true)]
async fn in_generic_code_only_a_type_written_as_a_result_is_one() {
    async fn bare<V: Clone + Send + Sync + 'static>(cache: &Cache<u64, V>, value: V) -> V {
        cache.get_or_fetch(&1, move || async move { value }).await
    }
    async fn result<K, T, E>(cache: &Cache<K, Result<T, E>>, key: K, result: Result<T, E>) -> Result<T, E>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        T: Clone + Send + Sync + 'static,
        E: Clone + Send + Sync + 'static,
    {
        cache.try_get_or_fetch(&key, move || async move { result }).await
    }
    let _own = testing::isolate();
    let cache: Cache<u64, Outcome> = Cache::builder().build().unwrap();
    assert_eq!((result(&cache, 2, blip()).await, cache.len()), (blip(), 0));
    assert_eq!((bare(&cache, blip()).await, cache.len()), (blip(), 1));
}

/// Not `Clone`, not `Display`.
#[derive(Debug)]
struct Bare;
#[derive(Clone, Debug, PartialEq)]
struct Cloned(u64);
#[derive(Debug)]
enum ByArc {
    Original(u64),
    Shared(Arc<Self>),
}
impl From<Arc<ByArc>> for ByArc {
    fn from(shared: Arc<ByArc>) -> Self {
        Self::Shared(shared)
    }
}
#[derive(Debug)]
struct Wrapped(Option<FetchError>);
impl From<FetchError> for Wrapped {
    fn from(error: FetchError) -> Self {
        Self(Some(error))
    }
}

/// The errors of a failing fetch that a lone caller gets, and then two callers together.
async fn failures<E>(cache: &Cache<u64, Result<u64, E>>) -> Vec<E>
where
    E: Send + Sync + 'static,
{
    let mut outcomes = vec![cache.get(&60).await];
    let (one, other) = tokio::join!(cache.get(&60), cache.get(&60));
    outcomes.extend([one, other]);
    assert_stats!(cache, fetches: 2);
    outcomes.into_iter().map(|outcome| outcome.err().unwrap()).collect()
}

/// The errors that the attribute takes, without `Display`, and each in one form for everybody.
#[tokio::test(start_paused = true)]
async fn rule_7_a_builder_takes_the_errors_that_the_attribute_takes() {
    let _own = testing::isolate();
    macro_rules! failing {
        ($error:ty: |$key:ident| $fails:expr $(, $share:expr)?) => {
            Cache::builder()
                .fetch_on_miss()
                .try_fetcher(move |$key: u64| async move { Err::<u64, $error>($fails) })
                $(.share_err($share))?
                .build()
                .unwrap()
        };
    }
    for error in failures(&failing!(Cloned: |key| Cloned(key))).await {
        assert_eq!(error, Cloned(60));
    }
    for error in failures(&failing!(Arc<Bare>: |_key| Arc::new(Bare))).await {
        assert!(matches!(*error, Bare));
    }
    for error in failures(&failing!(ByArc: |key| ByArc::Original(key))).await {
        let ByArc::Shared(original) = error else { panic!("{error:?}") };
        assert!(matches!(*original, ByArc::Original(60)), "{original:?}");
    }
    for error in failures(&failing!(Wrapped: |_key| Wrapped(None))).await {
        let shared = error.0.unwrap();
        assert!(shared.downcast_ref::<Wrapped>().unwrap().0.is_none());
        assert!(shared.to_string().ends_with("::Wrapped"), "{shared}");
    }
    for error in failures(&failing!(Bare: |_key| Bare, |_| Bare)).await {
        assert!(matches!(error, Bare));
    }
    let contexted = |key| anyhow::anyhow!("no user {key}").context("loading the user");
    for error in failures(&failing!(anyhow::Error: |key| contexted(key))).await {
        assert!(error.is::<FetchError>());
        assert_eq!(error.to_string(), "loading the user: no user 60");
    }
    let boxed = |key| Box::<dyn StdError + Send + Sync>::from(format!("no user {key}"));
    for error in failures(&failing!(Box<dyn StdError + Send + Sync>: |key| boxed(key))).await {
        assert_eq!((error.is::<FetchError>(), error.to_string()), (true, "no user 60".to_owned()));
    }
}

/// A cache without a fetcher takes errors that are not `Clone`, if its type is written where the builder is made.
#[tokio::test(start_paused = true)]
async fn rule_7_without_a_fetcher_any_error_is_taken_if_its_type_is_known() {
    let _own = testing::isolate();
    let cache = Cache::<u64, anyhow::Result<u64>>::builder().lifetime(secs(10)).build().unwrap();
    let error = cache.try_get_or_fetch(&1, || async { Err(anyhow::anyhow!("blip")) }).await.unwrap_err();
    assert!(error.is::<FetchError>());
    assert_eq!(cache.get_or_fetch(&1, || async { Ok(5) }).await.unwrap(), 5);
    advance(secs(10)).await;
    let stale = cache.try_get_or_fetch(&1, || async { Err(anyhow::anyhow!("blip")) }).await;
    assert_eq!(stale.unwrap(), 5);
    settle().await;
    assert_eq!(cache.get(&1).await.unwrap(), 5);
}

/// `fetch_on_miss` says that an empty answer would be wrong, and `wait` can still lead to one: it has to be written
/// out.
#[tokio::test(start_paused = true)]
async fn a_builder_refuses_a_wait_without_an_empty_value() {
    let _own = testing::isolate();
    let waits = || {
        Cache::<u64, Outcome>::builder()
            .wait(secs(1))
            .try_fetcher(|_| async { std::future::pending().await })
            .fetch_on_miss()
    };
    let refused = waits().build().unwrap_err().to_string();
    for words in ["option `wait`", "`.empty(|key| ..)`", "`Err`"] {
        assert!(refused.contains(words), "{refused}");
    }
    let closures: Result<Cache<u64, u64>, _> = Cache::builder().wait(secs(1)).build();
    assert!(closures.unwrap_err().to_string().contains("`.empty(|key| ..)`"));
    let cache = waits().empty(|key| Err(format!("{key}: too slow"))).build().unwrap();
    assert_eq!(cache.get(&7).await, Err("7: too slow".to_owned()));
}

/// A builder can build more than once, each time a cache of its own.
#[tokio::test(start_paused = true)]
async fn a_builder_makes_as_many_caches_as_it_is_asked_for() {
    let _own = testing::isolate();
    let builder =
        Cache::builder().fetch_on_miss().try_fetcher(|key: u64| async move { Ok::<_, String>(key * key) });
    let (one, other) = (builder.build().unwrap(), builder.build().unwrap());
    assert_eq!((one.get(&3).await, one.len(), other.len()), (Ok(9), 1, 0));
}
