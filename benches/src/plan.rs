//! How long and how often to measure.

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

    /// Numbers of threads: one, and powers of two up to the number of cores.
    pub(crate) fn threads() -> Vec<usize> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (0..).map(|power| 1 << power).take_while(|&threads| threads <= cores.max(2)).collect()
    }

    /// A twentieth of the number in a quick run, for figures that need no more.
    pub(crate) fn scaled(&self, number: u64) -> u64 {
        if self.quick { number / 20 } else { number }
    }
}
