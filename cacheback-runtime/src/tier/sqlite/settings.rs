//! The settings of a SQLite tier.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parse_size::{ByteSuffix, Config};

use super::file;
use crate::outcome::error::Error;
use crate::tier::compress::Codec;
use crate::tier::time_span::{self, TimeSpan};

/// A SQLite file as the second tier, for [`Configure::shared`](crate::Configure::shared): for the processes of one
/// machine, without a server.
///
/// Values survive a restart: the first call of a new process finds what the last one has left. Several processes may use
/// one file, and each learns within some 50 ms what the others change.
///
/// The file is opened when it is first needed, on threads of the tier's own. A file that cannot be used is no outage: if it
/// is damaged, deleted or locked, or lies on a full disk or in a folder that cannot be written to, the tier is *down*.
/// Functions work as if they were not shared, the log says so once, and the file is tried again in the background.
///
/// # Processes
///
/// After a `fork`, the child of a process that has used the file works without it: SQLite cannot tell the locks of the two
/// apart. If processes are to be forked, use no shared function before the fork, or configure in the children.
///
/// # Time
///
/// Ages go by the clock that counts from the start of the machine. After a restart of the machine they go by the wall
/// clock, and every value of before is stale. On systems other than Linux of 64 bits it is the wall clock all the time.
///
/// # Examples
///
/// ```
/// # mod cacheback { pub use cacheback_runtime::*; }
/// # let folder = std::env::temp_dir().join(format!("cacheback-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("cache.sqlite");
/// use cacheback::shared::Sqlite;
///
/// cacheback::configure().shared(Sqlite::open(path)?.max_bytes("64MiB")).apply()?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "pass it to `configure().shared(..)`"]
pub struct Sqlite {
    pub(super) path: PathBuf,
    pub(super) max_bytes: u64,
    pub(super) timeout: Duration,
    pub(super) max_value_bytes: usize,
    pub(super) max_age: Duration,
    pub(super) codec: Option<Box<dyn Codec>>,
}

/// The least that a file is bounded to.
const LEAST: u64 = 1 << 20;

impl Sqlite {
    /// A file by its path. If there is none, it is made when it is first needed, and only its owner may read and write
    /// it. Two files beside it belong to it, with `-wal` and `-shm` at the end of their names.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is not to be touched: it is no database of cacheback, or one of a newer version; it
    /// lies on a network file system, whose locks do not hold; or this process was forked from one that uses it.
    /// Everything else may get better by itself, and leaves the tier down.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = file::absolute(path.as_ref());
        file::look(&path).map_err(|why| Error::new(format!("the file {}: {why}", path.display())))?;
        let (timeout, max_value_bytes) = (Duration::from_millis(100), 1 << 20);
        Ok(Self { path, max_bytes: 256 << 20, timeout, max_value_bytes, max_age: Duration::MAX, codec: None })
    }

    /// Sets the room on the disk, in bytes or as a string with a unit: `"256MiB"`. Default: 256 MiB. Less than 1 MiB
    /// (1,048,576 bytes) counts as that.
    ///
    /// File and log together are never larger. Up to three quarters are for values and what belongs to them, and the rest
    /// for the log of changes. If there is no more room, the values that were stored first are dropped. All processes
    /// should have the same bound. (The index of the log, the file `-shm`, has 32 KiB for each 16 MiB of it beside that.)
    ///
    /// # Panics
    ///
    /// Panics if a string is not a number of bytes with its unit (kB, MB, GB for 1000s; KiB, MiB, GiB for 1024s).
    pub fn max_bytes(mut self, bytes: impl ByteCount) -> Self {
        self.max_bytes = bytes.counted().unwrap_or_else(|why| panic!("`max_bytes`: {why}")).max(LEAST);
        self
    }

    /// Sets how long one operation may take. Default: 100 ms.
    ///
    /// No caller waits longer for an operation, whatever the disk does. An operation that has taken longer may have been
    /// carried out or not.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the age at which values are gone there, at the latest: a [`Duration`], or a string such as `"1d"`. Default: the
    /// `retention` of each function, which is 30 days where nothing else is said.
    ///
    /// This limits the room taken by values that nobody asks for any more. An age counts from the start of the fetch. A value
    /// stays for its lifetime in any case. A process that read it from the tier does not keep it longer than the tier; the
    /// process that fetched it keeps it for its `retention`.
    ///
    /// # Panics
    ///
    /// Panics if a string is not a time.
    pub fn max_age(mut self, age: impl TimeSpan) -> Self {
        self.max_age = time_span::max_age(age);
        self
    }

    /// Sets the longest value, in encoded bytes, that is shared. Default: 1 MiB (1,048,576 bytes), and never more than
    /// a 32nd of [`max_bytes`](Self::max_bytes).
    ///
    /// A longer one stays in the process that has fetched it, and a warning is logged.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Sets the codec of the values, for encryption say. Default: values of more than 4 KiB are compressed if that saves
    /// a fifth.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.codec = Some(Box::new(codec));
        self
    }
}

impl Sqlite {
    /// The longest value that is taken.
    pub(super) fn longest(&self) -> usize {
        self.max_value_bytes.min(usize::try_from(self.max_bytes / 32).unwrap_or(usize::MAX))
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, max_bytes, timeout, max_value_bytes, max_age, .. } = self;
        f.debug_struct("Sqlite")
            .field("path", path)
            .field("max_bytes", max_bytes)
            .field("timeout", timeout)
            .field("max_value_bytes", max_value_bytes)
            .field("max_age", max_age)
            .finish_non_exhaustive()
    }
}

/// A number of bytes, for [`Sqlite::max_bytes`]: a `u64`, or a string such as `"64MiB"`. It is implemented by these
/// alone.
pub trait ByteCount: sealed::Counted {}

impl ByteCount for u64 {}
impl ByteCount for &str {}

mod sealed {
    pub trait Counted {
        #[doc(hidden)]
        fn counted(self) -> Result<u64, String>;
    }
}

impl sealed::Counted for u64 {
    fn counted(self) -> Result<u64, String> {
        Ok(self)
    }
}

impl sealed::Counted for &str {
    fn counted(self) -> Result<u64, String> {
        match Config::new().with_byte_suffix(ByteSuffix::Require).parse_size(self) {
            Ok(bytes) => Ok(bytes),
            Err(parse_size::Error::PosOverflow) => Err(format!("`{self}` is too large")),
            Err(_) => Err(format!(
                "`{self}` is not a number of bytes with its unit (kB, MB, GB for 1000s; KiB, MiB, GiB for 1024s)"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sealed::Counted;

    #[test]
    fn bytes_are_read_as_those_of_the_attribute() {
        assert_eq!((5_u64.counted(), "64MiB".counted(), "1.5kB".counted()), (Ok(5), Ok(64 << 20), Ok(1_500)));
        for wrong in ["", "64", "64M", "a lot", "-1MiB", "16EiB"] {
            assert!(wrong.counted().is_err(), "{wrong}");
        }
    }
}
