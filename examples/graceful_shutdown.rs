//! A web service that shuts down gracefully: first the requests finish, then the refreshes, and then the process exits.
//!
//! `cargo run --example graceful_shutdown` requests a few pages over loopback and ends the service with a SIGINT in the
//! middle of a slow refresh. With `-- --serve` the service stays up: `curl` it, and end it with Ctrl-C or `kill`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use cacheback::cacheback;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal;
use tokio::time::{sleep, timeout};

/// Together these are less than the time between an orchestrator's SIGTERM and its SIGKILL, 30 seconds for Kubernetes.
const REQUESTS: Duration = Duration::from_secs(10);
const REFRESHES: Duration = Duration::from_secs(10);

static STARTED: AtomicU64 = AtomicU64::new(0);
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// A page that is stale after a second. The first caller waits for it, and later callers do not.
#[cacheback(lifetime = "1s", fetch_on_miss)]
async fn page(name: &str) -> String {
    let edition = STARTED.fetch_add(1, Ordering::SeqCst) + 1;
    // In place of a slow query that a shutdown should not interrupt.
    sleep(Duration::from_millis(600)).await;
    WRITTEN.fetch_add(1, Ordering::SeqCst);
    format!("{name}, edition {edition}\n")
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let serve = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--serve") => true,
        Some("--help" | "-h") => {
            println!(
                "Requests a few pages from a web service, and ends it in the middle of a slow refresh.\nWith `--serve` it stays up until Ctrl-C."
            );
            return Ok(());
        }
        Some(other) => anyhow::bail!("unknown argument `{other}`: write `--serve`, `--help`, or nothing"),
    };
    // Optional: fewer refreshes at once than the default. Call it before the first use of a cache.
    cacheback::configure().max_refreshes(8).apply()?;

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    println!("serving http://{address}/pages/home, process {}", std::process::id());
    let demo = (!serve).then(|| tokio::spawn(demo(address)));

    let pages = Router::new().route("/pages/{name}", get(async |Path(name): Path<String>| page(&name).await));
    let (ending, mut ended) = tokio::sync::watch::channel(false);
    let server = axum::serve(listener, pages).with_graceful_shutdown(async move {
        println!("{}: no new requests", asked_to_end().await);
        ending.send_replace(true);
    });
    let drained = tokio::select! {
        served = server => served.map(|()| true)?,
        // A client that keeps its connection open does not delay the exit.
        _ = async { let _ = ended.wait_for(|ended| *ended).await; sleep(REQUESTS).await } => false,
    };
    println!("requests: {}", if drained { "all answered" } else { "some abandoned" });

    // Only after the requests, because each request may start a refresh.
    let started = Instant::now();
    let refreshes = cacheback::shutdown(REFRESHES).await;
    println!(
        "refreshes: {} finished, {} aborted, in {} ms",
        refreshes.finished,
        refreshes.aborted,
        started.elapsed().as_millis()
    );
    for cache in cacheback::caches() {
        let stats = cache.stats();
        println!(
            "{}: {} cached, {} fetches, {} refused",
            cache.name(),
            cache.len(),
            stats.fetches,
            stats.refused
        );
    }
    if let Some(demo) = demo {
        demo.await??;
        anyhow::ensure!(refreshes.finished == 1 && refreshes.aborted == 0, "one refresh was running");
    }
    let (started, written) = (STARTED.load(Ordering::SeqCst), WRITTEN.load(Ordering::SeqCst));
    println!("{started} queries were started, and {written} of them finished");
    Ok(())
}

/// Waits for SIGINT, which is Ctrl-C, or for SIGTERM, which an orchestrator sends, and returns its name.
async fn asked_to_end() -> &'static str {
    let interrupt = async {
        signal::ctrl_c().await.expect("a process may listen to its signals");
        "SIGINT"
    };
    #[cfg(unix)]
    let terminate = async {
        let signal = signal::unix::signal(signal::unix::SignalKind::terminate());
        signal.expect("a process may listen to its signals").recv().await;
        "SIGTERM"
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending();
    tokio::select! { signal = interrupt => signal, signal = terminate => signal }
}

/// A few requests, and then a signal in the middle of a refresh.
async fn demo(address: SocketAddr) -> anyhow::Result<()> {
    ask(address, "the first caller waits").await?;
    ask(address, "from the cache").await?;
    sleep(Duration::from_millis(1_100)).await;
    ask(address, "stale, and a refresh starts").await?;
    interrupt_myself().await
}

async fn ask(address: SocketAddr, remark: &str) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(b"GET /pages/home HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut response = String::new();
    timeout(Duration::from_secs(5), connection.read_to_string(&mut response)).await??;
    let (head, body) = response.split_once("\r\n\r\n").context("an HTTP response")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
    println!("  {:>4} ms   {:<24}{remark}", started.elapsed().as_millis(), body.trim());
    Ok(())
}

/// Sends this process a SIGINT, as `kill -INT` does from a shell.
#[cfg(unix)]
async fn interrupt_myself() -> anyhow::Result<()> {
    let kill = format!("kill -INT {}", std::process::id());
    let status = tokio::process::Command::new("sh").args(["-c", &kill]).status().await?;
    anyhow::ensure!(status.success(), "`{kill}` failed");
    Ok(())
}

#[cfg(not(unix))]
async fn interrupt_myself() -> anyhow::Result<()> {
    println!("press Ctrl-C");
    Ok(())
}
