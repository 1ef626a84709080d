//! Time as the cache sees it: nanoseconds of a monotonic clock.
//!
//! With `test-util` it is tokio's clock, which a test can pause and advance. Two runtimes may then read different
//! times, and a time may lie before one that is stored: every difference saturates, so such an age is zero.

use std::time::{Duration, Instant};

use crate::sync::OnceLock;

/// The process's origin of time lies here on our scale, so that a paused clock may read earlier than it.
const ORIGIN: u64 = 1 << 62;

static EPOCH: OnceLock<Instant> = OnceLock::new();

/// A point in time, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Before every other moment.
    pub(crate) const PAST: Self = Self(0);
    /// After every other moment.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn now() -> Self {
        Self::from_instant(instant())
    }

    fn from_instant(now: Instant) -> Self {
        let epoch = *EPOCH.get_or_init(|| now);
        match now.checked_duration_since(epoch) {
            Some(after) => Self(ORIGIN.saturating_add(nanos(after))),
            None => Self(ORIGIN.saturating_sub(nanos(epoch - now))),
        }
    }

    /// Nanoseconds from `earlier` to here; zero where the clock stood still or went back.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `span` nanoseconds later; [`Moment::NEVER`] where that is out of range.
    pub(crate) fn plus(self, span: u64) -> Self {
        Self(self.0.saturating_add(span))
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// A duration in nanoseconds; one past 584 years is as good as endless.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(feature = "test-util")]
fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(not(feature = "test-util"))]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_saturate_where_the_clock_goes_back() {
        let earlier = Moment::from_bits(100);
        let later = Moment::from_bits(130);
        assert_eq!(later.since(earlier), 30);
        assert_eq!(earlier.since(later), 0);
        assert_eq!(later.since(later), 0);
        assert_eq!(later.plus(u64::MAX), Moment::NEVER);
    }

    #[test]
    fn an_instant_before_the_epoch_has_its_place() {
        let now = Instant::now();
        let epoch = Moment::from_instant(now);
        let Some(earlier) = now.checked_sub(Duration::from_millis(5)) else { return };
        assert!(Moment::from_instant(earlier) < epoch);
        assert_eq!(epoch.since(Moment::from_instant(earlier)), 5_000_000);
    }

    #[test]
    fn huge_durations_are_endless() {
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        assert_eq!(nanos(Duration::from_secs(1)), 1_000_000_000);
    }
}
