use std::time::Duration;

use expect_test::{Expect, expect};

use super::table::TABLE;
use super::*;
use crate::error::text;

const FUNCTION: &str = "async fn tweets(user: &str, limit: u32) -> Vec<u64> { fetch(user, limit).await }";

fn options(args: &str) -> (Options, String) {
    let mut errors = Errors::default();
    let options = parse(crate::tests::tokens(args), &mut errors);
    (options, errors.listed())
}

#[track_caller]
fn refused(cases: &[&str], expected: &Expect) {
    let listed = |args: &&str| format!("{args}\n{}", crate::tests::errors(args, FUNCTION));
    // A new option is no reason to write these messages anew.
    let all = text::listed(TABLE.iter().map(|row| row.name));
    expected.assert_eq(&cases.iter().map(listed).collect::<Vec<_>>().join("\n").replace(&all, "(all)"));
}

#[test]
fn durations_are_seconds_or_humantime_or_expressions() {
    let fixed = [
        ("600", Duration::from_secs(600)),
        ("1_000", Duration::from_secs(1000)),
        ("0", Duration::ZERO),
        ("(60)", Duration::from_secs(60)),
        ("\"10m\"", Duration::from_secs(600)),
        ("\"1h 30m\"", Duration::from_secs(5400)),
        ("\"1500ms\"", Duration::from_millis(1500)),
    ];
    for (text, expected) in fixed {
        let (options, errors) = options(&format!("lifetime = {text}"));
        assert_eq!(errors, "", "{text}");
        let value = options.lifetime.and_then(|given| given.value.fixed());
        assert_eq!(value, Some(expected), "{text}");
    }
    for text in ["TEN", "minutes(10)", "Duration::from_secs(5)", "if user == \"a\" { A } else { B }", "-X"] {
        let (options, errors) = options(&format!("lifetime = {text}"));
        assert_eq!(errors, "", "{text}");
        assert!(options.lifetime.is_some_and(|given| given.value.fixed().is_none()), "{text}");
    }
}

#[test]
fn the_type_of_a_duration_is_looked_at_unless_it_depends_on_what_is_expected() {
    let own = ["TEN", "config::TEN", "self.ttl", "60 * 60", "-x", "n as u64", "(A)", "if a { B } else { 5 }"];
    let own_too = ["match a { _ => B, 1 => { 60 } }", "{ let a = 5; a }", "*limit"];
    for text in own.iter().chain(&own_too) {
        let expr = syn::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(has_own_type(&expr), "{text}");
    }
    for text in
        ["a.into()", "minutes(5)", "if a { B } else { c.into() }", "\"1\".parse()?", "todo!()", "{ f(); }"]
    {
        let expr = syn::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(!has_own_type(&expr), "{text}");
    }
}

#[test]
fn every_option_is_read() {
    let all = "lifetime = 1, max_stale = 2, retention = 3, refresh_ahead = 0, fetch_on_miss = user == \"a\", \
               empty = Vec::<u8>::new(), wait = 0, refresh_timeout = 1, max_backoff = 1, max_refreshes = 1, \
               lifetime_for = |tweets: &HashMap<u8, u8>| Duration::ZERO, cache_err = 1, share_err = Clone::clone, \
               jitter = 1, key = (user,), skip(limit,), capacity = 1_0, name = \"n\", handle = other, \
               crate = crate::cacheback, in_impl, max_bytes = \"1kB\", weigh = Vec::len, eviction = \"tiny_lfu\", \
               retention_for = |tweets| TEN";
    let (options, errors) = options(all);
    assert_eq!(errors, "");
    assert!(options.lifetime.is_some() && options.max_stale.is_some() && options.retention.is_some());
    assert!(options.refresh_ahead.is_some() && options.wait.is_some() && options.refresh_timeout.is_some());
    assert!(options.max_backoff.is_some() && options.cache_err.is_some() && options.empty.is_some());
    assert!(options.lifetime_for.is_some() && options.share_err.is_some() && options.key.is_some());
    assert!(options.krate.is_some() && options.in_impl.is_some() && !options.incomplete);
    assert!(options.weigh.is_some() && options.retention_for.is_some());
    assert!(matches!(options.max_bytes, Some(Given { value: Value::Fixed(1000, _), .. })));
    assert!(matches!(options.eviction, Some(Given { value: Value::Fixed(Eviction::TinyLfu, _), .. })));
    assert!(matches!(options.fetch_on_miss, Some(Given { value: Value::Computed(_), .. })));
    assert!(matches!(options.max_refreshes, Some(Given { value: Value::Fixed(1, _), .. })));
    assert!(matches!(options.capacity, Some(Given { value: Value::Fixed(10, _), .. })));
    assert!(matches!(options.handle, Some(Given { value: Handle::Named(name), .. }) if name == "other"));
    assert!(options.jitter.and_then(|given| given.value.fixed()).is_some_and(|jitter| jitter == 1.0));
    assert!(options.skip.is_some_and(|skip| skip.value == ["limit"]));
    assert!(options.name.is_some_and(|name| name.value.value() == "n"));
}

