//! Back-off: how long a key is left alone after failed fetches.

use std::time::Duration;

use crate::base::clock::{Moment, nanos};
use crate::rules::policy::Policy;

/// How long a key is left alone if its value is not to be stored, in nanoseconds.
const UNSTORED: u64 = 1_000_000_000;

/// The back-off of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// Until this moment no fetch is started in the background.
    pub(crate) until: Moment,
    /// Failed fetches in a row.
    pub(crate) failures: u32,
    /// How long after `until` the number of failures is remembered, in nanoseconds.
    pub(crate) remembered: u64,
}

impl Backoff {
    /// The back-off after one more failure. `chance`, from 0 to 1, shortens it.
    pub(crate) fn after_failure(policy: &Policy, failures_before: u32, now: Moment, chance: f64) -> Self {
        let failures = failures_before.saturating_add(1);
        let until = now.plus(pause(policy, failures, chance));
        Self { until, failures, remembered: nanos(policy.max_backoff) }
    }

    /// The back-off after a value that is not to be stored. Such a value is no failure.
    pub(crate) fn after_unstored(now: Moment) -> Self {
        Self { until: now.plus(UNSTORED), failures: 0, remembered: 0 }
    }

    /// The back-off of another process, which shares the key.
    pub(crate) fn of_others(until: Moment) -> Self {
        Self { until, failures: 0, remembered: 0 }
    }

    /// From this moment on nothing is remembered.
    pub(crate) fn forgotten_at(&self) -> Moment {
        self.until.plus(self.remembered)
    }
}

/// The pause after the `failures`-th failure in a row, in nanoseconds. It doubles each time, up to `max_backoff`, and
/// is then shortened by up to a half. `chance`, from 0 to 1, is the part of that half that is cut off.
pub(crate) fn pause(policy: &Policy, failures: u32, chance: f64) -> u64 {
    shortened(nanos(longest_pause(policy, failures)), chance / 2.0)
}

fn longest_pause(policy: &Policy, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    Duration::from_secs(1 << doublings).min(policy.max_backoff)
}

/// Shortens a span by a share of it, from 0 to 1.
pub(crate) fn shortened(span: u64, share: f64) -> u64 {
    // Exact to 53 bits, and saturating: the chance that shortens a span is no more exact than that.
    span.min((span as f64 * (1.0 - share)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at_most(seconds: u64) -> Policy {
        Policy { max_backoff: Duration::from_secs(seconds), ..Policy::default() }
    }

    #[test]
    fn a_pause_doubles_up_to_the_maximum() {
        let policy = at_most(10);
        let pauses: Vec<_> = (1..=6).map(|failures| pause(&policy, failures, 0.0) / SECOND).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        assert_eq!(pause(&policy, u32::MAX, 0.0), 10 * SECOND);
        assert_eq!(pause(&at_most(0), 3, 0.0), 0);
        assert_eq!(pause(&at_most(u64::MAX), u32::MAX, 0.0), SECOND << 31);
    }

    #[test]
    fn chance_shortens_a_pause_by_half_at_most() {
        let table = [(0.0, 8_000_000_000), (0.5, 6_000_000_000), (1.0, 4_000_000_000)];
        for (chance, expected) in table {
            assert_eq!(pause(&at_most(60), 4, chance), expected, "{chance}");
        }
    }

    #[test]
    fn failures_are_counted_and_remembered_for_the_longest_pause() {
        let now = Moment::from_bits(1);
        for (before, failures, seconds) in [(0, 1, 1), (1, 2, 2), (4, 5, 10), (u32::MAX, u32::MAX, 10)] {
            let backoff = Backoff::after_failure(&at_most(10), before, now, 0.0);
            let until = now.plus(seconds * SECOND);
            assert_eq!(backoff, Backoff { until, failures, remembered: 10 * SECOND }, "{before}");
            assert_eq!(backoff.forgotten_at(), until.plus(10 * SECOND), "{before}");
        }
    }

    #[test]
    fn an_unstored_value_is_no_failure() {
        let backoff = Backoff::after_unstored(Moment::from_bits(1));
        assert_eq!((backoff.until, backoff.failures), (Moment::from_bits(1 + SECOND), 0));
        assert_eq!(backoff.forgotten_at(), backoff.until);
    }

    #[test]
    fn a_span_is_shortened_by_a_share() {
        for (span, share, expected) in [(100, 0.0, 100), (100, 0.25, 75), (100, 1.0, 0), (0, 0.5, 0)] {
            assert_eq!(shortened(span, share), expected, "{span} without {share}");
        }
        assert_eq!(shortened(u64::MAX, 0.0), u64::MAX);
    }
}
