//! How long fetches take, and how long jobs wait, for the recorder of the `metrics` crate.

use std::time::Duration;

#[cfg(feature = "worker")]
use ::metrics::Label;
use ::metrics::histogram;

pub(crate) const NAME: &str = "cacheback_fetch_duration_seconds";

/// A fetch that has ended.
pub(crate) struct FetchEnd {
    pub(crate) cache: &'static str,
    pub(crate) outcome: &'static str,
    /// `None` if its body never ran.
    pub(crate) took: Option<Duration>,
}

impl FetchEnd {
    pub(crate) fn record(self) {
        if let Some(took) = self.took {
            histogram!(NAME, "cache" => self.cache, "outcome" => self.outcome).record(took);
        }
    }
}

#[cfg(feature = "worker")]
pub(crate) const WAIT: &str = "cacheback_queue_wait_seconds";

/// A job starts, `waited` after it was put on the queue of these labels.
#[cfg(feature = "worker")]
pub(crate) fn job_starts(labels: Vec<Label>, waited: Duration) {
    histogram!(WAIT, labels).record(waited);
}
