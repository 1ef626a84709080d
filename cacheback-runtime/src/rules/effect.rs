//! The effect of a fetch's outcome on its key, for the commit.
//!
//! Like [`decide`](crate::rules::decide) it knows no clock, no runtime and no store.

use crate::base::clock::{Moment, nanos};
use crate::rules::backoff::Backoff;
use crate::rules::policy::Policy;

/// How a fetch has ended.
#[cfg_attr(not(feature = "shared"), allow(dead_code))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With a value. The fetch began at `started`.
    Value { started: Moment },
    /// With a value that is not to be stored.
    Unstored { started: Moment },
    /// With an error, a panic or a time-out. `cache_err` says whether an error is kept.
    Failed { is_error: bool },
    /// Without an outcome: its runtime was dropped, or shut down.
    Lost,
    /// With a value that the second tier has refused: another process has changed the key meanwhile.
    Refused,
    /// Without a run of the body: the second tier had a value that is newer than the one held here, whenever its fetch
    /// began.
    Found,
    /// Without a run of the body: another process fetches the key, or is in back-off, until this moment.
    LeftToOthers { until: Moment, is_backoff: bool },
}

/// The store's record of the key.
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

/// The fence between a fetch and the writes since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// Nothing has superseded the fetch.
    pub(crate) holds_the_key: bool,
    /// The cache has not been cleared.
    pub(crate) is_in_its_epoch: bool,
}

/// The effect on the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// None. The outcome comes too late: it answers the callers who wait, and is not stored.
    Discard,
    /// The value is stored.
    Store,
    /// The key loses its value, and is left alone for a while.
    DropOlder,
    /// The key keeps its value, and is in back-off.
    BackOff(Backoff),
    /// The key has no value, and a record of its back-off is stored. With `error_until` the error is stored too, and
    /// answers until that moment.
    Record { backoff: Backoff, error_until: Option<Moment> },
    /// The key stays as it was, and is free.
    Release,
    /// The key stays as it was, and a stale read starts no refresh until this moment.
    KeepOff { until: Moment },
}

/// The effect of a fetch that has ended at `now`. `chance`, from 0 to 1, shortens a back-off.
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
        // With `test-util` another runtime may have fetched the key meanwhile. Without it, that fetch would have
        // superseded this one.
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
        Ending::Lost | Ending::Refused => Effect::Release,
        Ending::Found => Effect::Store,
        // A key without a value has a record only of its back-off.
        Ending::LeftToOthers { until, is_backoff: true } if held.value.is_none() => {
            Effect::Record { backoff: Backoff::of_others(until), error_until: None }
        }
        Ending::LeftToOthers { until, .. } => Effect::KeepOff { until },
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

    /// Each ending, without a value in the store and with one: of an older fetch, of one that began at the same moment,
    /// and of a newer one.
    #[test]
    fn every_ending_in_every_state() {
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

    /// In every state, no ending of such a fetch has an effect.
    #[test]
    fn a_fetch_that_was_superseded_or_whose_cache_was_cleared_has_no_effect() {
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

    /// The second tier compares values by their numbers: a value that it found replaces one whose fetch began later.
    #[test]
    fn the_second_tier_has_the_last_word() {
        let (value, until) = (Held { value: Some(at(51)), failures: 2 }, at(65));
        let keep_off = Effect::KeepOff { until };
        let record = Effect::Record { backoff: Backoff::of_others(until), error_until: None };
        let fetched = Ending::LeftToOthers { until, is_backoff: false };
        let failed = Ending::LeftToOthers { until, is_backoff: true };
        let table = [
            (Ending::Found, Effect::Store, Effect::Store),
            (Ending::Refused, Effect::Release, Effect::Release),
            (fetched, keep_off, keep_off),
            (failed, keep_off, record),
        ];
        for (ending, with_a_value, without) in table {
            assert_eq!(effect_at(60, ending, value, HOLDS), with_a_value, "{ending:?}");
            assert_eq!(effect_at(60, ending, NOTHING, HOLDS), without, "{ending:?}");
            let superseded = Fence { holds_the_key: false, ..HOLDS };
            assert_eq!(effect_at(60, ending, value, superseded), Effect::Discard, "{ending:?}");
        }
    }

    /// An error is kept if no value exists and `cache_err` is set. A panic or a time-out is never kept.
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
    fn chance_shortens_the_back_off() {
        let held = Held { value: Some(at(0)), failures: 3 };
        for (chance, until) in [(0.0, 18), (0.5, 16), (1.0, 14)] {
            let ending = Ending::Failed { is_error: true };
            let effect = effect(ending, held, HOLDS, &Policy::default(), at(10), chance);
            assert_eq!(effect, Effect::BackOff(backoff(until, 4)), "{chance}");
        }
    }
}
