//! Messages of one process, as the other one reads, stores and looks.

use std::time::Duration;

use super::explore;
use super::fleet::{Fleet, Process::One, Process::Other};
use super::origin::{Act, Returned};
use super::stage::{Stage, Stored};
use crate::events::Status;

/// Once all messages were read, nothing older than version 2 is fresh in a process, and a call gets version 2.
fn assert_agrees(fleet: &Fleet, process: &Stage) {
    fleet.settle();
    let here = process.peek(1);
    assert!(here.is_none_or(|stored| stored.version == 2 || !stored.fresh), "{here:?} is fresh");
    assert_eq!(process.get(1), Ok(2));
    fleet.settle();
    assert_eq!(process.peek(1), Some(Stored { version: 2, fresh: true }));
}

/// Both processes have version 1, and the first one may have missed messages since.
fn with_a_suspect_value() -> Fleet {
    let fleet = Fleet::new();
    fleet.other.set(1, 1);
    let _ = fleet.one.get(1);
    fleet.tier.deliver_messages();
    fleet.hear();
    fleet
}

/// One process takes a value over, and another sets a newer one meanwhile: before the read, after it, or as the value
/// is put in.
#[test]
fn a_message_between_a_read_and_its_insertion() {
    explore(|| {
        let fleet = Fleet::new();
        fleet.other.set(1, 1);
        fleet.hear();
        let reader = fleet.spawn(One, |process| process.get(1));
        let writer = fleet.spawn(Other, |process| process.set(1, 2));
        assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
        writer.join().unwrap();
        assert_agrees(&fleet, &fleet.one);
        fleet.end(&[1]);
    });
}

/// A value is fetched, and another process sets a newer one as it is put in.
#[test]
fn a_message_between_a_body_and_its_insertion() {
    explore(|| {
        let fleet = Fleet::new().stale(1);
        let reader = fleet.spawn(One, |process| process.get(1));
        let writer = fleet.spawn(Other, |process| {
            process.versions.write(2);
            process.set(1, 2);
        });
        assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
        writer.join().unwrap();
        fleet.settle();
        // The value may be stale here: then the first call has it refreshed.
        let _ = fleet.one.get(1);
        assert_agrees(&fleet, &fleet.one);
        fleet.end(&[1]);
    });
}

/// The message is lost, and the process is told that some were, as it reads the value.
#[test]
fn a_loss_of_messages_during_a_look() {
    explore(|| {
        let fleet = Fleet::new();
        fleet.other.set(1, 1);
        fleet.hear();
        fleet.tier.lose_messages();
        let reader = fleet.spawn(One, |process| process.get(1));
        let tier = fleet.tier.clone();
        let writer = fleet.spawn(Other, move |process| {
            process.set(1, 2);
            tier.deliver_messages();
        });
        assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
        writer.join().unwrap();
        assert_agrees(&fleet, &fleet.one);
        fleet.end(&[1]);
    });
}

/// A flight of one process is under way as the other one sets version 2. Whoever calls once the message was read gets that,
/// even if the flight is from before the message.
fn a_call_after_a_message(flight: fn(&Stage) -> Returned) {
    explore(move || {
        let fleet = Fleet::new();
        fleet.other.set(1, 1);
        fleet.hear();
        let early = fleet.spawn(One, flight);
        let writer = fleet.spawn(Other, |process| {
            process.versions.write(2);
            process.set(1, 2);
        });
        writer.join().unwrap();
        fleet.hear();
        assert_eq!(fleet.one.get(1), Ok(2));
        assert!(matches!(early.join().unwrap(), Ok(1 | 2)));
        assert_agrees(&fleet, &fleet.one);
        fleet.end(&[1]);
    });
}

#[test]
fn a_call_after_a_message_finds_a_look_under_way() {
    a_call_after_a_message(|process| process.get(1));
}

#[test]
fn a_call_after_a_message_finds_a_fetch_under_way() {
    a_call_after_a_message(|process| process.refresh(1));
}

/// The same with `refresh`, whose outcome is that of a body.
#[test]
fn a_refresh_after_a_message_finds_a_fetch_under_way() {
    explore(|| {
        let fleet = Fleet::new();
        let early = fleet.spawn(One, |process| process.refresh(1));
        let writer = fleet.spawn(Other, |process| {
            process.versions.write(2);
            process.set(1, 2);
        });
        writer.join().unwrap();
        fleet.hear();
        assert_eq!(fleet.one.refresh(1), Ok(2));
        assert!(matches!(early.join().unwrap(), Ok(1 | 2)));
        fleet.end(&[1]);
    });
}

