//! The user's code: in a function of its own, or in the fetch.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{FnArg, Ident, PatType};

use super::lints::shadowing;
use super::paths::{located, numbered};
use super::{Expansion, Place};
use crate::function::signature::Argument;
use crate::plan::{Body, rename_self};

impl Expansion<'_> {
    /// The user's function under another name; nothing if the body is inline.
    pub(super) fn body(&self, name: &str) -> TokenStream {
        let attrs = &self.plan.attrs.body;
        let mut sig = self.plan.sig.clone();
        sig.ident = Ident::new(name, self.here);
        let lints = self.body_lints();
        let Body::Function(block) = &self.plan.body else { return TokenStream::new() };
        let used: TokenStream =
            self.plan.arguments.iter().filter_map(|argument| self.use_of_argument(argument)).collect();
        let block = if used.is_empty() { block.clone() } else { begun_with(&used, block) };
        quote!(#lints #(#attrs)* #sig #block)
    }

    /// Runs the body with arguments lent from the owned ones.
    pub(super) fn fetch(&self, place: &Place) -> TokenStream {
        let here = self.here;
        let private = self.paths.private(here);
        let (body, turbofish) = (&place.body, self.turbofish());
        let bound = self.bound();
        let run = match &self.plan.body {
            Body::Inline(block) => self.inline(block),
            Body::Function(_) if bound.is_empty() => {
                return quote_spanned!(here=> |_| #private::Box::pin(#body #turbofish ()));
            }
            Body::Function(_) => {
                let lent = self.plan.arguments.iter().map(lent);
                quote_spanned!(here=> #body #turbofish (#(#lent),*).await)
            }
        };
        let taken = (!bound.is_empty())
            .then(|| quote_spanned!(here=> let (#(#bound,)*) = __cacheback_args.__cacheback_lend();));
        let args = if bound.is_empty() { quote!(_) } else { quote!(__cacheback_args) };
        quote_spanned! {here=>
            |#args| #private::Box::pin(async move {
                #taken
                #run
            })
        }
    }

    /// The body in the place of a call of it, with its arguments bound.
    fn inline(&self, block: &TokenStream) -> TokenStream {
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
            // Tells the compiler the type of a `return` in the body.
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

    /// Uses an argument that an option uses, because the body may not.
    fn use_of_argument(&self, argument: &Argument) -> Option<TokenStream> {
        let name = argument.name.as_ref().filter(|_| !argument.is_receiver())?;
        self.plan.asked_for.contains(&argument.index).then(|| quote!(let _ = #name;))
    }
}

/// A block that begins with `first`, behind the attributes in it.
fn begun_with(first: &TokenStream, block: &Group) -> Group {
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
