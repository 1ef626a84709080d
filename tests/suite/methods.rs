//! Methods, associated functions and the methods of traits: each form is called, and its fetches are counted.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cacheback::{Entry, Status, cacheback, settle, testing};

use crate::support::{Source, advance, secs};

/// A repository of one tenant. Its clones are the same repository.
#[derive(Clone)]
struct Repo {
    tenant: u64,
    lifetime: Duration,
    source: Arc<Source>,
}

impl Repo {
    const PATIENCE: Duration = secs(7);

    fn of(tenant: u64, source: &Arc<Source>) -> Self {
        Self { tenant, lifetime: secs(tenant), source: Arc::clone(source) }
    }

    /// The answer of a body: the tenant, the id, and the number of the run.
    async fn read(&self, id: u64) -> (u64, u64, u64) {
        (self.tenant, id, self.source.number().await)
    }

    #[cacheback(skip(self), fetch_on_miss)]
    async fn skipped(&self, id: u64) -> (u64, u64, u64) {
        self.read(id).await
    }

    #[cacheback(key = (self.tenant, id), fetch_on_miss)]
    async fn told_apart(&self, id: u64) -> (u64, u64, u64) {
        self.read(id).await
    }

    #[cacheback(key = format!("{}/{id}", self.tenant), fetch_on_miss)]
    async fn by_value(self, id: u64) -> (u64, u64, u64) {
        self.read(id).await
    }

    #[cacheback(skip(self), fetch_on_miss)]
    async fn of_an_arc(self: Arc<Self>, id: u64) -> (u64, u64, u64) {
        self.read(id).await
    }

    #[cacheback(skip(self), fetch_on_miss)]
    async fn of_a_borrowed_arc(self: &Arc<Self>, name: &str) -> (u64, u64, u64) {
        self.read(name.len() as u64).await
    }

    #[cacheback(skip(self), fetch_on_miss)]
    async fn by_mutable_value(mut self, (id, _): (u64, u8)) -> (u64, u64, u64) {
        self.tenant += 100;
        self.read(id).await
    }

    #[cacheback(skip(self), fetch_on_miss)]
    async fn with_lifetimes<'a>(&'a self, names: &'a [&'a str]) -> (u64, u64, u64) {
        self.read(names.len() as u64).await
    }

    #[cacheback(skip(self), fetch_on_miss)]
    fn of_a_future(&self, id: u64) -> impl Future<Output = (u64, u64, u64)> + Send {
        let twice = id * 2;
        async move { self.read(twice).await }
    }

    #[cacheback(skip(self), handle = false, fetch_on_miss)]
    async fn without_a_handle(&self, mut id: u64) -> (u64, u64, u64) {
        id += 1;
        let read = || self.read(id);
        read().await
    }

    /// It has no receiver: `Self` in the signature says that it stands in an `impl`.
    #[cacheback(skip(of), fetch_on_miss)]
    async fn by_reference_to_another(of: &Self, id: u64) -> (u64, u64, u64) {
        of.read(id).await
    }

    /// Only the option says so.
    #[cacheback(in_impl, skip(source), fetch_on_miss)]
    async fn associated(source: &Arc<Source>, id: u64) -> (u64, u64, u64) {
        Self::of(9, source).read(id).await
    }

    #[cacheback(skip(self), fetch_on_miss, handle = r#type)]
    async fn r#match(&self) -> (u64, u64, u64) {
        self.read(0).await
    }

    #[cacheback(key = self.tenant, fetch_on_miss)]
    async fn itself(&self) -> Option<Self> {
        self.read(0).await;
        Some(self.clone())
    }
}

/// Each form: a call that fetches, one that does not, and another key.
macro_rules! forms {
    ($($form:ident: |$repo:ident, $id:ident| $call:expr => $returned:expr;)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $form() {
            let _own = testing::isolate();
            let source = Source::open();
            let $repo = Arc::new(Repo::of(1, &source));
            let call = async |$id: u64| $call.await;
            let returned = |$id: u64, run: u64| -> (u64, u64, u64) {
                let (tenant, id) = $returned;
                (tenant, id, run)
            };
            assert_eq!(call(3).await, returned(3, 1));
            assert_eq!(call(3).await, returned(3, 1));
            assert_eq!(call(4).await, returned(4, 2));
            assert_eq!(call(3).await, returned(3, 1));
            assert_eq!(source.runs(), 2);
        }
    )*};
}

