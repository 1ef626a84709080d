//! The entry of a call: for the wrapper that waits, and for the handle.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Ident;

use super::companion::companion_vis;
use super::{Expansion, Place};

impl Expansion<'_> {
    /// The public function that makes an entry of `function`.
    pub(super) fn entry_function(&self, name: &Ident, function: &TokenStream, place: &Place) -> TokenStream {
        let plan = self.plan;
        let vis = companion_vis(&plan.vis);
        let docs = format!(" The entry of these arguments of {}.", self.link());
        let lints = self.entry_lints();
        let attrs = &plan.attrs.entry;
        let uses = self.use_of(function);
        let krate = self.paths.krate(self.here);
        let (generics, _, clause) = plan.sig.generics.split_for_impl();
        let parameters = self.parameters();
        let output = &self.output;
        let imports = self.imports();
        let computed = self.computed();
        let entry = self.entry(place, &self.public_names());
        // Cold, or the compiler puts a copy of it into the wrapper, which is itself copied to where it is called.
        quote! {
            #[doc = #docs]
            #[must_use]
            #[cold]
            #lints
            #(#attrs)*
            #vis fn #name #generics (#parameters) -> #krate::Entry<#output> #clause {
                #uses
                #imports
                #computed
                #entry
            }
        }
    }

    /// A use of the entry counts as a use of the function, for the lints about dead code.
    pub(super) fn use_of(&self, function: &TokenStream) -> Option<TokenStream> {
        let turbofish = self.turbofish();
        self.can_be_referred_to().then(|| quote!(let _ = #function #turbofish;))
    }

    /// Whether the function can be named without a call: not if an instantiation depends on the type of an argument alone.
    fn can_be_referred_to(&self) -> bool {
        self.plan.arguments.iter().all(|argument| !argument.is_inferred())
    }

    /// The entry, for a wait or for the handle. `names` are the names of the arguments there.
    pub(super) fn entry(&self, place: &Place, names: &[Ident]) -> TokenStream {
        let here = self.here;
        let private = self.paths.private(self.at_output);
        let key = self.key(names);
        let instance = self.instance(&place.slot, names);
        let probe = self.probe();
        let site = self.site(place, names);
        // At the output, as in `hit`.
        let at = self.at_output;
        let args = (!self.plan.key_is_arguments).then(|| self.args(names));
        let call = match (&self.plan.shared, &args) {
            (None, None) => quote_spanned!(at=> #private::entry(#instance, #key, #site)),
            (None, Some(args)) => quote_spanned!(at=> #private::entry_of(#instance, #key, #args, #site)),
            (Some(shared), None) => {
                let shared = self.shared(shared, names);
                quote_spanned!(at=> #private::shared_entry(#instance, #key, #site, #shared))
            }
            (Some(shared), Some(args)) => {
                let shared = self.shared(shared, names);
                quote_spanned!(at=> #private::shared_entry_of(#instance, #key, #args, #site, #shared))
            }
        };
        quote_spanned! {here=>
            let __cacheback_probe = &#probe;
            #call
        }
    }
}
