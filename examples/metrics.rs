//! A web service with a page of its numbers for Prometheus, those of its caches among them.
//!
//! `cargo run --example metrics --features metrics` starts it on a free port, reads its own page `/metrics`, puts some
//! load on it, reads the page again and ends. With `-- --serve` it stays, to be looked at with a browser or scraped.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Router, routing::get};
use cacheback::cacheback;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The price of an article, as a slow shop tells it. It does not know all of them.
#[cacheback(lifetime = "1s", fetch_on_miss, name = "price")]
async fn price(article: u32) -> Result<u32, String> {
    tokio::time::sleep(Duration::from_millis(u64::from(20 * (1 + article % 5)))).await;
    if article > 100 { Err("no such article".to_owned()) } else { Ok(100 + article) }
}

/// Today's offer. Nobody waits for it: the page is shown without one.
#[cacheback(lifetime = "1m", name = "offer")]
async fn offer() -> Option<u32> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    Some(7)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let serve = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--serve") => true,
        Some("--help" | "-h") => {
            println!(
                "Shows the page for Prometheus of a web service, before and after some load.\nWith `--serve` it stays up, until Ctrl-C."
            );
            return Ok(());
        }
        Some(other) => anyhow::bail!("`{other}` is not known: `--serve`, `--help`, or nothing"),
    };
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full("cacheback_fetch_duration_seconds".to_owned()),
            &[0.03, 0.1, 0.3, 1.0],
        )?
        .install_recorder()?;
    let service = Router::new()
        .route("/metrics", get(page))
        .route("/price/{article}", get(shown_price))
        .route("/offer", get(shown_offer))
        .with_state(prometheus);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    println!("http://{address}/metrics, before anything is asked of the service:\n");
    read("/metrics", address).await?.show();

    println!(
        "\nSome load: 40 clients, each of which asks for ten prices, one that does not exist, and the offer."
    );
    load(address).await?;
    // The prices are stale by then, and served all the same while they are refreshed.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    load(address).await?;
    println!("\nhttp://{address}/metrics, after that:\n");
    read("/metrics", address).await?.show();

    if serve {
        println!("\nIt goes on until it is interrupted. A price is at http://{address}/price/7.");
        server.await??;
    }
    Ok(())
}

/// The page that Prometheus reads. The caches count for themselves, and publish it when somebody looks.
async fn page(State(prometheus): State<PrometheusHandle>) -> String {
    cacheback::metrics::record();
    prometheus.render()
}

async fn shown_price(Path(article): Path<u32>) -> (StatusCode, String) {
    match price(article).await {
        Ok(price) => (StatusCode::OK, price.to_string()),
        Err(error) => (StatusCode::NOT_FOUND, error),
    }
}

async fn shown_offer() -> String {
    offer().await.map_or_else(|| "no offer yet".to_owned(), |article| article.to_string())
}

async fn load(address: SocketAddr) -> anyhow::Result<()> {
    let mut clients = JoinSet::new();
    for _ in 0..40 {
        clients.spawn(async move {
            for article in (1..=10).chain([404]) {
                read(&format!("/price/{article}"), address).await?;
            }
            read("/offer", address).await
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

/// What the service answers.
struct Answer(String);

impl Answer {
    /// Prints what it says of caches, without the longer half: comments, buckets, and what is zero.
    fn show(&self) {
        let of_caches = self.0.lines().filter(|line| line.starts_with("cacheback_"));
        let mut lines: Vec<_> =
            of_caches.filter(|line| !line.contains("_bucket") && !line.ends_with(" 0")).collect();
        lines.sort_unstable();
        if lines.is_empty() {
            println!("  (nothing of a cache but zeros)");
        }
        for line in lines {
            println!("  {line}");
        }
    }
}

/// A client of the service, in one breath: sends a request, reads until the connection is closed.
async fn read(path: &str, address: SocketAddr) -> anyhow::Result<Answer> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").context("the service sent no page")?;
    Ok(Answer(body.to_owned()))
}
