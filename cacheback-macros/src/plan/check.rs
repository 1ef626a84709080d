//! Options that contradict each other. Only literals and defaults can be judged here; the runtime judges
//! the rest once it is known.

pub(super) mod bounds;
pub(super) mod queue;

use std::time::Duration;

use syn::{Ident, Type};

use super::companion::Companion;
use super::empty::always_waits;
use crate::error::Errors;
use crate::error::text::duration;
use crate::function::attrs::Attributes;
use crate::function::place::{Place, Scope};
use crate::function::shape;
use crate::function::signature::Function;
use crate::options::{Eviction, Given, Options, Value, default_duration};

/// Reports every contradiction at the option that the user is most likely to change.
pub(super) fn contradictions(options: &Options, output: Option<&Type>, errors: &mut Errors) {
    let lifetime = Known::of("lifetime", options.lifetime.as_ref(), options);
    let retention = Known::of("retention", options.retention.as_ref(), options);
    if let (Some(lifetime), Some(retention)) = (&lifetime, &retention) {
        check_retention(lifetime, retention, options, errors);
    }
    if let Some(lifetime) = &lifetime {
        check_refresh_ahead(lifetime, options, errors);
    }
    check_zero(&options.refresh_timeout, "no fetch could ever finish", errors);
    check_zero(&options.cache_err, "no error would be kept", errors);
    check_bound(options, errors);
    check_version(options, errors);
    check_empty_after_wait(options, output, errors);

    if let (true, Some(empty)) = (always_waits(options), &options.empty) {
        errors.on(
            &empty.name,
            "`empty` would never be used: with `fetch_on_miss` and no `wait` every caller waits for the fetch\n\
             remove one of the two, or add `wait = \"2s\"` to answer `empty` when it takes longer",
        );
    }
}

/// A body that is inlined into the fetch is no function: an attribute that works on functions cannot be put on it.
pub(super) fn inline(attrs: &Attributes, errors: &mut Errors) {
    for attr in &attrs.body {
        let last = attr.path().segments.last();
        if last.is_some_and(|last| last.ident == "instrument") {
            errors.on(
                attr,
                "with `handle = false` a method's body has no function of its own to instrument\n\
                 put `#[instrument]` on a method that this one calls; a fetch has a span already",
            );
        }
    }
}

/// Whether the items beside the function can stand there. If they cannot, the compiler would report it too, but at more length
/// and without saying what to write.
pub(super) fn fits(
    place: &Place,
    function: &Function,
    companion: &Companion,
    in_impl: bool,
    errors: &mut Errors,
) -> bool {
    let name = &function.sig.ident;
    let message = match (&place.scope, companion) {
        (Scope::Impl { of_a_trait, .. }, Companion::Type(_)) if !in_impl => format!(
            "`{name}` stands in an `impl`, and nothing in its signature says so\nadd `{}` to the attribute",
            if *of_a_trait { "in_impl, handle = false" } else { "in_impl" }
        ),
        (Scope::Impl { of_a_trait: true, .. }, Companion::Methods(_)) => format!(
            "in the `impl` of a trait nothing can stand beside `{name}`\n\
             add `handle = false` to the attribute, or let it call a cached method of the type"
        ),
        (Scope::Trait, Companion::Methods(_)) if function.sig.asyncness.is_some() => format!(
            "in a trait nothing can stand beside `{name}`\n\
             add `handle = false` to the attribute, or annotate the methods of the implementations"
        ),
        (Scope::Impl { borrowing: Some(ty), .. }, _) if in_impl => format!(
            "`{ty}` holds a borrow, and a fetch outlives the call and owns what it uses\n\
             let the type own its data, in an `Arc` where that is not cheap; or cache a free function of what this one needs"
        ),
        (_, Companion::Type(handle)) if place.beside_a_module && handle == name => format!(
            "a module is called `{name}` too, and so is the handle of this function: a type of that name\n\
             add `handle = {name}_cache` to the attribute, or `handle = false` for none"
        ),
        _ => return true,
    };
    errors.on(name, message);
    false
}

/// A duration that is known at compile time.
struct Known<'a> {
    value: Duration,
    /// The option's name, if the user wrote it.
    written: Option<&'a Ident>,
    name: &'static str,
}

impl<'a> Known<'a> {
    fn of(name: &'static str, given: Option<&'a Given<Value<Duration>>>, options: &Options) -> Option<Self> {
        match given {
            Some(given) => Some(Known { value: given.value.fixed()?, written: Some(&given.name), name }),
            // With an unreadable option about, this one may have been meant by it.
            None if options.incomplete => None,
            None => Some(Known { value: default_duration(name)?, written: None, name }),
        }
    }

    /// `lifetime` (10 min), or `lifetime` (10 min by default).
    fn shown(&self) -> String {
        let by_default = if self.written.is_some() { "" } else { " by default" };
        format!("`{}` ({}{by_default})", self.name, duration(self.value))
    }

    /// What to do about this one.
    fn advice(&self, verb: &str) -> String {
        if self.written.is_some() {
            format!("{verb} `{}`", self.name)
        } else {
            format!("set `{}` too", self.name)
        }
    }
}

