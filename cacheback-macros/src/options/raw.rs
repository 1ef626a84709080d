//! One option as it is written: its name, and a value that nobody has looked at.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Expr, Ident, Lit, Token, token};

use crate::error::refuse;
use crate::error::text::readable;

/// An option whose value nobody has looked at.
pub(super) struct Raw {
    pub(super) name: Ident,
    pub(super) form: Form,
}

/// How an option is given its value.
pub(super) enum Form {
    /// `name`
    Flag,
    /// `name = expression`
    Expr(Expr),
    /// `name(..)`
    List(TokenStream),
}

impl Form {
    /// A value as a user would write it again: not a closure, which takes other arguments elsewhere.
    pub(super) fn written(&self) -> Option<String> {
        match self {
            Form::Flag | Form::Expr(Expr::Closure(_)) => None,
            Form::Expr(expr) => Some(readable(expr)),
            Form::List(tokens) => Some(readable(tokens)).filter(|text| !text.is_empty()),
        }
    }

    /// The expression of `name = expression`.
    pub(super) fn expr(self, name: &Ident) -> syn::Result<Expr> {
        match self {
            Form::Expr(expr) => Ok(expr),
            Form::List(tokens) if !tokens.is_empty() => {
                refuse(name.span(), format!("`{name}` takes its value after `=`\nwrite `{name} = {tokens}`"))
            }
            _ => refuse(name.span(), format!("`{name}` has no value\nwrite `{name} = ..`")),
        }
    }
}

/// The next option.
pub(super) fn parse_option(input: ParseStream) -> syn::Result<Raw> {
    if input.peek(Lit) {
        let lit: Lit = input.parse()?;
        let shown = quote::quote!(#lit).to_string();
        return Err(syn::Error::new(lit.span(), format!("options have names\nwrite `lifetime = {shown}`")));
    }
    let name = Ident::parse_any(input).map_err(|error| {
        syn::Error::new(error.span(), "expected an option\nwrite for example `lifetime = 600`")
    })?;
    let form = if input.peek(Token![=]) {
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(equals.span, format!("`{name}` has no value\nwrite `{name} = ..`")));
        }
        Form::Expr(input.parse()?)
    } else if input.peek(Token![:]) {
        return Err(input.error(format_args!("an option takes its value after `=`\nwrite `{name} = ..`")));
    } else if input.peek(token::Paren) {
        let content;
        syn::parenthesized!(content in input);
        Form::List(content.parse()?)
    } else {
        Form::Flag
    };
    Ok(Raw { name, form })
}

/// The comma between two options.
pub(super) fn parse_comma(input: ParseStream) -> syn::Result<()> {
    match input.parse::<Token![,]>() {
        Ok(_) => Ok(()),
        Err(_) => Err(input.error("expected `,` between two options, or `=` before a value")),
    }
}

/// Skips what could not be read, up to the next thing that looks like an option.
pub(super) fn recover(input: ParseStream) {
    while !input.is_empty() && !at_option(input) {
        let comma = input.peek(Token![,]);
        if input.parse::<TokenTree>().is_err() || (comma && at_option(input)) {
            return;
        }
    }
}

fn at_option(input: ParseStream) -> bool {
    let next = |peek2: bool| input.peek(Ident::peek_any) && peek2;
    next(input.peek2(Token![=]) && !input.peek2(Token![==])) || next(input.peek2(token::Paren))
}
