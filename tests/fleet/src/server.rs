//! A Redis server of the run's own, on a free port of this machine and in a temporary folder. It keeps nothing on disk.

use std::io;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// It starts, and copies another one, within so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends with its last copy.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

struct Inner {
    child: Mutex<Child>,
    port: u16,
    folder: TempDir,
    options: Vec<String>,
}

/// The program, or another one that is as good: `CACHEBACK_REDIS_SERVER`.
fn program() -> String {
    std::env::var("CACHEBACK_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

impl Server {
    pub(crate) fn start() -> io::Result<Self> {
        Self::start_with(&[])
    }

    /// With these options. With `--sentinel` it is one.
    pub(crate) fn start_with(options: &[&str]) -> io::Result<Self> {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        // Somebody else may take the port before the server does.
        for _ in 0..100 {
            let folder = tempfile::tempdir()?;
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            // The servers of a cluster speak to each other on a port that is so much higher.
            if port > u16::MAX - 10_000 {
                continue;
            }
            let child = spawn(port, &folder, &options)
                .map_err(|error| io::Error::other(format!("{}: {error}", program())))?;
            let options = options.clone();
            let server = Self(Arc::new(Inner { child: Mutex::new(child), port, folder, options }));
            if server.answers() {
                return Ok(server);
            }
        }
        Err(io::Error::other(format!("`{}` does not start", program())))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }

    /// Waits until it answers. `false` if it has ended instead.
    fn answers(&self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE
            && self.0.child.lock().unwrap().try_wait().is_ok_and(|end| end.is_none())
        {
            if self.run::<String>("PING").is_ok() {
                return true;
            }
            sleep(Duration::from_millis(10));
        }
        false
    }

    /// Kills it, with all that it has.
    pub(crate) fn kill(&self) {
        let mut child = self.0.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Starts it again, on the same port.
    pub(crate) fn start_again(&self) -> io::Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            self.kill();
            // What it has copied from a master.
            let _ = std::fs::remove_file(self.0.folder.path().join("dump.rdb"));
            *self.0.child.lock().unwrap() = spawn(self.0.port, &self.0.folder, &self.0.options)?;
            if self.answers() {
                return Ok(());
            }
        }
        Err(io::Error::other("the server does not start again"))
    }

    /// Stops it, so that it answers nothing and closes nothing.
    pub(crate) fn stop(&self) {
        signal(&self.0.child.lock().unwrap(), Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        signal(&self.0.child.lock().unwrap(), Signal::CONT);
    }

    /// Runs a command, of words without blanks.
    pub(crate) fn run<T: redis::FromRedisValue>(&self, command: &str) -> redis::RedisResult<T> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port()))?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
        connection.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut words = command.split(' ');
        let mut run = redis::cmd(words.next().unwrap_or_default());
        words.for_each(|word| {
            run.arg(word);
        });
        run.query(&mut connection)
    }

    /// A replica of it, which has copied it.
    pub(crate) fn replica(&self) -> io::Result<Self> {
        let replica = Self::start()?;
        let made = replica.run::<()>(&format!("REPLICAOF 127.0.0.1 {}", self.port()));
        made.map_err(io::Error::other)?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if replica
                .run::<String>("INFO replication")
                .is_ok_and(|info| info.contains("master_link_status:up"))
            {
                return Ok(replica);
            }
            sleep(Duration::from_millis(20));
        }
        Err(io::Error::other("a replica does not copy its master"))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sends a signal to a child of this process, which is not waited for yet.
pub(crate) fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

fn spawn(port: u16, folder: &TempDir, options: &[String]) -> io::Result<Child> {
    let mut command = Command::new(program());
    if options.iter().any(|option| option == "--sentinel") {
        // It writes what it learns into its file.
        let file = folder.path().join("sentinel.conf");
        if !file.exists() {
            std::fs::write(&file, format!("port {port}\nbind 127.0.0.1\n"))?;
        }
        command.arg(file);
    } else {
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--repl-diskless-sync-delay", "0", "--dir"])
            .arg(folder.path());
    }
    command.args(options).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}
