use super::*;

/// A shape in one line.
fn shown(shape: &Shape) -> String {
    let ty = |ty: &Type| crate::error::text::readable(ty);
    match shape {
        Shape::Val(inner) => format!("Val<{}>", ty(inner)),
        Shape::Ref(inner) => format!("Ref<{}>", ty(inner)),
        Shape::CowOf(inner) => format!("CowOf<{}>", ty(inner)),
        Shape::Option(inner) => format!("Option<{}>", shown(inner)),
        Shape::Slice(inner) => format!("Slice<{}>", shown(inner)),
        Shape::Nested(inner) => format!("Nested<{}>", shown(inner)),
        Shape::This(own) => format!("This<{}>", ty(own)),
        Shape::Inferred => "Inferred".to_owned(),
        Shape::Tuple(shapes) => format!("({})", shapes.iter().map(shown).collect::<Vec<_>>().join(", ")),
    }
}

fn parsed(text: &str) -> Type {
    syn::parse_str(text).unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

#[test]
fn types_have_shapes() {
    let cases = [
        ("u32", "Val<u32>"),
        ("()", "Val<()>"),
        ("String", "Val<String>"),
        ("[u8; 4]", "Val<[u8; 4]>"),
        ("Arc<dyn Repo>", "Val<Arc<dyn Repo>>"),
        ("fn(&str) -> &str", "Val<fn(&str) -> &str>"),
        ("Box<dyn Fn(&str) -> &str + Send>", "Val<Box<dyn Fn(&str) -> &str + Send>>"),
        ("&'static str", "Val<&'static str>"),
        ("Option<&'static str>", "Val<Option<&'static str>>"),
        ("Cow<'static, str>", "Val<Cow<'static, str>>"),
        ("Foo<'static>", "Val<Foo<'static>>"),
        ("&str", "Ref<str>"),
        ("(&str)", "Ref<str>"),
        ("&'_ str", "Ref<str>"),
        ("&Path", "Ref<Path>"),
        ("&[u8]", "Ref<[u8]>"),
        ("&[&'static str]", "Ref<[&'static str]>"),
        ("&Arc<dyn Repo>", "Ref<Arc<dyn Repo>>"),
        ("Cow<'_, str>", "CowOf<str>"),
        ("Cow<str>", "CowOf<str>"),
        ("std::borrow::Cow<'_, [u8]>", "CowOf<[u8]>"),
        ("Option<&str>", "Option<Ref<str>>"),
        ("::std::option::Option<Option<&T>>", "Option<Option<Ref<T>>>"),
        ("Option<Cow<'_, str>>", "Option<CowOf<str>>"),
        ("(&str, u8)", "(Ref<str>, Val<u8>)"),
        ("(&'static str, &str)", "(Val<&'static str>, Ref<str>)"),
        ("Option<(&str, Option<&[u8]>)>", "Option<(Ref<str>, Option<Ref<[u8]>>)>"),
        ("&[&str]", "Slice<Ref<str>>"),
        ("&[(&str, u8)]", "Slice<(Ref<str>, Val<u8>)>"),
        ("&[Cow<'_, str>]", "Slice<CowOf<str>>"),
        ("&&str", "Nested<Ref<str>>"),
        ("&Option<&str>", "Nested<Option<Ref<str>>>"),
        ("&(&str, u8)", "Nested<(Ref<str>, Val<u8>)>"),
        ("impl Into<String> + 'static", "Inferred"),
        ("(impl for<'a> Fn(&'a str) -> u8)", "Inferred"),
    ];
    for (text, expected) in cases {
        let shape = read(&parsed(text)).unwrap_or_else(|error| panic!("`{text}`: {error}"));
        assert_eq!(shown(&shape), expected, "{text}");
        assert_eq!(shape.by_reference(), expected.starts_with("Slice") || expected.starts_with("Nested"));
    }
}

#[test]
fn types_without_a_shape_are_refused_at_their_token() {
    let cases = [
        ("&mut T", "mut", "cannot change its arguments"),
        ("Option<&mut T>", "mut", "cannot change its arguments"),
        ("&dyn Repo", "dyn Repo", "take `&Arc<dyn ..>`, and `skip` it"),
        ("&(dyn Repo + Send)", "dyn Repo + Send", "take `&Arc<dyn ..>`, and `skip` it"),
        ("dyn Repo", "dyn Repo", "take an `Arc<dyn ..>`, and `skip` it"),
        ("Option<impl Into<String>>", "impl", "give it one"),
        ("&impl Into<String>", "impl", "give it one"),
        ("Foo<'_>", "Foo", "`Foo` with a borrow inside"),
        ("&Foo<'_>", "Foo", "`Foo` with a borrow inside"),
        ("my::Foo<&str>", "Foo", "`Foo` with a borrow inside"),
        ("Box<dyn Repo + '_>", "Box", "`Box` with a borrow inside"),
        ("Vec<&str>", "Vec", "take a slice (`&[&str]`) or own the values (`Vec<String>`)"),
        ("[&str; 2]", "[&str; 2]", "take `&[..]`, or an array of owned values"),
        ("Option<&[&str]>", "&[&str]", "own the inner values"),
        ("(&[&str], u8)", "&[&str]", "own the inner values"),
        ("&[&[&str]]", "&[&str]", "own the inner values"),
        ("&&&str", "&&str", "own the inner values"),
        ("&'static [&str]", "&", "write `&'static` here too"),
        ("Cow<'_, [&str]>", "&", "own the inner values"),
        ("<T as Tr<'_>>::X", "<T as Tr<'_>>::X", "take an owned type"),
    ];
    for (text, token, expected) in cases {
        let error = read(&parsed(text)).err().unwrap_or_else(|| panic!("`{text}` has a shape"));
        assert!(error.to_string().contains(expected), "{text}: {error}");
        assert_eq!(error.span().source_text().as_deref(), Some(token), "{text}");
    }
}

#[test]
fn borrows_are_found() {
    for text in
        ["&str", "Option<&str>", "Foo<'_>", "Foo<'a>", "Cow<str>", "Box<dyn Tr + '_>", "&'static [&u8]"]
    {
        assert!(has_borrow(&parsed(text)), "{text}");
    }
    for text in [
        "&'static str",
        "fn(&str) -> &str",
        "Box<dyn for<'a> Tr<'a>>",
        "Arc<dyn Fn(&u8)>",
        "Cow<'static, str>",
    ] {
        assert!(!has_borrow(&parsed(text)), "{text}");
    }
}
