use super::*;
use crate::error::text::readable;

/// The expression with `self` renamed, and the errors.
fn renamed(text: &str) -> (String, String) {
    let mut errors = Errors::default();
    let expr = syn::parse_str(text).unwrap_or_else(|error| panic!("`{text}`: {error}"));
    let expr = in_expr(expr, &mut errors);
    (readable(&expr).replace("__cacheback_self", "THIS").replace(' ', ""), errors.listed())
}

#[test]
fn what_can_only_be_the_receiver_is_renamed() {
    let cases = [
        ("self", "THIS"),
        ("self.tenant", "THIS.tenant"),
        ("|x| x + self.get(self)", "|x|x+THIS.get(THIS)"),
        ("Self::get(&self.0)", "Self::get(&THIS.0)"),
        ("f::<{ N }>(&[self])", "f::<{N}>(&[THIS])"),
        ("format!(\"{}\", self.name)", "format!(\"{}\",THIS.name)"),
        ("outer!([self], { inner!(self) })", "outer!([THIS],{inner!(THIS)})"),
        ("{ macro_rules! me { () => { self } } me!() }", "{macro_rules!me{()=>{THIS}}me!()}"),
        ("{ select! { x = self.a() => x } }", "{select!{x=THIS.a()=>x}}"),
        // No receiver: a module, the method of another type, and a macro that may hold one.
        ("self::get()", "self::get()"),
        ("get!(self::get())", "get!(self::get())"),
        (
            "{ use self::get; impl T for U { fn f(self) { self } } }",
            "{useself::get;implTforU{fnf(self){self}}}",
        ),
        ("items! { fn f(self) { self } }", "items!{fnf(self){self}}"),
    ];
    for (text, expected) in cases {
        assert_eq!(renamed(text), (expected.to_owned(), String::new()), "{text}");
    }
}

#[test]
fn a_string_that_captures_the_receiver_is_refused() {
    for text in ["format!(\"{self}\")", "f(format!(\"{x} {self:?}\"))"] {
        let (_, errors) = renamed(text);
        assert!(errors.contains("a string that captures `self`"), "{text}: {errors}");
    }
    for text in ["format!(\"{{self}} {}\", 1)", "\"{self}\"", "m!(\"self\")"] {
        assert_eq!(renamed(text).1, "", "{text}");
    }
}

#[test]
fn a_body_that_is_no_rust_is_an_error_at_its_tokens() {
    let mut errors = Errors::default();
    let tokens: TokenStream = "{ let x = ; }".parse().unwrap_or_default();
    let Some(TokenTree::Group(body)) = tokens.into_iter().next() else { panic!("a group") };
    in_body(&body, &mut errors);
    assert!(!errors.is_empty());
}
