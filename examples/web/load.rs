//! The load: readers with one connection each, who request one page after another.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use axum::body::{Body, to_bytes};
use axum::http::header::HOST;
use axum::http::{Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

use crate::report::grouped;

/// How many readers run at once.
pub(crate) const READERS: usize = 64;
/// How many different pages are read.
pub(crate) const PAGES: usize = 50;
/// The maximum size of a page, in bytes.
const LONGEST: usize = 64 * 1024;

/// The results of a load.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) time: Duration,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    /// How long each request took, in ascending order.
    took: Vec<Duration>,
}

impl Load {
    pub(crate) fn per_second(&self) -> u64 {
        (self.took.len() as f64 / self.time.as_secs_f64()) as u64
    }

    /// The time within which this share of the requests was answered.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let last = self.took.len().saturating_sub(1);
        self.took.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }
}

/// Reads the pages below `path` for the given time, and prints the number of responses in each second.
pub(crate) async fn run(server: SocketAddr, path: &'static str, time: Duration) -> anyhow::Result<Load> {
    print!("  {path}: requests in each second");
    let done = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut readers = JoinSet::new();
    for number in 0..READERS {
        readers.spawn(read(server, path, number, started + time, Arc::clone(&done)));
    }
    let second = Duration::from_secs(1);
    let mut seconds = interval_at((started + second).into(), second);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut load, mut printed) = (Load::default(), 0);
    loop {
        tokio::select! {
            _ = seconds.tick() => {
                let done = done.load(Ordering::Relaxed);
                print!(" {}", grouped(done - printed));
                printed = done;
                std::io::stdout().flush()?;
            }
            reader = readers.join_next() => {
                let Some(reader) = reader else { break };
                let reader = reader??;
                load.answered += reader.answered;
                load.failed += reader.failed;
                load.took.extend(reader.took);
            }
        }
    }
    println!();
    load.time = started.elapsed();
    load.took.sort_unstable();
    Ok(load)
}

async fn read(
    server: SocketAddr,
    path: &str,
    number: usize,
    until: Instant,
    done: Arc<AtomicU64>,
) -> anyhow::Result<Load> {
    let stream = TcpStream::connect(server).await?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The task ends when `requests` is dropped. If it fails, the requests fail too.
    tokio::spawn(connection);
    let mut load = Load::default();
    let mut user = number;
    while Instant::now() < until {
        user = (user + 7) % PAGES;
        let request =
            Request::get(format!("{path}/user{user}")).header(HOST, server.to_string()).body(Body::empty())?;
        let started = Instant::now();
        requests.ready().await?;
        let answer = requests.send_request(request).await?;
        let status = answer.status();
        let page = to_bytes(Body::new(answer.into_body()), LONGEST).await?;
        load.took.push(started.elapsed());
        ensure!(!page.is_empty(), "an empty page");
        match status {
            StatusCode::OK => load.answered += 1,
            StatusCode::SERVICE_UNAVAILABLE => load.failed += 1,
            other => bail!("{path}/user{user} was answered with {other}"),
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(load)
}
