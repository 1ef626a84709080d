//! Things that belong to one process. A forked child has a copy of its parent's memory, but none of its threads.
//!
//! A child works if no other thread of the parent was inside the library at the fork: a lock that such a thread held
//! would stay locked. The housekeeper is such a thread for some microseconds a second while fetches live, and so are
//! the threads of the library's own runtime.

use crate::base::sync::plain::OnceLock;

/// The number of this process. It asks the system: for cold paths only.
pub(crate) fn id() -> u32 {
    std::process::id()
}

/// Something with threads, which is made anew in a forked child. The child leaves its parent's one alone, as it cannot
/// join threads that it does not have.
pub(crate) struct PerProcess<T: 'static>(OnceLock<Box<OfProcess<T>>>);

struct OfProcess<T: 'static> {
    process: u32,
    made: T,
    next: PerProcess<T>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The one of this process, whose number is `process`. The first call makes it.
    pub(crate) fn get_or_init(&self, process: u32, make: impl Fn() -> T) -> &T {
        let mut at = self;
        loop {
            let own = at.0.get_or_init(|| Box::new(OfProcess { process, made: make(), next: Self::new() }));
            // Only the last one counts: the system may give the number of an ancestor to a descendant.
            if own.process == process && own.next.0.get().is_none() {
                return &own.made;
            }
            at = &own.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_in_each_process() {
        static NUMBERS: PerProcess<u32> = PerProcess::new();
        let made = |process, number| *NUMBERS.get_or_init(process, || number);
        assert_eq!((made(1, 10), made(1, 11)), (10, 10));
        assert_eq!((made(2, 20), made(2, 21)), (20, 20));
        assert_eq!((made(1, 30), made(1, 31)), (30, 30), "a grandchild with the number of its grandparent");
    }
}
