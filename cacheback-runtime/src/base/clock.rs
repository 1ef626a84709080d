//! Time as the cache sees it: nanoseconds of a monotonic clock that keeps running while the machine sleeps.
//!
//! A hit reads the kernel's coarse clock ([`Moment::recent`]). It costs a quarter of the exact clock and lags behind it
//! by up to one tick of the kernel (1 to 10 ms). On a system without a coarse clock the two are the same.
//!
//! On Linux the exact clock counts time asleep, but no coarse clock does. [`Asleep`] corrects the coarse clock, and
//! each exact reading brings that correction up to date. After a sleep, the first exact reading is made by the next
//! call that is not a plain hit, or by the next round of the housekeeper, at most 30 s after the machine has woken.
//!
//! | | exact | recent |
//! |---|---|---|
//! | Linux, 64 bits | `CLOCK_BOOTTIME` | `CLOCK_MONOTONIC_COARSE`, corrected |
//! | Apple's systems, 64 bits | `CLOCK_MONOTONIC_RAW`, which counts sleep there | the exact one |
//! | Windows | std's `Instant`, a counter that keeps running during sleep | the exact one |
//! | others | std's `Instant`: whether it counts sleep is the system's choice | the exact one |
//!
//! Timers are tokio's, and stop while the machine sleeps. Code that asks how late a timer is reads [`Moment::awake`],
//! which stops as well.
//!
//! With `test-util` the clock is tokio's, which a test can pause and advance. Two runtimes may then read different
//! times, and a reading may be earlier than a stored moment. Every difference saturates, so such an age is zero.

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

    /// Now, or up to one tick of the kernel earlier. Never later than now, and never earlier than a reading that
    /// another thread has made before.
    #[inline]
    pub(crate) fn recent() -> Self {
        source::recent()
    }

    /// Now, by a separate clock that stops while the machine sleeps, as tokio's timers do. It may lag by some milliseconds.
    /// Its readings must not be compared with other moments.
    pub(crate) fn awake() -> Self {
        source::awake()
    }

    /// Nanoseconds from `earlier` to this moment; zero if the clock has stood still or gone back.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `span` nanoseconds later; [`Moment::NEVER`] if that is out of range.
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

/// A duration in nanoseconds. Any duration past 584 years counts as endless.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970, by the wall clock: a time that the processes of several machines have in common, as far as
/// their clocks agree. In tests it is the time that they pause and advance.
#[cfg(feature = "shared")]
pub(crate) fn common_millis() -> u64 {
    if cfg!(any(feature = "test-util", all(test, cacheback_shuttle))) {
        return Moment::now().to_bits() / 1_000_000;
    }
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    nanos(since) / 1_000_000
}

#[cfg(feature = "sqlite")]
pub(crate) mod machine;
#[cfg(all(test, cacheback_shuttle))]
pub(super) mod scenario;
#[cfg(all(test, cacheback_shuttle))]
use scenario as source;

/// How long the machine has slept since its start, as far as that is known: never more than the truth. It is unknown
/// until the first exact reading. Storing a value takes such a reading, so it is known wherever a value can be hit.
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

    /// The exact time, from readings of the two clocks.
    fn now(&self, boot: impl FnOnce() -> u64, awake: impl FnOnce() -> u64) -> Moment {
        // In this order: time that passes between the two readings makes the difference smaller, never larger.
        let boot = boot();
        // This is negative if a container has a monotonic clock of its own.
        let asleep = boot.wrapping_sub(awake()) as i64;
        if asleep > self.0.load(Ordering::Relaxed) {
            self.0.fetch_max(asleep, Ordering::Relaxed);
        }
        Moment(boot)
    }

    /// The recent time, from a reading of the coarse clock.
    #[inline]
    fn recent(&self, awake: u64) -> Moment {
        Moment(awake.wrapping_add(self.0.load(Ordering::Relaxed) as u64))
    }
}

// On some systems of 32 bits `timespec` has more fields.
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
        // If the system forbids the coarse clock, it reads as zero. The recent time is the last exact one then.
        let awake = || if has_coarse { monotonic() } else { 0 };
        ASLEEP.now(|| read(libc::CLOCK_BOOTTIME).unwrap_or_else(monotonic), awake)
    }

    #[cfg(target_os = "linux")]
    #[inline]
    pub(super) fn recent() -> Moment {
        // A check for failure would cost each hit two instructions.
        ASLEEP.recent(read_or_zero(libc::CLOCK_MONOTONIC_COARSE).0)
    }

    #[cfg(target_os = "linux")]
    pub(super) fn awake() -> Moment {
        // Each fetch reads it twice, and the coarse clock takes a quarter of the time.
        Moment(read(libc::CLOCK_MONOTONIC_COARSE).unwrap_or_else(monotonic))
    }

    /// The clock that every system has.
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

    /// A reading of a clock, and whether it failed.
    // There is no safe way to read these clocks: std has none, and valgrind cannot follow rustix's.
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

    /// The first reading of the process is given this number, so that a paused clock may read earlier.
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
    fn differences_saturate_if_the_clock_goes_back() {
        let earlier = Moment::from_bits(100);
        let later = Moment::from_bits(130);
        assert_eq!(later.since(earlier), 30);
        assert_eq!(earlier.since(later), 0);
        assert_eq!(later.since(later), 0);
        assert_eq!(later.plus(u64::MAX), Moment::NEVER);
    }

    #[cfg(feature = "test-util")]
    #[test]
    fn an_instant_before_the_epoch_is_an_earlier_moment() {
        let now = std::time::Instant::now();
        let epoch = source::of(now);
        let Some(earlier) = now.checked_sub(Duration::from_millis(5)) else { return };
        assert!(source::of(earlier) < epoch);
        assert_eq!(epoch.since(source::of(earlier)), 5_000_000);
    }

    /// A moment that has passed by the recent time has passed at every later reading of either clock.
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

    /// A machine's clocks.
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
        /// Lags by up to one tick.
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

    /// After a sleep the exact time is right at once, and the recent time from the next exact reading on.
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

    /// Whenever the machine sleeps, even between the two readings of an exact time, the recent time is never ahead of
    /// the exact time, and neither goes back.
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
