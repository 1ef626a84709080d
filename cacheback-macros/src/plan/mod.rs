//! The rules across options and function. Everything is decided here; `expand` only writes it down.

mod check;
mod docs;
pub(crate) mod free_vars;
pub(crate) mod key;
pub(crate) mod rename_self;
#[cfg(test)]
mod tests;

use std::time::Duration;

use proc_macro2::{Group, Span, TokenStream};
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, GenericParam, Ident, LitStr, Path, Signature, Type, Visibility};

use crate::error::Errors;
use crate::function::attrs::{self, Attributes};
use crate::function::place::Place;
use crate::function::signature::{Argument, Function};
use crate::options::{self, Condition, Eviction, Given, Handle, Options, Value};
use crate::plan::free_vars::readable;
use crate::plan::key::Key;

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
    pub(crate) body: Body,
    /// A receiver is the first.
    pub(crate) arguments: Vec<Argument>,
    pub(crate) output: Option<Type>,
    pub(crate) name: Name,
    pub(crate) in_impl: bool,
    pub(crate) companion: Companion,
    /// With errors about: whether the companion is what it will be without them.
    pub(crate) has_certain_handle: bool,
    pub(crate) instances: Instances,
    pub(crate) key: Key,
    /// The arguments that options ask for by their names.
    pub(crate) asked_for: Vec<usize>,
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
    pub(crate) retention_for: Option<Expr>,
    pub(crate) weigh: Option<Expr>,
    pub(crate) share_err: Option<Expr>,
    pub(crate) is_outage: Option<Expr>,
}

/// Where the user's code goes.
pub(crate) enum Body {
    /// Into a function of its own.
    Function(Group),
    /// Into the fetch, with `self` under another name.
    Inline(TokenStream),
}

/// What the cache is called in logs.
pub(crate) enum Name {
    Given(LitStr),
    /// The module's path, the type in an `impl`, and this.
    Function(String),
}

/// What stands beside the function, for its callers and for itself.
pub(crate) enum Companion {
    /// A type of this name, with everything in it.
    Type(Ident),
    /// Functions in the same `impl`.
    Methods(Methods),
    /// Nothing: all is inside of it.
    Nothing,
}

/// What stands beside a method.
pub(crate) struct Methods {
    pub(crate) entry: Ident,
    pub(crate) cache: Ident,
    pub(crate) slot: Ident,
    pub(crate) body: Ident,
}

/// What tells the caches of one function apart.
pub(crate) enum Instances {
    /// There is one.
    One,
    /// `Self` in an `impl`, and these parameters.
    Named(Vec<Parameter>),
    /// All that is generic where the function stands, without its name: the parameters of a trait are no part of
    /// `Self`.
    Scope,
}

/// A generic parameter, as a type.
pub(crate) enum Parameter {
    Type(Ident),
    /// The value of a constant of this primitive type.
    Const(Ident, Type),
    /// The type of the argument at this index, which is `impl Trait`.
    Argument(usize),
}

/// An expression and what it needs.
#[derive(Clone)]
pub(crate) struct Scoped {
    pub(crate) expr: Expr,
    pub(crate) uses: Vec<usize>,
    /// Whether it mentions `Self` or a type parameter, which no static can.
    pub(crate) generic: bool,
    /// Whether it is for a duration and has a type of its own: if that is another one, it is told with an advice.
    pub(crate) is_span: bool,
}

impl Scoped {
    /// One of which nothing is known yet.
    fn plain(expr: &Expr) -> Self {
        Self { expr: expr.clone(), uses: Vec::new(), generic: false, is_span: false }
    }

