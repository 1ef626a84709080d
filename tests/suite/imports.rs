//! Imports run one way: every file of the macros and of the runtime is read, and held against the order of rooms that
//! CONTRIBUTING.md writes down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A source file.
struct File {
    /// `engine::read` for `src/engine/read.rs`.
    module: Vec<String>,
    code: String,
}

/// A path to another module, from `crate` on.
type Import = Vec<String>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rooms of a crate from the top to the bottom, as CONTRIBUTING.md has them after `label`.
fn order(label: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    let line = line.unwrap_or_else(|| panic!("CONTRIBUTING.md has a line that begins with `{label}`"));
    line.split("->").map(|room| room.trim().to_owned()).collect()
}

/// Every file below `src` of a crate but for data: the snapshots of expansions.
fn files(package: &str) -> Vec<File> {
    let src = root().join(package).join("src");
    let (mut open, mut files) = (vec![src.clone()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("snapshots") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(File {
                    module: module(&src, &path),
                    code: code(&fs::read_to_string(path).unwrap()),
                });
            }
        }
    }
    assert!(files.len() > 10, "{package} has its files elsewhere");
    files
}

fn module(src: &Path, path: &Path) -> Vec<String> {
    let relative: PathBuf = path.strip_prefix(src).unwrap().with_extension("");
    relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect()
}

/// A source without its comments and strings.
fn code(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let mut kept = String::new();
        for (at, part) in line.split('"').enumerate() {
            if at % 2 == 0 {
                let end = part.find("//");
                kept.push_str(&part[..end.unwrap_or(part.len())]);
                if end.is_some() {
                    break;
                }
            }
        }
        kept
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules that a file names, each as a path from `crate` on.
fn imports(file: &File) -> Vec<Import> {
    let mut found = Vec::new();
    for (start, word) in [("crate", 0), ("super", 1)] {
        for (at, _) in file.code.match_indices(&format!("{start}::")) {
            let before = file.code[..at].chars().next_back();
            if before.is_some_and(|char| char.is_alphanumeric() || matches!(char, '_' | ':' | '$')) {
                continue;
            }
            let base = &file.module[..file.module.len() - word * file.module.len().min(1)];
            let base = if word == 0 { Vec::new() } else { base.to_vec() };
            expand(base, &file.code[at + start.len() + 2..], &mut found);
        }
    }
    found
}

/// The paths at the start of `text`, which follows `base::`: one, or those of a group in braces.
fn expand(mut base: Import, text: &str, found: &mut Vec<Import>) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        for part in parts(group) {
            expand(base.clone(), part, found);
        }
        return;
    }
    let end = text.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(text.len());
    let (segment, rest) = text.split_at(end);
    if segment == "super" {
        base.pop();
    } else {
        base.push(segment.to_owned());
    }
    match rest.strip_prefix("::") {
        Some(rest) if segment.chars().next().is_some_and(char::is_lowercase) => expand(base, rest, found),
        _ => found.push(base),
    }
}

/// What a group holds, up to its brace, apart at the commas.
fn parts(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                parts.push(group[from..at].trim());
                from = at + 1;
                if char == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The file that a path leads into: the longest beginning of it that is one.
fn target<'f>(files: &'f [File], import: &[String]) -> Option<&'f File> {
    (1..=import.len()).rev().find_map(|end| files.iter().find(|file| file.module[..] == import[..end]))
}

/// Imports that run up, and circles of files. A file that declares another and that other are no circle.
fn wrong(order: &[String], files: &[File]) -> Vec<String> {
    let place = |room: &str| order.iter().position(|other| other == room);
    let mut wrong = Vec::new();
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let name = file.module.join("::");
        let Some(from) = place(&file.module[0]) else {
            // The crate's own file and the tests of all of it stand above the rooms.
            if !["lib", "tests"].contains(&&*file.module[0]) {
                wrong.push(format!("`{name}` is in no room of the order"));
            }
            continue;
        };
        for import in imports(file) {
            let Some(to) = import.first().and_then(|room| place(room)) else { continue };
            if to < from {
                wrong.push(format!("`{name}` imports `{}`, which is above it", import.join("::")));
            }
            let Some(other) = target(files, &import) else { continue };
            let declares = |one: &File, other: &File| other.module.starts_with(&one.module);
            if !declares(file, other) && !declares(other, file) && file.module.last().unwrap() != "tests" {
                uses.entry(name.clone()).or_default().insert(other.module.join("::"));
            }
        }
    }
    for file in uses.keys() {
        let (mut open, mut seen) = (vec![file], BTreeSet::new());
        while let Some(at) = open.pop() {
            for next in uses.get(at).into_iter().flatten() {
                if next == file {
                    wrong.push(format!("`{file}` is in a circle of imports, by way of `{at}`"));
                } else if seen.insert(next) {
                    open.push(next);
                }
            }
        }
    }
    wrong
}

#[test]
fn imports_of_the_runtime_run_one_way() {
    let wrong = wrong(&order("runtime:"), &files("cacheback-runtime"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_of_the_macros_run_one_way() {
    let wrong = wrong(&order("macros:"), &files("cacheback-macros"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The reader reads: an import upwards, a circle and a file without a room are each found.
#[test]
fn an_import_that_runs_up_is_found() {
    let file = |module: &str, text: &str| File {
        module: module.split("::").map(str::to_owned).collect(),
        code: code(text),
    };
    let order = ["top", "bottom"].map(str::to_owned);
    let none = [
        file("top", "mod a;\nuse a::A;"),
        file("top::a", "use crate::bottom::{x::Y, z};\nuse super::b::B; // crate::nowhere"),
        file("top::b", "use super::A;\nlet text = \"crate::top::a\";"),
        file("bottom", "mod x;"),
    ];
    assert_eq!(wrong(&order, &none), Vec::<String>::new());
    let up = [file("bottom::x", "use std::fmt;\nuse crate::{bottom::y, top::a::A};")];
    assert_eq!(wrong(&order, &up), ["`bottom::x` imports `top::a::A`, which is above it"]);
    let circle = [
        file("top::a", "fn a() { super::b::c::go() }"),
        file("top::b::c", "use crate::top::a::A;"),
        file("top::b", ""),
    ];
    assert_eq!(
        wrong(&order, &circle),
        [
            "a` is in a circle of imports, by way of `top::b::c",
            "b::c` is in a circle of imports, by way of `top::a"
        ]
        .map(|end| format!("`top::{end}`"))
    );
    assert_eq!(wrong(&order, &[file("attic", "")]), ["`attic` is in no room of the order"]);
}
