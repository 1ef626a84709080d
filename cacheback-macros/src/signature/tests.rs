use expect_test::{Expect, expect};

use crate::tests::{errors, plan};

#[track_caller]
fn refused(cases: &[&str], expected: &Expect) {
    let listed = |item: &&str| format!("{item}\n{}", errors("", item));
    expected.assert_eq(&cases.iter().map(listed).collect::<Vec<_>>().join("\n"));
}

#[test]
fn forms_of_arguments_are_read() {
    let plan = plan(
        "",
        "async fn f(a: u8, mut b: u8, (c, d): (u8, u8), _: u8, r#type: u8, e @ (_, _): (u8, u8), ref g: u8, _h: u8) \
         -> &'static str { \"\" }",
    );
    let name = |name: &Option<syn::Ident>| name.as_ref().map_or("-".to_owned(), ToString::to_string);
    let names: Vec<String> = plan.arguments.iter().map(|argument| name(&argument.name)).collect();
    assert_eq!(names, ["a", "b", "-", "-", "r#type", "-", "-", "_h"]);
    let public: Vec<String> = plan.arguments.iter().map(|argument| name(&argument.public)).collect();
    assert_eq!(public, ["a", "b", "-", "-", "r#type", "-", "-", "-"]);
    assert_eq!(plan.arguments[2].bindings, ["c", "d"]);
    assert_eq!(plan.arguments[5].bindings, ["e"]);
    assert_eq!(plan.arguments[6].bindings, ["g"]);
}

#[test]
fn a_body_may_hold_anything() {
    plan("", "async fn f() { #![allow(unused)] some!{ mad $ tokens } let x = ; }");
}

