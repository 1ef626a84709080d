//! `tests/README.md` says which test shows what: each one that it names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What stands between backticks in the catalogue and is a path of ours: the file, and the test in it where one is named.
fn named() -> BTreeSet<(String, Option<String>)> {
    let catalogue = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let between_backticks = catalogue.split('`').skip(1).step_by(2);
    let parts =
        between_backticks.map(|words| words.split_once("::").map_or((words, None), |(f, t)| (f, Some(t))));
    let ours = parts.filter(|(file, _)| file.ends_with(".rs") && !file.contains(char::is_whitespace));
    ours.map(|(file, test)| (file.to_owned(), test.map(str::to_owned))).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether `source` has a test of this name: a function below an attribute that makes it one, or an arm of a macro that
/// writes such functions.
fn has_test(source: &str, test: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim_start).collect();
    let is_test = |at: usize| {
        let above =
            lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        above.clone().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    let declared = [format!("fn {test}("), format!("async fn {test}(")];
    let is_arm = |line: &str| line.starts_with(&format!("{test}:")) || line.starts_with(&format!("{test} "));
    let of_a_macro = source.contains("fn $test(") && lines.iter().any(|line| is_arm(line));
    of_a_macro
        || (0..lines.len()).any(|at| declared.iter().any(|it| lines[at].starts_with(it)) && is_test(at))
}

#[test]
fn every_test_that_the_catalogue_names_is_there() {
    let named = named();
    let mut tests = 0;
    for (file, test) in &named {
        let Ok(source) = fs::read_to_string(root().join(file)) else {
            panic!("tests/README.md names `{file}`")
        };
        let Some(test) = test else { continue };
        assert!(has_test(&source, test), "tests/README.md names `{file}::{test}`");
        tests += 1;
    }
    assert!(tests >= 60, "{tests} tests are named");
}

/// A test that says which rule it is of is in the catalogue.
#[test]
fn every_test_of_a_rule_is_named_by_the_catalogue() {
    let named = named();
    for entry in fs::read_dir(root().join("tests/suite")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let file = format!("tests/suite/{}", path.file_name().unwrap().to_str().unwrap());
        for line in fs::read_to_string(&path).unwrap().lines() {
            let function = line.strip_prefix("async fn rule_").or_else(|| line.strip_prefix("fn rule_"));
            let Some((test, _)) = function.and_then(|rest| rest.split_once('(')) else { continue };
            let test = format!("rule_{test}");
            assert!(named.contains(&(file.clone(), Some(test.clone()))), "`{file}::{test}` is not named");
        }
    }
}
