//! How long the operations of the last minute took, or how old its messages were, as quantiles.
//!
//! Times are counted in buckets of microseconds: one for each number up to 8, and then eight for each power of two. So
//! a quantile is at most an eighth too high. Each [`SPAN`] of time has buckets of its own, and the oldest are used anew.

use std::time::Duration;

use crate::base::clock::Moment;

/// The nanoseconds that are counted together.
const SPAN: u64 = 5_000_000_000;
/// So many spans are a minute.
const SPANS: u64 = 12;
/// Buckets up to some 71 minutes. Whatever takes longer is counted in the last one.
const BUCKETS: usize = 240;

/// The times of the last minute: the present span, and the eleven before it.
#[derive(Default)]
pub(super) struct RoundTrips {
    /// In no order. There are as many as were needed at once.
    spans: Vec<Span>,
}

struct Span {
    number: u64,
    counts: Box<[u32; BUCKETS]>,
}

impl Span {
    fn of(number: u64) -> Self {
        Self { number, counts: Box::new([0; BUCKETS]) }
    }
}

/// Whether a span belongs to the last minute when another one is the present span.
fn is_recent(number: u64, present: u64) -> bool {
    number <= present && present - number < SPANS
}

impl RoundTrips {
    /// Counts an operation that has just ended.
    pub(super) fn note(&mut self, took: Duration, now: Moment) {
        let present = now.to_bits() / SPAN;
        let at = self.spans.iter().position(|span| span.number == present).unwrap_or_else(|| {
            self.spans.retain(|span| is_recent(span.number, present));
            self.spans.push(Span::of(present));
            self.spans.len() - 1
        });
        let count = &mut self.spans[at].counts[bucket(took)];
        *count = count.saturating_add(1);
    }

    /// The times that so many of a thousand operations of the last minute did not exceed. `None` if there was none.
    pub(super) fn quantiles<const N: usize>(
        &self,
        of_thousand: [u64; N],
        now: Moment,
    ) -> Option<[Duration; N]> {
        let present = now.to_bits() / SPAN;
        let mut sums = [0_u64; BUCKETS];
        for span in self.spans.iter().filter(|span| is_recent(span.number, present)) {
            sums.iter_mut().zip(&*span.counts).for_each(|(sum, count)| *sum += u64::from(*count));
        }
        let all: u64 = sums.iter().sum();
        let quantile = |of_thousand: u64| {
            let rank = (all * of_thousand).div_ceil(1_000).max(1);
            let mut seen = 0;
            let at = sums.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            // The lower end of the next bucket: none of this one took longer.
            Duration::from_micros(lower_end(at.unwrap_or(BUCKETS) + 1))
        };
        (all > 0).then(|| of_thousand.map(quantile))
    }
}

/// The bucket of a time.
fn bucket(took: Duration) -> usize {
    let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
    if micros < 8 {
        return micros as usize;
    }
    let power = micros.ilog2();
    (power as usize - 2) * 8 + (micros >> (power - 3)) as usize % 8
}

/// The shortest time of a bucket, in microseconds.
fn lower_end(bucket: usize) -> u64 {
    let (row, column) = (bucket / 8, bucket as u64 % 8);
    if row == 0 { column } else { (8 + column) << (row - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_its_bucket() {
        for at in 0..BUCKETS {
            let (low, next) = (lower_end(at), lower_end(at + 1));
            for micros in [low, low.midpoint(next), next - 1] {
                assert_eq!(bucket(Duration::from_micros(micros)), at, "{micros} us");
            }
            assert!(at < 8 || (next - low) * 8 <= low, "{at} is no wider than an eighth");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_bits((1_000 + seconds) * 1_000_000_000)
    }

    #[test]
    fn quantiles_are_no_lower_than_the_truth_and_an_eighth_higher_at_most() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.quantiles([500], at(0)), None);
        for micros in (1..=1_000).rev() {
            trips.note(Duration::from_micros(micros), at(0));
        }
        let quantiles = trips.quantiles([1, 500, 990, 1_000], at(0)).unwrap();
        for (quantile, truth) in quantiles.into_iter().zip([1, 500, 990, 1_000]) {
            let micros = u64::try_from(quantile.as_micros()).unwrap();
            assert!(truth < micros && micros <= truth + truth.div_ceil(8), "{micros} us, and not {truth}");
        }
    }

    #[test]
    fn what_is_older_than_a_minute_does_not_count() {
        let mut trips = RoundTrips::default();
        let [slow, fast] = [10_000, 5].map(Duration::from_micros);
        trips.note(slow, at(0));
        trips.note(fast, at(30));
        trips.note(fast, at(30));
        let median = |trips: &RoundTrips, seconds| {
            trips.quantiles([500, 1_000], at(seconds)).map(|[half, all]| [half < slow, all < slow])
        };
        assert_eq!(median(&trips, 59), Some([true, false]));
        assert_eq!(median(&trips, 60), Some([true, true]));
        assert_eq!(median(&trips, 89), Some([true, true]));
        assert_eq!(median(&trips, 90), None);
        // The spans that have passed are used no more, and a clock that goes back is no harm.
        trips.note(fast, at(90));
        assert_eq!(trips.spans.len(), 1);
        trips.note(fast, at(0));
        assert_eq!(median(&trips, 0), Some([true, true]));
    }
}
