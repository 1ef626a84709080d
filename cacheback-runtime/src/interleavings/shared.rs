//! Two processes that share their values: fetches, writes and failures of one, as the other fetches.

use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};

use super::explore;
use super::fleet::{Fleet, Process::One, Process::Other};
use super::origin::Act;
use super::stage::{Stage, Stored, TIMEOUT};
use crate::base::shims::tasks::{abort_all, advance};
use crate::tier::memory::faults::Operation::{Acquire, Store};
use crate::tier::memory::faults::Place;

const NEWER: Stored = Stored { version: 2, fresh: true };

/// Plays a write of one process against a fetch of the other. In half of the runs the key is unknown, in the others it has
/// a stale value. `stays` tells whether a value is allowed in the tier, as soon as `write` has returned and at the end.
fn against_a_fetch_elsewhere(write: fn(&Stage), stays: fn(Option<Stored>) -> bool) {
    explore(move || {
        let fleet = if thread_rng().r#gen() { Fleet::new().stale(1) } else { Fleet::new() };
        let fetch = fleet.spawn(One, |process| process.refresh(1));
        let writer = fleet.spawn(Other, move |process| {
            process.versions.write(2);
            write(process);
            let there = process.peek_there(1).or(process.peek(1));
            assert!(stays(there), "{there:?} right after the write");
        });
        fleet.pass_until_ended(2);
        let got = fetch.join().unwrap();
        assert!(matches!(got, Ok(1 | 2)), "{got:?}");
        writer.join().unwrap();
        fleet.settle();
        let there = fleet.there(1);
        assert!(stays(there), "{there:?} came back");
        fleet.end(&[1]);
    });
}

fn nothing_or_the_newer(stored: Option<Stored>) -> bool {
    stored.is_none_or(|stored| stored.version == 2)
}

fn stale_or_the_newer(stored: Option<Stored>) -> bool {
    stored.is_none_or(|stored| stored.version == 2 || !stored.fresh)
}

#[test]
fn a_fetch_against_set_elsewhere() {
    // It may turn stale while time passes for the other process.
    against_a_fetch_elsewhere(
        |process| process.set(1, 2),
        |stored| stored.is_some_and(|stored| stored.version == 2),
    );
}

#[test]
fn a_fetch_against_invalidate_elsewhere() {
    against_a_fetch_elsewhere(|process| process.invalidate(1), stale_or_the_newer);
}

#[test]
fn a_fetch_against_remove_elsewhere() {
    against_a_fetch_elsewhere(|process| process.remove(1), nothing_or_the_newer);
}

#[test]
fn a_fetch_against_take_elsewhere() {
    against_a_fetch_elsewhere(
        |process| {
            process.take(1);
        },
        nothing_or_the_newer,
    );
}

#[test]
fn a_fetch_against_clear_elsewhere() {
    against_a_fetch_elsewhere(Stage::clear, nothing_or_the_newer);
}

#[test]
fn a_fetch_against_invalidate_all_elsewhere() {
    against_a_fetch_elsewhere(Stage::invalidate_all, stale_or_the_newer);
}

/// The writes of one process reach the tier in the order in which they change the entry there.
#[test]
fn writes_of_one_process_are_told_in_their_order() {
    explore(|| {
        let fleet = Fleet::new();
        let writers = [
            fleet.spawn(One, |process| process.set(1, 2)),
            fleet.spawn(One, |process| process.set(1, 3)),
            fleet.spawn(One, |process| process.remove(1)),
        ];
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        // Nor do its own messages make it doubt what it has written.
        fleet.hear();
        assert_eq!(fleet.there(1), fleet.one.peek(1));
        fleet.end(&[1]);
    });
}

/// Two processes need the same value. One of them fetches it, and the other takes it over.
#[test]
fn one_fetch_for_two_processes() {
    explore(|| {
        let fleet = Fleet::new();
        let callers = [One, Other].map(|process| fleet.spawn(process, |process| process.get(1)));
        fleet.pass_until_ended(2);
        for caller in callers {
            assert_eq!(caller.join().unwrap(), Ok(1));
        }
        fleet.settle();
        assert_eq!(fleet.versions.runs(1), 1);
        fleet.end(&[1]);
    });
}

/// The same with refreshes that nobody waits for. A process that is answered with the stale value keeps off.
#[test]
fn one_refresh_for_two_processes() {
    explore(|| {
        let fleet = Fleet::new().stale(1);
        fleet.versions.write(2);
        let callers = [One, Other].map(|process| fleet.spawn(process, |process| process.get(1)));
        for caller in callers {
            assert!(matches!(caller.join().unwrap(), Ok(1 | 2)));
        }
        fleet.settle();
        assert_eq!((fleet.versions.runs(1), fleet.there(1)), (1, Some(NEWER)));
        fleet.end(&[1]);
    });
}

