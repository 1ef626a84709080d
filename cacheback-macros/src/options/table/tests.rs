//! The table against all that describes the options or takes them too: the reference page, the guide, the README, the
//! runtime's policy and the builder.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::*;

/// From the root of the repository.
const REFERENCE: &str = "cacheback-macros/src/lib.rs";
const GUIDE: &str = "src/guide/options.md";
const README: &str = "README.md";
const BUILDER: &str = "cacheback-runtime/src/api/cache/builder.rs";

fn read_file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The page of the attribute, without what makes it a comment.
fn reference() -> String {
    let source = read_file(REFERENCE);
    let docs = source.lines().filter_map(|line| line.strip_prefix("///"));
    docs.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The tables of a page that have a column `option`: from the option to its other cells, by the header of their column.
fn options_in(page: &str) -> HashMap<String, HashMap<String, String>> {
    let mut options = HashMap::new();
    let mut headers: Vec<String> = Vec::new();
    for line in page.lines() {
        let Some(cells) = cells(line) else {
            headers.clear();
            continue;
        };
        if headers.is_empty() {
            headers = cells;
        } else if headers.iter().any(|header| header == "option") && !cells[0].starts_with("---") {
            let row: HashMap<_, _> = headers.iter().cloned().zip(cells).collect();
            options.insert(name_in(&row["option"]), row);
        }
    }
    options
}

/// The cells of a row.
fn cells(line: &str) -> Option<Vec<String>> {
    let line = line.trim().strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "\0");
    Some(line.split('|').map(|cell| cell.trim().replace('\0', "|")).collect())
}

/// The name in `` `skip(a, b)` `` or `` [`skip`](#skip) ``.
fn name_in(cell: &str) -> String {
    let code = cell.split('`').nth(1).unwrap_or_default();
    code.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
}

/// Each option has a row, with the default that the table says, and each row is of an option.
fn check_all(page: &str, text: &str) {
    let options = options_in(text);
    for row in TABLE {
        let described = options.get(row.name).unwrap_or_else(|| panic!("{page}: no row of `{}`", row.name));
        assert_eq!(described["default"], row.default, "{page}: the default of `{}`", row.name);
    }
    assert_eq!(options.len(), TABLE.len(), "{page}: {:?}", options.keys());
}

#[test]
fn the_reference_has_a_row_and_a_section_of_each_option() {
    let page = reference();
    check_all(REFERENCE, &page);
    let has_section = |name: &str| page.lines().any(|line| line == format!("## `{name}`"));
    for row in TABLE {
        assert!(has_section(row.name), "{REFERENCE}: no section of `{}`", row.name);
    }
}

#[test]
fn the_guide_has_a_row_of_each_option() {
    check_all(GUIDE, &read_file(GUIDE));
}

#[test]
fn the_readme_says_the_same_of_the_options_that_it_has() {
    let options = options_in(&read_file(README));
    assert!(!options.is_empty(), "{README}: no table of options");
    for (name, described) in options {
        let row = TABLE.iter().find(|row| row.name == name);
        let row = row.unwrap_or_else(|| panic!("{README}: `{name}` is no option"));
        assert_eq!(described["default"], row.default, "{README}: the default of `{name}`");
    }
}

#[test]
fn the_builder_has_a_method_for_each_option_of_a_cache() {
    let source = read_file(BUILDER);
    for row in TABLE.iter().filter(|row| !matches!(row.kind, Generation)) {
        let name = row.name;
        let is_method = |line: &str| {
            let line = line.trim_start();
            [format!("pub fn {name}("), format!("pub fn {name}<")].iter().any(|start| line.starts_with(start))
        };
        assert!(source.lines().any(is_method), "{BUILDER}: no method `{name}`");
    }
}

/// `CacheBuilder::vary` changes what an expression of the attribute can.
#[test]
fn the_builder_varies_each_option_that_the_attribute_does() {
    let source = read_file(BUILDER);
    let list = source.split_once("const VARIES: &[&str] = &[").and_then(|(_, rest)| rest.split_once(']'));
    let (list, _) = list.unwrap_or_else(|| panic!("{BUILDER}: no list `VARIES`"));
    for row in TABLE.iter().filter(|row| matches!(row.kind, PerFetch(_) | PerCall(_))) {
        assert!(list.contains(&format!("\"{}\"", row.name)), "{BUILDER}: `VARIES` has no `{}`", row.name);
    }
}

/// The fields of the default policy, as its `Debug` shows them.
fn policy() -> HashMap<String, String> {
    let shown = format!("{:#?}", cacheback::Policy::default()).replace("Some(\n", "Some(");
    let fields = shown.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_policy_has_each_field_that_an_option_sets_with_the_default_that_is_told() {
    let policy = policy();
    for row in TABLE {
        let (Constant(holds) | PerFetch(holds) | PerCall(holds)) = row.kind else {
            continue;
        };
        let field = policy.get(row.name).unwrap_or_else(|| panic!("`Policy` has no field `{}`", row.name));
        let duration = default_duration(row.name).map(|duration| format!("{duration:?}"));
        let told = match (holds, row.default) {
            (Optional, _) => "None".to_owned(),
            (Plain, "off") => "false".to_owned(),
            (Plain, "`\"lru\"`") => "Lru".to_owned(),
            (Plain, text) if row.name == "jitter" => format!("{text}.0"),
            (Plain, text) => duration.unwrap_or_else(|| text.replace(['`', ','], "")),
        };
        assert_eq!(*field, told, "the default of `{}`", row.name);
    }
}
