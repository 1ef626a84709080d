//! The connections to a tier, one after the other: when the last one was lost, and who waits for the next.

use std::time::Instant;

use tokio::sync::watch;

use super::Contact;
use crate::base::sync::plain::{Mutex, lock};
use crate::base::tasks::BoxFuture;

/// A tier may have several connections at once, to the masters of a cluster.
pub(super) struct Life {
    /// How many there were, and how many there are.
    connections: watch::Sender<(u64, usize)>,
    /// When the last one was lost.
    lost: Mutex<Option<Instant>>,
}

impl Default for Life {
    fn default() -> Self {
        Self { connections: watch::Sender::new((0, 0)), lost: Mutex::default() }
    }
}

impl Life {
    /// There is another connection.
    pub(super) fn connected(&self) {
        self.connections.send_modify(|(number, present)| {
            *number += 1;
            *present += 1;
        });
    }

    /// One of them was lost.
    pub(super) fn lost(&self) {
        *lock(&self.lost) = Some(Instant::now());
        self.connections.send_modify(|(_, present)| *present = present.saturating_sub(1));
    }

    pub(super) fn contact(&self) -> Contact {
        Contact { number: self.connections.borrow().0, lost: lock(&self.lost).map(|lost| lost.elapsed()) }
    }

    /// Completes when there is another connection than the one of this number, or when the tier is closed.
    pub(super) fn reconnected(&self, since: u64) -> BoxFuture<()> {
        let mut connections = self.connections.subscribe();
        Box::pin(async move {
            let _ = connections.wait_for(|(number, present)| *present > 0 && *number != since).await;
        })
    }
}
