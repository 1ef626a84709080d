//! From the plan to tokens. No decision is made here.
//!
//! Generated tokens resolve at the attribute, and have the span of the user's token that they are about, so that type
//! errors land there.

mod arguments;
mod body;
mod companion;
mod definition;
mod entry;
mod expression;
mod key;
mod lints;
mod paths;
mod policy;
mod queue;
mod shared;
mod stand_in;
#[cfg(test)]
mod tests;
mod wrapper;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;

use self::paths::{Paths, located};
use crate::function::shape;
use crate::plan::{Companion, Plan};

/// The expansion.
pub(crate) fn tokens(plan: &Plan) -> TokenStream {
    let expansion = Expansion::new(plan);
    match &plan.companion {
        Companion::Type(companion) => expansion.beside_a_function(companion),
        Companion::Methods(methods) => expansion.beside_a_method(methods),
        Companion::Nothing => expansion.alone(),
    }
}

/// The stand-ins beside the function if its attribute is refused.
pub(crate) fn stand_ins(plan: &Plan) -> TokenStream {
    Expansion::new(plan).stand_ins()
}

/// The paths by which an entry reaches the slot and the body.
struct Place {
    /// The path of the function that gives the slot.
    slot: TokenStream,
    /// The path of the function that holds the body, if there is one.
    body: TokenStream,
    /// The path of the function that says how a queued function's arguments reach a worker, if there is one.
    carriers: TokenStream,
}

/// A plan and what its tokens share.
struct Expansion<'a> {
    plan: &'a Plan,
    paths: Paths,
    /// At the function's name.
    here: Span,
    /// At the return type (for a `Result`, at the kept type), or at the function's name.
    at_output: Span,
    /// At the error of a `Result`, or at the return type.
    at_error: Span,
    output: TokenStream,
}

impl<'a> Expansion<'a> {
    fn new(plan: &'a Plan) -> Self {
        let here = located(plan.sig.ident.span());
        let result = plan.output.as_ref().and_then(shape::parts_of_result);
        let shown_at = |ty: Option<&Type>| ty.map_or(here, |ty| located(shape::shown_at(ty)));
        let at_output = shown_at(result.map(|(value, _)| value).or(plan.output.as_ref()));
        let at_error = shown_at(result.and_then(|(_, error)| error).or(plan.output.as_ref()));
        let output = plan.output.as_ref().map_or_else(|| quote_spanned!(here=> ()), |ty| quote!(#ty));
        Expansion { plan, paths: Paths::new(plan.krate.as_ref()), here, at_output, at_error, output }
    }
}
