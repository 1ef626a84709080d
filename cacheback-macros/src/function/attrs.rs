//! Sorts the user's attributes: some follow the public function, some the body, some both.
//!
//! A lint must fire once: lints about the signature at the public function, lints about the code at the body.

#[cfg(test)]
mod tests;

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::token::Paren;
use syn::{Attribute, FnArg, Ident, MacroDelimiter, Meta, MetaList, Path, Token, parse_quote};

use crate::error::Errors;
use crate::function::signature;

/// Clippy's lints about nothing but a signature.
pub(crate) const SIGNATURE_LINTS: &[&str] = &[
    "fn_params_excessive_bools",
    "large_types_passed_by_value",
    "ref_option",
    "too_many_arguments",
    "trivially_copy_pass_by_ref",
];

/// Lints about a function as others see it, which fire at the public function alone.
const ITEM_LINTS: &[&str] = &[
    "dead_code",
    "missing_docs",
    "missing_errors_doc",
    "module_name_repetitions",
    "must_use_candidate",
    "redundant_pub_crate",
    "unreachable_pub",
    "wrong_self_convention",
];

/// Lints that the body alone can raise: not an option's expression, nor what repeats the signature.
const BODY_LINTS: &[&str] =
    &["await_holding_lock", "unreachable_code", "unused_assignments", "unused_mut", "unused_variables"];

/// The attributes of the function, sorted by where they go.
#[derive(Default)]
pub(crate) struct Attributes {
    /// On the function that callers see.
    pub(crate) public: Vec<Attribute>,
    /// On the function that holds the body.
    pub(crate) body: Vec<Attribute>,
    /// On the function that makes an entry, which repeats the signature, and wherever else options are evaluated. They
    /// allow something.
    pub(crate) entry: Vec<Attribute>,
    /// On the companion, which comes and goes with the function.
    pub(crate) companion: Vec<Attribute>,
    /// Whether there are docs to append to.
    pub(crate) documented: bool,
}

/// Sorts the attributes of the function `ident`.
pub(crate) fn split(attrs: &[Attribute], ident: &Ident, errors: &mut Errors) -> Attributes {
    let mut split = Attributes::default();
    let mut hidden = false;
    for attr in attrs {
        if attr.path().segments.last().is_some_and(|segment| segment.ident == "cacheback") {
            errors.on(attr, "`#[cacheback]` is on this function twice\nremove one of them");
        }
        if let Some(once) = signature::runs_once(attr) {
            errors.on(
                attr,
                format_args!(
                    "a function under `#[{once}]` runs once: from a cache it would not run at all\n\
                     annotate the functions that it calls"
                ),
            );
        }
        split.documented |= matches!(&attr.meta, Meta::NameValue(meta) if meta.path.is_ident("doc"));
        hidden |= matches!(&attr.meta, Meta::List(list) if list.path.is_ident("doc") && is_hidden(list));
        for (target, meta) in targets(&attr.meta, ident) {
            let attr = Attribute { meta, ..attr.clone() };
            match target {
                Target::Public => split.public.push(attr),
                // An allowance must not overrule an expectation that it covers.
                Target::PublicFirst => split.public.insert(0, attr),
                Target::Body => split.body.push(attr),
                Target::Entry => split.entry.push(attr),
                Target::Companion => split.companion.push(attr),
            }
        }
    }
    split.documented &= !hidden;
    split
}

#[derive(Clone, Copy, PartialEq)]
enum Target {
    Public,
    PublicFirst,
    Body,
    Entry,
    Companion,
}

/// The targets of an attribute, and its form at each.
fn targets(meta: &Meta, ident: &Ident) -> Vec<(Target, Meta)> {
    let path = meta.path();
    let first = path.segments.first().map(|segment| segment.ident.to_string()).unwrap_or_default();
    let last = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    let to = |targets: &[Target]| targets.iter().map(|target| (*target, meta.clone())).collect();
    match (path.segments.len(), last.as_str()) {
        (1, "cfg") => to(&[Target::Public, Target::Companion]),
        (1, "cfg_attr") => conditional(meta, ident).unwrap_or_else(|| to(&[Target::Public])),
        (1, "allow") => to(&[Target::Public, Target::Body, Target::Entry]),
        // The entry names the function, so that a use of the entry counts as a use of the function.
        (1, "deprecated") => {
            vec![(Target::Public, meta.clone()), (Target::Entry, parse_quote!(allow(deprecated)))]
        }
        (1, "warn" | "deny" | "forbid") => to(&[Target::Public, Target::Body]),
        (1, "expect") => expectations(meta).unwrap_or_else(|| to(&[Target::Body])),
        (_, "instrument") => vec![(Target::Body, named_span(meta, ident))],
        _ if first == "clippy" => to(&[Target::Body]),
        _ => to(&[Target::Public]),
    }
}

