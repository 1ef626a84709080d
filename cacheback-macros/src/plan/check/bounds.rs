//! Type parameters whose bounds are not enough. The compiler would report them by the names of our own traits. Only bounds on
//! well-known traits are judged: any other trait may imply the missing bounds.

use syn::{GenericParam, Generics, Ident, Type, TypeParamBound, WherePredicate};

use crate::error::Errors;
use crate::error::text::readable;
use crate::function::shape;
use crate::function::signature::{Argument, Function};
use crate::plan::key::{Key, Part};

/// Traits that imply none of the bounds that are needed.
const BRING_NOTHING: &[&str] = &[
    "AsMut",
    "AsRef",
    "Borrow",
    "Debug",
    "Default",
    "Display",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromStr",
    "Future",
    "Into",
    "IntoIterator",
    "Iterator",
    "PartialEq",
    "PartialOrd",
    "Sized",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
];

/// The bounds that are needed, as they are written without an import.
const TO_BE_KEPT: &[&str] = &["Clone", "Send", "Sync", "'static"];
const TO_BE_A_KEY: &[&str] = &["Eq", "std::hash::Hash"];
const TO_BE_SHARED: &[&str] = &["serde::Serialize", "serde::de::DeserializeOwned"];

/// The use of a type parameter: more is needed if it is in the key, and if it is in the second tier.
#[derive(Clone, Copy)]
struct Use {
    in_key: bool,
    is_shared: bool,
}

/// Reports each argument, and the value, whose type is known to lack a bound that is needed.
pub(in crate::plan) fn check(function: &Function, key: &Key, is_shared: bool, errors: &mut Errors) {
    let generics = &function.sig.generics;
    for argument in &function.arguments {
        let in_key =
            key.parts.iter().any(|part| matches!(part, Part::Argument(index) if *index == argument.index));
        check_argument(argument, Use { in_key, is_shared: in_key && is_shared }, generics, errors);
    }
    let output = function.output.as_ref();
    let value = output.and_then(|ty| shape::parts_of_result(ty).map(|(value, _)| value).or(Some(ty)));
    if let Some((name, bounds)) = value.and_then(|ty| parameter(ty, generics)) {
        if let Some(missing) = missing(&bounds, Use { in_key: false, is_shared }) {
            let why = if missing.iter().any(|bound| TO_BE_SHARED.contains(bound)) {
                "a shared value is handed to many callers and sent as bytes"
            } else {
                "a cached value is handed to many callers"
            };
            errors.on(
                value,
                format_args!(
                    "`{name}` is not known to be {}: {why}\n\
                     write `{name}: {}`",
                    listed(&missing),
                    with(&bounds, &missing)
                ),
            );
        }
    }
}

fn check_argument(argument: &Argument, used: Use, generics: &Generics, errors: &mut Errors) {
    let ty = shape::peel(&argument.ty);
    let (shown, colon, bounds) = match ty {
        Type::ImplTrait(opaque) => ("impl ".to_owned(), "", opaque.bounds.iter().collect()),
        Type::Reference(reference) => match parameter(&reference.elem, generics) {
            Some((name, bounds)) => (name.to_string(), ": ", bounds),
            None => return,
        },
        ty => match parameter(ty, generics) {
            Some((name, bounds)) => (name.to_string(), ": ", bounds),
            None => return,
        },
    };
    let Some(missing) = missing(&bounds, used) else { return };
    let lacks = |bounds: &[&str]| missing.iter().any(|bound| bounds.contains(bound));
    let why = if lacks(TO_BE_SHARED) {
        "a fetch owns its arguments, and a shared key is sent as bytes"
    } else if used.in_key {
        "a fetch owns its arguments, and they tell entries apart"
    } else {
        "a fetch owns its arguments"
    };
    let skip = match &argument.name {
        Some(name) if lacks(TO_BE_A_KEY) || lacks(TO_BE_SHARED) => {
            format!(", or leave `{name}` out of the key with `skip({name})`")
        }
        _ => String::new(),
    };
    let instead = instead(&bounds).map(|ty| format!(", or take `{ty}`")).unwrap_or_default();
    errors.on(
        ty,
        format_args!(
            "`{}` is not known to be {}: {why}\nwrite `{shown}{colon}{}`{instead}{skip}",
            readable(ty),
            listed(&missing),
            with(&bounds, &missing)
        ),
    );
}

