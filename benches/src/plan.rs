//! How long and how often is measured.

use std::thread;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) slice: Duration,
    pub(crate) quick: bool,
}

impl Plan {
    pub(crate) fn new(quick: bool) -> Self {
        if quick {
            Self { rounds: 3, slice: Duration::from_millis(3), quick }
        } else {
            Self { rounds: 11, slice: Duration::from_millis(25), quick }
        }
    }

    /// One, and powers of two up to the number of cores.
    pub(crate) fn threads() -> Vec<usize> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (0..).map(|power| 1 << power).take_while(|&threads| threads <= cores.max(2)).collect()
    }

    /// For figures that are as good in a fraction of the time.
    pub(crate) fn scaled(&self, number: u64) -> u64 {
        if self.quick { number / 20 } else { number }
    }
}
