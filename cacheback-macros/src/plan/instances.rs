//! The caches of one function: a generic function has one for each instantiation.

use syn::{GenericParam, Ident, Type};

use super::companion::Companion;
use crate::function::signature::Function;

/// What tells the caches of one function apart.
pub(crate) enum Instances {
    /// There is one.
    One,
    /// `Self` in an `impl`, and these parameters.
    Named(Vec<Parameter>),
    /// Everything generic around the function, without its name: the parameters of a trait are no part of
    /// `Self`.
    Scope,
}

/// A generic parameter, as a type.
pub(crate) enum Parameter {
    Type(Ident),
    /// The value of a constant of this primitive type.
    Const(Ident, Type),
    /// The type of the argument at this index, which is `impl Trait`.
    Argument(usize),
}

impl Parameter {
    /// What the user calls it.
    pub(crate) fn name(&self) -> Option<&Ident> {
        match self {
            Parameter::Type(name) | Parameter::Const(name, _) => Some(name),
            Parameter::Argument(_) => None,
        }
    }
}

/// The caches of a function with these parameters.
pub(super) fn choose(parameters: Vec<Parameter>, in_impl: bool, companion: &Companion) -> Instances {
    match companion {
        _ if !in_impl && parameters.is_empty() => Instances::One,
        Companion::Nothing => Instances::Scope,
        _ => Instances::Named(parameters),
    }
}

/// The generic parameters that are no lifetimes, with and without names.
pub(super) fn parameters(function: &Function) -> Vec<Parameter> {
    let named = function.sig.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(Parameter::Type(param.ident.clone())),
        GenericParam::Const(param) => Some(Parameter::Const(param.ident.clone(), param.ty.clone())),
        GenericParam::Lifetime(_) => None,
    });
    let unnamed = function.arguments.iter().filter(|argument| argument.is_inferred());
    named.chain(unnamed.map(|argument| Parameter::Argument(argument.index))).collect()
}
