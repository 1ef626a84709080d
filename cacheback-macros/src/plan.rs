//! The rules across options and function. Everything is decided here; `expand` only writes it down.

mod check;
mod companion;
mod docs;
mod empty;
mod expression;
pub(crate) mod free_vars;
mod instances;
pub(crate) mod key;
pub(crate) mod rename_self;
mod settings;
mod shared;
#[cfg(test)]
mod tests;

use proc_macro2::{Group, TokenStream};
use syn::ext::IdentExt;
use syn::{LitStr, Path, Signature, Type, Visibility};

pub(crate) use self::companion::{Companion, Methods};
pub(crate) use self::empty::Empty;
pub(crate) use self::expression::Expression;
use self::expression::Names;
pub(crate) use self::instances::{Instances, Parameter};
use self::key::Key;
pub(crate) use self::settings::{Assignment, Closure, Setting, Settings};
pub(crate) use self::shared::{Queue, Shared};
use crate::error::Errors;
use crate::function::attrs::{self, Attributes};
use crate::function::place::Place;
use crate::function::signature::{Argument, Function};
use crate::options::Options;

/// What is to be generated for one function.
pub(crate) struct Plan {
    /// The path of the facade.
    pub(crate) krate: Option<Path>,
    pub(crate) attrs: Attributes,
    /// The section to append to the function's docs.
    pub(crate) docs: Option<String>,
    pub(crate) vis: Visibility,
    /// The user's signature: that of the body.
    pub(crate) sig: Signature,
    pub(crate) body: Body,
    /// A receiver is the first.
    pub(crate) arguments: Vec<Argument>,
    pub(crate) output: Option<Type>,
    pub(crate) name: Name,
    pub(crate) in_impl: bool,
    pub(crate) companion: Companion,
    /// Whether the companion will be the same once the errors are corrected.
    pub(crate) has_certain_handle: bool,
    pub(crate) instances: Instances,
    pub(crate) key: Key,
    /// The arguments that options ask for by their names.
    pub(crate) asked_for: Vec<usize>,
    /// Whether the key, once owned, holds all arguments too.
    pub(crate) key_is_arguments: bool,
    pub(crate) settings: Settings,
    pub(crate) empty: Empty,
    pub(crate) shared: Option<Shared>,
}

/// The place of the user's code.
pub(crate) enum Body {
    /// Into a function of its own.
    Function(Group),
    /// Into the fetch, with `self` under another name.
    Inline(TokenStream),
}

/// The name of the cache in logs.
pub(crate) enum Name {
    Given(LitStr),
    /// The module's path, the type in an `impl`, and this.
    Function(String),
}

/// Decides what to generate, and reports mistakes.
pub(crate) fn make(
    options: Options,
    mut function: Function,
    place: Option<&Place>,
    errors: &mut Errors,
) -> Plan {
    check::contradictions(&options, function.output.as_ref(), errors);
    let key = key::choose(&options, &function, errors);
    // With an unreadable option about, an argument may have been skipped by it.
    if !options.may_mean(&["skip", "key"]) {
        check::bounds::check(&function, &key, options.shared.is_some(), errors);
    }
    for index in &key.named {
        let argument = &mut function.arguments[*index];
        argument.public.clone_from(&argument.name);
    }
    let attrs = attrs::split(&function.attrs, &function.sig.ident, errors);
    let parameters = instances::parameters(&function);
    let names = Names { arguments: &function.arguments, parameters: &parameters };
    let settings = settings::read(&options, &names, errors);
    let empty = empty::choose(&options, &names, errors);
    let shared = shared::choose(&options, &names, errors);
    let written = if let Empty::Written(empty) = &empty { Some(empty) } else { None };
    let expressions = settings.expressions().chain(written);
    let mut asked_for: Vec<usize> = expressions.flat_map(|expr| expr.uses.iter().copied()).collect();
    if options.key.is_some() {
        asked_for.extend(key.arguments());
    }
    let in_impl = options.in_impl.is_some() || function.says_self;
    let companion = companion::choose(&options, &function, in_impl);
    let instances = instances::choose(parameters, in_impl, &companion);
    check::queue::check(&options, &companion, &instances, errors);
    let docs = attrs.documented.then(|| docs::section(&options, &companion, &function));
    // With an unreadable option about, one of these may have been meant by it.
    let is_placed = !options.may_mean(&["handle", "in_impl", "crate"]);
    let fits =
        !is_placed || place.is_none_or(|place| check::fits(place, &function, &companion, in_impl, errors));
    let has_certain_handle = function.is_sound && is_placed && fits;
    let body = match companion {
        Companion::Nothing if in_impl => {
            check::inline(&attrs, errors);
            Body::Inline(rename_self::in_body(&function.body, errors))
        }
        _ => Body::Function(function.body),
    };
    let name = match &options.name {
        Some(name) => Name::Given(name.value.clone()),
        None => Name::Function(function.sig.ident.unraw().to_string()),
    };
    Plan {
        docs,
        key_is_arguments: key.is_all_of(&function.arguments),
        output: function.output,
        krate: options.krate.map(|krate| krate.value),
        attrs,
        vis: function.vis,
        sig: function.sig,
        body,
        arguments: function.arguments,
        name,
        in_impl,
        companion,
        has_certain_handle,
        instances,
        asked_for,
        key,
        settings,
        empty,
        shared,
    }
}
