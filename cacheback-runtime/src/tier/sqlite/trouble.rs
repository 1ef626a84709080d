//! Why a file cannot be used, and what to do.

use rusqlite::ErrorCode;

use crate::tier::Down;

/// Why a file cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is not to be touched.
    Refused(String),
    /// It may get better by itself.
    Failed(String),
    /// There is no room on the disk.
    Full(String),
    /// What is in it makes no sense.
    Damaged(String),
}

impl Trouble {
    pub(super) fn foreign() -> Self {
        Self::Refused(FOREIGN.to_owned())
    }

    pub(super) fn damaged(how: &str) -> Self {
        Self::Damaged(format!("{how}: to begin anew, delete it with those that end with -wal and -shm"))
    }

    pub(super) fn newer() -> Self {
        Self::Refused(NEWER.to_owned())
    }

    /// The answer to who has asked for something.
    pub(super) fn down(&self) -> Down {
        match self {
            Self::Full(why) => Down::Full(why.clone()),
            Self::Refused(why) | Self::Failed(why) | Self::Damaged(why) => Down::Refused(why.clone()),
        }
    }

    pub(super) fn why(&self) -> &str {
        let (Self::Refused(why) | Self::Failed(why) | Self::Full(why) | Self::Damaged(why)) = self;
        why
    }
}

const FOREIGN: &str = "it is no database of cacheback, or its beginning is damaged, and is left as it is: give another \
                       path, or move it away";
const NEWER: &str = "it was made by a newer version of cacheback, and is left as it is: update this program, or give \
                     another path";
pub(super) const FORKED: &str = "this process was forked from one that uses it, and cannot tell its locks from those of its parent: \
                      fork before the first call of a shared function";

/// Whether another connection holds a lock.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::foreign(),
            Some(ErrorCode::DatabaseCorrupt) => Self::damaged(&error.to_string()),
            _ if is_busy(&error) => Self::Failed("another process holds its lock".to_owned()),
            Some(ErrorCode::DiskFull) => Self::Full(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}
