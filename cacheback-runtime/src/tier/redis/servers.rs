//! The servers of a tier: one, or the masters of a cluster.

use std::time::Duration;

use redis::Value;

use super::cluster::{Cluster, Slot};
use super::link::{Common, Counted, Fault, Link, Operation};
use super::names::Prefix;
use super::writes::Turn;
use crate::base::sync::Arc;
use crate::tier::status::TierStatus;
use crate::tier::{Down, Reply};

pub(super) enum Servers {
    One(Arc<Link>),
    Cluster(Arc<Cluster>),
}

impl Servers {
    pub(super) fn is_up(&self) -> bool {
        match self {
            Self::One(link) => link.is_up(),
            Self::Cluster(cluster) => cluster.is_up(),
        }
    }

    pub(super) fn status(&self, common: &Common) -> TierStatus {
        let (connected, since, servers) = match self {
            Self::One(link) => {
                let status = link.status();
                (status.connected, status.since, vec![status])
            }
            Self::Cluster(cluster) => cluster.status(),
        };
        common.meter.status(connected, since, servers, common.now())
    }

    /// The links to all servers, whether or not they are up.
    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        match self {
            Self::One(link) => vec![Arc::clone(link)],
            Self::Cluster(cluster) => cluster.links(),
        }
    }

    /// Those that are connected.
    pub(super) fn connected(&self) -> Vec<Arc<Link>> {
        let mut links = self.links();
        links.retain(|link| link.connection().is_some());
        links
    }

    /// Sends an operation on this key now. It is sent even if the answer is not waited for. `turn`: it is a write.
    pub(super) fn send(&self, key: &str, operation: impl Operation, turn: Option<Turn>) -> Reply<Value> {
        match self {
            Self::One(link) => {
                let sent = link.send(operation, Counted::Operation);
                Box::pin(async move { sent.await.map_err(down) })
            }
            Self::Cluster(cluster) => cluster.send(Slot::of(key), operation, turn),
        }
    }

    /// Corrects the clock of the server that has this key, and has just said that it is `now`.
    pub(super) fn correct_clock(&self, key: &str, now: i64) {
        match self {
            Self::One(link) => link.correct_clock(now),
            Self::Cluster(cluster) => {
                if let Some(owner) = cluster.owner(Slot::of(key)) {
                    owner.correct_clock(now);
                }
            }
        }
    }

    /// How long ago the server of a key has made a change of this number.
    pub(super) fn age_of(&self, number: u64, key: impl FnOnce() -> String) -> Option<Duration> {
        match self {
            Self::One(link) => link.age_of(number),
            Self::Cluster(cluster) => cluster.owner(Slot::of(&key()))?.age_of(number),
        }
    }

    /// The connection to the server of a key, by its number.
    pub(super) fn connection(&self, key: impl FnOnce() -> String) -> Option<u64> {
        match self {
            Self::One(link) => link.connection(),
            Self::Cluster(cluster) => cluster.owner(Slot::of(&key()))?.connection(),
        }
    }

    /// Completes when as many replicas as are wanted have all that the server of a key has answered on this connection.
    pub(super) fn replicated(&self, key: &str, connection: Option<u64>, prefix: &Prefix) -> Reply<()> {
        let link = match self {
            // One mark is enough for all keys.
            Self::One(link) => Some((Arc::clone(link), prefix.mark(""))),
            Self::Cluster(cluster) => cluster.owner(Slot::of(key)).map(|owner| (owner, prefix.mark(key))),
        };
        match (link, connection) {
            (Some((link, mark)), Some(connection)) => link.replicated(connection, mark),
            _ => Box::pin(std::future::ready(Err(Down::Disconnected))),
        }
    }

    /// How often slots have gone over to another server.
    pub(super) fn moves(&self) -> u64 {
        match self {
            Self::One(_) => 0,
            Self::Cluster(cluster) => cluster.moves(),
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

/// What a fault of a link is for a tier.
pub(super) fn down(fault: Fault) -> Down {
    match fault {
        Fault::Down(down) => down,
        // Nothing has happened there.
        Fault::Away(_) => Down::Disconnected,
    }
}
