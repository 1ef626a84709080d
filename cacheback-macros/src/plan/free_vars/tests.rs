use super::*;
use crate::tests::plan;

fn mentioned(expr: &str) -> Vec<usize> {
    let function = plan("", "async fn f(user: &str, limit: u32, r#type: u8, _: u8) {}");
    arguments(&crate::tests::tokens(expr), &function.arguments, &mut Errors::default())
}

#[test]
fn words_are_arguments() {
    let cases: &[(&str, &[usize])] = &[
        ("user", &[0]),
        ("limit + user.len()", &[0, 1]),
        ("f(user, &limit)", &[0, 1]),
        ("..limit", &[1]),
        ("0..limit", &[1]),
        ("0..=limit", &[1]),
        ("S { limit: user }", &[0, 1]),
        ("S { a: limit }", &[1]),
        ("r#type", &[2]),
        ("println!(\"{}\", limit)", &[1]),
        ("format!(\"{user}-{limit:>3}\")", &[0, 1]),
        ("format!(\"{0:limit$} {type}\", 1)", &[1, 2]),
        ("|limit| limit", &[1]),
        ("size::<{ limit }>()", &[1]),
    ];
    for (expr, expected) in cases {
        assert_eq!(mentioned(expr), *expected, "{expr}");
    }
}

#[test]
fn members_paths_and_plain_strings_are_not() {
    for expr in [
        "self.limit",
        "a.user()",
        "config::limit",
        "::user",
        "x.limit.user",
        "\"user limit\"",
        "users",
        "'u'",
    ] {
        assert_eq!(mentioned(expr), [] as [usize; 0], "{expr}");
    }
}

#[test]
fn readable_tokens_look_as_written() {
    for text in ["Vec<&str>", "std::time::Duration", "(&str, u8)", "Option<Vec<u8>>"] {
        assert_eq!(readable(&crate::tests::tokens(text)), text);
    }
}
