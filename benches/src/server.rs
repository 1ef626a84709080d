//! A Redis server of the load's own, on a free port of this machine and in a temporary folder, and what it counts.
#![allow(unsafe_code, reason = "the server is tied to this process by a call into libc")]

use std::collections::HashMap;
use std::net::TcpListener;
use std::ops::{Div, Sub};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PROGRAM: &str = "redis-server";

/// Whether there is a server to measure with.
pub(crate) fn is_there() -> bool {
    Command::new(PROGRAM).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// What it says of its version.
pub(crate) fn version() -> Option<String> {
    let output = Command::new(PROGRAM).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.split(' ').find_map(|word| word.strip_prefix("v=")).map(str::to_owned)
}

pub(crate) struct Server {
    child: Child,
    port: u16,
    connection: redis::Connection,
    _folder: TempDir,
}

impl Server {
    /// A server, once it answers.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Somebody else may take the port before the server does.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            let port = port.expect("a free port").port();
            let mut child = spawn(port, &folder);
            if let Some(connection) = answer(port, &mut child) {
                return Self { child, port, connection, _folder: folder };
            }
            end(&mut child);
        }
        panic!("`{PROGRAM}` does not start");
    }

    /// The URL of one of its databases, of which it has 16.
    pub(crate) fn url(&self, database: u8) -> String {
        format!("redis://127.0.0.1:{}/{database}", self.port)
    }

    /// What it has counted so far.
    pub(crate) fn counts(&mut self) -> Counts {
        let said: String = redis::cmd("INFO").query(&mut self.connection).expect("an answer");
        Counts::of(&said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn spawn(port: u16, folder: &TempDir) -> Child {
    let mut command = Command::new(PROGRAM);
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // A part that hangs is killed, and nobody would end its server.
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec, this only makes a system call.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command.spawn().expect("the server starts")
}

/// A connection, once the server answers. `None` if it has ended instead.
fn answer(port: u16, child: &mut Child) -> Option<redis::Connection> {
    let client = redis::Client::open(("127.0.0.1", port)).expect("an address");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        if child.try_wait().expect("a child").is_some() {
            return None;
        }
        let connected = client.get_connection().and_then(|mut connection| {
            redis::cmd("PING").query::<String>(&mut connection).map(|_| connection)
        });
        if let Ok(connection) = connected {
            return Some(connection);
        }
        sleep(Duration::from_millis(20));
    }
    None
}

/// What the server has counted, or counts in between.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Commands, those inside of scripts and transactions among them.
    pub(crate) commands: f64,
    /// Readings of sockets. One caller who waits for each answer makes one for each round trip.
    pub(crate) trips: f64,
    /// Bytes that came in.
    pub(crate) received: f64,
    /// Bytes that went out.
    pub(crate) sent: f64,
    /// CPU time, in seconds.
    pub(crate) cpu: f64,
}

impl Counts {
    fn of(info: &str) -> Self {
        let fields: HashMap<&str, &str> =
            info.lines().filter_map(|line| line.trim().split_once(':')).collect();
        let field = |name: &str| fields.get(name).and_then(|value| value.parse().ok()).unwrap_or(f64::NAN);
        Self {
            commands: field("total_commands_processed"),
            trips: field("total_reads_processed"),
            received: field("total_net_input_bytes"),
            sent: field("total_net_output_bytes"),
            cpu: field("used_cpu_user") + field("used_cpu_sys"),
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            commands: self.commands - earlier.commands,
            trips: self.trips - earlier.trips,
            received: self.received - earlier.received,
            sent: self.sent - earlier.sent,
            cpu: self.cpu - earlier.cpu,
        }
    }
}

impl Div<f64> for Counts {
    type Output = Self;

    fn div(self, by: f64) -> Self {
        let Self { commands, trips, received, sent, cpu } = self;
        Self {
            commands: commands / by,
            trips: trips / by,
            received: received / by,
            sent: sent / by,
            cpu: cpu / by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_are_read_and_subtracted() {
        let info = |commands: u32| {
            format!(
                "# Stats\r\ntotal_commands_processed:{commands}\r\ntotal_reads_processed:4\r\n\
                 total_net_input_bytes:30\r\ntotal_net_output_bytes:700\r\n\r\n# CPU\r\nused_cpu_sys:0.5\r\n\
                 used_cpu_user:0.25\r\n"
            )
        };
        let counts = Counts::of(&info(9));
        assert_eq!(counts, Counts { commands: 9.0, trips: 4.0, received: 30.0, sent: 700.0, cpu: 0.75 });
        assert_eq!(counts - Counts::of(&info(2)), Counts { commands: 7.0, ..Counts::default() });
    }

    #[test]
    fn a_server_counts_what_is_asked_of_it_and_ends() {
        if !is_there() {
            return;
        }
        assert!(version().expect("a version").starts_with(|first: char| first.is_ascii_digit()));
        let mut server = Server::start();
        let mut other = redis::Client::open(server.url(3)).unwrap().get_connection().unwrap();
        let before = server.counts();
        for _ in 0..10 {
            redis::cmd("SET").arg("key").arg("value").query::<()>(&mut other).unwrap();
        }
        let counts = server.counts() - before;
        // The ten, and the question itself.
        assert_eq!((counts.commands, counts.trips), (11.0, 11.0));
        drop(server);
        assert!(redis::cmd("PING").query::<String>(&mut other).is_err());
    }
}
