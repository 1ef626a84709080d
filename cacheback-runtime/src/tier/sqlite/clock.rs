//! The time of a file: one axis of nanoseconds for all processes, which goes on when the machine is started anew.
//!
//! It follows the clock that counts from the start of the machine, which nobody sets. The file knows which start that was,
//! and where the axis stood then. After another start the wall clock says how much time has passed meanwhile: it may be
//! wrong, so that every value of before is made stale.

use crate::base::clock::{Moment, machine};
use crate::base::sync::plain::{AtomicU64, Ordering};

/// What a file knows of its axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// The start of the machine, or another clock of which there is only one.
    pub(super) boot: String,
    /// The time of the file less that of the machine's clock.
    pub(super) offset: i64,
    /// The time of the file, and the wall clock, when they were last noted.
    pub(super) noted: u64,
    pub(super) wall: u64,
}

/// The readings of a machine's clocks.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    boot: String,
    machine: u64,
    wall: u64,
}

/// The clock of a machine that does not tell of its starts: the wall clock.
const WALL: &str = "wall";

impl Reading {
    pub(super) fn now() -> Self {
        let wall = machine::wall();
        match (machine::boot_id(), machine::since_boot()) {
            (Some(boot), Some(machine)) => Self { boot, machine, wall },
            _ => Self { boot: WALL.to_owned(), machine: wall, wall },
        }
    }
}

/// The axis of a file from now on, and whether the machine was started anew since it was noted.
pub(super) fn axis(noted: Option<Axis>, now: &Reading) -> (Axis, bool) {
    let Reading { boot, machine, wall } = now;
    let at = |time: u64| Axis {
        boot: boot.clone(),
        offset: signed(time).saturating_sub(signed(*machine)),
        noted: time,
        wall: *wall,
    };
    match noted {
        // A new file: its axis begins with the wall clock, so that its numbers are greater than those of one before.
        None => (at(*wall), false),
        Some(axis) if axis.boot == *boot => {
            let time = axis.noted.max(signed(*machine).saturating_add(axis.offset).max(0).unsigned_abs());
            (Axis { noted: time, wall: *wall, ..axis }, false)
        }
        // A wall clock that was set back counts as one that has stood still.
        Some(axis) => (at(axis.noted.saturating_add(wall.saturating_sub(axis.wall))), true),
    }
}

fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// The time of a file as one process reads it.
#[derive(Debug)]
pub(super) struct Clock {
    offset: i64,
    is_wall: bool,
    /// The last reading: a wall clock may be set back.
    last: AtomicU64,
}

impl Clock {
    pub(super) fn new(axis: &Axis) -> Self {
        Self { offset: axis.offset, is_wall: axis.boot == WALL, last: AtomicU64::new(axis.noted) }
    }

    pub(super) fn now(&self) -> Moment {
        let machine = if self.is_wall { machine::wall() } else { machine::since_boot().unwrap_or_default() };
        let now = signed(machine).saturating_add(self.offset).max(0).unsigned_abs();
        Moment::from_bits(self.last.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(boot: &str, machine: u64, wall: u64) -> Reading {
        Reading { boot: boot.to_owned(), machine, wall }
    }

    #[test]
    fn a_file_has_one_axis() {
        let (first, is_anew) = axis(None, &reading("one", 50, 1_000));
        assert_eq!((first.offset, first.noted, first.wall, is_anew), (950, 1_000, 1_000, false));
        for (case, now, noted, offset, anew) in [
            ("later", reading("one", 70, 1_020), 1_020, 950, false),
            ("the wall clock was set, and does not count", reading("one", 70, 9_000), 1_020, 950, false),
            ("and set back", reading("one", 70, 3), 1_020, 950, false),
            ("the machine's clock stands still", reading("one", 50, 1_000), 1_000, 950, false),
            ("another start", reading("two", 5, 1_300), 1_300, 1_295, true),
            ("another start, with a clock that goes on", reading("two", 5_000, 1_300), 1_300, -3_700, true),
            ("another start, and the wall clock was set back", reading("two", 5, 400), 1_000, 995, true),
        ] {
            let (next, is_anew) = axis(Some(first.clone()), &now);
            assert_eq!((next.noted, next.offset, is_anew), (noted, offset, anew), "{case}");
            assert_eq!((next.boot, next.wall), (now.boot, now.wall), "{case}");
        }
    }

    #[test]
    fn a_clock_never_goes_back() {
        let set_back = Axis { boot: WALL.to_owned(), offset: 0, noted: u64::MAX / 4, wall: 0 };
        assert_eq!(
            Clock::new(&set_back).now(),
            Moment::from_bits(u64::MAX / 4),
            "the wall clock was set back"
        );
        let (first, _) = axis(None, &Reading::now());
        let clock = Clock::new(&first);
        let mut before = Moment::PAST;
        for _ in 0..1_000 {
            let now = clock.now();
            assert!(before <= now);
            before = now;
        }
    }
}
