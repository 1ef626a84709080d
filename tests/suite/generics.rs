//! Generic functions: type and const parameters, `where` clauses, `impl Trait` arguments, named lifetimes, and the
//! methods of traits. Each instantiation has a cache of its own.

use std::borrow::Cow;
use std::future::Future;
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use cacheback::{Status, cacheback, settle, testing};

use crate::support::{Source, advance, secs};

#[cacheback(lifetime = 10, skip(source), fetch_on_miss)]
async fn parse<T>(text: &str, source: &Arc<Source>) -> Option<T>
where
    T: FromStr + Clone + Send + Sync + 'static,
{
    source.number().await;
    text.parse().ok()
}

#[tokio::test(start_paused = true)]
async fn each_type_has_a_cache_of_its_own() {
    let _own = testing::isolate();
    let source = Source::open();
    for _ in 0..2 {
        assert_eq!(parse("12", &source).await, Some(12_u8));
        assert_eq!(parse::<u16>("12", &source).await, Some(12));
        assert_eq!(parse::<String>("12", &source).await, Some("12".to_owned()));
        assert_eq!(parse::<bool>("12", &source).await, None);
    }
    assert_eq!(source.runs(), 4);
    let cache = parse::cache();
    assert_eq!(cache.len(), 4);
    assert_stats!(cache, hits: 4, fetches: 4);
    assert_eq!(cache.name(), "suite::generics::parse");

    let entry = parse::entry::<u8>("12", &source);
    entry.set(Some(13)).await.unwrap();
    assert_eq!(parse::<u8>("12", &source).await, Some(13));
    assert_eq!(parse::<u16>("12", &source).await, Some(12));
    entry.invalidate().await.unwrap();
    settle().await;
    assert_eq!(entry.peek().await.map(|found| found.value), Some(Some(12)));
    cache.invalidate().await.unwrap();
    assert!(!entry.peek().await.unwrap().fresh);
    assert!(!parse::entry::<bool>("12", &source).peek().await.unwrap().fresh);
    entry.remove().await.unwrap();
    assert_eq!(parse::entry::<u16>("12", &source).take().await, Some(Some(12)));
    assert_eq!(cache.len(), 2);
    cache.clear().await.unwrap();
    assert_eq!(cache.len(), 0);
}