/// `cfg_attr(predicate, a, b)`: `a` and `b` each where it belongs.
fn conditional(meta: &Meta, ident: &Ident) -> Option<Vec<(Target, Meta)>> {
    let path = meta.path();
    let metas = arguments(meta)?;
    let (predicate, metas) = metas.split_first()?;
    let conditional = |(target, meta): (Target, Meta)| (target, list(path, &quote!(#predicate, #meta)));
    Some(metas.iter().flat_map(|meta| targets(meta, ident)).map(conditional).collect())
}

/// `expect(a, b)`: a lint that one place alone can raise is expected there. Another one may be raised at several places
/// or, in private functions, at none: it is allowed.
fn expectations(meta: &Meta) -> Option<Vec<(Target, Meta)>> {
    let expect = meta.path();
    let (reasons, lints): (Vec<Meta>, Vec<Meta>) =
        arguments(meta)?.into_iter().partition(|meta| meta.path().is_ident("reason"));
    let (public, lints): (Vec<Meta>, Vec<Meta>) = lints.into_iter().partition(is_public_lint);
    let (body, anywhere): (Vec<Meta>, Vec<Meta>) =
        lints.into_iter().partition(|lint| is_one_of(lint, BODY_LINTS));
    let with = |path: &Path, lints: &[Meta]| list(path, &quote!(#(#lints,)* #(#reasons),*));
    let allow = Path::from(Ident::new("allow", expect.segments.first()?.ident.span()));

    let mut targets = Vec::new();
    if !anywhere.is_empty() {
        let allow = with(&allow, &anywhere);
        targets
            .extend([Target::PublicFirst, Target::Body, Target::Entry].map(|target| (target, allow.clone())));
    }
    if !public.is_empty() {
        targets.push((Target::Public, with(expect, &public)));
    }
    if !body.is_empty() {
        targets.push((Target::Body, with(expect, &body)));
        targets.push((Target::PublicFirst, with(&allow, &body)));
        targets.push((Target::Entry, with(&allow, &body)));
    }
    Some(targets)
}

fn is_public_lint(lint: &Meta) -> bool {
    is_one_of(lint, ITEM_LINTS) || is_one_of(lint, SIGNATURE_LINTS)
}

fn is_one_of(lint: &Meta, names: &[&str]) -> bool {
    lint.path().segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

/// The attributes of an argument.
pub(crate) fn of_argument(input: &FnArg) -> &[Attribute] {
    match input {
        FnArg::Receiver(receiver) => &receiver.attrs,
        FnArg::Typed(typed) => &typed.attrs,
    }
}

/// The allowances at an argument, for each place that repeats it. Expectations are met at the body.
pub(crate) fn allowed_at(input: &FnArg) -> Vec<Attribute> {
    let allowed = |attr: &Attribute| {
        let name = attr.path().get_ident().filter(|name| *name == "allow" || *name == "expect")?;
        let allow = Path::from(Ident::new("allow", name.span()));
        let lints = attr.meta.require_list().ok()?;
        Some(Attribute { meta: list(&allow, &lints.tokens), ..attr.clone() })
    };
    of_argument(input).iter().filter_map(allowed).collect()
}

/// Whether a level of `dead_code` is set, or of a group that it is in.
pub(crate) fn is_about_dead_code(attr: &Attribute) -> bool {
    let in_it = |lint: &Meta| is_one_of(lint, &["dead_code", "unused", "warnings"]);
    arguments(&attr.meta).is_some_and(|metas| {
        metas.iter().any(|meta| in_it(meta) || arguments(meta).is_some_and(|inner| inner.iter().any(in_it)))
    })
}

/// `#[instrument]` would name each span after the generated function; say the user's name unless there is one.
fn named_span(meta: &Meta, ident: &Ident) -> Meta {
    let tokens = match meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) => TokenStream::new(),
        Meta::NameValue(_) => return meta.clone(),
    };
    // Whole tokens, and none within `fields(..)`.
    let top: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let is_name = |pair: &[TokenTree]| matches!(pair, [TokenTree::Ident(name), TokenTree::Punct(equals)] if name == "name" && equals.as_char() == '=');
    if matches!(top.first(), Some(TokenTree::Literal(_))) || top.windows(2).any(is_name) {
        return meta.clone();
    }
    let name = ident.unraw().to_string();
    list(meta.path(), &quote!(name = #name, #tokens))
}

fn is_hidden(list: &MetaList) -> bool {
    list.tokens.to_string() == "hidden"
}

/// The arguments of `path(..)`.
fn arguments(meta: &Meta) -> Option<Vec<Meta>> {
    let list = meta.require_list().ok()?;
    let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone()).ok()?;
    Some(metas.into_iter().collect())
}

/// `path(tokens)`
fn list(path: &Path, tokens: &TokenStream) -> Meta {
    let delimiter = MacroDelimiter::Paren(Paren::default());
    Meta::List(MetaList { path: path.clone(), delimiter, tokens: tokens.clone() })
}
