//! A function whose refreshes workers run: how its arguments reach them, and how they make an entry of those.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt;

use super::body::lent;
use super::paths::located;
use super::{Expansion, Place};
use crate::function::signature::Argument;
use crate::plan::Queue;
use crate::plan::key::Part;

impl Expansion<'_> {
    fn queue(&self) -> Option<&Queue> {
        self.plan.shared.as_ref()?.queue.as_ref()
    }

    /// The function that says of each argument how it reaches a worker: carried by the job, or, if it is skipped,
    /// provided there.
    pub(super) fn carriers(&self, name: &str) -> Option<TokenStream> {
        let at = located(self.queue()?.at);
        let krate = self.paths.krate(self.here);
        let imports = self.imports();
        let name = Ident::new(name, at);
        let carriers = self.plan.arguments.iter().map(|argument| self.carrier(argument));
        let lint = self.plan.arguments.is_empty().then(|| quote!(#[allow(clippy::unused_unit)]));
        Some(quote! {
            #lint
            fn #name() -> impl #krate::__private::Carriers {
                #imports
                (#(#carriers,)*)
            }
        })
    }

    /// How an argument reaches a worker.
    fn carrier(&self, argument: &Argument) -> TokenStream {
        let at = located(argument.span());
        let private = self.paths.private(at);
        let shape = self.shape(argument);
        let name = match &argument.name {
            Some(name) => name.unraw().to_string(),
            None => format!("argument {}", argument.index + 1),
        };
        let key = &self.plan.key;
        let is_part = |part: &Part| matches!(part, Part::Argument(index) if *index == argument.index);
        let shape = quote_spanned!(at=> #private::of::<#shape>());
        if key.skipped.contains(&argument.index) {
            quote_spanned!(at=> #private::provided(#shape, #name))
        } else if key.parts.iter().any(is_part) {
            quote_spanned!(at=> (&#private::carried_part(#shape, #name)).__cacheback_carried())
        } else {
            quote_spanned!(at=> #private::carried(#shape, #name))
        }
    }

    /// Encodes the arguments of a call, as a closure.
    pub(super) fn carry(&self, place: &Place) -> TokenStream {
        let here = self.here;
        let private = self.paths.private(here);
        let carriers = &place.carriers;
        quote_spanned!(here=> |__cacheback_owned| #private::carry(&#carriers(), __cacheback_owned))
    }

    /// The handle that a worker can serve, if the function is queued.
    pub(super) fn queued_cache(&self, entry: &TokenStream, place: &Place) -> Option<TokenStream> {
        let queue = &self.queue()?.name;
        let here = self.here;
        let krate = self.paths.krate(here);
        let private = self.paths.private(here);
        let version = self.plan.shared.as_ref().and_then(|shared| self.version(shared));
        let version = version.map_or_else(|| quote_spanned!(here=> || 0), |(version, _)| version);
        let bound = self.bound();
        let instance = self.instance(&place.slot, &bound);
        let carriers = &place.carriers;
        let shapes = self.shapes_of_arguments(&bound);
        let taken = (!bound.is_empty())
            .then(|| quote_spanned!(here=> let (#(#bound,)*) = #private::lend(#shapes, __cacheback_owned);));
        let owned = if bound.is_empty() { quote!(_) } else { quote!(__cacheback_owned) };
        let lent = self.plan.arguments.iter().map(lent);
        Some(quote_spanned! {here=>
            use #krate::__private as #private;
            #private::queued_cache(#instance, #queue, #version, #carriers(), |#owned| {
                #taken
                #entry(#(#lent),*)
            })
        })
    }
}
