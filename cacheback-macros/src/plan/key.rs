//! The key of an entry: the arguments that are not skipped, or the parts of `key`.

#[cfg(test)]
mod tests;

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Expr, ExprLit, Ident, Lit, Type};

use super::free_vars;
use crate::error::Errors;
use crate::error::text::{self, readable};
use crate::function::shape;
use crate::function::signature::{Argument, Function};
use crate::options::{self, Given, Options};

/// The parts of the key, in order.
#[derive(Default)]
pub(crate) struct Key {
    pub(crate) parts: Vec<Part>,
    /// The arguments that computed parts call by their names.
    pub(crate) named: Vec<usize>,
    /// The arguments that the user has skipped.
    pub(crate) skipped: Vec<usize>,
}

/// One part of the key.
pub(crate) enum Part {
    /// The argument at this index, looked up as it is passed.
    Argument(usize),
    /// An expression, evaluated on every call.
    Computed(Expr),
}

impl Key {
    /// The arguments that are parts, or that computed parts call by their names.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = usize> {
        let parts = self.parts.iter().filter_map(|part| match part {
            Part::Argument(index) => Some(*index),
            Part::Computed(_) => None,
        });
        parts.chain(self.named.iter().copied())
    }

    /// Whether every argument is in the key, in order, and nothing else is.
    pub(crate) fn is_all_of(&self, arguments: &[Argument]) -> bool {
        let in_order =
            |(place, part): (usize, &Part)| matches!(part, Part::Argument(index) if *index == place);
        self.parts.len() == arguments.len() && self.parts.iter().enumerate().all(in_order)
    }
}

/// The key of `function` under `options`.
pub(crate) fn choose(options: &Options, function: &Function, errors: &mut Errors) -> Key {
    let arguments = &function.arguments;
    let skipped = options.skip.as_ref().map(|skip| check_skip(skip, arguments, errors)).unwrap_or_default();
    let mut key = match &options.key {
        Some(key) => written(&key.value, &skipped, arguments, errors),
        None => {
            let unskipped = |index: &usize| !skipped.contains(index);
            let parts = (0..arguments.len()).filter(unskipped).map(Part::Argument).collect();
            Key { parts, ..Key::default() }
        }
    };
    check_receiver(options, &key, &skipped, arguments, errors);
    for part in &key.parts {
        match part {
            Part::Argument(index) if !skipped.contains(index) => check_type(&arguments[*index], errors),
            _ => {}
        }
    }
    key.skipped = skipped;
    key
}

/// The user has to say whether two values of a type share their entries.
fn check_receiver(
    options: &Options,
    key: &Key,
    skipped: &[usize],
    arguments: &[Argument],
    errors: &mut Errors,
) {
    let Some(receiver) = arguments.iter().find(|argument| argument.is_receiver()) else { return };
    let written = options.key.is_some()
        && (key.named.contains(&receiver.index)
            || key
                .parts
                .iter()
                .any(|part| matches!(part, Part::Argument(index) if *index == receiver.index)));
    // With an unreadable option about, this one may have been meant by it.
    if written || skipped.contains(&receiver.index) || options.incomplete {
        return;
    }
    let others =
        arguments.iter().filter(|argument| !argument.is_receiver() && !skipped.contains(&argument.index));
    let names: Vec<String> =
        others.filter_map(|argument| argument.name.as_ref()).map(|name| format!(", {name}")).collect();
    let example = match &names[..] {
        [] => "self.tenant".to_owned(),
        names => format!("(self.tenant{})", names.concat()),
    };
    errors.at(
        receiver.name.as_ref().map_or_else(|| receiver.span(), Ident::span),
        format_args!(
            "`self` is neither skipped nor in the key: two values of this type must not share entries by accident\n\
             write `skip(self)` where all of them do, or `key = ..` with what tells them apart, as in `key = {example}`"
        ),
    );
}

/// The indices of the skipped arguments.
fn check_skip(skip: &Given<Vec<Ident>>, arguments: &[Argument], errors: &mut Errors) -> Vec<usize> {
    let mut skipped = Vec::new();
    for name in &skip.value {
        match find(name, arguments) {
            Some(index) if skipped.contains(&index) => {
                errors.on(name, format_args!("`{name}` is skipped twice\nremove one of them"));
            }
            Some(index) => skipped.push(index),
            None => errors.on(name, no_argument(name, arguments)),
        }
    }
    skipped
}

