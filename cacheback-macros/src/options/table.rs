//! The options of the attribute, one row each. The parsed options, their readers, the list in "did you mean", and what an
//! option sets are made from this table; the pages that describe the options and the builder are checked against it.

#[cfg(test)]
mod tests;

use std::time::Duration;

use syn::ext::IdentExt;
use syn::{Expr, Ident, LitStr, Path};

use super::raw::Form;
use super::read;
use super::value::{AnyValue, Eviction, Handle, IntoAny, Value};
use Field::{Optional, Plain};
use Kind::{Closure, Constant, Generation, PerCall, PerFetch, Special};
use Returns::{AsWritten, Bytes, Span};

/// One option.
pub(crate) struct Row {
    /// Its name in the attribute: also the name of the field of the policy, or of the method of the site, that it sets.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Its default, in the words of the guide.
    default: &'static str,
}

/// The thing that an option sets, and when its value is known.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The policy's field, for all entries: an expression in it uses no argument.
    Constant(Field),
    /// The policy's field. An expression is evaluated for each fetch and each write.
    PerFetch(Field),
    /// The policy's field. An expression is evaluated for each call that may wait, by the method of the site.
    PerCall(Field),
    /// The site's method, with a closure over a value or an error.
    Closure(Returns),
    /// A thing of its own, which the plan reads.
    Special,
    /// Nothing of the cache: it is about what is generated, and a builder has no such option.
    Generation,
}

/// How the policy's field holds a value.
#[derive(Clone, Copy)]
pub(crate) enum Field {
    Plain,
    /// In an `Option`: without the option there is none.
    Optional,
}

/// The return type of a closure.
#[derive(Clone, Copy)]
pub(crate) enum Returns {
    /// A duration; for anything else the error says what to write.
    Span,
    /// Any unsigned integer.
    Bytes,
    /// The type that its method takes.
    AsWritten,
}

/// An option as the user gave it.
#[derive(Clone)]
pub(crate) struct Given<T> {
    /// The option's name, where errors about it belong.
    pub(crate) name: Ident,
    pub(crate) value: T,
}

macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

macro_rules! table {
    ($($field:ident $($name:literal)?: $value:ty, $read:expr, $kind:expr, $default:literal;)*) => {
        /// All options, in the order of the reference page.
        pub(crate) const TABLE: &[Row] =
            &[$(Row { name: name!($field $($name)?), kind: $kind, default: $default }),*];

        /// Every option that the user wrote.
        #[derive(Default)]
        pub(crate) struct Options {
            $(pub(crate) $field: Option<Given<$value>>,)*
            /// Some option could not be read: an option that is absent here may have been meant by it.
            pub(crate) incomplete: bool,
            /// The names of those, if they have one.
            pub(super) unread: Vec<Option<String>>,
        }

        impl Options {
            /// Reads the value of the option `name`. `None`: there is no such option.
            pub(super) fn read(&mut self, name: &Ident, form: Form) -> Option<syn::Result<()>> {
                let text = name.unraw().to_string();
                $(if text == name!($field $($name)?) {
                    let read: fn(&Ident, Form) -> syn::Result<$value> = $read;
                    let given = |value| self.$field = Some(Given { name: name.clone(), value });
                    return Some(read(name, form).map(given));
                })*
                None
            }

            /// The options that were written, in the order of the table, with those values that can be written down
            /// without looking at them.
            pub(crate) fn written(&self) -> impl Iterator<Item = (&'static Row, &Ident, AnyValue)> {
                let values = [$(self.$field.as_ref().map(|given| (&given.name, given.value.to_any()))),*];
                let written = |(row, value): (_, Option<(_, Option<_>)>)| {
                    value.and_then(|(name, value)| Some((row, name, value?)))
                };
                TABLE.iter().zip(values).filter_map(written)
            }
        }
    };
}

table! {
    // option           its value        read by              what it sets         default
    lifetime:          Value<Duration>,  read::duration,        PerFetch(Plain),      "600 s";
    max_stale:         Value<Duration>,  read::duration,        PerFetch(Optional),   "until `retention`";
    retention:         Value<Duration>,  read::duration,        PerFetch(Plain),      "30 days";
    refresh_ahead:     Value<Duration>,  read::duration,        PerFetch(Plain),      "0";
    fetch_on_miss:     Value<bool>,      read::switch,          PerCall(Plain),       "off";
    empty:             Expr,             read::expr,            Special,              "`Default::default()`, in `Ok` for a `Result`";
    wait:              Value<Duration>,  read::duration,        PerCall(Optional),    "no limit";
    refresh_timeout:   Value<Duration>,  read::duration,        PerFetch(Plain),      "60 s";
    max_backoff:       Value<Duration>,  read::duration,        PerFetch(Plain),      "60 s";
    breaker:           Value<bool>,      read::boolean,         Constant(Plain),      "`true`";
    max_refreshes:     Value<u64>,       read::positive,        Constant(Optional),   "64, with all functions";
    lifetime_for:      Expr,             read::span_of_value,   Closure(Span),        "none";
    retention_for:     Expr,             read::span_of_value,   Closure(Span),        "none";
    cache_err:         Value<Duration>,  read::duration,        PerFetch(Optional),   "off";
    share_err:         Expr,             read::copy_of_error,   Closure(AsWritten),   "none";
    is_outage:         Expr,             read::test_of_error,   Closure(AsWritten),   "every error is one";
    jitter:            Value<f64>,       read::fraction,        Constant(Plain),      "0";
    key:               Expr,             read::expr,            Generation,           "all arguments not skipped";
    skip:              Vec<Ident>,       read::arguments,       Generation,           "none";
    capacity:          Value<u64>,       read::count,           Constant(Plain),      "10,000";
    max_bytes:         Value<u64>,       read::bytes,           Constant(Optional),   "none";
    weigh:             Expr,             read::bytes_of_value,  Closure(Bytes),       "none";
    eviction:          Value<Eviction>,  read::eviction,        Constant(Plain),      "`\"lru\"`";
    shared:            Option<LitStr>,   read::shared,          Special,              "off";
    version:           Value<u64>,       read::count,           Special,              "0";
    queue:             Option<LitStr>,   read::queue,           Special,              "off";
    queue_fallback:    Value<bool>,      read::boolean,         Constant(Plain),      "`true`";
    name:              LitStr,           read::text,            Special,              "path of the function";
    in_impl:           (),               read::flag,            Generation,           "seen by a receiver or `Self`";
    handle:            Handle,           read::handle,          Generation,           "name of the function";
    krate "crate":     Path,             read::path,            Generation,           "`::cacheback`";
}

/// The default of an option of time that has one.
pub(crate) fn default_duration(name: &str) -> Option<Duration> {
    let row = TABLE.iter().find(|row| row.name == name)?;
    humantime::parse_duration(row.default).ok()
}
