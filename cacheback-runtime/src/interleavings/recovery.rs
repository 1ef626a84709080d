//! Changes that the tier could not be told of, as they are delivered: against reads, writes and fetches of the same key.

use std::time::Duration;

use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use super::explore;
use super::fleet::{Fleet, Process::One, Process::Other};
use super::stage::Stage;
use crate::base::shims::tasks::advance;
use crate::base::sync::Arc;
use crate::tier::memory::faults::Operation::{Bump, Write};
use crate::tier::memory::faults::Place;
use crate::tier::recovery::Recovering;
use crate::tier::{Change, Read, Scope, Tier, WireKey};

/// A fleet whose tier is down, after one process has changed the key there.
fn cut_off(change: impl FnOnce(&Stage)) -> Fleet {
    let fleet = Fleet::new();
    fleet.other.set(1, 1);
    let _ = fleet.one.get(1);
    fleet.hear();
    advance(Duration::from_secs(1));
    fleet.tier.disconnect();
    fleet.versions.write(2);
    change(&fleet.one);
    advance(Duration::from_secs(1));
    fleet
}

/// Nothing older than version 2 is there, nor fresh in any process.
fn assert_told(fleet: &Fleet) {
    // A lease whose end could not be told lapses.
    advance(Duration::from_secs(5));
    fleet.settle();
    fleet.deliver();
    fleet.settle();
    let there = fleet.there(1);
    assert!(there.is_none_or(|stored| stored.version >= 2 || !stored.fresh), "{there:?} is there");
    for process in [&fleet.one, &fleet.other] {
        let here = process.peek(1);
        assert!(here.is_none_or(|stored| stored.version >= 2 || !stored.fresh), "{here:?} is here");
        // A stale value is served once more, and refreshed.
        let _ = process.get(1);
        fleet.settle();
        let got = process.get(1);
        assert!(got.is_ok_and(|version| version >= 2), "{got:?}");
        fleet.settle();
    }
}

/// Whoever has removed a key, and then reads it, never gets the older value from the tier.
#[test]
fn a_delivery_against_a_consultation() {
    explore(|| {
        let fleet = cut_off(|process| process.remove(1));
        let tier = fleet.tier.clone();
        let back = fleet.spawn(Other, move |_| tier.reconnect());
        let reader = fleet.spawn(One, |process| process.get(1));
        fleet.pass_until_ended(2);
        back.join().unwrap();
        assert_eq!(reader.join().unwrap(), Ok(2));
        assert_told(&fleet);
        fleet.end(&[1]);
    });
}

/// The later of two changes of one process stands, whichever of them waits.
#[test]
fn a_delivery_against_a_live_write() {
    explore(|| {
        let is_set = thread_rng().r#gen();
        let fleet = cut_off(move |process| if is_set { process.set(1, 2) } else { process.remove(1) });
        let tier = fleet.tier.clone();
        let back = fleet.spawn(Other, move |_| tier.reconnect());
        let writer = fleet.spawn(One, |process| process.set(1, 3));
        fleet.pass_until_ended(2);
        back.join().unwrap();
        writer.join().unwrap();
        fleet.deliver();
        let there = fleet.there(1);
        assert!(there.is_none_or(|stored| stored.version == 3), "{there:?} is there");
        assert_eq!(fleet.one.version(1), Some(3));
        fleet.versions.write(3);
        assert_told(&fleet);
        fleet.end(&[1]);
    });
}

/// A fetch of the other process began before the change, or after it. Only in the second case its value stands.
#[test]
fn a_delivery_against_a_store_elsewhere() {
    explore(|| {
        let fleet = Fleet::new();
        let fetch = fleet.spawn(Other, |process| process.refresh(1));
        let tier = fleet.tier.clone();
        let is_invalidated = thread_rng().r#gen();
        let writer = fleet.spawn(One, move |process| {
            tier.disconnect();
            process.versions.write(2);
            if is_invalidated {
                process.invalidate(1);
            } else {
                process.remove(1);
            }
            tier.reconnect();
        });
        fleet.pass_until_ended(2);
        assert!(matches!(fetch.join().unwrap(), Ok(1 | 2)));
        writer.join().unwrap();
        assert_told(&fleet);
        fleet.end(&[1]);
    });
}

