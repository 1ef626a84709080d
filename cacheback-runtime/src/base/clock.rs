//! Time as the cache sees it: nanoseconds of a monotonic clock that goes on while the machine sleeps.
//!
//! A hit reads the kernel's coarse clock, which costs a quarter of the exact one and is behind it by up to one tick of
//! the kernel (1 to 10 ms): [`Moment::recent`]. Where there is none, the two are one.
//!
//! On Linux the exact clock counts the time asleep, and there is no coarse clock that does. The coarse one is corrected
//! by [`Asleep`], which each exact reading brings up to date. After a sleep that is the next call that is no plain hit,
//! or the next round of the housekeeper (`janitor`): at most 30 s after the machine has woken.
//!
//! | | exact | recent |
//! |---|---|---|
//! | Linux, 64 bits | `CLOCK_BOOTTIME` | `CLOCK_MONOTONIC_COARSE`, corrected |
//! | Apple's systems, 64 bits | `CLOCK_MONOTONIC_RAW`, which counts sleep there | the exact one |
//! | Windows | std's `Instant`, a counter that goes on in sleep | the exact one |
//! | others | std's `Instant`: whether it counts sleep is the system's choice | the exact one |
//!
//! Timers are tokio's, and stand still while the machine sleeps. What waits for one is judged by [`Moment::awake`].
//!
//! With `test-util` it is tokio's clock, which a test can pause and advance. Two runtimes may then read different
//! times, and a time may lie before one that is stored: every difference saturates, so such an age is zero.

use std::time::Duration;

use crate::base::sync::plain::{AtomicI64, Ordering};

/// A point in time, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Before every other moment.
    pub(crate) const PAST: Self = Self(0);
    /// After every other moment.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn now() -> Self {
        source::now()
    }

    /// Now, or up to a tick of the kernel before: never later, and never earlier than another thread has read it.
    #[inline]
    pub(crate) fn recent() -> Self {
        source::recent()
    }

    /// Now, by a clock of its own that stands still while the machine sleeps, as tokio's timers do. Not to be compared
    /// with other moments.
    pub(crate) fn awake() -> Self {
        source::awake()
    }

    /// Nanoseconds from `earlier` to here; zero where the clock stood still or went back.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `span` nanoseconds later; [`Moment::NEVER`] where that is out of range.
    pub(crate) fn plus(self, span: u64) -> Self {
        Self(self.0.saturating_add(span))
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// A duration in nanoseconds; one past 584 years is as good as endless.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, cacheback_shuttle))]
pub(super) mod scenario;
#[cfg(all(test, cacheback_shuttle))]
use scenario as source;

/// How far the time that the machine was awake is behind the time since its start, as far as it is known: behind the
/// truth, or equal to it. Unknown until the first exact reading; whoever holds a value has that behind it.
#[cfg_attr(not(any(test, target_os = "linux")), allow(dead_code))]
#[cfg_attr(all(test, cacheback_shuttle), allow(dead_code))]
struct Asleep(AtomicI64);

#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
#[cfg_attr(any(feature = "test-util", not(target_pointer_width = "64")), allow(dead_code))]
#[cfg_attr(all(test, cacheback_shuttle), allow(dead_code))]
impl Asleep {
    const fn unknown() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// The exact time. Both are clocks.
    fn now(&self, boot: impl FnOnce() -> u64, awake: impl FnOnce() -> u64) -> Moment {
        // In this order: whatever passes between the two readings makes the difference smaller, never larger.
        let boot = boot();
        // It is negative if a container has been given a monotonic clock of its own.
        let asleep = boot.wrapping_sub(awake()) as i64;
        if asleep > self.0.load(Ordering::Relaxed) {
            self.0.fetch_max(asleep, Ordering::Relaxed);
        }
        Moment(boot)
    }

    /// The time, by a reading of the coarse clock.
    #[inline]
    fn recent(&self, awake: u64) -> Moment {
        Moment(awake.wrapping_add(self.0.load(Ordering::Relaxed) as u64))
    }
}

// Elsewhere `timespec` may have fields of its own: on some systems of 32 bits.
#[cfg(all(
    any(target_os = "linux", target_vendor = "apple"),
    target_pointer_width = "64",
    not(feature = "test-util"),
    not(all(test, cacheback_shuttle))
))]
mod source {
    use super::Moment;
    #[cfg(target_os = "linux")]
    use crate::base::sync::plain::OnceLock;

