//! Stand-ins beside a function whose attribute is refused: an empty handle, so that its uses add no errors to those about
//! the attribute.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

use super::Expansion;
use super::companion::companion_vis;
use crate::plan::Companion;

impl Expansion<'_> {
    /// The functions of the handle, which are never run.
    pub(super) fn stand_ins(&self) -> TokenStream {
        let cfgs = &self.plan.attrs.companion;
        match &self.plan.companion {
            Companion::Type(companion) => {
                let vis = companion_vis(&self.plan.vis);
                let [entry, cache] = ["entry", "cache"].map(|name| Ident::new(name, Span::call_site()));
                let (entry, cache) = (self.entry_stand_in(&entry), self.cache_stand_in(&cache));
                quote! {
                    #(#cfgs)*
                    #[doc(hidden)]
                    #[allow(non_camel_case_types, dead_code)]
                    #vis enum #companion {}

                    #(#cfgs)*
                    #[allow(dead_code)]
                    impl #companion {
                        #entry
                        #cache
                    }
                }
            }
            Companion::Methods(methods) => {
                let (entry, cache) =
                    (self.entry_stand_in(&methods.entry), self.cache_stand_in(&methods.cache));
                quote! {
                    #(#cfgs)*
                    #[allow(dead_code)]
                    #entry
                    #(#cfgs)*
                    #[allow(dead_code)]
                    #cache
                }
            }
            Companion::Nothing => TokenStream::new(),
        }
    }

    fn entry_stand_in(&self, name: &Ident) -> TokenStream {
        let vis = companion_vis(&self.plan.vis);
        let krate = self.paths.krate(self.here);
        let (generics, _, clause) = self.plan.sig.generics.split_for_impl();
        let (parameters, output) = (self.parameters(), &self.output);
        quote! {
            #[allow(unused_variables)]
            #vis fn #name #generics (#parameters) -> #krate::Entry<#output> #clause {
                ::core::unimplemented!()
            }
        }
    }

    fn cache_stand_in(&self, name: &Ident) -> TokenStream {
        let vis = companion_vis(&self.plan.vis);
        let krate = self.paths.krate(self.here);
        quote! {
            #vis fn #name() -> #krate::CacheRef {
                ::core::unimplemented!()
            }
        }
    }
}
