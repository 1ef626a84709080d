//! The forms of functions that can be annotated: each is called, looked up and counted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheback::{Status, cacheback, testing};

/// Counts the runs of a test's bodies.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicU64>);

impl Runs {
    fn one(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
    fn total(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Query {
    words: Vec<String>,
}

/// Calls a function twice with each list of arguments: it runs once for each list, and returns the first values again.
macro_rules! form {
    ($runs:ident: $name:ident($($one:expr),*) = $first:expr, ($($other:expr),*) = $second:expr) => {
        let _own = testing::isolate();
        let $runs = Runs::default();
        for _ in 0..2 {
            assert_eq!($name($($one,)* &$runs).await, $first);
            assert_eq!($name($($other,)* &$runs).await, $second);
        }
        assert_eq!($runs.total(), 2);
        assert_eq!($name::entry($($one,)* &$runs).lookup().await.status, Status::Fresh);
        assert_eq!($name::cache().len(), 2);
        assert_stats!($name::cache(), fetches: 2);
    };
}

#[tokio::test(start_paused = true)]
async fn arguments_may_be_owned() {
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn owned(
        id: u32,
        name: String,
        tags: Vec<u8>,
        at: Option<char>,
        pair: (u8, bool),
        runs: &Runs,
    ) -> String {
        runs.one();
        format!("{id} {name} {tags:?} {at:?} {pair:?}")
    }
    form!(runs: owned(1, "a".to_owned(), vec![1], None, (1, true)) = "1 a [1] None (1, true)",
        (1, "a".to_owned(), vec![1], Some('x'), (1, true)) = "1 a [1] Some('x') (1, true)");
}

#[tokio::test(start_paused = true)]
async fn arguments_may_be_borrowed() {
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn borrowed(name: &str, bytes: &[u8], query: &Query, path: &Path, runs: &Runs) -> String {
        runs.one();
        format!("{name} {bytes:?} {} {}", query.words.join("+"), path.display())
    }
    let query = |word: &str| Query { words: vec![word.to_owned()] };
    form!(runs: borrowed("n", &[1, 2], &query("w"), Path::new("a/b")) = "n [1, 2] w a/b",
        ("n", &[1, 2], &query("v"), Path::new("a/b")) = "n [1, 2] v a/b");
}

#[tokio::test(start_paused = true)]
async fn arguments_may_be_borrowed_in_less_common_ways() {
    #[cacheback(fetch_on_miss, skip(runs))]
    #[allow(clippy::ptr_arg, clippy::too_many_arguments)]
    async fn borrowed(
        os: &OsStr,
        array: &[u8; 2],
        twice: &&str,
        string: &String,
        list: &Vec<String>,
        fixed: &'static str,
        shared: Arc<str>,
        runs: &Runs,
    ) -> String {
        runs.one();
        format!("{os:?} {array:?} {twice} {string} {} {fixed} {shared}", list.concat())
    }
    let (string, list) = ("c".to_owned(), vec!["d".to_owned()]);
    form!(runs: borrowed(OsStr::new("a"), &[1, 2], &"b", &string, &list, "e", Arc::from("f"))
            = r#""a" [1, 2] b c d e f"#,
        (OsStr::new("a"), &[1, 2], &"x", &string, &list, "e", Arc::from("f")) = r#""a" [1, 2] x c d e f"#);
}

/// The names that generated code could mean belong to the user here. (`tests/strict` is without the prelude as well.)
mod shadowed {
    #![allow(dead_code, non_snake_case)]

    use super::Runs;

    pub(super) struct Result;
    pub(super) struct Option;
    pub(super) struct String;
    pub(super) struct Vec;
    pub(super) struct Box;
    pub(super) struct Duration;
    pub(super) trait Clone {}
    pub(super) trait Send {}
    pub(super) trait Default {}
    pub(super) fn Some() {}
    pub(super) fn Ok() {}

    #[cacheback::cacheback(
        lifetime = 60,
        fetch_on_miss,
        wait = "1s",
        empty = ::core::result::Result::Err(std::string::String::new()),
        skip(runs)
    )]
    pub(super) async fn shadowed(
        name: &str,
        runs: &Runs,
    ) -> std::result::Result<std::string::String, std::string::String> {
        runs.one();
        std::result::Result::Ok(name.to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn names_of_the_prelude_may_be_shadowed() {
    use shadowed::shadowed;
    form!(runs: shadowed("a") = Ok("a".to_owned()), ("b") = Ok("b".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn arguments_may_hold_borrows() {
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn within(
        maybe: Option<&str>,
        columns: &[&str],
        pair: (&str, u8),
        text: Cow<'_, str>,
        nested: &Option<&str>,
        runs: &Runs,
    ) -> String {
        runs.one();
        format!("{maybe:?} {columns:?} {pair:?} {text} {nested:?}")
    }
    form!(runs: within(Some("a"), &["b", "c"], ("d", 1), Cow::Borrowed("e"), &None)
            = r#"Some("a") ["b", "c"] ("d", 1) e None"#,
        (None, &["bc"], ("d", 1), Cow::Owned("e".to_owned()), &Some("f"))
            = r#"None ["bc"] ("d", 1) e Some("f")"#);
}

#[tokio::test(start_paused = true)]
async fn arguments_may_be_patterns() {
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn patterns(
        mut total: u32,
        (a, b): (u32, u32),
        [c, ..]: [u32; 2],
        _: u8,
        r#type: &str,
        runs: &Runs,
    ) -> String {
        runs.one();
        total += a + b + c;
        [total.to_string(), r#type.to_owned()].join(" ")
    }
    form!(runs: patterns(1, (2, 3), [4, 0], 0, "t") = "10 t", (1, (2, 3), [5, 0], 0, "t") = "11 t");
}

#[tokio::test(start_paused = true)]
async fn a_function_may_have_no_argument_or_many() {
    #[cacheback(fetch_on_miss)]
    async fn none() -> u64 {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        RUNS.fetch_add(1, Ordering::SeqCst)
    }
    #[cacheback(fetch_on_miss)]
    async fn same(same: u64) -> u64 {
        same
    }
    let _own = testing::isolate();
    assert_eq!((same(1).await, same::entry(2).get_or_fetch().await), (1, 2));
    assert_eq!((none().await, none().await), (0, 0));
    #[cacheback(fetch_on_miss, skip(runs))]
    #[allow(clippy::too_many_arguments)]
    async fn many(
        a: u8,
        b: u8,
        c: u8,
        d: u8,
        e: u8,
        f: u8,
        g: u8,
        h: u8,
        i: u8,
        j: u8,
        k: u8,
        runs: &Runs,
    ) -> u32 {
        runs.one();
        [a, b, c, d, e, f, g, h, i, j, k].into_iter().map(u32::from).sum()
    }
    form!(runs: many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) = 66, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12) = 67);
}

type Outcome<T> = Result<T, String>;
type Found = Option<BTreeMap<String, u64>>;

#[tokio::test(start_paused = true)]
async fn a_return_type_may_be_behind_an_alias() {
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn aliased(ok: bool, runs: &Runs) -> Outcome<u64> {
        let run = runs.one();
        if ok { Ok(run) } else { Err("no".to_owned()) }
    }
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn found(id: u64, runs: &Runs) -> Found {
        runs.one();
        (id > 0).then(BTreeMap::new)
    }
    let _own = testing::isolate();
    let runs = Runs::default();
    assert_eq!(aliased(true, &runs).await, Ok(1));
    assert_eq!(aliased(true, &runs).await, Ok(1));
    assert_eq!(
        aliased::entry(true, &runs).peek().await.map(|found| found.value),
        Some(1_u64),
        "the T of the Result"
    );
    for _ in 0..2 {
        assert!(aliased(false, &runs).await.is_err());
    }
    assert_eq!(runs.total(), 3, "an `Err` behind an alias is not cached");
    form!(other: found(0) = None, (1) = Some(BTreeMap::new()));
}

#[tokio::test(start_paused = true)]
async fn a_function_may_return_nothing_or_a_static_borrow() {
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn nothing(_id: u64, runs: &Runs) {
        runs.one();
    }
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn text(id: &'static str, runs: &Runs) -> &'static str {
        runs.one();
        id
    }
    {
        form!(runs: nothing(1) = (), (2) = ());
    }
    form!(runs: text("a") = "a", ("b") = "b");
}

mod visible {
    use super::*;

    #[cacheback(fetch_on_miss)]
    pub(super) async fn narrow(path: PathBuf) -> PathBuf {
        path
    }
    #[cacheback(fetch_on_miss)]
    pub(crate) async fn wide(path: &Path) -> PathBuf {
        path.to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn companions_are_as_visible_as_the_function() {
    let _own = testing::isolate();
    let path = PathBuf::from("a");
    assert_eq!(visible::narrow(path.clone()).await, path);
    assert_eq!(visible::narrow::entry(path.clone()).peek().await.unwrap().value, path);
    assert_eq!(visible::wide(&path).await, path);
    assert_eq!(visible::wide::cache().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_may_have_question_marks_returns_and_nested_items() {
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn body(text: &str, runs: &Runs) -> Result<u64, std::num::ParseIntError> {
        const ADDED: u64 = 1;
        fn twice(n: u64) -> u64 {
            n * 2
        }
        runs.one();
        if text.is_empty() {
            return Ok(0);
        }
        let parsed: u64 = text.parse()?;
        Ok(async move { twice(parsed) + ADDED }.await)
    }
    form!(runs: body("") = Ok(0), ("20") = Ok(41));
}

#[tokio::test(start_paused = true)]
async fn a_cached_function_may_call_another() {
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn inner(id: u64, runs: &Runs) -> u64 {
        {
            runs.one();
            id
        }
    }
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn outer(id: u64, runs: &Runs) -> u64 {
        inner(id, runs).await + inner(id, runs).await
    }
    let _own = testing::isolate();
    let runs = Runs::default();
    assert_eq!(outer(3, &runs).await, 6);
    assert_eq!(outer(3, &runs).await, 6);
    assert_eq!(runs.total(), 1);
}

/// Two keys whose hash is the same are two entries.
#[tokio::test(start_paused = true)]
async fn keys_with_colliding_hashes_stay_apart() {
    #[derive(Clone, PartialEq, Eq)]
    struct Colliding(u64);
    impl std::hash::Hash for Colliding {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            state.write_u8(0);
        }
    }
    #[cacheback(fetch_on_miss, skip(runs))]
    async fn colliding(key: Colliding, runs: &Runs) -> u64 {
        runs.one();
        tokio::task::yield_now().await;
        key.0
    }
    let _own = testing::isolate();
    let runs = Runs::default();
    let calls: Vec<_> =
        (0..300).map(|n| tokio::spawn(colliding::entry(Colliding(n % 100), &runs).get_or_fetch())).collect();
    for (n, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap(), n % 100);
    }
    assert_eq!(runs.total(), 100);
    assert_eq!(colliding::cache().len(), 100);
    colliding::entry(Colliding(7), &runs).remove().await.unwrap();
    assert_eq!(colliding::cache().len(), 99);
    assert_eq!(colliding(Colliding(8), &runs).await, 8);
    assert_eq!(runs.total(), 100);
}
