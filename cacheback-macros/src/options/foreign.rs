//! Options of other caches, and what to write instead: the exact equivalent if there is one, else a sentence that says why
//! there is none.

/// Other names of an option whose value means the same here.
const RENAMED: &[(&str, &[&str])] = &[
    ("lifetime", &["fresh_for", "max_age", "soft_ttl"]),
    ("max_stale", &["grace", "swr", "stale_while_revalidate", "max_age_stale"]),
    ("retention", &["keep", "ttl_hard", "hard_ttl", "cache_ttl"]),
    ("refresh_ahead", &["refresh_before"]),
    ("capacity", &["size", "max_size", "max_entries", "limit"]),
    ("max_bytes", &["max_memory", "max_weight", "memory", "bytes"]),
    ("weigh", &["weigher", "weight"]),
    ("key", &["key_by", "cache_key"]),
    ("empty", &["default", "fallback"]),
    ("max_backoff", &["backoff"]),
    ("breaker", &["circuit_breaker"]),
    ("share_err", &["map_err", "clone_err", "clone_error"]),
];

/// For those who keep their values outside of the process.
const SHARED: &str = "every value is in the memory of the process, and with `shared` in a second tier too\n\
                      write `shared` in its place, or leave it out";

/// What to write in place of the option `name`, if it is one of another cache. `value` is its value as it was written.
pub(super) fn advice(name: &str, value: Option<&str>) -> Option<String> {
    if let Some((ours, _)) = RENAMED.iter().find(|(_, names)| names.contains(&name)) {
        return Some(format!("write `{ours} = {}`", shown(name, value)));
    }
    let is = |text| value == Some(text);
    let sentence = match name {
        "ttl" | "ttl_secs" | "ttl_millis" | "time" | "time_to_live" | "expire_after_write" => {
            let time = shown(name, value);
            return Some(format!(
                "write `lifetime = {time}, retention = {time}, fetch_on_miss` for the same behaviour\n\
                 (`lifetime` alone: an older value is served while it is refreshed, and the empty one if there is none)"
            ));
        }
        "expires" | "expire_after" | "expiry" => {
            "write `lifetime_for = |value| ..`: how long this value is fresh\n\
             (and `retention_for = |value| ..` if it must not be served after that, such as a token)"
        }
        "time_to_idle" | "tti" => {
            "there is none, since a value that is in use grows old too: leave it out\n\
             (unused entries make room when there are more than `capacity`, and are gone after `retention`)"
        }
        "refresh" if !is("true") && !is("false") => {
            return Some(format!("write `refresh_ahead = {}`", shown(name, value)));
        }
        "time_refresh" | "refresh" => {
            "there is none, since a value that is in use grows old too: leave it out\n\
             (`refresh_ahead = ..` fetches an entry in use before its lifetime ends)"
        }
        "refresh_after" | "refresh_after_write" => {
            return Some(format!(
                "write `lifetime = {}`: after it a value is refreshed in the background",
                shown(name, value)
            ));
        }
        "fetch_on_stale_threshold" => {
            "write `max_stale = ..`, counted from the end of the lifetime and not from the fetch\n\
             (900 after a lifetime of 600 is `lifetime = 600, max_stale = 300`)"
        }
        "stale_if_error" => {
            "write `retention = ..`, counted from the fetch: until then a stale value answers when a fetch fails\n\
             (3600 after a lifetime of 60 is `lifetime = 60, retention = 3660`)"
        }
        "result_fallback" => {
            "write `lifetime = .., max_stale = 0, fetch_on_miss`, and no `retention` of the same length\n\
             (a call waits for a new value, and gets the old one if the fetch fails)"
        }
        "result" | "cache_result" if is("false") => {
            "write `cache_err = ..`: how long an `Err` answers callers who wait while there is no value"
        }
        "result" | "cache_result" => "not needed: `Err` is never cached\nleave it out",
        "option" if is("false") => "not needed: `None` is a value and is cached\nleave it out",
        "cache_none" if !is("false") => {
            "not needed: `None` is a value and is cached\n\
             leave it out, or write `lifetime_for = |value| ..` to keep it for a shorter time"
        }
        "option" | "cache_none" => {
            "write `lifetime_for = |value| if value.is_some() { .. } else { Duration::ZERO }`:\n\
             `None` is a value and is cached, unless its lifetime is zero"
        }
        "eviction_policy" | "policy" => "write `eviction = \"lru\"` or `eviction = \"tiny_lfu\"`",
        "once" => "write `key = ()`: one entry for all arguments",
        "convert" => return Some(format!("write `key = {}`", converted(value))),
        "with_cached_flag" => {
            "leave it out, and call `entry(..).lookup()`: its `status` says whether the value was cached"
        }
        "force_refresh" => {
            "leave it out, and call `entry(..).refresh()` for a new value, or `entry(..).remove()` before the call"
        }
        "ty" | "create" | "store" | "cache_type" if value.is_some_and(is_elsewhere) => SHARED,
        "ty" | "create" | "store" | "cache_type" => {
            "there is one kind of store: leave it out\n\
             (`capacity` or `max_bytes`, and `eviction`, say what it keeps)"
        }
        "unbound" | "unbounded" => "every cache has a bound\nwrite `capacity = ..`, as large as you like",
        "disk" | "disk_dir" | "durable" | "sync_to_disk_on_cache_change" | "redis" | "cache_prefix_block" => {
            SHARED
        }
        "map_error" => {
            "not needed: no call fails because of its cache, be it `shared` or not\n\
             leave it out (`share_err = |error| ..` is another thing: it hands one error to several callers)"
        }
        "sync_writes" | "sync_lock" | "sync_writes_buckets" | "dedup" | "single_flight" | "coalesce" => {
            "not needed: callers of one key always share one fetch\n\
             leave it out, and write `fetch_on_miss` if they should wait for it"
        }
        "unsync_reads" | "shards" | "num_shards" => "not needed: reads take no lock\nleave it out",
        "companions" | "companions_vis" => {
            "not needed: the handle is as visible as the function\nleave it out, or write `handle = false` for none"
        }
        "cache_alias" => {
            "write `shared = \"..\"` for a second tier of that name, `name = \"..\"` for logs and metrics, or \
             `handle = ..` for another name of the handle"
        }
        "ignore" | "skip_args" | "exclude" => "write `skip(..)`",
        "max_capacity" => "write `capacity = ..` (entries), or `max_bytes = ..` and `weigh = ..`",
        "timeout" => {
            "write `refresh_timeout` (how long a fetch holds its key) or `wait` (how long a caller waits)"
        }
        _ => return None,
    };
    Some(sentence.to_owned())
}

/// Whether a store of this type, as it is written, is outside of the process.
fn is_elsewhere(ty: &str) -> bool {
    ["Redis", "Disk"].iter().any(|store| ty.contains(store))
}

/// The value in the form that our option takes.
fn shown(name: &str, value: Option<&str>) -> String {
    match value {
        Some(number) if name == "ttl_millis" && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("\"{number}ms\"")
        }
        Some(value) => value.to_owned(),
        None => "..".to_owned(),
    }
}

/// The expression of `convert`, out of the block and the string that `cached` takes it in.
fn converted(value: Option<&str>) -> String {
    let text = value.unwrap_or("..");
    let code = match syn::parse_str::<syn::LitStr>(text) {
        Ok(code) => code.value(),
        Err(_) => text.to_owned(),
    };
    let code = code.trim();
    let code = code.strip_prefix('{').and_then(|code| code.strip_suffix('}')).unwrap_or(code);
    code.trim().to_owned()
}
