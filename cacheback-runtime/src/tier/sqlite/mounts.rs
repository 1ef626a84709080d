//! Which file system a path lies on. SQLite's log needs memory that all processes share, and locks that hold: a network
//! file system has neither.

use std::path::{Path, PathBuf};

/// File systems whose files are on another machine.
const REMOTE: [&str; 17] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "smbfs",
    "vboxsf",
];
/// The same ones, and others, as they are mounted by a program.
const REMOTE_PROGRAMS: [&str; 9] =
    ["ceph", "davfs", "gcsfuse", "glusterfs", "nfs", "rclone", "s3fs", "smb", "sshfs"];

/// The network file system on which a path without links lies, by the mounts of this process.
pub(super) fn network(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    kind(&mounts, path).filter(|kind| is_remote(kind))
}

fn is_remote(kind: &str) -> bool {
    match kind.strip_prefix("fuse.") {
        Some(program) => REMOTE_PROGRAMS.iter().any(|remote| program.starts_with(remote)),
        None => REMOTE.contains(&kind),
    }
}

/// The kind of the file system: of the mount with the longest path above this one, and of two of them the later.
fn kind(mounts: &str, path: &Path) -> Option<String> {
    let of = |line: &str| {
        let (mount, kind) = line.split_once(" - ")?;
        let at = PathBuf::from(unescaped(mount.split(' ').nth(4)?));
        let kind = kind.split(' ').next()?.to_owned();
        path.starts_with(&at).then(|| (at.components().count(), kind))
    };
    let above = mounts.lines().filter_map(of);
    above.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// A path of the list, in which blanks and the like are written as `\040`.
fn unescaped(path: &str) -> String {
    let mut parts = path.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:40 / /srv rw,relatime shared:1 - nfs4 nas:/srv rw
31 30 0:41 / /srv/fast rw - tmpfs tmpfs rw
32 27 0:42 / /home/a\\040b rw - fuse.sshfs a@b:/ rw
33 27 0:43 / /photos rw - fuse.mergerfs a:b rw
34 27 0:44 / /twice rw - cifs //nas/x rw
35 27 0:45 / /twice rw - ext4 /dev/vdb rw
a line of another kind
";

    #[test]
    fn a_path_lies_on_the_nearest_mount() {
        for (path, expected, remote) in [
            ("/tmp/cache.sqlite", "ext4", false),
            ("/srv/cache.sqlite", "nfs4", true),
            ("/srvs/cache.sqlite", "ext4", false),
            ("/srv/fast/cache.sqlite", "tmpfs", false),
            ("/home/a b/cache.sqlite", "fuse.sshfs", true),
            ("/photos/cache.sqlite", "fuse.mergerfs", false),
            ("/twice/cache.sqlite", "ext4", false),
        ] {
            let kind = kind(MOUNTS, Path::new(path));
            assert_eq!(kind.as_deref(), Some(expected), "{path}");
            assert_eq!(is_remote(expected), remote, "{path}");
        }
        assert_eq!(kind("", Path::new("/tmp")), None);
    }
}
