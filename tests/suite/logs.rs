//! The log: levels, messages and fields, each line once if once is enough, and the span of each fetch. Arguments and
//! values never appear.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheback::{Cache, FetchError, cacheback, settle, shutdown, testing};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Instrument, Level, Subscriber, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{Source, advance, secs};

/// Part of every argument and value of these tests. No event or span may contain it.
const SECRET: &str = "secret";
/// The same as a number.
const SECRET_NUMBER: u64 = 987_654_321;

/// The events and spans of this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    told: Vec<Told>,
    spans: BTreeMap<u64, Opened>,
    /// Everything, as text.
    text: String,
}

/// An event.
#[derive(Clone, Debug)]
struct Told {
    level: Level,
    target: String,
    fields: BTreeMap<String, String>,
    /// The span that it lies in.
    inside: Option<u64>,
}

/// A span.
#[derive(Clone, Debug)]
struct Opened {
    name: &'static str,
    target: String,
    level: Level,
    fields: BTreeMap<String, String>,
    has_parent: bool,
    follows: Vec<u64>,
    closed: bool,
}

struct Fields<'f>(&'f mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let (meta, mut fields) = (attributes.metadata(), BTreeMap::new());
        attributes.record(&mut Fields(&mut fields));
        let has_parent = context.span(id).and_then(|span| span.parent()).is_some();
        let mut seen = self.0.lock().unwrap();
        writeln!(seen.text, "{} {fields:?}", meta.name()).unwrap();
        let opened = Opened {
            name: meta.name(),
            target: meta.target().to_owned(),
            level: *meta.level(),
            fields,
            has_parent,
            follows: Vec::new(),
            closed: false,
        };
        seen.spans.insert(id.into_u64(), opened);
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, S>) {
        let mut seen = self.0.lock().unwrap();
        assert!(seen.spans.get(&follows.into_u64()).is_some_and(|span| !span.closed), "it is still open");
        seen.spans.get_mut(&id.into_u64()).unwrap().follows.push(follows.into_u64());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let inside = context.event_span(event).map(|span| span.id().into_u64());
        let meta = event.metadata();
        let told = Told { level: *meta.level(), target: meta.target().to_owned(), fields, inside };
        let mut seen = self.0.lock().unwrap();
        writeln!(seen.text, "{told:?}").unwrap();
        seen.told.push(told);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.0.lock().unwrap().spans.get_mut(&id.into_u64()).unwrap().closed = true;
    }
}

impl Log {
    fn capture() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::registry().with(log.clone());
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The events of a function's cache since the last call, as lines: level, message, and the fields except the name
    /// of the function. Asserts that no text contains a secret, and that each event names its function.
    #[track_caller]
    fn take(&self, function: &str) -> Vec<String> {
        self.check();
        let told = std::mem::take(&mut self.0.lock().unwrap().told);
        let of_caches = told.into_iter().filter(|told| told.target == cacheback::logs::TARGET);
        let lines = of_caches.filter_map(|mut told| {
            let message = told.fields.remove("message").unwrap();
            let name = told.fields.remove("function").unwrap_or_else(|| "(none)".to_owned());
            let rest: String = told
                .fields
                .iter()
                .fold(String::new(), |rest, (field, value)| format!("{rest}, {field}={value}"));
            name.ends_with(function).then(|| format!("{} {message}{rest}", told.level))
        });
        lines.collect()
    }

    #[track_caller]
    fn check(&self) {
        let seen = self.0.lock().unwrap();
        for secret in [SECRET, &SECRET_NUMBER.to_string()] {
            assert!(!seen.text.contains(secret), "{}", seen.text);
        }
    }

    /// The spans of a function's fetches.
    fn fetches(&self, function: &str) -> Vec<Opened> {
        let seen = self.0.lock().unwrap();
        let of_caches = seen.spans.values().filter(|span| span.target == cacheback::logs::TARGET);
        of_caches.filter(|span| span.fields["function"].ends_with(function)).cloned().collect()
    }
}

