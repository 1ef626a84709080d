//! Time as the cache sees it: nanoseconds of a monotonic clock.
//!
//! A hit reads the kernel's coarse clock, which costs a quarter of the exact one and is behind it by up to one tick of
//! the kernel (1 to 10 ms): [`Moment::recent`]. Where there is none, the two are one.
//!
//! With `test-util` it is tokio's clock, which a test can pause and advance. Two runtimes may then read different
//! times, and a time may lie before one that is stored: every difference saturates, so such an age is zero.

use std::time::Duration;

/// A point in time, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Before every other moment.
    pub(crate) const PAST: Self = Self(0);
    /// After every other moment.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn now() -> Self {
        source::now()
    }

    /// Now, or up to a tick of the kernel before: never later, and never earlier than another thread has read it.
    #[inline]
    pub(crate) fn recent() -> Self {
        source::recent()
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

#[cfg(all(test, cacheback_shuttle))]
use crate::interleavings::clock as source;

// Elsewhere `timespec` may have fields of its own: on some systems of 32 bits.
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    not(feature = "test-util"),
    not(all(test, cacheback_shuttle))
))]
mod source {
    use super::Moment;

    pub(super) fn now() -> Moment {
        read(libc::CLOCK_MONOTONIC)
    }

    #[inline]
    pub(super) fn recent() -> Moment {
        read(libc::CLOCK_MONOTONIC_COARSE)
    }

    // No safe way to the coarse clock: std has none, and rustix reads it in a way that valgrind cannot follow.
    #[allow(unsafe_code)]
    #[inline]
    fn read(clock: libc::clockid_t) -> Moment {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is a valid `timespec` to write to.
        let failed = unsafe { libc::clock_gettime(clock, &raw mut now) } != 0;
        // A system that forbids the coarse clock: time must not stand still. The other one is always there.
        if failed && clock != libc::CLOCK_MONOTONIC {
            return self::now();
        }
        Moment(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
    }
}

#[cfg(all(
    not(all(target_os = "linux", target_pointer_width = "64", not(feature = "test-util"))),
    not(all(test, cacheback_shuttle))
))]
mod source {
    use std::time::Instant;

    use super::{Moment, nanos};
    use crate::sync::OnceLock;

    /// The process's origin of time lies here on our scale, so that a paused clock may read earlier than it.
    const ORIGIN: u64 = 1 << 62;

    static EPOCH: OnceLock<Instant> = OnceLock::new();

    pub(super) fn now() -> Moment {
        of(instant())
    }

    #[inline]
    pub(super) fn recent() -> Moment {
        now()
    }

    pub(super) fn of(now: Instant) -> Moment {
        let epoch = *EPOCH.get_or_init(|| now);
        match now.checked_duration_since(epoch) {
            Some(after) => Moment(ORIGIN.saturating_add(nanos(after))),
            None => Moment(ORIGIN.saturating_sub(nanos(epoch - now))),
        }
    }

    #[cfg(feature = "test-util")]
    fn instant() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[cfg(not(feature = "test-util"))]
    fn instant() -> Instant {
        Instant::now()
    }
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

    #[cfg(feature = "test-util")]
    #[test]
    fn an_instant_before_the_epoch_has_its_place() {
        let now = std::time::Instant::now();
        let epoch = source::of(now);
        let Some(earlier) = now.checked_sub(Duration::from_millis(5)) else { return };
        assert!(source::of(earlier) < epoch);
        assert_eq!(epoch.since(source::of(earlier)), 5_000_000);
    }

    /// What was cut off at the recent time is past at every later reading of either clock.
    #[test]
    fn the_recent_time_is_never_ahead_and_never_goes_back() {
        let mut before = Moment::PAST;
        for _ in 0..100_000 {
            let recent = Moment::recent();
            assert!(before <= recent && recent <= Moment::now());
            before = recent;
        }
    }

    #[test]
    fn huge_durations_are_endless() {
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        assert_eq!(nanos(Duration::from_secs(1)), 1_000_000_000);
    }
}
