//! How long jobs have waited when they start.

use crate::tier::queue::Line;

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

/// Nobody records anything.
#[cfg(not(feature = "metrics"))]
pub(super) fn starts(_alias: Option<&str>, _line: &Line, _enqueued: Option<u64>) {}
