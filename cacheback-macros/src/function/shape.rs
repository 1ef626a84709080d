//! From an argument's type to its shape: how the runtime hashes, compares, owns and lends it. Only the tokens
//! are known, so anything that is not visibly a borrow is a value.

#[cfg(test)]
mod tests;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{GenericArgument, Lifetime, PathArguments, PathSegment, Type, TypePath, TypeReference};

use crate::error::refuse;

/// The shape of a type, free of lifetimes.
#[derive(Clone)]
pub(crate) enum Shape {
    /// `T`, without a borrow inside.
    Val(Type),
    /// `impl Trait`, a value whose type has no name.
    Inferred,
    /// `&T`, `&str`, `&[T]`, without a borrow in `T`.
    Ref(Type),
    /// `&self`.
    This(Type),
    /// `Cow<'_, T>`.
    CowOf(Type),
    /// `Option<X>` with a borrow in `X`.
    Option(Box<Shape>),
    /// A tuple with a borrow inside.
    Tuple(Vec<Shape>),
    /// `&[X]` with a borrow in `X`: lent as a `Vec`, passed by reference.
    Slice(Box<Shape>),
    /// `&X` with a borrow in `X`: lent as an `X`, passed by reference.
    Nested(Box<Shape>),
}

impl Shape {
    /// Whether the lease has to be passed by reference.
    pub(crate) fn by_reference(&self) -> bool {
        matches!(self, Shape::Slice(_) | Shape::Nested(_))
    }
}

/// The shape of an argument of type `ty`.
pub(crate) fn read(ty: &Type) -> syn::Result<Shape> {
    if let Type::ImplTrait(_) = peel(ty) {
        return Ok(Shape::Inferred);
    }
    let mut opaque = Opaque(None);
    opaque.visit_type(ty);
    if let Some(span) = opaque.0 {
        return refuse(
            span,
            "`impl Trait` inside of another type has no name, and a refresh has to name what it owns\n\
             give it one: `fn f<T: ..>(.., &T)`",
        );
    }
    read_at(ty, Depth::Argument)
}

/// The shape of a receiver of type `ty`.
pub(crate) fn read_receiver(ty: &Type) -> syn::Result<Shape> {
    Ok(match read(ty)? {
        Shape::Ref(own) if matches!(peel(&own), Type::Path(path) if path.path.is_ident("Self")) => {
            Shape::This(own)
        }
        shape => shape,
    })
}

/// Whether `ty` holds a lifetime other than `'static`.
pub(crate) fn has_borrow(ty: &Type) -> bool {
    find_borrow(ty).is_some()
}

/// The place in `ty` of a lifetime other than `'static`.
pub(crate) fn find_borrow(ty: &Type) -> Option<Span> {
    let mut borrow = Borrow(None);
    borrow.visit_type(ty);
    borrow.0
}

/// `ty` without parentheses and the invisible groups of `macro_rules!`.
pub(crate) fn peel(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        }
    }
}

/// The last segment of a path without `<T as Trait>`.
pub(crate) fn last_segment(path: &TypePath) -> Option<&PathSegment> {
    if path.qself.is_some() { None } else { path.path.segments.last() }
}

/// The value and the error of a `Result` as they are written. The error may be missing: `io::Result<T>`.
pub(crate) fn parts_of_result(ty: &Type) -> Option<(&Type, Option<&Type>)> {
    let Type::Path(path) = peel(ty) else { return None };
    let last = last_segment(path).filter(|last| last.ident == "Result")?;
    let arguments = type_arguments(last);
    Some((arguments.first()?, arguments.get(1).copied()))
}

/// The span at which a type is reported: of a path, the last name.
pub(crate) fn shown_at(ty: &Type) -> Span {
    match peel(ty) {
        Type::Path(path) => last_segment(path).map_or_else(|| ty.span(), |last| last.ident.span()),
        ty => ty.span(),
    }
}

/// The types in a segment's angle brackets.
pub(crate) fn type_arguments(segment: &PathSegment) -> Vec<&Type> {
    generic_arguments(segment)
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
        .collect()
}

/// The depth of a type: only the argument itself can be lent by reference.
#[derive(Clone, Copy, PartialEq)]
enum Depth {
    Argument,
    Inside,
}

fn read_at(ty: &Type, depth: Depth) -> syn::Result<Shape> {
    let ty = peel(ty);
    match ty {
        Type::TraitObject(object) => refuse(
            object.span(),
            "a trait object cannot be owned for a refresh\ntake an `Arc<dyn ..>`, and `skip` it",
        ),
        Type::Reference(reference) => read_reference(reference, ty, depth),
        _ if !has_borrow(ty) => Ok(Shape::Val(ty.clone())),
        Type::Tuple(tuple) => {
            let shapes = tuple.elems.iter().map(|elem| read_at(elem, Depth::Inside));
            Ok(Shape::Tuple(shapes.collect::<syn::Result<_>>()?))
        }
        Type::Array(array) => refuse(
            array.span(),
            "an array of borrows cannot be lent to a refresh\ntake `&[..]`, or an array of owned values",
        ),
        Type::Path(path) => read_path(path),
        _ => refuse(ty.span(), "this borrow cannot be owned for a refresh\ntake an owned type"),
    }
}

