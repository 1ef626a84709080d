//! The settings that the options make: fields of the policy and methods of the site, sorted by when their values are known.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use super::expression::{Expression, Names};
use super::free_vars;
use crate::error::Errors;
use crate::error::text::readable;
use crate::options::{AnyValue, Field, Kind, Literal, Options, Returns};

/// All that the options set.
#[derive(Default)]
pub(crate) struct Settings {
    /// Fields of the policy that are known before the first call.
    pub(crate) constant: Vec<Assignment>,
    /// Fields that are evaluated for each fetch or write.
    pub(crate) per_fetch: Vec<Assignment>,
    /// The options whose fields depend on arguments.
    pub(crate) varies: Vec<&'static str>,
    /// Options that are evaluated for each call that may wait.
    pub(crate) per_call: Vec<(&'static str, Expression)>,
    /// Options that are closures over a value or an error.
    pub(crate) closures: Vec<Closure>,
}

/// One field of the policy.
#[derive(Clone)]
pub(crate) struct Assignment {
    pub(crate) field: &'static str,
    pub(crate) holds: Field,
    pub(crate) value: Setting,
}

#[derive(Clone)]
pub(crate) enum Setting {
    Fixed(Literal, Span),
    Expr(Expression),
}

/// A closure over a value or an error.
pub(crate) struct Closure {
    pub(crate) option: &'static str,
    pub(crate) returns: Returns,
    pub(crate) expr: Expr,
}

/// Sorts the options that were written.
pub(super) fn read(options: &Options, names: &Names, errors: &mut Errors) -> Settings {
    let mut settings = Settings::default();
    for (row, name, value) in options.written() {
        let option = row.name;
        match row.kind {
            Kind::Constant(holds) => {
                let value = constant(name, value, names, errors);
                settings.constant.push(Assignment { field: option, holds, value });
            }
            Kind::PerFetch(holds) => {
                let value = evaluated(value, names, errors);
                let assignment = Assignment { field: option, holds, value };
                if let Setting::Expr(_) = assignment.value {
                    settings.per_fetch.push(assignment.clone());
                }
                if assignment.value.is_constant() {
                    settings.constant.push(assignment);
                } else {
                    settings.varies.push(option);
                }
            }
            Kind::PerCall(holds) => {
                let value = evaluated(value, names, errors);
                if let Setting::Expr(expr) = &value {
                    settings.per_call.push((option, expr.clone()));
                }
                if value.is_constant() {
                    settings.constant.push(Assignment { field: option, holds, value });
                }
            }
            Kind::Closure(returns) => {
                if let AnyValue::Computed { expr, .. } = value {
                    settings.closures.push(Closure { option, returns, expr });
                }
            }
            Kind::Special | Kind::Generation => {}
        }
    }
    // `Policy::varies` lists the options of fetches first, then `wait`, then `fetch_on_miss`.
    let of_calls = settings.per_call.iter().rev().filter(|(_, expr)| !expr.is_constant());
    settings.varies.extend(of_calls.map(|(option, _)| *option));
    settings
}

impl Settings {
    /// Whether this option is a closure that was written.
    pub(crate) fn has_closure(&self, option: &str) -> bool {
        self.closures.iter().any(|closure| closure.option == option)
    }

    /// The expressions that are evaluated for an entry.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let per_fetch = self.per_fetch.iter().filter_map(|assignment| match &assignment.value {
            Setting::Expr(expr) => Some(expr),
            Setting::Fixed(..) => None,
        });
        per_fetch.chain(self.per_call.iter().map(|(_, expr)| expr))
    }
}

impl Setting {
    /// Whether it is known before the first call.
    fn is_constant(&self) -> bool {
        match self {
            Setting::Fixed(..) => true,
            Setting::Expr(expr) => expr.is_constant(),
        }
    }
}

fn evaluated(value: AnyValue, names: &Names, errors: &mut Errors) -> Setting {
    match value {
        AnyValue::Fixed(literal, span) => Setting::Fixed(literal, span),
        AnyValue::Computed { expr, is_duration: true } => Setting::Expr(names.read_span(&expr, errors)),
        AnyValue::Computed { expr, is_duration: false } => Setting::Expr(names.read(&expr, errors)),
    }
}

/// The value of an option that holds for all entries.
pub(super) fn constant(name: &Ident, value: AnyValue, names: &Names, errors: &mut Errors) -> Setting {
    match value {
        AnyValue::Fixed(literal, span) => Setting::Fixed(literal, span),
        AnyValue::Computed { expr, .. } => {
            check_constant(name, &expr, names, errors);
            Setting::Expr(Expression::plain(&expr))
        }
    }
}

/// An option that holds for all entries may not look at the arguments of one, nor at one instantiation.
fn check_constant(name: &Ident, expr: &Expr, names: &Names, errors: &mut Errors) {
    let mentioned = free_vars::arguments(expr, names.arguments, errors);
    if let Some(argument) = mentioned.first().map(|index| &names.arguments[*index]) {
        let argument = argument.name.to_token_stream();
        errors.at(
            expr.span(),
            format_args!(
                "`{name}` is one for all entries and cannot depend on the argument `{}`\n\
                 write a number, or an expression without arguments",
                readable(&argument)
            ),
        );
    } else if names.is_generic(expr) {
        errors.at(
            expr.span(),
            format_args!(
                "`{name}` is one for all instantiations and cannot depend on `Self` or a type parameter\n\
                 write a number, or name the type: `MyType::LIMIT`"
            ),
        );
    }
}
