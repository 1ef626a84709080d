//! How long fetches take, for the recorder of the `metrics` crate.

use std::time::Duration;

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