/// The answer to a change is lost, and nobody knows whether it was made. The next change is made at the same time.
#[test]
fn an_unknown_outcome_against_a_live_write() {
    explore(|| {
        let fleet = Fleet::new();
        fleet.other.set(1, 1);
        let _ = fleet.one.get(1);
        advance(Duration::from_secs(1));
        let place = if thread_rng().r#gen() { Place::Answer } else { Place::Request };
        let gate = fleet.tier.close(Write, place);
        let first = fleet.spawn(One, |process| process.set(1, 2));
        let second = fleet.spawn(One, |process| process.set(1, 3));
        let lost = fleet.spawn(Other, move |_| drop(gate));
        fleet.pass_until_ended(3);
        [first, second, lost].into_iter().for_each(|task| task.join().unwrap());
        fleet.deliver();
        let (here, there) = (fleet.one.version(1), fleet.there(1));
        assert!(
            there.is_none_or(|stored| Some(stored.version) == here),
            "{there:?} is there, and {here:?} here"
        );
        fleet.versions.write(3);
        fleet.end(&[1]);
    });
}

/// A change is on its way, and is made later than a read that was sent after it, or never. Nobody who reads after that is
/// given what the first read has brought.
#[test]
fn a_look_that_overtakes_a_change() {
    explore(|| {
        let fleet = Fleet::new();
        fleet.other.set(1, 1);
        advance(Duration::from_secs(1));
        let is_of_all = thread_rng().r#gen();
        let gate = fleet.tier.close(if is_of_all { Bump } else { Write }, Place::Request);
        let reader = fleet.spawn(One, |process| process.get(1));
        let writer = fleet.spawn(One, move |process| {
            process.versions.write(2);
            if is_of_all {
                process.clear();
            } else {
                process.remove(1);
            }
            process.get(1)
        });
        let lost = fleet.spawn(Other, move |_| drop(gate));
        fleet.pass_until_ended(3);
        assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
        assert_eq!(writer.join().unwrap(), Ok(2));
        lost.join().unwrap();
        assert_told(&fleet);
        fleet.end(&[1]);
    });
}

/// Changes of all keys, and of one, in their order.
#[test]
fn a_delivery_against_a_clear() {
    explore(|| {
        let fleet = cut_off(|process| process.set(1, 1));
        let tier = fleet.tier.clone();
        let back = fleet.spawn(Other, move |_| tier.reconnect());
        let writer = fleet.spawn(One, Stage::clear);
        fleet.pass_until_ended(2);
        back.join().unwrap();
        writer.join().unwrap();
        assert_told(&fleet);
        fleet.end(&[1]);
    });
}

/// A value of the outage stands, and is offered to the tier, while another process changes the key, or all of them.
#[test]
fn an_offer_against_a_change_elsewhere() {
    explore(|| {
        let fleet = Fleet::new();
        fleet.other.set(1, 1);
        let _ = fleet.one.get(1);
        fleet.hear();
        advance(Duration::from_secs(1));
        fleet.tier.disconnect();
        let _ = fleet.one.refresh(1);
        advance(Duration::from_secs(1));
        fleet.tier.reconnect();
        fleet.hear();
        let reader = fleet.spawn(One, |process| process.get(1));
        let change = thread_rng().gen_range(0..5);
        let writer = fleet.spawn(Other, move |process| {
            process.versions.write(2);
            match change {
                0 => process.invalidate(1),
                1 => process.remove(1),
                2 => process.set(1, 2),
                3 => process.invalidate_all(),
                _ => process.clear(),
            }
        });
        fleet.pass_until_ended(2);
        assert!(matches!(reader.join().unwrap(), Ok(1 | 2)));
        writer.join().unwrap();
        assert_told(&fleet);
        fleet.end(&[1]);
    });
}

/// Another server takes over, without the last change. Whoever reads meanwhile, or after that, waits until the change was
/// told again, also if another reader has noticed it.
#[test]
fn a_look_while_another_server_takes_over() {
    explore(|| {
        let fleet = Fleet::new();
        let tier = Arc::new(Recovering::over(fleet.tier.clone().open(), None));
        let scope = Arc::new(Scope { name: "users".into(), instance: None });
        let key = WireKey { scope, hash: [1; 16], fingerprint: 1, args: [1].into() };
        let removal = Change::Remove { tombstone: Duration::from_secs(600) };
        block_on(tier.write(&key, removal)).expect("it is connected");
        let server = fleet.tier.clone();
        let fails_over = thread::spawn(move || {
            server.disconnect();
            server.flush_all();
            server.reconnect();
        });
        let readers = [(); 2].map(|()| {
            let (tier, key) = (Arc::clone(&tier), key.clone());
            thread::spawn(move || block_on(tier.read(&key, None)))
        });
        for reader in readers {
            let read = reader.join().unwrap();
            assert!(!matches!(read, Ok(Read::Missing { tombstone: None, .. })), "{read:?}");
        }
        fails_over.join().unwrap();
        let read = block_on(tier.read(&key, None));
        assert!(matches!(read, Ok(Read::Missing { tombstone: Some(_), .. })), "{read:?}");
        drop(tier);
        fleet.end(&[1]);
    });
}