fn check_retention(lifetime: &Known, retention: &Known, options: &Options, errors: &mut Errors) {
    if retention.value < lifetime.value {
        let Some(at) = retention.written.or(lifetime.written) else { return };
        let advice = match (lifetime.written, retention.written) {
            (Some(_), _) => retention.advice("raise"),
            (None, _) => lifetime.advice("lower"),
        };
        errors.on(
            at,
            format_args!(
                "{} is shorter than {}: entries would be gone before they are stale\n{advice}",
                retention.shown(),
                lifetime.shown(),
            ),
        );
        return;
    }
    let Some(Given { name, value: Value::Fixed(max_stale, _) }) = &options.max_stale else { return };
    if lifetime.value.saturating_add(*max_stale) > retention.value {
        errors.on(
            name,
            format_args!(
                "`max_stale` ({}) after {} is longer than {}\n\
                 lower `max_stale`, leave it out (stale until `retention`), or {}",
                duration(*max_stale),
                lifetime.shown(),
                retention.shown(),
                retention.advice("raise"),
            ),
        );
    }
}

fn check_refresh_ahead(lifetime: &Known, options: &Options, errors: &mut Errors) {
    let Some(Given { name, value: Value::Fixed(ahead, _) }) = &options.refresh_ahead else { return };
    if !ahead.is_zero() && *ahead >= lifetime.value {
        errors.on(
            name,
            format_args!(
                "`refresh_ahead` ({}) covers all of {}: every hit would start a refresh\n\
                 lower `refresh_ahead`, or {}",
                duration(*ahead),
                lifetime.shown(),
                lifetime.advice("raise"),
            ),
        );
    }
}

fn check_zero(given: &Option<Given<Value<Duration>>>, why: &str, errors: &mut Errors) {
    let Some(Given { name, value: Value::Fixed(duration, span) }) = given else { return };
    if duration.is_zero() {
        errors.at(*span, format_args!("with `{name} = 0` {why}\nwrite a longer time, or leave `{name}` out"));
    }
}

/// `fetch_on_miss` says that the default would be wrong, yet a call whose `wait` runs out needs some empty value: the user has
/// to write it.
fn check_empty_after_wait(options: &Options, output: Option<&Type>, errors: &mut Errors) {
    let waits =
        options.fetch_on_miss.as_ref().is_some_and(|given| !matches!(given.value, Value::Fixed(false, _)));
    let Some(wait) = options.wait.as_ref().filter(|_| waits && options.empty.is_none()) else { return };
    // With an unreadable option about, `empty` may have been meant by it.
    if options.incomplete {
        return;
    }
    let path =
        output.map(shape::peel).and_then(|ty| if let Type::Path(path) = ty { Some(path) } else { None });
    let advice = match path.and_then(shape::last_segment).map(|last| last.ident.to_string()).as_deref() {
        Some("Result") => {
            "`empty = Err(..)` for an error that says so, or `empty = Ok(..)` for a value that callers take for real"
        }
        Some("Option") => "`empty = None`, unless callers take that for \"not found\"",
        _ => "`empty = Default::default()` for the default of the type, or an expression",
    };
    errors.on(
        &wait.name,
        format_args!(
            "when `wait` runs out a caller gets the empty value, and `fetch_on_miss` says that it would be wrong\n\
             write what the caller gets then: {advice}; or remove `wait`"
        ),
    );
}

/// Only entries that outlive the process have versions.
fn check_version(options: &Options, errors: &mut Errors) {
    // With an unreadable option about, `shared` may have been meant by it.
    if options.incomplete || options.shared.is_some() {
        return;
    }
    if let Some(version) = &options.version {
        errors.on(
            &version.name,
            "`version` is about shared entries, and this function has none\n\
             write `shared` too, or remove `version`",
        );
    }
}

/// A store is bounded by its entries, or by the bytes that `weigh` counts.
fn check_bound(options: &Options, errors: &mut Errors) {
    let Options { capacity, max_bytes, weigh, eviction, .. } = options;
    if let (Some(capacity), Some(_)) = (capacity, max_bytes) {
        errors.on(
            &capacity.name,
            "`capacity` counts entries and `max_bytes` bytes: only one can be the bound\nremove one of the two",
        );
    }
    match (max_bytes, weigh) {
        // With an unreadable option about, the missing one may have been meant by it.
        _ if options.incomplete => {}
        (Some(max_bytes), None) => errors.on(
            &max_bytes.name,
            "`max_bytes` needs `weigh`, which says how many bytes a value counts\n\
             write for example `weigh = |value| value.len()` too, or `capacity = ..` to count entries",
        ),
        (None, Some(weigh)) => {
            let advice = match capacity {
                Some(_) => "write `max_bytes = \"64MiB\"` in place of `capacity`, or remove `weigh`",
                None => "write for example `max_bytes = \"64MiB\"` too, or remove `weigh`",
            };
            errors.on(
                &weigh.name,
                format_args!("`weigh` counts for `max_bytes` alone, and there is none\n{advice}"),
            );
        }
        _ => {}
    }
    if let (Some(Given { name, value: Value::Fixed(Eviction::TinyLfu, _) }), Some(_)) = (eviction, max_bytes)
    {
        errors.on(
            name,
            "`eviction = \"tiny_lfu\"` counts entries, and with `max_bytes` they are not counted\n\
             write `capacity = ..` in place of `max_bytes`, or remove `eviction`",
        );
    }
}