#[test]
fn bytes_are_a_number_or_a_string_or_an_expression() {
    let fixed = [
        ("0", 0),
        ("1_000", 1000),
        ("0x10", 16),
        ("(60)", 60),
        ("\"100B\"", 100),
        ("\"1kB\"", 1000),
        ("\"1 KB\"", 1000),
        ("\"2MB\"", 2_000_000),
        ("\"3GB\"", 3_000_000_000),
        ("\"1KiB\"", 1 << 10),
        ("\"64MiB\"", 64 << 20),
        ("\"64 mib\"", 64 << 20),
        ("\"2GiB\"", 2 << 30),
        ("\"1.5GiB\"", 3 << 29),
        ("\"18446744073709551615B\"", u64::MAX),
    ];
    for (text, expected) in fixed {
        let (options, errors) = options(&format!("max_bytes = {text}"));
        assert_eq!(errors, "", "{text}");
        let value = options.max_bytes.and_then(|given| given.value.fixed());
        assert_eq!(value, Some(expected), "{text}");
    }
    for text in ["SIZE", "64 << 20", "config::bytes()", "-X"] {
        let (options, errors) = options(&format!("max_bytes = {text}"));
        assert_eq!(errors, "", "{text}");
        assert!(options.max_bytes.is_some_and(|given| given.value.fixed().is_none()), "{text}");
    }
}

