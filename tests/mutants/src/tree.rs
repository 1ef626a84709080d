//! The copy of the library, with all mutations in it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::list::Mutation;

/// The parts of the workspace that cargo needs.
const PARTS: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "src",
    "cacheback-macros",
    "cacheback-runtime",
    "tests",
    "examples",
    "benches",
];

/// In the copy, says whether a mutation is on.
const SWITCH: &str = r#"
mod mutants {
    pub(crate) fn on(name: &str) -> bool {
        static ON: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
        ON.get_or_init(|| std::env::var("CACHEBACK_MUTANT").ok()).as_deref() == Some(name)
    }
}
"#;

/// The files of the workspace, by their paths in it.
pub(crate) struct Tree(BTreeMap<PathBuf, Vec<u8>>);

impl Tree {
    pub(crate) fn read() -> Result<Self, String> {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = BTreeMap::new();
        for part in PARTS {
            read(&from, Path::new(part), &mut files).map_err(|error| format!("{part}: {error}"))?;
        }
        let mut tree = Self(files);
        tree.file("lib.rs")?.extend_from_slice(SWITCH.as_bytes());
        Ok(tree)
    }

    /// Writes a mutation beside the code that it replaces. `Err` if it does not fit.
    pub(crate) fn mutate(&mut self, mutation: &Mutation) -> Result<(), String> {
        let Mutation { name, file, at, original, mutated, .. } = mutation;
        let misfit = |what: String| format!("the mutation `{name}` does not fit `{file}` any more: {what}");
        let bytes = self.file(file).map_err(misfit)?;
        let source = String::from_utf8_lossy(bytes);
        let mut places = source.match_indices(at);
        let (Some((place, _)), None) = (places.next(), places.next()) else {
            return Err(misfit(format!("`{at}` has to be there once")));
        };
        let Some(begin) = source[place..].find(original).map(|after| place + after) else {
            return Err(misfit(format!("`{original}` does not follow `{at}`")));
        };
        let (before, after) = (&source[..begin], &source[begin + original.len()..]);
        let branches = format!("if crate::mutants::on({name:?}) {{ {mutated} }} else {{ {original} }}");
        let is_statement = original.ends_with(';');
        let either = if is_statement { branches } else { format!("({branches})") };
        *bytes = format!("{before}{either}{after}").into_bytes();
        Ok(())
    }

    /// Makes a folder the same as this. Files that are the same already are not touched, so that they are not built again.
    pub(crate) fn write(&self, to: &Path) -> Result<(), String> {
        let write = || {
            for (path, bytes) in &self.0 {
                let path = to.join(path);
                if fs::read(&path).is_ok_and(|is| is == *bytes) {
                    continue;
                }
                fs::create_dir_all(path.parent().unwrap_or(to))?;
                fs::write(path, bytes)?;
            }
            let mut there = BTreeMap::new();
            read(to, Path::new(""), &mut there)?;
            there
                .keys()
                .filter(|path| !self.0.contains_key(*path))
                .try_for_each(|path| fs::remove_file(to.join(path)))
        };
        write().map_err(|error: io::Error| format!("{}: {error}", to.display()))
    }

    /// A source of the runtime.
    fn file(&mut self, path: &str) -> Result<&mut Vec<u8>, String> {
        let path = Path::new("cacheback-runtime/src").join(path);
        self.0.get_mut(&path).ok_or_else(|| format!("there is no {}", path.display()))
    }
}

/// Reads `part` of a folder, with everything below it.
fn read(root: &Path, part: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> io::Result<()> {
    let path = root.join(part);
    if !path.is_dir() {
        files.insert(part.to_owned(), fs::read(path)?);
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        read(root, &part.join(entry?.file_name()), files)?;
    }
    Ok(())
}
