//! The rules across options and function. Everything is decided here; `expand` only writes it down.

mod check;
mod docs;
#[cfg(test)]
mod tests;

use std::time::Duration;

use proc_macro2::{Group, Span};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, Ident, LitStr, Path, Signature, Type, Visibility};

use crate::args::{Condition, Eviction, Given, Handle, Options, Value};
use crate::attrs::{self, Attributes};
use crate::error::Errors;
use crate::key::{self, Key};
use crate::mention::{self, readable};
use crate::signature::{Argument, Function};

/// What is to be generated for one function.
pub(crate) struct Plan {
    /// Where the facade is.
    pub(crate) krate: Option<Path>,
    pub(crate) attrs: Attributes,
    /// The section to append to the function's docs.
    pub(crate) docs: Option<String>,
    pub(crate) vis: Visibility,
    /// The user's signature: that of the body.
    pub(crate) sig: Signature,
    pub(crate) body: Group,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) output: Option<Type>,
    pub(crate) name: Name,
    /// The companion type, unless the user wants none.
    pub(crate) companion: Option<Ident>,
    pub(crate) key: Key,
    /// Whether the key, once owned, holds all arguments too.
    pub(crate) key_is_arguments: bool,
    /// What is known before the first call.
    pub(crate) constant: Vec<Assignment>,
    /// What is evaluated for each fetch or write.
    pub(crate) varying: Vec<Assignment>,
    /// The options that depend on arguments.
    pub(crate) varies: Vec<&'static str>,
    pub(crate) empty: Empty,
    pub(crate) fetch_on_miss: Option<Scoped>,
    pub(crate) wait: Option<Scoped>,
    pub(crate) lifetime_for: Option<Expr>,
    pub(crate) weigh: Option<Expr>,
    pub(crate) share_err: Option<Expr>,
}

/// What the cache is called in logs.
pub(crate) enum Name {
    Given(LitStr),
    /// The module's path and this.
    Function(String),
}

/// An expression and the arguments it needs.
#[derive(Clone)]
pub(crate) struct Scoped {
    pub(crate) expr: Expr,
    pub(crate) uses: Vec<usize>,
}

/// What a caller gets while nothing is cached.
pub(crate) enum Empty {
    Default,
    Written(Scoped),
    /// No caller ever sees it.
    Never,
}

/// One field of the policy.
#[derive(Clone)]
pub(crate) struct Assignment {
    pub(crate) field: &'static str,
    /// Whether the field is an `Option`.
    pub(crate) optional: bool,
    pub(crate) value: Setting,
}

#[derive(Clone)]
pub(crate) enum Setting {
    Duration(Duration, Span),
    Count(u64, Span),
    Fraction(f64, Span),
    Eviction(Eviction, Span),
    Flag(bool, Span),
    Expr(Scoped),
}

/// Decides, or says why not.
pub(crate) fn make(options: Options, mut function: Function, errors: &mut Errors) -> Plan {
    check::contradictions(&options, errors);
    if let Some(in_impl) = &options.in_impl {
        errors.on(
            &in_impl.name,
            "methods are not supported in this version, and a free function is in no `impl`\n\
             annotate a free function that takes `&Arc<..>` or a cloned handle, and `skip` it",
        );
    }
    let key = key::choose(&options, &function, errors);
    for index in &key.named {
        let argument = &mut function.arguments[*index];
        argument.public.clone_from(&argument.name);
    }
    let attrs = attrs::split(&function.attrs, &function.sig.ident, errors);
    let settings = settings(&options, &function.arguments, errors);
    let mut scope = |expr: &Expr| scoped(expr, &function.arguments, errors);

    let fetch_on_miss = match &options.fetch_on_miss {
        Some(Given { value: Condition::When(expr), .. }) => Some(scope(expr)),
        _ => None,
    };
    let wait = match &options.wait {
        Some(Given { value: Value::Computed(expr), .. }) => Some(scope(expr)),
        _ => None,
    };
    let empty = match &options.empty {
        Some(empty) => Empty::Written(scope(&empty.value)),
        None if always_waits(&options) => Empty::Never,
        None => Empty::Default,
    };
    let ident = &function.sig.ident;
    let companion = match &options.handle {
        None => Some(ident.clone()),
        Some(Given { value: Handle::Named(other), .. }) => Some(other.clone()),
        Some(Given { value: Handle::Off, .. }) => None,
    };
    let name = match &options.name {
        Some(name) => Name::Given(name.value.clone()),
        None => Name::Function(ident.unraw().to_string()),
    };
    Plan {
        docs: attrs.documented.then(|| docs::section(&options, companion.as_ref())),
        key_is_arguments: key.is_all_of(&function.arguments),
        output: function.output().cloned(),
        krate: options.krate.map(|krate| krate.value),
        attrs,
        vis: function.vis,
        sig: function.sig,
        body: function.body,
        arguments: function.arguments,
        name,
        companion,
        key,
        constant: settings.constant,
        varying: settings.varying,
        varies: settings.varies,
        empty,
        fetch_on_miss,
        wait,
        lifetime_for: options.lifetime_for.map(|closure| closure.value),
        weigh: options.weigh.map(|closure| closure.value),
        share_err: options.share_err.map(|closure| closure.value),
    }
}

