//! The `# Caching` section of the function's docs.

use std::time::Duration;

use super::{Companion, always_waits, duration};
use crate::args::{Condition, Given, Options, Value};
use crate::signature::Argument;

/// The section, as the rest of a doc comment that has something above it.
pub(super) fn section(options: &Options, companion: &Companion, arguments: &[Argument]) -> String {
    let mut text = format!("Answered from a cache: {}", lifetime(options));
    text.push(' ');
    text.push_str(on_a_miss(options));
    let handles = match companion {
        Companion::Type(companion) => {
            Some((format!("{companion}::entry(..)"), format!("{companion}::cache()")))
        }
        Companion::Methods(methods) => {
            let receiver = if arguments.iter().any(Argument::is_receiver) { "self." } else { "Self::" };
            Some((format!("{receiver}{}(..)", methods.entry), format!("Self::{}()", methods.cache)))
        }
        Companion::Nothing => None,
    };
    if let Some((entry, cache)) = handles {
        text.push_str(&format!(
            " `{entry}` takes the same arguments and reaches their entry, `{cache}` the whole cache."
        ));
    }
    // One space, as `///` leaves it, so that rustdoc finds all lines indented alike.
    format!("\n # Caching\n\n {text}\n")
}

fn lifetime(options: &Options) -> String {
    let fixed = match &options.lifetime {
        None => Some(Duration::from_secs(600)),
        Some(Given { value, .. }) => value.fixed(),
    };
    match (&options.lifetime, fixed) {
        (_, Some(lifetime)) => {
            let lifetime = duration(lifetime);
            format!("a value is fresh for {lifetime}, after that it is refreshed behind the callers' backs.")
        }
        (Some(Given { value: Value::Computed(_), .. }), None) | (_, None) => {
            "a value that is no longer fresh is refreshed behind the callers' backs.".to_owned()
        }
    }
}

fn on_a_miss(options: &Options) -> &'static str {
    match (&options.fetch_on_miss, &options.empty) {
        _ if always_waits(options) => "While nothing is cached, a call waits for the value.",
        (Some(Given { value: Condition::Always(_), .. }), _) => {
            "While nothing is cached, a call waits for the value, for a limited time."
        }
        (Some(Given { value: Condition::When(_), .. }), _) => {
            "While nothing is cached, a call waits for the value or gets an empty one, as its arguments say."
        }
        (_, Some(_)) => "While nothing is cached, a call gets a placeholder at once, not the value.",
        (_, None) => "While nothing is cached, a call gets the empty (default) value at once.",
    }
}
