//! The annotated function: its arguments, its return type, and why it may not be cacheable. The body stays
//! tokens; nothing here reads it.

#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::VisitMut;
use syn::{
    AngleBracketedGenericArguments, Attribute, FnArg, GenericArgument, Generics, Ident, Item, Lifetime, Pat,
    PatIdent, PatType, PathArguments, Receiver, ReceiverKind, ReturnType, Safety, Signature, Type,
    TypeParamBound, Visibility, parse_quote_spanned,
};

use crate::error::Errors;
use crate::function::shape::{self, Opaque, Shape};

/// As many as the runtime has tuples for.
const MAX_ARGUMENTS: usize = 12;

/// The types that a const parameter can have.
const CONSTANTS: &[&str] =
    &["bool", "char", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize"];

/// Attributes of functions that a program or a test run calls, and nobody else.
const RUN_ONCE: &[&str] = &["main", "test", "bench"];

/// A function that can be cached, as far as its signature tells.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
    /// All of them, a receiver too.
    pub(crate) arguments: Vec<Argument>,
    /// The output of a call, if it is written.
    pub(crate) output: Option<Type>,
    /// A receiver or `Self` means that it stands in an `impl`.
    pub(crate) says_self: bool,
    /// Nothing is wrong with the signature.
    pub(crate) is_sound: bool,
}

/// One argument.
#[derive(Clone)]
pub(crate) struct Argument {
    /// Its place in the signature.
    pub(crate) index: usize,
    /// Its name, unless it is a pattern or `_`. A receiver is `self`.
    pub(crate) name: Option<Ident>,
    /// Its name in generated functions: not a `_name`, which says that the argument is unused.
    pub(crate) public: Option<Ident>,
    /// The names that its pattern binds, if it is one.
    pub(crate) bindings: Vec<Ident>,
    pub(crate) ty: Type,
    /// The type as another function can say it: without the names of lifetimes, and none for `impl Trait`.
    pub(crate) local: Option<Type>,
    pub(crate) shape: Shape,
}

impl Argument {
    /// Whether it is `self`.
    pub(crate) fn is_receiver(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name == "self")
    }

    /// Whether it is `impl Trait`, whose type has no name.
    pub(crate) fn is_inferred(&self) -> bool {
        matches!(self.shape, Shape::Inferred)
    }

    /// The span of its type.
    pub(crate) fn span(&self) -> Span {
        self.ty.span()
    }
}

/// Reads the item under the attribute. `None` if it is not a function with a body.
pub(crate) fn parse(item: &TokenStream, errors: &mut Errors) -> Option<Function> {
    let Parsed { attrs, vis, sig, body } = match syn::parse2(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => {
            errors.push(not_a_function(item, error));
            return None;
        }
    };
    let found_before = errors.count();
    if !attrs.iter().any(|attr| runs_once(attr).is_some()) {
        check_qualifiers(&sig, &body, errors);
    }
    check_generics(&sig.generics, errors);
    let output = read_output(&sig).cloned();
    if let Some(ty) = output.as_ref().filter(|_| !returns_boxed(&sig.output)) {
        check_output(ty, errors);
    }
    let arguments = read_arguments(&sig, errors);
    let says_self = says_self(&sig);
    let is_sound = errors.count() == found_before;
    Some(Function { attrs, vis, sig, body, arguments, output, says_self, is_sound })
}

/// The word in an attribute of functions that a program or a test run calls, and nobody else.
pub(crate) fn runs_once(attr: &Attribute) -> Option<&Ident> {
    let last = &attr.path().segments.last()?.ident;
    RUN_ONCE.iter().any(|name| last == name).then_some(last)
}

/// A function whose body is left as it is.
struct Parsed {
    attrs: Vec<Attribute>,
    vis: Visibility,
    sig: Signature,
    body: Group,
}

impl Parse for Parsed {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        let body = read_body(input.parse()?)?;
        if input.is_empty() {
            Ok(Parsed { attrs, vis, sig, body })
        } else {
            Err(input.error("unexpected tokens behind the function's body"))
        }
    }
}

/// The braces, also out of the invisible group that `$body:block` of a `macro_rules!` leaves.
fn read_body(tree: TokenTree) -> syn::Result<Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Ok(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            read_body(syn::parse2(group.stream())?)
        }
        other => {
            let message = "a function without a body cannot be cached\nannotate the implementation instead";
            Err(syn::Error::new(other.span(), message))
        }
    }
}

