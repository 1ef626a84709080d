//! The names of the options, and what to say to a name that is none.

use syn::Ident;
use syn::ext::IdentExt;

use super::foreign;
use crate::error::text::{listed, nearest};

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
    "crate",
];

/// Options that are planned, and what there is in this version without them.
const PLANNED: &[(&str, &str)] = &[
    ("shared", "leave it out: values are kept in the memory of this process"),
    ("queue", "leave it out: refreshes run in this process"),
    (
        "tags",
        "leave it out: `entry(..).invalidate()` is for one entry, `cache().clear()` for all of a function",
    ),
    ("version", "leave it out: it is about shared entries, and there are none that outlive the process"),
    ("batch", "leave it out: each call is one entry"),
];

/// What to tell the user of an option that we do not have. `value` is its value as it was written.
pub(super) fn unknown(name: &Ident, value: Option<&str>) -> String {
    let text = name.unraw().to_string();
    if let Some((_, instead)) = PLANNED.iter().find(|(planned, _)| *planned == text) {
        return format!("`{text}` is planned, and not available in this version\n{instead}");
    }
    if let Some(advice) = foreign::advice(&text, value) {
        return format!("`{text}` is not an option of `cacheback`\n{advice}");
    }
    match nearest(&text, OPTIONS.iter().copied()) {
        Some(near) => format!("unknown option `{text}`\ndid you mean `{near}`?"),
        None => format!("unknown option `{text}`\nthe options are {}", listed(OPTIONS.iter().copied())),
    }
}
