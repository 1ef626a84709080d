//! A server whose clock a test can set.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::{Server, wait_until};

/// The clock of one server.
pub(crate) struct Clock {
    folder: TempDir,
}

impl Clock {
    /// A server and its clock. `None` if there is no server. Without a C compiler it says so, and with
    /// `CACHEBACK_NEEDS_SERVERS` that is an error.
    pub(crate) fn start() -> Option<(Self, Server)> {
        let clock = Self { folder: tempfile::tempdir().unwrap() };
        let [source, library, seconds] =
            ["clock.c", "clock.so", "seconds"].map(|file| clock.folder.path().join(file));
        fs::write(&source, include_str!("../../../support/clock.c")).unwrap();
        fs::write(&seconds, [0; 16]).unwrap();
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
        if !compiled.is_ok_and(|status| status.success()) {
            let missing = "no C compiler on this machine: tests of a server's clock are skipped";
            assert!(std::env::var_os("CACHEBACK_NEEDS_SERVERS").is_none(), "{missing}");
            eprintln!("{missing}");
            return None;
        }
        let [library, file] = [library, seconds].map(|path| path.display().to_string());
        let server = Server::start_in(&[("LD_PRELOAD", &library), ("CACHEBACK_CLOCK", &file)], &[])?;
        Some((clock, server))
    }

    /// Sets it to the time and these seconds.
    #[track_caller]
    pub(crate) fn set(&self, server: &Server, seconds: i64) {
        let file = File::options().write(true).open(self.folder.path().join("seconds")).unwrap();
        file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
        // Valkey asks for the time once a millisecond.
        wait_until("the server has another clock", || {
            let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let (there, _) = server.run::<(i64, i64)>("TIME");
            (there - here.cast_signed() - seconds).abs() < 60
        });
    }
}
