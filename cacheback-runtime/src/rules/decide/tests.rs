//! The decision as a table: every state and every boundary, with and without back-off.

use std::time::Duration;

use super::*;
use crate::rules::freshness::Windows;
use crate::rules::policy::Policy;
use Decision::*;

const START: u64 = 1_000_000;

/// Lifetime 100, stale until 150, gone at 200, refreshed from 90 on.
const TIMES: Times =
    Times { started: Moment::from_bits(START), lifetime: 100, max_stale: 50, retention: 200, ahead: 10 };

fn at(age: u64) -> Moment {
    TIMES.started.plus(age)
}

/// The decisions without back-off, in back-off, and with an open breaker, for a caller who does not wait on a miss.
fn each(times: Option<Times>, now: Moment) -> (Decision, Decision, Decision) {
    let facts = Facts { times, ..Facts::NONE };
    let in_backoff = Facts { backoff_until: now.plus(1), ..facts };
    let broken = Facts { broken_until: now.plus(1), ..facts };
    (decide(&facts, now, false), decide(&in_backoff, now, false), decide(&broken, now, false))
}

#[test]
fn every_boundary_of_the_age() {
    let table = [
        (0, Serve, Serve, Serve),
        (1, Serve, Serve, Serve),
        (89, Serve, Serve, Serve),
        (90, ServeAndRefresh, Serve, Serve),
        (99, ServeAndRefresh, Serve, Serve),
        (100, ServeStaleAndRefresh, ServeStale, ServeStale),
        (149, ServeStaleAndRefresh, ServeStale, ServeStale),
        (150, FetchNow, ServeStale, FetchNow),
        (199, FetchNow, ServeStale, FetchNow),
        (200, ServeEmptyAndFetch, ServeEmpty, ServeEmpty),
        (u64::MAX / 2, ServeEmptyAndFetch, ServeEmpty, ServeEmpty),
    ];
    for (age, plain, in_backoff, broken) in table {
        assert_eq!(each(Some(TIMES), at(age)), (plain, in_backoff, broken), "age {age}");
    }
}

/// An open breaker refuses no caller who waits, and closes at its moment.
#[test]
fn an_open_breaker() {
    let broken = Facts { times: Some(TIMES), broken_until: Moment::NEVER, ..Facts::NONE };
    assert_eq!(decide(&broken, at(200), true), FetchNow);
    let until = Facts { broken_until: at(120), ..broken };
    assert_eq!(
        (decide(&until, at(119), false), decide(&until, at(120), false)),
        (ServeStale, ServeStaleAndRefresh)
    );
    for (decision, in_background) in [
        (Serve, false),
        (ServeAndRefresh, true),
        (ServeStale, false),
        (ServeStaleAndRefresh, true),
        (FetchNow, false),
        (ServeError, false),
        (ServeEmpty, false),
        (ServeEmptyAndFetch, true),
        (Consult, false),
    ] {
        assert_eq!(decision.also_fetches(), in_background, "{decision:?}");
    }
}

#[test]
fn waiting_on_a_miss_changes_only_the_miss() {
    for age in [0, 89, 90, 99, 100, 149, 150, 199] {
        for backoff_until in [Moment::PAST, Moment::NEVER] {
            let facts = Facts { times: Some(TIMES), backoff_until, ..Facts::NONE };
            assert_eq!(decide(&facts, at(age), true), decide(&facts, at(age), false), "age {age}");
        }
    }
    let gone = Facts { times: Some(TIMES), ..Facts::NONE };
    assert_eq!(decide(&gone, at(200), true), FetchNow);
    assert_eq!(decide(&Facts::NONE, at(0), true), FetchNow);
    assert_eq!(decide(&Facts::NONE, at(0), false), ServeEmptyAndFetch);
}

#[test]
fn a_caller_who_waits_on_a_miss_fetches_during_back_off() {
    let in_backoff = Facts { backoff_until: Moment::NEVER, ..Facts::NONE };
    assert_eq!(decide(&in_backoff, at(0), true), FetchNow);
    assert_eq!(decide(&in_backoff, at(0), false), ServeEmpty);
}

#[test]
fn back_off_ends_at_its_moment() {
    let facts = Facts { times: Some(TIMES), backoff_until: at(120), ..Facts::NONE };
    assert_eq!(decide(&facts, at(119), false), ServeStale);
    assert_eq!(decide(&facts, at(120), false), ServeStaleAndRefresh);
}

#[test]
fn a_kept_error_answers_callers_who_would_wait_and_starts_nothing_for_the_others() {
    let facts = Facts { error_until: at(10), ..Facts::NONE };
    assert_eq!(decide(&facts, at(9), true), ServeError);
    assert_eq!(decide(&facts, at(9), false), ServeEmpty);
    assert_eq!(decide(&facts, at(10), true), FetchNow);
    assert_eq!(decide(&facts, at(10), false), ServeEmptyAndFetch);
    // A value comes before the error.
    let facts = Facts { times: Some(TIMES), ..facts };
    assert_eq!(decide(&facts, at(9), true), Serve);
}

#[test]
fn zero_durations() {
    let zero = Times { lifetime: 0, ahead: 0, ..TIMES };
    assert_eq!(each(Some(zero), at(0)), (ServeStaleAndRefresh, ServeStale, ServeStale), "never fresh");
    let zero_stale = Times { max_stale: 0, ..TIMES };
    assert_eq!(each(Some(zero_stale), at(99)).0, ServeAndRefresh);
    assert_eq!(each(Some(zero_stale), at(100)).0, FetchNow);
    let nothing_kept = Times { lifetime: 0, max_stale: 0, retention: 0, ahead: 0, ..TIMES };
    assert_eq!(each(Some(nothing_kept), at(0)).0, ServeEmptyAndFetch);
    let no_ahead = Times { ahead: 0, ..TIMES };
    assert_eq!(each(Some(no_ahead), at(99)).0, Serve);
}

