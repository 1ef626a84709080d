//! A web service over SQLite whose pages are read with and without `#[cacheback]`.
//!
//! `cargo run --release --example web` starts the service on a free port, reads its pages both ways over 64
//! connections, closes the database and reads them again. SQLite counts the queries. With `-- --serve` the service
//! stays up: open the printed address in a browser. `-- --help` explains these commands. `cargo test --example web`
//! tests the handlers on tokio's paused clock.

mod database;
mod load;
mod pages;
mod report;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use tokio::net::TcpListener;

use crate::database::{Database, Size};

const SIZE: Size = Size { users: 500, followed: 60, tweets: 100 };

const HELP: &str = "\
A web service over SQLite whose pages are read with and without #[cacheback].

cargo run --release --example web               reads them both ways under load, for some twelve seconds
cargo run --release --example web -- --serve    keeps the service up on a free port until Ctrl-C";

/// A command line.
#[derive(Debug, PartialEq)]
enum Command {
    Load,
    Serve,
    Help,
}

impl Command {
    fn read(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let arguments: Vec<_> = arguments.collect();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(Self::Load),
            ["--serve"] => Ok(Self::Serve),
            ["--help" | "-h"] => Ok(Self::Help),
            _ => bail!("`{}` is not known\n\n{HELP}", arguments.join(" ")),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = Command::read(std::env::args().skip(1))?;
    if command == Command::Help {
        println!("{HELP}");
        return Ok(());
    }

    let directory = tempfile::tempdir()?;
    let started = Instant::now();
    let db = Database::create(&directory.path().join("tweets.sqlite"), SIZE).await?;
    let Size { users, followed, tweets } = SIZE;
    println!(
        "A SQLite file of {users} users, who follow {followed} others each, and {} tweets, made in {:.1} s.",
        report::grouped(u64::from(users * tweets)),
        started.elapsed().as_secs_f64(),
    );

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let server = axum::serve(listener, pages::router(db.clone()));
    if command == Command::Serve {
        println!("Open http://{address}/ in a browser, until Ctrl-C. Or:");
        println!("curl -i http://{address}/fast/user1");
        println!("curl -i http://{address}/tweets/user1 -d 'Hello'");
        let stop = async { tokio::signal::ctrl_c().await.unwrap_or_else(|error| eprintln!("{error}")) };
        server.with_graceful_shutdown(stop).await?;
        return Ok(());
    }
    tokio::spawn(server.into_future());
    under_load(address, &db).await?;
    without_database(address, &db).await
}

async fn under_load(address: SocketAddr, db: &Database) -> anyhow::Result<()> {
    println!("\n{} readers of {} pages, client and server in this process:", load::READERS, load::PAGES);
    let time = Duration::from_secs(4);
    let slow = load::run(address, "/slow", time).await?;
    let slow_queries = db.queries();
    let fast = load::run(address, "/fast", time).await?;
    let fast_queries = db.queries() - slow_queries;
    report::under_load([("/slow", &slow, slow_queries), ("/fast", &fast, fast_queries)]);
    ensure!(slow.failed + fast.failed == 0, "requests failed while the database was there");
    Ok(())
}

async fn without_database(address: SocketAddr, db: &Database) -> anyhow::Result<()> {
    // A refresh that ends after the database is closed would leave a fresh page for a while.
    cacheback::settle().await;
    db.close();
    println!("\nThe database is closed, and every query fails:");
    let time = Duration::from_secs(2);
    let slow = load::run(address, "/slow", time).await?;
    let slow_asked = db.refused();
    let stale = pages::timeline::cache().stats().stale;
    let fast = load::run(address, "/fast", time).await?;
    let fast_asked = db.refused() - slow_asked;
    let stale = pages::timeline::cache().stats().stale - stale;
    report::without_database([("/slow", &slow, slow_asked), ("/fast", &fast, fast_asked)]);
    println!("\n`/fast` answered {} times with a stale page.", report::grouped(stale));
    ensure!(
        slow.answered == 0 && fast.failed == 0,
        "without the database `/slow` always fails, and `/fast` never does"
    );
    Ok(())
}
