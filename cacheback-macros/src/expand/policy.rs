//! The policy: what is known before the first call, and what is evaluated for each fetch.

use std::time::Duration;

use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::Expansion;
use super::expression::args_param;
use super::paths::located;
use crate::options::Eviction;
use crate::plan::{Assignment, Setting};

impl Expansion<'_> {
    /// The closure that sets what is known before the first call.
    pub(super) fn constant_policy(&self) -> TokenStream {
        let plan = self.plan;
        if plan.constant.is_empty() && plan.varies.is_empty() {
            return quote!(|_| {});
        }
        let assignments = plan.constant.iter().map(|assignment| self.assign(assignment));
        let varies = &plan.varies;
        let varies = (!varies.is_empty()).then(|| quote!(__cacheback_policy.varies = &[#(#varies),*];));
        match plan.constant.len() {
            // One assignment is an expression.
            1 if varies.is_none() => {
                let assignment = self.assign(&plan.constant[0]);
                quote!(|__cacheback_policy| #assignment)
            }
            _ => quote!(|__cacheback_policy| { #(#assignments;)* #varies }),
        }
    }

    /// The closure that sets what is evaluated for each fetch or write.
    pub(super) fn varying_policy(&self) -> TokenStream {
        let varying = &self.plan.varying;
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
            Setting::Duration(duration, span) => (located(*span), self.duration(*duration, located(*span))),
            Setting::Count(count, span) => {
                (located(*span), literal(Literal::u64_unsuffixed(*count), located(*span)))
            }
            Setting::Fraction(share, span) => {
                (located(*span), literal(Literal::f64_unsuffixed(*share), located(*span)))
            }
            Setting::Eviction(eviction, span) => {
                let at = located(*span);
                let private = self.paths.private(at);
                let variant = match eviction {
                    Eviction::Lru => quote_spanned!(at=> Lru),
                    Eviction::TinyLfu => quote_spanned!(at=> TinyLfu),
                };
                (at, quote_spanned!(at=> #private::Eviction::#variant))
            }
            Setting::Flag(flag, span) => {
                let at = located(*span);
                (at, quote_spanned!(at=> #flag))
            }
            Setting::Expr(expression) if expression.is_constant() => {
                (located(expression.expr.span()), self.evaluated(expression))
            }
            Setting::Expr(expression) => (located(expression.expr.span()), self.with_arguments(expression)),
        };
        let value = if assignment.optional {
            quote_spanned!(at=> ::core::option::Option::Some(#value))
        } else {
            value
        };
        quote_spanned!(at=> __cacheback_policy.#field = #value)
    }

    pub(super) fn duration(&self, duration: Duration, at: Span) -> TokenStream {
        let private = self.paths.private(at);
        let seconds = literal(Literal::u64_unsuffixed(duration.as_secs()), at);
        if duration.subsec_nanos() == 0 {
            return quote_spanned!(at=> #private::seconds(#seconds));
        }
        let nanos = literal(Literal::u32_unsuffixed(duration.subsec_nanos()), at);
        quote_spanned!(at=> #private::Duration::new(#seconds, #nanos))
    }
}

fn literal(mut literal: Literal, at: Span) -> TokenStream {
    literal.set_span(at);
    literal.to_token_stream()
}