/// The fetch of one process fails. Whoever waits in the other has nothing else, and fetches all the same.
#[test]
fn a_failure_as_another_process_waits() {
    explore(|| {
        let fleet = Fleet::new();
        fleet.versions.act(&[Act::Fail]);
        let callers = [One, Other].map(|process| fleet.spawn(process, |process| process.get(1)));
        fleet.pass_until_ended(2);
        let [one, other] = callers.map(|caller| caller.join().unwrap());
        assert!(one != other || one == Ok(1), "{one:?} {other:?}");
        assert!(one == Ok(1) || other == Ok(1), "{one:?} {other:?}");
        fleet.settle();
        assert_eq!((fleet.versions.runs(1), fleet.versions.most(1)), (2, 1));
        fleet.end(&[1]);
    });
}

/// A claim lapses in one process, and the other one fetches. They end in both orders, and the later fetch stands.
#[test]
fn a_claim_lapses_and_another_process_fetches() {
    explore(|| {
        let fleet = Fleet::new();
        fleet.versions.act(&[Act::Hold, Act::Bring]);
        let late = fleet.spawn(One, |process| process.refresh(1));
        fleet.versions.await_begun(1);
        fleet.versions.write(2);
        advance(TIMEOUT);
        // Whoever comes next notices that it has lapsed.
        let next = fleet.spawn(Other, |process| process.refresh(1));
        let gate = fleet.spawn(Other, |process| process.versions.let_go());
        fleet.pass_until_ended(3);
        assert!(matches!(late.join().unwrap(), Ok(1 | 2)));
        assert!(matches!(next.join().unwrap(), Ok(1 | 2)));
        gate.join().unwrap();
        fleet.settle();
        let newest = fleet.there(1).map(|stored| stored.version);
        assert_eq!(newest, Some(fleet.versions.runs(1)), "the value of the last fetch");
        fleet.end(&[1]);
    });
}

/// The runtimes of both processes are dropped as one asks for the lease, fetches or stores, and before the tier has
/// answered. Nobody has the lease afterwards.
#[test]
fn a_fetch_with_a_lease_is_lost() {
    explore(|| {
        let fleet = Fleet::new();
        let gate = fleet.tier.close(if thread_rng().r#gen() { Acquire } else { Store }, Place::Answer);
        let callers = [One, Other].map(|process| fleet.spawn(process, |process| process.get(1)));
        let fault = fleet.spawn(One, |_| {
            abort_all();
            gate.open();
        });
        fleet.pass_until_ended(3);
        fault.join().unwrap();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), Ok(1));
        }
        fleet.end(&[1]);
    });
}

/// The tier goes away and comes back. Everybody is answered, and no key is held.
#[test]
fn the_tier_goes_away_and_comes_back() {
    explore(|| {
        let fleet = if thread_rng().r#gen() { Fleet::new().stale(1) } else { Fleet::new() };
        let callers = [One, Other].map(|process| fleet.spawn(process, |process| process.get(1)));
        let writer = fleet.spawn(One, |process| {
            process.versions.write(2);
            process.set(1, 2);
        });
        let tier = fleet.tier.clone();
        let fault = fleet.spawn(Other, move |_| {
            tier.disconnect();
            tier.reconnect();
        });
        fleet.pass_until_ended(4);
        for caller in callers {
            assert!(matches!(caller.join().unwrap(), Ok(1 | 2)));
        }
        writer.join().unwrap();
        fault.join().unwrap();
        // A lease whose end could not be told lapses.
        advance(Duration::from_secs(5));
        fleet.settle();
        assert_eq!(fleet.one.version(1), Some(2));
        fleet.end(&[1]);
    });
}

/// The server forgets everything, with a write that has just been made. An older fetch does not bring it back.
#[test]
fn a_loss_of_memory_after_a_write() {
    explore(|| {
        let fleet = Fleet::new();
        let fetch = fleet.spawn(One, |process| process.refresh(1));
        let tier = fleet.tier.clone();
        let writer = fleet.spawn(Other, move |process| {
            process.versions.write(2);
            process.remove(1);
            tier.flush_all();
        });
        fleet.pass_until_ended(2);
        assert!(matches!(fetch.join().unwrap(), Ok(1 | 2)));
        writer.join().unwrap();
        fleet.settle();
        let there = fleet.there(1);
        assert!(nothing_or_the_newer(there), "{there:?} came back");
        fleet.end(&[1]);
    });
}
