//! The machine's own time, which all of its processes share, and which no test pauses.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970, by the wall clock. It may be set forward and back.
pub(crate) fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    super::nanos(since)
}

/// Nanoseconds since the machine was started, time asleep included. `None` if the system does not tell.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
// There is no safe way to read this clock: see `source`.
#[allow(unsafe_code)]
pub(crate) fn since_boot() -> Option<u64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid `timespec` to write to.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) } != 0;
    (!failed).then_some(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(crate) fn since_boot() -> Option<u64> {
    None
}

/// What tells this start of the machine from every other. `None` if the system does not tell.
pub(crate) fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}