    /// Whether it is known before the first call.
    pub(crate) fn is_constant(&self) -> bool {
        self.uses.is_empty() && !self.generic
    }
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
pub(crate) fn make(
    options: Options,
    mut function: Function,
    place: Option<&Place>,
    errors: &mut Errors,
) -> Plan {
    check::contradictions(&options, function.output.as_ref(), errors);
    let key = key::choose(&options, &function, errors);
    // With an unreadable option about, an argument may have been skipped by it.
    if !options.may_mean(&["skip", "key"]) {
        check::bounds::check(&function, &key, errors);
    }
    for index in &key.named {
        let argument = &mut function.arguments[*index];
        argument.public.clone_from(&argument.name);
    }
    let attrs = attrs::split(&function.attrs, &function.sig.ident, errors);
    let parameters = parameters(&function);
    let scope = Scope { arguments: &function.arguments, parameters: &parameters };
    let settings = settings(&options, &scope, errors);

    let fetch_on_miss = match &options.fetch_on_miss {
        Some(Given { value: Condition::When(expr), .. }) => Some(scope.read(expr, errors)),
        _ => None,
    };
    let wait = match &options.wait {
        Some(Given { value: Value::Computed(expr), .. }) => Some(scope.read_span(expr, errors)),
        _ => None,
    };
    let empty = match &options.empty {
        Some(empty) => Empty::Written(scope.read(&empty.value, errors)),
        None if always_waits(&options) => Empty::Never,
        None => Empty::Default,
    };
    let written = if let Empty::Written(empty) = &empty { Some(empty) } else { None };
    let expressions = fetch_on_miss.iter().chain(&wait).chain(written).chain(settings.expressions());
    let mut asked_for: Vec<usize> = expressions.flat_map(|expr| expr.uses.iter().copied()).collect();
    if options.key.is_some() {
        asked_for.extend(key.arguments());
    }
    let in_impl = options.in_impl.is_some() || function.says_self;
    let companion = companion(&options, &function, in_impl);
    let instances = match companion {
        _ if !in_impl && parameters.is_empty() => Instances::One,
        Companion::Nothing => Instances::Scope,
        _ => Instances::Named(parameters),
    };
    let docs = attrs.documented.then(|| docs::section(&options, &companion, &function));
    // With an unreadable option about, one of these may have been meant by it.
    let is_placed = !options.may_mean(&["handle", "in_impl", "crate"]);
    let fits =
        !is_placed || place.is_none_or(|place| check::fits(place, &function, &companion, in_impl, errors));
    let has_certain_handle = function.is_sound && is_placed && fits;
    let body = match companion {
        Companion::Nothing if in_impl => {
            check::inline(&attrs, errors);
            Body::Inline(rename_self::in_body(&function.body, errors))
        }
        _ => Body::Function(function.body),
    };
    let name = match &options.name {
        Some(name) => Name::Given(name.value.clone()),
        None => Name::Function(function.sig.ident.unraw().to_string()),
    };
    Plan {
        docs,
        key_is_arguments: key.is_all_of(&function.arguments),
        output: function.output,
        krate: options.krate.map(|krate| krate.value),
        attrs,
        vis: function.vis,
        sig: function.sig,
        body,
        arguments: function.arguments,
        name,
        in_impl,
        companion,
        has_certain_handle,
        instances,
        asked_for,
        key,
        constant: settings.constant,
        varying: settings.varying,
        varies: settings.varies,
        empty,
        fetch_on_miss,
        wait,
        lifetime_for: options.lifetime_for.map(|closure| closure.value),
        retention_for: options.retention_for.map(|closure| closure.value),
        weigh: options.weigh.map(|closure| closure.value),
        share_err: options.share_err.map(|closure| closure.value),
        is_outage: options.is_outage.map(|closure| closure.value),
    }
}

/// The generic parameters that are no lifetimes, with and without names.
fn parameters(function: &Function) -> Vec<Parameter> {
    let named = function.sig.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(Parameter::Type(param.ident.clone())),
        GenericParam::Const(param) => Some(Parameter::Const(param.ident.clone(), param.ty.clone())),
        GenericParam::Lifetime(_) => None,
    });
    let unnamed = function.arguments.iter().filter(|argument| argument.is_inferred());
    named.chain(unnamed.map(|argument| Parameter::Argument(argument.index))).collect()
}

fn companion(options: &Options, function: &Function, in_impl: bool) -> Companion {
    let ident = &function.sig.ident;
    let handle = match &options.handle {
        None => ident.clone(),
        Some(Given { value: Handle::Named(other), .. }) => other.clone(),
        Some(Given { value: Handle::Off, .. }) => return Companion::Nothing,
    };
    if !in_impl {
        return Companion::Type(handle);
    }
    let (handle, ident) = (handle.unraw(), ident.unraw());
    Companion::Methods(Methods {
        entry: format_ident!("{handle}_entry"),
        cache: format_ident!("{handle}_cache"),
        // In the `impl` of a trait the compiler says that this is none of its methods: that is all the user sees.
        slot: format_ident!("__cacheback_{ident}_slot_in_a_trait_impl_write_handle_false"),
        body: format_ident!("__cacheback_{ident}_body"),
    })
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

/// What an option's expression can mention.
struct Scope<'a> {
    arguments: &'a [Argument],
    parameters: &'a [Parameter],
}