#[test]
fn a_body_may_come_out_of_a_macro() {
    let body = proc_macro2::Group::new(proc_macro2::Delimiter::None, quote::quote!({ 5 }));
    let item = quote::quote!(async fn f() -> u8 #body);
    let output = crate::expand(proc_macro2::TokenStream::new(), item).to_string();
    assert!(output.contains("-> u8 { 5 }"), "{output}");
}

#[test]
fn qualifiers_and_generics() {
    let cases = [
        "fn f() {}",
        "const fn f() {}",
        "async unsafe fn f() {}",
        "async extern \"C\" fn f() {}",
        "async fn f(a: u8, ...) {}",
        "async fn f<'a>(a: &'a str) {}",
        "async fn f<T: Into<u8>, const N: usize>(a: [T; N]) where T: Copy {}",
        "async fn f() where String: Copy {}",
        "async fn f(a: u8);",
    ];
    refused(
        &cases,
        &expect![[r#"
            fn f() {}
            [fn] only an `async fn` can be cached / write `async fn f`

            const fn f() {}
            [fn] only an `async fn` can be cached / write `async fn f`
            [const] a `const fn` runs at compile time and cannot be cached / remove `const`

            async unsafe fn f() {}
            [unsafe] an `unsafe fn` cannot be cached: its contract would have to hold for later refreshes too / wrap it in a safe `async fn`, and annotate that

            async extern "C" fn f() {}
            [extern "C"] an `extern` function cannot be cached / wrap it in an `async fn`, and annotate that

            async fn f(a: u8, ...) {}
            [.] variadic functions cannot be cached / take a slice

            async fn f<'a>(a: &'a str) {}
            ['a] named lifetimes are not supported in this version / leave the lifetime out: `&str`, `Cow<'_, str>`

            async fn f<T: Into<u8>, const N: usize>(a: [T; N]) where T: Copy {}
            [T: Into<u8>] generic functions are not supported in this version / annotate a function with concrete types, and call it from the generic one
            [const N: usize] generic functions are not supported in this version / annotate a function with concrete types, and call it from the generic one

            async fn f() where String: Copy {}
            [where] `where` clauses are not supported in this version / remove it

            async fn f(a: u8);
            [;] a function without a body cannot be cached / annotate the implementation instead
        "#]],
    );
}

#[test]
fn methods() {
    let cases = [
        "async fn f(&self, id: u8) {}",
        "async fn f(self: Arc<Self>) {}",
        "async fn f(id: u8) -> Self {}",
        "async fn f(other: &Self) -> Option<Self> {}",
    ];
    refused(
        &cases,
        &expect![[r#"
            async fn f(&self, id: u8) {}
            [self] methods are not supported in this version / annotate a free function that takes `&Arc<..>` or a cloned handle, and `skip` it

            async fn f(self: Arc<Self>) {}
            [self] methods are not supported in this version / annotate a free function that takes `&Arc<..>` or a cloned handle, and `skip` it

            async fn f(id: u8) -> Self {}
            [Self] methods are not supported in this version / annotate a free function that takes `&Arc<..>` or a cloned handle, and `skip` it

            async fn f(other: &Self) -> Option<Self> {}
            [Self] methods are not supported in this version / annotate a free function that takes `&Arc<..>` or a cloned handle, and `skip` it
        "#]],
    );
}

#[test]
fn returned_types() {
    let cases = [
        "async fn f(a: &str) -> &str {}",
        "async fn f(a: &str) -> Option<&'_ str> {}",
        "async fn f(a: &str) -> Cow<str> {}",
        "async fn f(a: &str) -> Foo<'_> {}",
        "async fn f(a: &str) -> impl Display {}",
        "async fn f(a: &str) -> Option<impl Display> {}",
        "async fn f(a: &str) -> ! {}",
    ];
    refused(
        &cases,
        &expect![[r#"
        async fn f(a: &str) -> &str {}
        [&] a borrow cannot be returned from a cache: values outlive the calls that made them / return an owned value, an `Arc<..>`, or `&'static`

        async fn f(a: &str) -> Option<&'_ str> {}
        ['_] a borrow cannot be returned from a cache: values outlive the calls that made them / return an owned value, an `Arc<..>`, or `&'static`

        async fn f(a: &str) -> Cow<str> {}
        [Cow] a borrow cannot be returned from a cache: values outlive the calls that made them / return an owned value, an `Arc<..>`, or `&'static`

        async fn f(a: &str) -> Foo<'_> {}
        ['_] a borrow cannot be returned from a cache: values outlive the calls that made them / return an owned value, an `Arc<..>`, or `&'static`

        async fn f(a: &str) -> impl Display {}
        [impl] `impl Trait` cannot be cached: a stored value needs a type with a name / name the type

        async fn f(a: &str) -> Option<impl Display> {}
        [impl] `impl Trait` cannot be cached: a stored value needs a type with a name / name the type

        async fn f(a: &str) -> ! {}
        [!] a function that never returns has nothing to cache
    "#]],
    );
    for output in ["&'static str", "fn(&str) -> &str", "Cow<'static, str>", "Arc<dyn Fn(&u8) -> &u8>"] {
        plan("", &format!("async fn f(a: &str) -> {output} {{}}"));
    }
}

#[test]
fn arguments() {
    let cases = [
        "async fn f(a: &mut String, b: &dyn Repo, c: impl Repo, d: Vec<&str>) {}",
        "async fn f(#[cfg(unix)] a: u8) {}",
        "async fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8) {}",
    ];
    refused(
        &cases,
        &expect![[r#"
        async fn f(a: &mut String, b: &dyn Repo, c: impl Repo, d: Vec<&str>) {}
        [mut] a cached function cannot change its arguments: most calls do not run it / take `&T` or an owned value, and return what is new
        [dyn Repo] a borrowed trait object cannot be owned for a refresh / take `&Arc<dyn ..>`, and `skip` it
        [impl] `impl Trait` arguments are not supported in this version / name the type
        [Vec] a `Vec` of borrows cannot be lent to a refresh / take a slice (`&[&str]`) or own the values (`Vec<String>`)

        async fn f(#[cfg(unix)] a: u8) {}
        [#[cfg(unix)]] an argument of a cached function cannot be conditional / put `#[cfg]` on two functions

        async fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8) {}
        [m: u8] a cached function takes up to 12 arguments / put some of them into a struct with `Clone`, `Hash` and `Eq`
    "#]],
    );
}

#[test]
fn items() {
    let cases = [
        "struct S;",
        "impl S { async fn f(&self) {} }",
        "trait T { async fn f(); }",
        "mod m {}",
        "async fn (",
    ];
    refused(
        &cases[..4],
        &expect![[r#"
        struct S;
        [struct] `#[cacheback]` goes on an `async fn` / put it above the function whose results shall be cached

        impl S { async fn f(&self) {} }
        [impl] `#[cacheback]` goes on an `async fn` / annotate free functions; methods are not supported in this version

        trait T { async fn f(); }
        [trait] `#[cacheback]` goes on an `async fn` / annotate a free function that the implementation calls

        mod m {}
        [mod] `#[cacheback]` goes on an `async fn` / annotate each function in the module that shall be cached
    "#]],
    );
}
