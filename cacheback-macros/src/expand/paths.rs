//! Generated paths and names, and their spans.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{Ident, Path};

/// The path of the facade in generated code.
pub(super) struct Paths(TokenStream);

impl Paths {
    pub(super) fn new(krate: Option<&Path>) -> Self {
        Paths(krate.map_or_else(|| quote!(::cacheback), Path::to_token_stream))
    }

    /// The facade, shown at `span`.
    pub(super) fn krate(&self, span: Span) -> TokenStream {
        shown_at(self.0.clone(), span)
    }

    /// The name under which each generated function imports `__private`, with this span. It is short because it stands in
    /// nearly every line.
    pub(super) fn private(&self, span: Span) -> Ident {
        Ident::new("__cb", span)
    }
}

/// A span that resolves as generated code and points at the user's code.
pub(super) fn located(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// `__cacheback_0`
pub(super) fn numbered(index: usize) -> Ident {
    format_ident!("__cacheback_{index}", span = Span::call_site())
}

/// `__cacheback_k0`
pub(super) fn invented(kind: &str, index: usize) -> Ident {
    format_ident!("__cacheback_{kind}{index}", span = Span::call_site())
}

/// The same tokens, which resolve as before and point at `span`.
fn shown_at(tokens: TokenStream, span: Span) -> TokenStream {
    let shown = |mut token: TokenTree| {
        let at = token.span().located_at(span);
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), shown_at(group.stream(), span)).into();
        }
        token.set_span(at);
        token
    };
    tokens.into_iter().map(shown).collect()
}
