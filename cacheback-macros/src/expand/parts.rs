//! The small pieces of an expansion: paths, shapes, views, policies.

use std::time::Duration;

use proc_macro2::{Group, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Expr, ExprClosure, FnArg, GenericParam, Ident, Pat, PatIdent, PatType, Path, Receiver, ReturnType, Token,
};

use super::Expansion;
use super::lints::shadowing;
use crate::function::attrs;
use crate::function::shape::Shape;
use crate::function::signature::Argument;
use crate::options::{self, Eviction};
use crate::plan::key::Part;
use crate::plan::rename_self;
use crate::plan::{Assignment, Instances, Parameter, Scoped, Setting};

/// Where generated code finds the facade.
pub(super) struct Paths(TokenStream);

impl Paths {
    pub(super) fn new(krate: Option<&Path>) -> Self {
        Paths(krate.map_or_else(|| quote!(::cacheback), Path::to_token_stream))
    }

    /// The facade, shown at `span`.
    pub(super) fn krate(&self, span: Span) -> TokenStream {
        shown_at(self.0.clone(), span)
    }

    /// What only generated code may name, shown at `span`: each function that does imports it, under a name that is not
    /// the user's. Short: it stands in nearly every line.
    pub(super) fn private(&self, span: Span) -> Ident {
        Ident::new("__cb", span)
    }
}

/// A span that resolves as ours and shows the user's.
pub(super) fn located(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// `__cacheback_0`
pub(super) fn numbered(index: usize) -> Ident {
    format_ident!("__cacheback_{index}", span = Span::call_site())
}

/// `__cacheback_k0`
pub(super) fn invented(kind: &str, index: usize) -> Ident {
    format_ident!("__cacheback_{kind}{index}", span = Span::call_site())
}

/// Tokens that resolve as before and are shown at `span`.
fn shown_at(tokens: TokenStream, span: Span) -> TokenStream {
    let shown = |mut token: TokenTree| {
        let at = token.span().located_at(span);
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), shown_at(group.stream(), span)).into();
        }
        token.set_span(at);
        token
    };
    tokens.into_iter().map(shown).collect()
}