    #[cfg(target_os = "linux")]
    static ASLEEP: super::Asleep = super::Asleep::unknown();

    #[cfg(target_os = "linux")]
    pub(super) fn now() -> Moment {
        static HAS_COARSE: OnceLock<bool> = OnceLock::new();
        let has_coarse = *HAS_COARSE.get_or_init(|| read(libc::CLOCK_MONOTONIC_COARSE).is_some());
        // Where a system forbids the coarse clock, that reads zero: the recent time is the last exact one then.
        let awake = || if has_coarse { monotonic() } else { 0 };
        ASLEEP.now(|| read(libc::CLOCK_BOOTTIME).unwrap_or_else(monotonic), awake)
    }

    #[cfg(target_os = "linux")]
    #[inline]
    pub(super) fn recent() -> Moment {
        // Whether it failed is not asked here: two instructions of each hit.
        ASLEEP.recent(read_or_zero(libc::CLOCK_MONOTONIC_COARSE).0)
    }

    #[cfg(target_os = "linux")]
    pub(super) fn awake() -> Moment {
        Moment(monotonic())
    }

    /// The clock that is always there.
    #[cfg(target_os = "linux")]
    #[cold]
    fn monotonic() -> u64 {
        read(libc::CLOCK_MONOTONIC).unwrap_or_default()
    }

    #[cfg(target_vendor = "apple")]
    pub(super) fn now() -> Moment {
        Moment(read(libc::CLOCK_MONOTONIC_RAW).unwrap_or_default())
    }

    #[cfg(target_vendor = "apple")]
    #[inline]
    pub(super) fn recent() -> Moment {
        now()
    }

    #[cfg(target_vendor = "apple")]
    pub(super) fn awake() -> Moment {
        Moment(read(libc::CLOCK_UPTIME_RAW).unwrap_or_default())
    }

    fn read(clock: libc::clockid_t) -> Option<u64> {
        let (now, failed) = read_or_zero(clock);
        (!failed).then_some(now)
    }

    /// A clock, and whether that failed.
    // No safe way to these clocks: std has none, and rustix reads them in a way that valgrind cannot follow.
    #[allow(unsafe_code)]
    #[inline]
    fn read_or_zero(clock: libc::clockid_t) -> (u64, bool) {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is a valid `timespec` to write to.
        let failed = unsafe { libc::clock_gettime(clock, &raw mut now) } != 0;
        (now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64, failed)
    }
}

#[cfg(all(
    not(all(
        any(target_os = "linux", target_vendor = "apple"),
        target_pointer_width = "64",
        not(feature = "test-util")
    )),
    not(all(test, cacheback_shuttle))
))]
mod source {
    use std::time::Instant;

    use super::{Moment, nanos};
    use crate::base::sync::OnceLock;

    /// The process's origin of time lies here on our scale, so that a paused clock may read earlier than it.
    const ORIGIN: u64 = 1 << 62;

    static EPOCH: OnceLock<Instant> = OnceLock::new();

    pub(super) fn now() -> Moment {
        of(instant())
    }

    #[inline]
    pub(super) fn recent() -> Moment {
        now()
    }

    pub(super) fn awake() -> Moment {
        now()
    }

    pub(super) fn of(now: Instant) -> Moment {
        let epoch = *EPOCH.get_or_init(|| now);
        match now.checked_duration_since(epoch) {
            Some(after) => Moment(ORIGIN.saturating_add(nanos(after))),
            None => Moment(ORIGIN.saturating_sub(nanos(epoch - now))),
        }
    }

