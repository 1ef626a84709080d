//! The items beside the function: a handle for its callers, and those that the function itself needs.

use quote::format_ident;
use syn::Ident;
use syn::ext::IdentExt;

use crate::function::signature::Function;
use crate::options::{Given, Handle, Options};

/// The items beside the function, for its callers and for itself.
pub(crate) enum Companion {
    /// A type of this name, with everything in it.
    Type(Ident),
    /// Functions in the same `impl`.
    Methods(Methods),
    /// Nothing: all is inside of it.
    Nothing,
}

/// The names of the functions beside a method.
pub(crate) struct Methods {
    pub(crate) entry: Ident,
    pub(crate) cache: Ident,
    pub(crate) slot: Ident,
    pub(crate) body: Ident,
    pub(crate) carriers: Ident,
}

/// The items beside `function`.
pub(super) fn choose(options: &Options, function: &Function, in_impl: bool) -> Companion {
    let ident = &function.sig.ident;
    let handle = match &options.handle {
        None => ident.clone(),
        Some(Given { value: Handle::Named(other), .. }) => other.clone(),
        Some(Given { value: Handle::Off, .. }) => return Companion::Nothing,
    };
    if !in_impl {
        return Companion::Type(handle);
    }
    let (handle, ident) = (handle.unraw(), ident.unraw());
    Companion::Methods(Methods {
        entry: format_ident!("{handle}_entry"),
        cache: format_ident!("{handle}_cache"),
        // In the `impl` of a trait the compiler says that this is none of its methods: that is all the user sees.
        slot: format_ident!("__cacheback_{ident}_slot_in_a_trait_impl_write_handle_false"),
        body: format_ident!("__cacheback_{ident}_body"),
        carriers: format_ident!("__cacheback_{ident}_carriers"),
    })
}
