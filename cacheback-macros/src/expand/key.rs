//! The key of a call, its arguments, and which of the caches in the slot is meant.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use super::Expansion;
use super::paths::{invented, located};
use crate::function::shape::Shape;
use crate::function::signature::Argument;
use crate::plan::key::Part;
use crate::plan::{Instances, Parameter};

impl Expansion<'_> {
    /// The computed parts of the key, evaluated.
    pub(super) fn computed(&self) -> TokenStream {
        let mut tokens = TokenStream::new();
        for (place, part) in self.plan.key.parts.iter().enumerate() {
            if let Part::Computed(expr) = part {
                let name = invented("k", place);
                tokens.extend(quote!(let #name = #expr;));
            }
        }
        tokens
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
                let shape = self.shape_of_part(place, part, names, by_inference);
                let name = match part {
                    Part::Argument(index) => &names[*index],
                    Part::Computed(_) => &invented("k", place),
                };
                (shape, view(name, self.part_span(part)))
            })
            .unzip();
        // What is computed stands elsewhere.
        let ends = parts.iter().find(|part| is_computed(part)).map(|part| (part, part));
        let ends = ends.or_else(|| parts.first().zip(parts.last()));
        let ends = ends.map(|(first, last)| (self.part_span(first), self.part_span(last)));
        self.checked("key", &shapes, &views, by_inference, ends)
    }

    /// A question for each part of the key, with its span: whether it can be shared.
    pub(super) fn shared_parts(&self, names: &[Ident]) -> Vec<TokenStream> {
        let part = |(place, part)| {
            let at = self.part_span(part);
            let private = self.paths.private(at);
            let shape = self.shape_of_part(place, part, names, true);
            quote_spanned!(at=> #private::shared_part(#shape))
        };
        self.plan.key.parts.iter().enumerate().map(part).collect()
    }

    /// The shape of a part of the key, or the shape as a value.
    fn shape_of_part(&self, place: usize, part: &Part, names: &[Ident], as_value: bool) -> TokenStream {
        match part {
            Part::Argument(index) => self.shape_or_value(&self.plan.arguments[*index], names, as_value),
            Part::Computed(_) => {
                let at = self.part_span(part);
                let private = self.paths.private(at);
                let view = view(&invented("k", place), at);
                quote_spanned!(at=> (&&#private::computed(#view)).__cacheback_shape())
            }
        }
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
    pub(super) fn shapes(
        &self,
        shapes: &[TokenStream],
        by_inference: bool,
        ends: Option<(Span, Span)>,
    ) -> TokenStream {
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

    /// The shape of an argument, or the shape as a value: inferred if the type of the argument has no name.
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

    pub(super) fn shape(&self, argument: &Argument) -> TokenStream {
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
}

/// A reference to a part of the key or to an argument, with the span of that part: an error about its type is reported there.
fn view(name: &Ident, at: Span) -> TokenStream {
    let mut name = name.clone();
    name.set_span(name.span().located_at(at));
    quote_spanned!(at=> &#name)
}
