use expect_test::{Expect, expect};

use super::*;
use crate::error::text::readable;
use crate::function::place::Scope;
use crate::tests::{errors, plan};

const FUNCTION: &str = "async fn f(user: &str, limit: u64) -> Vec<u8> {}";

#[track_caller]
fn refused(cases: &[&str], expected: &Expect) {
    let listed = |args: &&str| format!("{args}\n{}", errors(args, FUNCTION));
    expected.assert_eq(&cases.iter().map(listed).collect::<Vec<_>>().join("\n"));
}

#[test]
fn contradictions() {
    let cases = [
        "lifetime = 600, retention = 60",
        "lifetime = \"60 days\"",
        "retention = 60",
        "max_stale = \"30 days\"",
        "lifetime = 60, max_stale = 60, retention = 100",
        "refresh_ahead = 600",
        "lifetime = 60, refresh_ahead = \"1m\"",
        "refresh_timeout = 0",
        "cache_err = \"0s\"",
        "fetch_on_miss, empty = vec![]",
        "fetch_on_miss = true, empty = vec![]",
        "capacity = limit",
        "max_refreshes = user.len()",
        "jitter = limit as f64",
        "max_bytes = limit, weigh = Vec::len",
        "max_bytes = \"1MiB\"",
        "weigh = |value| value.len()",
        "weigh = |value| value.len(), capacity = 5",
        "max_bytes = 0, weigh = Vec::len, capacity = 0",
        "max_bytes = 5, capacity = FEW",
        "eviction = \"tiny_lfu\", max_bytes = SIZE, weigh = Vec::len",
    ];
    refused(
        &cases,
        &expect![[r#"
            lifetime = 600, retention = 60
            [retention] `retention` (1 min) is shorter than `lifetime` (10 min): entries would be gone before they are stale / raise `retention`

            lifetime = "60 days"
            [lifetime] `retention` (30 days by default) is shorter than `lifetime` (60 days): entries would be gone before they are stale / set `retention` too

            retention = 60
            [retention] `retention` (1 min) is shorter than `lifetime` (10 min by default): entries would be gone before they are stale / set `lifetime` too

            max_stale = "30 days"
            [max_stale] `max_stale` (30 days) after `lifetime` (10 min by default) is longer than `retention` (30 days by default) / lower `max_stale`, leave it out (stale until `retention`), or set `retention` too

            lifetime = 60, max_stale = 60, retention = 100
            [max_stale] `max_stale` (1 min) after `lifetime` (1 min) is longer than `retention` (100 s) / lower `max_stale`, leave it out (stale until `retention`), or raise `retention`

            refresh_ahead = 600
            [refresh_ahead] `refresh_ahead` (10 min) covers all of `lifetime` (10 min by default): every hit would start a refresh / lower `refresh_ahead`, or set `lifetime` too

            lifetime = 60, refresh_ahead = "1m"
            [refresh_ahead] `refresh_ahead` (1 min) covers all of `lifetime` (1 min): every hit would start a refresh / lower `refresh_ahead`, or raise `lifetime`

            refresh_timeout = 0
            [0] with `refresh_timeout = 0` no fetch could ever finish / write a longer time, or leave `refresh_timeout` out

            cache_err = "0s"
            ["0s"] with `cache_err = 0` no error would be kept / write a longer time, or leave `cache_err` out

            fetch_on_miss, empty = vec![]
            [empty] `empty` would never be used: with `fetch_on_miss` and no `wait` every caller waits for the fetch / remove one of the two, or add `wait = "2s"` to answer `empty` when it takes longer

            fetch_on_miss = true, empty = vec![]
            [empty] `empty` would never be used: with `fetch_on_miss` and no `wait` every caller waits for the fetch / remove one of the two, or add `wait = "2s"` to answer `empty` when it takes longer

            capacity = limit
            [limit] `capacity` is one for all entries and cannot depend on the argument `limit` / write a number, or an expression without arguments

            max_refreshes = user.len()
            [user.len()] `max_refreshes` is one for all entries and cannot depend on the argument `user` / write a number, or an expression without arguments

            jitter = limit as f64
            [limit as f64] `jitter` is one for all entries and cannot depend on the argument `limit` / write a number, or an expression without arguments

            max_bytes = limit, weigh = Vec::len
            [limit] `max_bytes` is one for all entries and cannot depend on the argument `limit` / write a number, or an expression without arguments

            max_bytes = "1MiB"
            [max_bytes] `max_bytes` needs `weigh`, which says how many bytes a value counts / write for example `weigh = |value| value.len()` too, or `capacity = ..` to count entries

            weigh = |value| value.len()
            [weigh] `weigh` counts for `max_bytes` alone, and there is none / write for example `max_bytes = "64MiB"` too, or remove `weigh`

            weigh = |value| value.len(), capacity = 5
            [weigh] `weigh` counts for `max_bytes` alone, and there is none / write `max_bytes = "64MiB"` in place of `capacity`, or remove `weigh`

            max_bytes = 0, weigh = Vec::len, capacity = 0
            [capacity] `capacity` counts entries and `max_bytes` bytes: only one can be the bound / remove one of the two

            max_bytes = 5, capacity = FEW
            [capacity] `capacity` counts entries and `max_bytes` bytes: only one can be the bound / remove one of the two
            [max_bytes] `max_bytes` needs `weigh`, which says how many bytes a value counts / write for example `weigh = |value| value.len()` too, or `capacity = ..` to count entries

            eviction = "tiny_lfu", max_bytes = SIZE, weigh = Vec::len
            [eviction] `eviction = "tiny_lfu"` counts entries, and with `max_bytes` they are not counted / write `capacity = ..` in place of `max_bytes`, or remove `eviction`
        "#]],
    );
}

#[test]
fn what_no_worker_could_run_is_told() {
    let cases =
        ["queue", "queue = \"reports\"", "shared, queue_fallback = false", "shared, queue, handle = false"];
    refused(
        &cases,
        &expect![[r#"
            queue
            [queue] `queue` needs `shared`: the queue is in the second tier, and the value comes back through it / write `shared` too, or remove `queue`

            queue = "reports"
            [queue] `queue` needs `shared`: the queue is in the second tier, and the value comes back through it / write `shared` too, or remove `queue`

            shared, queue_fallback = false
            [queue_fallback] `queue_fallback` is about refreshes that workers run, and this function has none / write `queue` too, or remove `queue_fallback`

            shared, queue, handle = false
            [handle] a worker serves a function by its handle, which `handle = false` leaves out / remove it, or let this function call a queued one that has a handle
        "#]],
    );
    for function in [
        "async fn f<T: Row>(id: u64) -> Vec<T> {}",
        "async fn f<const N: usize>(id: u64) -> [u8; N] {}",
        "async fn f(id: impl Id) -> u64 {}",
    ] {
        let told = errors("shared, queue", function);
        assert!(told.contains("[queue] a worker has to know all types of a function"), "{told}");
    }
    for args in
        ["shared, queue, queue_fallback = false", "shard, queue", "shared, que, queue_fallback = false"]
    {
        let told = errors(args, FUNCTION);
        assert!(!told.contains("queue]") && !told.contains("queue_fallback]"), "{args}: {told}");
    }
}

#[test]
fn what_a_caller_gets_when_wait_runs_out_is_written() {
    let cases = [
        ("fetch_on_miss, wait = 5", "Vec<u8>"),
        ("fetch_on_miss = true, wait = PATIENCE", "Result<Option<u8>, Error>"),
        ("wait = \"2s\", fetch_on_miss = limit > 3", "io::Result<u8>"),
        ("fetch_on_miss, wait = 5", "Option<u8>"),
        ("fetch_on_miss, wait = 5", "Answer"),
        // These are fine.
        ("fetch_on_miss = false, wait = 5", "Answer"),
        ("fetch_on_miss, wait = 5, empty = Ok(None)", "Result<Option<u8>, Error>"),
        ("wait = 5", "Answer"),
    ];
    let listed = cases.map(|(args, output)| {
        let item = format!("async fn f(user: &str, limit: u64) -> {output} {{}}");
        format!("{args} -> {output}\n{}", errors(args, &item))
    });
    expect![[r#"
        fetch_on_miss, wait = 5 -> Vec<u8>
        [wait] when `wait` runs out a caller gets the empty value, and `fetch_on_miss` says that it would be wrong / write what the caller gets then: `empty = Default::default()` for the default of the type, or an expression; or remove `wait`

        fetch_on_miss = true, wait = PATIENCE -> Result<Option<u8>, Error>
        [wait] when `wait` runs out a caller gets the empty value, and `fetch_on_miss` says that it would be wrong / write what the caller gets then: `empty = Err(..)` for an error that says so, or `empty = Ok(..)` for a value that callers take for real; or remove `wait`

        wait = "2s", fetch_on_miss = limit > 3 -> io::Result<u8>
        [wait] when `wait` runs out a caller gets the empty value, and `fetch_on_miss` says that it would be wrong / write what the caller gets then: `empty = Err(..)` for an error that says so, or `empty = Ok(..)` for a value that callers take for real; or remove `wait`

        fetch_on_miss, wait = 5 -> Option<u8>
        [wait] when `wait` runs out a caller gets the empty value, and `fetch_on_miss` says that it would be wrong / write what the caller gets then: `empty = None`, unless callers take that for "not found"; or remove `wait`

        fetch_on_miss, wait = 5 -> Answer
        [wait] when `wait` runs out a caller gets the empty value, and `fetch_on_miss` says that it would be wrong / write what the caller gets then: `empty = Default::default()` for the default of the type, or an expression; or remove `wait`

        fetch_on_miss = false, wait = 5 -> Answer

        fetch_on_miss, wait = 5, empty = Ok(None) -> Result<Option<u8>, Error>

        wait = 5 -> Answer
    "#]].assert_eq(&listed.join("\n"));
}

#[test]
fn what_cannot_stand_where_the_function_stands() {
    let inherent = Scope::Impl { of_a_trait: false, borrowing: None };
    let of_a_trait = Scope::Impl { of_a_trait: true, borrowing: None };
    let borrowing = Scope::Impl { of_a_trait: false, borrowing: Some("Service<'_>".to_owned()) };
    let (free, method) = ("async fn f() {}", "async fn f(&self) {}");
    let cases = [
        (&inherent, "", free),
        (&of_a_trait, "", free),
        (&of_a_trait, "skip(self)", method),
        (&of_a_trait, "in_impl", free),
        (&Scope::Trait, "skip(self)", method),
        (&borrowing, "skip(self)", method),
        (&borrowing, "in_impl, handle = false", free),
        // These are fine, or have one error that is another.
        (&inherent, "in_impl", free),
        (&inherent, "skip(self)", method),
        (&of_a_trait, "skip(self), handle = false", method),
        (&of_a_trait, "skip(self), handel = false", method),
        (&Scope::Trait, "skip(self), handle = false", method),
        (&Scope::Trait, "skip(self)", "fn f(&self) -> impl Future<Output = u8> + Send {}"),
        (&Scope::Module, "", free),
        (&Scope::Function, "", free),
    ];
    let listed = cases.map(|(scope, args, item)| {
        let place = Place { scope: scope.clone(), beside_a_module: false };
        format!("{scope:?}: {args} {item}\n{}", errors_at(&place, args, item))
    });
    expect![[r#"
        Impl { of_a_trait: false, borrowing: None }:  async fn f() {}
        [f] `f` stands in an `impl`, and nothing in its signature says so / add `in_impl` to the attribute

        Impl { of_a_trait: true, borrowing: None }:  async fn f() {}
        [f] `f` stands in an `impl`, and nothing in its signature says so / add `in_impl, handle = false` to the attribute

        Impl { of_a_trait: true, borrowing: None }: skip(self) async fn f(&self) {}
        [f] in the `impl` of a trait nothing can stand beside `f` / add `handle = false` to the attribute, or let it call a cached method of the type

        Impl { of_a_trait: true, borrowing: None }: in_impl async fn f() {}
        [f] in the `impl` of a trait nothing can stand beside `f` / add `handle = false` to the attribute, or let it call a cached method of the type

        Trait: skip(self) async fn f(&self) {}
        [f] in a trait nothing can stand beside `f` / add `handle = false` to the attribute, or annotate the methods of the implementations

        Impl { of_a_trait: false, borrowing: Some("Service<'_>") }: skip(self) async fn f(&self) {}
        [f] `Service<'_>` holds a borrow, and a fetch outlives the call and owns what it uses / let the type own its data, in an `Arc` where that is not cheap; or cache a free function of what this one needs

        Impl { of_a_trait: false, borrowing: Some("Service<'_>") }: in_impl, handle = false async fn f() {}
        [f] `Service<'_>` holds a borrow, and a fetch outlives the call and owns what it uses / let the type own its data, in an `Arc` where that is not cheap; or cache a free function of what this one needs

        Impl { of_a_trait: false, borrowing: None }: in_impl async fn f() {}

        Impl { of_a_trait: false, borrowing: None }: skip(self) async fn f(&self) {}

        Impl { of_a_trait: true, borrowing: None }: skip(self), handle = false async fn f(&self) {}

        Impl { of_a_trait: true, borrowing: None }: skip(self), handel = false async fn f(&self) {}
        [handel] unknown option `handel` / did you mean `handle`?

        Trait: skip(self), handle = false async fn f(&self) {}

        Trait: skip(self) fn f(&self) -> impl Future<Output = u8> + Send {}

        Module:  async fn f() {}

        Function:  async fn f() {}
    "#]].assert_eq(&listed.join("\n"));

    let beside = |args| errors_at(&Place { scope: Scope::Module, beside_a_module: true }, args, free);
    expect![[r#"
        [f] a module is called `f` too, and so is the handle of this function: a type of that name / add `handle = f_cache` to the attribute, or `handle = false` for none
    "#]].assert_eq(&beside(""));
    for args in ["handle = g", "handle = false", "in_impl"] {
        assert_eq!(beside(args), "");
    }
}

fn errors_at(place: &Place, args: &str, item: &str) -> String {
    let mut errors = Errors::default();
    let options = crate::options::parse(crate::tests::tokens(args), &mut errors);
    let function = crate::function::signature::parse(&crate::tests::tokens(item), &mut errors);
    make(options, function.expect("a function"), Some(place), &mut errors);
    errors.listed()
}

#[test]
fn what_is_not_known_or_holds_is_no_contradiction() {
    let cases = [
        "lifetime = 0, refresh_ahead = 0",
        "lifetime = 60, max_stale = 40, retention = 100",
        "lifetime = LONG, retention = 60",
        "lifetime = \"60 days\", retention = KEEP",
        "refresh_ahead = AHEAD",
        "fetch_on_miss, empty = vec![], wait = 0",
        "fetch_on_miss = limit > 3, empty = vec![]",
        "fetch_on_miss = false, empty = vec![]",
        "max_backoff = 0",
        "max_bytes = 0, weigh = Vec::len",
        "max_bytes = SIZE, weigh = |value| value.len(), eviction = \"lru\"",
        "eviction = \"tiny_lfu\"",
        "eviction = \"tiny_lfu\", capacity = 5",
    ];
    for args in cases {
        plan(args, FUNCTION);
    }
}

#[test]
fn an_unreadable_option_makes_no_second_error() {
    for args in [
        "lifetime = \"60 days\", retension = \"90 days\"",
        "max_bytes = \"64M\", weigh = |value| value.len()",
        "max_bytes = \"64MiB\", weigh = 5",
        "max_bytes = \"64MiB\", weigher = |_, value| value.len()",
        "max_byte = \"64MiB\", weigh = |value| value.len()",
        "fetch_on_miss, wait = 5, emtpy = vec![]",
        "max_bytes = \"64M\", weigh = |value| value.len(), capacity = 5",
        "max_bytes = \"64M\", weigh = |value| value.len(), eviction = \"tiny_lfu\"",
    ] {
        assert_eq!(errors(args, FUNCTION).lines().count(), 1, "{args}");
    }
}

#[test]
fn values_are_set_where_they_are_known() {
    let fields = |assignments: &[Assignment]| assignments.iter().map(|a| a.field).collect::<Vec<_>>();
    // args, before the first call, for each fetch, depends on arguments
    type Fields = &'static [&'static str];
    let cases: &[(&str, Fields, Fields, Fields)] = &[
        ("", &[], &[], &[]),
        ("lifetime = 5, jitter = 0.5, capacity = 3", &["lifetime", "jitter", "capacity"], &[], &[]),
        ("lifetime = TEN", &["lifetime"], &["lifetime"], &[]),
        ("lifetime = secs(limit)", &[], &["lifetime"], &["lifetime"]),
        (
            "max_stale = secs(limit), max_backoff = TEN",
            &["max_backoff"],
            &["max_stale", "max_backoff"],
            &["max_stale"],
        ),
        ("wait = 5", &["wait"], &[], &[]),
        ("wait = TEN", &["wait"], &[], &[]),
        ("wait = secs(limit)", &[], &[], &["wait"]),
        ("fetch_on_miss", &["fetch_on_miss"], &[], &[]),
        ("fetch_on_miss = ON", &["fetch_on_miss"], &[], &[]),
        ("fetch_on_miss = limit > 3", &[], &[], &["fetch_on_miss"]),
        ("max_refreshes = LIMIT", &["max_refreshes"], &[], &[]),
        ("max_bytes = SIZE, weigh = Vec::len, eviction = \"lru\"", &["max_bytes", "eviction"], &[], &[]),
    ];
    for (args, constant, varying, varies) in cases {
        let plan = plan(args, FUNCTION);
        assert_eq!(fields(&plan.settings.constant), *constant, "{args}");
        assert_eq!(fields(&plan.settings.per_fetch), *varying, "{args}");
        assert_eq!(plan.settings.varies, *varies, "{args}");
    }
}

#[test]
fn an_empty_value_is_needed_unless_every_caller_waits() {
    let empty = |args| plan(args, FUNCTION).empty;
    assert!(matches!(empty(""), Empty::Default));
    assert!(matches!(empty("fetch_on_miss"), Empty::Never));
    assert!(matches!(empty("fetch_on_miss, wait = 5, empty = vec![]"), Empty::Written(_)));
    assert!(matches!(empty("fetch_on_miss = limit > 3"), Empty::Default));
    assert!(matches!(empty("empty = vec![]"), Empty::Written(_)));
}

#[test]
fn names_and_handles() {
    let plan_of = |args| plan(args, "async fn r#match() {}");
    assert!(matches!(plan_of("").name, Name::Function(name) if name == "match"));
    assert!(matches!(plan_of("name = \"n\"").name, Name::Given(name) if name.value() == "n"));
    let cases = [
        ("", "async fn r#match() {}", "type r#match"),
        ("handle = other", "async fn f() {}", "type other"),
        ("handle = false", "async fn f() {}", "nothing"),
        ("in_impl", "async fn f() {}", "f_entry f_cache"),
        ("skip(self)", "async fn r#match(&self) {}", "match_entry match_cache"),
        ("skip(self), handle = r#type", "async fn f(&self) {}", "type_entry type_cache"),
        ("", "async fn f() -> Option<Self> {}", "f_entry f_cache"),
        ("handle = false", "async fn f() -> Self::Row {}", "nothing, inline"),
        ("handle = false, in_impl", "async fn f() {}", "nothing, inline"),
    ];
    for (args, item, expected) in cases {
        let plan = plan(args, item);
        let companion = match plan.companion {
            Companion::Type(name) => format!("type {name}"),
            Companion::Methods(methods) => format!("{} {}", methods.entry, methods.cache),
            Companion::Nothing => "nothing".to_owned(),
        };
        let inline = if matches!(plan.body, Body::Inline(_)) { ", inline" } else { "" };
        assert_eq!(format!("{companion}{inline}"), expected, "{args} {item}");
    }
}

#[test]
fn instantiations_are_told_apart_by_all_that_is_generic() {
    let cases = [
        ("", "async fn f<'a>(a: &'a str) {}", "one"),
        ("", "async fn f<'a, T: Model, const N: usize>(a: &'a T) {}", "T, N: usize"),
        ("skip(b)", "async fn f<T: Model>(a: T, b: impl Model) {}", "T, #1"),
        ("skip(self)", "async fn f(&self) {}", ""),
        ("in_impl", "async fn f<T: Model>(a: T) {}", "T"),
        ("handle = false", "async fn f() {}", "one"),
        ("handle = false", "async fn f<T: Model>(a: T) {}", "scope"),
        ("handle = false, skip(self)", "async fn f(&self) {}", "scope"),
    ];
    for (args, item, expected) in cases {
        let shown = match plan(args, item).instances {
            Instances::One => "one".to_owned(),
            Instances::Scope => "scope".to_owned(),
            Instances::Named(parameters) => {
                let shown = |parameter: &Parameter| match parameter {
                    Parameter::Type(name) => name.to_string(),
                    Parameter::Const(name, ty) => format!("{name}: {}", readable(ty)),
                    Parameter::Argument(index) => format!("#{index}"),
                };
                parameters.iter().map(shown).collect::<Vec<_>>().join(", ")
            }
        };
        assert_eq!(shown, expected, "{args} {item}");
    }
}

#[test]
fn what_mentions_a_type_parameter_is_evaluated_for_each_fetch() {
    let item = "async fn f<T: Model, const N: u64>(&self, id: u64) -> Self::Row {}";
    for (lifetime, varies) in [
        ("TEN", false),
        ("T::LIFETIME", true),
        ("secs(N)", true),
        ("<Self as Model>::LIFETIME", true),
        ("self.lifetime", true),
        ("model::T", false),
    ] {
        let plan = plan(&format!("lifetime = {lifetime}, skip(self)"), item);
        assert_eq!(plan.settings.varies, if varies { vec!["lifetime"] } else { vec![] }, "{lifetime}");
    }
    let listed = errors("capacity = N, jitter = Self::JITTER, max_refreshes = self.limit, skip(self)", item);
    expect![[r#"
        [self.limit] `max_refreshes` is one for all entries and cannot depend on the argument `self` / write a number, or an expression without arguments
        [Self::JITTER] `jitter` is one for all instantiations and cannot depend on `Self` or a type parameter / write a number, or name the type: `MyType::LIMIT`
        [N] `capacity` is one for all instantiations and cannot depend on `Self` or a type parameter / write a number, or name the type: `MyType::LIMIT`
    "#]].assert_eq(&listed);
}

#[test]
fn the_docs_say_what_a_call_gets() {
    let docs = |args: &str| plan(args, &format!("/// Docs.\n{FUNCTION}")).docs.unwrap_or_default();
    let cases = [
        "",
        "lifetime = TEN, handle = other",
        "fetch_on_miss, handle = false",
        "fetch_on_miss, wait = 5, empty = vec![]",
    ];
    let mut all: Vec<String> = cases.iter().map(|args| docs(args)).collect();
    let methods =
        ["skip(self), handle = g\n/// Docs.\nasync fn f(&self) {}", "in_impl\n/// Docs.\nasync fn f() {}"];
    let of_method = |text: &&str| {
        let (args, item) = text.split_once('\n').unwrap_or_default();
        plan(args, item).docs.unwrap_or_default()
    };
    all.extend(methods.iter().map(of_method));
    let of_type = |output: &&str| {
        plan("", &format!("/// Docs.\nasync fn f() -> {output} {{}}")).docs.unwrap_or_default()
    };
    let written = |args: &&str| docs(args);
    let miss = |docs: String| {
        let start = docs.find("While").unwrap_or_default();
        docs[start..].split(" `f::entry(..)` takes").next().unwrap_or_default().trim().to_owned()
    };
    let types = [
        "()",
        "u64",
        "bool",
        "f32",
        "String",
        "Vec<u8>",
        "Option<User>",
        "User",
        "HashMap<u8, u8>",
        "Arc<[u8]>",
        "Result<Option<User>, E>",
        "io::Result<u64>",
        "Result<User, E>",
        "Result<Vec<u8>, E>",
    ];
    let options = [
        "empty = vec![1]",
        "empty = vec![\"a long text that nobody wants to read in the docs\".len()]",
        "fetch_on_miss = limit > 3",
        "fetch_on_miss = limit > 3, wait = 5, empty = vec![]",
        "fetch_on_miss, wait = 5, empty = Err(Late)",
        "wait = 5",
        "handle = false",
        "fetch_on_miss, handle = false",
    ];
    let misses = types.iter().map(of_type).chain(options.iter().map(written)).map(miss);
    expect![[r#"
        While nothing is cached, a call gets `()` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `0` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `false` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `0.0` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `""` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `vec![]` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `None` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets the default of `User` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets the default of `HashMap<u8, u8>` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets the default of `Arc<[u8]>` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `Ok(None)` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `Ok(0)` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `Ok(Default::default())` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `Ok(vec![])` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `vec![1]` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets what its option `empty` gives at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call waits for the value or gets `vec![]` at once, as its arguments say. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `vec![]`, at once or when `wait` runs out, as its arguments say. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call waits for the value, and gets `Err (Late)` when `wait` runs out. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `vec![]` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`.
        While nothing is cached, a call gets `vec![]` at once, not the value. A caller cannot tell that from a value.
        While nothing is cached, a call waits for the value."#]].assert_eq(&misses.collect::<Vec<_>>().join("\n"));
    expect![[r#"

         # Caching

         Answered from a cache: a value is fresh for 10 min, and after that it is refreshed in the background. While nothing is cached, a call gets `vec![]` at once, not the value. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`. `f::entry(..)` takes the same arguments and reaches their entry, `f::cache()` the whole cache.
        ----
         # Caching

         Answered from a cache: a value that is no longer fresh is refreshed in the background. While nothing is cached, a call gets `vec![]` at once, not the value. To tell that from a value, call `other::entry(..).lookup().await`: its `status` is then `Status::Empty`. `other::entry(..)` takes the same arguments and reaches their entry, `other::cache()` the whole cache.
        ----
         # Caching

         Answered from a cache: a value is fresh for 10 min, and after that it is refreshed in the background. While nothing is cached, a call waits for the value.
        ----
         # Caching

         Answered from a cache: a value is fresh for 10 min, and after that it is refreshed in the background. While nothing is cached, a call waits for the value, and gets `vec![]` when `wait` runs out. To tell that from a value, call `f::entry(..).lookup().await`: its `status` is then `Status::Empty`. `f::entry(..)` takes the same arguments and reaches their entry, `f::cache()` the whole cache.
        ----
         # Caching

         Answered from a cache: a value is fresh for 10 min, and after that it is refreshed in the background. While nothing is cached, a call gets `()` at once, not the value. To tell that from a value, call `self.g_entry(..).lookup().await`: its `status` is then `Status::Empty`. `self.g_entry(..)` takes the same arguments and reaches their entry, `Self::g_cache()` the whole cache.
        ----
         # Caching

         Answered from a cache: a value is fresh for 10 min, and after that it is refreshed in the background. While nothing is cached, a call gets `()` at once, not the value. To tell that from a value, call `Self::f_entry(..).lookup().await`: its `status` is then `Status::Empty`. `Self::f_entry(..)` takes the same arguments and reaches their entry, `Self::f_cache()` the whole cache.
    "#]].assert_eq(&all.join("----"));
}