/// Fails when its source does. Its argument and its value are secrets.
#[cacheback(lifetime = 10, refresh_timeout = 5, skip(source))]
async fn logged(argument: &str, source: &Arc<Source>) -> Result<String, String> {
    source.run().await?;
    Ok(format!("the value of {argument}"))
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_logged_once_a_back_off() {
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    let source = Source::open();
    let entry = logged::entry(SECRET, &source);
    source.fail(true);
    for _ in 0..3 {
        entry.get_or_fetch().await.unwrap_err();
    }
    assert_eq!(log.take("::logged"), ["WARN fetch failed, error=run 1 failed"]);
    advance(secs(10)).await;
    entry.get_or_fetch().await.unwrap_err();
    assert_eq!(log.take("::logged"), ["WARN fetch failed, error=run 4 failed"]);
    source.fail(false);
    entry.get_or_fetch().await.unwrap();
    assert_eq!(log.take("::logged"), [""; 0], "a success is silent");
}

/// Nobody else ever sees the error of a background refresh, so its line has all causes.
#[tokio::test(start_paused = true)]
async fn rule_7_a_failure_is_logged_with_all_its_causes() {
    use anyhow::{Context, anyhow};

    #[cacheback(lifetime = 10)]
    async fn contexted(name: &str) -> anyhow::Result<String> {
        Err(anyhow!("connection refused")).context("loading the user").with_context(|| name.len().to_string())
    }
    #[cacheback(lifetime = 10)]
    async fn shared(_name: &str) -> Result<String, Arc<anyhow::Error>> {
        Err(Arc::new(anyhow!("connection refused").context("loading the user")))
    }
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    contexted(SECRET).await.unwrap();
    settle().await;
    let told = log.take("::contexted");
    assert_eq!(told, ["WARN fetch failed, error=6: loading the user: connection refused"]);
    shared(SECRET).await.unwrap();
    settle().await;
    assert_eq!(log.take("::shared"), ["WARN fetch failed, error=loading the user: connection refused"]);

    // The same of an object: with a fetch that a call brought, and with a fetcher.
    #[derive(Clone)]
    struct Nameless;
    let refused = || anyhow!("connection refused").context("loading the user");
    let called: Cache<u8, Result<u8, Arc<FetchError>>> = Cache::builder().name("called").build().unwrap();
    let nameless: Cache<u8, Result<u8, Nameless>> = Cache::builder().name("nameless").build().unwrap();
    let fetching: Cache<u8, anyhow::Result<u8>> = Cache::builder()
        .name("fetching")
        .fetch_on_miss()
        .try_fetcher(move |_| async move { Err(refused()) })
        .build()
        .unwrap();
    let error = fetching.get(&1).await.unwrap_err().downcast::<FetchError>().unwrap();
    let line = ["WARN fetch failed, error=loading the user: connection refused"];
    assert_eq!(log.take("fetching"), line);
    let error = called.try_get_or_fetch(&1, || async { Err(Arc::new(error)) }).await.unwrap_err();
    assert_eq!(error.function(), "fetching");
    assert_eq!(log.take("called"), line);
    assert!(nameless.get_or_fetch(&1, || async { Err(Nameless) }).await.is_err());
    let told = log.take("nameless");
    assert!(told.len() == 1 && told[0].ends_with("::Nameless"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn an_error_without_display_is_logged_by_its_type() {
    #[derive(Clone, Debug)]
    struct NotFound {
        #[allow(dead_code)]
        name: String,
    }
    #[cacheback(lifetime = 10)]
    async fn debugged(name: &str) -> Result<u64, NotFound> {
        Err(NotFound { name: name.to_owned() })
    }
    #[derive(Clone)]
    struct Nameless;
    #[cacheback(lifetime = 10)]
    async fn unseen(_name: &str) -> Result<u64, Nameless> {
        Err(Nameless)
    }
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    assert_eq!(debugged::entry(SECRET).refresh().await.unwrap_err().name, SECRET);
    let told = log.take("::debugged");
    assert!(told.len() == 1 && told[0].starts_with("WARN fetch failed, error=suite::logs::"), "{told:?}");
    assert!(told[0].ends_with("::NotFound"), "{told:?}");
    assert!(unseen::entry(SECRET).refresh().await.is_err());
    let told = log.take("::unseen");
    assert!(told.len() == 1 && told[0].ends_with("::Nameless"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn time_outs_discards_and_panics_are_logged() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn panicking(argument: &str, source: &Arc<Source>) -> String {
        source.run().await.expect("boldly");
        argument.to_owned()
    }
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    let source = Source::gated();
    let entry = logged::entry(SECRET, &source);
    logged(SECRET, &source).await.unwrap();
    settle().await;
    assert_eq!(log.take("::logged"), ["WARN fetch timed out, took_ms=5000"]);
    let refresh = tokio::spawn(entry.refresh());
    source.started(2).await;
    entry.remove().await.unwrap();
    source.release_all();
    refresh.await.unwrap().unwrap();
    assert_eq!(log.take("::logged"), ["DEBUG fetch discarded: the key changed meanwhile"]);
    source.fail(true);
    panicking(SECRET, &source).await;
    settle().await;
    assert_eq!(log.take("::panicking"), [r#"ERROR fetch panicked, panic=boldly: "run 3 failed""#]);
}

#[tokio::test(start_paused = true)]
async fn rule_5_slow_bodies_and_refusals_are_logged_once() {
    #[cacheback(lifetime = 1, skip(source))]
    async fn slow(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await + id
    }
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    let source = Source::gated();
    for id in 0..2_000 {
        logged(&format!("{SECRET} {id}"), &source).await.unwrap();
    }
    assert_eq!(
        log.take("::logged"),
        ["WARN refreshes refused: too many are waiting, refused=1"],
        "one of 912 refusals"
    );
    assert_stats!(logged::cache(), refused: 2_000 - 64 - 1_024);
    logged::cache().clear().await.unwrap();
    source.release_all();
    settle().await;
    log.take("::logged");

    let source = Source::gated();
    for id in 0..3 {
        slow(SECRET_NUMBER + id, &source).await;
    }
    source.started(3).await;
    advance(secs(2)).await;
    source.release_all();
    settle().await;
    assert_eq!(log.take("::slow"), ["WARN a fetch takes longer than its value is fresh, took_ms=2000"]);
}

/// The lifetime that a value asks for is as secret as the value. A value's own retention may be longer than that of the
/// function.
#[tokio::test(start_paused = true)]
async fn a_lifetime_past_the_retention_is_logged_once_for_a_cache() {
    #[cacheback(lifetime = 60, retention = 60, lifetime_for = |value| secs(*value), retention_for = |_| Duration::MAX)]
    async fn cut(value: u64) -> u64 {
        value
    }
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    cut::entry(60).set(60).await.unwrap();
    assert_eq!(log.take("::cut"), [""; 0], "as long as the retention");
    for _ in 0..3 {
        cut::entry(SECRET_NUMBER).refresh().await;
        advance(secs(60)).await;
        assert_eq!(cut::entry(SECRET_NUMBER).peek().await, None);
    }
    assert_eq!(
        log.take("::cut"),
        ["WARN a lifetime of `lifetime_for` is longer than `retention`, and was cut"]
    );
}

/// The value that an argument gives to an option is as secret as the argument.
#[tokio::test(start_paused = true)]
async fn clamped_options_are_logged_by_name() {
    #[cacheback(lifetime = Duration::from_secs(seconds), retention = 10)]
    async fn clamped(seconds: u64) -> u64 {
        seconds
    }
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    for _ in 0..5 {
        clamped::entry(SECRET_NUMBER).set(SECRET_NUMBER).await.unwrap();
    }
    assert_eq!(
        log.take("::clamped"),
        ["WARN options contradict each other and were clamped, option=retention, with=lifetime"]
    );
    assert_eq!(clamped(SECRET_NUMBER).await, SECRET_NUMBER);
}

#[tokio::test(start_paused = true)]
async fn values_that_cannot_be_weighed_or_dropped_are_logged() {
    #[cacheback(max_bytes = 10, weigh = |text| {
        assert!(text.len() < 100, "too long to weigh");
        text.len()
    })]
    async fn heavy(text: String) -> String {
        text
    }
    /// Panics when the cache drops it.
    #[derive(Clone)]
    struct Rude(#[allow(dead_code)] String, bool);
    impl Drop for Rude {
        fn drop(&mut self) {
            assert!(!self.1, "in drop");
        }
    }
    #[cacheback(lifetime = 10, empty = Rude(String::new(), false))]
    async fn rude(text: String) -> Rude {
        Rude(text, true)
    }
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    for length in [20, 200] {
        let text = SECRET.repeat(length / SECRET.len());
        for _ in 0..2 {
            heavy::entry(text.clone()).set(text.clone()).await.unwrap();
        }
    }
    let panicked = "ERROR `weigh` panicked: the value is not stored, panic=too long to weigh";
    assert_eq!(
        log.take("::heavy"),
        ["WARN a value is larger than `max_bytes`: not stored, bytes=18, max_bytes=10", panicked, panicked]
    );
    rude(SECRET.to_owned()).await;
    settle().await;
    rude::cache().clear().await.unwrap();
    // Values are dropped when none of their readers is left. Some more writes reclaim this one.
    for id in 0..200 {
        rude::entry(format!("{SECRET} {id}")).set(Rude(SECRET.to_owned(), false)).await.unwrap();
        rude::cache().clear().await.unwrap();
    }
    assert_eq!(log.take("(none)"), ["ERROR the `Drop` of a cached value panicked"]);
}

/// Refusals after a shutdown are not logged.
#[tokio::test(start_paused = true)]
async fn an_aborted_fetch_is_logged() {
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    let source = Source::gated();
    logged(SECRET, &source).await.unwrap();
    source.started(1).await;
    shutdown(secs(0)).await;
    logged(SECRET, &source).await.unwrap();
    assert_eq!(log.take("::logged"), ["WARN fetch aborted: shut down, and nobody waits for it"]);
    assert_stats!(logged::cache(), refused: 1);
}

#[test]
fn a_lost_fetch_is_logged() {
    let (log, _guard) = Log::capture();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime().unwrap();
    let source = Source::gated();
    runtime.block_on(async {
        logged(&format!("{SECRET} of a lost fetch"), &source).await.unwrap();
        source.started(1).await;
    });
    drop(runtime);
    assert_eq!(log.take("::logged"), ["WARN fetch lost: its runtime was dropped"]);
}

/// Its body logs.
#[cacheback(lifetime = 10, skip(source))]
async fn spanned(argument: &str, source: &Arc<Source>) -> Result<String, String> {
    tracing::info!("before");
    source.run().await?;
    tracing::info!("after");
    Ok(argument.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_fetch_has_a_span_that_follows_from_its_callers() {
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    let source = Source::gated();
    let entry = spanned::entry(SECRET, &source);

    // Three fetches: in the background, with a caller who waits, and started by an invalidation.
    let request = info_span!("request");
    let request_id = request.id().unwrap().into_u64();
    spanned(SECRET, &source).instrument(request.clone()).await.unwrap();
    source.started(1).await;
    source.release_all();
    settle().await;
    advance(secs(11)).await;
    entry.refresh().instrument(request.clone()).await.unwrap();
    entry.invalidate().instrument(request.clone()).await.unwrap();
    settle().await;

    let fetches = log.fetches("::spanned");
    assert_eq!(fetches.len(), 3, "{fetches:?}");
    for fetch in &fetches {
        assert_eq!((fetch.name, fetch.level), ("fetch", Level::INFO));
        assert_eq!(fetch.fields.keys().collect::<Vec<_>>(), ["function"]);
        assert_eq!(fetch.follows, [request_id], "it is caused by the request");
        assert!(!fetch.has_parent, "and outlives it");
        assert!(fetch.closed);
    }
    let seen = log.0.lock().unwrap();
    let own: Vec<_> = seen.told.iter().filter(|told| told.target.ends_with("::logs")).collect();
    assert_eq!(own.len(), 6, "{own:?}");
    for told in own {
        assert_eq!(seen.spans[&told.inside.unwrap()].name, "fetch", "{told:?}");
    }
    drop(seen);
    log.check();
}

#[tokio::test(start_paused = true)]
async fn a_hit_opens_no_span_and_a_fetch_without_a_caller_follows_from_none() {
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    let source = Source::open();
    spanned(SECRET, &source).await.unwrap();
    settle().await;
    for _ in 0..10 {
        assert_eq!(spanned(SECRET, &source).await.unwrap(), SECRET);
    }
    let fetches = log.fetches("::spanned");
    assert!(fetches.len() == 1 && fetches[0].follows.is_empty(), "{fetches:?}");
    // The events of the cache itself lie in the span of the fetch, too.
    source.fail(true);
    advance(secs(11)).await;
    spanned(SECRET, &source).await.unwrap();
    settle().await;
    let seen = log.0.lock().unwrap();
    let failed = seen.told.iter().find(|told| told.target == cacheback::logs::TARGET).unwrap();
    assert_eq!(seen.spans[&failed.inside.unwrap()].name, "fetch", "{failed:?}");
}

/// A queued refresh follows from the caller who started it, not from the one that frees its place, and does not hold
/// that caller's span open.
#[tokio::test(start_paused = true)]
async fn a_queued_refresh_follows_from_its_own_caller() {
    #[cacheback(lifetime = 10, max_refreshes = 1, skip(source))]
    async fn queued(id: u64, source: &Arc<Source>) -> u64 {
        source.number().await + id
    }
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    let source = Source::gated();
    let mut requests = Vec::new();
    for id in 0..3 {
        let request = info_span!("request", id);
        requests.push(request.id().unwrap().into_u64());
        queued(id, &source).instrument(request).await;
    }
    source.started(1).await;
    {
        let seen = log.0.lock().unwrap();
        assert!(requests.iter().all(|request| seen.spans[request].closed), "nothing holds them open");
    }
    source.release_all();
    settle().await;
    let follows: Vec<_> = log.fetches("::queued").into_iter().flat_map(|fetch| fetch.follows).collect();
    assert_eq!(follows, requests);
}

/// A subscriber is user code: if it panics, no key is stuck.
#[tokio::test(start_paused = true)]
async fn a_subscriber_that_panics_leaves_no_key_stuck() {
    struct Rude;
    impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Rude {
        fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
            assert!(attributes.metadata().name() != "fetch", "in a subscriber");
        }
    }
    let _own = testing::isolate();
    let source = Source::open();
    let called = {
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(Rude));
        let source = Arc::clone(&source);
        tokio::spawn(async move { spanned(SECRET, &source).await }).await
    };
    assert!(called.unwrap_err().is_panic());
    let entry = spanned::entry(SECRET, &source);
    let value = tokio::time::timeout(secs(60), entry.get_or_fetch()).await.expect("the key is stuck");
    assert_eq!(value.unwrap(), SECRET);
    assert_eq!(source.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_is_logged_as_it_opens_and_closes() {
    #[cacheback(lifetime = 10, skip(source))]
    async fn broken(_argument: &str, source: &Arc<Source>) -> Result<u64, String> {
        source.run().await
    }
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    let source = Source::open();
    source.fail(true);
    for id in 0..12 {
        assert!(broken::entry(&format!("{SECRET} {id}"), &source).refresh().await.is_err());
    }
    let told = log.take("::broken");
    let opened = "WARN breaker opened: ten fetches in a row failed";
    assert_eq!(told.iter().position(|line| line == opened), Some(9), "{told:?}");
    assert_eq!(told.iter().filter(|line| *line == opened).count(), 1);
    source.fail(false);
    broken::entry(SECRET, &source).refresh().await.unwrap();
    assert_eq!(log.take("::broken"), ["INFO breaker closed: a fetch succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn rule_12_a_body_that_invalidates_its_own_key_is_logged_once() {
    #[cacheback(skip(source))]
    async fn restless(argument: &str, source: &Arc<Source>) -> u64 {
        restless::entry(argument, source).invalidate().await.unwrap();
        source.number().await
    }
    let _own = testing::isolate();
    let (log, _guard) = Log::capture();
    let source = Source::open();
    for argument in [SECRET, "another secret"] {
        assert_eq!(restless(argument, &source).await, 0);
        settle().await;
    }
    assert_eq!(source.runs(), 4);
    let message = "a body invalidates its own key, or others that invalidate it: this starts no more fetches";
    let told = log.take("::restless");
    assert_eq!(told.iter().filter(|line| **line == format!("WARN {message}")).count(), 1, "{told:?}");
}
