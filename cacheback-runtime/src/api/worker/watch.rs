//! What a worker publishes of the queues, with the feature `metrics`.

use super::floor::Floor;
use crate::base::sync::Arc;
use crate::base::tasks::Handle;

/// Asks for the state of the queues now and then, and keeps it to be published, as long as the worker takes jobs.
#[cfg(feature = "metrics")]
pub(super) fn begin(worker: &str, floor: &Arc<Floor>, runtime: &Handle) {
    use std::pin::pin;

    use crate::api::metrics::queues::Watcher;
    use crate::api::shared;
    use crate::base::tasks::{first, sleep};

    let (watcher, floor) = (Watcher::new(worker), Arc::clone(floor));
    drop(runtime.spawn(async move {
        while !floor.is_closed() {
            // Without an answer what was seen before still stands: it is told elsewhere that there is none.
            if let Ok(lines) = shared::queues().await {
                watcher.sees(lines);
            }
            let _ = first(pin!(floor.closed()), pin!(sleep(super::desk::BEAT))).await;
        }
    }));
}

/// Nobody publishes anything.
#[cfg(not(feature = "metrics"))]
pub(super) fn begin(_worker: &str, _floor: &Arc<Floor>, _runtime: &Handle) {}
