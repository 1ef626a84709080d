//! Fetches that the housekeeper moves to another runtime, or finds standing still.

use std::time::Duration;

use shuttle::future::block_on;

use super::explore;
use super::stage::{Act, EMPTY, Stage, TIMEOUT, join};
use crate::api::shutdown::shutdown;
use crate::base::shims::tasks::{abort_all, advance, executor};

/// Longer than a runtime may leave a fetch alone.
const LONG_ENOUGH: Duration = Duration::from_secs(6);

/// A round of the housekeeper. Where the fetch has begun and no task has taken it up, it is moved.
fn tend() {
    advance(LONG_ENOUGH);
    executor().tend();
}

/// One of the two takes the fetch: it runs once, and everybody is answered.
#[test]
fn a_move_against_the_first_poll() {
    explore(|| {
        let stage = Stage::new();
        let leads = stage.spawn(|stage| stage.get(1));
        let joins = stage.spawn(|stage| stage.get(1));
        let housekeeper = stage.spawn(|_| tend());
        assert_eq!((leads.join().unwrap(), joins.join().unwrap()), (Ok(1), Ok(1)));
        housekeeper.join().unwrap();
        stage.rest();
        assert_eq!((stage.source.runs(1), stage.source.most(1)), (1, 1));
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
        stage.rest();
        assert_eq!(stage.source.runs(1), 1);
        stage.end(&[1]);
    });
}

/// The fetch goes on without its caller, wherever it runs.
#[test]
fn a_move_against_a_waiter_that_leaves() {
    explore(|| {
        let stage = Stage::new();
        let caller = stage.spawn(|stage| stage.get_and_leave(1));
        let housekeeper = stage.spawn(|_| tend());
        caller.join().unwrap();
        housekeeper.join().unwrap();
        stage.rest();
        assert_eq!((stage.source.runs(1), stage.version(1)), (1, Some(1)));
        stage.end(&[1]);
    });
}

/// A refresh that nobody waits for is aborted at the limit, moved or not.
#[test]
fn a_move_against_a_shutdown() {
    explore(|| {
        let stage = Stage::new().stale(&[1]);
        stage.source.act(&[Act::Hold]);
        let reader = stage.spawn(|stage| stage.get(1));
        let housekeeper = stage.spawn(|_| tend());
        let ended = block_on(shutdown(Duration::ZERO));
        assert!(ended.finished + ended.aborted <= 1, "{ended:?}");
        assert_eq!(reader.join().unwrap(), Ok(1));
        housekeeper.join().unwrap();
        stage.rest();
        assert_eq!((stage.source.live(1), stage.version(1)), (0, Some(1)));
    });
}

/// As where the runtime is dropped that the fetch is moved away from: it is moved or lost, and nobody is left waiting.
#[test]
fn a_move_against_the_end_of_the_runtime() {
    explore(|| {
        let stage = Stage::new();
        let caller = stage.spawn(|stage| stage.get(1));
        let housekeeper = stage.spawn(|_| tend());
        abort_all();
        assert_eq!(caller.join().unwrap(), Ok(1));
        housekeeper.join().unwrap();
        stage.rest();
        stage.end(&[1]);
    });
}

/// A fetch seems to stand still as it comes home: its caller is answered once, with the value or without it.
#[test]
fn a_fetch_is_given_up_as_it_lands() {
    explore(|| {
        let stage = Stage::new();
        stage.source.act(&[Act::Hold]);
        let caller = stage.spawn(|stage| stage.get(1));
        stage.source.await_begun(1);
        let housekeeper = stage.spawn(|_| {
            advance(TIMEOUT);
            tend();
            tend();
        });
        let gate = stage.spawn(|stage| stage.source.let_go());
        let got = caller.join().unwrap();
        assert!(matches!(got, Ok(EMPTY | 1)), "{got:?}");
        housekeeper.join().unwrap();
        gate.join().unwrap();
        stage.rest();
        stage.end(&[1]);
    });
}
