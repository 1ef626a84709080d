//! What a worker publishes of the queues, with the feature `metrics`.

use super::floor::Floor;
use crate::base::sync::Arc;
use crate::base::tasks::Handle;
use crate::tier::queue::Line;

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

/// A job starts, which was put on the queue at this time.
#[cfg(feature = "metrics")]
pub(super) fn starts(alias: Option<&str>, line: &Line, enqueued: Option<u64>) {
    use std::time::Duration;

    use crate::api::metrics::queues::labels;
    use crate::base::clock::common_millis;
    use crate::base::panics::catch;
    use crate::events::durations::job_starts;

    // That of a process which does not tell it is unknown.
    let Some(enqueued) = enqueued else { return };
    let waited = Duration::from_millis(common_millis().saturating_sub(enqueued));
    // A recorder is user code.
    let _ = catch(|| job_starts(labels(alias, line.queue(), line.function(), line.version()), waited));
}

/// Nobody publishes anything.
#[cfg(not(feature = "metrics"))]
pub(super) fn begin(_worker: &str, _floor: &Arc<Floor>, _runtime: &Handle) {}

/// Nobody records anything.
#[cfg(not(feature = "metrics"))]
pub(super) fn starts(_alias: Option<&str>, _line: &Line, _enqueued: Option<u64>) {}
