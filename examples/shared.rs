//! Two processes over one Redis: where each value comes from, also while the server is away.
//!
//! `cargo run --example shared --features redis` starts a `redis-server` of its own, on a free port, and starts itself
//! twice as the two processes. It kills the server in the middle, and starts it again. With `REDIS_URL` set it uses that
//! server, and leaves it alone.

use std::io::{BufRead, BufReader, Write, stdin};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cacheback::cacheback;
use cacheback::shared::Redis;
use tokio::time::sleep;

/// A price list, as a slow service makes it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Prices {
    made_by: u32,
    list: Vec<(String, u32)>,
}

#[cacheback(lifetime = 60, fetch_on_miss, shared)]
async fn prices(shop: &str) -> Prices {
    sleep(Duration::from_millis(300)).await;
    let list = (1..=3).map(|article| (format!("{shop}{article}"), article * 100)).collect();
    Prices { made_by: std::process::id(), list }
}

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1) {
        Some(url) => tokio::runtime::Runtime::new()?.block_on(process(&url)),
        None => both(),
    }
}

/// One of the two processes: answers each line of its input.
async fn process(url: &str) -> anyhow::Result<()> {
    cacheback::configure().shared(Redis::new(url)?.prefix("example")).apply()?;
    for line in stdin().lines() {
        let line = line?;
        let (command, shop) = line.split_once(' ').context("a command and a shop")?;
        let entry = prices::entry(shop);
        let called = Instant::now();
        match command {
            "get" => {
                let lookup = entry.lookup().await;
                let took = called.elapsed();
                let by =
                    if lookup.value.made_by == std::process::id() { "this process" } else { "the other" };
                let (status, source) = (lookup.status, lookup.source);
                println!(
                    "{:>9.3} ms   {status:?}, from {source:?}, made by {by}",
                    took.as_secs_f64() * 1_000.0
                );
            }
            "remove" => match entry.remove().await {
                Ok(()) => {
                    println!("{:>9.3} ms   removed in both tiers", called.elapsed().as_secs_f64() * 1_000.0);
                }
                Err(error) => println!("   removed here; {error}"),
            },
            _ => bail!("no command `{command}`"),
        }
    }
    Ok(())
}

/// A process that was started, and its lines.
struct Process {
    child: Child,
    commands: ChildStdin,
    answers: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(url: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = child.stdin.take().context("its input")?;
        let answers = BufReader::new(child.stdout.take().context("its output")?).lines();
        Ok(Self { child, commands, answers })
    }

    fn ask(&mut self, name: &str, command: &str) -> anyhow::Result<()> {
        writeln!(self.commands, "{command}")?;
        let answer = self.answers.next().context("the process has ended")??;
        println!("  {name}  {command:<12} {answer}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server of the example's own, or one that somebody else runs.
enum Server {
    Own { child: Child, port: u16 },
    Theirs(String),
}

impl Server {
    fn start() -> anyhow::Result<Option<Self>> {
        if let Ok(url) = std::env::var("REDIS_URL") {
            return Ok(Some(Self::Theirs(url)));
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        match Self::run(port) {
            Ok(child) => Ok(Some(Self::Own { child, port })),
            Err(error) => {
                println!("There is no `redis-server` to run ({error}), and no `REDIS_URL`: nothing to show.");
                Ok(None)
            }
        }
    }

    fn run(port: u16) -> anyhow::Result<Child> {
        let mut command = Command::new("redis-server");
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
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if started.elapsed() > Duration::from_secs(5) {
                bail!("it does not answer");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(child)
    }

    fn url(&self) -> String {
        match self {
            Self::Own { port, .. } => format!("redis://127.0.0.1:{port}/"),
            Self::Theirs(url) => url.clone(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Own { child, .. } = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn both() -> anyhow::Result<()> {
    let Some(mut server) = Server::start()? else { return Ok(()) };
    let (mut one, mut two) = (Process::start(&server.url())?, Process::start(&server.url())?);
    println!("A value that one process has fetched is a value of both.");
    one.ask("one", "get books")?;
    two.ask("two", "get books")?;
    two.ask("two", "get books")?;
    if let Server::Own { child, .. } = &mut server {
        child.kill()?;
        child.wait()?;
        std::thread::sleep(Duration::from_millis(200));
        println!("The server is killed: what is in memory stays, and each process fetches for itself.");
        two.ask("two", "get books")?;
        one.ask("one", "get toys")?;
        two.ask("two", "get toys")?;
        one.ask("one", "remove toys")?;
    }
    if let Server::Own { child, port } = &mut server {
        *child = Server::run(*port)?;
        // The processes come back to it within two seconds.
        std::thread::sleep(Duration::from_secs(3));
        println!("The server is back, empty: what is fetched is a value of both again.");
        one.ask("one", "get games")?;
        two.ask("two", "get games")?;
    }
    println!("Process two has the games in memory. A message tells it that they were removed.");
    two.ask("two", "get games")?;
    one.ask("one", "remove games")?;
    std::thread::sleep(Duration::from_millis(100));
    two.ask("two", "get games")?;
    Ok(())
}
