//! An open breaker whose next trial is due.

use std::time::Duration;

use super::explore;
use super::origin::Act;
use super::stage::{Stage, join};
use crate::base::shims::tasks::advance;

const SECOND: Duration = Duration::from_secs(1);

/// Only one of the readers takes the trial.
#[test]
fn two_readers_as_a_trial_is_due() {
    explore(|| {
        let stage = Stage::new().stale(&[0, 1]);
        stage.versions.write(2);
        stage.open_breaker();
        advance(SECOND);
        stage.versions.act(&[Act::HoldAndFail]);
        let readers = [0, 1].map(|key| stage.spawn(move |stage| stage.get(key)));
        assert_eq!(join(readers), [Ok(1); 2]);
        stage.versions.await_begun(1);
        assert_eq!(stage.versions.runs(0) + stage.versions.runs(1), 1);
        stage.versions.let_go();
        stage.settle();
        assert_eq!(stage.stats().breakers_open, 1);
        advance(2 * SECOND);
        assert_eq!(stage.get(0), Ok(1));
        stage.settle();
        assert_eq!((stage.version(0), stage.stats().breakers_open), (Some(2), 0));
        stage.end(&[0, 1]);
    });
}

/// The fetch of a caller who waits fails at the same time as the trial. It does not put the next trial off.
#[test]
fn a_caller_who_waits_fails_beside_a_trial() {
    explore(|| {
        let stage = Stage::new().stale(&[0]);
        stage.versions.write(2);
        stage.open_breaker();
        advance(SECOND);
        stage.versions.act(&[Act::Fail, Act::Fail]);
        let reader = stage.spawn(|stage| stage.get(0));
        let caller = stage.spawn(|stage| stage.refresh(2));
        assert_eq!((reader.join().unwrap(), caller.join().unwrap()), (Ok(1), Err("failed")));
        stage.settle();
        assert_eq!((stage.versions.runs(0), stage.versions.runs(2)), (1, 1));
        // Only one trial has failed, so the next one is due after two seconds at most.
        advance(2 * SECOND);
        assert_eq!(stage.get(0), Ok(1));
        stage.settle();
        assert_eq!((stage.versions.runs(0), stage.version(0)), (2, Some(2)));
        stage.end(&[0, 2]);
    });
}

/// A trial succeeds as a caller's fetch fails. In both orders the key of the trial is fresh afterwards, and no key is
/// stuck.
#[test]
fn a_trial_succeeds_as_a_caller_fails() {
    explore(|| {
        let stage = Stage::new().stale(&[0]);
        stage.versions.write(2);
        stage.open_breaker();
        advance(SECOND);
        let reader = stage.spawn(|stage| stage.get(0));
        stage.versions.await_begun(1);
        stage.versions.act(&[Act::Fail]);
        let caller = stage.spawn(|stage| stage.refresh(2));
        assert_eq!(caller.join().unwrap(), Err("failed"));
        assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
        stage.settle();
        assert_eq!((stage.version(0), stage.stats().breakers_open), (Some(2), 0));
        stage.end(&[0, 2]);
    });
}
