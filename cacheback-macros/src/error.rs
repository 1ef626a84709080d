//! Collects the errors of one attribute, so that the user sees all of them at once.

pub(crate) mod text;

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Errors in the order they were found, each at its own token.
#[derive(Debug, Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    /// An error at one span.
    pub(crate) fn at(&mut self, span: Span, message: impl Display) {
        self.0.push(syn::Error::new(span, message));
    }

    /// An error that underlines all of `tokens`.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.0.push(syn::Error::new_spanned(tokens, message));
    }

    /// An error that another stage, or syn, has already made.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// One `compile_error!` for each.
    pub(crate) fn to_compile_errors(&self) -> TokenStream {
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }

    /// One a line: the token it stands at, and the lines of its message.
    #[cfg(test)]
    pub(crate) fn listed(&self) -> String {
        let line = |error: syn::Error| {
            let at = error.span().source_text().unwrap_or_default();
            format!("[{at}] {}\n", error.to_string().replace('\n', " / "))
        };
        self.0.iter().flat_map(|error| error.clone().into_iter()).map(line).collect()
    }
}

/// An error at one span, from what reads tokens.
pub(crate) fn refuse<T>(span: Span, message: impl Display) -> syn::Result<T> {
    Err(syn::Error::new(span, message))
}
