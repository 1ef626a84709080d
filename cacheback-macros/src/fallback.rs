//! What is emitted where the attribute cannot be expanded: the errors, and the item as it was written, so that
//! its callers still resolve and editors keep working in its body.

use proc_macro2::TokenStream;

use crate::error::Errors;

/// The item, followed by every error.
pub(crate) fn original(item: TokenStream, errors: &Errors) -> TokenStream {
    let mut tokens = item;
    tokens.extend(errors.to_compile_errors());
    tokens
}
