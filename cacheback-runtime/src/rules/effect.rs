//! The commit: the effect that the outcome of a fetch has on its key.
//!
//! As [`decide`](crate::rules::decide) it knows no clock, no runtime and no store.

use crate::base::clock::{Moment, nanos};
use crate::rules::backoff::Backoff;
use crate::rules::policy::Policy;

/// How a fetch has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A value, of a fetch that began at `started`.
    Value { started: Moment },
    /// A value that is not to be stored.
    Unstored { started: Moment },
    /// An error, a panic or a time-out. An error may be kept, as `cache_err` says.
    Failed { is_error: bool },
    /// None: its runtime was dropped, or shut down.
    Lost,
}

/// The key, as the store has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// When the fetch of its value began, if it has one.
    pub(crate) value: Option<Moment>,
    /// Failed fetches in a row.
    pub(crate) failures: u32,
}

impl Held {
    pub(crate) const NOTHING: Self = Self { value: None, failures: 0 };
}

/// The fence between a fetch and all that was written since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// Nobody has superseded it.
    pub(crate) holds_the_key: bool,
    /// The cache was not cleared.
    pub(crate) is_in_its_epoch: bool,
}

/// The effect on the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// None. The outcome comes too late: it goes to those who wait, and no further.
    Discard,
    /// The value is stored.
    Store,
    /// The key loses its value, and is left alone for a while.
    DropOlder,
    /// The key keeps its value, and is in back-off.
    BackOff(Backoff),
    /// The key has no value, and a record of its back-off is stored; also the error, if that answers until some moment.
    Record { backoff: Backoff, error_until: Option<Moment> },
    /// The key is as it was, and free.
    Release,
}

/// Decides about a fetch that has ended at `now`. `chance`, from 0 to 1, shortens a back-off.
pub(crate) fn effect(
    ending: Ending,
    held: Held,
    fence: Fence,
    policy: &Policy,
    now: Moment,
    chance: f64,
) -> Effect {
    if !fence.holds_the_key || !fence.is_in_its_epoch {
        return Effect::Discard;
    }
    match ending {
        // Under `test-util` another runtime may have fetched it meanwhile. Elsewhere that would have superseded this one.
        Ending::Value { started } | Ending::Unstored { started }
            if held.value.is_some_and(|newer| started < newer) =>
        {
            Effect::Discard
        }
        Ending::Value { .. } => Effect::Store,
        Ending::Unstored { .. } => Effect::DropOlder,
        Ending::Failed { is_error } => {
            let backoff = Backoff::after_failure(policy, held.failures, now, chance);
            if held.value.is_some() {
                return Effect::BackOff(backoff);
            }
            let kept = policy.cache_err.filter(|_| is_error);
            Effect::Record { backoff, error_until: kept.map(|time| now.plus(nanos(time))) }
        }
        Ending::Lost => Effect::Release,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const HOLDS: Fence = Fence { holds_the_key: true, is_in_its_epoch: true };
    const NOTHING: Held = Held::NOTHING;

    fn at(seconds: u64) -> Moment {
        Moment::from_bits(1).plus(seconds * SECOND)
    }

    fn backoff(until: u64, failures: u32) -> Backoff {
        Backoff { until: at(until), failures, remembered: 60 * SECOND }
    }

    fn effect_at(now: u64, ending: Ending, held: Held, fence: Fence) -> Effect {
        effect(ending, held, fence, &Policy::default(), at(now), 0.0)
    }

    /// Each ending, with and without a value in the store: of an older fetch, of one that began at the same moment, and
    /// of a newer one.
    #[test]
    fn every_ending_over_every_state() {
        let started = at(50);
        let value = |seconds| Held { value: Some(at(seconds)), failures: 2 };
        let failed_before = Held { value: None, failures: 2 };
        let record =
            |until, failures| Effect::Record { backoff: backoff(until, failures), error_until: None };
        let table = [
            (NOTHING, Effect::Store, Effect::DropOlder, record(61, 1)),
            (failed_before, Effect::Store, Effect::DropOlder, record(64, 3)),
            (value(0), Effect::Store, Effect::DropOlder, Effect::BackOff(backoff(64, 3))),
            (value(50), Effect::Store, Effect::DropOlder, Effect::BackOff(backoff(64, 3))),
            (value(51), Effect::Discard, Effect::Discard, Effect::BackOff(backoff(64, 3))),
        ];
        for (held, stores, drops, fails) in table {
            let ends_in = |ending| effect_at(60, ending, held, HOLDS);
            assert_eq!(ends_in(Ending::Value { started }), stores, "{held:?}");
            assert_eq!(ends_in(Ending::Unstored { started }), drops, "{held:?}");
            for is_error in [false, true] {
                assert_eq!(ends_in(Ending::Failed { is_error }), fails, "{held:?}");
            }
            assert_eq!(ends_in(Ending::Lost), Effect::Release, "{held:?}");
        }
    }

    /// Whatever the ending and the state: behind the fence it has no effect.
    #[test]
    fn a_fetch_that_was_superseded_or_cleared_away_has_no_effect() {
        let endings = [
            Ending::Value { started: at(50) },
            Ending::Unstored { started: at(50) },
            Ending::Failed { is_error: true },
            Ending::Failed { is_error: false },
            Ending::Lost,
        ];
        for (holds_the_key, is_in_its_epoch) in [(false, true), (true, false), (false, false)] {
            for ending in endings {
                for held in [NOTHING, Held { value: Some(at(0)), failures: 1 }] {
                    let fence = Fence { holds_the_key, is_in_its_epoch };
                    assert_eq!(effect_at(60, ending, held, fence), Effect::Discard, "{ending:?} {held:?}");
                }
            }
        }
    }

    /// An error is kept if no value exists and `cache_err` says so; a panic and a time-out never are.
    #[test]
    fn an_error_answers_for_the_time_of_cache_err() {
        let policy = Policy { cache_err: Some(Duration::from_secs(5)), ..Policy::default() };
        let value = Held { value: Some(at(0)), failures: 0 };
        let record = |error_until| Effect::Record { backoff: backoff(11, 1), error_until };
        let table = [
            (true, NOTHING, record(Some(at(15)))),
            (false, NOTHING, record(None)),
            (true, value, Effect::BackOff(backoff(11, 1))),
        ];
        for (is_error, held, expected) in table {
            let effect = effect(Ending::Failed { is_error }, held, HOLDS, &policy, at(10), 0.0);
            assert_eq!(effect, expected, "{is_error} {held:?}");
        }
    }

    #[test]
    fn chance_shortens_a_back_off() {
        let held = Held { value: Some(at(0)), failures: 3 };
        for (chance, until) in [(0.0, 18), (0.5, 16), (1.0, 14)] {
            let ending = Ending::Failed { is_error: true };
            let effect = effect(ending, held, HOLDS, &Policy::default(), at(10), chance);
            assert_eq!(effect, Effect::BackOff(backoff(until, 4)), "{chance}");
        }
    }
}
