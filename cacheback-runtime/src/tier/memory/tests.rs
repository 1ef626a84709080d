//! The rules one by one on the state machine, the way to it on tokio's paused clock, and the model.

use std::time::Duration;

use super::state::{State, name};
use crate::base::clock::Moment;
use crate::tier::fencing::Checks;
use model::{caught, caught_without_recovery};

/// The shortest time that makes a difference.
const TICK: Duration = Duration::from_nanos(1);

impl State {
    /// At any time.
    #[allow(clippy::unnecessary_wraps)] // Others need a server.
    fn new(_: Moment) -> Option<Self> {
        Some(Self::default())
    }
}

// One file for every store of keys, each with a `State` of its own.
#[allow(clippy::duplicate_mod)]
#[path = "../fencing/tests/embedded.rs"]
mod embedded;
#[allow(clippy::duplicate_mod)]
#[path = "../fencing/tests/model.rs"]
mod model;
mod probe;
#[allow(clippy::duplicate_mod)]
#[path = "../fencing/tests/rules.rs"]
mod rules;
mod tier;

/// So many fleets are played.
const FLEETS: u64 = 3_000;

#[test]
fn each_check_of_a_store_is_needed() {
    let all = Checks::default();
    let fence = caught(Checks { fence: false, ..all });
    assert!(fence.contains("has a running one"), "{fence}");
    for checks in [
        Checks { write_id: false, ..all },
        Checks { strict_miss: false, ..all },
        Checks { stamp: false, ..all },
    ] {
        let why = caught(checks);
        assert!(why.contains("stored: read at step"), "{checks:?} {why}");
    }
}

/// A change that could not be told is delivered, and not in place of a later one.
#[test]
fn late_changes_are_needed_and_have_to_yield() {
    let blind = caught(Checks { late: false, ..Checks::default() });
    assert!(blind.contains("came late"), "{blind}");
    let lost = caught_without_recovery();
    assert!(lost.contains("is there") || lost.contains("is fresh"), "{lost}");
}