impl Expansion<'_> {
    /// What an argument is called on the public functions.
    pub(super) fn public_name(&self, argument: &Argument) -> Ident {
        argument.public.clone().unwrap_or_else(|| numbered(argument.index))
    }

    /// The arguments as others see them: no patterns, and of the attributes what they allow.
    pub(super) fn parameters(&self) -> Punctuated<FnArg, Token![,]> {
        let parameter = |(input, argument): (&FnArg, &Argument)| match input {
            FnArg::Receiver(receiver) => {
                let attrs = attrs::allowed_at(input);
                FnArg::Receiver(Receiver { attrs, mutability: None, ..receiver.clone() })
            }
            FnArg::Typed(_) => {
                let ident = self.public_name(argument);
                let pat = PatIdent { attrs: Vec::new(), by_ref: None, mutability: None, ident, subpat: None };
                FnArg::Typed(PatType {
                    attrs: attrs::allowed_at(input),
                    pat: Box::new(Pat::Ident(pat)),
                    colon_token: Token![:](located(argument.span())),
                    ty: Box::new(argument.ty.clone()),
                })
            }
        };
        self.plan.sig.inputs.iter().zip(&self.plan.arguments).map(parameter).collect()
    }

    /// The key of the call. `names` is what the arguments are called here.
    pub(super) fn key(&self, names: &[Ident]) -> TokenStream {
        let parts = &self.plan.key.parts;
        let is_computed = |part: &Part| matches!(part, Part::Computed(_));
        let is_inferred =
            |part: &Part| matches!(part, Part::Argument(index) if self.plan.arguments[*index].is_inferred());
        let by_inference = parts.iter().any(|part| is_computed(part) || is_inferred(part));
        let (shapes, views): (Vec<_>, Vec<_>) = parts
            .iter()
            .enumerate()
            .map(|(place, part)| {
                let at = self.part_span(part);
                match part {
                    Part::Argument(index) => {
                        let argument = &self.plan.arguments[*index];
                        (self.shape_or_value(argument, names, by_inference), view(&names[*index], at))
                    }
                    Part::Computed(_) => {
                        let private = self.paths.private(at);
                        let view = view(&invented("k", place), at);
                        (quote_spanned!(at=> (&&#private::computed(#view)).__cacheback_shape()), view)
                    }
                }
            })
            .unzip();
        // What is computed stands elsewhere.
        let ends = parts.iter().find(|part| is_computed(part)).map(|part| (part, part));
        let ends = ends.or_else(|| parts.first().zip(parts.last()));
        let ends = ends.map(|(first, last)| (self.part_span(first), self.part_span(last)));
        self.checked("key", &shapes, &views, by_inference, ends)
    }

    fn part_span(&self, part: &Part) -> Span {
        located(match part {
            Part::Argument(index) => self.plan.arguments[*index].span(),
            Part::Computed(expr) => expr.span(),
        })
    }

    /// All arguments of the call. `names` is what they are called here.
    pub(super) fn args(&self, names: &[Ident]) -> TokenStream {
        let (shapes, by_inference) = self.argument_shapes(names);
        let arguments = self.plan.arguments.iter();
        let views: Vec<_> =
            arguments.map(|argument| view(&names[argument.index], located(argument.span()))).collect();
        self.checked("args", &shapes, &views, by_inference, self.ends_of_arguments())
    }

    /// The shapes of all arguments, as a value.
    pub(super) fn shapes_of_arguments(&self, names: &[Ident]) -> TokenStream {
        let (shapes, by_inference) = self.argument_shapes(names);
        self.shapes(&shapes, by_inference, self.ends_of_arguments())
    }

    fn argument_shapes(&self, names: &[Ident]) -> (Vec<TokenStream>, bool) {
        let arguments = &self.plan.arguments;
        let by_inference = arguments.iter().any(Argument::is_inferred);
        let shapes = arguments.iter().map(|argument| self.shape_or_value(argument, names, by_inference));
        (shapes.collect(), by_inference)
    }

    fn ends_of_arguments(&self) -> Option<(Span, Span)> {
        let arguments = &self.plan.arguments;
        let ends = arguments.first().zip(arguments.last());
        ends.map(|(first, last)| (located(first.span()), located(last.span())))
    }

    /// A call of `check` with shapes and views. It and the shapes in it stand from one end to the other: there it is
    /// reported, once, if one of them does not fit.
    fn checked(
        &self,
        check: &str,
        shapes: &[TokenStream],
        views: &[TokenStream],
        by_inference: bool,
        ends: Option<(Span, Span)>,
    ) -> TokenStream {
        let (start, end) = ends.unwrap_or((self.here, self.here));
        let private = self.paths.private(start);
        let check = Ident::new(check, start);
        let shapes = self.shapes(shapes, by_inference, ends);
        let call = quote_spanned!(end=> (#shapes, (#(#views,)*)));
        quote_spanned!(start=> #private::#check #call)
    }

    /// A tuple of shapes, as a value.
    fn shapes(&self, shapes: &[TokenStream], by_inference: bool, ends: Option<(Span, Span)>) -> TokenStream {
        let (start, end) = ends.unwrap_or((self.here, self.here));
        let private = self.paths.private(start);
        if by_inference {
            let all = quote_spanned!(end=> ((#(#shapes,)*)));
            quote_spanned!(start=> #private::shapes #all)
        } else {
            let call = quote_spanned!(end=> ());
            quote_spanned!(start=> #private::of::<(#(#shapes,)*)> #call)
        }
    }

    /// The shape of an argument, or that as a value: by inference where its type has no name.
    fn shape_or_value(&self, argument: &Argument, names: &[Ident], as_value: bool) -> TokenStream {
        if !as_value {
            return self.shape(argument);
        }
        let at = located(argument.span());
        let private = self.paths.private(at);
        if argument.is_inferred() {
            let view = view(&names[argument.index], at);
            return quote_spanned!(at=> #private::by_val(#view));
        }
        let shape = self.shape(argument);
        quote_spanned!(at=> #private::of::<#shape>())
    }

    /// Which of the caches in the slot. `names` is what the arguments are called here.
    pub(super) fn instance(&self, slot: &TokenStream, names: &[Ident]) -> TokenStream {
        let here = self.here;
        let private = self.paths.private(here);
        let marker = match &self.plan.instances {
            Instances::One => return quote_spanned!(here=> #slot()),
            Instances::Scope => quote_spanned!(here=> __cacheback_marker),
            Instances::Named(parameters) => {
                let function = self.marker_function();
                let parameters = parameters.iter().map(|parameter| match parameter {
                    Parameter::Type(name) => quote_spanned!(here=> #private::PhantomData::<#name>),
                    Parameter::Const(name, ty) => {
                        quote_spanned!(here=> #private::PhantomData::<#private::constant::#ty<#name>>)
                    }
                    Parameter::Argument(index) => {
                        let name = &names[*index];
                        quote_spanned!(here=> #private::type_of(&#name))
                    }
                });
                quote_spanned!(here=> #function((#(#parameters,)*)))
            }
        };
        quote_spanned!(here=> #slot().of(#marker))
    }

    /// The marker of a function without a name for its instantiation: a closure has a type of its own in each.
    pub(super) fn scope_marker(&self) -> Option<TokenStream> {
        let function = self.marker_function();
        matches!(self.plan.instances, Instances::Scope)
            .then(|| quote_spanned!(self.here=> let __cacheback_marker = #function(|| ());))
    }

    fn marker_function(&self) -> TokenStream {
        let private = self.paths.private(self.here);
        if self.plan.in_impl {
            quote_spanned!(self.here=> #private::method::<Self, _>)
        } else {
            quote_spanned!(self.here=> #private::generic)
        }
    }

    /// `::<T, N>`, where the function has type or const parameters.
    pub(super) fn turbofish(&self) -> Option<TokenStream> {
        let params = self.plan.sig.generics.params.iter();
        let names: Vec<&Ident> = params
            .filter_map(|param| match param {
                GenericParam::Type(param) => Some(&param.ident),
                GenericParam::Const(param) => Some(&param.ident),
                GenericParam::Lifetime(_) => None,
            })
            .collect();
        (!names.is_empty()).then(|| quote_spanned!(self.here=> ::<#(#names),*>))
    }

    /// The body in the place of a call of it, with its arguments bound.
    pub(super) fn inline(&self, block: &TokenStream) -> TokenStream {
        let plan = self.plan;
        let output = &self.output;
        let attrs = &plan.attrs.body;
        let lets = plan.sig.inputs.iter().zip(&plan.arguments).map(|(input, argument)| {
            let lease = lent(argument);
            let ty = argument.local.as_ref().map(|ty| quote!(: #ty));
            match input {
                FnArg::Receiver(receiver) => {
                    let (name, mutability) =
                        (rename_self::name(receiver.self_token.span), &receiver.mutability);
                    quote!(let #mutability #name #ty = #lease;)
                }
                FnArg::Typed(PatType { attrs, pat, .. }) => {
                    let shadow = shadowing();
                    let used = self.use_of_argument(argument);
                    quote!(#shadow #(#attrs)* let #pat #ty = #lease; #used)
                }
            }
        });
        let run = if plan.sig.asyncness.is_some() {
            quote!(#block)
        } else {
            // In a closure, a `return` of the user's returns the future.
            quote!((move || #block)().await)
        };
        quote! {
            // Says what a `return` in the body has to be.
            if let ::core::option::Option::Some(__cacheback_returned) = ::core::option::Option::None::<#output> {
                return __cacheback_returned;
            }
            #(#lets)*
            // Of a body that ends in `todo!()` or a loop nothing comes back. (A future's `typed::<R, _>(async move {..})`
            // would need no allowance, but does not coerce what the body ends with.)
            #[allow(clippy::diverging_sub_expression)]
            #(#attrs)*
            let __cacheback_returned: #output = #run;
            #[allow(unreachable_code)]
            return __cacheback_returned;
        }
    }

    /// Uses an argument that an option asks for, and maybe nothing else does.
    pub(super) fn use_of_argument(&self, argument: &Argument) -> Option<TokenStream> {
        let name = argument.name.as_ref().filter(|_| !argument.is_receiver())?;
        self.plan.asked_for.contains(&argument.index).then(|| quote!(let _ = #name;))
    }

    fn shape(&self, argument: &Argument) -> TokenStream {
        self.shape_at(&argument.shape, located(argument.span()))
    }

    fn shape_at(&self, shape: &Shape, at: Span) -> TokenStream {
        let private = self.paths.private(at);
        match shape {
            Shape::Val(ty) => quote_spanned!(at=> #private::Val<#ty>),
            Shape::Inferred => quote_spanned!(at=> #private::Val<_>),
            Shape::Ref(ty) => quote_spanned!(at=> #private::Ref<#ty>),
            Shape::This(ty) => quote_spanned!(at=> #private::This<#ty>),
            Shape::CowOf(ty) => quote_spanned!(at=> #private::CowOf<#ty>),
            Shape::Option(inner) => {
                let inner = self.shape_at(inner, at);
                quote_spanned!(at=> ::core::option::Option<#inner>)
            }
            Shape::Tuple(shapes) => {
                let shapes = shapes.iter().map(|shape| self.shape_at(shape, at));
                quote_spanned!(at=> (#(#shapes,)*))
            }
            Shape::Slice(inner) => {
                let inner = self.shape_at(inner, at);
                quote_spanned!(at=> #private::Slice<#inner>)
            }
            Shape::Nested(inner) => {
                let inner = self.shape_at(inner, at);
                quote_spanned!(at=> #private::Nested<#inner>)
            }
        }
    }

    /// `|args| { ..; expr }`
    pub(super) fn over_arguments(&self, scoped: &Scoped) -> TokenStream {
        let at = located(scoped.expr.span());
        let expr = self.with_arguments(scoped);
        let args = args_param(scoped.uses.is_empty());
        quote_spanned!(at=> |#args| #expr)
    }

    /// A block that binds the arguments of `scoped` by their names, then evaluates it.
    fn with_arguments(&self, scoped: &Scoped) -> TokenStream {
        let expr = self.evaluated(scoped);
        if scoped.uses.is_empty() {
            return quote!({ #expr });
        }
        let arguments = &self.plan.arguments;
        let places = arguments.iter().map(|argument| {
            if scoped.uses.contains(&argument.index) {
                numbered(argument.index).to_token_stream()
            } else {
                quote!(_)
            }
        });
        let lets = scoped.uses.iter().map(|index| {
            let argument = &arguments[*index];
            let lease = lent(argument);
            let ty = argument.local.as_ref().map(|ty| quote!(: #ty));
            let name = match &argument.name {
                Some(name) if argument.is_receiver() => Some(rename_self::name(name.span())),
                name => name.clone(),
            };
            let attrs = attrs::allowed_at(&self.plan.sig.inputs[*index]);
            // A word in a string or a closure's own parameter may have been taken for an argument: use it.
            let shadow = shadowing();
            quote!(#shadow #(#attrs)* let #name #ty = #lease; let _ = &#name;)
        });
        quote!({
            let (#(#places,)*) = __cacheback_args.__cacheback_lend();
            #(#lets)*
            #expr
        })
    }

    /// The expression alone.
    fn evaluated(&self, scoped: &Scoped) -> TokenStream {
        if scoped.is_span { self.span(&scoped.expr) } else { scoped.expr.to_token_stream() }
    }

    /// An expression that has to be a duration, and is told so with an advice.
    fn span(&self, expr: &Expr) -> TokenStream {
        let at = located(expr.span());
        let private = self.paths.private(at);
        quote_spanned!(at=> #private::span(#expr))
    }

    /// A closure that returns a duration, likewise.
    pub(super) fn to_duration(&self, closure: &Expr) -> TokenStream {
        match closure {
            Expr::Closure(written)
                if matches!(written.output, ReturnType::Default) && options::has_own_type(&written.body) =>
            {
                let body = Box::new(Expr::Verbatim(self.span(&written.body)));
                ExprClosure { body, ..written.clone() }.to_token_stream()
            }
            other => other.to_token_stream(),
        }
    }

    /// The closure that sets what is known before the first call.
    pub(super) fn constant_policy(&self) -> TokenStream {
        let plan = self.plan;
        if plan.constant.is_empty() && plan.varies.is_empty() {
            return quote!(|_| {});
        }
        let assignments = plan.constant.iter().map(|assignment| self.assign(assignment));
        let varies = &plan.varies;
        let varies = (!varies.is_empty()).then(|| quote!(__cacheback_policy.varies = &[#(#varies),*];));
        match plan.constant.len() {
            // One assignment is an expression.
            1 if varies.is_none() => {
                let assignment = self.assign(&plan.constant[0]);
                quote!(|__cacheback_policy| #assignment)
            }
            _ => quote!(|__cacheback_policy| { #(#assignments;)* #varies }),
        }
    }

    /// The closure that sets what is evaluated for each fetch or write.
    pub(super) fn varying_policy(&self) -> TokenStream {
        let varying = &self.plan.varying;
        let uses_none = varying.iter().all(|assignment| match &assignment.value {
            Setting::Expr(scoped) => scoped.uses.is_empty(),
            _ => true,
        });
        let args = args_param(uses_none);
        let assignments = varying.iter().map(|assignment| self.assign(assignment));
        quote!(|#args, __cacheback_policy| { #(#assignments;)* })
    }

    fn assign(&self, assignment: &Assignment) -> TokenStream {
        let field = format_ident!("{}", assignment.field, span = Span::call_site());
        let (at, value) = match &assignment.value {
            Setting::Duration(duration, span) => (located(*span), self.duration(*duration, located(*span))),
            Setting::Count(count, span) => {
                (located(*span), literal(Literal::u64_unsuffixed(*count), located(*span)))
            }
            Setting::Fraction(share, span) => {
                (located(*span), literal(Literal::f64_unsuffixed(*share), located(*span)))
            }
            Setting::Eviction(eviction, span) => {
                let at = located(*span);
                let private = self.paths.private(at);
                let variant = match eviction {
                    Eviction::Lru => quote_spanned!(at=> Lru),
                    Eviction::TinyLfu => quote_spanned!(at=> TinyLfu),
                };
                (at, quote_spanned!(at=> #private::Eviction::#variant))
            }
            Setting::Flag(flag, span) => {
                let at = located(*span);
                (at, quote_spanned!(at=> #flag))
            }
            Setting::Expr(scoped) if scoped.is_constant() => {
                (located(scoped.expr.span()), self.evaluated(scoped))
            }
            Setting::Expr(scoped) => (located(scoped.expr.span()), self.with_arguments(scoped)),
        };
        let value = if assignment.optional {
            quote_spanned!(at=> ::core::option::Option::Some(#value))
        } else {
            value
        };
        quote_spanned!(at=> __cacheback_policy.#field = #value)
    }

    fn duration(&self, duration: Duration, at: Span) -> TokenStream {
        let private = self.paths.private(at);
        let seconds = literal(Literal::u64_unsuffixed(duration.as_secs()), at);
        if duration.subsec_nanos() == 0 {
            return quote_spanned!(at=> #private::seconds(#seconds));
        }
        let nanos = literal(Literal::u32_unsuffixed(duration.subsec_nanos()), at);
        quote_spanned!(at=> #private::Duration::new(#seconds, #nanos))
    }
}

/// A reference to a part of the key or to an argument, shown where that stands: an error of its type is reported there.
fn view(name: &Ident, at: Span) -> TokenStream {
    let mut name = name.clone();
    name.set_span(name.span().located_at(at));
    quote_spanned!(at=> &#name)
}

/// A block that begins with `first`, behind the attributes in it.
pub(super) fn begun_with(first: &TokenStream, block: &Group) -> Group {
    let tokens: Vec<TokenTree> = block.stream().into_iter().collect();
    let is_attribute = |window: &[TokenTree]| {
        matches!(window, [TokenTree::Punct(pound), TokenTree::Punct(bang), TokenTree::Group(_)]
            if pound.as_char() == '#' && bang.as_char() == '!')
    };
    let attributes = tokens.chunks(3).take_while(|window| is_attribute(window)).count() * 3;
    let (attributes, rest) = tokens.split_at(attributes);
    let mut begun = Group::new(block.delimiter(), quote!(#(#attributes)* #first #(#rest)*));
    begun.set_span(block.span());
    begun
}

/// An argument of the body, as its [`numbered`] lease.
pub(super) fn lent(argument: &Argument) -> TokenStream {
    let name = numbered(argument.index);
    let borrow = argument.shape.by_reference().then(|| quote_spanned!(located(argument.span())=> &));
    quote!(#borrow #name)
}

fn args_param(unused: bool) -> TokenStream {
    if unused { quote!(_) } else { quote!(__cacheback_args) }
}

fn literal(mut literal: Literal, at: Span) -> TokenStream {
    literal.set_span(at);
    literal.to_token_stream()
}
