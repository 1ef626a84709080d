//! Fetches that the housekeeper moves to another runtime, or finds stalled.

use std::time::Duration;

use shuttle::future::block_on;

use super::explore;
use super::origin::{Act, EMPTY};
use super::stage::{Stage, TIMEOUT, join};
use crate::api::shutdown::shutdown;
use crate::base::shims::tasks::{abort_all, advance};
use crate::executor::context::executor;

/// Longer than a runtime may take to take up a fetch.
const LONG_ENOUGH: Duration = Duration::from_secs(6);

/// A round of the housekeeper. It moves a fetch that was handed over and that no task has taken up.
fn tend() {
    advance(LONG_ENOUGH);
    executor().unwrap().tend();
}

/// Either the task or the housekeeper takes the fetch. It runs once, and both callers are answered.
#[test]
fn a_move_against_the_first_poll() {
    explore(|| {
        let stage = Stage::new();
        let leads = stage.spawn(|stage| stage.get(1));
        let joins = stage.spawn(|stage| stage.get(1));
        let housekeeper = stage.spawn(|_| tend());
        assert_eq!((leads.join().unwrap(), joins.join().unwrap()), (Ok(1), Ok(1)));
        housekeeper.join().unwrap();
        stage.settle();
        assert_eq!((stage.versions.runs(1), stage.versions.most(1)), (1, 1));
        stage.end(&[1]);
    });
}

/// Two rounds at once move it once.
#[test]
fn a_move_against_a_move() {
    explore(|| {
        let stage = Stage::new();
        let caller = stage.spawn(|stage| stage.get(1));
        let housekeepers = [1, 2].map(|_| stage.spawn(|_| tend()));
        assert_eq!(caller.join().unwrap(), Ok(1));
        join(housekeepers);
        stage.settle();
        assert_eq!(stage.versions.runs(1), 1);
        stage.end(&[1]);
    });
}

/// The fetch goes on without its caller, on either runtime.
#[test]
fn a_move_against_a_waiter_that_leaves() {
    explore(|| {
        let stage = Stage::new();
        let caller = stage.spawn(|stage| stage.get_and_leave(1));
        let housekeeper = stage.spawn(|_| tend());
        caller.join().unwrap();
        housekeeper.join().unwrap();
        stage.settle();
        assert_eq!((stage.versions.runs(1), stage.version(1)), (1, Some(1)));
        stage.end(&[1]);
    });
}

/// A refresh that nobody waits for is aborted at the limit, moved or not.
#[test]
fn a_move_against_a_shutdown() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.versions.act(&[Act::Hold]);
        let reader = stage.spawn(|stage| stage.get(1));
        let housekeeper = stage.spawn(|_| tend());
        let ended = block_on(shutdown(Duration::ZERO));
        assert!(ended.finished + ended.aborted <= 1, "{ended:?}");
        assert_eq!(reader.join().unwrap(), Ok(1));
        housekeeper.join().unwrap();
        stage.settle();
        assert_eq!((stage.versions.live(1), stage.version(1)), (0, Some(1)));
    });
}

/// The first runtime is dropped. The fetch is moved or lost, and its caller does not wait for ever.
#[test]
fn a_move_against_the_end_of_the_runtime() {
    explore(|| {
        let stage = Stage::new();
        let caller = stage.spawn(|stage| stage.get(1));
        let housekeeper = stage.spawn(|_| tend());
        abort_all();
        assert_eq!(caller.join().unwrap(), Ok(1));
        housekeeper.join().unwrap();
        stage.settle();
        stage.end(&[1]);
    });
}

/// A fetch seems to be stalled as it ends. Its caller is answered once, with the value or without it.
#[test]
fn a_fetch_is_given_up_as_it_ends() {
    explore(|| {
        let stage = Stage::new();
        stage.versions.act(&[Act::Hold]);
        let caller = stage.spawn(|stage| stage.get(1));
        stage.versions.await_begun(1);
        let housekeeper = stage.spawn(|_| {
            advance(TIMEOUT);
            tend();
            tend();
        });
        let gate = stage.spawn(|stage| stage.versions.let_go());
        let got = caller.join().unwrap();
        assert!(matches!(got, Ok(EMPTY | 1)), "{got:?}");
        housekeeper.join().unwrap();
        gate.join().unwrap();
        stage.settle();
        stage.end(&[1]);
    });
}
