//! A PostgreSQL of the test's own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) struct Server {
    child: Child,
    port: u16,
    place: Place,
}

/// Where it lies, and whom it runs as.
struct Place {
    programs: PathBuf,
    folder: TempDir,
    user: Option<(u32, u32)>,
}

impl Place {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of the programs, which says nothing.
    fn run(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

/// The folder of the programs, of the newest version there is.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let folders = versions.map(|version| version.path().join("bin"));
    folders.filter(|folder| folder.join("initdb").exists()).max()
}

impl Server {
    /// `None` if there is no server to run. With `CACHEBACK_NEEDS_SERVERS` that is an error.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            static SAID: Once = Once::new();
            let missing = "no PostgreSQL in /usr/lib/postgresql: tests with a real one are skipped";
            assert!(std::env::var_os("CACHEBACK_NEEDS_SERVERS").is_none(), "{missing}");
            SAID.call_once(|| eprintln!("{missing}"));
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let user = user(folder.path());
        let place = Place { programs, folder, user };
        let made = place
            .run("initdb")
            .arg(place.data())
            .args(["--username=cacheback", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"])
            .status();
        assert!(made.unwrap().success(), "`initdb` has failed");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = place
            .run("postgres")
            .arg("-D")
            .arg(place.data())
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-c", "fsync=off", "-k"])
            .arg(place.folder.path())
            .spawn()
            .unwrap();
        let mut server = Self { child, port, place };
        let began = Instant::now();
        while !server.is_ready() {
            assert!(server.child.try_wait().unwrap().is_none(), "PostgreSQL has ended");
            assert!(began.elapsed() < Duration::from_secs(60), "PostgreSQL does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    fn is_ready(&self) -> bool {
        let port = self.port.to_string();
        let asked = self.place.run("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
        asked.is_ok_and(|asked| asked.success())
    }

    pub(crate) fn settings(&self) -> String {
        format!("host=127.0.0.1 port={} user=cacheback dbname=postgres", self.port)
    }
}

/// The user whom the server is to run as: it refuses to be root. The folder is made his.
fn user(folder: &Path) -> Option<(u32, u32)> {
    if fs::metadata(folder).unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("a user `postgres`");
    let mut numbers = line.split(':').skip(2).map(|number| number.parse().unwrap());
    let (user, group) = (numbers.next().unwrap(), numbers.next().unwrap());
    chown(folder, Some(user), Some(group)).unwrap();
    Some((user, group))
}

impl Drop for Server {
    fn drop(&mut self) {
        // With its children.
        let _ =
            self.place.run("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(self.place.data()).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
