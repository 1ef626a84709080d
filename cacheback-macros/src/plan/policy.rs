//! The fields of the policy that the options set, by when they are evaluated.

use std::time::Duration;

use proc_macro2::Span;
use quote::ToTokens;
use syn::Ident;
use syn::spanned::Spanned;

use super::expression::{Expression, Names};
use super::free_vars;
use crate::error::Errors;
use crate::error::text::readable;
use crate::options::{Condition, Eviction, Given, Options, Value};

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
    Expr(Expression),
}

/// The policy's fields, by when they are evaluated.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) constant: Vec<Assignment>,
    pub(super) varying: Vec<Assignment>,
    pub(super) varies: Vec<&'static str>,
}

pub(super) fn settings(options: &Options, names: &Names, errors: &mut Errors) -> Settings {
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
            Value::Computed(expr) => Setting::Expr(names.read_span(expr, errors)),
        };
        // `wait` has a place of its own: it is asked for on every call.
        settings.add(Assignment { field, optional, value }, field != "wait");
    }
    if let Some(given) = &options.fetch_on_miss {
        let value = match &given.value {
            Condition::Always(span) => Setting::Flag(true, *span),
            Condition::Never(span) => Setting::Flag(false, *span),
            Condition::When(expr) => Setting::Expr(names.read(expr, errors)),
        };
        settings.add(Assignment { field: "fetch_on_miss", optional: false, value }, false);
    }
    let mut add_constant = |field, optional, name: &Ident, value: Setting| {
        if let Setting::Expr(expr) = &value {
            check_constant(name, expr, names, errors);
        }
        settings.constant.push(Assignment { field, optional, value });
    };
    if let Some(Given { name, value }) = &options.breaker {
        let value = match value {
            Condition::Always(span) => Setting::Flag(true, *span),
            Condition::Never(span) => Setting::Flag(false, *span),
            Condition::When(expr) => Setting::Expr(Expression::plain(expr)),
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
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
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

pub(super) fn constant<T: Copy>(value: &Value<T>, fixed: impl Fn(T, Span) -> Setting) -> Setting {
    match value {
        Value::Fixed(value, span) => fixed(*value, *span),
        Value::Computed(expr) => Setting::Expr(Expression::plain(expr)),
    }
}

/// An option that holds for all entries may not look at the arguments of one, nor at one instantiation.
fn check_constant(name: &Ident, expr: &Expression, names: &Names, errors: &mut Errors) {
    let mentioned = free_vars::arguments(&expr.expr, names.arguments, errors);
    if let Some(argument) = mentioned.first().map(|index| &names.arguments[*index]) {
        let argument = argument.name.to_token_stream();
        errors.at(
            expr.expr.span(),
            format_args!(
                "`{name}` is one for all entries and cannot depend on the argument `{}`\n\
                 write a number, or an expression without arguments",
                readable(&argument)
            ),
        );
    } else if names.is_generic(&expr.expr) {
        errors.at(
            expr.expr.span(),
            format_args!(
                "`{name}` is one for all instantiations and cannot depend on `Self` or a type parameter\n\
                 write a number, or name the type: `MyType::LIMIT`"
            ),
        );
    }
}
