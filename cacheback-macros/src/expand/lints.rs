//! Lints that must not fire a second time, at code that repeats the user's signature.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Ident, Path, Type};

use super::Expansion;
use crate::function::attrs::SIGNATURE_LINTS;
use crate::plan::Body;

/// Types that no lint about an argument fires at.
const QUIET_TYPES: &[&str] = &[
    "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize",
];
/// No lint about the number of arguments fires at so few, however it is configured.
const FEW: usize = 3;

/// Lints about the lifetimes of a signature.
const LIFETIME_LINTS: &[&str] = &["clippy::needless_lifetimes", "single_use_lifetimes", "unused_lifetimes"];

impl Expansion<'_> {
    /// Above the function that callers see: the lint about a returned future, and those about lifetimes that the body uses.
    pub(super) fn wrapper_lints(&self) -> Option<TokenStream> {
        let mut lints = Vec::new();
        if self.plan.sig.asyncness.is_none() {
            lints.push("manual_async_fn");
        }
        let lifetimes = if self.body_says_a_lifetime() { LIFETIME_LINTS } else { &[] };
        allow(&lints, lifetimes)
    }

    /// Above the function that holds the body.
    pub(super) fn body_lints(&self) -> Option<TokenStream> {
        let mut lints = self.signature_lints();
        // It is private, and only the entry calls it.
        lints.extend(["missing_docs_in_private_items", "single_call_fn"]);
        if self.plan.sig.asyncness.is_some() && !self.body_awaits() {
            // It has to be.
            lints.push("unused_async");
        }
        allow(&lints, self.lifetime_lints())
    }

    /// Above the function that makes an entry, which only looks at its arguments.
    pub(super) fn entry_lints(&self) -> Option<TokenStream> {
        let mut lints = self.signature_lints();
        if !lints.is_empty() {
            lints.extend(["needless_pass_by_value", "ptr_arg"]);
        }
        if self.plan.in_impl {
            lints.push("wrong_self_convention");
        }
        allow(&lints, self.lifetime_lints())
    }

    /// Lints about lifetimes, which are reported at the public function.
    fn lifetime_lints(&self) -> &'static [&'static str] {
        if self.plan.sig.generics.lifetimes().next().is_some() { LIFETIME_LINTS } else { &[] }
    }

    /// Whether the body awaits something, as far as its tokens tell.
    fn body_awaits(&self) -> bool {
        matches!(&self.plan.body, Body::Function(body) if awaits(body.stream()))
    }

    /// Whether the body names a lifetime of the signature.
    fn body_says_a_lifetime(&self) -> bool {
        let (Body::Function(body), generics) = (&self.plan.body, &self.plan.sig.generics) else {
            return false;
        };
        let names: Vec<_> = generics.lifetimes().map(|param| &param.lifetime.ident).collect();
        !names.is_empty() && says_a_lifetime(body.stream(), &names)
    }

    /// Lints about the signature, which are reported at the public function; none if none can fire.
    fn signature_lints(&self) -> Vec<&'static str> {
        let arguments = &self.plan.arguments;
        let is_quiet = arguments.len() <= FEW && arguments.iter().all(|argument| is_quiet(&argument.ty));
        if is_quiet { Vec::new() } else { SIGNATURE_LINTS.to_vec() }
    }
}

fn allow(clippy: &[&str], lifetimes: &[&str]) -> Option<TokenStream> {
    let ident = |name: &&str| Ident::new(name, Span::call_site());
    let clippy = clippy.iter().map(ident).map(|name| quote!(clippy::#name));
    let lifetimes = lifetimes.iter().map(|path| syn::parse_str::<Path>(path).map(Path::into_token_stream));
    let lints: Vec<TokenStream> = clippy.chain(lifetimes.flatten()).collect();
    (!lints.is_empty()).then(|| quote!(#[allow(#(#lints),*)]))
}

/// Above a binding of an argument to its own name.
pub(super) fn shadowing() -> TokenStream {
    quote!(#[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)])
}

fn awaits(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "await",
        TokenTree::Group(group) => awaits(group.stream()),
        _ => false,
    })
}

fn says_a_lifetime(tokens: TokenStream, names: &[&Ident]) -> bool {
    let mut after_tick = false;
    tokens.into_iter().any(|token| {
        let was_tick = std::mem::replace(&mut after_tick, false);
        match token {
            TokenTree::Punct(punct) => after_tick = punct.as_char() == '\'',
            TokenTree::Ident(ident) => return was_tick && names.contains(&&ident),
            TokenTree::Group(group) => return says_a_lifetime(group.stream(), names),
            TokenTree::Literal(_) => {}
        }
        false
    })
}

/// A number, or a borrowed text.
fn is_quiet(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => {
            matches!(&*reference.elem, Type::Path(path) if path.path.is_ident("str"))
        }
        Type::Path(path) => QUIET_TYPES.iter().any(|name| path.path.is_ident(name)),
        _ => false,
    }
}
