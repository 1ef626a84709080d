//! The annotated function: its arguments, what it returns, and why it may not be cacheable. The body stays
//! tokens; nothing here reads it.

#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, FnArg, GenericParam, Ident, Item, Pat, PatIdent, PatType, ReturnType, Safety, Signature, Type,
    Visibility,
};

use crate::error::Errors;
use crate::shape::{self, Opaque, Shape};

/// As many as the runtime has tuples for.
const MAX_ARGUMENTS: usize = 12;

const NO_METHODS: &str = "methods are not supported in this version\n\
     annotate a free function that takes `&Arc<..>` or a cloned handle, and `skip` it";

/// A function that can be cached, as far as its signature tells.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
    pub(crate) arguments: Vec<Argument>,
}

/// One argument.
#[derive(Clone)]
pub(crate) struct Argument {
    /// Its place in the signature.
    pub(crate) index: usize,
    /// What it is called, unless it is a pattern or `_`.
    pub(crate) name: Option<Ident>,
    /// What it is called where only its value counts: not by a `_name`, which says that it is unused.
    pub(crate) public: Option<Ident>,
    /// What its pattern binds, if it is one.
    pub(crate) bindings: Vec<Ident>,
    pub(crate) ty: Type,
    pub(crate) shape: Shape,
}

impl Argument {
    /// Where its type stands.
    pub(crate) fn span(&self) -> Span {
        self.ty.span()
    }
}

impl Function {
    /// The type it returns, if written.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty),
        }
    }
}

/// Reads the item under the attribute. `None` where it is not a function with a body.
pub(crate) fn parse(item: &TokenStream, errors: &mut Errors) -> Option<Function> {
    let Parsed { attrs, vis, sig, body } = match syn::parse2(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => {
            errors.push(not_a_function(item, error));
            return None;
        }
    };
    check_qualifiers(&sig, errors);
    check_generics(&sig, errors);
    check_method(&sig, errors);
    check_output(&sig.output, errors);
    let arguments = read_arguments(&sig, errors);
    Some(Function { attrs, vis, sig, body, arguments })
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
        Ok(Item::Impl(_)) => "annotate free functions; methods are not supported in this version",
        Ok(Item::Trait(_)) => "annotate a free function that the implementation calls",
        Ok(Item::Mod(_)) => "annotate each function in the module that shall be cached",
        Ok(_) => "put it above the function whose results shall be cached",
    };
    syn::Error::new(first_span(item), format!("`#[cacheback]` goes on an `async fn`\n{advice}"))
}

fn first_span(tokens: &TokenStream) -> Span {
    tokens.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}

fn check_qualifiers(sig: &Signature, errors: &mut Errors) {
    let name = &sig.ident;
    if name == "main" {
        errors.on(
            name,
            "`main` runs once: from a cache it would not run at all\nannotate the functions that it calls",
        );
    }
    if sig.asyncness.is_none() {
        errors
            .at(sig.fn_token.span, format_args!("only an `async fn` can be cached\nwrite `async fn {name}`"));
    }
    if let Some(token) = &sig.constness {
        errors.at(token.span, "a `const fn` runs at compile time and cannot be cached\nremove `const`");
    }
    match &sig.safety {
        Safety::Unsafe(token) => errors.at(
            token.span,
            "an `unsafe fn` cannot be cached: its contract would have to hold for later refreshes too\n\
             wrap it in a safe `async fn`, and annotate that",
        ),
        Safety::Safe(token) => errors.at(token.span, "`safe` belongs to foreign functions\nremove it"),
        Safety::Default => {}
    }
    if let Some(abi) = &sig.abi {
        errors.on(abi, "an `extern` function cannot be cached\nwrap it in an `async fn`, and annotate that");
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(variadic.dots.spans[0], "variadic functions cannot be cached\ntake a slice");
    }
}

fn check_generics(sig: &Signature, errors: &mut Errors) {
    for param in &sig.generics.params {
        let message = match param {
            GenericParam::Lifetime(_) => {
                "named lifetimes are not supported in this version\nleave the lifetime out: `&str`, `Cow<'_, str>`"
            }
            GenericParam::Type(_) | GenericParam::Const(_) => {
                "generic functions are not supported in this version\n\
                 annotate a function with concrete types, and call it from the generic one"
            }
        };
        errors.on(param, message);
    }
    if let (true, Some(clause)) = (sig.generics.params.is_empty(), &sig.generics.where_clause) {
        errors.at(clause.where_token.span, "`where` clauses are not supported in this version\nremove it");
    }
}

/// A receiver or `Self` means that the function stands in an `impl`.
fn check_method(sig: &Signature, errors: &mut Errors) {
    struct SelfType(Option<Span>);
    impl<'ast> Visit<'ast> for SelfType {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            if ident == "Self" {
                self.0.get_or_insert(ident.span());
            }
        }
    }
    let receiver = sig.inputs.iter().find_map(|input| match input {
        FnArg::Receiver(receiver) => Some(receiver.self_token.span),
        FnArg::Typed(_) => None,
    });
    let mut found = SelfType(receiver);
    found.visit_signature(sig);
    if let Some(span) = found.0 {
        errors.at(span, NO_METHODS);
    }
}

fn check_output(output: &ReturnType, errors: &mut Errors) {
    let ReturnType::Type(_, ty) = output else { return };
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
    for input in &sig.inputs {
        if let FnArg::Typed(typed) = input {
            arguments.push(read_argument(typed, arguments.len(), errors));
        }
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

fn read_argument(typed: &PatType, index: usize, errors: &mut Errors) -> Argument {
    for attr in &typed.attrs {
        if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
            errors.on(
                attr,
                "an argument of a cached function cannot be conditional\nput `#[cfg]` on two functions",
            );
        }
    }
    let shape = shape::read(&typed.ty).unwrap_or_else(|error| {
        errors.push(error);
        Shape::Val((*typed.ty).clone())
    });
    let (name, bindings) = match &*typed.pat {
        Pat::Ident(PatIdent { by_ref: None, subpat: None, ident, .. }) => (Some(ident.clone()), Vec::new()),
        pat => (None, bindings(pat)),
    };
    let public = name.clone().filter(|name| !name.to_string().starts_with('_'));
    Argument { index, name, public, bindings, ty: (*typed.ty).clone(), shape }
}

/// What a pattern binds.
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
