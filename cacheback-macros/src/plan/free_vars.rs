//! The arguments that an option's expression mentions. A macro knows only the tokens: a word that is wrongly taken for an
//! argument costs an unused binding, while one that is missed would not compile.

#[cfg(test)]
mod tests;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::Ident;
use syn::ext::IdentExt;

use crate::error::Errors;
use crate::error::text::readable;
use crate::function::signature::Argument;

/// The indices of the arguments that `tokens` mention, in the order of the signature.
///
/// A binding inside of a pattern is an error: outside of the body it does not exist.
pub(crate) fn arguments(tokens: &impl ToTokens, arguments: &[Argument], errors: &mut Errors) -> Vec<usize> {
    let mut words = Vec::new();
    collect(tokens.to_token_stream(), &mut words);

    for word in &words {
        let Some(ident) = &word.ident else { continue };
        let in_pattern = |argument: &&Argument| argument.bindings.iter().any(|binding| same(binding, word));
        if let Some(argument) = arguments.iter().find(in_pattern) {
            let ty = &argument.ty;
            errors.at(
                ident.span(),
                format_args!(
                    "`{ident}` is bound inside of a pattern, which only the function's body sees\n\
                     give the argument a name: `name: {}`, and take it apart in the body",
                    readable(ty)
                ),
            );
        }
    }
    let mentioned = |argument: &&Argument| {
        argument.name.as_ref().is_some_and(|name| words.iter().any(|word| same(name, word)))
    };
    arguments.iter().filter(mentioned).map(|argument| argument.index).collect()
}

/// Whether `tokens` mention `Self` or one of these type and const parameters.
pub(crate) fn generics(tokens: &impl ToTokens, parameters: &[Ident]) -> bool {
    let mut words = Vec::new();
    collect(tokens.to_token_stream(), &mut words);
    words.iter().any(|word| word.text == "Self" || parameters.iter().any(|parameter| same(parameter, word)))
}

/// A word of an expression: an identifier, or a name inside of a format string.
struct Word {
    text: String,
    ident: Option<Ident>,
}

fn same(name: &Ident, word: &Word) -> bool {
    name.unraw() == word.text
}

/// All words of `tokens` that may be variables: not those behind `.` or `::`.
fn collect(tokens: TokenStream, words: &mut Vec<Word>) {
    let mut dots = 0;
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Punct(punct) => {
                dots = if punct.as_char() == '.' { dots + 1 } else { 0 };
                colons = if punct.as_char() == ':' { colons + 1 } else { 0 };
                continue;
            }
            // One dot is a field or a method, two are a range up to the word.
            TokenTree::Ident(ident) if dots != 1 && colons != 2 => {
                words.push(Word { text: ident.unraw().to_string(), ident: Some(ident) });
            }
            TokenTree::Ident(_) => {}
            TokenTree::Group(group) => collect(group.stream(), words),
            TokenTree::Literal(literal) => collect_captures(&literal.to_string(), words),
        }
        dots = 0;
        colons = 0;
    }
}

/// The words of a string that may be a format string: `{name}`, `{:name$}`.
fn collect_captures(literal: &str, words: &mut Vec<Word>) {
    if !literal.contains('{') {
        return;
    }
    let is_word = |char: char| char == '_' || char.is_alphanumeric();
    for text in literal.split(|char| !is_word(char)).filter(|text| !text.is_empty()) {
        words.push(Word { text: text.to_owned(), ident: None });
    }
}
