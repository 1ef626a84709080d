//! Renames `self` in code that is moved out of the method: an option's expression, and the body of a method that can have no
//! function beside it.
//!
//! Only a `self` that can only be the receiver is renamed. A nested item has a `self` of its own, `self::path` is a module, and
//! a macro whose tokens hold an `fn` may mean either: a `self` that is left captures the caller's, and the compiler
//! refuses that.

#[cfg(test)]
mod tests;

use proc_macro2::{Group, Spacing, Span, TokenStream, TokenTree};
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, Ident, Item, Macro, Path};

use crate::error::Errors;

/// The new name of `self`, with this span.
pub(crate) fn name(span: Span) -> Ident {
    Ident::new("__cacheback_self", Span::call_site().located_at(span))
}

/// Renames `self` in an option's expression.
pub(crate) fn in_expr(mut expr: Expr, errors: &mut Errors) -> Expr {
    Rename(errors).visit_expr_mut(&mut expr);
    expr
}

/// Renames `self` in a body.
pub(crate) fn in_body(body: &Group, errors: &mut Errors) -> TokenStream {
    match syn::parse2::<Block>(TokenTree::from(body.clone()).into()) {
        Ok(mut block) => {
            Rename(errors).visit_block_mut(&mut block);
            quote::ToTokens::into_token_stream(block)
        }
        Err(error) => {
            errors.push(error);
            TokenStream::new()
        }
    }
}

struct Rename<'e>(&'e mut Errors);

impl VisitMut for Rename<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        if let Some(ident) = path.get_ident().filter(|ident| *ident == "self") {
            *path = name(ident.span()).into();
        } else {
            visit_mut::visit_path_mut(self, path);
        }
    }

    fn visit_item_mut(&mut self, item: &mut Item) {
        // A macro of the body's own may mean the receiver. So may `select! {}`, which looks like an item.
        if let Item::Macro(item) = item {
            self.visit_macro_mut(&mut item.mac);
        }
    }

    fn visit_macro_mut(&mut self, mac: &mut Macro) {
        if !has_function(mac.tokens.clone()) {
            mac.tokens = self.tokens(std::mem::take(&mut mac.tokens));
        }
    }
}

impl Rename<'_> {
    fn tokens(&mut self, tokens: TokenStream) -> TokenStream {
        let mut renamed = Vec::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let is_module = matches!(
                tokens.peek(),
                Some(TokenTree::Punct(next)) if next.as_char() == ':' && next.spacing() == Spacing::Joint
            );
            renamed.push(match token {
                TokenTree::Ident(ident) if ident == "self" && !is_module => name(ident.span()).into(),
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), self.tokens(group.stream()));
                    inner.set_span(group.span());
                    inner.into()
                }
                TokenTree::Literal(literal) => {
                    self.check(&literal.to_string(), literal.span());
                    literal.into()
                }
                other => other,
            });
        }
        renamed.into_iter().collect()
    }

    /// A capture in a string cannot be renamed: the string may not be a format string.
    fn check(&mut self, literal: &str, span: Span) {
        let unescaped = literal.replace("{{", "");
        if unescaped.contains("{self}") || unescaped.contains("{self:") {
            self.0.at(
                span,
                "a string that captures `self` cannot go to a fetch, where `self` has another name\n\
                 write `{}`, and `self` behind the string",
            );
        }
    }
}

fn has_function(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "fn",
        TokenTree::Group(group) => has_function(group.stream()),
        _ => false,
    })
}
