//! The second tier: a file, or a Redis, which may be the sandbox's own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cacheback::shared::{Redis, Sqlite};
use redis::AsyncCommands;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::sleep;

use crate::processes::{self, Process};

/// How long an operation of the tier may take. It is much, as all processes share the processors of one machine with
/// whatever else it does.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the tier is.
pub(crate) struct Place {
    /// How the processes are told of it, as an argument.
    pub(crate) argument: String,
    /// For the page and the report.
    pub(crate) in_words: &'static str,
    /// Before the names of all keys on a server: sandboxes on one server have nothing to do with each other.
    pub(crate) prefix: String,
    kind: Kind,
}

enum Kind {
    File,
    /// The process that keeps the sandbox's own server.
    Own(Box<Process>),
    Theirs,
}

/// Which tier was asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Wanted {
    File,
    OwnRedis,
    Redis(String),
}

impl Place {
    pub(crate) async fn find(wanted: &Wanted, folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.to_str().context("the path of the temporary directory is no UTF-8")?;
        let (argument, in_words, kind) = match wanted {
            Wanted::File => (format!("file:{folder}/cache.sqlite"), "a SQLite file", Kind::File),
            Wanted::OwnRedis => {
                let server = Process::start("redis", &["redis", folder]).await?;
                (server.greeting.clone(), "a Redis of the sandbox's own", Kind::Own(Box::new(server)))
            }
            // Without the URL, which may have a password.
            Wanted::Redis(url) => (url.clone(), "Redis", Kind::Theirs),
        };
        Ok(Self { argument, in_words, prefix: format!("sandbox-{}", std::process::id()), kind })
    }

    /// Ends the sandbox's own server, and leaves no key on another one.
    pub(crate) async fn leave(self) -> anyhow::Result<()> {
        match self.kind {
            // It goes with its folder.
            Kind::File => Ok(()),
            Kind::Own(server) => server.end().await,
            Kind::Theirs => forget(&self.argument, &self.prefix).await.context("keys are left on the server"),
        }
    }
}

/// Deletes all keys of a sandbox.
async fn forget(url: &str, prefix: &str) -> redis::RedisResult<()> {
    let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let mut found = connection.scan_match(format!("cb1:*{prefix}:*")).await?;
    let mut keys: Vec<String> = Vec::new();
    while let Some(key) = found.next_item().await {
        keys.push(key?);
    }
    drop(found);
    if keys.is_empty() { Ok(()) } else { connection.del(keys).await }
}

/// In a process of the sandbox: uses the tier.
pub(crate) fn configure(argument: &str, prefix: &str) -> anyhow::Result<()> {
    let configuration = cacheback::configure();
    match argument.strip_prefix("file:") {
        Some(path) => {
            configuration.shared(Sqlite::open(path)?.max_bytes("16MiB").timeout(PATIENCE)).apply()?;
        }
        None => {
            configuration.shared(Redis::new(argument)?.prefix(prefix).timeout(PATIENCE)).apply()?;
        }
    }
    Ok(())
}

/// The process that keeps a `redis-server`: it starts one, prints its address, and ends it with the sandbox.
pub(crate) async fn keep_redis(folder: &str) -> anyhow::Result<()> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut server = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no", "--loglevel", "warning", "--dir", folder])
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("there is no `redis-server` to run; `--redis URL` uses one that runs already")?;
    let started = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
        if started.elapsed() > Duration::from_secs(5) || server.try_wait()?.is_some() {
            bail!("`redis-server` does not answer");
        }
        sleep(Duration::from_millis(20)).await;
    }
    println!("redis://127.0.0.1:{port}/");
    processes::sandbox_ends().await;
    Ok(server.kill().await?)
}
