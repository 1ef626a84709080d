use expect_test::{Expect, expect};
use syn::Type;

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
fn qualifiers_and_generics() {
    let cases = [
        "fn f() {}",
        "const fn f() {}",
        "const unsafe extern \"C\" fn f() {}",
        "unsafe fn f() {}",
        "extern \"C\" fn f() {}",
        "fn main() { runtime().block_on(async {}) }",
        "fn f() -> u8 { let body = async { 5 }; { return runtime().build().block_on(body); } }",
        "#[::core::prelude::v1::test] fn f() { runtime().block_on(async {}) }",
        "async unsafe fn f() {}",
        "async extern \"C\" fn f() {}",
        "async fn f(a: u8, ...) {}",
        "async fn f<T: Into<u8>, const N: Size>(a: [T; N]) where T: Copy {}",
        "fn f(a: u8) -> impl Iterator<Item = u8> {}",
        "fn f<'life0, 'async_trait>(a: &'life0 str) -> ::core::pin::Pin<Box<dyn Future<Output = u8> + Send + 'async_trait>> {}",
        "fn f(a: &str) -> impl Future<Output = &str> + Send {}",
        "fn f(a: u8) -> impl Future<Output = impl Display> {}",
        "async fn f(a: u8);",
    ];
    refused(
        &cases,
        &expect![[r#"
            fn f() {}
            [fn] only an `async fn`, or one that returns `impl Future<Output = ..>`, can be cached / write `async fn f`, with `tokio::task::spawn_blocking` in it around what blocks its thread

            const fn f() {}
            [const] a `const fn` runs at compile time and cannot be cached / write `async fn f`

            const unsafe extern "C" fn f() {}
            [const] a `const fn` runs at compile time and cannot be cached / write `async fn f`

            unsafe fn f() {}
            [unsafe] an `unsafe fn` cannot be cached: its contract would have to hold for later refreshes too / wrap it in a safe `async fn`, and annotate that

            extern "C" fn f() {}
            [extern "C"] an `extern` function cannot be cached / wrap it in an `async fn`, and annotate that

            fn main() { runtime().block_on(async {}) }
            [main] `main` runs once: from a cache it would not run at all / annotate the functions that it calls

            fn f() -> u8 { let body = async { 5 }; { return runtime().build().block_on(body); } }
            [fn] only an `async fn`, or one that returns `impl Future<Output = ..>`, can be cached / this one blocks its thread on a future, as an `async fn` does under `#[tokio::main]` or its like: remove that attribute, or annotate what the function calls

            #[::core::prelude::v1::test] fn f() { runtime().block_on(async {}) }
            [#[::core::prelude::v1::test]] a function under `#[test]` runs once: from a cache it would not run at all / annotate the functions that it calls

            async unsafe fn f() {}
            [unsafe] an `unsafe fn` cannot be cached: its contract would have to hold for later refreshes too / wrap it in a safe `async fn`, and annotate that

            async extern "C" fn f() {}
            [extern "C"] an `extern` function cannot be cached / wrap it in an `async fn`, and annotate that

            async fn f(a: u8, ...) {}
            [.] variadic functions cannot be cached / take a slice

            async fn f<T: Into<u8>, const N: Size>(a: [T; N]) where T: Copy {}
            [Size] a const parameter of a cached function is told apart by its type, which has to be a plain one / write the type out: `usize`, `bool`, `char`, ..

            fn f(a: u8) -> impl Iterator<Item = u8> {}
            [fn] only an `async fn`, or one that returns `impl Future<Output = ..>`, can be cached / write `async fn f`, with `tokio::task::spawn_blocking` in it around what blocks its thread
            [impl] `impl Trait` cannot be cached: a stored value needs a type with a name / name the type

            fn f<'life0, 'async_trait>(a: &'life0 str) -> ::core::pin::Pin<Box<dyn Future<Output = u8> + Send + 'async_trait>> {}
            [fn] a boxed future cannot be cached, and that is what `#[async_trait]` makes of an `async fn` / write `async fn` in a trait without it, or call a cached function of your own from `f`

            fn f(a: &str) -> impl Future<Output = &str> + Send {}
            [&] a borrow cannot be returned from a cache: values outlive the calls that made them / return an owned value, an `Arc<..>`, or `&'static`

            fn f(a: u8) -> impl Future<Output = impl Display> {}
            [impl] `impl Trait` cannot be cached: a stored value needs a type with a name / name the type

            async fn f(a: u8);
            [;] a function without a body cannot be cached / annotate the implementation instead
        "#]],
    );
}

#[test]
fn a_receiver_is_the_first_argument() {
    let cases = [
        ("&self", "& Self"),
        ("&'a self", "& 'a Self"),
        ("self", "Self"),
        ("mut self", "Self"),
        ("self: Arc<Self>", "Arc < Self >"),
        ("self: &Arc<Self>", "& Arc < Self >"),
        ("self: &'static Self", "& 'static Self"),
    ];
    for (receiver, expected) in cases {
        let plan = plan("skip(self)", &format!("async fn f<'a>({receiver}, id: u8) {{}}"));
        assert!(plan.in_impl && plan.arguments[0].is_receiver() && !plan.arguments[1].is_receiver());
        let ty = &plan.arguments[0].ty;
        assert_eq!(quote::quote!(#ty).to_string(), expected);
    }
}

#[test]
fn a_body_without_a_function_cannot_be_instrumented() {
    let listed =
        errors("skip(self), handle = false", "#[tracing::instrument(skip(self))] async fn f(&self) {}");
    assert!(listed.contains("has no function of its own to instrument"), "{listed}");
    plan("skip(self)", "#[tracing::instrument(skip(self))] async fn f(&self) {}");
}

#[test]
fn what_says_self_is_in_an_impl() {
    let cases = [
        ("async fn f(a: u8) {}", false),
        ("async fn f(a: &Self) {}", true),
        ("async fn f() -> Option<Self> {}", true),
        ("async fn f() -> <Self as Model>::Row {}", true),
        ("async fn f<T: Model>(a: T) where Self: Sized {}", true),
        ("async fn f() { struct S; impl S { fn s() -> Self { S } } }", false),
    ];
    for (item, expected) in cases {
        assert_eq!(plan("", item).in_impl, expected, "{item}");
    }
    assert!(plan("in_impl", "async fn f(a: u8) {}").in_impl);
}

#[test]
fn receivers_that_cannot_be() {
    let cases = [
        "async fn f(&mut self) {}",
        "async fn f(self: Pin<&Self>) {}",
        "async fn f(self: &mut Arc<Self>) {}",
    ];
    let listed = |item: &&str| format!("{item}\n{}", errors("skip(self)", item));
    expect![[r#"
        async fn f(&mut self) {}
        [mut] a cached function cannot change its arguments: most calls do not run it / take `&T` or an owned value, and return what is new

        async fn f(self: Pin<&Self>) {}
        [Pin] `Pin` with a borrow inside cannot be owned for a refresh, which outlives the call / take owned data: a `Pin` without lifetimes, or what it is made from

        async fn f(self: &mut Arc<Self>) {}
        [mut] a cached function cannot change its arguments: most calls do not run it / take `&T` or an owned value, and return what is new
    "#]].assert_eq(&cases.iter().map(listed).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_future_that_is_returned_is_what_a_call_comes_to() {
    for output in
        ["impl Future<Output = Vec<u8>>", "impl Send + std::future::Future<Output = Vec<u8>> + 'a + use<'a>"]
    {
        let plan = plan("", &format!("fn f<'a>(a: &'a str) -> {output} {{ async {{ vec![] }} }}"));
        let ty = plan.output;
        assert_eq!(quote::quote!(#ty).to_string(), "Vec < u8 >");
    }
}

#[test]
fn a_lifetime_has_no_name_elsewhere() {
    let plan =
        plan("", "async fn f<'a, 'b: 'a>(a: &'a str, b: Cow<'b, str>, c: &'static str, d: impl Model) {}");
    let local = |ty: &Option<Type>| ty.as_ref().map_or("-".to_owned(), |ty| quote::quote!(#ty).to_string());
    let locals: Vec<String> = plan.arguments.iter().map(|argument| local(&argument.local)).collect();
    assert_eq!(locals, ["& '_ str", "Cow < '_ , str >", "& 'static str", "-"]);
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
        "async fn f(a: &mut String, b: &dyn Repo, c: &impl Repo, d: Vec<&str>) {}",
        "async fn f(#[cfg(unix)] a: u8) {}",
        "async fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8) {}",
    ];
    refused(
        &cases,
        &expect![[r#"
            async fn f(a: &mut String, b: &dyn Repo, c: &impl Repo, d: Vec<&str>) {}
            [mut] a cached function cannot change its arguments: most calls do not run it / take `&T` or an owned value, and return what is new
            [dyn Repo] a borrowed trait object cannot be owned for a refresh / take `&Arc<dyn ..>`, and `skip` it
            [impl] `impl Trait` inside of another type has no name, and a refresh has to name what it owns / give it one: `fn f<T: ..>(.., &T)`
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
            [impl] `#[cacheback]` goes on an `async fn` / annotate each method in it that shall be cached

            trait T { async fn f(); }
            [trait] `#[cacheback]` goes on an `async fn` / annotate the methods of an implementation, with `handle = false`

            mod m {}
            [mod] `#[cacheback]` goes on an `async fn` / annotate each function in the module that shall be cached
        "#]],
    );
}

#[test]
fn bounds_that_are_known_not_to_be_enough() {
    let refuses = [
        "async fn f(text: impl AsRef<str>) {}",
        "async fn f(text: impl Into<String> + Send + Sync + 'static) {}",
        "async fn f(_: impl ToString + Clone + Send + Sync + 'static) {}",
        "async fn f<T: Default>(id: u64) -> T {}",
        "async fn f<T>(id: u64) -> Result<T, Error> where T: DeserializeOwned + Send {}",
        "async fn f<P: AsRef<Path> + 'static>(path: P) {}",
        "async fn f<T: Ord + Copy + Send>(a: &T) {}",
    ];
    refused(
        &refuses,
        &expect![[r#"
        async fn f(text: impl AsRef<str>) {}
        [impl AsRef<str>] `impl AsRef<str>` is not known to be `Eq`, `std::hash::Hash`, `Clone`, `Send`, `Sync` and `'static`: a fetch owns its arguments, and they tell entries apart / write `impl AsRef<str> + Eq + std::hash::Hash + Clone + Send + Sync + 'static`, or take `&str`, or leave `text` out of the key with `skip(text)`

        async fn f(text: impl Into<String> + Send + Sync + 'static) {}
        [impl Into<String> + Send + Sync + 'static] `impl Into<String> + Send + Sync + 'static` is not known to be `Eq`, `std::hash::Hash` and `Clone`: a fetch owns its arguments, and they tell entries apart / write `impl Into<String> + Send + Sync + 'static + Eq + std::hash::Hash + Clone`, or take `String`, or leave `text` out of the key with `skip(text)`

        async fn f(_: impl ToString + Clone + Send + Sync + 'static) {}
        [impl ToString + Clone + Send + Sync + 'static] `impl ToString + Clone + Send + Sync + 'static` is not known to be `Eq` and `std::hash::Hash`: a fetch owns its arguments, and they tell entries apart / write `impl ToString + Clone + Send + Sync + 'static + Eq + std::hash::Hash`

        async fn f<T: Default>(id: u64) -> T {}
        [T] `T` is not known to be `Clone`, `Send`, `Sync` and `'static`: a cached value is handed to many callers / write `T: Default + Clone + Send + Sync + 'static`

        async fn f<T>(id: u64) -> Result<T, Error> where T: DeserializeOwned + Send {}
        [T] `T` is not known to be `Clone`, `Sync` and `'static`: a cached value is handed to many callers / write `T: DeserializeOwned + Send + Clone + Sync + 'static`

        async fn f<P: AsRef<Path> + 'static>(path: P) {}
        [P] `P` is not known to be `Eq`, `std::hash::Hash`, `Clone`, `Send` and `Sync`: a fetch owns its arguments, and they tell entries apart / write `P: AsRef<Path> + 'static + Eq + std::hash::Hash + Clone + Send + Sync`, or take `&Path`, or leave `path` out of the key with `skip(path)`

        async fn f<T: Ord + Copy + Send>(a: &T) {}
        [&T] `&T` is not known to be `std::hash::Hash`, `Sync` and `'static`: a fetch owns its arguments, and they tell entries apart / write `T: Ord + Copy + Send + std::hash::Hash + Sync + 'static`, or leave `a` out of the key with `skip(a)`
    "#]],
    );
    assert_eq!(
        errors("skip(make)", "async fn f(make: impl Fn() -> u8) {}"),
        "[impl Fn() -> u8] `impl Fn() -> u8` is not known to be `Clone`, `Send`, `Sync` and `'static`: a fetch owns its \
         arguments / write `impl Fn() -> u8 + Clone + Send + Sync + 'static`\n"
    );
    // Any other trait may bring the missing ones along.
    for item in [
        "async fn f(id: impl Model) {}",
        "async fn f<T: Default + Model>(id: u64) -> T {}",
        "async fn f<T>(id: u64) -> Vec<T> {}",
        "async fn f<T: ?Sized + ToOwned>(id: &T) {}",
        "async fn f<T: ?Sized>(id: &T) {}",
        "async fn f<T: Clone + Send + Sync + Hash + Eq + 'static>(id: T) -> T {}",
        "async fn f<T: Clone + Send + Sync>(a: T) where T: Hash, T: Eq + 'static {}",
        "async fn f(id: T::Id) -> T::Row {}",
    ] {
        plan("", item);
    }
    plan("skip(a)", "async fn f(a: impl Fn() -> u8 + Clone + Send + Sync + 'static) {}");
    assert_eq!(
        errors("skp(a)", "async fn f(a: impl Fn() + Clone + Send + Sync + 'static) {}").lines().count(),
        1
    );
}
