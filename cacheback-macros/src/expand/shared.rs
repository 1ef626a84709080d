//! The second tier of a function: how its keys and values become bytes, and its options.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Ident;
use syn::spanned::Spanned;

use super::Expansion;
use super::paths::located;
use crate::plan::{Setting, Shared};

impl Expansion<'_> {
    /// The site of a shared function: a question for each part of its key and one for its value, with the spans of these,
    /// and one call for each option.
    pub(super) fn shared(&self, shared: &Shared, names: &[Ident]) -> TokenStream {
        let at_output = self.at_output;
        let parts = self.shared_parts(names);
        let private = self.paths.private(at_output);
        let key = quote_spanned!(at_output=> (&#private::shared_parts((#(#parts,)*))).__cacheback_encoded());
        let outcome = quote_spanned!(at_output=> __cacheback_probe.__cacheback_outcome());
        let mut tokens = quote_spanned!(at_output=> #private::shared(#key, #outcome));
        let mut add = |at: Span, option: &str, value: TokenStream| {
            let option = Ident::new(option, at);
            tokens.extend(quote_spanned!(at=> .#option(#value)));
        };
        if let Some(alias) = &shared.alias {
            add(located(shared.at), "alias", quote_spanned!(alias.span()=> #alias));
        }
        if let Some((version, at)) = self.version(shared) {
            add(at, "version", version);
        }
        if let Some(queue) = &shared.queue {
            let name = &queue.name;
            add(located(queue.at), "queue", quote_spanned!(name.span()=> #name));
        }
        tokens
    }

    /// The version, as a closure, and where it stands.
    pub(super) fn version(&self, shared: &Shared) -> Option<(TokenStream, Span)> {
        let (version, at) = match shared.version.as_ref()? {
            Setting::Fixed(version, at) => (self.literal(*version, located(*at)), located(*at)),
            Setting::Expr(version) => (self.evaluated(version), located(version.expr.span())),
        };
        Some((quote_spanned!(at=> || #version), at))
    }
}
