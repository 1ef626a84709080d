//! The attribute macro of `cacheback`. Use it through that crate.
//!
//! A pipeline, one stage a file: `args` and `signature` read, `shape`, `key` and `attrs` sort, `plan` decides,
//! `expand` writes. Whatever is wrong is collected in `error`; then `fallback` writes instead.

mod args;
mod attrs;
mod error;
mod expand;
mod fallback;
mod key;
mod mention;
mod plan;
mod shape;
mod signature;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::error::Errors;
use crate::plan::Plan;

/// TODO
#[proc_macro_attribute]
pub fn cacheback(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(args.into(), item.into()).into()
}

/// The whole pipeline.
fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    match plan(args, &item, &mut errors) {
        Some(plan) if errors.is_empty() => expand::tokens(&plan),
        _ => fallback::original(item, &errors),
    }
}

/// All stages that may find an error.
fn plan(args: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Plan> {
    let options = args::parse(args, errors);
    let function = signature::parse(item, errors)?;
    Some(plan::make(options, function, errors))
}
