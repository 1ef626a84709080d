//! The definition of a function: its slot, and how it is fetched under its options.

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
        // `clear` tells the second tier even if this process has no values.
        let shared = self.plan.shared.as_ref().map(|shared| match &shared.alias {
            Some(alias) => quote!(.shared(::core::option::Option::Some(#alias))),
            None => quote!(.shared(::core::option::Option::None)),
        });
        let name = Ident::new(name, Span::call_site());
        let evaluates =
            self.plan.settings.constant.iter().any(|assignment| matches!(assignment.value, Setting::Expr(_)));
        let attrs = evaluates.then_some(&self.plan.attrs.entry).into_iter().flatten();
        quote! {
            #(#attrs)*
            fn #name() -> &'static #krate::__private::Slot {
                use #krate::__private as #private;
                static SLOT: #private::Slot = #private::Slot::#slot #shared;
                &SLOT
            }
        }
    }

    /// How this function is fetched: one call for each option, with the span of the option.
    pub(super) fn site(&self, place: &Place, names: &[Ident]) -> TokenStream {
        let plan = self.plan;
        let settings = &plan.settings;
        let (here, at_output, at_error) = (self.here, self.at_output, self.at_error);
        let private = self.paths.private(at_output);
        let shapes = self.shapes_of_arguments(names);
        let outcome = quote_spanned!(at_output=> __cacheback_probe.__cacheback_outcome());
        let fetch = self.fetch(place);
        let mut tokens = quote_spanned!(at_output=> #private::Site::new(#shapes, #outcome, #fetch));
        let mut add = |at: Span, option: &str, value: TokenStream| {
            let option = Ident::new(option, at);
            tokens.extend(quote_spanned!(at=> .#option(#value)));
        };
        let describe = quote_spanned!(at_error=> (&&__cacheback_probe).__cacheback_describe());
        add(at_output, "describe", describe);
        if !settings.has_closure("share_err") {
            add(at_output, "share", quote_spanned!(at_error=> (&__cacheback_probe).__cacheback_share()));
        }
        if let Some(queue) = plan.shared.as_ref().and_then(|shared| shared.queue.as_ref()) {
            add(located(queue.at), "queued", self.carry(place));
        }
        match &plan.empty {
            Empty::Default => add(at_output, "empty_default", quote!()),
            Empty::Written(expr) => add(located(expr.expr.span()), "empty", self.over_arguments(expr)),
            Empty::Never => {}
        }
        if !settings.per_fetch.is_empty() {
            add(here, "vary", self.varying_policy());
        }
        for (option, expr) in &settings.per_call {
            add(located(expr.expr.span()), option, self.over_arguments(expr));
        }
        for closure in &settings.closures {
            add(located(closure.expr.span()), closure.option, self.closure(closure));
        }
        tokens
    }

    /// The probe, whose methods tell a `Result` from other outcomes.
    pub(super) fn probe(&self) -> TokenStream {
        let private = self.paths.private(self.at_output);
        let output = &self.output;
        quote_spanned!(self.at_output=> #private::Probe::<#output>::NEW)
    }

    /// Imports the traits whose methods are found on a probe. The types decide which of them are used.
    pub(super) fn imports(&self) -> TokenStream {
        let krate = self.paths.krate(Span::call_site());
        let private = self.paths.private(Span::call_site());
        quote!(use #krate::__private::{self as #private, probes::*};)
    }
}
