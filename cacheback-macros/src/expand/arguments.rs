//! The arguments and generic parameters, as each of the generated functions calls them.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::punctuated::Punctuated;
use syn::{FnArg, GenericParam, Ident, Pat, PatIdent, PatType, Receiver, Token};

use super::Expansion;
use super::paths::{located, numbered};
use crate::function::attrs;
use crate::function::signature::Argument;
use crate::plan::key::Part;

impl Expansion<'_> {
    /// What an argument is called on the public functions.
    fn public_name(&self, argument: &Argument) -> Ident {
        argument.public.clone().unwrap_or_else(|| numbered(argument.index))
    }

    /// The arguments as others see them: no patterns, and of the attributes what they allow.
    pub(super) fn parameters(&self) -> Punctuated<FnArg, Token![,]> {
        let parameter = |(input, argument): (&FnArg, &Argument)| match input {
            FnArg::Receiver(receiver) => {
                let attrs = attrs::allowed_at(input);
                FnArg::Receiver(Receiver { attrs, mutability: None, ..receiver.clone() })
            }
            FnArg::Typed(_) => {
                let ident = self.public_name(argument);
                let pat = PatIdent { attrs: Vec::new(), by_ref: None, mutability: None, ident, subpat: None };
                FnArg::Typed(PatType {
                    attrs: attrs::allowed_at(input),
                    pat: Box::new(Pat::Ident(pat)),
                    colon_token: Token![:](located(argument.span())),
                    ty: Box::new(argument.ty.clone()),
                })
            }
        };
        self.plan.sig.inputs.iter().zip(&self.plan.arguments).map(parameter).collect()
    }

    /// What the arguments are called on the public functions.
    pub(super) fn public_names(&self) -> Vec<Ident> {
        self.plan.arguments.iter().map(|argument| self.public_name(argument)).collect()
    }

    /// The names of the arguments in the wrapper: their own, if a computed part of the key uses them.
    pub(super) fn held(&self) -> Vec<Ident> {
        let is_computed = |part: &Part| matches!(part, Part::Computed(_));
        if self.plan.key.parts.iter().any(is_computed) { self.public_names() } else { self.bound() }
    }

    /// Names of our own for the arguments.
    pub(super) fn bound(&self) -> Vec<Ident> {
        self.plan.arguments.iter().map(|argument| numbered(argument.index)).collect()
    }

    /// `::<T, N>`, if the function has type or const parameters.
    pub(super) fn turbofish(&self) -> Option<TokenStream> {
        let params = self.plan.sig.generics.params.iter();
        let names: Vec<&Ident> = params
            .filter_map(|param| match param {
                GenericParam::Type(param) => Some(&param.ident),
                GenericParam::Const(param) => Some(&param.ident),
                GenericParam::Lifetime(_) => None,
            })
            .collect();
        (!names.is_empty()).then(|| quote_spanned!(self.here=> ::<#(#names),*>))
    }
}
