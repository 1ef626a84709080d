//! A Redis server of the test's own, on a free port of this machine and in a temporary folder.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Cluster, wait_until};

/// The program, or another one that is as good: `CACHEBACK_REDIS_SERVER`.
fn program() -> String {
    std::env::var("CACHEBACK_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// Whether there is a server to test with. If there is none, says so once. With `CACHEBACK_NEEDS_SERVERS` that is an
/// error.
pub(crate) fn is_there() -> bool {
    let there = Command::new(program()).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        static SAID: Once = Once::new();
        let missing = format!("no `{}` on this machine: tests with a real server are skipped", program());
        assert!(std::env::var_os("CACHEBACK_NEEDS_SERVERS").is_none(), "{missing}");
        SAID.call_once(|| eprintln!("{missing}"));
    }
    there
}

/// Whether the server knows TLS. If not, says so. Of the one that is taken by default that is an error.
pub(crate) fn knows_tls() -> bool {
    let missing = format!("`{}` knows no TLS: tests of it are skipped", program());
    // Without a certificate it ends at once, and says what it lacks.
    let lacking = Command::new(program()).args(["--port", "0", "--tls-port", "1"]).output().unwrap();
    let knows = String::from_utf8_lossy(&lacking.stdout).contains("No tls-cert-file configured");
    if !knows {
        assert!(std::env::var_os("CACHEBACK_REDIS_SERVER").is_some(), "{missing}");
        eprintln!("{missing}");
    }
    knows
}

/// The rights of a user as the guide has them.
pub(crate) fn rights() -> &'static str {
    let guide = include_str!("../../../../src/guide/several_processes.md");
    guide.split("**Rights**: `").nth(1).and_then(|rest| rest.split('`').next()).unwrap()
}

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    folder: TempDir,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    /// The other masters of its cluster.
    others: Vec<Server>,
}

