//! Clippy's lints that may not fire a second time, at what repeats the user's signature.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Ident, Type};

use super::Expansion;
use crate::attrs::SIGNATURE_LINTS;

/// Types that no lint about an argument fires at.
const QUIET_TYPES: &[&str] = &[
    "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize",
];
/// So many arguments of those are no matter to a lint either, however it is configured.
const FEW: usize = 3;

impl Expansion<'_> {
    /// Above the function that holds the body.
    pub(super) fn body_lints(&self) -> Option<TokenStream> {
        let mut lints = self.signature_lints();
        if self.plan.sig.asyncness.is_some() {
            // It has to be.
            lints.push("unused_async");
        }
        allow(lints)
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
        allow(lints)
    }

    /// Those of the signature, which has had them at the public function; none where none can fire.
    fn signature_lints(&self) -> Vec<&'static str> {
        let arguments = &self.plan.arguments;
        let is_quiet = arguments.len() <= FEW && arguments.iter().all(|argument| is_quiet(&argument.ty));
        if is_quiet { Vec::new() } else { SIGNATURE_LINTS.to_vec() }
    }
}

fn allow(lints: Vec<&str>) -> Option<TokenStream> {
    let names = lints.iter().map(|name| Ident::new(name, Span::call_site()));
    (!lints.is_empty()).then(|| quote!(#[allow(#(clippy::#names),*)]))
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