    #[cfg(feature = "test-util")]
    fn instant() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[cfg(not(feature = "test-util"))]
    fn instant() -> Instant {
        Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_saturate_where_the_clock_goes_back() {
        let earlier = Moment::from_bits(100);
        let later = Moment::from_bits(130);
        assert_eq!(later.since(earlier), 30);
        assert_eq!(earlier.since(later), 0);
        assert_eq!(later.since(later), 0);
        assert_eq!(later.plus(u64::MAX), Moment::NEVER);
    }

    #[cfg(feature = "test-util")]
    #[test]
    fn an_instant_before_the_epoch_has_its_place() {
        let now = std::time::Instant::now();
        let epoch = source::of(now);
        let Some(earlier) = now.checked_sub(Duration::from_millis(5)) else { return };
        assert!(source::of(earlier) < epoch);
        assert_eq!(epoch.since(source::of(earlier)), 5_000_000);
    }

    /// What was cut off at the recent time is past at every later reading of either clock.
    #[test]
    fn the_recent_time_is_never_ahead_and_never_goes_back() {
        let mut before = Moment::PAST;
        let _ = Moment::now();
        for _ in 0..100_000 {
            let recent = Moment::recent();
            assert!(before <= recent && recent <= Moment::now());
            before = recent;
        }
    }

    /// A machine's clocks. Its monotonic one began `ahead` of the time since its start.
    struct Machine {
        awake: std::cell::Cell<u64>,
        asleep: std::cell::Cell<i64>,
        known: Asleep,
    }

    impl Machine {
        fn new(asleep: i64) -> Self {
            let awake = std::cell::Cell::new(1_000_000_000);
            Self { awake, asleep: std::cell::Cell::new(asleep), known: Asleep::unknown() }
        }
        /// Each reading takes a nanosecond.
        fn monotonic(&self) -> u64 {
            self.awake.replace(self.awake.get() + 1)
        }
        fn boot(&self) -> u64 {
            self.monotonic().wrapping_add_signed(self.asleep.get())
        }
        /// Behind by up to a tick.
        fn coarse(&self) -> u64 {
            self.awake.get() / 4_000 * 4_000
        }
        fn now(&self) -> Moment {
            self.known.now(|| self.boot(), || self.monotonic())
        }
        fn recent(&self) -> Moment {
            self.known.recent(self.coarse())
        }
        fn run(&self, span: u64) {
            self.awake.set(self.awake.get() + span);
        }
        fn sleep(&self, span: u64) {
            self.asleep.set(self.asleep.get() + span as i64);
        }
    }

    /// After a sleep the exact time is right at once, and the recent one from the next exact reading on.
    #[test]
    fn time_asleep_counts() {
        const HOURS: u64 = 8 * 3_600 * 1_000_000_000;
        for slept_before in [0, 5_000_000_000, -7_000_000] {
            let machine = Machine::new(slept_before);
            let began = machine.now();
            assert!(began.since(machine.recent()) <= 4_000 + 10);
            machine.run(10_000);
            machine.sleep(HOURS);
            machine.run(10_000);
            assert!(machine.recent().since(began) < 20_010, "nobody has told it yet");
            let woken = machine.now();
            assert!(woken.since(began) >= HOURS + 20_000);
            assert!(woken.since(machine.recent()) <= 4_000 + 10, "one exact reading was enough");
        }
    }

    /// Wherever a sleep falls, between the two clocks of a reading too, the recent time is never ahead of the exact
    /// one, and neither goes back.
    #[test]
    fn the_recent_time_is_never_ahead_of_a_sleep() {
        let machine = Machine::new(0);
        let (mut exact, mut recent) = (Moment::PAST, Moment::PAST);
        for step in 1..1_000 {
            let falls_asleep = || {
                let boot = machine.boot();
                machine.sleep(step * 977 % 50_000);
                boot
            };
            let before = machine.known.now(falls_asleep, || machine.monotonic());
            assert!(exact <= before, "{step}");
            machine.run(step * 131 % 9_000);
            let coarse = machine.recent();
            assert!(recent <= coarse, "{step}");
            let now = machine.now();
            assert!(before <= now && coarse <= now, "{step}");
            (exact, recent) = (now, coarse);
        }
    }

    #[test]
    fn huge_durations_are_endless() {
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        assert_eq!(nanos(Duration::from_secs(1)), 1_000_000_000);
    }
}
