//! Requests between the processes of the sandbox.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::bail;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// An answer that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// The maximum size of an answer, in bytes.
const LONGEST: usize = 1 << 20;

/// A client with a pool of connections. Clones share it.
#[derive(Clone)]
pub(crate) struct Client(legacy::Client<HttpConnector, Body>);

impl Client {
    pub(crate) fn new() -> Self {
        Self(legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    pub(crate) async fn get(&self, server: SocketAddr, path: &str) -> anyhow::Result<Bytes> {
        self.send(Method::GET, server, path).await
    }

    pub(crate) async fn post(&self, server: SocketAddr, path: &str) -> anyhow::Result<Bytes> {
        self.send(Method::POST, server, path).await
    }

    async fn send(&self, method: Method, server: SocketAddr, path: &str) -> anyhow::Result<Bytes> {
        let request =
            Request::builder().method(method).uri(format!("http://{server}{path}")).body(Body::empty())?;
        timeout(PATIENCE, async {
            let answer = self.0.request(request).await?;
            let status = answer.status();
            let bytes = to_bytes(Body::new(answer.into_body()), LONGEST).await?;
            if !status.is_success() {
                bail!("{path} was answered with {status}: {}", String::from_utf8_lossy(&bytes).trim_end());
            }
            Ok(bytes)
        })
        .await?
    }
}
