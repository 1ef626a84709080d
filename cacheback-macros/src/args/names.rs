//! The names of the options, and what to say to a name that is none.

use syn::Ident;
use syn::ext::IdentExt;

/// The options of the attribute.
pub(crate) const OPTIONS: &[&str] = &[
    "lifetime",
    "max_stale",
    "retention",
    "refresh_ahead",
    "fetch_on_miss",
    "empty",
    "wait",
    "refresh_timeout",
    "max_backoff",
    "breaker",
    "max_refreshes",
    "lifetime_for",
    "retention_for",
    "cache_err",
    "share_err",
    "is_outage",
    "jitter",
    "key",
    "skip",
    "capacity",
    "max_bytes",
    "weigh",
    "eviction",
    "name",
    "in_impl",
    "handle",
    "version",
    "shared",
    "tags",
    "crate",
];

/// Those that do nothing yet.
const RESERVED: &[&str] = &["version", "shared", "tags"];

/// What to tell the user of an option that we do not have.
pub(super) fn unknown(name: &Ident) -> String {
    let text = name.unraw().to_string();
    if let Some(advice) = foreign(&text) {
        return format!("`{text}` is not an option of `cacheback`\n{advice}");
    }
    match nearest(&text, OPTIONS.iter().copied()) {
        Some(near) => format!("unknown option `{text}`\ndid you mean `{near}`?"),
        None => format!(
            "unknown option `{text}`\nthe options are {}",
            listed(OPTIONS.iter().copied().filter(|name| !RESERVED.contains(name)))
        ),
    }
}

/// The candidate that a typing error away from `text`.
pub(crate) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let errors = |candidate: &str| strsim::damerau_levenshtein(text, candidate);
    let (distance, near) = candidates.map(|candidate| (errors(candidate), candidate)).min()?;
    // A third of the letters may be wrong, or one.
    (distance <= (text.len() / 3).max(1)).then_some(near)
}

/// `a`, `b`, `c`, each in backticks.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What the options of other caches are called here.
fn foreign(name: &str) -> Option<String> {
    let ours = match name {
        "ttl" | "ttl_secs" | "ttl_millis" | "time" | "time_to_live" | "expire_after" | "expires"
        | "cache_ttl" | "fresh_for" | "max_age" => "lifetime",
        "size" | "max_size" | "max_entries" | "limit" => "capacity",
        "max_memory" | "max_weight" | "memory" | "bytes" => "max_bytes",
        "weigher" | "weight" => "weigh",
        "eviction_policy" | "policy" => "eviction",
        "fetch_on_stale_threshold"
        | "grace"
        | "swr"
        | "stale_while_revalidate"
        | "stale_if_error"
        | "max_age_stale" => "max_stale",
        "convert" | "key_by" | "cache_key" => "key",
        "refresh" | "refresh_before" | "refresh_after" => "refresh_ahead",
        "ignore" | "skip_args" | "exclude" => "skip",
        "default" | "fallback" => "empty",
        "backoff" => "max_backoff",
        "circuit_breaker" => "breaker",
        "keep" | "ttl_hard" | "tti" => "retention",
        "map_error" | "map_err" | "clone_err" | "clone_error" => "share_err",
        "sync_writes" => {
            return Some(
                "not needed: callers of one key always share one fetch; \
                 write `fetch_on_miss` if they should wait for it"
                    .to_owned(),
            );
        }
        "result" | "option" => {
            return Some(
                "not needed: `Err` is never cached (see `cache_err`), for `None` see `lifetime_for`"
                    .to_owned(),
            );
        }
        "max_capacity" => {
            return Some("write `capacity = ..` (entries), or `max_bytes = ..` and `weigh = ..`".to_owned());
        }
        "timeout" => {
            return Some(
                "write `refresh_timeout` (how long a fetch holds its key) or `wait` (how long a caller waits)"
                    .to_owned(),
            );
        }
        _ => return None,
    };
    let form = if ours == "skip" { "skip(..)".to_owned() } else { format!("{ours} = ..") };
    Some(format!("write `{form}`"))
}
