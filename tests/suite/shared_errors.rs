//! Rule 7: an error has the same form however many callers wait, and its text has all causes.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use cacheback::{FetchError, FetchErrorKind, cacheback, testing};

use crate::support::{Source, run_ready};

/// The outcomes of so many callers of one failing fetch, first that of the caller who started it. They all wait for the
/// same run of `source`, which is gated.
async fn together<R: Send + 'static>(
    source: &Arc<Source>,
    callers: usize,
    entry: &cacheback::Entry<R>,
) -> Vec<R> {
    let before = source.runs();
    let mut calls = Vec::new();
    for _ in 0..callers {
        calls.push(tokio::spawn(entry.get_or_fetch()));
        source.started(before + 1).await;
    }
    run_ready().await;
    source.release(before + 1);
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(call.await.unwrap());
    }
    assert_eq!(source.runs(), before + 1, "no caller repeats it");
    outcomes
}

/// A failing source whose runs wait.
fn failing() -> Arc<Source> {
    let source = Source::gated();
    source.fail(true);
    source
}

#[derive(Debug)]
struct Refused(u64);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused {}", self.0)
    }
}

impl Error for Refused {}

#[cacheback(fetch_on_miss, skip(source))]
async fn anyhowed(id: u64, source: &Arc<Source>) -> anyhow::Result<u64> {
    source.run().await.map_err(|_| Refused(id)).context("asking the database").context("loading the user")?;
    Ok(id)
}

/// Rule 7, with an error that takes a `FetchError`: everybody gets one, and a lone caller too.
#[tokio::test(start_paused = true)]
async fn rule_7_with_anyhow_everybody_gets_a_fetch_error_that_owns_the_original() {
    let _own = testing::isolate();
    let source = failing();
    for callers in [1, 200] {
        for outcome in together(&source, callers, &anyhowed::entry(3, &source)).await {
            let error = outcome.unwrap_err();
            let shared: &FetchError = error.downcast_ref().unwrap();
            assert_eq!(shared.kind(), FetchErrorKind::Error);
            assert!(shared.function().ends_with("::anyhowed"), "{}", shared.function());
            let original: &anyhow::Error = shared.downcast_ref().unwrap();
            assert_eq!(original.downcast_ref::<Refused>().unwrap().0, 3);
            assert!(shared.downcast_ref::<Refused>().is_none(), "that is not the function's error");
        }
    }
}

/// Rule 7: the caller who started the fetch went away, and the others get the same as ever.
#[tokio::test(start_paused = true)]
async fn rule_7_without_the_caller_who_started_the_fetch_the_form_is_the_same() {
    let _own = testing::isolate();
    let source = failing();
    let starter = tokio::spawn(anyhowed::entry(3, &source).get_or_fetch());
    source.started(1).await;
    let follower = tokio::spawn(anyhowed::entry(3, &source).get_or_fetch());
    run_ready().await;
    starter.abort();
    assert!(starter.await.unwrap_err().is_cancelled());
    source.release_all();
    let error = follower.await.unwrap().unwrap_err();
    let shared: &FetchError = error.downcast_ref().unwrap();
    assert!(shared.downcast_ref::<anyhow::Error>().unwrap().is::<Refused>());
}

/// Rule 7: a `FetchError` is transparent. Its text is that of the original with all causes, its source the original's.
#[tokio::test(start_paused = true)]
async fn rule_7_a_fetch_error_tells_the_whole_chain_of_causes() {
    let _own = testing::isolate();
    let source = failing();
    let error = together(&source, 1, &anyhowed::entry(3, &source)).await.pop().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "loading the user: asking the database: refused 3");
    let causes: Vec<_> = error.chain().skip(1).map(ToString::to_string).collect();
    assert_eq!(causes, ["asking the database", "refused 3"]);

    // An error without causes has the text that it has without a cache.
    #[cacheback(fetch_on_miss)]
    async fn plain(id: u64) -> Result<u64, Box<dyn Error + Send + Sync>> {
        Err(Refused(id).into())
    }
    let error = plain(4).await.unwrap_err();
    assert!(error.is::<FetchError>());
    assert_eq!((error.to_string(), error.source().is_none()), ("refused 4".to_owned(), true));
}

