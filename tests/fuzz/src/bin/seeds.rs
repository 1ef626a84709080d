//! Writes the bytes that the targets begin with into folders of their names.

use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let corpus = std::env::args().nth(1).expect("a folder");
    for (target, bytes) in cacheback_runtime::fuzzing::seeds() {
        let folder = Path::new(&corpus).join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("seed"), bytes)?;
    }
    Ok(())
}
