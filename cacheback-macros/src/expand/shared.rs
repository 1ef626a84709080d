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
        match &shared.version {
            Some(Setting::Fixed(version, at)) => {
                let version = self.literal(*version, located(*at));
                add(located(*at), "version", quote_spanned!(located(*at)=> || #version));
            }
            Some(Setting::Expr(version)) => {
                let at = located(version.expr.span());
                let version = self.evaluated(version);
                add(at, "version", quote_spanned!(at=> || #version));
            }
            None => {}
        }
        tokens
    }
}
