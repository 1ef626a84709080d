//! The function that callers see: a hit, or a wait for the entry.

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{quote, quote_spanned};
use syn::Ident;

use super::Expansion;
use super::lints::shadowing;
use crate::plan::{Body, Companion};

impl Expansion<'_> {
    /// The function that callers see.
    pub(super) fn wrapper(&self, items: TokenStream, hit: TokenStream, entry: TokenStream) -> TokenStream {
        let plan = self.plan;
        let attrs = &plan.attrs.public;
        let docs = plan.docs.as_ref().map(|docs| quote!(#[doc = #docs]));
        let vis = &plan.vis;
        let mut sig = plan.sig.clone();
        sig.inputs = self.parameters();
        let imports = self.imports();
        let marker = self.scope_marker();
        // Moved, never borrowed: a borrow would keep the arguments in the future twice. A receiver keeps its name for the
        // computed parts, so it is not moved.
        let (names, held) = (self.public_names(), self.held());
        let (names, held): (Vec<_>, Vec<_>) =
            names.into_iter().zip(held).filter(|(_, held)| held != "self").unzip();
        let moved = (!names.is_empty()).then(|| {
            let shadow = (names == held).then(shadowing);
            quote!(#shadow let (#(#held,)*) = (#(#names,)*);)
        });
        let computed = self.computed();
        let looked = quote! {
            #computed
            if let ::core::option::Option::Some(__cacheback_value) = #hit {
                return __cacheback_value;
            }
        };
        // The parts may borrow from arguments that are moved into the entry.
        let is_alone = matches!(plan.companion, Companion::Nothing);
        let looked = if computed.is_empty() || is_alone { looked } else { quote!({ #looked }) };
        let private = self.paths.private(self.at_output);
        let wait = quote_spanned!(self.at_output=> #private::wait(#entry));
        let block = quote! {
            #items
            let __cacheback_wait = {
                #imports
                #marker
                #moved
                #looked
                #wait
            };
            return __cacheback_wait.await;
        };
        // The user's body may do something before its future.
        let block = if sig.asyncness.is_some() { block } else { quote!(return async move { #block };) };
        let lints = self.wrapper_lints();
        let mut block = Group::new(Delimiter::Brace, block);
        if let Body::Function(body) = &plan.body {
            block.set_span(body.span());
        }
        quote! {
            #(#attrs)*
            #docs
            #lints
            #vis #sig #block
        }
    }

    /// Looks the key up.
    pub(super) fn hit(&self, slot: &TokenStream, names: &[Ident]) -> TokenStream {
        let key = self.key(names);
        let instance = self.instance(slot, names);
        let probe = self.probe();
        let private = self.paths.private(self.at_output);
        // All of it at the output, so that a mistake in the output is reported at one place.
        quote_spanned!(self.at_output=> #private::hit(#instance, #key, #probe.__cacheback_outcome()))
    }
}