#[test]
fn huge_durations() {
    let endless = Times { lifetime: u64::MAX, max_stale: u64::MAX, retention: u64::MAX, ahead: 0, ..TIMES };
    assert_eq!(each(Some(endless), at(u64::MAX / 2)).0, Serve);
    let stale_for_ever = Times { max_stale: u64::MAX, retention: u64::MAX, ..TIMES };
    assert_eq!(each(Some(stale_for_ever), at(u64::MAX / 2)).0, ServeStaleAndRefresh);
}

#[test]
fn a_clock_that_stands_still_or_goes_back_reads_age_zero() {
    let before = Moment::from_bits(START - 500);
    assert_eq!(TIMES.age(before), 0);
    assert_eq!(TIMES.age(TIMES.started), 0);
    assert_eq!(each(Some(TIMES), before).0, Serve);
    let zero = Times { lifetime: 0, ahead: 0, ..TIMES };
    assert_eq!(each(Some(zero), before).0, ServeStaleAndRefresh);
}

/// The hit path compares one number; it must agree with the decision everywhere.
#[test]
fn below_the_fast_path_age_the_decision_is_serve_and_from_it_on_it_is_not() {
    let windows = [0, 1, 5, 50, 100, u64::MAX];
    for lifetime in windows {
        for max_stale in windows {
            for retention in windows {
                for ahead in windows {
                    let times = Times { lifetime, max_stale, retention, ahead, ..TIMES };
                    for age in [0, 1, 4, 5, 6, 49, 50, 51, 99, 100, 101, 1 << 40] {
                        let facts = Facts { times: Some(times), ..Facts::NONE };
                        let serve = decide(&facts, at(age), false) == Serve;
                        assert_eq!(serve, age < times.fast_path_age(), "{times:?} at {age}");
                    }
                }
            }
        }
    }
}

#[test]
fn times_follow_the_policy() {
    let secs = Duration::from_secs;
    let policy = Policy {
        lifetime: secs(100),
        max_stale: Some(secs(50)),
        retention: secs(200),
        refresh_ahead: secs(10),
        ..Policy::default()
    };
    let windows = Windows::of(&policy);
    let times = Times::new(windows, at(0), policy.lifetime);
    assert_eq!(times.lifetime, 100_000_000_000);
    assert_eq!(times.ahead, 10_000_000_000);
    assert_eq!(times.retention, 200_000_000_000);
    // A lifetime past the retention ends with it. One that is shorter than `refresh_ahead` is refreshed after its half.
    assert_eq!(Times::new(windows, at(0), secs(1000)).lifetime, times.retention);
    assert_eq!(Times::new(windows, at(0), secs(8)).fast_path_age(), 4_000_000_000);
    // Without `max_stale` a stale value is served until the retention.
    let open = Times::new(Windows::of(&Policy { max_stale: None, ..policy }), at(0), policy.lifetime);
    assert_eq!(open.state(at(199_999_999_999)), State::Stale);
    assert_eq!(open.state(at(200_000_000_000)), State::Missing);
}

/// The second tier is asked before a fetch or an empty answer, whatever keeps the key from being fetched. If there is
/// something to serve, it is not asked.
#[test]
fn the_second_tier_is_asked_for_what_is_missing() {
    for times in [None, Some(TIMES)] {
        let missing = Facts { times, is_unsure: true, ..Facts::NONE };
        for facts in [
            missing,
            Facts { backoff_until: Moment::NEVER, ..missing },
            Facts { broken_until: Moment::NEVER, ..missing },
        ] {
            for waits in [false, true] {
                assert_eq!(decide(&facts, at(200), waits), Consult, "{facts:?}");
            }
        }
    }
    for age in [0, 99, 100, 149, 150, 199] {
        let sure = Facts { times: Some(TIMES), ..Facts::NONE };
        let unsure = Facts { is_unsure: true, ..sure };
        assert_eq!(decide(&unsure, at(age), true), decide(&sure, at(age), true), "age {age}");
    }
    let error = Facts { error_until: Moment::NEVER, is_unsure: true, ..Facts::NONE };
    assert_eq!(decide(&error, at(0), true), ServeError);
    assert_eq!(decide(&error, at(0), false), Consult);
}

/// A value that another process may have changed is looked at if it would be served as fresh. If nobody can be asked once
/// more, it counts as stale, and nothing is fetched for it.
#[test]
fn a_suspect_value() {
    let asks = Facts { times: Some(TIMES), is_suspect: true, is_unsure: true, ..Facts::NONE };
    let has_asked = Facts { is_unsure: false, ..asks };
    for (age, first, then) in [
        (0, Consult, ServeStale),
        (90, Consult, ServeStale),
        (99, Consult, ServeStale),
        (100, ServeStaleAndRefresh, ServeStaleAndRefresh),
        (150, FetchNow, FetchNow),
        (200, Consult, ServeEmptyAndFetch),
    ] {
        assert_eq!(
            (decide(&asks, at(age), false), decide(&has_asked, at(age), false)),
            (first, then),
            "{age}"
        );
    }
    // Where no stale value is served without waiting, it is no more than that.
    let strict = Facts { times: Some(Times { max_stale: 0, ..TIMES }), ..has_asked };
    assert_eq!(decide(&strict, at(0), false), FetchNow);
    assert_eq!(decide(&Facts { backoff_until: at(10), ..strict }, at(0), false), ServeStale);
}
