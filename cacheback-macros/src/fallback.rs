//! The output if the attribute cannot be expanded: the errors, the stand-ins for its handle, and the item as it was written, so
//! that its callers still resolve and editors keep working in its body.

use proc_macro2::TokenStream;

use crate::error::Errors;

/// The item, followed by what stands beside it and by every error.
pub(crate) fn original(item: TokenStream, stand_ins: Option<TokenStream>, errors: &Errors) -> TokenStream {
    let mut tokens = item;
    tokens.extend(stand_ins);
    tokens.extend(errors.to_compile_errors());
    tokens
}
