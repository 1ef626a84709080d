//! How tokens, names and durations are shown in a message.

use std::time::Duration;

use quote::ToTokens;

/// Tokens as a user would write them, near enough for a message.
pub(crate) fn readable(tokens: &impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let mut text = text.replace(" :: ", "::").replace(":: ", "::").replace(" . ", ".");
    let tight = ["& ", "* ", "< ", " <", " >", " ,", " ;", " ()", "fn (", "Fn (", " ! [", " ! ("];
    for wide in tight {
        text = text.replace(wide, &wide.replace(' ', ""));
    }
    text
}

/// A duration in its largest whole unit, as a user would have written it.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration.subsec_nanos() != 0 {
        return humantime::format_duration(duration).to_string();
    }
    match [(24 * 60 * 60, "days"), (60 * 60, "h"), (60, "min")].iter().find(|(unit, _)| seconds % unit == 0) {
        Some((unit, name)) if seconds > 0 => format!("{} {name}", seconds / unit),
        _ => format!("{seconds} s"),
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
