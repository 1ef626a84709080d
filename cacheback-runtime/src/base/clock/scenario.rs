//! A clock that stands still until a scenario moves it.

use std::cell::Cell;

use super::Moment;

/// The time at which a scenario begins.
const START: u64 = 1 << 62;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(START) };
}

pub(crate) fn now() -> Moment {
    Moment::from_bits(NOW.get())
}

pub(crate) fn recent() -> Moment {
    now()
}

pub(crate) fn awake() -> Moment {
    now()
}

pub(in crate::base) fn reset() {
    NOW.set(START);
}

pub(in crate::base) fn advance(nanos: u64) {
    NOW.set(NOW.get() + nanos);
}