impl Server {
    /// A server, once it answers. `None` if there is no program to run.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        Self::start_in(&[], options)
    }

    /// A server, or with `CACHEBACK_CLUSTER` the first master of a cluster, for what is the same with both.
    pub(crate) fn start_tier() -> Option<Self> {
        if std::env::var_os("CACHEBACK_CLUSTER").is_none() {
            return Self::start(&[]);
        }
        let mut masters = Cluster::start(0)?.masters;
        let mut first = masters.remove(0);
        first.others = masters;
        Some(first)
    }

    /// A server with these variables in its environment.
    pub(crate) fn start_in(environment: &[(&str, &str)], options: &[&str]) -> Option<Self> {
        Self::start_on(free_port, environment, options)
    }

    /// A server on a port of this choice. With the option `--sentinel` it is one.
    pub(crate) fn start_on(
        port: impl Fn() -> u16,
        environment: &[(&str, &str)],
        options: &[&str],
    ) -> Option<Self> {
        if !is_there() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        // Somebody else may take the port before the server does.
        for _ in 0..10 {
            let port = port();
            let mut child = spawn(port, &folder, &options, &environment);
            if answers(port, &mut child) {
                let others = Vec::new();
                return Some(Self { child, port, folder, options, environment, others });
            }
        }
        panic!("`{}` does not start", program());
    }

    pub(crate) fn is_cluster(&self) -> bool {
        !self.others.is_empty()
    }

    /// How a process is told of it.
    pub(crate) fn url(&self) -> String {
        let own = format!("redis://127.0.0.1:{}/", self.port);
        if self.is_cluster() { format!("cluster:{own}") } else { own }
    }

    /// Waits until so many processes are told of changes.
    pub(crate) fn tells(&self, processes: usize) {
        let of = |server: &Self| -> usize {
            server.run_alone::<Vec<String>>("PUBSUB NUMSUB cb1:bp:cacheback")[1].parse().unwrap()
        };
        wait_until("all listen", || self.all().map(of).sum::<usize>() == processes);
    }

    /// Kills it, with all that it has.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, on the same port.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        for _ in 0..50 {
            self.child = spawn(self.port, &self.folder, &self.options, &self.environment);
            if answers(self.port, &mut self.child) {
                return;
            }
            sleep(Duration::from_millis(100));
        }
        panic!("the server does not start again");
    }

    /// Stops it, so that it answers nothing and closes nothing.
    pub(crate) fn stop(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        #[allow(unsafe_code)]
        // SAFETY: sends a signal to our own child, which is not waited for yet.
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0);
    }

    /// A user with the password `secret` and these rights, and the URL for it.
    pub(crate) fn user(&self, name: &str, rights: &str) -> String {
        self.run::<()>(&format!("ACL SETUSER {name} reset on >secret {rights}"));
        self.url().replace("redis://", &format!("redis://{name}:secret@"))
    }

    /// A connection of the test's own.
    pub(crate) fn connection(&self) -> redis::Connection {
        self.try_connection().unwrap()
    }

    /// The value of an option that it was started with.
    fn option(&self, name: &str) -> Option<&str> {
        self.options.windows(2).find(|pair| pair[0] == name).map(|pair| &*pair[1])
    }

    /// Its port for TLS, if it has one.
    pub(crate) fn tls_port(&self) -> Option<u16> {
        self.option("--tls-port")?.parse().ok()
    }

    fn try_connection(&self) -> redis::RedisResult<redis::Connection> {
        let password = self.option("--requirepass");
        let user = password.map_or_else(String::new, |password| format!(":{password}@"));
        redis::Client::open(format!("redis://{user}127.0.0.1:{}/", self.port))?.get_connection()
    }

    /// Whether it is a `master`, or a `slave`. A sentinel that makes it another one closes its connections.
    pub(crate) fn has_role(&self, role: &str) -> bool {
        let replication = self.try_connection().and_then(|mut connection| {
            redis::cmd("INFO").arg("replication").query::<String>(&mut connection)
        });
        replication.is_ok_and(|replication| replication.contains(&format!("role:{role}")))
    }

    fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    /// Runs a command, of words without blanks. In a cluster, a command without keys runs on each master, and the answer is
    /// that of the last one.
    pub(crate) fn run<T: redis::FromRedisValue>(&self, command: &str) -> T {
        if command.starts_with("FLUSHALL") || command.starts_with("CLIENT KILL") {
            return self.all().map(|server| server.run_alone(command)).last().unwrap();
        }
        if command.starts_with("KEYS ") && self.is_cluster() {
            let keys = self.all().flat_map(|server| server.run_alone::<Vec<redis::Value>>(command)).collect();
            return T::from_redis_value(redis::Value::Array(keys)).unwrap();
        }
        self.query(&of_words(command))
    }

    fn run_alone<T: redis::FromRedisValue>(&self, command: &str) -> T {
        of_words(command).query(&mut self.connection()).unwrap()
    }

    /// Runs a command on the server, or the one of the cluster, that has its key.
    pub(crate) fn query<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let answers = self.all().map(|server| command.query(&mut server.connection()));
        let mut answer: Vec<redis::RedisResult<T>> = Vec::new();
        for one in answers {
            let is_elsewhere = one.as_ref().is_err_and(|error| error.code() == Some("MOVED"));
            answer.push(one);
            if !is_elsewhere {
                break;
            }
        }
        answer.pop().unwrap().unwrap()
    }

    /// The only key of a pattern.
    pub(crate) fn only(&self, pattern: &str) -> String {
        let keys: Vec<String> = self.run(&format!("KEYS {pattern}"));
        let [key] = <[String; 1]>::try_from(keys).unwrap_or_else(|keys| panic!("{pattern}: {keys:?}"));
        key
    }

    /// Makes a user, who may do everything.
    pub(crate) fn add_user(&self, name: &str, password: &str) {
        self.run::<()>(&format!("ACL SETUSER {name} on >{password} ~* &* +@all"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn of_words(command: &str) -> redis::Cmd {
    let mut words = command.split(' ');
    let mut command = redis::cmd(words.next().unwrap_or_default());
    words.for_each(|word| {
        command.arg(word);
    });
    command
}

/// A port that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(port: u16, folder: &TempDir, options: &[String], environment: &[(String, String)]) -> Child {
    let mut command = Command::new(program());
    if options.iter().any(|option| option == "--sentinel") {
        // It writes what it learns into its file.
        let file = folder.path().join("sentinel.conf");
        if !file.exists() {
            std::fs::write(&file, format!("port {port}\nbind 127.0.0.1\n")).unwrap();
        }
        command.arg(file);
    } else {
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--dir").arg(folder.path());
    }
    command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until it answers. `false` if it has ended instead.
fn answers(port: u16, child: &mut Child) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let pong = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"PING\r\n")?;
            let mut answer = [0; 1];
            stream.read_exact(&mut answer)
        });
        if pong.is_ok() {
            return true;
        }
        sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}
