//! The items beside the function: a type with everything in it, methods in the same `impl`, or nothing.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{Ident, Visibility};

use super::paths::located;
use super::{Expansion, Place};
use crate::function::attrs;
use crate::plan::Methods;

impl Expansion<'_> {
    /// The function, and beside it a type of the same name that holds the rest.
    pub(super) fn beside_a_function(&self, companion: &Ident) -> TokenStream {
        let plan = self.plan;
        let mut companion = companion.clone();
        companion.set_span(located(companion.span()));
        let cfgs = &plan.attrs.companion;
        let function = &plan.sig.ident;
        let companion_type = self.companion_type(&companion);

        let place = Place {
            slot: quote!(Self::__cacheback_slot),
            body: quote!(Self::__cacheback_body),
            carriers: quote!(Self::__cacheback_carriers),
        };
        let turbofish = self.turbofish();
        let held = self.held();
        let hit = self.hit(&quote!(#companion::__cacheback_slot), &held);
        let wrapper = self.wrapper(quote!(), hit, quote!(#companion::entry #turbofish (#(#held),*)));
        let slot = self.slot("__cacheback_slot");
        let body = self.body("__cacheback_body");
        // In the entry, an argument of that name would be meant.
        let is_hidden = self.public_names().iter().any(|argument| argument == function);
        let shown = is_hidden.then(|| {
            let (generics, _, clause) = plan.sig.generics.split_for_impl();
            let uses = self.use_of(&quote!(#function));
            quote!(#[allow(deprecated)] fn __cacheback_function #generics () #clause { #uses })
        });
        let function = if is_hidden { quote!(Self::__cacheback_function) } else { quote!(#function) };
        let entry = self.entry_function(&Ident::new("entry", Span::call_site()), &function, &place);
        let cache_name = Ident::new("cache", Span::call_site());
        let cache = self.cache_function(&cache_name, &quote!(Self::entry), &place);
        let carriers = self.carriers("__cacheback_carriers");

        quote! {
            #wrapper

            #companion_type

            #(#cfgs)*
            impl #companion {
                #slot

                #body

                #shown

                #entry

                #carriers

                #cache
            }
        }
    }

    /// The type, which no docs show. An inlined import of the function would show it, and would make each link to the function
    /// ambiguous, unless it is not exported.
    fn companion_type(&self, companion: &Ident) -> TokenStream {
        let vis = companion_vis(&self.plan.vis);
        let cfgs = &self.plan.attrs.companion;
        if !matches!(self.plan.vis, Visibility::Public(_)) {
            return quote!(#(#cfgs)* #[doc(hidden)] #vis enum #companion {});
        }
        quote! {
            #(#cfgs)*
            #[doc(hidden)]
            #[cfg(not(doc))]
            #[non_exhaustive]
            #vis enum #companion {}

            #(#cfgs)*
            #[doc(hidden)]
            #[cfg(doc)]
            pub(crate) enum #companion {}
        }
    }

    /// The method, and beside it functions that hold the rest.
    pub(super) fn beside_a_method(&self, methods: &Methods) -> TokenStream {
        let Methods { entry, cache, slot, body, carriers } = methods;
        let shown = |ident: &Ident| Ident::new(&ident.to_string(), self.here);
        let (entry, cache) = (shown(entry), shown(cache));
        let cfgs = &self.plan.attrs.companion;
        let function = &self.plan.sig.ident;

        let place =
            Place { slot: quote!(Self::#slot), body: quote!(Self::#body), carriers: quote!(Self::#carriers) };
        let turbofish = self.turbofish();
        let held = self.held();
        let hit = self.hit(&place.slot, &held);
        let wrapper = self.wrapper(quote!(), hit, quote!(Self::#entry #turbofish (#(#held),*)));
        let slot = self.slot(&slot.to_string());
        let body = self.body(&body.to_string());
        let served = quote!(Self::#entry);
        let entry = self.entry_function(&entry, &quote!(Self::#function), &place);
        let cache = self.cache_function(&cache, &served, &place);
        let carriers = self.carriers(&carriers.to_string()).map(|carriers| {
            quote! {
                #(#cfgs)*
                #[doc(hidden)]
                #[allow(dead_code)]
                #carriers
            }
        });
        // The compiler tells of all dead code in an `impl` at once, unless its level differs, and tells nothing if some of
        // it stands in code that is not the user's. At a level of their own these silence nobody else. What is allowed
        // counts as used, with all that it uses: that may be the body, but not the entry, which uses the function.
        let arguments = self.plan.sig.inputs.iter().flat_map(attrs::of_argument);
        let is_said = self.plan.attrs.entry.iter().chain(arguments).any(attrs::is_about_dead_code);
        let own_level = quote!(#[forbid(dead_code)]);
        let unless_said = (!is_said).then_some(&own_level);

        quote! {
            #wrapper

            #(#cfgs)*
            #[doc(hidden)]
            #unless_said
            #slot

            #(#cfgs)*
            #[doc(hidden)]
            #[allow(dead_code)]
            #body

            #(#cfgs)*
            #unless_said
            #entry

            #carriers

            #(#cfgs)*
            #own_level
            #cache
        }
    }

    /// The function alone, with everything inside of it.
    pub(super) fn alone(&self) -> TokenStream {
        let place = Place {
            slot: quote!(__cacheback_slot),
            body: quote!(__cacheback_body),
            carriers: quote!(__cacheback_carriers),
        };
        let slot = self.slot("__cacheback_slot");
        let body = self.body("__cacheback_body");
        let held = self.held();
        let hit = self.hit(&place.slot, &held);
        let entry = self.entry(&place, &held);
        self.wrapper(quote!(#slot #body), hit, quote!({ #entry }))
    }

    /// The public function that gives the whole cache.
    fn cache_function(&self, name: &Ident, entry: &TokenStream, place: &Place) -> TokenStream {
        let vis = companion_vis(&self.plan.vis);
        let docs = format!(" The cache of {}.", self.link());
        let krate = self.paths.krate(self.here);
        let slot = &place.slot;
        let cache = if self.plan.in_impl { quote!(cache_of_method::<Self>) } else { quote!(cache) };
        let cache =
            self.queued_cache(entry, place).unwrap_or_else(|| quote!(#krate::__private::#cache(#slot())));
        quote! {
            #[doc = #docs]
            #[must_use]
            #vis fn #name() -> #krate::CacheRef {
                #cache
            }
        }
    }

    /// The function in the docs of what stands beside it.
    pub(super) fn link(&self) -> String {
        let name = self.plan.sig.ident.unraw();
        if self.plan.in_impl { format!("[`{name}`](Self::{name})") } else { format!("[`{name}`](fn@{name})") }
    }
}

/// A visibility at which no lint about `pub` fires: the lint fires at the function already.
pub(super) fn companion_vis(vis: &Visibility) -> Visibility {
    match vis {
        Visibility::Public(token) => Visibility::Public(syn::Token![pub](located(token.span))),
        Visibility::Restricted(restricted) => {
            let mut restricted = restricted.clone();
            restricted.pub_token.span = located(restricted.pub_token.span);
            Visibility::Restricted(restricted)
        }
        Visibility::Inherited => Visibility::Inherited,
    }
}
