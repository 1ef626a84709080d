//! The whole pipeline: its errors for broken input, and that no input makes it panic.

mod mutations;

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::quote;

use crate::error::Errors;
use crate::plan::Plan;

/// The plan, and the errors one a line.
pub(crate) fn planned(args: &str, item: &str) -> (Option<Plan>, String) {
    let mut errors = Errors::default();
    let plan = crate::plan(tokens(args), &tokens(item), &mut errors);
    (plan, errors.listed())
}

/// The errors of an attribute on a function.
pub(crate) fn errors(args: &str, item: &str) -> String {
    planned(args, item).1
}

/// The plan of an attribute without errors.
pub(crate) fn plan(args: &str, item: &str) -> Plan {
    match planned(args, item) {
        (Some(plan), errors) if errors.is_empty() => plan,
        (_, errors) => panic!("`{args}` on `{item}`:\n{errors}"),
    }
}

pub(crate) fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

#[test]
fn an_item_that_is_not_a_function_is_left_as_it_is_with_one_error() {
    for item in
        ["struct Tweet { id: u64 }", "mod tweets {}", "impl Repo {}", "trait Source {}", "const N: u8 = 1;"]
    {
        let output = crate::expand(tokens("lifetime = 600"), tokens(item)).to_string();
        assert!(output.starts_with(&tokens(item).to_string()), "{output}");
        assert_eq!(output.matches("compile_error").count(), 1, "{output}");
    }
}

#[test]
fn errors_of_attribute_and_function_come_together_and_the_function_stays() {
    let item = "fn tweets(user: &mut str) -> &str { user }";
    let output = crate::expand(tokens("ttl = 5, lifetime = -1, skip(usr)"), tokens(item)).to_string();
    assert!(output.starts_with(&tokens(item).to_string()), "{output}");
    assert_eq!(output.matches("compile_error").count(), 6, "{output}");
}

#[test]
fn a_body_may_come_out_of_a_macro() {
    let body = Group::new(Delimiter::None, quote!({ 5 }));
    let item = quote!(async fn f() -> u8 #body);
    let output = crate::expand(TokenStream::new(), item).to_string();
    assert!(output.contains("-> u8 { 5 }"), "{output}");
}
