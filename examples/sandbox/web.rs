//! A web process: it answers from its cache, and tells with each answer where it came from.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cacheback::{Lookup, Source, Stats, Status};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::processes;
use crate::timeline::{Origin, Timeline, timeline};

/// An answer, and how it came about.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) process: String,
    pub(crate) status: Status,
    pub(crate) source: Source,
    /// `None` for the empty timeline.
    pub(crate) age_ms: Option<u64>,
    pub(crate) took_us: u64,
    pub(crate) timeline: Timeline,
}

/// What a health page would be told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) answers: Answers,
    /// What the library has counted.
    pub(crate) stats: Stats,
    /// Whether the second tier answers.
    pub(crate) connected: bool,
    /// How many operations of the second tier had no answer, or none in time.
    pub(crate) unanswered: u64,
    /// `None` if it gives no answer, or has no line for timelines yet.
    pub(crate) queue: Option<Queue>,
}

/// The answers so far, as they were counted here: by where they came from, and how many of those were stale.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Answers {
    pub(crate) memory: u64,
    pub(crate) shared: u64,
    pub(crate) body: u64,
    pub(crate) empty: u64,
    pub(crate) stale: u64,
    pub(crate) failed: u64,
    pub(crate) slowest_us: u64,
}

/// The queue of timelines.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Queue {
    pub(crate) length: u64,
    pub(crate) under_way: u64,
    pub(crate) oldest_ms: Option<u64>,
    pub(crate) workers: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) dropped: u64,
}

#[derive(Clone)]
struct Web {
    origin: Origin,
    answers: Arc<Mutex<Answers>>,
}

/// Serves until the sandbox ends. The first line that it prints is its address.
pub(crate) async fn run(origin: Origin) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address: SocketAddr = listener.local_addr()?;
    println!("{address}");
    let router = Router::new()
        .route("/timelines/{user}", get(read))
        .route("/timelines/{user}/{change}", post(change))
        .route("/health", get(health))
        .with_state(Web { origin, answers: Arc::default() });
    axum::serve(listener, router).with_graceful_shutdown(processes::sandbox_ends()).await?;
    cacheback::shutdown(Duration::from_secs(2)).await;
    Ok(())
}

async fn read(State(web): State<Web>, Path(user): Path<String>) -> Result<Json<Answer>, Failed> {
    let called = Instant::now();
    let lookup = timeline::entry(&web.origin, &user).lookup().await;
    let took = called.elapsed();
    web.answers.lock().unwrap_or_else(PoisonError::into_inner).count(&lookup, took);
    let Lookup { value, status, age, source, .. } = lookup;
    Ok(Json(Answer {
        process: web.origin.process.to_string(),
        status,
        source,
        age_ms: age.map(millis),
        took_us: micros(took),
        timeline: value.map_err(failed)?,
    }))
}

async fn change(
    State(web): State<Web>,
    Path((user, change)): Path<(String, String)>,
) -> Result<StatusCode, Failed> {
    let entry = timeline::entry(&web.origin, &user);
    match &*change {
        "invalidate" => entry.invalidate().await.map_err(failed)?,
        "remove" => entry.remove().await.map_err(failed)?,
        "refresh" => drop(entry.refresh().await.map_err(failed)?),
        _ => return Ok(StatusCode::NOT_FOUND),
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn health(State(web): State<Web>) -> Json<Health> {
    let queues = cacheback::shared::queues().await.unwrap_or_default();
    let tiers = cacheback::shared::status();
    Json(Health {
        answers: *web.answers.lock().unwrap_or_else(PoisonError::into_inner),
        stats: timeline::cache().stats(),
        connected: tiers.iter().all(|tier| tier.connected),
        unanswered: tiers.iter().map(|tier| tier.errors + tier.timeouts).sum(),
        queue: queues.into_iter().find(|queue| queue.queue == "timelines").map(|queue| Queue {
            length: queue.length,
            under_way: queue.under_way,
            oldest_ms: queue.oldest.map(millis),
            workers: queue.workers,
            done: queue.done,
            failed: queue.failed,
            dropped: queue.dropped,
        }),
    })
}

impl Answers {
    fn count(&mut self, lookup: &Lookup<anyhow::Result<Timeline>>, took: Duration) {
        let counter = match lookup.source {
            _ if lookup.value.is_err() => &mut self.failed,
            Source::Local => &mut self.memory,
            Source::Shared => &mut self.shared,
            Source::Fetched => &mut self.body,
            _ => &mut self.empty,
        };
        *counter += 1;
        self.stale += u64::from(lookup.status == Status::Stale);
        self.slowest_us = self.slowest_us.max(micros(took));
    }

    pub(crate) fn calls(&self) -> u64 {
        self.memory + self.shared + self.body + self.empty + self.failed
    }

    /// Those since an earlier moment. The slowest of them is not known.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            memory: self.memory - earlier.memory,
            shared: self.shared - earlier.shared,
            body: self.body - earlier.body,
            empty: self.empty - earlier.empty,
            stale: self.stale - earlier.stale,
            failed: self.failed - earlier.failed,
            slowest_us: self.slowest_us,
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            memory: self.memory + other.memory,
            shared: self.shared + other.shared,
            body: self.body + other.body,
            empty: self.empty + other.empty,
            stale: self.stale + other.stale,
            failed: self.failed + other.failed,
            slowest_us: self.slowest_us.max(other.slowest_us),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

type Failed = (StatusCode, String);

fn failed(error: impl std::fmt::Display) -> Failed {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}