forms! {
    a_method_that_skips_its_receiver: |repo, id| repo.skipped(id) => (1, id);
    a_method_with_its_receiver_in_the_key: |repo, id| repo.told_apart(id) => (1, id);
    a_method_by_value: |repo, id| Repo::clone(&repo).by_value(id) => (1, id);
    a_method_of_an_arc: |repo, id| Arc::clone(&repo).of_an_arc(id) => (1, id);
    a_method_of_a_borrowed_arc: |repo, id| repo.of_a_borrowed_arc(&"x".repeat(id as usize)) => (1, id);
    a_method_with_a_mutable_receiver: |repo, id| Repo::clone(&repo).by_mutable_value((id, 0)) => (101, id);
    a_method_with_named_lifetimes: |repo, id| repo.with_lifetimes(&vec!["x"; id as usize]) => (1, id);
    a_method_that_returns_a_future: |repo, id| repo.of_a_future(id) => (1, id * 2);
    a_method_without_a_handle: |repo, id| repo.without_a_handle(id) => (1, id + 1);
    an_associated_function_that_says_self: |repo, id| Repo::by_reference_to_another(&repo, id) => (1, id);
    an_associated_function_that_is_told_to_be_one: |repo, id| Repo::associated(&repo.source, id) => (9, id);
}

