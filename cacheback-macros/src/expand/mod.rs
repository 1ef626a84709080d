//! From the plan to tokens. No decision is made here.
//!
//! What is invented resolves where the attribute stands, and is shown at the user's token that it is about, so
//! that type errors land there.

mod lints;
mod parts;
mod stand_in;
#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Ident, Type, Visibility};

use self::lints::shadowing;
use self::parts::{Paths, begun_with, invented, lent, located, numbered};
use crate::function::attrs;
use crate::function::shape;
use crate::plan::key::Part;
use crate::plan::{Body, Companion, Empty, Methods, Name, Plan, Setting};

/// The expansion.
pub(crate) fn tokens(plan: &Plan) -> TokenStream {
    let expansion = Expansion::new(plan);
    match &plan.companion {
        Companion::Type(companion) => expansion.beside_a_function(companion),
        Companion::Methods(methods) => expansion.beside_a_method(methods),
        Companion::Nothing => expansion.alone(),
    }
}

/// What stands beside the function if its attribute is refused.
pub(crate) fn stand_ins(plan: &Plan) -> TokenStream {
    Expansion::new(plan).stand_ins()
}

/// How an entry reaches what the function has one of.
struct Place {
    /// The path of the function that gives the slot.
    slot: TokenStream,
    /// The path of the function that holds the body, where one does.
    body: TokenStream,
}

/// A plan and what its tokens share.
struct Expansion<'a> {
    plan: &'a Plan,
    paths: Paths,
    /// At the function's name.
    here: Span,
    /// At the return type, of a `Result` at what is kept, or at the function's name.
    at_output: Span,
    /// At the error of a `Result`, or at the return type.
    at_error: Span,
    output: TokenStream,
}

