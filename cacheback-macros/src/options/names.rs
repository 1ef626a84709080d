//! The answer to a name that is no option.

use syn::Ident;
use syn::ext::IdentExt;

use super::foreign;
use super::table::TABLE;
use crate::error::text::{listed, nearest};

/// Options that are planned, and what to do without them in this version.
const PLANNED: &[(&str, &str)] = &[
    (
        "tags",
        "leave it out: `entry(..).invalidate()` is for one entry, `cache().clear()` for all of a function",
    ),
    ("batch", "leave it out: each call is one entry"),
];

/// The message for an option that does not exist. `value` is its value as it was written.
pub(super) fn unknown(name: &Ident, value: Option<&str>) -> String {
    let text = name.unraw().to_string();
    if let Some((_, instead)) = PLANNED.iter().find(|(planned, _)| *planned == text) {
        return format!("`{text}` is planned, and not available in this version\n{instead}");
    }
    if let Some(advice) = foreign::advice(&text, value) {
        return format!("`{text}` is not an option of `cacheback`\n{advice}");
    }
    let options = || TABLE.iter().map(|row| row.name);
    match nearest(&text, options()) {
        Some(near) => format!("unknown option `{text}`\ndid you mean `{near}`?"),
        None => format!("unknown option `{text}`\nthe options are {}", listed(options())),
    }
}