/// Ten instantiations of one function share its slot, and none is taken for another, in any order.
#[tokio::test(start_paused = true)]
async fn ten_instantiations_are_told_apart() {
    #[cacheback(skip(source), fetch_on_miss)]
    async fn numbered<const N: usize>(source: &Arc<Source>) -> (usize, u64) {
        (N, source.number().await)
    }
    macro_rules! all {
        ($source:ident: $($n:literal)*) => { [$(numbered::<$n>(&$source).await),*] };
    }
    let _own = testing::isolate();
    let source = Source::open();
    let first = all!(source: 0 1 2 3 4 5 6 7 8 9);
    let expected: Vec<(usize, u64)> = (0..10).map(|n| (n, n as u64 + 1)).collect();
    assert_eq!(first.to_vec(), expected);
    assert_eq!(all!(source: 0 1 2 3 4 5 6 7 8 9), first);
    assert_eq!(source.runs(), 10);
    assert_eq!(numbered::cache().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn constants_of_every_type_tell_instantiations_apart() {
    #[cacheback(skip(source), fetch_on_miss, wait = "1s", empty = u64::from(B))]
    async fn constants<const B: bool, const C: char, const I: i8>(source: &Arc<Source>) -> u64 {
        source.number().await
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(constants::<true, 'a', 1>(&source).await, 1);
    assert_eq!(constants::<false, 'a', 1>(&source).await, 2);
    assert_eq!(constants::<true, 'b', 1>(&source).await, 3);
    assert_eq!(constants::<true, 'a', -1>(&source).await, 4);
    assert_eq!(constants::<true, 'a', 1>(&source).await, 1);
}

/// The body may depend on a type parameter that is in no argument and in no value.
#[tokio::test(start_paused = true)]
async fn a_type_parameter_that_is_in_no_value_tells_instantiations_apart() {
    trait Kind: 'static {
        const NAME: &'static str;
        const LIFETIME: Duration;
    }
    struct Short;
    struct Long;
    impl Kind for Short {
        const NAME: &'static str = "short";
        const LIFETIME: Duration = secs(5);
    }
    impl Kind for Long {
        const NAME: &'static str = "long";
        const LIFETIME: Duration = secs(500);
    }
    #[cacheback(lifetime = K::LIFETIME, fetch_on_miss)]
    async fn kind<K: Kind>(id: u64) -> String {
        format!("{} {id}", K::NAME)
    }
    #[cacheback(handle = false, lifetime = K::LIFETIME, fetch_on_miss)]
    async fn quiet<K: Kind + ?Sized>(id: u64) -> String {
        format!("{} {id}", K::NAME)
    }
    let _own = testing::isolate();
    assert_eq!((kind::<Short>(1).await, kind::<Long>(1).await), ("short 1".to_owned(), "long 1".to_owned()));
    assert_eq!(
        (quiet::<Short>(1).await, quiet::<Long>(1).await),
        ("short 1".to_owned(), "long 1".to_owned())
    );
    advance(secs(5)).await;
    assert_eq!(kind::entry::<Short>(1).lookup().await.status, Status::Stale);
    assert_eq!(kind::entry::<Long>(1).lookup().await.status, Status::Fresh);
    assert_eq!(kind::cache().policy().varies, ["lifetime"]);
}

#[tokio::test(start_paused = true)]
async fn keys_may_be_generic() {
    #[cacheback(skip(source), fetch_on_miss, wait = "1s", empty = vec![key.clone()])]
    async fn keyed<K: Clone + Hash + Eq + Send + Sync + 'static, Q>(
        key: &K,
        others: &[Q],
        source: &Arc<Source>,
    ) -> Vec<K>
    where
        Q: Clone + Hash + Eq + Send + Sync + 'static,
    {
        source.number().await;
        vec![key.clone(); others.len()]
    }
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(keyed(&7, &["a", "b"], &source).await, [7, 7]);
    assert_eq!(keyed(&7, &["a", "b"], &source).await, [7, 7]);
    assert_eq!(keyed(&"x".to_owned(), &[1], &source).await, ["x"]);
    assert_eq!(source.runs(), 2);
    assert_eq!(
        keyed::entry(&7, &["a", "b"], &source).peek().await.map(|found| found.value),
        Some(vec![7, 7])
    );
}

// `impl Trait` arguments: their types are inferred, and are no part of the turbofish.

#[cacheback(skip(source, read), lifetime = secs(id.clone().into()), empty = format!("none of {}", id.clone().into()))]
async fn inferred<const N: usize>(
    id: impl Into<u64> + Clone + Hash + Eq + Send + Sync + 'static,
    source: &Arc<Source>,
    read: impl Fn(u64) -> String + Clone + Send + Sync + 'static,
) -> String {
    source.number().await;
    format!("{} {N}", read(id.into()))
}

#[tokio::test(start_paused = true)]
async fn each_type_of_an_impl_trait_argument_has_a_cache_of_its_own() {
    let _own = testing::isolate();
    let source = Source::open();
    let shown = |id: u64| format!("number {id}");
    assert_eq!(inferred::<1>(7_u8, &source, shown).await, "none of 7");
    settle().await;
    assert_eq!(inferred::<1>(7_u8, &source, shown).await, "number 7 1");
    assert_eq!(inferred::entry::<2>(7_u8, &source, shown).get_or_fetch().await, "number 7 2");
    assert_eq!(inferred::entry::<1>(7_u32, &source, shown).get_or_fetch().await, "number 7 1");
    // A skipped argument of another type is another function.
    let other = |id: u64| format!("other {id}");
    assert_eq!(inferred::entry::<1>(7_u8, &source, other).get_or_fetch().await, "other 7 1");
    assert_eq!((source.runs(), inferred::cache().len()), (4, 4));
    advance(secs(7)).await;
    assert_eq!(inferred::entry::<1>(7_u8, &source, shown).lookup().await.status, Status::Stale);
}

// Lifetimes that the user names.

#[cacheback(lifetime = secs(name.len() as u64), empty = vec![other.clone().into_owned()], fetch_on_miss = name.len() > 1)]
async fn lifetimes<'a, 'b: 'a>(name: &'a str, list: &'a [&'b str], other: Cow<'b, str>) -> Vec<String> {
    let chosen: &'a str = if list.is_empty() { name } else { list[0] };
    vec![chosen.to_owned(), other.into_owned()]
}

