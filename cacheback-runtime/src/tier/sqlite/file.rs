//! The file: whether it may be touched, and how it is opened.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::patience::{Patience, turn_log_on};
use super::trouble::{FORKED, Trouble};
use super::{layout, mounts};
use crate::base::process;
use crate::base::sync::plain::{Mutex, lock};

/// Tells a file from every other of this machine.
pub(super) type Identity = (u64, u64);

#[cfg(unix)]
pub(super) fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    // It is not opened: to close it again would end all locks that this process has on it.
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(path: &Path) -> Option<Identity> {
    path.exists().then_some((0, 0))
}

#[cfg(unix)]
fn for_the_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn for_the_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// The path without links and from the root on, also if there is no file yet.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let of_folder = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    };
    let plain = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.canonicalize().ok().or_else(of_folder).unwrap_or_else(plain)
}

/// Returns why a file is not to be touched. If it cannot be read now, or there is none, it may be later.
pub(super) fn look(path: &Path) -> Result<(), String> {
    if let Some(kind) = mounts::network(path) {
        return Err(format!(
            "it lies on a network file system ({kind}), whose locks do not hold: give a path on a disk of this machine, \
             or use Redis"
        ));
    }
    let Some(identity) = identity(path) else { return Ok(()) };
    if is_of_parent(identity) {
        return Err(FORKED.to_owned());
    }
    let patience = Patience::default();
    patience.last(Duration::from_millis(500));
    match connect(path, &patience).and_then(|db| layout::lacks(&db)) {
        Err(Trouble::Refused(why)) => Err(why),
        Ok(_) | Err(Trouble::Failed(_) | Trouble::Full(_) | Trouble::Damaged(_)) => Ok(()),
    }
}

/// Opens the file for writing, and makes it if there is none.
pub(super) fn open(path: &Path, patience: &Patience) -> Result<(Connection, Identity), Trouble> {
    look_at_place(path)?;
    let mut options = OpenOptions::new();
    match for_the_owner(options.write(true).create_new(true)).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Trouble::Failed(format!("it cannot be made: {error}"))),
    }
    let identity = identity(path).ok_or_else(|| Trouble::Failed("it was deleted".to_owned()))?;
    claim(identity)?;
    let db = connect(path, patience)?;
    db.execute_batch("PRAGMA synchronous = NORMAL")?;
    if layout::lacks(&db)? != layout::Lacks::Nothing {
        layout::lay_out(&db, patience)?;
    }
    let journal = turn_log_on(&db, patience)?;
    if journal != "wal" {
        return Err(Trouble::Failed(format!(
            "its log is of the kind `{journal}`, as this disk has no other"
        )));
    }
    Ok((db, identity))
}

/// Opens a file that another connection of this process has open.
pub(super) fn open_again(path: &Path, patience: &Patience) -> Result<Connection, Trouble> {
    connect(path, patience)
}

fn look_at_place(path: &Path) -> Result<(), Trouble> {
    match mounts::network(path) {
        Some(kind) => Err(Trouble::Refused(format!("it lies on a network file system ({kind})"))),
        None => Ok(()),
    }
}

fn connect(path: &Path, patience: &Patience) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    let patience = patience.clone();
    db.busy_handler(Some(move |tries| patience.waits(tries)))?;
    Ok(db)
}

/// The files that this process and its ancestors have used, with the process.
///
/// SQLite keeps the locks of a file in the memory of the process, and a child has a copy of that memory, but not the
/// locks. So it cannot use the file, not even by a connection of its own.
static USED: Mutex<Vec<(Identity, u32)>> = Mutex::new(Vec::new());

fn claim(identity: Identity) -> Result<(), Trouble> {
    let own = (identity, process::id());
    let mut used = lock(&USED);
    match used.iter().find(|(file, _)| *file == identity) {
        None => used.push(own),
        Some(claimed) if *claimed == own => {}
        Some(_) => return Err(Trouble::Refused(FORKED.to_owned())),
    }
    Ok(())
}

fn is_of_parent(identity: Identity) -> bool {
    let own = process::id();
    lock(&USED).iter().any(|(file, process)| *file == identity && *process != own)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child has the memory of its parent, and not its locks.
    #[test]
    fn a_file_of_the_parent_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache.sqlite");
        drop(open(&path, &Patience::default()).unwrap());
        let own = identity(&path).unwrap();
        assert_eq!(look(&path), Ok(()), "this process has used it");
        lock(&USED).iter_mut().filter(|(file, _)| *file == own).for_each(|(_, process)| *process += 1);
        assert!(look(&path).unwrap_err().contains("was forked"));
        assert!(open(&path, &Patience::default()).unwrap_err().why().contains("was forked"));
        lock(&USED).retain(|(file, _)| *file != own);
    }

    #[test]
    fn a_path_is_without_links_from_the_root_on() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        assert_eq!(absolute(&folder.path().join("new.sqlite")), real.join("new.sqlite"));
        assert!(absolute(Path::new("new.sqlite")).is_absolute());
        assert_eq!(absolute(Path::new("/nowhere/new.sqlite")), Path::new("/nowhere/new.sqlite"));
    }
}
