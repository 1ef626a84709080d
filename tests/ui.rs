//! Mistakes people make, and the sentences that answer them. The messages are those of the toolchain in CI;
//! `TRYBUILD=overwrite cargo test --test ui` writes them anew.

#[test]
fn promise_6_mistakes_are_answered_with_advice() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