#[tokio::test(start_paused = true)]
async fn receivers_share_entries_only_if_they_are_skipped() {
    let _own = testing::isolate();
    let source = Source::open();
    let (one, two) = (Repo::of(1, &source), Repo::of(2, &source));

    assert_eq!(one.skipped(3).await, (1, 3, 1));
    assert_eq!(two.skipped(3).await, (1, 3, 1), "the entry of the first");

    assert_eq!(one.told_apart(3).await, (1, 3, 2));
    assert_eq!(two.told_apart(3).await, (2, 3, 3));
    assert_eq!(one.clone().told_apart(3).await, (1, 3, 2));
    assert_eq!(two.clone().by_value(3).await, (2, 3, 4));
    assert_eq!(one.clone().by_value(3).await, (1, 3, 5));
    assert_eq!(one.clone().by_value(3).await, (1, 3, 5));
    assert_eq!(source.runs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_method_may_return_self() {
    let _own = testing::isolate();
    let source = Source::open();
    for tenant in [1, 2, 1] {
        let found = Repo::of(tenant, &source).itself().await;
        assert_eq!(found.map(|repo| repo.tenant), Some(tenant));
    }
    assert_eq!(source.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_method_has_the_handles_of_a_function() {
    let _own = testing::isolate();
    let source = Source::open();
    let repo = Repo::of(1, &source);
    let entry: Entry<(u64, u64, u64)> = repo.told_apart_entry(3);
    assert_eq!(entry.peek().await, None);
    entry.set((0, 0, 0)).await.unwrap();
    assert_eq!(repo.told_apart(3).await, (0, 0, 0));
    assert_eq!(Repo::of(2, &source).told_apart_entry(3).peek().await, None);
    entry.invalidate().await.unwrap();
    assert_eq!(entry.lookup().await.status, Status::Stale);
    settle().await;
    assert_eq!(repo.told_apart(3).await, (1, 3, 1));
    assert_eq!(entry.refresh().await, (1, 3, 2));
    entry.remove().await.unwrap();
    assert_eq!(repo.told_apart(3).await, (1, 3, 3));

    let cache = Repo::told_apart_cache();
    assert_eq!(cache.len(), 1);
    assert_stats!(cache, fetches: 3);
    cache.clear().await.unwrap();
    assert_eq!(cache.len(), 0);
    assert_stats!(Repo::skipped_cache(), fetches: 0);

    assert_eq!(repo.type_entry().get_or_fetch().await, (1, 0, 4));
    assert_eq!(repo.r#match().await, (1, 0, 4));
    assert_eq!(Repo::associated_entry(&source, 5).get_or_fetch().await, (9, 5, 5));
    assert_eq!(Repo::associated_cache().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_method_is_named_after_its_type() {
    let _own = testing::isolate();
    assert_eq!(Repo::skipped_cache().name(), "suite::methods::Repo::skipped");
    assert_eq!(Repo::type_cache().name(), "suite::methods::Repo::match");
    assert_eq!(Generic::<u8, String>::get_cache().name(), "suite::methods::Generic::get");
    let source = Source::open();
    Repo::of(1, &source).without_a_handle(1).await;

    let names: Vec<&str> = cacheback::caches().iter().map(cacheback::CacheRef::name).collect();
    assert_eq!(names, ["suite::methods::Repo::without_a_handle"]);
}

mod elsewhere {
    use cacheback::cacheback;

    pub(super) struct Visible;

    impl Visible {
        #[cacheback(in_impl)]
        pub(super) async fn shown(id: u64) -> u64 {
            id
        }
    }
}

#[tokio::test(start_paused = true)]
async fn companions_are_as_visible_as_their_method() {
    let _own = testing::isolate();
    elsewhere::Visible::shown_entry(1).set(7).await.unwrap();
    assert_eq!(elsewhere::Visible::shown(1).await, 7);
    assert_eq!(elsewhere::Visible::shown_cache().len(), 1);
}

// Options.

impl Repo {
    #[cacheback(
        key = (self.tenant, id),
        lifetime = self.lifetime,
        retention = secs(100) + self.lifetime,
        fetch_on_miss = self.tenant > 2,
        empty = Ok((self.tenant, id, usize::MAX as u64)),
        wait = Self::PATIENCE,
        lifetime_for = |&(_, id, _)| secs(id),
        retention_for = |&(_, id, _)| secs(2 * id),
        share_err = |error: &std::io::Error| std::io::Error::new(error.kind(), error.to_string()),
        capacity = 5
    )]
    async fn optioned(&self, id: u64) -> std::io::Result<(u64, u64, u64)> {
        let run = self.source.run().await.map_err(std::io::Error::other)?;
        Ok((self.tenant, id, run))
    }

    #[cacheback(skip(self), lifetime = { let this = self; this.lifetime }, max_bytes = 100, weigh = String::len)]
    async fn weighed(&self, id: u64) -> String {
        format!("{id} {}", self.source.number().await)
    }
}

#[tokio::test(start_paused = true)]
async fn options_may_look_at_the_receiver() {
    let _own = testing::isolate();
    let source = Source::open();
    let (two, three) = (Repo::of(2, &source), Repo::of(3, &source));
    assert_eq!(two.optioned(50).await.unwrap(), (2, 50, u64::MAX), "empty");
    settle().await;
    assert_eq!(two.optioned(50).await.unwrap(), (2, 50, 1));
    assert_eq!(three.optioned(50).await.unwrap(), (3, 50, 2), "it waits");
    advance(secs(51)).await;
    assert_eq!(two.optioned_entry(50).lookup().await.status, Status::Stale, "`lifetime_for`");
    settle().await;
    advance(secs(100)).await;
    assert_eq!(two.optioned_entry(50).lookup().await.status, Status::Empty, "`retention_for`");
    settle().await;
    let policy = Repo::optioned_cache().policy();
    assert_eq!(policy.capacity, 5);
    assert_eq!(policy.varies, ["lifetime", "retention", "wait", "fetch_on_miss"]);

    source.fail(true);
    let error = three.optioned(1).await.unwrap_err();
    assert!(error.to_string().contains("failed"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_may_be_that_of_the_receiver_that_fetches() {
    let _own = testing::isolate();
    let source = Source::open();
    let (five, nine) = (Repo::of(5, &source), Repo::of(9, &source));
    five.weighed_entry(1).refresh().await;
    nine.weighed_entry(2).refresh().await;
    advance(secs(6)).await;
    assert!(!five.weighed_entry(1).peek().await.unwrap().fresh);
    assert!(five.weighed_entry(2).peek().await.unwrap().fresh);
    assert_eq!(Repo::weighed_cache().policy().max_bytes, Some(100));
}

#[tokio::test(start_paused = true)]
async fn a_wait_may_be_a_constant_of_the_type() {
    let _own = testing::isolate();
    let source = Source::gated();
    let repo = Repo::of(3, &source);
    let asked = tokio::time::Instant::now();
    assert_eq!(repo.optioned(1).await.unwrap(), (3, 1, u64::MAX));
    assert_eq!(asked.elapsed(), Repo::PATIENCE);
    source.release_all();
}

// Generic types, associated types and constants.

trait Model: Clone + Send + Sync + 'static {
    type Row: Clone + Send + Sync + Default + std::fmt::Debug + PartialEq + 'static;
    const LIFETIME: Duration;
    fn row(id: u64, run: u64) -> Self::Row;
}

impl Model for u8 {
    type Row = u64;
    const LIFETIME: Duration = secs(8);
    fn row(id: u64, run: u64) -> u64 {
        id * 1_000 + run
    }
}

impl Model for String {
    type Row = Option<String>;
    const LIFETIME: Duration = secs(80);
    fn row(id: u64, run: u64) -> Option<String> {
        Some(format!("{id} {run}"))
    }
}

trait Fallible {
    type Found;
}

impl Fallible for Repo {
    type Found = std::io::Result<u64>;
}

impl Repo {
    /// A `Result` behind an associated type and an alias.
    #[cacheback(skip(self), fetch_on_miss, share_err = |error: &std::io::Error| std::io::Error::new(error.kind(), error.to_string()))]
    async fn row_of(&self, id: u64) -> <Self as Fallible>::Found {
        let run = self.source.number().await;
        if id == 0 { Err(std::io::Error::other(format!("no row {run}"))) } else { Ok(run) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_found_behind_an_associated_type() {
    let _own = testing::isolate();
    let source = Source::open();
    let repo = Repo::of(1, &source);
    assert_eq!(repo.row_of(0).await.unwrap_err().to_string(), "no row 1");
    assert_eq!(repo.row_of(0).await.unwrap_err().to_string(), "no row 2", "an `Err` is not kept");
    assert_eq!(repo.row_of(1).await.unwrap(), 3);
    assert_eq!(repo.row_of_entry(1).peek().await.map(|found| found.value), Some(3));
}

#[derive(Clone)]
struct Generic<M, K> {
    source: Arc<Source>,
    of: std::marker::PhantomData<fn() -> (M, K)>,
}

impl<M: Model, K: Clone + Send + Sync + 'static> Generic<M, K> {
    // A parameter of the `impl` by way of `Self`.
    const LIFETIME: Duration = M::LIFETIME;

    fn new(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), of: std::marker::PhantomData }
    }

    #[cacheback(skip(self), lifetime = Self::LIFETIME, fetch_on_miss)]
    async fn get(&self, id: u64) -> M::Row {
        M::row(id, self.source.number().await)
    }

    /// `M` and `K` are in `Self`, `T` and `N` are the method's own.
    #[cacheback(skip(self, own), fetch_on_miss)]
    async fn own<T, const N: usize>(&self, id: u64, own: &T) -> Vec<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        let run = self.source.number().await;
        assert!(run < 1_000 && id < 1_000);
        vec![own.clone(); N]
    }

    #[cacheback(in_impl, skip(source), fetch_on_miss)]
    async fn counted(source: &Arc<Source>) -> u64 {
        source.number().await
    }

    #[cacheback(skip(self), handle = false, fetch_on_miss)]
    async fn quiet<const N: usize>(&self) -> u64 {
        self.source.number().await
    }
}

#[tokio::test(start_paused = true)]
async fn each_instantiation_of_a_type_has_a_cache_of_its_own() {
    let _own = testing::isolate();
    let source = Source::open();
    let numbers = Generic::<u8, ()>::new(&source);
    let others = Generic::<u8, u8>::new(&source);
    let texts = Generic::<String, ()>::new(&source);
    for _ in 0..2 {
        assert_eq!(numbers.get(5).await, 5_001);
        assert_eq!(others.get(5).await, 5_002, "only `K` is another");
        assert_eq!(texts.get(5).await, Some("5 3".to_owned()));
    }
    let cache = Generic::<u8, ()>::get_cache();
    assert_eq!(cache.len(), 3, "of all of them");
    assert_stats!(cache, fetches: 3, hits: 3, "of all of them");
    advance(secs(8)).await;
    assert!(!numbers.get_entry(5).peek().await.unwrap().fresh);
    assert!(texts.get_entry(5).peek().await.unwrap().fresh, "a lifetime of its own");
    numbers.get_entry(5).remove().await.unwrap();
    assert_eq!(cache.len(), 2);
    Generic::<String, u64>::get_cache().clear().await.unwrap();
    assert_eq!(cache.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_instantiation_of_a_method_has_a_cache_of_its_own() {
    let _own = testing::isolate();
    let source = Source::open();
    let numbers = Generic::<u8, ()>::new(&source);
    let others = Generic::<u8, u8>::new(&source);
    for _ in 0..2 {
        assert_eq!(numbers.own::<u8, 2>(1, &7).await, [7, 7]);
        assert_eq!(numbers.own::<u8, 3>(1, &8).await, [8, 8, 8], "another `N`");
        assert_eq!(numbers.own::<_, 2>(1, &"x").await, ["x", "x"], "another `T`");
        assert_eq!(others.own::<u8, 2>(1, &9).await, [9, 9], "another `Self`");
    }
    assert_eq!(source.runs(), 4);
    assert_eq!(numbers.own_entry::<u8, 3>(1, &0).peek().await.map(|found| found.value), Some(vec![8; 3]));
    assert_eq!(Generic::<u8, ()>::own_cache().len(), 4);

    assert_eq!(Generic::<u8, ()>::counted(&source).await, 5);
    assert_eq!(Generic::<u8, u8>::counted(&source).await, 6);
    assert_eq!(Generic::<u8, ()>::counted(&source).await, 5);

    assert_eq!(numbers.quiet::<1>().await, 7);
    assert_eq!(numbers.quiet::<2>().await, 8);
    assert_eq!(others.quiet::<1>().await, 9);
    assert_eq!(numbers.quiet::<1>().await, 7);
}