#[derive(Debug)]
enum Tariff {
    TooMany(u64),
    Shared(Arc<Self>),
}

impl From<Arc<Tariff>> for Tariff {
    fn from(shared: Arc<Tariff>) -> Self {
        Self::Shared(shared)
    }
}

#[cacheback(fetch_on_miss, skip(source))]
async fn by_arc(id: u64, source: &Arc<Source>) -> Result<u64, Tariff> {
    source.run().await.map_err(|_| Tariff::TooMany(id))
}

/// Rule 7, with an error made from the shared original: a lone caller's is made from it too.
#[tokio::test(start_paused = true)]
async fn rule_7_with_an_arc_of_the_original_everybody_gets_the_converted_one() {
    let _own = testing::isolate();
    let source = failing();
    for callers in [1, 4] {
        for outcome in together(&source, callers, &by_arc::entry(60, &source)).await {
            let Err(Tariff::Shared(original)) = outcome else { panic!("{outcome:?}") };
            assert!(matches!(*original, Tariff::TooMany(60)), "{original:?}");
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Cloned {
    TooMany(u64),
}

#[cacheback(fetch_on_miss, skip(source))]
async fn by_clone(id: u64, source: &Arc<Source>) -> Result<u64, Cloned> {
    source.run().await.map_err(|_| Cloned::TooMany(id))
}

/// Rule 7, with `Clone`: everybody gets the function's own error.
#[tokio::test(start_paused = true)]
async fn rule_7_with_clone_everybody_gets_the_same() {
    let _own = testing::isolate();
    let source = failing();
    for callers in [1, 4] {
        for outcome in together(&source, callers, &by_clone::entry(60, &source)).await {
            assert_eq!(outcome, Err(Cloned::TooMany(60)));
        }
    }
}

#[derive(Debug, PartialEq)]
struct Made(&'static str);

#[cacheback(fetch_on_miss, share_err = |_: &Made| Made("shared"), skip(source))]
async fn by_closure(_id: u64, source: &Arc<Source>) -> Result<u64, Made> {
    source.run().await.map_err(|_| Made("original"))
}

/// Rule 7, with `share_err`: everybody gets the error that it makes.
#[tokio::test(start_paused = true)]
async fn rule_7_with_share_err_everybody_gets_what_it_makes() {
    let _own = testing::isolate();
    let source = failing();
    for callers in [1, 4] {
        for outcome in together(&source, callers, &by_closure::entry(60, &source)).await {
            assert_eq!(outcome, Err(Made("shared")));
        }
    }
}

/// An error as in other crates: neither `Clone` nor made from anything of ours.
#[derive(Debug)]
struct Opaque(Refused);

impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request failed")
    }
}

impl Error for Opaque {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// An `Arc` of any error works without an option, and `?` makes it.
#[tokio::test(start_paused = true)]
async fn rule_7_an_arc_of_any_error_is_shared_as_it_is() {
    async fn request(id: u64, source: &Arc<Source>) -> Result<u64, Opaque> {
        source.run().await.map_err(|_| Opaque(Refused(id)))
    }
    #[cacheback(fetch_on_miss, skip(source))]
    async fn shared(id: u64, source: &Arc<Source>) -> Result<u64, Arc<Opaque>> {
        Ok(request(id, source).await?)
    }
    #[cacheback(fetch_on_miss, skip(source))]
    async fn any(_id: u64, source: &Arc<Source>) -> Result<u64, Arc<anyhow::Error>> {
        Ok(source.run().await.map_err(|_| anyhow!("no such user"))?)
    }
    let _own = testing::isolate();
    let source = failing();
    for callers in [1, 4] {
        for outcome in together(&source, callers, &shared::entry(7, &source)).await {
            assert_eq!(outcome.unwrap_err().0.0, 7);
        }
        for outcome in together(&source, callers, &any::entry(7, &source)).await {
            assert_eq!(outcome.unwrap_err().to_string(), "no such user");
        }
    }
}