#[tokio::test(start_paused = true)]
async fn lifetimes_may_have_names() {
    let _own = testing::isolate();
    let name = "name".to_owned();
    assert_eq!(lifetimes(&name, &["first"], Cow::Borrowed("b")).await, ["first", "b"]);
    assert_eq!(lifetimes("n", &[], Cow::Borrowed("c")).await, ["c"], "empty");
    advance(secs(4)).await;
    assert!(!lifetimes::entry(&name, &["first"], Cow::Owned("b".to_owned())).peek().await.unwrap().fresh);
}

#[cacheback(skip(source), fetch_on_miss)]
fn returns_a_future<T>(id: u64, source: &Arc<Source>) -> impl Future<Output = Result<T, String>> + Send
where
    T: Clone + Default + Send + Sync + 'static,
{
    let source = Arc::clone(source);
    async move {
        source.run().await?;
        if id == 0 { Err("zero".to_owned()) } else { Ok(T::default()) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_may_return_its_future() {
    let _own = testing::isolate();
    let source = Source::open();
    assert_eq!(returns_a_future::<u8>(0, &source).await, Err("zero".to_owned()));
    assert_eq!(returns_a_future::<u8>(1, &source).await, Ok(0));
    assert_eq!(returns_a_future::<u8>(1, &source).await, Ok(0));
    assert_eq!(returns_a_future::<String>(1, &source).await, Ok(String::new()));
    assert_eq!(source.runs(), 3);
    assert_eq!(returns_a_future::entry::<u8>(1, &source).peek().await.map(|found| found.value), Some(0));
}

// The methods of traits.

trait Load<K = u64> {
    async fn load(&self, id: u64) -> Result<String, String>;
    fn send(&self, id: u64, names: &[&str]) -> impl Future<Output = Option<String>> + Send;
    async fn associated(source: &Arc<Source>, id: u64) -> u64;
    async fn shared(self: Arc<Self>) -> u64;
    async fn delegated(&self, id: u64) -> String;
}

#[derive(Clone)]
pub(crate) struct Loader<S> {
    source: Arc<Source>,
    name: S,
}

impl<S: std::fmt::Display + Clone + Send + Sync + 'static> Loader<S> {
    fn new(name: S, source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), name }
    }

    #[cacheback(key = (self.name.to_string(), id), fetch_on_miss)]
    async fn delegate(&self, id: u64) -> String {
        format!("{} {id} {}", self.name, self.source.number().await)
    }
}

impl<S, K> Load<K> for Loader<S>
where
    S: std::fmt::Display + Clone + Send + Sync + 'static,
    K: 'static,
{
    #[cacheback(handle = false, key = (self.name.to_string(), id), lifetime = secs(id + self.name.to_string().len() as u64), fetch_on_miss)]
    async fn load(&self, mut id: u64) -> Result<String, String> {
        // A `self` of another, one in a macro, and one in a closure.
        struct Inner(u64);
        impl Inner {
            fn get(self) -> u64 {
                self.0
            }
        }
        macro_rules! named {
            () => {
                format!("{} of {}", self.name, std::any::type_name::<K>())
            };
        }
        id = Inner(id).get() * 10;
        let run = self.source.run().await.map_err(|error| format!("{}: {error}", self.name))?;
        if id == 0 {
            return Err("zero".into());
        }
        let show = |id: u64| format!("{} {id} {run}", self.name);
        Ok(format!("{} {}", show(id), named!()))
    }

    #[cacheback(handle = false, skip(self), fetch_on_miss)]
    fn send(&self, id: u64, names: &[&str]) -> impl Future<Output = Option<String>> + Send {
        let first = names.first().copied().unwrap_or_default().to_owned();
        async move {
            let run = self.source.number().await;
            Some(format!("{first} {id} {run}"))
        }
    }

    #[cacheback(handle = false, in_impl, skip(source), fetch_on_miss)]
    async fn associated(source: &Arc<Source>, id: u64) -> u64 {
        let of: Vec<Self> = Vec::new();
        of.len() as u64 + id * 100 + source.number().await
    }

    #[cacheback(handle = false, skip(self), fetch_on_miss)]
    async fn shared(self: Arc<Self>) -> u64 {
        self.source.number().await
    }

    async fn delegated(&self, id: u64) -> String {
        self.delegate(id).await
    }
}

