use quote::ToTokens;

use crate::tests::{errors, plan};

fn shown(attrs: &[syn::Attribute]) -> String {
    let text = |attr: &syn::Attribute| attr.meta.to_token_stream().to_string().replace(' ', "");
    attrs.iter().map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn attributes_go_where_they_belong() {
    // attribute, public, body, entry, companion
    let cases = [
        ("doc = \"x\"", "doc=\"x\"", "", "", ""),
        ("must_use", "must_use", "", "", ""),
        ("deprecated", "deprecated", "", "allow(deprecated)", ""),
        ("inline", "inline", "", "", ""),
        ("other::attribute", "other::attribute", "", "", ""),
        ("other::thing(a)", "other::thing(a)", "", "", ""),
        ("cfg(unix)", "cfg(unix)", "", "", "cfg(unix)"),
        ("allow(unused)", "allow(unused)", "allow(unused)", "allow(unused)", ""),
        ("deny(unused)", "deny(unused)", "deny(unused)", "", ""),
        ("expect(dead_code)", "expect(dead_code)", "", "", ""),
        ("expect(clippy::too_many_arguments)", "expect(clippy::too_many_arguments,)", "", "", ""),
        // It is unknown which lint of the group is meant, and where it fires.
        ("expect(unused)", "allow(unused)", "allow(unused)", "allow(unused)", ""),
        (
            "expect(non_snake_case)",
            "allow(non_snake_case,)",
            "allow(non_snake_case,)",
            "allow(non_snake_case,)",
            "",
        ),
        (
            "expect(clippy::missing_panics_doc)",
            "allow(clippy::missing_panics_doc,)",
            "allow(clippy::missing_panics_doc,)",
            "allow(clippy::missing_panics_doc,)",
            "",
        ),
        (
            "expect(unused_mut, dead_code, deprecated, reason = \"r\")",
            "allow(unused_mut,reason=\"r\") allow(deprecated,reason=\"r\") expect(dead_code,reason=\"r\")",
            "allow(deprecated,reason=\"r\") expect(unused_mut,reason=\"r\")",
            "allow(deprecated,reason=\"r\") allow(unused_mut,reason=\"r\")",
            "",
        ),
        ("clippy::cognitive_complexity = \"9\"", "", "clippy::cognitive_complexity=\"9\"", "", ""),
        ("instrument", "", "instrument(name=\"f\",)", "", ""),
        ("tracing::instrument(skip(a))", "", "tracing::instrument(name=\"f\",skip(a))", "", ""),
        ("instrument(skip(a), name = \"n\")", "", "instrument(skip(a),name=\"n\")", "", ""),
        ("instrument(\"n\")", "", "instrument(\"n\")", "", ""),
        ("instrument(fields(a, name = 1))", "", "instrument(name=\"f\",fields(a,name=1))", "", ""),
        (
            "cfg_attr(unix, cfg(a), inline)",
            "cfg_attr(unix,cfg(a)) cfg_attr(unix,inline)",
            "",
            "",
            "cfg_attr(unix,cfg(a))",
        ),
        ("cfg_attr(unix, instrument)", "", "cfg_attr(unix,instrument(name=\"f\",))", "", ""),
    ];
    for (attr, public, body, entry, companion) in cases {
        let attrs = plan("", &format!("#[{attr}] async fn f() {{}}")).attrs;
        let expect_reason =
            |text: String| text.replace("dead_code)", "dead_code,)").replace("unused)", "unused,)");
        let same = |attrs: &[syn::Attribute], expected: &str| {
            assert_eq!(expect_reason(shown(attrs)), expect_reason(expected.to_owned()), "{attr}");
        };
        same(&attrs.public, public);
        same(&attrs.body, body);
        same(&attrs.entry, entry);
        same(&attrs.companion, companion);
    }
}

#[test]
fn docs_are_appended_only_to_docs() {
    assert!(plan("", "/// Docs.\nasync fn f() {}").docs.is_some());
    assert!(plan("", "async fn f() {}").docs.is_none());
    assert!(plan("", "/// Docs.\n#[doc(hidden)] async fn f() {}").docs.is_none());
}

#[test]
fn twice_is_once_too_often() {
    let errors = errors("", "#[cacheback::cacheback(lifetime = 5)] async fn f() {}");
    assert!(errors.contains("is on this function twice"), "{errors}");
}

#[test]
fn what_runs_once_is_refused() {
    for once in ["#[tokio::main]", "#[tokio::test]", "#[test]"] {
        let found = errors("", &format!("{once} async fn f() {{}}"));
        assert!(found.contains("runs once"), "{once}: {found}");
    }
    assert!(errors("", "async fn main() {}").contains("`main` runs once"));
}
