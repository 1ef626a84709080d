//! The connections to a tier, one after the other: when each was lost, and who waits for the next.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::base::tasks::BoxFuture;

/// The loss of so many connections is remembered.
const REMEMBERED: usize = 64;

/// A tier may have several connections at once, to the masters of a cluster.
pub(super) struct Life(watch::Sender<Connections>);

#[derive(Default)]
struct Connections {
    /// The number of the last one.
    last: u64,
    present: Vec<u64>,
    /// The last that were lost, and when.
    lost: VecDeque<(u64, Instant)>,
}

impl Default for Life {
    fn default() -> Self {
        Self(watch::Sender::new(Connections::default()))
    }
}

impl Life {
    /// There is another connection. Returns its number, which is higher than those of all before.
    pub(super) fn connected(&self) -> u64 {
        let mut number = 0;
        self.0.send_modify(|connections| {
            connections.last += 1;
            number = connections.last;
            connections.present.push(number);
        });
        number
    }

    /// The connection of this number was lost.
    pub(super) fn lost(&self, number: u64) {
        self.0.send_modify(|connections| {
            connections.present.retain(|present| *present != number);
            connections.lost.push_back((number, Instant::now()));
            if connections.lost.len() > REMEMBERED {
                connections.lost.pop_front();
            }
        });
    }

    /// The number of the last connection, and 0 if there was none.
    pub(super) fn contact(&self) -> u64 {
        self.0.borrow().last
    }

    /// How long ago a connection was lost. `None`: it is there, or there was none of this number yet. A loss that is too far
    /// back counts as one of now.
    pub(super) fn lost_for(&self, number: u64) -> Option<Duration> {
        let connections = self.0.borrow();
        if number == 0 || number > connections.last || connections.present.contains(&number) {
            return None;
        }
        let loss = connections.lost.iter().find(|(lost, _)| *lost == number);
        Some(loss.map_or(Duration::ZERO, |(_, at)| at.elapsed()))
    }

    /// Completes when there is another connection than the one of this number, or when the tier is closed.
    pub(super) fn reconnected(&self, since: u64) -> BoxFuture<()> {
        let mut connections = self.0.subscribe();
        Box::pin(async move {
            let is_another =
                |connections: &Connections| !connections.present.is_empty() && connections.last != since;
            let _ = connections.wait_for(is_another).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_is_lost_by_its_number() {
        let life = Life::default();
        assert_eq!((life.contact(), life.lost_for(0), life.lost_for(1)), (0, None, None));
        let (first, second) = (life.connected(), life.connected());
        assert_eq!((first, second, life.contact()), (1, 2, 2));
        life.lost(first);
        assert!(life.lost_for(first).is_some() && life.lost_for(second).is_none());
        for _ in 0..REMEMBERED {
            let number = life.connected();
            life.lost(number);
        }
        assert_eq!(life.lost_for(first), Some(Duration::ZERO), "it is forgotten, and was lost all the same");
        assert_eq!(life.lost_for(second), None);
        assert!(life.lost_for(life.contact()).is_some_and(|lost| lost < Duration::from_secs(60)));
    }
}
