//! The sandbox: a page of tweets, two web processes and a worker, over one SQLite file or one Redis.
//!
//! `cargo run --example sandbox` starts all of them on this machine and prints the address of the page. It shows which
//! process has answered, from which tier, how old the value is, and what the worker does. Ctrl-C ends it. Without a
//! terminal it drives itself for ten seconds, prints a report, and ends with 1 if something that it promises did not
//! hold. `-- --help` explains the options.

mod client;
mod drive;
mod front;
mod origin;
mod processes;
mod sandbox;
mod tier;
mod timeline;
mod web;
mod worker;

use std::io::IsTerminal;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use crate::client::Client;
use crate::origin::Origin;
use crate::sandbox::{Sandbox, Settings};
use crate::tier::{Place, Wanted};

const HELP: &str = "\
A page of tweets, two web processes and a worker, over one SQLite file.

cargo run --example sandbox                    keeps the page up until Ctrl-C; without a terminal, as with --drive
cargo run --example sandbox -- --drive         drives itself for ten seconds and prints a report
cargo run --example sandbox -- --serve         keeps the page up, also without a terminal
cargo run --example sandbox -- --redis         over a `redis-server` of its own, on a free port
cargo run --example sandbox -- --redis URL     over a Redis that runs already";

/// What the sandbox is to do.
#[derive(Debug, PartialEq)]
struct Task {
    tier: Wanted,
    /// `None`: to serve if there is a terminal, else to drive itself.
    serves: Option<bool>,
}

impl Task {
    /// `None` if help was asked for.
    fn read(arguments: &[&str]) -> anyhow::Result<Option<Self>> {
        let mut task = Self { tier: Wanted::File, serves: None };
        let mut left = arguments.iter().peekable();
        while let Some(argument) = left.next() {
            match *argument {
                "--serve" => task.serves = Some(true),
                "--drive" => task.serves = Some(false),
                "--redis" => {
                    let url = left.next_if(|next| !next.starts_with('-'));
                    task.tier = url.map_or(Wanted::OwnRedis, |url| Wanted::Redis((*url).to_owned()));
                }
                "--help" | "-h" => return Ok(None),
                unknown => bail!("`{unknown}` is not known\n\n{HELP}"),
            }
        }
        Ok(Some(task))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // The roles in which the sandbox starts this program again.
        ["redis", folder] => tier::keep_redis(folder).await.map(|()| ExitCode::SUCCESS),
        [role @ ("web" | "worker"), name, tier, prefix, origin] => {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::WARN)
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal())
                .init();
            tier::configure(tier, prefix)?;
            let origin =
                timeline::Origin { address: origin.parse()?, process: name.into(), client: Client::new() };
            match role {
                "web" => web::run(origin).await?,
                _ => worker::run(origin).await?,
            }
            Ok(ExitCode::SUCCESS)
        }
        ref arguments => match Task::read(arguments)? {
            Some(task) => play(task).await,
            None => {
                println!("{HELP}");
                Ok(ExitCode::SUCCESS)
            }
        },
    }
}

/// Starts everything, serves or drives itself, and ends everything. The code says whether all promises held.
async fn play(task: Task) -> anyhow::Result<ExitCode> {
    let interrupted = interrupted().context("signals cannot be heard")?;
    tokio::pin!(interrupted);
    let folder = tempfile::Builder::new().prefix("cacheback-sandbox-").tempdir()?;
    // Processes that were started are killed if it ends before all of them were.
    let started = tokio::select! {
        started = start(&task, folder.path()) => started,
        () = &mut interrupted => return Ok(ExitCode::SUCCESS),
    };
    let (place, sandbox) = started?;
    let serves = task.serves.unwrap_or_else(|| std::io::stdout().is_terminal());
    let played = tokio::select! {
        played = serve_or_drive(&sandbox, serves) => played,
        () = &mut interrupted => {
            println!("Ended.");
            Ok(ExitCode::SUCCESS)
        }
    };
    let ended = sandbox.end().await;
    let left = place.leave().await;
    let code = played?;
    ended.and(left).map(|()| code)
}

async fn start(task: &Task, folder: &Path) -> anyhow::Result<(Place, Sandbox)> {
    let place = Place::find(&task.tier, folder).await?;
    let origin = Origin::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let settings = Settings {
        origin_address: listener.local_addr()?,
        tier: place.argument.clone(),
        tier_in_words: place.in_words.to_owned(),
        prefix: place.prefix.clone(),
        origin: origin.clone(),
    };
    tokio::spawn(axum::serve(listener, origin.router()).into_future());
    tokio::spawn(origin.go_on());
    Ok((place, Sandbox::start(settings).await?))
}

async fn serve_or_drive(sandbox: &Sandbox, serves: bool) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let front = axum::serve(listener, front::router(sandbox.clone()));
    println!("Two web processes and a worker over {}: http://{address}/", sandbox.tier_in_words());
    if serves {
        println!("Open it in a browser. Ctrl-C ends all of it.");
        front.await?;
        return Ok(ExitCode::SUCCESS);
    }
    tokio::spawn(front.into_future());
    println!(
        "Ten seconds of readers; the worker is killed after five of them, and another one started after seven.\n"
    );
    let report = drive::run(sandbox).await?;
    report.print();
    Ok(if report.held() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Completes with Ctrl-C, or when the sandbox is told to end. It hears them from now on.
#[cfg(unix)]
fn interrupted() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn interrupted() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
}