fn no_argument(name: &Ident, arguments: &[Argument]) -> String {
    let names: Vec<String> =
        arguments.iter().filter_map(|argument| argument.name.as_ref()).map(Ident::to_string).collect();
    let text = name.to_string();
    if text == "self" {
        return "the function has no receiver: there is no `self` to skip\nremove it".to_owned();
    }
    if let Some(near) = text::nearest(&text, names.iter().map(String::as_str)) {
        return format!("there is no argument `{text}`\ndid you mean `{near}`?");
    }
    if arguments.iter().any(|argument| argument.bindings.contains(name)) {
        return format!("`{text}` is bound inside of a pattern\ngive the argument a name");
    }
    match &names[..] {
        [] => format!("there is no argument `{text}`\nthe function has no argument with a name"),
        _ => format!(
            "there is no argument `{text}`\nthe arguments are {}",
            text::listed(names.iter().map(String::as_str))
        ),
    }
}

/// A key of literals, the same for all arguments, is hardly ever meant; `()` says that it is.
fn check_literals(key: &Key, written: &Expr, arguments: &[Argument], errors: &mut Errors) {
    let literal =
        |part: &Part| matches!(part, Part::Computed(expr) if matches!(options::peel(expr), Expr::Lit(_)));
    if arguments.is_empty() || key.parts.is_empty() || !key.parts.iter().all(literal) {
        return;
    }
    let braces = |text: &syn::LitStr| text.value().contains('{');
    let advice = match options::peel(written) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if braces(text) => {
            format!("write `key = format!({})`", readable(text))
        }
        _ => "write what tells entries apart, or `key = ()` for one entry".to_owned(),
    };
    errors.on(written, format_args!("no argument is in the key: all calls would share one entry\n{advice}"));
}

/// A written key.
fn written(written: &Expr, skipped: &[usize], arguments: &[Argument], errors: &mut Errors) -> Key {
    let parts: Vec<&Expr> = match options::peel(written) {
        Expr::Tuple(tuple) => tuple.elems.iter().collect(),
        single => vec![single],
    };
    let mut key = Key::default();
    for expr in parts {
        let mentioned = free_vars::arguments(expr, arguments, errors);
        let Some(index) = plain_name(expr).and_then(|name| find(name, arguments)) else {
            key.parts.push(Part::Computed(expr.clone()));
            key.named.extend(mentioned);
            continue;
        };
        if skipped.contains(&index) {
            let name = readable(expr);
            errors.on(
                expr,
                format_args!("`{name}` is skipped and in the key\ntake it out of `skip` or out of `key`"),
            );
        }
        key.parts.push(Part::Argument(index));
    }
    check_literals(&key, written, arguments, errors);
    key
}

fn plain_name(expr: &Expr) -> Option<&Ident> {
    match options::peel(expr) {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => path.path.get_ident(),
        _ => None,
    }
}

fn find(name: &Ident, arguments: &[Argument]) -> Option<usize> {
    let is_it = |argument: &&Argument| argument.name.as_ref().is_some_and(|own| own.unraw() == name.unraw());
    arguments.iter().find(is_it).map(|argument| argument.index)
}

/// Reports a type that visibly lacks `Hash + Eq`.
fn check_type(argument: &Argument, errors: &mut Errors) {
    let mut float = Float(None);
    float.visit_type(&argument.ty);
    let Some((span, ty)) = float.0 else { return };
    let advice = match &argument.name {
        Some(name) if is_float(&argument.ty) => {
            format!("write `key = (.., {name}.to_bits())`, or `skip({name})`")
        }
        Some(name) => format!("write `key = ..` with what tells entries apart, or `skip({name})`"),
        None => "give the argument a name and `skip` it, or write `key = ..`".to_owned(),
    };
    errors.at(
        span,
        format_args!("`{ty}` cannot be part of a cache key: it is neither `Hash` nor `Eq`\n{advice}"),
    );
}

fn is_float(ty: &Type) -> bool {
    matches!(shape::peel(ty), Type::Path(path) if path.path.is_ident("f32") || path.path.is_ident("f64"))
}

/// Finds the first float in a type whose `Hash` is that of its parts.
struct Float(Option<(Span, Ident)>);

impl<'ast> Visit<'ast> for Float {
    fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
        let Some(segment) = shape::last_segment(path) else { return };
        match segment.ident.to_string().as_str() {
            "f32" | "f64" => {
                self.0.get_or_insert_with(|| (segment.ident.span(), segment.ident.clone()));
            }
            // Any other type may well hash the floats inside of it in its own way.
            "Option" | "Vec" | "Box" | "Arc" | "Rc" | "Cow" => visit::visit_type_path(self, path),
            _ => {}
        }
    }

    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}

    fn visit_expr(&mut self, _: &'ast Expr) {}
}