/// Elsewhere: methods of traits do not compile.
/// Elsewhere: a call by its plain name bypasses the cache.
#[tokio::test(start_paused = true)]
async fn a_method_of_a_trait_can_be_cached() {
    let _own = testing::isolate();
    let source = Source::open();
    let one = Loader::new("one", &source);
    let load = async |loader: &Loader<&'static str>, id| Load::<u64>::load(loader, id).await;
    for _ in 0..2 {
        assert_eq!(load(&one, 5).await.unwrap(), "one 50 1 one of u64");
        assert_eq!(load(&Loader::new("two", &source), 5).await.unwrap(), "two 50 2 two of u64");
    }
    assert_eq!(load(&one, 0).await, Err("zero".to_owned()));
    assert_eq!(load(&one, 0).await, Err("zero".to_owned()));
    assert_eq!(source.runs(), 4, "an `Err` is not kept");
    advance(secs(7)).await;
    assert_eq!(load(&one, 5).await.unwrap(), "one 50 1 one of u64", "fresh for eight seconds");
    advance(secs(1)).await;
    settle().await;
    assert_eq!(source.runs(), 4);
    assert_eq!(load(&one, 5).await.unwrap(), "one 50 1 one of u64", "stale");
    settle().await;
    assert_eq!(load(&one, 5).await.unwrap(), "one 50 5 one of u64");
    source.fail(true);
    assert_eq!(load(&one, 6).await, Err("one: run 6 failed".to_owned()));
}

/// The parameters of a trait are no part of `Self`.
#[tokio::test(start_paused = true)]
async fn a_traits_parameters_tell_instantiations_apart() {
    let _own = testing::isolate();
    let source = Source::open();
    let one = Loader::new("one", &source);
    for _ in 0..2 {
        assert_eq!(Load::<u8>::send(&one, 5, &["a"]).await.unwrap(), "a 5 1");
        assert_eq!(Load::<u16>::send(&one, 5, &["a"]).await.unwrap(), "a 5 2");
        assert_eq!(Load::<u8>::send(&one, 5, &["b"]).await.unwrap(), "b 5 3");
        assert_eq!(<Loader<u8> as Load<u8>>::associated(&source, 1).await, 104);
        assert_eq!(<Loader<u8> as Load<u16>>::associated(&source, 1).await, 105);
        assert_eq!(<Loader<u16> as Load<u8>>::associated(&source, 1).await, 106);
        assert_eq!(Load::<u8>::shared(Arc::new(one.clone())).await, 7);
        assert_eq!(Load::<u16>::shared(Arc::new(one.clone())).await, 8);
    }
    assert_eq!(source.runs(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_method_of_a_trait_may_delegate_to_one_with_a_handle() {
    let _own = testing::isolate();
    let source = Source::open();
    let one = Loader::new("one", &source);
    assert_eq!(Load::<u64>::delegated(&one, 5).await, "one 5 1");
    one.delegate_entry(5).set("set".to_owned()).await.unwrap();
    assert_eq!(Load::<u64>::delegated(&one, 5).await, "set");
    assert_eq!(Loader::<&str>::delegate_cache().name(), "suite::generics::Loader::delegate");
    let _ = Load::<u64>::load(&one, 1).await;
    let names: Vec<&str> = cacheback::caches().iter().map(cacheback::CacheRef::name).collect();
    assert_eq!(names, ["suite::generics::Loader::delegate", "suite::generics::Loader::load"]);
}
