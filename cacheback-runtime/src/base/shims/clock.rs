//! A clock that stands still until a scenario moves it.

use std::cell::Cell;

use crate::base::clock::Moment;

/// When a scenario begins.
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

pub(crate) fn reset() {
    NOW.set(START);
}

pub(crate) fn advance(nanos: u64) {
    NOW.set(NOW.get() + nanos);
}