fn not_a_function(item: &TokenStream, error: syn::Error) -> syn::Error {
    let advice = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Fn(_) | Item::Verbatim(_)) | Err(_) => return error,
        Ok(Item::Impl(_)) => "annotate each method in it that shall be cached",
        Ok(Item::Trait(_)) => "annotate the methods of an implementation, with `handle = false`",
        Ok(Item::Mod(_)) => "annotate each function in the module that shall be cached",
        Ok(_) => "put it above the function whose results shall be cached",
    };
    syn::Error::new(first_span(item), format!("`#[cacheback]` goes on an `async fn`\n{advice}"))
}

fn first_span(tokens: &TokenStream) -> Span {
    tokens.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}

/// One error, however many qualifiers are refused: the advice about one must not contradict the advice about another.
fn check_qualifiers(sig: &Signature, body: &Group, errors: &mut Errors) {
    let name = &sig.ident;
    if name == "main" {
        errors.on(
            name,
            "`main` runs once: from a cache it would not run at all\nannotate the functions that it calls",
        );
    } else if let Some(token) = &sig.constness {
        errors.at(
            token.span,
            format_args!("a `const fn` runs at compile time and cannot be cached\nwrite `async fn {name}`"),
        );
    } else if let Safety::Unsafe(token) = &sig.safety {
        errors.at(
            token.span,
            "an `unsafe fn` cannot be cached: its contract would have to hold for later refreshes too\n\
             wrap it in a safe `async fn`, and annotate that",
        );
    } else if let Safety::Safe(token) = &sig.safety {
        errors.at(token.span, "`safe` belongs to foreign functions\nremove it");
    } else if let Some(variadic) = &sig.variadic {
        errors.at(variadic.dots.spans[0], "variadic functions cannot be cached\ntake a slice");
    } else if let Some(abi) = &sig.abi {
        errors.on(abi, "an `extern` function cannot be cached\nwrap it in an `async fn`, and annotate that");
    } else if sig.asyncness.is_none() && future(&sig.output).is_none() {
        errors.at(sig.fn_token.span, not_async(sig, body));
    }
}

/// The message for a function that is not `async`.
fn not_async(sig: &Signature, body: &Group) -> String {
    let name = &sig.ident;
    if returns_boxed(&sig.output) {
        return format!(
            "a boxed future cannot be cached, and that is what `#[async_trait]` makes of an `async fn`\n\
             write `async fn` in a trait without it, or call a cached function of your own from `{name}`"
        );
    }
    let only = "only an `async fn`, or one that returns `impl Future<Output = ..>`, can be cached";
    if blocks_on(body.stream()) {
        return format!(
            "{only}\n\
             this one blocks its thread on a future, as an `async fn` does under `#[tokio::main]` or its like: \
             remove that attribute, or annotate what the function calls"
        );
    }
    format!(
        "{only}\n\
         write `async fn {name}`, with `tokio::task::spawn_blocking` in it around what blocks its thread"
    )
}

/// Whether there is a `block_on` in a body, as attributes leave it that make an `async fn` a plain one.
fn blocks_on(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "block_on",
        TokenTree::Group(group) => blocks_on(group.stream()),
        _ => false,
    })
}

/// Whether a function returns `Pin<Box<..>>`.
fn returns_boxed(output: &ReturnType) -> bool {
    let ReturnType::Type(_, ty) = output else { return false };
    let Type::Path(path) = &**ty else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Pin")
}

fn check_generics(generics: &Generics, errors: &mut Errors) {
    for param in generics.const_params() {
        let written = param.ty.to_token_stream().to_string();
        if !CONSTANTS.contains(&written.as_str()) {
            errors.on(
                &param.ty,
                "a const parameter of a cached function is told apart by its type, which has to be a plain one\n\
                 write the type out: `usize`, `bool`, `char`, ..",
            );
        }
    }
}

/// Whether the signature has a receiver or names `Self`.
fn says_self(sig: &Signature) -> bool {
    struct SelfType(bool);
    impl<'ast> Visit<'ast> for SelfType {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            self.0 |= ident == "Self";
        }
    }
    let mut found = SelfType(sig.receiver().is_some());
    found.visit_signature(sig);
    found.0
}

/// The output of a call.
fn read_output(sig: &Signature) -> Option<&Type> {
    match &sig.output {
        ReturnType::Type(_, ty) => future(&sig.output).filter(|_| sig.asyncness.is_none()).or(Some(ty)),
        ReturnType::Default => None,
    }
}