impl Scope<'_> {
    /// An expression that is evaluated for an entry, away from its call.
    fn read(&self, expr: &Expr, errors: &mut Errors) -> Scoped {
        let uses = free_vars::arguments(expr, self.arguments, errors);
        let generic = self.is_generic(expr);
        let expr = if uses.iter().any(|index| self.arguments[*index].is_receiver()) {
            rename_self::in_expr(expr.clone(), errors)
        } else {
            expr.clone()
        };
        Scoped { expr, uses, generic, is_span: false }
    }

    /// An expression for a duration.
    fn read_span(&self, expr: &Expr, errors: &mut Errors) -> Scoped {
        Scoped { is_span: options::has_own_type(expr), ..self.read(expr, errors) }
    }

    fn is_generic(&self, expr: &Expr) -> bool {
        let names: Vec<Ident> = self.parameters.iter().filter_map(Parameter::name).cloned().collect();
        free_vars::generics(expr, &names)
    }
}

impl Parameter {
    /// What the user calls it.
    pub(crate) fn name(&self) -> Option<&Ident> {
        match self {
            Parameter::Type(name) | Parameter::Const(name, _) => Some(name),
            Parameter::Argument(_) => None,
        }
    }
}

/// The policy's fields, by when they are evaluated.
#[derive(Default)]
struct Settings {
    constant: Vec<Assignment>,
    varying: Vec<Assignment>,
    varies: Vec<&'static str>,
}

fn settings(options: &Options, scope: &Scope, errors: &mut Errors) -> Settings {
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
            Value::Computed(expr) => Setting::Expr(scope.read_span(expr, errors)),
        };
        // `wait` has a place of its own: it is asked for on every call.
        settings.add(Assignment { field, optional, value }, field != "wait");
    }
    if let Some(given) = &options.fetch_on_miss {
        let value = match &given.value {
            Condition::Always(span) => Setting::Flag(true, *span),
            Condition::Never(span) => Setting::Flag(false, *span),
            Condition::When(expr) => Setting::Expr(scope.read(expr, errors)),
        };
        settings.add(Assignment { field: "fetch_on_miss", optional: false, value }, false);
    }
    let mut add_constant = |field, optional, name: &Ident, value: Setting| {
        if let Setting::Expr(expr) = &value {
            check_constant(name, expr, scope, errors);
        }
        settings.constant.push(Assignment { field, optional, value });
    };
    if let Some(Given { name, value }) = &options.breaker {
        let value = match value {
            Condition::Always(span) => Setting::Flag(true, *span),
            Condition::Never(span) => Setting::Flag(false, *span),
            Condition::When(expr) => Setting::Expr(Scoped::plain(expr)),
        };
        add_constant("breaker", false, name, value);
    }
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
    /// Those that are evaluated anew for each fetch or write.
    fn expressions(&self) -> impl Iterator<Item = &Scoped> {
        self.varying.iter().filter_map(|assignment| match &assignment.value {
            Setting::Expr(expr) => Some(expr),
            _ => None,
        })
    }

    /// Sorts an assignment by what its value needs.
    fn add(&mut self, assignment: Assignment, may_vary: bool) {
        let Setting::Expr(expr) = &assignment.value else {
            self.constant.push(assignment);
            return;
        };
        if may_vary {
            self.varying.push(assignment.clone());
        }
        if expr.is_constant() {
            self.constant.push(assignment);
        } else {
            self.varies.push(assignment.field);
        }
    }
}

fn constant<T: Copy>(value: &Value<T>, fixed: impl Fn(T, Span) -> Setting) -> Setting {
    match value {
        Value::Fixed(value, span) => fixed(*value, *span),
        Value::Computed(expr) => Setting::Expr(Scoped::plain(expr)),
    }
}

/// An option that holds for all entries may not look at the arguments of one, nor at one instantiation.
fn check_constant(name: &Ident, expr: &Scoped, scope: &Scope, errors: &mut Errors) {
    let mentioned = free_vars::arguments(&expr.expr, scope.arguments, errors);
    if let Some(argument) = mentioned.first().map(|index| &scope.arguments[*index]) {
        let argument = argument.name.to_token_stream();
        errors.at(
            expr.expr.span(),
            format_args!(
                "`{name}` is one for all entries and cannot depend on the argument `{}`\n\
                 write a number, or an expression without arguments",
                readable(&argument)
            ),
        );
    } else if scope.is_generic(&expr.expr) {
        errors.at(
            expr.expr.span(),
            format_args!(
                "`{name}` is one for all instantiations and cannot depend on `Self` or a type parameter\n\
                 write a number, or name the type: `MyType::LIMIT`"
            ),
        );
    }
}
