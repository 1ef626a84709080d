//! A web service that ends well: requests are drained, then the refreshes behind them, then it exits.
//!
//! `cargo run --example graceful_shutdown` asks the service for a few pages over loopback and ends it, with a SIGINT, in
//! the middle of a slow refresh. With `-- --serve` it stays up: `curl` it, and end it with Ctrl-C or `kill`.

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

/// Both together are less than what an orchestrator leaves between its SIGTERM and its SIGKILL: Kubernetes 30 seconds.
const REQUESTS: Duration = Duration::from_secs(10);
const REFRESHES: Duration = Duration::from_secs(10);

static STARTED: AtomicU64 = AtomicU64::new(0);
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// A page, stale after a second. The first caller waits for it, later ones do not.
#[cacheback(lifetime = "1s", fetch_on_miss)]
async fn page(name: &str) -> String {
    let edition = STARTED.fetch_add(1, Ordering::SeqCst) + 1;
    // The slow query that nobody should cut in two.
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
                "Asks a web service for a few pages, and ends it in the middle of a slow refresh.\nWith `--serve` it stays up, until Ctrl-C."
            );
            return Ok(());
        }
        Some(other) => anyhow::bail!("`{other}` is not known: `--serve`, `--help`, or nothing"),
    };
    // Optional: fewer refreshes at once than the default, before the first use of a cache.
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
        // A client that holds its connection open does not hold up the end.
        _ = async { let _ = ended.wait_for(|ended| *ended).await; sleep(REQUESTS).await } => false,
    };
    println!("requests: {}", if drained { "all answered" } else { "some were given up" });

    // After the requests: until then each of them may start a refresh.
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
            "{}: {} values, {} fetches, {} refused",
            cache.name(),
            cache.len(),
            stats.fetches,
            stats.refused
        );
    }
    if let Some(demo) = demo {
        demo.await??;
        anyhow::ensure!(refreshes.finished == 1 && refreshes.aborted == 0, "one refresh ran");
    }
    let (started, written) = (STARTED.load(Ordering::SeqCst), WRITTEN.load(Ordering::SeqCst));
    println!("{started} queries were started and {written} of them ended");
    Ok(())
}

/// Until SIGINT, which is Ctrl-C, or SIGTERM, which is how an orchestrator says it.
async fn asked_to_end() -> &'static str {
    let interrupt = async {
        signal::ctrl_c().await.expect("the system lets a process listen to its signals");
        "SIGINT"
    };
    #[cfg(unix)]
    let terminate = async {
        let signal = signal::unix::signal(signal::unix::SignalKind::terminate());
        signal.expect("the system lets a process listen to its signals").recv().await;
        "SIGTERM"
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending();
    tokio::select! { signal = interrupt => signal, signal = terminate => signal }
}

/// A few requests, and the end in the middle of a refresh.
async fn demo(address: SocketAddr) -> anyhow::Result<()> {
    ask(address, "the first caller waits").await?;
    ask(address, "from the cache").await?;
    sleep(Duration::from_millis(1_100)).await;
    ask(address, "stale, and a refresh starts").await?;
    interrupt_myself().await
}

async fn ask(address: SocketAddr, what: &str) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(b"GET /pages/home HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut response = String::new();
    timeout(Duration::from_secs(5), connection.read_to_string(&mut response)).await??;
    let (head, body) = response.split_once("\r\n\r\n").context("an HTTP response")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
    println!("  {:>4} ms   {:<24}{what}", started.elapsed().as_millis(), body.trim());
    Ok(())
}

/// As `kill -INT` from a shell.
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
