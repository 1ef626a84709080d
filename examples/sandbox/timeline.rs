//! The cached function, which is the same in all processes: two of them call it, and the worker runs its body.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cacheback::cacheback;
use serde::{Deserialize, Serialize};

use crate::client::Client;

/// How long a timeline is fresh.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3);

/// The newest tweets of a user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Timeline {
    /// The process that has run the body; empty for the empty value.
    pub(crate) fetched_by: String,
    pub(crate) tweets: Vec<Tweet>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tweet {
    /// A user's tweets are numbered from 1 on.
    pub(crate) number: u64,
    pub(crate) text: String,
}

/// The origin, as a process reaches it.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    /// The name of this process, which the origin notes down.
    pub(crate) process: Arc<str>,
    pub(crate) client: Client,
}

/// The newest tweets of a user. Nobody waits for them: a user whose tweets nobody has asked for yet has an empty
/// timeline at first, and the worker fetches it.
#[cacheback(
    lifetime = LIFETIME,
    retention = "10m",
    refresh_timeout = "3s",
    shared,
    queue = "timelines",
    skip(origin)
)]
pub(crate) async fn timeline(origin: &Origin, user: &str) -> anyhow::Result<Timeline> {
    let path = format!("/tweets/{user}/for/{}", origin.process);
    let tweets = serde_json::from_slice(&origin.client.get(origin.address, &path).await?)?;
    Ok(Timeline { fetched_by: origin.process.to_string(), tweets })
}