/// A duration in its largest whole unit, as a user would have written it.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration.subsec_nanos() != 0 {
        return humantime::format_duration(duration).to_string();
    }
    match [(24 * 60 * 60, "days"), (60 * 60, "h"), (60, "min")].iter().find(|(unit, _)| seconds % unit == 0) {
        Some((unit, name)) if seconds > 0 => format!("{} {name}", seconds / unit),
        _ => format!("{seconds} s"),
    }
}

/// Whether a caller who finds nothing always gets the fetch's outcome.
fn always_waits(options: &Options) -> bool {
    let always = matches!(&options.fetch_on_miss, Some(Given { value: Condition::Always(_), .. }));
    always && options.wait.is_none()
}

fn scoped(expr: &Expr, arguments: &[Argument], errors: &mut Errors) -> Scoped {
    Scoped { expr: expr.clone(), uses: mention::arguments(expr, arguments, errors) }
}

/// The policy's fields, by when they are evaluated.
#[derive(Default)]
struct Settings {
    constant: Vec<Assignment>,
    varying: Vec<Assignment>,
    varies: Vec<&'static str>,
}

fn settings(options: &Options, arguments: &[Argument], errors: &mut Errors) -> Settings {
    let mut settings = Settings::default();
    let durations = [
        ("lifetime", false, &options.lifetime),
        ("max_stale", true, &options.max_stale),
        ("retention", false, &options.retention),
        ("refresh_ahead", false, &options.refresh_ahead),
        ("refresh_timeout", false, &options.refresh_timeout),
        ("max_backoff", false, &options.max_backoff),
        ("cache_err", true, &options.cache_err),
        ("wait", true, &options.wait),
    ];
    for (field, optional, given) in durations {
        let Some(given) = given else { continue };
        let value = match &given.value {
            Value::Fixed(duration, span) => Setting::Duration(*duration, *span),
            Value::Computed(expr) => Setting::Expr(scoped(expr, arguments, errors)),
        };
        // `wait` has a place of its own: it is asked for on every call.
        settings.add(Assignment { field, optional, value }, field != "wait");
    }
    if let Some(given) = &options.fetch_on_miss {
        let value = match &given.value {
            Condition::Always(span) => Setting::Flag(true, *span),
            Condition::Never(span) => Setting::Flag(false, *span),
            Condition::When(expr) => Setting::Expr(scoped(expr, arguments, errors)),
        };
        settings.add(Assignment { field: "fetch_on_miss", optional: false, value }, false);
    }
    let mut add_constant = |field, optional, name: &Ident, value: Setting| {
        if let Setting::Expr(expr) = &value {
            check_constant(name, expr, arguments, errors);
        }
        settings.constant.push(Assignment { field, optional, value });
    };
    if let Some(Given { name, value }) = &options.max_refreshes {
        add_constant("max_refreshes", true, name, constant(value, Setting::Count));
    }
    if let Some(Given { name, value }) = &options.jitter {
        add_constant("jitter", false, name, constant(value, Setting::Fraction));
    }
    if let Some(Given { name, value }) = &options.capacity {
        add_constant("capacity", false, name, constant(value, Setting::Count));
    }
    if let Some(Given { name, value }) = &options.max_bytes {
        add_constant("max_bytes", true, name, constant(value, Setting::Count));
    }
    if let Some(Given { name, value }) = &options.eviction {
        add_constant("eviction", false, name, Setting::Eviction(*value, name.span()));
    }
    settings
}

impl Settings {
    /// Sorts an assignment by what its value needs.
    fn add(&mut self, assignment: Assignment, may_vary: bool) {
        let Setting::Expr(expr) = &assignment.value else {
            self.constant.push(assignment);
            return;
        };
        if may_vary {
            self.varying.push(assignment.clone());
        }
        if expr.uses.is_empty() {
            self.constant.push(assignment);
        } else {
            self.varies.push(assignment.field);
        }
    }
}

fn constant<T: Copy>(value: &Value<T>, fixed: impl Fn(T, Span) -> Setting) -> Setting {
    match value {
        Value::Fixed(value, span) => fixed(*value, *span),
        Value::Computed(expr) => Setting::Expr(Scoped { expr: expr.clone(), uses: Vec::new() }),
    }
}

/// An option that holds for all entries may not look at the arguments of one.
fn check_constant(name: &Ident, expr: &Scoped, arguments: &[Argument], errors: &mut Errors) {
    let mentioned = mention::arguments(&expr.expr, arguments, errors);
    if let Some(argument) = mentioned.first().map(|index| &arguments[*index]) {
        let argument = argument.name.to_token_stream();
        errors.at(
            expr.expr.span(),
            format_args!(
                "`{name}` is one for all entries and cannot depend on the argument `{}`\n\
                 write a number, or an expression without arguments",
                readable(&argument)
            ),
        );
    }
}
