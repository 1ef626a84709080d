//! A web service with a metrics page for Prometheus, which includes the metrics of its caches.
//!
//! `cargo run --example metrics --features metrics` starts the service on a free port, reads its page `/metrics`, puts
//! some load on it, reads the page again and exits. With `-- --serve` it stays up, for a browser or a scraper.

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

/// The price of an article, from a slow shop that does not have all articles.
#[cacheback(lifetime = "1s", fetch_on_miss, name = "price")]
async fn price(article: u32) -> Result<u32, String> {
    tokio::time::sleep(Duration::from_millis(u64::from(20 * (1 + article % 5)))).await;
    if article > 100 { Err("no such article".to_owned()) } else { Ok(100 + article) }
}

/// Today's offer. Nobody waits for it: until it is there, the page has none.
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
                "Shows the Prometheus page of a web service, before and after some load.\nWith `--serve` it stays up until Ctrl-C."
            );
            return Ok(());
        }
        Some(other) => anyhow::bail!("unknown argument `{other}`: write `--serve`, `--help`, or nothing"),
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
    println!("http://{address}/metrics, before the first request:\n");
    read("/metrics", address).await?.show();

    println!("\nSome load: each of 40 clients requests ten prices, one that does not exist, and the offer.");
    load(address).await?;
    // After this the prices are stale. They are still served while they are refreshed.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    load(address).await?;
    println!("\nhttp://{address}/metrics, after that:\n");
    read("/metrics", address).await?.show();

    if serve {
        println!("\nThe service stays up until Ctrl-C. Try http://{address}/price/7.");
        server.await??;
    }
    Ok(())
}

/// The page that Prometheus reads. The caches keep their own counters and publish them when the page is read.
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

/// The body of a response.
struct Answer(String);

impl Answer {
    /// Prints the metrics of caches, without comments, buckets and zeros.
    fn show(&self) {
        let of_caches = self.0.lines().filter(|line| line.starts_with("cacheback_"));
        let mut lines: Vec<_> =
            of_caches.filter(|line| !line.contains("_bucket") && !line.ends_with(" 0")).collect();
        lines.sort_unstable();
        if lines.is_empty() {
            println!("  (all metrics of caches are zero)");
        }
        for line in lines {
            println!("  {line}");
        }
    }
}

/// A minimal client: sends a request and reads until the connection is closed.
async fn read(path: &str, address: SocketAddr) -> anyhow::Result<Answer> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").context("the response has no body")?;
    Ok(Answer(body.to_owned()))
}