impl<'a> Expansion<'a> {
    fn new(plan: &'a Plan) -> Self {
        let here = located(plan.sig.ident.span());
        let result = plan.output.as_ref().and_then(shape::parts_of_result);
        let shown_at = |ty: Option<&Type>| ty.map_or(here, |ty| located(shape::shown_at(ty)));
        let at_output = shown_at(result.map(|(value, _)| value).or(plan.output.as_ref()));
        let at_error = shown_at(result.and_then(|(_, error)| error).or(plan.output.as_ref()));
        let output = plan.output.as_ref().map_or_else(|| quote_spanned!(here=> ()), |ty| quote!(#ty));
        Expansion { plan, paths: Paths::new(plan.krate.as_ref()), here, at_output, at_error, output }
    }

    /// The function, and beside it a type of the same name that holds the rest.
    fn beside_a_function(&self, companion: &Ident) -> TokenStream {
        let plan = self.plan;
        let mut companion = companion.clone();
        companion.set_span(located(companion.span()));
        let cfgs = &plan.attrs.companion;
        let function = &plan.sig.ident;
        let companion_type = self.companion_type(&companion);

        let place = Place { slot: quote!(Self::__cacheback_slot), body: quote!(Self::__cacheback_body) };
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
        let cache = self.cache_function(&Ident::new("cache", Span::call_site()), &place);

        quote! {
            #wrapper

            #companion_type

            #(#cfgs)*
            impl #companion {
                #slot

                #body

                #shown

                #entry

                #cache
            }
        }
    }

    /// The type, which no docs show. An inlined import of the function would show it, and make each link to the function
    /// ambiguous: what is not exported is left out there too.
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
    fn beside_a_method(&self, methods: &Methods) -> TokenStream {
        let Methods { entry, cache, slot, body } = methods;
        let shown = |ident: &Ident| Ident::new(&ident.to_string(), self.here);
        let (entry, cache) = (shown(entry), shown(cache));
        let cfgs = &self.plan.attrs.companion;
        let function = &self.plan.sig.ident;

        let place = Place { slot: quote!(Self::#slot), body: quote!(Self::#body) };
        let turbofish = self.turbofish();
        let held = self.held();
        let hit = self.hit(&place.slot, &held);
        let wrapper = self.wrapper(quote!(), hit, quote!(Self::#entry #turbofish (#(#held),*)));
        let slot = self.slot(&slot.to_string());
        let body = self.body(&body.to_string());
        let entry = self.entry_function(&entry, &quote!(Self::#function), &place);
        let cache = self.cache_function(&cache, &place);
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

            #(#cfgs)*
            #own_level
            #cache
        }
    }

    /// The function alone, with everything inside of it.
    fn alone(&self) -> TokenStream {
        let place = Place { slot: quote!(__cacheback_slot), body: quote!(__cacheback_body) };
        let slot = self.slot("__cacheback_slot");
        let body = self.body("__cacheback_body");
        let held = self.held();
        let hit = self.hit(&place.slot, &held);
        let entry = self.entry(&place, &held);
        self.wrapper(quote!(#slot #body), hit, quote!({ #entry }))
    }

    /// The public function that makes an entry of `function`.
    fn entry_function(&self, name: &Ident, function: &TokenStream, place: &Place) -> TokenStream {
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
        quote! {
            #[doc = #docs]
            #[must_use]
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

    /// Who uses the entry uses the function, for the lints about what nobody uses.
    fn use_of(&self, function: &TokenStream) -> Option<TokenStream> {
        let turbofish = self.turbofish();
        self.can_be_referred_to().then(|| quote!(let _ = #function #turbofish;))
    }

    /// The public function that gives the whole cache.
    fn cache_function(&self, name: &Ident, place: &Place) -> TokenStream {
        let vis = companion_vis(&self.plan.vis);
        let docs = format!(" The cache of {}.", self.link());
        let krate = self.paths.krate(self.here);
        let slot = &place.slot;
        let cache = if self.plan.in_impl { quote!(cache_of_method::<Self>) } else { quote!(cache) };
        quote! {
            #[doc = #docs]
            #[must_use]
            #vis fn #name() -> #krate::CacheRef {
                #krate::__private::#cache(#slot())
            }
        }
    }

    /// The function in the docs of what stands beside it.
    fn link(&self) -> String {
        let name = self.plan.sig.ident.unraw();
        if self.plan.in_impl { format!("[`{name}`](Self::{name})") } else { format!("[`{name}`](fn@{name})") }
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
        let marker = self.scope_marker();
        // Moved, never borrowed: a borrow would keep the arguments in the future twice. A receiver keeps its name for the
        // computed parts, and so it stays.
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
    fn hit(&self, slot: &TokenStream, names: &[Ident]) -> TokenStream {
        let key = self.key(names);
        let instance = self.instance(slot, names);
        let probe = self.probe();
        let private = self.paths.private(self.at_output);
        // All of it at the output: what is wrong with that is said at one place.
        quote_spanned!(self.at_output=> #private::hit(#instance, #key, #probe.__cacheback_outcome()))
    }

    /// One static a function, with its name and its policy.
    fn slot(&self, name: &str) -> TokenStream {
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

    /// The user's function, under another name; nothing where it is inline.
    fn body(&self, name: &str) -> TokenStream {
        let attrs = &self.plan.attrs.body;
        let mut sig = self.plan.sig.clone();
        sig.ident = Ident::new(name, self.here);
        let lints = self.body_lints();
        let Body::Function(block) = &self.plan.body else { return TokenStream::new() };
        let used: TokenStream =
            self.plan.arguments.iter().filter_map(|argument| self.use_of_argument(argument)).collect();
        let block = if used.is_empty() { block.clone() } else { begun_with(&used, block) };
        quote!(#lints #(#attrs)* #sig #block)
    }

    /// The entry, for a wait or for the handle. `names` is what the arguments are called there.
    fn entry(&self, place: &Place, names: &[Ident]) -> TokenStream {
        let here = self.here;
        let private = self.paths.private(self.at_output);
        let key = self.key(names);
        let instance = self.instance(&place.slot, names);
        let probe = self.probe();
        let site = self.site(place, names);
        // At the output, as in `hit`.
        let call = if self.plan.key_is_arguments {
            quote_spanned!(self.at_output=> #private::entry(#instance, #key, __cacheback_site))
        } else {
            let args = self.args(names);
            quote_spanned!(self.at_output=> #private::entry_of(#instance, #key, #args, __cacheback_site))
        };
        quote_spanned! {here=>
            let __cacheback_probe = &#probe;
            #site
            #call
        }
    }

    /// How this function is fetched, and what only it can say: one statement an option, each at its own token.
    fn site(&self, place: &Place, names: &[Ident]) -> TokenStream {
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

    /// Runs the body with arguments lent from the owned ones.
    fn fetch(&self, place: &Place) -> TokenStream {
        let here = self.here;
        let private = self.paths.private(here);
        let (body, turbofish) = (&place.body, self.turbofish());
        let bound = self.bound();
        let run = match &self.plan.body {
            Body::Inline(block) => self.inline(block),
            Body::Function(_) if bound.is_empty() => {
                return quote_spanned!(here=> |_| #private::Box::pin(#body #turbofish ()));
            }
            Body::Function(_) => {
                let lent = self.plan.arguments.iter().map(lent);
                quote_spanned!(here=> #body #turbofish (#(#lent),*).await)
            }
        };
        let taken = (!bound.is_empty())
            .then(|| quote_spanned!(here=> let (#(#bound,)*) = __cacheback_args.__cacheback_lend();));
        let args = if bound.is_empty() { quote!(_) } else { quote!(__cacheback_args) };
        quote_spanned! {here=>
            |#args| #private::Box::pin(async move {
                #taken
                #run
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
        let krate = self.paths.krate(Span::call_site());
        let private = self.paths.private(Span::call_site());
        quote!(use #krate::__private::{self as #private, probes::*};)
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

    /// Whether the function can be named without a call: not where only the type of an argument says which one.
    fn can_be_referred_to(&self) -> bool {
        self.plan.arguments.iter().all(|argument| !argument.is_inferred())
    }

    /// What the arguments are called on the public functions.
    fn public_names(&self) -> Vec<Ident> {
        self.plan.arguments.iter().map(|argument| self.public_name(argument)).collect()
    }

    /// What the wrapper calls its arguments: by their names where a computed part of the key does.
    fn held(&self) -> Vec<Ident> {
        let is_computed = |part: &Part| matches!(part, Part::Computed(_));
        if self.plan.key.parts.iter().any(is_computed) { self.public_names() } else { self.bound() }
    }

    /// Names of our own for the arguments.
    fn bound(&self) -> Vec<Ident> {
        self.plan.arguments.iter().map(|argument| numbered(argument.index)).collect()
    }
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