#[test]
fn bytes_that_are_none() {
    let cases = [
        "max_bytes = 64MiB",
        "max_bytes = 1.5GiB",
        "max_bytes = 64u64",
        "max_bytes = 1.5",
        "max_bytes = -1",
        "max_bytes = -\"1MiB\"",
        "max_bytes = true",
        "max_bytes = \"64\"",
        "max_bytes = \"64M\"",
        "max_bytes = \"a lot\"",
        "max_bytes = \"-1MiB\"",
        "max_bytes = \"\"",
        "max_bytes = \"16EiB\"",
        "max_bytes = 99999999999999999999",
        "max_bytes",
        "max_bytes(64)",
    ];
    refused(
        &cases,
        &expect![[r#"
        max_bytes = 64MiB
        [64MiB] a number of bytes with a unit is a string / write `max_bytes = "64MiB"`

        max_bytes = 1.5GiB
        [1.5GiB] a number of bytes with a unit is a string / write `max_bytes = "1.5GiB"`

        max_bytes = 64u64
        [64u64] whole bytes have no suffix / write `max_bytes = 64`

        max_bytes = 1.5
        [1.5] bytes are whole / write for example `max_bytes = "1.5MiB"`

        max_bytes = -1
        [-1] `max_bytes` takes a number of bytes / write a whole number, a string such as "64MiB", or a `u64` expression

        max_bytes = -"1MiB"
        [-"1MiB"] `max_bytes` takes a number of bytes / write a whole number, a string such as "64MiB", or a `u64` expression

        max_bytes = true
        [true] `max_bytes` takes a number of bytes / write a whole number, a string such as "64MiB", or a `u64` expression

        max_bytes = "64"
        ["64"] `64` is not a number of bytes with its unit (kB, MB, GB for 1000s; KiB, MiB, GiB for 1024s) / write for example `max_bytes = "64MiB"`

        max_bytes = "64M"
        ["64M"] `64M` is not a number of bytes with its unit (kB, MB, GB for 1000s; KiB, MiB, GiB for 1024s) / write for example `max_bytes = "64MiB"`

        max_bytes = "a lot"
        ["a lot"] `a lot` is not a number of bytes with its unit (kB, MB, GB for 1000s; KiB, MiB, GiB for 1024s) / write for example `max_bytes = "64MiB"`

        max_bytes = "-1MiB"
        ["-1MiB"] `-1MiB` is not a number of bytes with its unit (kB, MB, GB for 1000s; KiB, MiB, GiB for 1024s) / write for example `max_bytes = "64MiB"`

        max_bytes = ""
        [""] `` is not a number of bytes with its unit (kB, MB, GB for 1000s; KiB, MiB, GiB for 1024s) / write for example `max_bytes = "64MiB"`

        max_bytes = "16EiB"
        ["16EiB"] `16EiB` is too large for `max_bytes`

        max_bytes = 99999999999999999999
        [99999999999999999999] `99999999999999999999` is too large for `max_bytes`

        max_bytes
        [max_bytes] `max_bytes` has no value / write `max_bytes = ..`

        max_bytes(64)
        [max_bytes] `max_bytes` takes its value after `=` / write `max_bytes = 64`
    "#]],
    );
}

#[test]
fn ways_of_eviction() {
    for (text, expected) in [("lru", Eviction::Lru), ("tiny_lfu", Eviction::TinyLfu)] {
        let (options, errors) = options(&format!("eviction = \"{text}\""));
        assert_eq!(errors, "");
        assert_eq!(options.eviction.and_then(|given| given.value.fixed()), Some(expected));
    }
    let cases = [
        "eviction = \"lfu\"",
        "eviction = \"TinyLFU\"",
        "eviction = \"w-tinylfu\"",
        "eviction = \"LRU\"",
        "eviction = \"fifo\"",
        "eviction = \"random\"",
        "eviction = \"\"",
        "eviction = lru",
        "eviction = Eviction::TinyLfu",
        "eviction = 5",
        "eviction",
    ];
    refused(
        &cases,
        &expect![[r#"
        eviction = "lfu"
        ["lfu"] `lfu` is not a way to choose what is dropped / did you mean `eviction = "tiny_lfu"`?

        eviction = "TinyLFU"
        ["TinyLFU"] `TinyLFU` is not a way to choose what is dropped / did you mean `eviction = "tiny_lfu"`?

        eviction = "w-tinylfu"
        ["w-tinylfu"] `w-tinylfu` is not a way to choose what is dropped / did you mean `eviction = "tiny_lfu"`?

        eviction = "LRU"
        ["LRU"] `LRU` is not a way to choose what is dropped / did you mean `eviction = "lru"`?

        eviction = "fifo"
        ["fifo"] `fifo` is not a way to choose what is dropped / write `eviction = "lru"` or `eviction = "tiny_lfu"`

        eviction = "random"
        ["random"] `random` is not a way to choose what is dropped / write `eviction = "lru"` or `eviction = "tiny_lfu"`

        eviction = ""
        [""] `` is not a way to choose what is dropped / write `eviction = "lru"` or `eviction = "tiny_lfu"`

        eviction = lru
        [lru] `eviction` takes a string literal / write `eviction = "lru"` or `eviction = "tiny_lfu"`

        eviction = Eviction::TinyLfu
        [Eviction::TinyLfu] `eviction` takes a string literal / write `eviction = "lru"` or `eviction = "tiny_lfu"`

        eviction = 5
        [5] `eviction` takes a string literal / write `eviction = "lru"` or `eviction = "tiny_lfu"`

        eviction
        [eviction] `eviction` has no value / write `eviction = ..`
    "#]],
    );
}

#[test]
fn a_flag_can_be_a_condition() {
    let (on, _) = options("fetch_on_miss");
    let (also_on, _) = options("fetch_on_miss = true");
    let (off, _) = options("fetch_on_miss = false");
    assert!(matches!(on.fetch_on_miss, Some(Given { value: Value::Fixed(true, _), .. })));
    assert!(matches!(also_on.fetch_on_miss, Some(Given { value: Value::Fixed(true, _), .. })));
    assert!(matches!(off.fetch_on_miss, Some(Given { value: Value::Fixed(false, _), .. })));
}

#[test]
fn durations_that_are_none() {
    let cases = [
        "lifetime = 600s",
        "lifetime = 10m",
        "lifetime = 600u64",
        "wait = -5",
        "lifetime = 1.5",
        "lifetime = \"ten minutes\"",
        "lifetime = \"600\"",
        "lifetime = 99999999999999999999",
        "lifetime = true",
        "lifetime = 'a'",
    ];
    refused(
        &cases,
        &expect![[r#"
        lifetime = 600s
        [600s] a duration with a unit is a string / write `lifetime = "600s"`

        lifetime = 10m
        [10m] a duration with a unit is a string / write `lifetime = "10m"`

        lifetime = 600u64
        [600u64] whole seconds have no suffix / write `lifetime = 600`

        wait = -5
        [-5] a duration cannot be negative / write `wait = 600` or `wait = "10m"`

        lifetime = 1.5
        [1.5] a duration is in whole seconds / write "1500ms"

        lifetime = "ten minutes"
        ["ten minutes"] `ten minutes` is not a duration: expected number at 0 / write for example `lifetime = "1h 30m"`

        lifetime = "600"
        ["600"] `600` is not a duration: time unit needed, for example 600sec or 600ms / write for example `lifetime = "1h 30m"`

        lifetime = 99999999999999999999
        [99999999999999999999] `99999999999999999999` seconds are too long for a `Duration`

        lifetime = true
        [true] `lifetime` takes a duration / write whole seconds, a string such as "10m", or a `Duration` expression

        lifetime = 'a'
        ['a'] `lifetime` takes a duration / write whole seconds, a string such as "10m", or a `Duration` expression
    "#]],
    );
}

#[test]
fn other_values_that_do_not_fit() {
    let cases = [
        "max_refreshes = 0",
        "capacity = 0",
        "capacity = 10u64",
        "capacity = -1",
        "capacity = \"many\"",
        "capacity = 1.5",
        "jitter = 1.5",
        "jitter = -0.1",
        "jitter = 2",
        "jitter = \"a\"",
        "fetch_on_miss = 1",
        "lifetime_for = 60",
        "lifetime_for = || TEN",
        "retention_for = \"2m\"",
        "weigh = 60",
        "weigh = |value, more| value.len()",
        "weigh = async |value| value.len()",
        "share_err = async |e| e",
        "name = \"\"",
        "name = NAME",
        "handle",
        "handle = true",
        "handle = a::b",
        "crate = 5",
        "in_impl = true",
        "skip",
        "skip = user",
        "skip()",
        "skip(user limit)",
        "skip(user.id)",
    ];
    refused(
        &cases,
        &expect![[r#"
            max_refreshes = 0
            [0] with `max_refreshes = 0` nothing could be refreshed / write 1 or more, or leave `max_refreshes` out

            capacity = 0

            capacity = 10u64
            [10u64] `capacity` takes a number without a suffix / write `capacity = 10`

            capacity = -1
            [-1] `capacity` takes a whole number / write for example `capacity = 100`

            capacity = "many"
            ["many"] `capacity` takes a whole number / write for example `capacity = 100`

            capacity = 1.5
            [1.5] `capacity` takes a whole number / write for example `capacity = 100`

            jitter = 1.5
            [1.5] `jitter` takes a share between 0.0 and 1.0 / write for example `jitter = 0.1`

            jitter = -0.1
            [-0.1] `jitter` takes a share between 0.0 and 1.0 / write for example `jitter = 0.1`

            jitter = 2
            [2] `jitter` takes a share between 0.0 and 1.0 / write for example `jitter = 0.1`

            jitter = "a"
            ["a"] `jitter` takes a share between 0.0 and 1.0 / write for example `jitter = 0.1`

            fetch_on_miss = 1
            [1] `fetch_on_miss` is a flag or takes a `bool` / write `fetch_on_miss`

            lifetime_for = 60
            [60] `lifetime_for` takes a closure of one argument that is not `async` / write `lifetime_for = |value| Duration::from_secs(60)`

            lifetime_for = || TEN
            [|| TEN] `lifetime_for` takes a closure of one argument that is not `async` / write `lifetime_for = |value| Duration::from_secs(60)`

            retention_for = "2m"
            ["2m"] `retention_for` takes a closure of one argument that is not `async` / write `retention_for = |value| Duration::from_secs(60)`

            weigh = 60
            [60] `weigh` takes a closure of one argument that is not `async` / write `weigh = |value| value.len()`

            weigh = |value, more| value.len()
            [|value, more| value.len()] `weigh` takes a closure of one argument that is not `async` / write `weigh = |value| value.len()`

            weigh = async |value| value.len()
            [async |value| value.len()] `weigh` takes a closure of one argument that is not `async` / write `weigh = |value| value.len()`

            share_err = async |e| e
            [async |e| e] `share_err` takes a closure of one argument that is not `async` / write `share_err = |error: &MyError| MyError::new(error.to_string())`

            name = ""
            [""] a name cannot be empty / write what logs and metrics shall call it

            name = NAME
            [NAME] `name` takes a string literal / write `name = "users"`

            handle
            [handle] `handle` has no value / write `handle = ..`

            handle = true
            [true] `handle` is on unless it is `false` / write `handle = false`, or `handle = other_name`, or leave it out

            handle = a::b
            [a::b] the handle is one new identifier / write `handle = users_cache`

            crate = 5
            [5] `crate` takes a path / write `crate = ::my_crate::cacheback`

            in_impl = true
            [in_impl] `in_impl` is a flag / write just `in_impl`, or leave it out

            skip
            [skip] `skip` takes the names of arguments / write `skip(db)`

            skip = user
            [skip] `skip` takes the names of arguments / write `skip(db)`

            skip()
            [skip] `skip` takes the names of arguments, with commas between / write `skip(db, log)`

            skip(user limit)
            [skip] `skip` takes the names of arguments, with commas between / write `skip(db, log)`

            skip(user.id)
            [skip] `skip` takes the names of arguments, with commas between / write `skip(db, log)`
        "#]],
    );
}

#[test]
fn shared_is_a_flag_or_the_name_of_a_tier() {
    for (args, alias) in [("shared", None), ("shared = \"sessions\"", Some("sessions"))] {
        let (options, errors) = options(args);
        assert_eq!(errors, "", "{args}");
        let shared = options.shared.map(|given| given.value.map(|alias| alias.value()));
        assert_eq!(shared, Some(alias.map(str::to_owned)), "{args}");
    }
    let cases = [
        "shared = \"\"",
        "shared = \" \"",
        "shared = true",
        "shared = sessions",
        "shared = b\"sessions\"",
        "shared(sessions)",
        "shared, lifetime = 5, shared = \"sessions\"",
        "shared, version = -1",
        "shared, version = 2u32",
        "shared, version",
        "shared, version = \"2\"",
    ];
    refused(
        &cases,
        &expect![[r#"
        shared = ""
        [""] the name of a tier cannot be empty / write just `shared` for the tier without a name

        shared = " "
        [" "] the name of a tier cannot be empty / write just `shared` for the tier without a name

        shared = true
        [true] `shared` is a flag or takes the name of a tier / write `shared`, or `shared = "sessions"`

        shared = sessions
        [sessions] `shared` is a flag or takes the name of a tier / write `shared`, or `shared = "sessions"`

        shared = b"sessions"
        [b"sessions"] `shared` is a flag or takes the name of a tier / write `shared`, or `shared = "sessions"`

        shared(sessions)
        [shared] `shared` takes its value after `=` / write `shared = sessions`

        shared, lifetime = 5, shared = "sessions"
        [shared] `shared` is given twice / remove one of them

        shared, version = -1
        [-1] `version` takes a whole number / write for example `version = 100`

        shared, version = 2u32
        [2u32] `version` takes a number without a suffix / write `version = 2`

        shared, version
        [version] `version` has no value / write `version = ..`

        shared, version = "2"
        ["2"] `version` takes a whole number / write for example `version = 100`
    "#]],
    );
}

#[test]
fn queue_is_a_flag_or_the_name_of_a_queue() {
    for (args, name) in [("shared, queue", None), ("shared, queue = \"reports\"", Some("reports"))] {
        let (options, errors) = options(args);
        assert_eq!(errors, "", "{args}");
        let queue = options.queue.map(|given| given.value.map(|name| name.value()));
        assert_eq!(queue, Some(name.map(str::to_owned)), "{args}");
    }
    let cases = [
        "shared, queue = \"\"",
        "shared, queue = true",
        "shared, queue = reports",
        "shared, queue(reports)",
        "shared, queue, queue_fallback",
        "shared, queue, queue_fallback = \"no\"",
    ];
    refused(
        &cases,
        &expect![[r#"
            shared, queue = ""
            [""] the name of a queue cannot be empty / write just `queue` for the queue `default`

            shared, queue = true
            [true] `queue` is a flag or takes the name of a queue / write `queue`, or `queue = "reports"`

            shared, queue = reports
            [reports] `queue` is a flag or takes the name of a queue / write `queue`, or `queue = "reports"`

            shared, queue(reports)
            [queue] `queue` takes its value after `=` / write `queue = reports`

            shared, queue, queue_fallback
            [queue_fallback] `queue_fallback` has no value / write `queue_fallback = ..`

            shared, queue, queue_fallback = "no"
            ["no"] `queue_fallback` takes a `bool` / write `queue_fallback = false`
        "#]],
    );
}

#[test]
fn without_a_tier_shared_names_the_feature_that_brings_one() {
    for form in ["", "= \"sessions\"", "= 5"] {
        let read = |raw: Raw| read::shared_if(false, &raw.name, raw.form);
        let read = parse_option.parse2(crate::tests::tokens(&format!("shared {form}"))).and_then(read);
        let error = read.err().map(|error| error.to_string()).unwrap_or_default();
        let first = "`shared` needs a second tier\nenable the feature `redis` or `sqlite` of `cacheback`";
        assert!(error.starts_with(first), "{error}");
    }
}

#[test]
fn names_that_are_none() {
    let cases = [
        "lifetme = 600",
        "max_state = 5",
        "refresh_time_out = 5",
        "colour = \"red\"",
        "ttl = 5",
        "time_to_live(5)",
        "size = 5",
        "max_capacity = 5",
        "max_memory = 5",
        "max_weight = 5",
        "bytes = 5",
        "memory = 5",
        "weigher = |_, value| value.len()",
        "weight = 5",
        "policy = lru",
        "eviction_policy = lru",
        "max_byte = 5",
        "grace = 5",
        "sync_writes = true",
        "result",
        "option = true",
        "convert = r#\"{ user }\"#",
        "convert = { user.len() }",
        "timeout = 5",
        "ignore(user)",
        "fallback = Vec::new()",
        "map_err = |e| e",
        "tags = [user]",
        "batch(ids)",
    ];
    refused(
        &cases,
        &expect![[r##"
            lifetme = 600
            [lifetme] unknown option `lifetme` / did you mean `lifetime`?

            max_state = 5
            [max_state] unknown option `max_state` / did you mean `max_stale`?

            refresh_time_out = 5
            [refresh_time_out] unknown option `refresh_time_out` / did you mean `refresh_timeout`?

            colour = "red"
            [colour] unknown option `colour` / the options are (all)

            ttl = 5
            [ttl] `ttl` is not an option of `cacheback` / write `lifetime = 5, retention = 5, fetch_on_miss` for the same behaviour / (`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)

            time_to_live(5)
            [time_to_live] `time_to_live` is not an option of `cacheback` / write `lifetime = 5, retention = 5, fetch_on_miss` for the same behaviour / (`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)

            size = 5
            [size] `size` is not an option of `cacheback` / write `capacity = 5`

            max_capacity = 5
            [max_capacity] `max_capacity` is not an option of `cacheback` / write `capacity = ..` (entries), or `max_bytes = ..` and `weigh = ..`

            max_memory = 5
            [max_memory] `max_memory` is not an option of `cacheback` / write `max_bytes = 5`

            max_weight = 5
            [max_weight] `max_weight` is not an option of `cacheback` / write `max_bytes = 5`

            bytes = 5
            [bytes] `bytes` is not an option of `cacheback` / write `max_bytes = 5`

            memory = 5
            [memory] `memory` is not an option of `cacheback` / write `max_bytes = 5`

            weigher = |_, value| value.len()
            [weigher] `weigher` is not an option of `cacheback` / write `weigh = ..`

            weight = 5
            [weight] `weight` is not an option of `cacheback` / write `weigh = 5`

            policy = lru
            [policy] `policy` is not an option of `cacheback` / write `eviction = "lru"` or `eviction = "tiny_lfu"`

            eviction_policy = lru
            [eviction_policy] `eviction_policy` is not an option of `cacheback` / write `eviction = "lru"` or `eviction = "tiny_lfu"`

            max_byte = 5
            [max_byte] unknown option `max_byte` / did you mean `max_bytes`?

            grace = 5
            [grace] `grace` is not an option of `cacheback` / write `max_stale = 5`

            sync_writes = true
            [sync_writes] `sync_writes` is not an option of `cacheback` / not needed: callers of one key always share one fetch / leave it out, and write `fetch_on_miss` if they should wait for it

            result
            [result] `result` is not an option of `cacheback` / not needed: `Err` is never cached / leave it out

            option = true
            [option] `option` is not an option of `cacheback` / write `lifetime_for = |value| if value.is_some() { .. } else { Duration::ZERO }`: / `None` is a value and is cached, unless its lifetime is zero

            convert = r#"{ user }"#
            [convert] `convert` is not an option of `cacheback` / write `key = user`

            convert = { user.len() }
            [convert] `convert` is not an option of `cacheback` / write `key = user.len()`

            timeout = 5
            [timeout] `timeout` is not an option of `cacheback` / write `refresh_timeout` (how long a fetch holds its key) or `wait` (how long a caller waits)

            ignore(user)
            [ignore] `ignore` is not an option of `cacheback` / write `skip(..)`

            fallback = Vec::new()
            [fallback] `fallback` is not an option of `cacheback` / write `empty = Vec::new()`

            map_err = |e| e
            [map_err] `map_err` is not an option of `cacheback` / write `share_err = ..`

            tags = [user]
            [tags] `tags` is planned, and not available in this version / leave it out: `entry(..).invalidate()` is for one entry, `cache().clear()` for all of a function

            batch(ids)
            [batch] `batch` is planned, and not available in this version / leave it out: each call is one entry
        "##]],
    );
}

#[test]
fn options_of_other_caches_are_answered_with_their_exact_twin() {
    let cases = [
        "time = 60",
        "ttl_millis = 500",
        "ttl = MINUTE",
        "ttl_secs",
        "cache_ttl = 86_400",
        "expires = true",
        "expire_after = 60",
        "time_to_idle = 60",
        "time_refresh = true",
        "refresh = true",
        "refresh = 5",
        "refresh_after = 60",
        "fetch_on_stale_threshold = 900",
        "stale_if_error = 3600",
        "result_fallback = true",
        "result = true",
        "result = false",
        "option = false",
        "cache_none = true",
        "cache_none = false",
        "once",
        "with_cached_flag = true",
        "force_refresh = { id == 0 }",
        "ty = \"UnboundCache<u64, u64>\"",
        "create = \"{ Cache::new() }\"",
        "unbound",
        "disk = true",
        "redis = true",
        "ty = \"AsyncRedisCache<u64, u64>\"",
        "create = { DiskCacheBuilder::new(\"users\").build() }",
        "map_error = |e| e",
        "unsync_reads = true",
        "cache_alias = \"users\"",
        "companions_vis = \"pub\"",
        "creat = crate::cacheback",
    ];
    refused(
        &cases,
        &expect![[r#"
            time = 60
            [time] `time` is not an option of `cacheback` / write `lifetime = 60, retention = 60, fetch_on_miss` for the same behaviour / (`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)

            ttl_millis = 500
            [ttl_millis] `ttl_millis` is not an option of `cacheback` / write `lifetime = "500ms", retention = "500ms", fetch_on_miss` for the same behaviour / (`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)

            ttl = MINUTE
            [ttl] `ttl` is not an option of `cacheback` / write `lifetime = MINUTE, retention = MINUTE, fetch_on_miss` for the same behaviour / (`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)

            ttl_secs
            [ttl_secs] `ttl_secs` is not an option of `cacheback` / write `lifetime = .., retention = .., fetch_on_miss` for the same behaviour / (`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)

            cache_ttl = 86_400
            [cache_ttl] `cache_ttl` is not an option of `cacheback` / write `retention = 86_400`

            expires = true
            [expires] `expires` is not an option of `cacheback` / write `lifetime_for = |value| ..`: how long this value is fresh / (and `retention_for = |value| ..` if it must not be served after that, such as a token)

            expire_after = 60
            [expire_after] `expire_after` is not an option of `cacheback` / write `lifetime_for = |value| ..`: how long this value is fresh / (and `retention_for = |value| ..` if it must not be served after that, such as a token)

            time_to_idle = 60
            [time_to_idle] `time_to_idle` is not an option of `cacheback` / there is none, since a value that is in use grows old too: leave it out / (unused entries make room when there are more than `capacity`, and are gone after `retention`)

            time_refresh = true
            [time_refresh] `time_refresh` is not an option of `cacheback` / there is none, since a value that is in use grows old too: leave it out / (`refresh_ahead = ..` fetches an entry in use before its lifetime ends)

            refresh = true
            [refresh] `refresh` is not an option of `cacheback` / there is none, since a value that is in use grows old too: leave it out / (`refresh_ahead = ..` fetches an entry in use before its lifetime ends)

            refresh = 5
            [refresh] `refresh` is not an option of `cacheback` / write `refresh_ahead = 5`

            refresh_after = 60
            [refresh_after] `refresh_after` is not an option of `cacheback` / write `lifetime = 60`: after it a value is refreshed in the background

            fetch_on_stale_threshold = 900
            [fetch_on_stale_threshold] `fetch_on_stale_threshold` is not an option of `cacheback` / write `max_stale = ..`, counted from the end of the lifetime and not from the fetch / (900 after a lifetime of 600 is `lifetime = 600, max_stale = 300`)

            stale_if_error = 3600
            [stale_if_error] `stale_if_error` is not an option of `cacheback` / write `retention = ..`, counted from the fetch: until then a stale value answers when a fetch fails / (3600 after a lifetime of 60 is `lifetime = 60, retention = 3660`)

            result_fallback = true
            [result_fallback] `result_fallback` is not an option of `cacheback` / write `lifetime = .., max_stale = 0, fetch_on_miss`, and no `retention` of the same length / (a call waits for a new value, and gets the old one if the fetch fails)

            result = true
            [result] `result` is not an option of `cacheback` / not needed: `Err` is never cached / leave it out

            result = false
            [result] `result` is not an option of `cacheback` / write `cache_err = ..`: how long an `Err` answers callers who wait while there is no value

            option = false
            [option] `option` is not an option of `cacheback` / not needed: `None` is a value and is cached / leave it out

            cache_none = true
            [cache_none] `cache_none` is not an option of `cacheback` / not needed: `None` is a value and is cached / leave it out, or write `lifetime_for = |value| ..` to keep it for a shorter time

            cache_none = false
            [cache_none] `cache_none` is not an option of `cacheback` / write `lifetime_for = |value| if value.is_some() { .. } else { Duration::ZERO }`: / `None` is a value and is cached, unless its lifetime is zero

            once
            [once] `once` is not an option of `cacheback` / write `key = ()`: one entry for all arguments

            with_cached_flag = true
            [with_cached_flag] `with_cached_flag` is not an option of `cacheback` / leave it out, and call `entry(..).lookup()`: its `status` says whether the value was cached

            force_refresh = { id == 0 }
            [force_refresh] `force_refresh` is not an option of `cacheback` / leave it out, and call `entry(..).refresh()` for a new value, or `entry(..).remove()` before the call

            ty = "UnboundCache<u64, u64>"
            [ty] `ty` is not an option of `cacheback` / there is one kind of store: leave it out / (`capacity` or `max_bytes`, and `eviction`, say what it keeps)

            create = "{ Cache::new() }"
            [create] `create` is not an option of `cacheback` / there is one kind of store: leave it out / (`capacity` or `max_bytes`, and `eviction`, say what it keeps)

            unbound
            [unbound] `unbound` is not an option of `cacheback` / every cache has a bound / write `capacity = ..`, as large as you like

            disk = true
            [disk] `disk` is not an option of `cacheback` / every value is in the memory of the process, and with `shared` in a second tier too / write `shared` in its place, or leave it out

            redis = true
            [redis] `redis` is not an option of `cacheback` / every value is in the memory of the process, and with `shared` in a second tier too / write `shared` in its place, or leave it out

            ty = "AsyncRedisCache<u64, u64>"
            [ty] `ty` is not an option of `cacheback` / every value is in the memory of the process, and with `shared` in a second tier too / write `shared` in its place, or leave it out

            create = { DiskCacheBuilder::new("users").build() }
            [create] `create` is not an option of `cacheback` / every value is in the memory of the process, and with `shared` in a second tier too / write `shared` in its place, or leave it out

            map_error = |e| e
            [map_error] `map_error` is not an option of `cacheback` / not needed: no call fails because of its cache, be it `shared` or not / leave it out (`share_err = |error| ..` is another thing: it hands one error to several callers)

            unsync_reads = true
            [unsync_reads] `unsync_reads` is not an option of `cacheback` / not needed: reads take no lock / leave it out

            cache_alias = "users"
            [cache_alias] `cache_alias` is not an option of `cacheback` / write `shared = ".."` for a second tier of that name, `name = ".."` for logs and metrics, or `handle = ..` for another name of the handle

            companions_vis = "pub"
            [companions_vis] `companions_vis` is not an option of `cacheback` / not needed: the handle is as visible as the function / leave it out, or write `handle = false` for none

            creat = crate::cacheback
            [creat] unknown option `creat` / the options are (all)
        "#]],
    );
}

#[test]
fn every_advice_names_options_that_exist() {
    // What stands behind "write" in a message is tried by those who read it.
    let names = [
        "fresh_for",
        "grace",
        "keep",
        "refresh_before",
        "size",
        "max_memory",
        "weigher",
        "key_by",
        "fallback",
        "backoff",
        "circuit_breaker",
        "map_err",
    ];
    for name in names {
        let advice = foreign::advice(name, Some("1")).unwrap_or_default();
        let option = advice.trim_start_matches("write `").split(' ').next().unwrap_or_default();
        assert!(TABLE.iter().any(|row| row.name == option), "{name}: {advice}");
        assert!(advice.ends_with(" = 1`"), "{name}: {advice}");
    }
    let time = foreign::advice("time", Some("60")).unwrap_or_default();
    let twin = time.split('`').nth(1).unwrap_or_default();
    let (_, errors) = options(twin);
    assert_eq!((twin, errors.as_str()), ("lifetime = 60, retention = 60, fetch_on_miss", ""));
}

#[test]
fn forms_that_are_none() {
    let cases = [
        "600",
        "\"10m\"",
        "lifetime",
        "lifetime = ",
        "lifetime = , wait = 5",
        "lifetime(600)",
        "lifetime: 600",
        "lifetime == 600",
        "lifetime = 600 wait = 5",
        "lifetime = 600; wait = 5",
        ", lifetime = 600",
        "lifetime = 600,, wait = 5",
        "empty = [1, 2 + ], ttl = 5",
        "empty = let, ttl = 5",
        "lifetime = 600, lifetime = 500, lifetime = 400",
        "a::b = 5",
    ];
    refused(
        &cases,
        &expect![[r#"
            600
            [600] options have names / write `lifetime = 600`

            "10m"
            ["10m"] options have names / write `lifetime = "10m"`

            lifetime
            [lifetime] `lifetime` has no value / write `lifetime = ..`

            lifetime = 
            [=] `lifetime` has no value / write `lifetime = ..`

            lifetime = , wait = 5
            [=] `lifetime` has no value / write `lifetime = ..`

            lifetime(600)
            [lifetime] `lifetime` takes its value after `=` / write `lifetime = 600`

            lifetime: 600
            [:] an option takes its value after `=` / write `lifetime = ..`

            lifetime == 600
            [=] expected an expression

            lifetime = 600 wait = 5
            [wait] expected `,` between two options, or `=` before a value

            lifetime = 600; wait = 5
            [;] expected `,` between two options, or `=` before a value

            , lifetime = 600
            [,] expected an option / write for example `lifetime = 600`

            lifetime = 600,, wait = 5
            [,] expected an option / write for example `lifetime = 600`

            empty = [1, 2 + ], ttl = 5
            []] unexpected end of input, expected an expression
            [ttl] `ttl` is not an option of `cacheback` / write `lifetime = 5, retention = 5, fetch_on_miss` for the same behaviour / (`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)

            empty = let, ttl = 5
            [,] expected one of: identifier, `::`, `<`, `_`, literal, `const`, `ref`, `mut`, `&`, parentheses, square brackets, `..`, `const`
            [ttl] `ttl` is not an option of `cacheback` / write `lifetime = 5, retention = 5, fetch_on_miss` for the same behaviour / (`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)

            lifetime = 600, lifetime = 500, lifetime = 400
            [lifetime] `lifetime` is given twice / remove one of them
            [lifetime] `lifetime` is given twice / remove one of them

            a::b = 5
            [:] an option takes its value after `=` / write `a = ..`
            [b] unknown option `b` / the options are (all)
        "#]],
    );
}

#[test]
fn all_errors_of_an_attribute_are_reported() {
    refused(
        &["ttl = 5, lifetime = -1, key = (user, nobody), capacity, skip(usr, limit, limit), 600"],
        &expect![[r#"
            ttl = 5, lifetime = -1, key = (user, nobody), capacity, skip(usr, limit, limit), 600
            [ttl] `ttl` is not an option of `cacheback` / write `lifetime = 5, retention = 5, fetch_on_miss` for the same behaviour / (`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)
            [-1] a duration cannot be negative / write `lifetime = 600` or `lifetime = "10m"`
            [capacity] `capacity` has no value / write `capacity = ..`
            [600] options have names / write `lifetime = 600`
            [usr] there is no argument `usr` / did you mean `user`?
            [limit] `limit` is skipped twice / remove one of them
        "#]],
    );
}