/// The key is changed again as callers read it after a first message. None of them gets what is from before that.
#[test]
fn two_calls_after_a_message_and_a_further_change() {
    explore(|| {
        let fleet = Fleet::new();
        fleet.other.set(1, 1);
        fleet.hear();
        let early = fleet.spawn(One, |process| process.get(1));
        fleet.other.versions.write(2);
        fleet.other.set(1, 2);
        fleet.hear();
        let writer = fleet.spawn(Other, |process| {
            process.versions.write(3);
            process.set(1, 3);
        });
        let readers = [(); 2].map(|()| fleet.spawn(One, |process| process.get(1)));
        for reader in readers {
            assert!(matches!(reader.join().unwrap(), Ok(2 | 3)));
        }
        assert!(matches!(early.join().unwrap(), Ok(1..=3)));
        writer.join().unwrap();
        fleet.settle();
        assert_eq!(fleet.one.get(1), Ok(3));
        fleet.end(&[1]);
    });
}

/// A suspect value is looked at, and is confirmed, as everything becomes suspect once more. The caller has looked, and need
/// not be content with a stale value.
#[test]
fn a_further_loss_of_messages_during_a_look() {
    explore(|| {
        let fleet = with_a_suspect_value();
        let reader = fleet.spawn(One, |process| process.lookup(1));
        fleet.tier.deliver_messages();
        assert_eq!(reader.join().unwrap(), (Ok(1), Status::Fresh));
        fleet.settle();
        assert_eq!(fleet.one.lookup(1), (Ok(1), Status::Fresh));
        assert_eq!(fleet.versions.runs(1), 0);
        fleet.end(&[1]);
    });
}

/// A suspect value is looked at, and is to be trusted again, as it is changed.
#[test]
fn a_message_as_a_value_is_trusted_again() {
    explore(|| {
        let fleet = with_a_suspect_value();
        let reader = fleet.spawn(One, |process| process.get(1));
        let writer = fleet.spawn(Other, |process| process.set(1, 2));
        assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
        writer.join().unwrap();
        assert_agrees(&fleet, &fleet.one);
        fleet.end(&[1]);
    });
}

/// Both set the key. They agree on the later value in the tier, whichever that is.
#[test]
fn two_processes_set_a_key() {
    explore(|| {
        let fleet = Fleet::new();
        let writers = [(One, 1), (Other, 2)]
            .map(|(process, version)| fleet.spawn(process, move |process| process.set(1, version)));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        fleet.settle();
        let there = fleet.there(1);
        for process in [&fleet.one, &fleet.other] {
            assert_eq!(process.get(1).ok(), there.map(|stored| stored.version));
            fleet.settle();
            assert_eq!(process.peek(1), there);
        }
        fleet.end(&[1]);
    });
}

/// A process looks at a suspect value as another removes it.
#[test]
fn a_look_against_remove_elsewhere() {
    explore(|| {
        let fleet = with_a_suspect_value();
        let reader = fleet.spawn(One, |process| process.get(1));
        let writer = fleet.spawn(Other, |process| {
            process.versions.write(2);
            process.remove(1);
        });
        fleet.pass_until_ended(2);
        assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
        writer.join().unwrap();
        assert_agrees(&fleet, &fleet.one);
        fleet.end(&[1]);
    });
}

/// The message of a change of all keys is lost, and the process is told that some were.
#[test]
fn a_lost_message_of_a_change_of_all_keys() {
    for change in [Stage::invalidate_all, Stage::clear] {
        explore(move || {
            let fleet = Fleet::new();
            fleet.other.set(1, 1);
            let _ = fleet.one.get(1);
            fleet.hear();
            fleet.tier.lose_messages();
            let tier = fleet.tier.clone();
            let writer = fleet.spawn(Other, move |process| {
                process.versions.write(2);
                change(process);
                tier.deliver_messages();
            });
            let reader = fleet.spawn(One, |process| process.get(1));
            fleet.pass_until_ended(2);
            assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
            writer.join().unwrap();
            fleet.settle();
            let here = fleet.one.peek(1);
            assert!(here.is_none_or(|stored| stored.version == 2 || !stored.fresh), "{here:?} is fresh");
            // A stale value is served once more, and refreshed.
            let _ = fleet.one.get(1);
            assert_agrees(&fleet, &fleet.one);
            fleet.end(&[1]);
        });
    }
}

/// A process has changed a key, and fetches it. The message of its own change comes before that, during it or after it, and
/// never says that the fetch is from before the change: its error is kept.
#[test]
fn the_message_of_an_own_change_and_the_fetch_after_it() {
    explore(|| {
        let fleet = Fleet::with(|policy| policy.cache_err = Some(Duration::from_secs(600)));
        fleet.versions.act(&[Act::Fail]);
        let calls = fleet.spawn(One, |process| {
            process.remove(1);
            process.get(1)
        });
        assert_eq!(calls.join().unwrap(), Err("failed"));
        fleet.hear();
        assert_eq!((fleet.one.get(1), fleet.versions.runs(1)), (Err("failed"), 1));
        fleet.settle();
        fleet.one.remove(1);
        fleet.end(&[1]);
    });
}