fn read_reference(reference: &TypeReference, ty: &Type, depth: Depth) -> syn::Result<Shape> {
    if let Some(mutability) = &reference.mutability {
        return refuse(
            mutability.span(),
            "a cached function cannot change its arguments: most calls do not run it\n\
             take `&T` or an owned value, and return what is new",
        );
    }
    let elem = peel(&reference.elem);
    if matches!(elem, Type::TraitObject(_)) {
        return refuse(
            elem.span(),
            "a borrowed trait object cannot be owned for a refresh\n\
             take `&Arc<dyn ..>`, and `skip` it",
        );
    }
    if reference.lifetime.as_ref().is_some_and(is_static) {
        return match find_borrow(elem) {
            None => Ok(Shape::Val(ty.clone())),
            Some(span) => refuse(span, "a shorter borrow behind `&'static`\nwrite `&'static` here too"),
        };
    }
    if !has_borrow(elem) {
        return Ok(Shape::Ref(elem.clone()));
    }
    if depth == Depth::Inside {
        return refuse(
            reference.span(),
            "borrows of borrows cannot be lent from inside of another type\n\
             take it as an argument of its own, or own the inner values (`&[String]`, `&[Vec<u8>]`)",
        );
    }
    match elem {
        Type::Slice(slice) => Ok(Shape::Slice(Box::new(read_at(&slice.elem, Depth::Inside)?))),
        _ => Ok(Shape::Nested(Box::new(read_at(elem, Depth::Inside)?))),
    }
}

/// A path with a borrow somewhere in it.
fn read_path(path: &TypePath) -> syn::Result<Shape> {
    let Some(segment) = last_segment(path) else {
        return refuse(
            path.span(),
            "a borrowed associated type cannot be owned for a refresh\ntake an owned type",
        );
    };
    match (segment.ident.to_string().as_str(), &type_arguments(segment)[..]) {
        ("Option", [inner]) => Ok(Shape::Option(Box::new(read_at(inner, Depth::Inside)?))),
        ("Cow", [inner]) => match find_borrow(inner) {
            None => Ok(Shape::CowOf((*inner).clone())),
            Some(span) => {
                refuse(span, "a `Cow` of borrows cannot be lent to a refresh\nown the inner values")
            }
        },
        ("Vec", [_]) => refuse(
            segment.ident.span(),
            "a `Vec` of borrows cannot be lent to a refresh\n\
             take a slice (`&[&str]`) or own the values (`Vec<String>`)",
        ),
        (name, _) => refuse(
            segment.ident.span(),
            format!(
                "`{name}` with a borrow inside cannot be owned for a refresh, which outlives the call\n\
                 take owned data: a `{name}` without lifetimes, or what it is made from"
            ),
        ),
    }
}

fn generic_arguments(segment: &PathSegment) -> impl Iterator<Item = &GenericArgument> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(angle) => Some(angle.args.iter()),
        _ => None,
    };
    arguments.into_iter().flatten()
}

fn is_static(lifetime: &Lifetime) -> bool {
    lifetime.ident == "static"
}

/// Finds the first borrow that is not `'static`. The borrows of `fn(&T)`, `Fn(&T)` and `for<'a> ..` are not the
/// argument's own.
struct Borrow(Option<Span>);

impl<'ast> Visit<'ast> for Borrow {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if reference.lifetime.is_none() {
            self.0.get_or_insert(reference.and_token.span());
        }
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if !is_static(lifetime) {
            self.0.get_or_insert(lifetime.span());
        }
    }

    fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
        // `Cow<str>` hides a lifetime.
        if segment.ident == "Cow" && generic_arguments(segment).count() == 1 {
            self.0.get_or_insert(segment.ident.span());
        }
        visit::visit_path_segment(self, segment);
    }

    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast syn::ParenthesizedGenericArguments) {}

    fn visit_trait_bound(&mut self, bound: &'ast syn::TraitBound) {
        if bound.lifetimes.is_none() {
            visit::visit_trait_bound(self, bound);
        }
    }
}

/// Finds the first `impl Trait`.
pub(crate) struct Opaque(pub(crate) Option<Span>);

impl<'ast> Visit<'ast> for Opaque {
    fn visit_type_impl_trait(&mut self, opaque: &'ast syn::TypeImplTrait) {
        self.0.get_or_insert(opaque.impl_token.span());
    }
}