/// The function's own type parameter that `ty` is, and its bounds.
fn parameter<'a>(ty: &Type, generics: &'a Generics) -> Option<(&'a Ident, Vec<&'a TypeParamBound>)> {
    let Type::Path(path) = shape::peel(ty) else { return None };
    let ident = path.path.get_ident().filter(|_| path.qself.is_none())?;
    let param = generics.params.iter().find_map(|param| match param {
        GenericParam::Type(param) if param.ident == *ident => Some(param),
        _ => None,
    })?;
    let clause = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    let elsewhere = clause.filter_map(|predicate| match predicate {
        WherePredicate::Type(predicate) => {
            let is_it =
                matches!(shape::peel(&predicate.bounded_ty), Type::Path(path) if path.path.is_ident(ident));
            is_it.then_some(&predicate.bounds)
        }
        _ => None,
    });
    Some((&param.ident, param.bounds.iter().chain(elsewhere.flatten()).collect()))
}

/// The bounds that are needed and not implied by `bounds`; `None` if there are none, or if that is not certain.
fn missing(bounds: &[&TypeParamBound], used: Use) -> Option<Vec<&'static str>> {
    let mut has = Vec::new();
    for bound in bounds {
        match bound {
            TypeParamBound::Lifetime(lifetime) if lifetime.ident == "static" => has.push("'static"),
            TypeParamBound::Lifetime(_) => {}
            TypeParamBound::Trait(bound) if bound.maybe.is_some() => return None,
            TypeParamBound::Trait(bound) => match bound.path.segments.last()?.ident.to_string().as_str() {
                "Clone" | "Copy" => has.push("Clone"),
                "Send" => has.push("Send"),
                "Sync" => has.push("Sync"),
                "Eq" | "Ord" => has.push("Eq"),
                "Hash" => has.push("std::hash::Hash"),
                "Serialize" => has.push("serde::Serialize"),
                "DeserializeOwned" => has.push("serde::de::DeserializeOwned"),
                // For all lifetimes it is the same.
                "Deserialize" if bound.lifetimes.is_some() => has.push("serde::de::DeserializeOwned"),
                "Deserialize" => {}
                name if BRING_NOTHING.contains(&name) => {}
                _ => return None,
            },
            _ => return None,
        }
    }
    let key = TO_BE_A_KEY.iter().filter(|_| used.in_key);
    let shared = TO_BE_SHARED.iter().filter(|_| used.is_shared);
    let needed = key.chain(TO_BE_KEPT).chain(shared).copied();
    let missing: Vec<_> = needed.filter(|needed| !has.contains(needed)).collect();
    (!missing.is_empty()).then_some(missing)
}

/// The bounds that are written, and those that are missing.
fn with(bounds: &[&TypeParamBound], missing: &[&'static str]) -> String {
    let written = bounds.iter().map(|bound| readable(*bound));
    written.chain(missing.iter().map(|bound| (*bound).to_owned())).collect::<Vec<_>>().join(" + ")
}

/// `Clone`, `Send` and `Sync`, each in backticks.
fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match &names[..] {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    }
}

/// The type that `AsRef` or `Into` makes of an argument: most often that is all the function needs.
fn instead(bounds: &[&TypeParamBound]) -> Option<String> {
    bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last()?;
        let [ty] = shape::type_arguments(last)[..] else { return None };
        match last.ident.to_string().as_str() {
            "AsRef" => Some(format!("&{}", readable(ty))),
            "Into" => Some(readable(ty)),
            _ => None,
        }
    })
}
