//! The `# Caching` section of the function's docs.

use quote::ToTokens;
use syn::{Expr, Type};

use super::companion::Companion;
use super::empty::always_waits;
use crate::error::text::{duration, readable};
use crate::function::shape;
use crate::function::signature::{Argument, Function};
use crate::options::{Given, Options, Value, default_duration};

/// An expression that is longer than this is not quoted.
const SHORT: usize = 40;

/// The section, as the rest of a doc comment that has something above it.
pub(super) fn section(options: &Options, companion: &Companion, function: &Function) -> String {
    let handles = Handles::of(companion, &function.arguments);
    let mut text = format!("Answered from a cache: {}", lifetime(options));
    text.push(' ');
    text.push_str(&on_a_miss(options, function.output.as_ref(), handles.as_ref()));
    if let Some(Handles { entry, cache }) = handles {
        text.push_str(&format!(
            " `{entry}` takes the same arguments and reaches their entry, `{cache}` the whole cache."
        ));
    }
    // One space, as `///` leaves it, so that rustdoc finds all lines indented alike.
    format!("\n # Caching\n\n {text}\n")
}

/// How a caller reaches an entry and the cache.
struct Handles {
    entry: String,
    cache: String,
}

impl Handles {
    fn of(companion: &Companion, arguments: &[Argument]) -> Option<Self> {
        match companion {
            Companion::Type(companion) => Some(Self {
                entry: format!("{companion}::entry(..)"),
                cache: format!("{companion}::cache()"),
            }),
            Companion::Methods(methods) => {
                let receiver = if arguments.iter().any(Argument::is_receiver) { "self." } else { "Self::" };
                Some(Self {
                    entry: format!("{receiver}{}(..)", methods.entry),
                    cache: format!("Self::{}()", methods.cache),
                })
            }
            Companion::Nothing => None,
        }
    }
}

fn lifetime(options: &Options) -> String {
    let fixed = match &options.lifetime {
        None => default_duration("lifetime"),
        Some(Given { value, .. }) => value.fixed(),
    };
    match fixed {
        Some(lifetime) => {
            format!(
                "a value is fresh for {}, and after that it is refreshed in the background.",
                duration(lifetime)
            )
        }
        None => "a value that is no longer fresh is refreshed in the background.".to_owned(),
    }
}

/// The sentences about a call while nothing is cached: its answer, and how to tell it from a real one.
fn on_a_miss(options: &Options, output: Option<&Type>, handles: Option<&Handles>) -> String {
    if always_waits(options) {
        return "While nothing is cached, a call waits for the value.".to_owned();
    }
    let empty = match &options.empty {
        Some(Given { value, .. }) => written(value),
        None => default_of(output),
    };
    let does = match (&options.fetch_on_miss, options.wait.is_some()) {
        (Some(Given { value: Value::Fixed(true, _), .. }), _) => {
            format!("waits for the value, and gets {empty} when `wait` runs out.")
        }
        (Some(Given { value: Value::Computed(_), .. }), false) => {
            format!("waits for the value or gets {empty} at once, as its arguments say.")
        }
        (Some(Given { value: Value::Computed(_), .. }), true) => {
            format!("gets {empty}, at once or when `wait` runs out, as its arguments say.")
        }
        _ => format!("gets {empty} at once, not the value."),
    };
    let tells = match handles {
        Some(Handles { entry, .. }) => {
            format!(
                "To tell that from a value, call `{entry}.lookup().await`: its `status` is then `Status::Empty`."
            )
        }
        None => "A caller cannot tell that from a value.".to_owned(),
    };
    format!("While nothing is cached, a call {does} {tells}")
}

/// The expression of `empty = ..` in words.
fn written(expr: &Expr) -> String {
    let text = readable(expr);
    if text.len() <= SHORT && !text.contains(['\n', '`']) {
        format!("`{text}`")
    } else {
        "what its option `empty` gives".to_owned()
    }
}

/// The default of a return type, in `Ok` for a `Result`.
fn default_of(output: Option<&Type>) -> String {
    let Some(ty) = output else { return "`()`".to_owned() };
    match literal(ty) {
        Some(literal) => format!("`{literal}`"),
        None => match shape::peel(ty) {
            Type::Path(path) if shape::last_segment(path).is_some_and(|last| last.ident == "Result") => {
                "`Ok(Default::default())`".to_owned()
            }
            _ => format!("the default of `{}`", readable(&ty.to_token_stream())),
        },
    }
}

/// The default of a well-known type as it is written.
fn literal(ty: &Type) -> Option<String> {
    let path = match shape::peel(ty) {
        Type::Path(path) => path,
        Type::Tuple(tuple) if tuple.elems.is_empty() => return Some("()".to_owned()),
        _ => return None,
    };
    let last = shape::last_segment(path)?;
    let text = match (last.ident.to_string().as_str(), &shape::type_arguments(last)[..]) {
        ("Option", [_]) => "None",
        ("Vec", [_]) => "vec![]",
        ("String", []) => "\"\"",
        ("bool", []) => "false",
        ("f32" | "f64", []) => "0.0",
        (
            "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize",
            [],
        ) => "0",
        ("Result", [value, ..]) => return Some(format!("Ok({})", literal(value)?)),
        _ => return None,
    };
    Some(text.to_owned())
}
