//! The policy: fields that are known before the first call, and fields that are evaluated for each fetch.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::Expansion;
use super::expression::args_param;
use super::paths::located;
use crate::options::{Eviction, Field, Literal};
use crate::plan::{Assignment, Setting, Settings};

impl Expansion<'_> {
    /// The closure that sets the fields that are known before the first call.
    pub(super) fn constant_policy(&self) -> TokenStream {
        let Settings { constant, varies, .. } = &self.plan.settings;
        if constant.is_empty() && varies.is_empty() {
            return quote!(|_| {});
        }
        let assignments = constant.iter().map(|assignment| self.assign(assignment));
        let varies = (!varies.is_empty()).then(|| quote!(__cacheback_policy.varies = &[#(#varies),*];));
        match constant.len() {
            // One assignment is an expression.
            1 if varies.is_none() => {
                let assignment = self.assign(&constant[0]);
                quote!(|__cacheback_policy| #assignment)
            }
            _ => quote!(|__cacheback_policy| { #(#assignments;)* #varies }),
        }
    }

    /// The closure that sets the fields that are evaluated for each fetch or write.
    pub(super) fn varying_policy(&self) -> TokenStream {
        let varying = &self.plan.settings.per_fetch;
        let uses_none = varying.iter().all(|assignment| match &assignment.value {
            Setting::Expr(expression) => expression.uses.is_empty(),
            _ => true,
        });
        let args = args_param(uses_none);
        let assignments = varying.iter().map(|assignment| self.assign(assignment));
        quote!(|#args, __cacheback_policy| { #(#assignments;)* })
    }

    fn assign(&self, assignment: &Assignment) -> TokenStream {
        let field = format_ident!("{}", assignment.field, span = Span::call_site());
        let (at, value) = match &assignment.value {
            Setting::Fixed(value, span) => (located(*span), self.literal(*value, located(*span))),
            Setting::Expr(expr) if expr.is_constant() => (located(expr.expr.span()), self.evaluated(expr)),
            Setting::Expr(expr) => (located(expr.expr.span()), self.with_arguments(expr)),
        };
        let value = match assignment.holds {
            Field::Plain => value,
            Field::Optional => quote_spanned!(at=> ::core::option::Option::Some(#value)),
        };
        quote_spanned!(at=> __cacheback_policy.#field = #value)
    }

    pub(super) fn literal(&self, value: Literal, at: Span) -> TokenStream {
        match value {
            Literal::Duration(duration) => self.duration(duration, at),
            Literal::Count(count) => shown(proc_macro2::Literal::u64_unsuffixed(count), at),
            Literal::Fraction(fraction) => shown(proc_macro2::Literal::f64_unsuffixed(fraction), at),
            Literal::Flag(flag) => quote_spanned!(at=> #flag),
            Literal::Eviction(eviction) => {
                let private = self.paths.private(at);
                let variant = match eviction {
                    Eviction::Lru => quote_spanned!(at=> Lru),
                    Eviction::TinyLfu => quote_spanned!(at=> TinyLfu),
                };
                quote_spanned!(at=> #private::Eviction::#variant)
            }
        }
    }

    fn duration(&self, duration: Duration, at: Span) -> TokenStream {
        let private = self.paths.private(at);
        let seconds = shown(proc_macro2::Literal::u64_unsuffixed(duration.as_secs()), at);
        if duration.subsec_nanos() == 0 {
            return quote_spanned!(at=> #private::seconds(#seconds));
        }
        let nanos = shown(proc_macro2::Literal::u32_unsuffixed(duration.subsec_nanos()), at);
        quote_spanned!(at=> #private::Duration::new(#seconds, #nanos))
    }
}

fn shown(mut literal: proc_macro2::Literal, at: Span) -> TokenStream {
    literal.set_span(at);
    literal.to_token_stream()
}
