//! What a store in this process promises beside the rules: its clock never goes back, its numbers grow even if all keys are
//! lost, and a lease that was extended too late is held all the same.

use std::time::Duration;

use super::TICK;
use super::rules::{KEPT, World, secs, value};
use crate::tier::late::{Delivered, Lateness};
use crate::tier::{Acquired, Change};

#[test]
fn numbers_follow_the_clock_and_always_grow() {
    let Some(mut world) = World::new() else { return };
    let first = world.set("a");
    assert_eq!(first.0, world.now.to_bits() / 1_000);
    assert_eq!(world.set("b").0, first.0 + 1);
    assert_eq!(world.write(Change::Remove { tombstone: KEPT }).0, first.0 + 2);
    assert_eq!(world.set("c").0, first.0 + 3, "over a tombstone");
    world.state.flush();
    assert_eq!(world.set("d").0, first.0 + 4, "after a flush, in the same instant");
    world.write(Change::Remove { tombstone: Duration::ZERO });
    assert_eq!(world.set("e").0, first.0 + 6, "after a tombstone that has ended");
    world.pass(secs(1));
    assert_eq!(world.set("f").0, first.0 + 1_000_000);
}

#[test]
fn the_clock_never_goes_back() {
    let Some(mut world) = World::new() else { return };
    world.set("a");
    let start = world.now;
    world.pass(secs(4));
    world.read();
    world.now = start;
    assert_eq!(world.ages().age, secs(4));
}

/// Two processes were cut off, and each has changed the key, and then fetched it for itself. Whoever was told first holds a
/// value of before the other change: it is to hear of that, unless it was made before its own.
#[test]
fn a_change_that_is_told_late_does_not_hide_another() {
    const DOUBT: Duration = Duration::from_millis(100);
    let changes = [Change::Invalidate { tombstone: KEPT }, Change::Remove { tombstone: KEPT }];
    for first in &changes {
        for second in changes.iter().chain([&Change::Set(value("b", 4))]) {
            // The first change was made 9 s ago, and the other one so long ago, in milliseconds.
            for (age, holds) in [(4_000, true), (8_900, true), (9_050, true), (9_101, false), (12_000, false)]
            {
                let Some(mut world) = World::new() else { return };
                let mut deliver = |change: &Change, millis| {
                    let age = Duration::from_millis(millis);
                    let late = Lateness { age, known: None, over: None };
                    world.state.deliver(world.now, &world.key, change.clone(), late, DOUBT)
                };
                let Delivered::Done(id) = deliver(first, 9_000) else { panic!("nothing is there") };
                let delivered = deliver(second, age);
                assert_eq!(delivered != Delivered::Yielded(id), holds, "{first:?} {second:?} {age}");
                // Nobody can tell whether a value is newer than the removal.
                assert!(world.missing().is_some_and(|tombstone| tombstone >= Some(id)));
                // It lasts as long as it has to, from its arrival on.
                world.pass(KEPT - TICK);
                assert!(world.missing().is_some_and(|tombstone| tombstone.is_some()));
                world.pass(TICK);
                assert_eq!(world.missing(), Some(None));
            }
        }
    }
}

/// For one who looks only now, that is: see `Held::extend`.
#[test]
fn a_lease_is_extended_every_two_seconds() {
    let Some(mut world) = World::new() else { return };
    world.lease(1);
    world.pass(secs(70));
    assert!(world.extend(1));
    assert_eq!(world.refresh(2), Acquired::Theirs { left: secs(5), is_backoff: false, queued: None });
    world.pass(secs(1));
    assert!(world.extend(1) && !world.extend(2));
    assert_eq!(world.refresh(2), Acquired::Theirs { left: secs(4), is_backoff: false, queued: None });
}
