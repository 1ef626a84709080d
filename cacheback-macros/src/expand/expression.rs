//! An option's expression, with the arguments that it uses under their names.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprClosure, ReturnType};

use super::Expansion;
use super::body::lent;
use super::lints::shadowing;
use super::paths::{located, numbered};
use crate::function::attrs;
use crate::options::{self, Returns};
use crate::plan::{Closure, Expression, rename_self};

impl Expansion<'_> {
    /// `|args| { ..; expr }`
    pub(super) fn over_arguments(&self, expression: &Expression) -> TokenStream {
        let at = located(expression.expr.span());
        let expr = self.with_arguments(expression);
        let args = args_param(expression.uses.is_empty());
        quote_spanned!(at=> |#args| #expr)
    }

    /// A block that binds the arguments of `expression` by their names, then evaluates it.
    pub(super) fn with_arguments(&self, expression: &Expression) -> TokenStream {
        let expr = self.evaluated(expression);
        if expression.uses.is_empty() {
            return quote!({ #expr });
        }
        let arguments = &self.plan.arguments;
        let places = arguments.iter().map(|argument| {
            if expression.uses.contains(&argument.index) {
                numbered(argument.index).to_token_stream()
            } else {
                quote!(_)
            }
        });
        let lets = expression.uses.iter().map(|index| {
            let argument = &arguments[*index];
            let lease = lent(argument);
            let ty = argument.local.as_ref().map(|ty| quote!(: #ty));
            let name = match &argument.name {
                Some(name) if argument.is_receiver() => Some(rename_self::name(name.span())),
                name => name.clone(),
            };
            let attrs = attrs::allowed_at(&self.plan.sig.inputs[*index]);
            // A word in a string or a closure's own parameter may have been taken for an argument: use it.
            let shadow = shadowing();
            quote!(#shadow #(#attrs)* let #name #ty = #lease; let _ = &#name;)
        });
        quote!({
            let (#(#places,)*) = __cacheback_args.__cacheback_lend();
            #(#lets)*
            #expr
        })
    }

    /// The expression alone.
    pub(super) fn evaluated(&self, expression: &Expression) -> TokenStream {
        if expression.is_span { self.span(&expression.expr) } else { expression.expr.to_token_stream() }
    }

    /// An expression that has to be a duration; if it is not, the error says what to write.
    pub(super) fn span(&self, expr: &Expr) -> TokenStream {
        let at = located(expr.span());
        let private = self.paths.private(at);
        quote_spanned!(at=> #private::span(#expr))
    }

    /// A closure over a value or an error, as its method takes it.
    pub(super) fn closure(&self, closure: &Closure) -> TokenStream {
        let expr = &closure.expr;
        match closure.returns {
            Returns::Span => self.to_duration(expr),
            Returns::Bytes => {
                let at = located(expr.span());
                let private = self.paths.private(at);
                quote_spanned!(at=> |__cacheback_value| #private::weighed(__cacheback_value, #expr))
            }
            Returns::AsWritten => expr.to_token_stream(),
        }
    }

    /// A closure that has to return a duration, likewise.
    fn to_duration(&self, closure: &Expr) -> TokenStream {
        match closure {
            Expr::Closure(written)
                if matches!(written.output, ReturnType::Default) && options::has_own_type(&written.body) =>
            {
                let body = Box::new(Expr::Verbatim(self.span(&written.body)));
                ExprClosure { body, ..written.clone() }.to_token_stream()
            }
            other => other.to_token_stream(),
        }
    }
}

pub(super) fn args_param(unused: bool) -> TokenStream {
    if unused { quote!(_) } else { quote!(__cacheback_args) }
}
