//! What a function has one of, and what only it can say: its slot, its body, its options.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use super::paths::located;
use super::{Expansion, Place};
use crate::plan::{Empty, Name, Setting};

impl Expansion<'_> {
    /// One static a function, with its name and its policy.
    pub(super) fn slot(&self, name: &str) -> TokenStream {
        let krate = self.paths.krate(Span::call_site());
        let private = self.paths.private(Span::call_site());
        let policy = self.constant_policy();
        let slot = match &self.plan.name {
            Name::Given(name) => quote!(new(#name, #policy)),
            Name::Function(name) if self.plan.in_impl => {
                quote!(method(::core::module_path!(), #name, #policy))
            }
            Name::Function(name) => {
                quote!(new(::core::concat!(::core::module_path!(), "::", #name), #policy))
            }
        };
        let name = Ident::new(name, Span::call_site());
        let evaluates =
            self.plan.constant.iter().any(|assignment| matches!(assignment.value, Setting::Expr(_)));
        let attrs = evaluates.then_some(&self.plan.attrs.entry).into_iter().flatten();
        quote! {
            #(#attrs)*
            fn #name() -> &'static #krate::__private::Slot {
                use #krate::__private as #private;
                static SLOT: #private::Slot = #private::Slot::#slot;
                &SLOT
            }
        }
    }

    /// How this function is fetched, and what only it can say: one statement an option, each at its own token.
    pub(super) fn site(&self, place: &Place, names: &[Ident]) -> TokenStream {
        let plan = self.plan;
        let (here, at_output, at_error) = (self.here, self.at_output, self.at_error);
        let private = self.paths.private(at_output);
        let shapes = self.shapes_of_arguments(names);
        let outcome = quote_spanned!(at_output=> __cacheback_probe.__cacheback_outcome());
        let fetch = self.fetch(place);
        let share = plan.share_err.is_none().then(
            || quote_spanned!(at_error=> let __cacheback_way = (&__cacheback_probe).__cacheback_share();),
        );
        let describe =
            quote_spanned!(at_error=> let __cacheback_say = (&&__cacheback_probe).__cacheback_describe(););
        let mut tokens = quote_spanned! {at_output=>
            let __cacheback_site = #private::Site::new(#shapes, #outcome, #fetch);
            #share
            #describe
        };
        let mut add = |at: Span, option: &str, value: TokenStream| {
            let option = Ident::new(option, at);
            tokens.extend(quote_spanned!(at=> let __cacheback_site = __cacheback_site.#option(#value);));
        };
        let describe = quote_spanned!(at_error=> __cacheback_say);
        match &plan.share_err {
            Some(closure) => add(located(closure.span()), "share_err", quote!(#closure, #describe)),
            None => {
                let share = quote_spanned!(at_error=> __cacheback_way);
                add(at_output, "errors", quote!(#share, #describe));
            }
        }
        match &plan.empty {
            Empty::Default => add(at_output, "empty_default", quote!()),
            Empty::Written(expr) => add(located(expr.expr.span()), "empty", self.over_arguments(expr)),
            Empty::Never => {}
        }
        if !plan.varying.is_empty() {
            add(here, "vary", self.varying_policy());
        }
        if let Some(expr) = &plan.fetch_on_miss {
            add(located(expr.expr.span()), "fetch_on_miss", self.over_arguments(expr));
        }
        if let Some(expr) = &plan.wait {
            add(located(expr.expr.span()), "wait", self.over_arguments(expr));
        }
        if let Some(closure) = &plan.lifetime_for {
            add(located(closure.span()), "lifetime_for", self.to_duration(closure));
        }
        if let Some(closure) = &plan.retention_for {
            add(located(closure.span()), "retention_for", self.to_duration(closure));
        }
        if let Some(closure) = &plan.is_outage {
            add(located(closure.span()), "is_outage", quote!(#closure));
        }
        if let Some(closure) = &plan.weigh {
            let at = located(closure.span());
            let private = self.paths.private(at);
            let weighed =
                quote_spanned!(at=> |__cacheback_value| #private::weighed(__cacheback_value, #closure));
            add(at, "weigh", weighed);
        }
        tokens
    }

    /// What tells outcomes apart.
    pub(super) fn probe(&self) -> TokenStream {
        let private = self.paths.private(self.at_output);
        let output = &self.output;
        quote_spanned!(self.at_output=> #private::Probe::<#output>::NEW)
    }

    /// The traits whose methods are found on a probe. Which of them are used depends on the types.
    pub(super) fn imports(&self) -> TokenStream {
        let krate = self.paths.krate(Span::call_site());
        let private = self.paths.private(Span::call_site());
        quote!(use #krate::__private::{self as #private, probes::*};)
    }
}