/// The `R` of `-> impl Future<Output = R>`.
fn future<'a>(output: &'a ReturnType) -> Option<&'a Type> {
    let ReturnType::Type(_, ty) = output else { return None };
    let Type::ImplTrait(opaque) = shape::peel(ty) else { return None };
    let output = |argument: &'a GenericArgument| match argument {
        GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(&assoc.ty),
        _ => None,
    };
    opaque.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last().filter(|last| last.ident == "Future")?;
        let PathArguments::AngleBracketed(AngleBracketedGenericArguments { args, .. }) = &last.arguments
        else {
            return None;
        };
        args.iter().find_map(output)
    })
}

fn check_output(ty: &Type, errors: &mut Errors) {
    let mut opaque = Opaque(None);
    opaque.visit_type(ty);
    if let Some(span) = opaque.0 {
        errors.at(
            span,
            "`impl Trait` cannot be cached: a stored value needs a type with a name\nname the type",
        );
    } else if let Type::Never(never) = shape::peel(ty) {
        errors.at(never.bang_token.span, "a function that never returns has nothing to cache");
    } else if let Some(span) = shape::find_borrow(ty) {
        errors.at(
            span,
            "a borrow cannot be returned from a cache: values outlive the calls that made them\n\
             return an owned value, an `Arc<..>`, or `&'static`",
        );
    }
}

fn read_arguments(sig: &Signature, errors: &mut Errors) -> Vec<Argument> {
    let mut arguments = Vec::new();
    for (index, input) in sig.inputs.iter().enumerate() {
        let mut argument = match input {
            FnArg::Receiver(receiver) => read_receiver(receiver, index, errors),
            FnArg::Typed(typed) => read_argument(typed, index, errors),
        };
        if let Some(local) = &mut argument.local {
            Unnamed(&sig.generics).visit_type_mut(local);
        }
        arguments.push(argument);
    }
    if let Some(extra) = sig.inputs.iter().nth(MAX_ARGUMENTS) {
        errors.on(
            extra,
            format_args!(
                "a cached function takes up to {MAX_ARGUMENTS} arguments\n\
                 put some of them into a struct with `Clone`, `Hash` and `Eq`"
            ),
        );
    }
    arguments
}

/// `self` as an argument of its type.
fn read_receiver(receiver: &Receiver, index: usize, errors: &mut Errors) -> Argument {
    let at = receiver.self_token.span;
    let ty: Type = match &receiver.kind {
        ReceiverKind::Reference(_, lifetime, mutability) => {
            parse_quote_spanned!(at=> & #lifetime #mutability Self)
        }
        ReceiverKind::Typed(_, ty) => (**ty).clone(),
        _ => parse_quote_spanned!(at=> Self),
    };
    let name = Some(Ident::new("self", at));
    let shape = read_shape(shape::read_receiver(&ty), &ty, errors);
    Argument {
        index,
        name: name.clone(),
        public: name,
        bindings: Vec::new(),
        local: Some(ty.clone()),
        ty,
        shape,
    }
}

fn read_shape(read: syn::Result<Shape>, ty: &Type, errors: &mut Errors) -> Shape {
    read.unwrap_or_else(|error| {
        errors.push(error);
        Shape::Val(ty.clone())
    })
}

fn read_argument(typed: &PatType, index: usize, errors: &mut Errors) -> Argument {
    for attr in &typed.attrs {
        if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
            errors.on(
                attr,
                "an argument of a cached function cannot be conditional\nput `#[cfg]` on two functions",
            );
        }
    }
    let shape = read_shape(shape::read(&typed.ty), &typed.ty, errors);
    let (name, bindings) = match &*typed.pat {
        Pat::Ident(PatIdent { by_ref: None, subpat: None, ident, .. }) => (Some(ident.clone()), Vec::new()),
        pat => (None, bindings(pat)),
    };
    let public = name.clone().filter(|name| !name.to_string().starts_with('_'));
    let ty = (*typed.ty).clone();
    let local = (!matches!(shape, Shape::Inferred)).then(|| ty.clone());
    Argument { index, name, public, bindings, ty, local, shape }
}

/// The names that a pattern binds.
fn bindings(pat: &Pat) -> Vec<Ident> {
    struct Bindings(Vec<Ident>);
    impl<'ast> Visit<'ast> for Bindings {
        fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
            self.0.push(pat.ident.clone());
            visit::visit_pat_ident(self, pat);
        }
    }
    let mut found = Bindings(Vec::new());
    found.visit_pat(pat);
    found.0
}

/// Replaces the lifetimes that the function names by `'_`.
struct Unnamed<'a>(&'a Generics);

impl VisitMut for Unnamed<'_> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if self.0.lifetimes().any(|param| param.lifetime == *lifetime) {
            lifetime.ident = Ident::new("_", lifetime.ident.span());
        }
    }
}
