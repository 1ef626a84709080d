//! From the plan to tokens. No decision is made here.
//!
//! What is invented resolves where the attribute stands, and is shown at the user's token that it is about, so
//! that type errors land there.

mod parts;
#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Visibility};

use self::parts::{Paths, invented, located, numbered};
use crate::attrs::SIGNATURE_LINTS;
use crate::key::Part;
use crate::plan::{Empty, Name, Plan};

/// The expansion.
pub(crate) fn tokens(plan: &Plan) -> TokenStream {
    let expansion = Expansion::new(plan);
    match &plan.companion {
        Some(companion) => expansion.with_companion(companion),
        None => expansion.alone(),
    }
}

/// A plan and what its tokens share.
struct Expansion<'a> {
    plan: &'a Plan,
    paths: Paths,
    /// At the function's name.
    here: Span,
    /// At the return type, or at the function's name.
    at_output: Span,
    output: TokenStream,
}

impl<'a> Expansion<'a> {
    fn new(plan: &'a Plan) -> Self {
        let here = located(plan.sig.ident.span());
        let at_output = plan.output.as_ref().map_or(here, |ty| located(ty.span()));
        let output = plan.output.as_ref().map_or_else(|| quote_spanned!(here=> ()), |ty| quote!(#ty));
        Expansion { plan, paths: Paths::new(plan.krate.as_ref()), here, at_output, output }
    }

    /// The function, and beside it a type of the same name that holds the rest.
    fn with_companion(&self, companion: &Ident) -> TokenStream {
        let plan = self.plan;
        let vis = companion_vis(&plan.vis);
        let mut companion = companion.clone();
        companion.set_span(located(companion.span()));
        let cfgs = &plan.attrs.companion;
        let entry_attrs = &plan.attrs.entry;
        let signature_lints = signature_lints();
        let krate = self.paths.krate(self.here);
        let private = self.paths.private(self.here);
        let function = &plan.sig.ident;

        let hit = self.hit(&quote!(#companion::__cacheback_slot()));
        let bound = self.bound();
        let wrapper = self.wrapper(quote!(), hit, quote!(#companion::entry(#(#bound),*)));
        let slot = self.slot();
        let body = self.body();
        let parameters = self.parameters();
        let names = self.public_names();
        let computed = self.computed();
        let entry = self.entry(&quote!(Self::), &names);
        let imports = self.imports();
        let output = &self.output;
        let link = format!("[`{0}`](fn@{0})", syn::ext::IdentExt::unraw(&plan.sig.ident));
        let entry_docs = format!(" The entry of these arguments of {link}.");
        let cache_docs = format!(" The cache of {link}.");

        quote! {
            #wrapper

            #(#cfgs)*
            #[doc(hidden)]
            #vis enum #companion {}

            #(#cfgs)*
            impl #companion {
                #[doc(hidden)]
                #slot

                #body

                // Who uses the entry uses the function. Not in the entry: an argument may have the function's name.
                #[allow(deprecated)]
                fn __cacheback_function() {
                    let _ = #function;
                }

                #[doc = #entry_docs]
                #[must_use]
                #[allow(clippy::needless_pass_by_value, clippy::ptr_arg, #signature_lints)]
                #(#entry_attrs)*
                #vis fn entry(#parameters) -> #krate::Entry<#output> {
                    let _ = Self::__cacheback_function;
                    #imports
                    #computed
                    #entry
                }

                #[doc = #cache_docs]
                #[must_use]
                #vis fn cache() -> #krate::CacheRef {
                    #private::cache(Self::__cacheback_slot())
                }
            }
        }
    }

    /// The function alone, with everything inside of it.
    fn alone(&self) -> TokenStream {
        let slot = self.slot();
        let body = self.body();
        let hit = self.hit(&quote!(__cacheback_slot()));
        let bound = self.bound();
        let entry = self.entry(&quote!(), &bound);
        self.wrapper(quote!(#slot #body), hit, quote!({ #entry }))
    }

    /// The function that callers see.
    fn wrapper(&self, items: TokenStream, hit: TokenStream, entry: TokenStream) -> TokenStream {
        let plan = self.plan;
        let attrs = &plan.attrs.public;
        let docs = plan.docs.as_ref().map(|docs| quote!(#[doc = #docs]));
        let vis = &plan.vis;
        let mut sig = plan.sig.clone();
        sig.inputs = self.parameters();
        let imports = self.imports();
        let computed = self.computed();
        let names = self.public_names();
        let bound = self.bound();
        // Moved, never borrowed: a borrow would keep the arguments in the future twice.
        let moved = (!names.is_empty()).then(|| quote!(let (#(#bound,)*) = (#(#names,)*);));
        let private = self.paths.private(Span::call_site());
        let block = quote! {
            #items
            let __cacheback_wait = {
                #imports
                #computed
                #moved
                if let ::core::option::Option::Some(__cacheback_value) = #hit {
                    return __cacheback_value;
                }
                #private::wait(#entry)
            };
            __cacheback_wait.await
        };
        let mut block = Group::new(Delimiter::Brace, block);
        block.set_span(plan.body.span());
        quote! {
            #(#attrs)*
            #docs
            #vis #sig #block
        }
    }

    /// Looks the key up.
    fn hit(&self, slot: &TokenStream) -> TokenStream {
        let shape = self.key_shape();
        let view = self.key_view(&self.bound());
        let probe = self.probe();
        let private = self.paths.private(self.here);
        let at_output = self.at_output;
        let outcome = quote_spanned!(at_output=> #probe.outcome());
        quote_spanned! {self.here=>
            #private::hit(#slot, #shape, #outcome, #private::PhantomData::<()>, #view)
        }
    }

    /// One static a function, with its name and its policy.
    fn slot(&self) -> TokenStream {
        let private = self.paths.private(Span::call_site());
        let name = match &self.plan.name {
            Name::Given(name) => quote!(#name),
            Name::Function(name) => quote!(::core::concat!(::core::module_path!(), "::", #name)),
        };
        let policy = self.constant_policy();
        quote! {
            fn __cacheback_slot() -> &'static #private::Slot {
                static SLOT: #private::Slot = #private::Slot::new(#name, #policy);
                &SLOT
            }
        }
    }

    /// The user's function, under another name.
    fn body(&self) -> TokenStream {
        let attrs = &self.plan.attrs.body;
        let mut sig = self.plan.sig.clone();
        sig.ident = Ident::new("__cacheback_body", self.here);
        let block = &self.plan.body;
        let signature_lints = signature_lints();
        quote!(#[allow(#signature_lints)] #(#attrs)* #sig #block)
    }

    /// The entry, for a wait or for the handle. `place` is where slot and body are, `names` what the arguments
    /// are called there.
    fn entry(&self, place: &TokenStream, names: &[Ident]) -> TokenStream {
        let here = self.here;
        let private = self.paths.private(here);
        let (shape, view) = (self.key_shape(), self.key_view(names));
        let probe = self.probe();
        let site = self.site(place);
        let owned = if self.plan.key_is_arguments {
            quote_spanned!(here=> #private::args_of_key())
        } else {
            let shapes = self.argument_shapes();
            quote_spanned!(here=> #private::own_args(#private::PhantomData::<#shapes>, (#(&#names,)*)))
        };
        quote_spanned! {here=>
            let __cacheback_probe = &#probe;
            #site
            #private::entry(
                #place __cacheback_slot(),
                #shape,
                #private::PhantomData::<()>,
                #view,
                __cacheback_site,
                #owned,
            )
        }
    }

    /// How this function is fetched, and what only it can say: one statement an option, each at its own token.
    fn site(&self, place: &TokenStream) -> TokenStream {
        let plan = self.plan;
        let (here, at_output) = (self.here, self.at_output);
        let private = self.paths.private(here);
        let shapes = self.argument_shapes();
        let outcome = quote_spanned!(at_output=> __cacheback_probe.outcome());
        let fetch = self.fetch(place);
        let mut tokens = quote_spanned! {here=>
            let __cacheback_site = #private::Site::new(#private::PhantomData::<#shapes>, #outcome, #fetch);
        };
        let mut add = |at: Span, option: &str, value: TokenStream| {
            let option = Ident::new(option, at);
            tokens.extend(quote_spanned!(at=> let __cacheback_site = __cacheback_site.#option(#value);));
        };
        match &plan.share_err {
            Some(closure) => add(located(closure.span()), "share_err", quote!(#closure)),
            None => add(at_output, "share", quote_spanned!(at_output=> (&__cacheback_probe).share())),
        }
        add(at_output, "describe", quote_spanned!(at_output=> __cacheback_probe.describe()));
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
            add(located(closure.span()), "lifetime_for", quote!(#closure));
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

    /// Runs the body with arguments lent from the owned ones.
    fn fetch(&self, place: &TokenStream) -> TokenStream {
        let here = self.here;
        let private = self.paths.private(here);
        if self.plan.arguments.is_empty() {
            return quote_spanned!(here=> |_| #private::Box::pin(#place __cacheback_body()));
        }
        let bound = self.bound();
        let lent = self.plan.arguments.iter().map(|argument| self.lease(argument));
        quote_spanned! {here=>
            |__cacheback_args| #private::Box::pin(async move {
                let (#(#bound,)*) = &*__cacheback_args;
                #place __cacheback_body(#(#lent),*).await
            })
        }
    }

    /// What tells outcomes apart.
    fn probe(&self) -> TokenStream {
        let private = self.paths.private(self.at_output);
        let output = &self.output;
        quote_spanned!(self.at_output=> #private::Probe::<#output>::NEW)
    }

    /// The traits whose methods are found on a probe. Which of them are used depends on the types.
    fn imports(&self) -> TokenStream {
        let private = self.paths.private(Span::call_site());
        quote! {
            use #private::{
                AnyOutcome as _, ByArcProbe as _, ByCloneProbe as _, DebugProbe as _, NoShareProbe as _,
                OpaqueProbe as _,
            };
        }
    }

    /// The computed parts of the key, evaluated.
    fn computed(&self) -> TokenStream {
        let mut tokens = TokenStream::new();
        for (place, part) in self.plan.key.parts.iter().enumerate() {
            if let Part::Computed(expr) = part {
                let name = invented("k", place);
                tokens.extend(quote!(let #name = #expr;));
            }
        }
        tokens
    }

    /// What the arguments are called on the public functions.
    fn public_names(&self) -> Vec<Ident> {
        self.plan.arguments.iter().map(|argument| self.public_name(argument)).collect()
    }

    /// The wrapper's own names for its arguments.
    fn bound(&self) -> Vec<Ident> {
        self.plan.arguments.iter().map(|argument| numbered(argument.index)).collect()
    }
}

/// What clippy has said of the signature at the public function already.
fn signature_lints() -> TokenStream {
    let names = SIGNATURE_LINTS.iter().map(|name| Ident::new(name, Span::call_site()));
    quote!(#(clippy::#names),*)
}

/// A visibility that no lint about `pub` fires at: one is enough, at the function.
fn companion_vis(vis: &Visibility) -> Visibility {
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
