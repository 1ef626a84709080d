use super::*;

/// The place of the function `f` in `source`, whose attribute is `#[cacheback`.
fn place(source: &str) -> Option<Place> {
    find(source, source.find("#[cacheback").expect("an attribute"), "f")
}

const FUNCTION: &str = "#[cacheback(lifetime = 5)] async fn f() {}";

fn scope_in(before: &str, after: &str) -> Option<Scope> {
    let place = place(&format!("{before}{FUNCTION}{after}"))?;
    assert!(!place.beside_a_module, "{before}");
    Some(place.scope)
}

fn inherent() -> Option<Scope> {
    Some(Scope::Impl { of_a_trait: false, borrowing: None })
}

#[test]
fn what_the_function_stands_in() {
    let of_a_trait = Some(Scope::Impl { of_a_trait: true, borrowing: None });
    let cases = [
        ("", Some(Scope::Module)),
        ("//! Docs.\n#![deny(missing_docs)]\nuse a::b;\n\n/// Docs.\n", Some(Scope::Module)),
        ("#[cfg(test)]\npub(crate) mod tests {\n", Some(Scope::Module)),
        ("impl Repo {\n", inherent()),
        (
            "impl Repo {\n    /// Docs.\n    #[allow(dead_code)]\n    #[cfg(feature = \"x\")]\n    ",
            inherent(),
        ),
        ("impl<T, const N: usize> Repo<T, N> where T: Into<u8> {", inherent()),
        ("impl<F: Fn() -> u8> Repo<F> {", inherent()),
        ("mod a { unsafe impl Load for super::Repo {", of_a_trait.clone()),
        ("impl<T> Load<T> for Repo where for<'a> T: Tr<'a> {", of_a_trait.clone()),
        ("impl Load<'_> for Repo {", of_a_trait),
        (
            "impl Repo { async fn other(&self) { loop {} } const N: u8 = { 5 }; fn g() -> [u8; 2] { [1; 2] }",
            inherent(),
        ),
        ("pub(in crate::a) trait Load: Send {", Some(Scope::Trait)),
        ("pub async fn outer(a: [u8; 3]) -> Option<u8> {", Some(Scope::Function)),
        ("pub async fn outer() { impl Repo {", inherent()),
        ("struct S { a: u8 } enum E { A { b: u8 } } impl Repo {", inherent()),
    ];
    for (before, expected) in cases {
        assert_eq!(scope_in(before, "}}"), expected, "{before}");
    }
}

#[test]
fn braces_in_text_are_none() {
    let texts = [
        "// impl Other {\n",
        "/* impl { /* nested */ { */",
        "const A: &str = \"impl {\";",
        r#"const A: &str = "\"{\\";"#,
        "const A: &str = r\"{\\\";",
        "const A: &str = r#\"{\"{\"#;",
        "const A: &[u8] = br##\"{\"#{\"##;",
        "const A: char = '{';",
        r"const A: char = '\'';",
        r"const A: char = '\u{7b}';",
        "const A: u8 = b'{';",
        "const A: &'static str = \"\";",
        "fn g<'a>(a: &'a str) -> &'a str { 'outer: loop { break 'outer a } }",
    ];
    for text in texts {
        assert_eq!(scope_in(text, ""), Some(Scope::Module), "{text}");
        assert_eq!(scope_in(&format!("impl Repo {{ {text}"), "}"), inherent(), "{text}");
    }
}

#[test]
fn a_type_that_borrows() {
    let borrowing = |header: &str| match scope_in(&format!("{header} {{"), "}") {
        Some(Scope::Impl { borrowing, .. }) => borrowing,
        other => panic!("{header}: {other:?}"),
    };
    assert_eq!(borrowing("impl Service<'_>").as_deref(), Some("Service<'_>"));
    assert_eq!(borrowing("impl<'a, T> Service<'a, T> where T: 'a").as_deref(), Some("Service<'a, T>"));
    assert_eq!(borrowing("impl<'a> Load for &'a Repo").as_deref(), Some("&'a Repo"));
    assert_eq!(borrowing("impl Load for &Repo").as_deref(), Some("&Repo"));
    for header in
        ["impl Repo<'static>", "impl Load<'_> for Repo", "impl Repo<fn(&u8)>", "impl Load for &'static str"]
    {
        assert_eq!(borrowing(header), None, "{header}");
    }
}

#[test]
fn nothing_is_said_where_the_function_may_have_been_moved() {
    let cases = [
        "macro_rules! m { () => { impl Repo {",
        "my_macro! { impl Repo {",
        "my_macro!(impl Repo {",
        "#[routes] impl Repo {",
        "#[cfg_attr(a, routes)] impl Repo {",
        "#[routes] mod a { impl Repo {",
        "impl Repo { #[other] ",
        "impl Repo { my_macro! {",
        "const _: () = { impl Repo {",
        "extern \"C\" { ",
        "union U { ",
    ];
    for before in cases {
        assert_eq!(scope_in(before, "}}})"), None, "{before}");
    }
    // Not what the compiler has read.
    assert_eq!(place("#[cacheback] async fn g() {}"), None);
    assert_eq!(find("impl Repo { async fn f() {} }", 12, "f"), None);
    assert_eq!(find("", 5, "f"), None);
}

#[test]
fn a_module_of_the_functions_name() {
    let beside = |before: &str, after: &str| {
        let place = place(&format!("{before}{FUNCTION}{after}"));
        place.unwrap_or_else(|| panic!("{before}")).beside_a_module
    };
    for (before, after) in [
        ("mod f;", ""),
        ("", "mod f;"),
        ("/// Docs.\npub mod f { mod g; }", ""),
        ("mod a { fn g() {} ", "pub(crate) mod f; }"),
        ("mod a { mod f {} ", "}"),
        ("", "fn g() { a(); [1; 2] } #[allow(unused)] mod f {}"),
    ] {
        assert!(beside(before, after), "{before} .. {after}");
    }
    for (before, after) in [
        ("mod g;", "mod h;"),
        ("mod a { mod f; }", ""),
        ("mod f;\nmod a { ", "}"),
        ("mod a { ", "}\nmod f;"),
        ("#[cfg(test)] mod f;", ""),
        ("mod found;", ""),
        ("// mod f;\n", "const A: &str = \"mod f;\";"),
    ] {
        assert!(!beside(before, after), "{before} .. {after}");
    }
}

#[test]
fn lines_and_columns() {
    let source = "ab\r\nä#[x]\n";
    assert_eq!(offset(source, 1, 0), Some(0));
    assert_eq!(offset(source, 2, 1), source.find('#'));
    assert_eq!(offset(source, 9, 0), None);
    assert_eq!(offset(source, 0, 0), None);
}
