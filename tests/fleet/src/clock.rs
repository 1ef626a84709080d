//! The clock that all processes of this machine share.

use rustix::time::{ClockId, clock_gettime};

use crate::events::Micros;

pub(crate) fn now() -> Micros {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64) * 1_000_000 + (time.tv_nsec as u64) / 1_000
}
